//! Tells by e-mail, over the mail server of the settings file.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use segenc_proto::connect::Secret;

use super::occasion::Occasion;
use super::webhook::Failed;

/// A mail server that takes longer is not there.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longer subjects are cut by what shows them.
const SUBJECT_CHARS_MAX: usize = 150;

/// How the connection to a mail server is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MailProtection {
    /// TLS after the first words (port 587).
    #[default]
    StartTls,
    /// TLS from the first byte (port 465).
    Tls,
    /// None: a mail server on this computer.
    Plain,
}

/// A mail server.
#[derive(Debug, Clone)]
pub struct MailServer {
    /// Its host.
    pub host: String,
    /// Its port; by default 587, 465 or 25, as the protection says.
    pub port: Option<u16>,
    /// How the connection is protected.
    pub protection: MailProtection,
    /// Name and password there, if it wants them.
    pub login: Option<(String, Secret)>,
    /// Whom the mails come from.
    pub from: String,
}

/// Whether this is an address that mail can go to.
pub(super) fn is_address(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

/// Sends a mail.
pub(super) async fn send(
    server: &MailServer,
    to: &[String],
    occasion: &Occasion,
) -> Result<(), Failed> {
    let message = message(server, to, occasion)?;
    let port = server.port.unwrap_or(match server.protection {
        MailProtection::StartTls => 587,
        MailProtection::Tls => 465,
        MailProtection::Plain => 25,
    });
    let tls = match server.protection {
        MailProtection::Plain => Tls::None,
        MailProtection::StartTls => Tls::Required(parameters(server)?),
        MailProtection::Tls => Tls::Wrapper(parameters(server)?),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host)
        .port(port)
        .tls(tls)
        .timeout(Some(PATIENCE));
    if let Some((name, password)) = &server.login {
        let login = Credentials::new(name.clone(), password.reveal().to_owned());
        builder = builder.credentials(login);
    }
    match builder.build().send(message).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_permanent() => Err(Failed::ForGood(told(&error))),
        Err(error) => Err(Failed::ForNow(told(&error))),
    }
}

fn parameters(server: &MailServer) -> Result<TlsParameters, Failed> {
    TlsParameters::new(server.host.clone()).map_err(|error| Failed::ForNow(error.to_string()))
}

fn told(error: &lettre::transport::smtp::Error) -> String {
    let inner = std::error::Error::source(error).map(|inner| format!(": {inner}"));
    format!("the mail server says no: {error}{}", inner.unwrap_or_default())
}

fn message(server: &MailServer, to: &[String], occasion: &Occasion) -> Result<Message, Failed> {
    let wrong = |what: &str| Failed::ForGood(format!("`{what}` is no mail address"));
    let from: Mailbox = server.from.parse().map_err(|_| wrong(&server.from))?;
    // Names of films may hold anything; a subject is one line.
    let line: String = occasion
        .text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(SUBJECT_CHARS_MAX)
        .collect();
    let mut builder = Message::builder().from(from).subject(format!("[segenc] {line}"));
    for address in to {
        builder = builder.to(address.parse().map_err(|_| wrong(address))?);
    }
    let body = builder.header(ContentType::TEXT_PLAIN).body(text(occasion));
    body.map_err(|error| Failed::ForGood(error.to_string()))
}

fn text(occasion: &Occasion) -> String {
    let mut lines = vec![occasion.text.clone(), String::new()];
    if let Some(job) = &occasion.job {
        lines.push(format!("job      {}", job.id));
        lines.push(format!("name     {}", job.name));
        lines.push(format!("state    {}", job.state));
        lines.push(format!("source   {} ({} bytes)", job.source_name, job.source_size));
        if let Some(output) = &job.output {
            lines.push(format!("output   {} bytes", output.size));
        }
        if let Some(path) = &job.output_path {
            lines.push(format!("where    {path}"));
        }
        if let Some(failure) = &job.failure {
            lines.push(format!("reason   {}", failure.reason));
            lines.extend(failure.hint.as_ref().map(|hint| format!("hint     {hint}")));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use segenc_proto::rest::{JobView, NotificationEvent};

    use super::*;

    #[test]
    fn a_mail_says_what_happened_and_its_subject_is_one_line() {
        let server = MailServer {
            host: "localhost".to_owned(),
            port: None,
            protection: MailProtection::Plain,
            login: None,
            from: "Farm <farm@example.org>".to_owned(),
        };
        let job = JobView { name: "film\r\nBcc: x@example.org".to_owned(), ..JobView::default() };
        let occasion = Occasion::of_job(NotificationEvent::JobFailed, 1, job);
        let mail = message(&server, &["a@example.org".to_owned()], &occasion).expect("a mail");
        let text = String::from_utf8(mail.formatted()).expect("UTF-8");
        let head = text.split("\r\n\r\n").next().expect("a head");
        assert!(head.contains("To: a@example.org"), "{head}");
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert!(message(&server, &["nobody".to_owned()], &occasion).is_err());
    }
}
