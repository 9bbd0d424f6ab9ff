//! Channels as the rules' file has them.
//!
//! ```toml
//! [channel.ops]
//! type = "webhook"                    # webhook, ntfy, slack, discord, telegram, email, exec
//! url = "https://ops.example/alerts"
//! secret_env = "OPS_SECRET"           # what opens doors is named, and kept in the environment or a file
//! min_severity = "warning"            # the rest passes by
//! rate = "30/m"                       # at most so many a second or minute
//! attempts = 20                       # tries before an alert becomes a dead letter; no end unless told
//! timeout = "10s"
//! digest = "0 8 * * *"                # one message for all since the last: hourly, daily, or a cron line
//! ```

use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use recipes::Severity;
use service_kit::settings::Value as _;

use crate::channels::chat::{Chat, Service};
use crate::channels::digest::Schedule;
use crate::channels::email::{self, Email, Tls};
use crate::channels::exec::Exec;
use crate::channels::http;
use crate::channels::pace::Rate;
use crate::channels::secret::{Secret, SecretSource};
use crate::channels::sender::Sender;
use crate::channels::webhook::{Format, Webhook};

/// Public address of ntfy.
const NTFY: &str = "https://ntfy.sh";
/// Address of Telegram's bots.
const TELEGRAM: &str = "https://api.telegram.org";

/// A channel as it is set up.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelSpec {
    /// Its name; letters, digits, `-` and `_`.
    pub name: String,
    /// Alerts that matter less pass it by.
    pub min_severity: Severity,
    /// At most so many messages.
    pub rate: Option<Rate>,
    /// Tries before an alert becomes a dead letter; none tries for ever.
    pub attempts: Option<u32>,
    /// Longest wait for the receiver.
    pub timeout: Duration,
    /// When digests are sent; none sends each alert at once.
    pub digest: Option<Schedule>,
    kind: Kind,
}

/// What is needed to deliver, secrets still where they are.
#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Webhook {
        url: Address,
        format: Format,
        secret: Option<SecretSource>,
        token: Option<SecretSource>,
    },
    Ntfy {
        url: String,
        topic: String,
        token: Option<SecretSource>,
    },
    Slack {
        url: SecretSource,
    },
    Discord {
        url: SecretSource,
    },
    Telegram {
        url: String,
        token: SecretSource,
        chat: String,
    },
    Email {
        server: String,
        port: Option<u16>,
        tls: Tls,
        ca_file: Option<PathBuf>,
        user: Option<String>,
        password: Option<SecretSource>,
        from: String,
        to: Vec<String>,
    },
    Exec {
        command: Vec<String>,
    },
}

/// A URL, or where it is kept.
#[derive(Debug, Clone, PartialEq)]
enum Address {
    Open(String),
    Hidden(SecretSource),
}

impl ChannelSpec {
    /// Reads a channel's table. `zone` is that of digests.
    ///
    /// # Errors
    /// What is wrong, as `setting: problem`.
    pub fn read(name: &str, table: toml::Table, zone: &TimeZone) -> Result<Self, String> {
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
            return Err("a name has letters, digits, - and _".to_owned());
        }
        let mut fields = Fields { table };
        let kind = fields.text("type")?.ok_or("type: is missing")?;
        let kind = fields.kind(&kind)?;
        let digest = fields.text("digest")?.map(|text| Schedule::parse(&text, zone.clone())).transpose();
        let spec = Self {
            name: name.to_owned(),
            min_severity: fields.severity()?,
            rate: fields
                .text("rate")?
                .map(|text| Rate::parse(&text))
                .transpose()
                .map_err(|problem| format!("rate: {problem}"))?,
            attempts: fields
                .number("attempts", 1, 1_000_000)?
                .map(|attempts| u32::try_from(attempts).unwrap_or(u32::MAX)),
            timeout: fields.time("timeout")?.unwrap_or(Duration::from_secs(10)),
            digest: digest.map_err(|problem| format!("digest: {problem}"))?,
            kind,
        };
        match fields.table.keys().next() {
            None => Ok(spec),
            Some(unknown) => Err(format!("{unknown}: no setting of this type of channel")),
        }
    }

    /// Fetches the secrets and sets the sender up; connects to nobody.
    ///
    /// # Errors
    /// A secret is missing, or something is wrong with an address.
    pub fn sender(&self) -> Result<Sender, String> {
        let secret = |source: &Option<SecretSource>| source.as_ref().map(SecretSource::read).transpose();
        let client = || http::client(self.timeout);
        let chat = |url, service| Ok(Sender::Chat(Chat { client: client()?, url, service }));
        match &self.kind {
            Kind::Webhook { url, format, secret: key, token } => {
                let url = match url {
                    Address::Open(url) => Secret::from(&**url),
                    Address::Hidden(source) => source.read()?,
                };
                let (secret, token) = (secret(key)?, secret(token)?);
                Ok(Sender::Webhook(Webhook { client: client()?, url, format: *format, secret, token }))
            }
            Kind::Ntfy { url, topic, token } => {
                chat(Secret::from(&**url), Service::Ntfy { topic: topic.clone(), token: secret(token)? })
            }
            Kind::Slack { url } => chat(url.read()?, Service::Slack),
            Kind::Discord { url } => chat(url.read()?, Service::Discord),
            Kind::Telegram { url, token, chat: to } => {
                let url = format!("{}/bot{}/sendMessage", url.trim_end_matches('/'), token.read()?.reveal());
                chat(Secret::from(&*url), Service::Telegram { chat: to.clone() })
            }
            Kind::Email { server, port, tls, ca_file, user, password, from, to } => {
                let login = user.clone().zip(secret(password)?);
                let (server, from, to) = (server.clone(), from.clone(), to.clone());
                let read = |path: &PathBuf| {
                    std::fs::read(path).map_err(|error| format!("ca_file: {}: {error}", path.display()))
                };
                let (ca, timeout) = (ca_file.as_ref().map(read).transpose()?, self.timeout);
                let options = email::Options { server, port: *port, tls: *tls, ca, login, from, to, timeout };
                Email::new(&options).map(Sender::Email)
            }
            Kind::Exec { command } => Ok(Sender::Exec(Exec { command: command.clone(), timeout: self.timeout })),
        }
    }
}

/// A channel's settings that were not read yet.
struct Fields {
    table: toml::Table,
}

impl Fields {
    fn kind(&mut self, kind: &str) -> Result<Kind, String> {
        match kind {
            "webhook" => {
                let url = match self.url("url")? {
                    Some(url) => Address::Open(url),
                    None => Address::Hidden(self.needed_secret("url")?),
                };
                let format = match self.text("format")?.as_deref() {
                    None | Some("json") => Format::Json,
                    Some("cloudevents") => Format::CloudEvents,
                    Some(_) => return Err("format: expected json or cloudevents".to_owned()),
                };
                Ok(Kind::Webhook { url, format, secret: self.secret("secret")?, token: self.secret("token")? })
            }
            "ntfy" => {
                let url = self.url("url")?.unwrap_or_else(|| NTFY.to_owned());
                Ok(Kind::Ntfy { url, topic: self.needed("topic")?, token: self.secret("token")? })
            }
            "slack" => Ok(Kind::Slack { url: self.needed_secret("url")? }),
            "discord" => Ok(Kind::Discord { url: self.needed_secret("url")? }),
            "telegram" => {
                let url = self.url("url")?.unwrap_or_else(|| TELEGRAM.to_owned());
                Ok(Kind::Telegram { url, token: self.needed_secret("token")?, chat: self.needed("chat")? })
            }
            "email" => self.email(),
            "exec" => Ok(Kind::Exec { command: self.list("command")? }),
            _ => Err("type: expected webhook, ntfy, slack, discord, telegram, email or exec".to_owned()),
        }
    }

    fn email(&mut self) -> Result<Kind, String> {
        let tls = match self.text("tls")?.as_deref() {
            None | Some("starttls") => Tls::StartTls,
            Some("tls") => Tls::Tls,
            Some("none") => Tls::None,
            Some(_) => return Err("tls: expected starttls, tls or none".to_owned()),
        };
        let ca_file = self.text("ca_file")?.map(PathBuf::from);
        if tls == Tls::None && ca_file.is_some() {
            return Err("ca_file: goes with starttls or tls".to_owned());
        }
        let (user, password) = (self.text("user")?, self.secret("password")?);
        if user.is_some() != password.is_some() {
            return Err("user: goes with password_env or password_file".to_owned());
        }
        let port = self.number("port", 1, 65_535)?.and_then(|port| u16::try_from(port).ok());
        let (server, from, to) = (self.needed("server")?, self.needed("from")?, self.list("to")?);
        for address in to.iter().chain([&from]) {
            address.parse::<lettre::message::Mailbox>().map_err(|error| format!("address {address:?}: {error}"))?;
        }
        Ok(Kind::Email { server, port, tls, ca_file, user, password, from, to })
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.table.remove(name) {
            None => Ok(None),
            Some(toml::Value::String(text)) if !text.trim().is_empty() => Ok(Some(text)),
            Some(_) => Err(format!("{name}: expected a text")),
        }
    }

    fn needed(&mut self, name: &str) -> Result<String, String> {
        self.text(name)?.ok_or_else(|| format!("{name}: is missing"))
    }

    fn url(&mut self, name: &str) -> Result<Option<String>, String> {
        let Some(url) = self.text(name)? else { return Ok(None) };
        match crate::text::web_url(&url).and_then(|url| reqwest::Url::parse(url).ok()) {
            Some(_) => Ok(Some(url)),
            None => Err(format!("{name}: expected an address as in https://a.example/alerts")),
        }
    }

    fn list(&mut self, name: &str) -> Result<Vec<String>, String> {
        let wrong = || format!("{name}: expected a list of texts, one or more");
        let Some(toml::Value::Array(items)) = self.table.remove(name) else { return Err(wrong()) };
        let texts: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
        texts.filter(|texts| !texts.is_empty()).ok_or_else(wrong)
    }

    fn number(&mut self, name: &str, least: i64, most: i64) -> Result<Option<i64>, String> {
        match self.table.remove(name) {
            None => Ok(None),
            Some(toml::Value::Integer(number)) if (least..=most).contains(&number) => Ok(Some(number)),
            Some(_) => Err(format!("{name}: expected a whole number, {least} to {most}")),
        }
    }

    fn time(&mut self, name: &str) -> Result<Option<Duration>, String> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let time = Duration::parse(&text).map_err(|problem| format!("{name}: {problem}"))?;
        match (Duration::from_millis(100)..=Duration::from_secs(120)).contains(&time) {
            true => Ok(Some(time)),
            false => Err(format!("{name}: expected 100ms to 2m")),
        }
    }

    fn severity(&mut self) -> Result<Severity, String> {
        match self.text("min_severity")?.as_deref() {
            None | Some("info") => Ok(Severity::Info),
            Some("warning") => Ok(Severity::Warning),
            Some("critical") => Ok(Severity::Critical),
            Some(_) => Err("min_severity: expected info, warning or critical".to_owned()),
        }
    }

    fn secret(&mut self, name: &str) -> Result<Option<SecretSource>, String> {
        if self.table.contains_key(name) {
            return Err(format!("{name}: is a secret; name where it is with {name}_env or {name}_file"));
        }
        let (env, file) = (self.text(&format!("{name}_env"))?, self.text(&format!("{name}_file"))?);
        match (env, file) {
            (Some(_), Some(_)) => Err(format!("{name}: is named twice, by {name}_env and {name}_file")),
            (Some(env), None) => Ok(Some(SecretSource::Env(env))),
            (None, Some(file)) => Ok(Some(SecretSource::File(file.into()))),
            (None, None) => Ok(None),
        }
    }

    fn needed_secret(&mut self, name: &str) -> Result<SecretSource, String> {
        self.secret(name)?.ok_or_else(|| format!("{name}: is missing; name where it is with {name}_env or {name}_file"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ChannelSpec, String> {
        ChannelSpec::read("ops", text.parse().unwrap(), &TimeZone::UTC)
    }

    #[test]
    fn every_type_can_be_set_up() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "https://a.example/hook/s3cret\n").unwrap();
        let secret = secret.display();
        for text in [
            "type = 'webhook'\nurl = 'https://a.example/'\nformat = 'cloudevents'\nrate = '30/m'\nattempts = 3\ndigest = 'daily'",
            &format!("type = 'webhook'\nurl_file = '{secret}'\nsecret_file = '{secret}'"),
            "type = 'ntfy'\ntopic = 'food'\nmin_severity = 'critical'",
            &format!("type = 'slack'\nurl_file = '{secret}'"),
            &format!("type = 'discord'\nurl_file = '{secret}'"),
            &format!("type = 'telegram'\ntoken_file = '{secret}'\nchat = '-100'"),
            &format!(
                "type = 'email'\nserver = 'mail.example'\nfrom = 'a@a.example'\nto = ['b@a.example']\nuser = 'u'\npassword_file = '{secret}'"
            ),
            "type = 'exec'\ncommand = ['notify-send', 'Recipe']\ntimeout = '5s'",
        ] {
            let sender = read(text).and_then(|spec| spec.sender()).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(!format!("{sender:?}").contains("s3cret"), "secrets are not shown");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, said) in [
            ("url = 'https://a.example/'", "type: is missing"),
            ("type = 'pigeon'", "type: expected webhook"),
            ("type = 'webhook'", "url: is missing; name where it is with url_env or url_file"),
            ("type = 'webhook'\nurl = 'ftp://a.example/'", "url: expected an address"),
            ("type = 'webhook'\nurl = 'https://a.example/'\nsecret = 'x'", "secret: is a secret; name where"),
            ("type = 'slack'\nurl = 'https://a.example/'", "url: is a secret"),
            ("type = 'ntfy'\ntopic = 'x'\ncolour = 1", "colour: no setting of this type"),
            ("type = 'exec'\ncommand = 'ls'", "command: expected a list"),
            ("type = 'email'\ntls = 'none'\nca_file = 'ca.pem'\nserver = 's'", "ca_file: goes with starttls or tls"),
            ("type = 'email'\nserver = 's'\nfrom = 'nobody'\nto = ['x@a.example']", "address \"nobody\""),
            ("type = 'ntfy'\ntopic = 'x'\nrate = '3/h'", "rate: expected"),
            ("type = 'ntfy'\ntopic = 'x'\ndigest = 'sometimes'", "digest: expected"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
        let mail = "type = 'email'\nserver = 's'\nfrom = 'a@a.example'\nto = ['b@a.example']\nca_file = '/no/such.pem'";
        let missing = read(mail).unwrap().sender().unwrap_err();
        assert!(missing.starts_with("ca_file: /no/such.pem"), "{missing}");
        let missing = read("type = 'slack'\nurl_env = 'NO_SUCH_VARIABLE_FOR_SURE'").unwrap().sender().unwrap_err();
        assert!(missing.contains("NO_SUCH_VARIABLE_FOR_SURE is missing"), "{missing}");
    }
}
