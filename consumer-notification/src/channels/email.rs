//! Alerts by mail.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls as ClientTls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use minijinja::{Environment, context};

use crate::channels::notice::Notice;
use crate::channels::secret::Secret;
use crate::channels::sender::Undelivered;
use crate::text;

const HTML: &str = include_str!("../../templates/mail.html");

/// How the connection is made safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// TLS from the first byte, port 465.
    Tls,
    /// STARTTLS, which the server must offer, port 587.
    StartTls,
    /// Not at all, port 25: for a mail server on the same machine.
    None,
}

/// Sends mail, as text and HTML.
#[derive(Debug)]
pub struct Email {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

/// What a mail channel needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// Host name of the mail server.
    pub server: String,
    /// Its port; none for the usual one.
    pub port: Option<u16>,
    /// How the connection is made safe.
    pub tls: Tls,
    /// Certificates of authorities (PEM) that are trusted besides the public ones.
    pub ca: Option<Vec<u8>>,
    /// User and password.
    pub login: Option<(String, Secret)>,
    /// Sender.
    pub from: String,
    /// Recipients, one or more.
    pub to: Vec<String>,
    /// Longest wait for the server.
    pub timeout: Duration,
}

impl Email {
    /// Sets the channel up; connects to nobody yet.
    ///
    /// # Errors
    /// What is wrong with the options.
    pub fn new(options: &Options) -> Result<Self, String> {
        let Options { server, port, tls, ca, login, from, to, timeout } = options;
        let builder = match tls {
            Tls::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(server),
            Tls::StartTls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(server),
            Tls::None => Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server)),
        };
        let mut builder = builder.map_err(|error| format!("server {server:?}: {error}"))?.timeout(Some(*timeout));
        if let Some(pem) = ca {
            builder = builder.tls(trusting(server, pem, *tls).map_err(|error| format!("ca_file: {error}"))?);
        }
        if let Some(port) = port {
            builder = builder.port(*port);
        }
        if let Some((user, password)) = login {
            builder = builder.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
        }
        let mailbox = |text: &String| text.parse::<Mailbox>().map_err(|error| format!("address {text:?}: {error}"));
        let to = to.iter().map(mailbox).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { transport: builder.build(), from: mailbox(from)?, to })
    }

    /// Delivers a notice to all recipients in one mail.
    ///
    /// # Errors
    /// What the server says: 4xx and no answer to be tried again, 5xx never.
    pub async fn send(&self, notice: &Notice) -> Result<(), Undelivered> {
        let message = self.message(notice)?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(Undelivered::never(format!("the mail server refuses: {error}"))),
            Err(error) => Err(Undelivered::later(format!("the mail server: {error}"))),
        }
    }

    fn message(&self, notice: &Notice) -> Result<Message, Undelivered> {
        let subject = match notice.digest {
            true => notice.title(),
            false => format!("[{}] {}", notice.severity().as_str(), notice.title()),
        };
        let builder = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            // The same for the same alerts: mail programs show a repeated one once.
            .message_id(Some(format!("<{}@recipe-alert>", notice.id())))
            .date_now();
        let builder = self.to.iter().fold(builder, |builder, to| builder.to(to.clone()));
        let mut plain = notice.text();
        if let Some(link) = notice.link() {
            plain = format!("{plain}\n{link}");
        }
        let plain = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(plain);
        let html = SinglePart::builder().header(ContentType::TEXT_HTML).body(html(notice)?);
        let whole = builder.multipart(MultiPart::alternative().singlepart(plain).singlepart(html));
        whole.map_err(|error| Undelivered::never(format!("no mail can be made of it: {error}")))
    }
}

/// TLS with one authority more.
fn trusting(server: &str, pem: &[u8], tls: Tls) -> Result<ClientTls, lettre::transport::smtp::Error> {
    let parameters = TlsParameters::builder(server.to_owned());
    let parameters = parameters.add_root_certificate(Certificate::from_pem(pem)?).build()?;
    Ok(match tls {
        Tls::Tls => ClientTls::Wrapper(parameters),
        Tls::StartTls => ClientTls::Required(parameters),
        Tls::None => ClientTls::None,
    })
}

fn html(notice: &Notice) -> Result<String, Undelivered> {
    let rows: Vec<_> = notice
        .alerts
        .iter()
        .map(|alert| {
            context! {
                message => text::one_line(&alert.message), title => text::one_line(&alert.title),
                url => text::web_url(&alert.url), severity => alert.severity.as_str(), rule => &alert.rule,
            }
        })
        .collect();
    let mut templates = Environment::new();
    let rendered = templates
        .add_template("mail.html", HTML)
        .and_then(|()| templates.get_template("mail.html")?.render(context! { title => notice.title(), rows }));
    rendered.map_err(|error| Undelivered::never(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::testing::alert;

    fn email() -> Email {
        Email::new(&Options {
            server: "mail.example".to_owned(),
            port: None,
            tls: Tls::StartTls,
            ca: None,
            login: None,
            from: "Alerts <alerts@a.example>".to_owned(),
            to: vec!["ann@a.example".to_owned(), "bob@a.example".to_owned()],
            timeout: Duration::from_secs(1),
        })
        .unwrap()
    }

    #[test]
    fn a_mail_has_text_and_escaped_html_and_an_id_of_its_own() {
        let notice = Notice::one(alert("<script>alert(1)</script> Pie\r\nBcc: x@x.example"));
        let mail = String::from_utf8(email().message(&notice).unwrap().formatted()).unwrap();
        assert!(mail.contains("To: ann@a.example, bob@a.example") && !mail.contains("\r\nBcc:"), "{mail}");
        assert!(mail.contains(&format!("Message-ID: <{}@recipe-alert>", notice.id())), "{mail}");
        assert!(mail.contains("text/plain") && mail.contains("text/html"), "{mail}");
        let html = html(&notice).unwrap();
        assert!(html.contains("&lt;script&gt;") && !html.contains("<script>"), "{html}");
    }
}
