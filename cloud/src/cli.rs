//! Arguments, exit codes, one function a command.

use crate::{
    clock::{Clock as _, WallClock},
    config::{Config, ConfigError},
    factory::{self, ClaimOptions, Factory, FactoryError, SignOptions},
    keys,
    mailbox::reader::{COMMAND, serve_one},
    relay::mode_name,
    serve, setup,
    store::{Store as _, StoreError, sqlite::Sqlite},
    worker::chain,
};
use latchkey_protocol::Host;
use std::{ffi::OsString, io::Read as _, net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

const USAGE: &str = "\
latchkey-cloud init --data DIR --host HOST[:PORT] [--listen ADDRESS:PORT] [--smtp HOST:PORT]
latchkey-cloud serve --config FILE
latchkey-cloud check --config FILE
latchkey-cloud factory sign --config FILE REQUEST.json [--mode psk|base] [--replace]
latchkey-cloud factory revoke --config FILE HANDLE_OR_SERIAL
latchkey-cloud factory list --config FILE
latchkey-cloud factory claim --config FILE [--serial SERIAL] [--hours N] [--devices N]
latchkey-cloud keys add --config FILE [--signing]
latchkey-cloud keys list --config FILE
";

/// A configuration that does not hold (sysexits: EX_CONFIG).
const BAD_CONFIG: u8 = 78;
const BAD_USAGE: u8 = 2;
const FAILED: u8 = 1;
/// An identity request is far shorter.
const REQUEST_MAX: u64 = 16 * 1024;

/// Why a command ends without success.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}\n\n{USAGE}")]
    Usage(String),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Setup(#[from] setup::SetupError),
    #[error(transparent)]
    Factory(#[from] FactoryError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keys(#[from] keys::KeysError),
    #[error(transparent)]
    Serve(#[from] serve::ServeError),
    #[error("{0}")]
    Io(String, #[source] std::io::Error),
}

/// Runs the command that the arguments name.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<String> = args.map(|arg| arg.to_string_lossy().into_owned()).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}", chain(&failure));
            ExitCode::from(match failure {
                Failure::Usage(_) => BAD_USAGE,
                Failure::Config(ConfigError::Faults(_)) => BAD_CONFIG,
                _ => FAILED,
            })
        }
    }
}

fn dispatch(args: &[String]) -> Result<(), Failure> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--help" | "-h" | "help"] => {
            print!("{USAGE}");
            Ok(())
        }
        ["--version"] => {
            println!("latchkey-cloud {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        ["init", rest @ ..] => init(Options::read(rest, &["--data", "--host", "--listen", "--smtp"], &[])?),
        ["serve", rest @ ..] => {
            let config = Options::read(rest, &["--config"], &[])?.finish()?;
            runtime()?.block_on(serve::until_signal(config)).map_err(Failure::from)
        }
        // Not for people: `serve` runs it for each mail.
        [COMMAND] => serve_one().map_err(|e| Failure::Io("a mail cannot be read".into(), e)),
        ["check", rest @ ..] => {
            let config = Options::read(rest, &["--config"], &[])?.finish()?;
            runtime()?.block_on(serve::check(&config))?;
            println!("the configuration is good, and every file that it names can be used");
            Ok(())
        }
        ["factory", "sign", rest @ ..] => sign(Options::read(rest, &["--config", "--mode"], &["--replace"])?),
        ["factory", "revoke", rest @ ..] => {
            let mut options = Options::read(rest, &["--config"], &[])?;
            let which = options.operand("a handle or serial")?;
            let config = options.finish()?;
            let store = Sqlite::open(&config.database())?;
            let handle = runtime()?.block_on(factory::revoke(&store, &which, WallClock.now_s()))?;
            println!("{handle} is revoked");
            Ok(())
        }
        ["factory", "list", rest @ ..] => list(&Options::read(rest, &["--config"], &[])?.finish()?),
        ["factory", "claim", rest @ ..] => {
            claim(Options::read(rest, &["--config", "--serial", "--hours", "--devices"], &[])?)
        }
        ["keys", "add", rest @ ..] => {
            let mut options = Options::read(rest, &["--config"], &["--signing"])?;
            let signing = options.flag("--signing");
            let config = options.finish()?;
            if signing {
                keys::platform::add_signing_key(&config.keys())?;
                println!("devices learn of the new signing key when they connect; restart `serve` to use it");
                return Ok(());
            }
            let id = keys::add_sealing_key(&config.keys())?;
            println!("{id} is the key that new identities seal to; restart `serve` to use it");
            Ok(())
        }
        ["keys", "list", rest @ ..] => {
            let config = Options::read(rest, &["--config"], &[])?.finish()?;
            let ring = keys::KeyRing::load(&config.keys())?;
            for id in ring.ids() {
                println!("{id} {}", if id == ring.active().id() { "active" } else { "opens only" });
            }
            Ok(())
        }
        _ => Err(Failure::Usage("that is not a command".into())),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    built.map_err(|e| Failure::Io("cannot start".into(), e))
}

fn init(mut options: Options) -> Result<(), Failure> {
    let data = PathBuf::from(options.required("--data")?);
    let host =
        Host::parse(&options.required("--host")?).map_err(|e| Failure::Usage(format!("--host: {e}")))?;
    let listen: SocketAddr = match options.take("--listen") {
        Some(text) => text.parse().map_err(|_| {
            Failure::Usage("--listen needs an address and a port, such as 0.0.0.0:443".into())
        })?,
        None => {
            let port = host.as_str().split_once(':').and_then(|(_, port)| port.parse().ok());
            SocketAddr::from(([0, 0, 0, 0], port.unwrap_or(443)))
        }
    };
    let smtp = options.take("--smtp");
    let smtp = match &smtp {
        None => None,
        Some(text) => {
            let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
            Some(parts.ok_or_else(|| Failure::Usage("--smtp needs a host and a port".into()))?)
        }
    };
    options.end()?;
    setup::init(&data, &setup::Plan { host: &host, listen, smtp })?;
    println!("{} is ready; look through {}", data.display(), data.join("cloud.toml").display());
    Ok(())
}

fn sign(mut options: Options) -> Result<(), Failure> {
    let base = match options.take("--mode").as_deref() {
        None | Some("psk") => false,
        Some("base") => true,
        Some(_) => return Err(Failure::Usage("--mode is psk or base".into())),
    };
    let replace = options.flag("--replace");
    let path = options.operand("the identity request's file")?;
    let config = options.finish()?;
    let mut request = vec![];
    std::fs::File::open(&path)
        .and_then(|file| file.take(REQUEST_MAX).read_to_end(&mut request))
        .map_err(|e| Failure::Io(format!("cannot read {path}"), e))?;
    let store = Sqlite::open(&config.database())?;
    let signed = factory::sign(&config, &store, &request, SignOptions { base, replace }, WallClock.now_s());
    let file = runtime()?.block_on(signed)?;
    let text = serde_json::to_string_pretty(&file).map_err(FactoryError::from)?;
    println!("{text}");
    Ok(())
}

/// Prints a code with which devices are enrolled: one device, within a day, unless told otherwise.
fn claim(mut options: Options) -> Result<(), Failure> {
    let serial = options.take("--serial");
    let mut number = |name: &str, usual: u32, most: u32| {
        let told = options.take(name);
        let number = told.as_deref().map_or(Some(usual), |text| text.parse().ok());
        number
            .filter(|number| (1..=most).contains(number))
            .ok_or_else(|| Failure::Usage(format!("{name} is a number from 1 to {most}")))
    };
    let hours = number("--hours", 24, 720)?;
    let uses = number("--devices", 1, 10_000)?;
    let config = Arc::new(options.finish()?);
    let store = Sqlite::open(&config.database())?;
    let factory = Factory::load(&config)?;
    let options = ClaimOptions { uses, hold_s: i64::from(hours) * 3600, serial };
    println!("{}", runtime()?.block_on(factory.claim(&store, options, WallClock.now_s()))?);
    Ok(())
}

fn list(config: &Config) -> Result<(), Failure> {
    let store = Sqlite::open(&config.database())?;
    for device in runtime()?.block_on(store.devices())? {
        let state = if device.revoked_at_s.is_some() { "revoked" } else { "good" };
        let mode = mode_name(&device.mode);
        println!("{} {} {mode} {state} {}", device.handle, device.serial, device.model);
    }
    Ok(())
}

/// Options with values, flags and operands.
struct Options {
    values: Vec<(String, String)>,
    flags: Vec<String>,
    operands: Vec<String>,
}

impl Options {
    fn read(words: &[&str], with_value: &[&str], flags: &[&str]) -> Result<Self, Failure> {
        let mut options = Self { values: vec![], flags: vec![], operands: vec![] };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (name, inline) = match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value)),
                _ => (*word, None),
            };
            if with_value.contains(&name) {
                let value = inline.or_else(|| words.next().copied());
                let value = value.ok_or_else(|| Failure::Usage(format!("{name} needs a value")))?;
                if options.values.iter().any(|(other, _)| other == name) {
                    return Err(Failure::Usage(format!("{name} is there twice")));
                }
                options.values.push((name.to_owned(), value.to_owned()));
            } else if flags.contains(word) {
                options.flags.push((*word).to_owned());
            } else if word.starts_with('-') {
                return Err(Failure::Usage(format!("{word} is not an option of this command")));
            } else {
                options.operands.push((*word).to_owned());
            }
        }
        Ok(options)
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.values.iter().position(|(other, _)| other == name)?;
        Some(self.values.remove(at).1)
    }

    fn required(&mut self, name: &str) -> Result<String, Failure> {
        self.take(name).ok_or_else(|| Failure::Usage(format!("{name} is missing")))
    }

    fn flag(&mut self, name: &str) -> bool {
        self.flags.iter().any(|other| other == name)
    }

    fn operand(&mut self, what: &str) -> Result<String, Failure> {
        if self.operands.is_empty() {
            return Err(Failure::Usage(format!("{what} is missing")));
        }
        Ok(self.operands.remove(0))
    }

    fn end(&self) -> Result<(), Failure> {
        match self.operands.first() {
            None => Ok(()),
            Some(word) => Err(Failure::Usage(format!("{word} is one word too many"))),
        }
    }

    /// What every command but `init` ends with: its configuration.
    fn finish(mut self) -> Result<Config, Failure> {
        let path = self.required("--config")?;
        self.end()?;
        Ok(Config::load(&PathBuf::from(path))?)
    }
}
