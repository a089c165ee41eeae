//! `cloud.toml`: read once, validated, all faults reported together with line and field. Nothing
//! else reads settings.

mod mailbox;
mod platform;
mod read;

pub use mailbox::{Imap, Mailbox};
pub use platform::{Operators, Platform};

use latchkey_protocol::{Address, Host};
use read::{Section, Value};
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

/// How the service is to run.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder of keys and database.
    pub data: PathBuf,
    /// The host that QR codes name.
    pub host: Host,
    /// Where HTTP is answered.
    pub http: Http,
    /// How mails leave.
    pub mail: Mail,
    /// The recovery mailbox, if there is one.
    pub mailbox: Option<Mailbox>,
    /// How often.
    pub limits: Limits,
    /// How devices are kept connected.
    pub platform: Platform,
    /// Where the operators look.
    pub operators: Operators,
    /// Who may have an account, and how.
    pub accounts: Accounts,
}

/// The accounts of the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accounts {
    /// Whether there are any. Resets need none.
    pub enabled: bool,
    /// Digits of the code that proves a new account's address.
    pub code_digits: u32,
}

/// Where HTTP is answered.
#[derive(Debug, Clone)]
pub struct Http {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// TLS.
    pub tls: Tls,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
}

/// Where TLS comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// A certificate made here and kept in the data folder.
    SelfMade,
    /// PEM files.
    Files {
        /// The certificate and its issuers.
        certificate: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// None: a proxy in front does it.
    Off,
}

/// How mails leave and what they say of the sender.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The sender's name.
    pub from_name: String,
    /// The sender's address.
    pub from: Address,
    /// Where bounces go: `bounces@example.org` becomes `bounces+<token>@example.org`, so that each
    /// bounce names its mail. Without it they go to `from`.
    pub return_path: Option<Address>,
    /// A Maildir that receives the bounces.
    pub bounce_maildir: Option<PathBuf>,
    /// The way out.
    pub way: MailWay,
}

/// The way out for mails.
#[derive(Debug, Clone)]
pub enum MailWay {
    /// Into a Maildir: for trials, or for another program to send.
    Maildir(PathBuf),
    /// By SMTP.
    Smtp(Smtp),
}

/// An SMTP server.
#[derive(Debug, Clone)]
pub struct Smtp {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// TLS.
    pub tls: SmtpTls,
    /// PEM certificates of the only authorities that may vouch for the server; without it, those
    /// that this machine trusts.
    pub ca: Option<PathBuf>,
    /// User and file of the password.
    pub login: Option<(String, PathBuf)>,
    /// The longest time for one step of the conversation, in seconds.
    pub timeout_s: u64,
}

/// TLS towards the SMTP server. Its certificate is always checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// From the first byte (port 465).
    Required,
    /// Begun by STARTTLS, and refused without it (port 587).
    StartTls,
    /// None: only to a server on the same machine or network.
    None,
}

/// How often.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Mails with a code a day for one device and door.
    pub device_door_per_day: u32,
    /// Mails a day to an address that its owner has confirmed.
    pub confirmed_address_per_day: u32,
    /// Mails a day to an address that nobody has confirmed.
    pub unconfirmed_address_per_day: u32,
    /// Requests in ten minutes from one IP address (IPv6: one /64).
    pub requester_per_10_min: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            device_door_per_day: 12,
            confirmed_address_per_day: 200,
            unconfirmed_address_per_day: 8,
            requester_per_10_min: 60,
        }
    }
}

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1; 0 if the field is not there.
    pub line: usize,
    /// The field, as in `mail.smtp.port`.
    pub field: String,
    /// What is wrong, and what to write in its place.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.field, self.what),
            line => write!(f, "line {line}, {}: {}", self.field, self.what),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Every fault of the file.
    #[error("{}", .0.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n"))]
    Faults(Vec<Fault>),
}

impl Config {
    /// Reads a file. Paths in it are relative to its folder.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let read = |source| ConfigError::Read { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(read)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        Self::parse(&text, folder).map_err(ConfigError::Faults)
    }

    /// Reads a text, with paths relative to a folder.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, Vec<Fault>> {
        let mut faults = vec![];
        let table = read::table(text, &mut faults);
        let mut top = Section::new("", table, text);
        let host = top.parsed("host", &mut faults, |t| Host::parse(t).map_err(|e| e.to_string()));
        let data = folder.join(top.optional("data", &mut faults, Value::text).unwrap_or_default());
        let http = http(top.section("http", &mut faults), folder, &mut faults);
        let mail = mail(top.section("mail", &mut faults), folder, &mut faults);
        let mailbox = match top.has("mailbox") {
            true => mailbox::mailbox(top.section("mailbox", &mut faults), folder, &mut faults),
            false => None,
        };
        let limits = limits(top.section("limits", &mut faults), &mut faults);
        let platform = platform::platform(top.section("platform", &mut faults), &mut faults);
        let operators = platform::operators(top.section("operators", &mut faults), &mut faults);
        let accounts = accounts(top.section("accounts", &mut faults), &mut faults);
        top.finish(&mut faults);
        match (host, http, mail) {
            (Some(host), Some(http), Some(mail)) if faults.is_empty() => {
                Ok(Self { data, host, http, mail, mailbox, limits, platform, operators, accounts })
            }
            _ => {
                faults.sort_by_key(|fault| fault.line);
                Err(faults)
            }
        }
    }

    /// The database's file.
    pub fn database(&self) -> PathBuf {
        self.data.join("cloud.db")
    }

    /// The folder of keys.
    pub fn keys(&self) -> PathBuf {
        self.data.join("keys")
    }
}

fn addresses(texts: Vec<String>) -> Result<Vec<SocketAddr>, String> {
    let what = "an address with a port, such as \"0.0.0.0:443\"";
    texts.into_iter().map(|t| t.parse().map_err(|_| format!("\"{t}\" is not {what}"))).collect()
}

fn host_name(value: Value<'_>) -> Result<String, String> {
    let text = value.text()?;
    let ok = !text.is_empty()
        && text.len() <= 253
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:".contains(&b));
    if ok { Ok(text) } else { Err("must be a host name or an IP address".into()) }
}

fn http(mut section: Section<'_>, folder: &Path, faults: &mut Vec<Fault>) -> Option<Http> {
    let listen: Option<Vec<SocketAddr>> = section.required("listen", faults, |value| {
        let texts = value.texts()?;
        if texts.is_empty() {
            return Err("name at least one address, such as \"0.0.0.0:443\"".into());
        }
        addresses(texts)
    });
    let trusted_proxies = section.optional("trusted_proxies", faults, |value| {
        let texts = value.texts()?;
        texts
            .into_iter()
            .map(|t| t.parse::<IpAddr>().map_err(|_| format!("\"{t}\" is not an IP address")))
            .collect::<Result<Vec<_>, _>>()
    });
    let tls = section.optional("tls", faults, |value| match value.text()?.as_str() {
        "self-made" => Ok(Some(Tls::SelfMade)),
        "off" => Ok(Some(Tls::Off)),
        "files" => Ok(None),
        _ => Err("must be \"self-made\", \"files\" or \"off\"".into()),
    });
    let mut file = |name| section.optional(name, faults, Value::text).map(|text| folder.join(text));
    let (certificate, key) = (file("certificate"), file("key"));
    let tls = match (tls, certificate, key) {
        (Some(None), Some(certificate), Some(key)) => Tls::Files { certificate, key },
        (Some(None), ..) => {
            section.fault("tls", "\"files\" needs certificate and key", faults);
            Tls::Off
        }
        (tls, None, None) => tls.flatten().unwrap_or(Tls::SelfMade),
        (tls, ..) => {
            section.fault("tls", "certificate and key need tls = \"files\"", faults);
            tls.flatten().unwrap_or(Tls::SelfMade)
        }
    };
    section.finish(faults);
    Some(Http { listen: listen?, tls, trusted_proxies: trusted_proxies.unwrap_or_default() })
}

fn mail(mut section: Section<'_>, folder: &Path, faults: &mut Vec<Fault>) -> Option<Mail> {
    let address = |text: &str| Address::parse(text).map_err(|e| e.to_string());
    let from_name = section.optional("from_name", faults, |value| {
        let text = value.text()?;
        let ok = (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if ok { Ok(text) } else { Err("must be 1 to 64 printable characters".into()) }
    });
    let from = section.parsed("from", faults, address);
    let return_path = section.optional("return_path", faults, |value| {
        let parsed = address(&value.text()?)?;
        // The token adds a plus sign and 32 digits to a local part of at most 64 (RFC 5321 4.5.3.1.1).
        match parsed.as_str().split_once('@') {
            Some((local, _)) if local.len() <= 31 => Ok(parsed),
            _ => Err("the part before the @ may have at most 31 characters".into()),
        }
    });
    let path = |section: &mut Section<'_>, name, faults: &mut Vec<Fault>| {
        section.optional(name, faults, Value::text).map(|text| folder.join(text))
    };
    let bounce_maildir = path(&mut section, "bounce_maildir", faults);
    let maildir = path(&mut section, "maildir", faults);
    let has_smtp = section.has("smtp");
    let smtp = has_smtp.then(|| smtp(section.section("smtp", faults), folder, faults));
    let way = match (maildir, smtp) {
        (Some(folder), None) => Some(MailWay::Maildir(folder)),
        (None, Some(smtp)) => smtp.map(MailWay::Smtp),
        (None, None) => {
            section.fault("smtp", "say how mails leave: [mail.smtp] or maildir = \"folder\"", faults);
            None
        }
        (Some(_), Some(_)) => {
            section.fault("maildir", "mails leave by one way: take out maildir or [mail.smtp]", faults);
            None
        }
    };
    section.finish(faults);
    Some(Mail {
        from_name: from_name.unwrap_or_else(|| "Latchkey".into()),
        from: from?,
        return_path,
        bounce_maildir,
        way: way?,
    })
}

fn smtp(mut section: Section<'_>, folder: &Path, faults: &mut Vec<Fault>) -> Option<Smtp> {
    let host = section.required("host", faults, host_name);
    let tls = section.required("tls", faults, |value| match value.text()?.as_str() {
        "required" => Ok(SmtpTls::Required),
        "starttls" => Ok(SmtpTls::StartTls),
        "none" => Ok(SmtpTls::None),
        _ => Err("must be \"required\" (port 465), \"starttls\" (port 587) or \"none\"".into()),
    });
    let port = section
        .optional("port", faults, |value| u16::try_from(value.number(1, 65535)?).map_err(|e| e.to_string()));
    let user = section.optional("user", faults, Value::text);
    let password = section.optional("password_file", faults, Value::text).map(|text| folder.join(text));
    let ca = section.optional("ca_file", faults, Value::text).map(|text| folder.join(text));
    let timeout_s = section.optional("timeout_s", faults, |value| value.number(1, 60));
    let login = match (user, password) {
        (Some(user), Some(password)) => Some((user, password)),
        (None, None) => None,
        _ => {
            section.fault("user", "user and password_file belong together", faults);
            None
        }
    };
    if login.is_some() && tls == Some(SmtpTls::None) {
        section.fault("tls", "a password is not sent without TLS: \"required\" or \"starttls\"", faults);
    }
    if ca.is_some() && tls == Some(SmtpTls::None) {
        section.fault("ca_file", "checks nothing without TLS: \"required\" or \"starttls\"", faults);
    }
    section.finish(faults);
    let tls = tls?;
    let usual = match tls {
        SmtpTls::Required => 465,
        SmtpTls::StartTls => 587,
        SmtpTls::None => 25,
    };
    let (port, timeout_s) = (port.unwrap_or(usual), timeout_s.unwrap_or(30));
    Some(Smtp { host: host?, port, tls, ca, login, timeout_s })
}

fn accounts(mut section: Section<'_>, faults: &mut Vec<Fault>) -> Accounts {
    let enabled = section.optional("enabled", faults, |value| value.switch()).unwrap_or(true);
    let digits = section.optional("code_digits", faults, |value| value.number(4, 8));
    section.finish(faults);
    Accounts { enabled, code_digits: digits.and_then(|digits| u32::try_from(digits).ok()).unwrap_or(4) }
}

fn limits(mut section: Section<'_>, faults: &mut Vec<Fault>) -> Limits {
    let mut limits = Limits::default();
    for (name, limit) in [
        ("device_door_per_day", &mut limits.device_door_per_day),
        ("confirmed_address_per_day", &mut limits.confirmed_address_per_day),
        ("unconfirmed_address_per_day", &mut limits.unconfirmed_address_per_day),
        ("requester_per_10_min", &mut limits.requester_per_10_min),
    ] {
        let number = section.optional(name, faults, |value| value.number(1, 1_000_000));
        if let Some(number) = number.and_then(|n| u32::try_from(n).ok()) {
            *limit = number;
        }
    }
    section.finish(faults);
    limits
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GOOD: &str = "host = \"cloud.example\"\n[http]\nlisten = [\"127.0.0.1:0\"]\n[mail]\n\
                        from = \"latchkey@example.org\"\nmaildir = \"mail\"\n";

    #[test]
    fn a_short_file_is_enough() {
        let config = Config::parse(GOOD, Path::new("/srv")).unwrap();
        assert_eq!(config.http.tls, Tls::SelfMade);
        assert_eq!(config.database(), Path::new("/srv/cloud.db"));
        assert!(matches!(config.mail.way, MailWay::Maildir(path) if path == Path::new("/srv/mail")));
    }

    #[test]
    fn all_faults_are_told_at_once_with_line_and_field() {
        let text = "host = \"Not A Host\"\nhsot = 1\n[http]\nlisten = [\"everywhere\"]\ntls = \"maybe\"\n\
                    [mail]\nfrom = \"nobody\"\n[mail.smtp]\nhost = \"mail.example\"\nport = 0\ntls = \"none\"\n\
                    user = \"u\"\n[limits]\ndevice_door_per_day = \"many\"\n";
        let faults = Config::parse(text, Path::new("")).unwrap_err();
        let told: Vec<(usize, &str)> = faults.iter().map(|f| (f.line, f.field.as_str())).collect();
        assert_eq!(
            told,
            [
                (1, "host"),
                (2, "hsot"),
                (4, "http.listen"),
                (5, "http.tls"),
                (7, "mail.from"),
                (10, "mail.smtp.port"),
                (12, "mail.smtp.user"),
                (14, "limits.device_door_per_day"),
            ]
        );
    }

    #[test]
    fn a_text_that_is_not_toml_says_where() {
        let faults = Config::parse("host = \"a\"\n[http\n", Path::new("")).unwrap_err();
        assert!(faults.iter().any(|f| f.line == 2), "{faults:?}");
    }

    #[test]
    fn a_password_does_not_travel_in_the_clear() {
        let text = GOOD.replace(
            "maildir = \"mail\"",
            "[mail.smtp]\nhost = \"h\"\ntls = \"none\"\nuser = \"u\"\npassword_file = \"p\"",
        );
        let faults = Config::parse(&text, Path::new("")).unwrap_err();
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].field, "mail.smtp.tls");
    }

    #[test]
    fn an_authority_is_of_no_use_without_tls() {
        let smtp = |tls: &str| {
            let server = format!("[mail.smtp]\nhost = \"h\"\ntls = \"{tls}\"\nca_file = \"ca.pem\"");
            Config::parse(&GOOD.replace("maildir = \"mail\"", &server), Path::new("/srv"))
        };
        let config = smtp("starttls").unwrap();
        let ca = Path::new("/srv/ca.pem");
        assert!(matches!(config.mail.way, MailWay::Smtp(server) if server.ca.as_deref() == Some(ca)));
        let faults = smtp("none").unwrap_err();
        assert_eq!(faults.len(), 1);
        assert_eq!((faults[0].line, faults[0].field.as_str()), (9, "mail.smtp.ca_file"));
    }
}
