//! `init`: a new data folder with keys, database and a commented `cloud.toml`.

use crate::{keys, store::sqlite::Sqlite};
use latchkey_protocol::Host;
use std::{fs, io, net::SocketAddr, path::Path};

/// What a new cloud starts with.
pub struct Plan<'a> {
    /// The host that QR codes name.
    pub host: &'a Host,
    /// Where it listens.
    pub listen: SocketAddr,
    /// An SMTP server without TLS, as host and port; without it mails go into a Maildir `mail`.
    pub smtp: Option<(&'a str, u16)>,
}

/// Why there is no new cloud.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Something is there already.
    #[error("{0} is there already and is left as it is: name an empty folder")]
    Exists(String),
    /// The folder cannot be written.
    #[error("cannot write the data folder")]
    Io(#[from] io::Error),
    /// The keys cannot be made.
    #[error(transparent)]
    Keys(#[from] keys::KeysError),
    /// The database cannot be made.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

/// Makes the folder. Nothing that exists is overwritten.
pub fn init(data: &Path, plan: &Plan<'_>) -> Result<(), SetupError> {
    for name in ["cloud.toml", "cloud.db", "keys"] {
        if data.join(name).exists() {
            return Err(SetupError::Exists(data.join(name).display().to_string()));
        }
    }
    keys::private_folder(data)?;
    keys::make_all(&data.join("keys"))?;
    Sqlite::open(&data.join("cloud.db"))?;
    let name = plan.host.as_str().split(':').next().unwrap_or_default();
    // A host without a dot, as in a trial on one machine, has no mail domain of its own.
    let domain = if name.contains('.') { name } else { "latchkey.example" };
    let way = match plan.smtp {
        None => "maildir = \"mail\"\n".to_owned(),
        Some((host, port)) => {
            format!("\n[mail.smtp]\nhost = \"{host}\"\nport = {port}\ntls = \"none\"\n")
        }
    };
    let text = TEMPLATE
        .replace("@HOST@", plan.host.as_str())
        .replace("@LISTEN@", &plan.listen.to_string())
        .replace("@DOMAIN@", domain)
        .replace("@WAY@", &way);
    keys::private_file(&data.join("cloud.toml"), text.as_bytes())?;
    fs::File::open(data)?.sync_all()?;
    Ok(())
}

const TEMPLATE: &str = include_str!("cloud.toml.in");
