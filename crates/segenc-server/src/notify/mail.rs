//! Tells by e-mail, over the mail server of the settings file.

use std::error::Error;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
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
        Err(error) if error.is_permanent() && !is_about_login(&error) => {
            Err(Failed::ForGood(told(&error)))
        }
        Err(error) => Err(Failed::ForNow(told(&error))),
    }
}

fn parameters(server: &MailServer) -> Result<TlsParameters, Failed> {
    TlsParameters::new(server.host.clone()).map_err(|error| Failed::ForNow(error.to_string()))
}

/// Whether the operator has to mend the login in the settings file: then the message can still be sent (RFC 4954).
fn is_about_login(error: &lettre::transport::smtp::Error) -> bool {
    error.status().is_some_and(|code| matches!(u16::from(code), 530 | 534 | 535 | 538))
}

/// What went wrong, each cause once.
fn told(error: &lettre::transport::smtp::Error) -> String {
    let refused = error.is_permanent() || error.is_transient();
    let what =
        if refused { "the mail server says no" } else { "the mail could not be handed over" };
    // The library's own texts end with those of their causes, so that the innermost says all.
    let mut innermost: &dyn Error = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    let code = error.status().map(|code| format!("{code} ")).unwrap_or_default();
    format!("{what}: {code}{innermost}")
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
    let mut builder = Message::builder()
        .from(from)
        .subject(format!("[segenc] {line}"))
        // Mails without one look like those of a spammer.
        .message_id(None)
        .header(AutoSubmitted);
    for address in to {
        builder = builder.to(address.parse().map_err(|_| wrong(address))?);
    }
    let body = builder.header(ContentType::TEXT_PLAIN).body(text(occasion));
    body.map_err(|error| Failed::ForGood(error.to_string()))
}

/// Says that no person wrote it, so that no absent person's program answers (RFC 3834).
#[derive(Debug, Clone, Copy)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
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
            lines.push(format!("why      {}", failure.message));
            lines.extend(failure.hint.as_ref().map(|hint| format!("hint     {hint}")));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use segenc_proto::rest::{JobView, NotificationEvent};
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

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
        assert!(head.contains("Auto-Submitted: auto-generated"), "{head}");
        assert!(head.contains("Message-ID: <") && head.contains("Date: "), "{head}");
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert!(message(&server, &["nobody".to_owned()], &occasion).is_err());
    }

    /// A mail server that says these lines, one for each that it hears, and tells what it heard.
    async fn answering(
        offers: &'static [&'static str],
        login: &'static str,
    ) -> (u16, tokio::task::JoinHandle<String>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it listens").port();
        let heard = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("somebody comes");
            let (reader, mut writer) = stream.into_split();
            let mut lines = BufReader::new(reader).lines();
            let mut heard = String::new();
            let mut in_mail = false;
            writer.write_all(b"220 here\r\n").await.expect("they listen");
            while let Ok(Some(line)) = lines.next_line().await {
                heard.push_str(&line);
                heard.push('\n');
                let word = line.split_once(' ').map_or(line.as_str(), |(word, _)| word);
                let answer = match word {
                    "." => {
                        in_mail = false;
                        "250 taken".to_owned()
                    }
                    _ if in_mail => continue,
                    "EHLO" => offers.join("\r\n"),
                    "AUTH" => login.to_owned(),
                    "DATA" => {
                        in_mail = true;
                        "354 go on".to_owned()
                    }
                    "QUIT" => break,
                    _ => "250 fine".to_owned(),
                };
                let answer = format!("{answer}\r\n");
                if writer.write_all(answer.as_bytes()).await.is_err() {
                    break;
                }
            }
            heard
        });
        (port, heard)
    }

    fn plain(port: u16, password: Option<&str>) -> MailServer {
        MailServer {
            host: "127.0.0.1".to_owned(),
            port: Some(port),
            protection: MailProtection::Plain,
            login: password.map(|password| ("farm".to_owned(), Secret::new(password))),
            from: "Farm <farm@example.org>".to_owned(),
        }
    }

    async fn sent(server: &MailServer) -> Result<(), Failed> {
        let occasion = Occasion::of_job(NotificationEvent::JobFailed, 1, JobView::default());
        send(server, &["a@example.org".to_owned(), "b@example.org".to_owned()], &occasion).await
    }

    #[tokio::test]
    async fn a_mail_reaches_a_server_with_and_without_a_password() {
        let (port, heard) = answering(&["250-here", "250 8BITMIME"], "").await;
        assert_eq!(sent(&plain(port, None)).await, Ok(()));
        let heard = heard.await.expect("it ended");
        assert!(heard.contains("RCPT TO:<b@example.org>") && !heard.contains("AUTH"), "{heard}");
        let (port, heard) = answering(&["250-here", "250 AUTH PLAIN"], "235 welcome").await;
        assert_eq!(sent(&plain(port, Some("s3cret"))).await, Ok(()));
        assert!(heard.await.expect("it ended").contains("AUTH PLAIN"));
    }

    #[tokio::test]
    async fn a_refused_login_is_tried_again_because_it_can_be_mended() {
        let (port, _heard) = answering(&["250-here", "250 AUTH PLAIN"], "535 not you").await;
        let failed = sent(&plain(port, Some("wrong"))).await.expect_err("it is refused");
        let Failed::ForNow(text) = failed else { panic!("{failed:?}") };
        assert!(text.contains("535 not you") && !text.contains("wrong"), "{text}");
    }

    #[tokio::test]
    async fn without_the_protection_that_is_asked_for_nothing_is_sent() {
        segenc_proto::connect::install_crypto_provider();
        let (port, heard) = answering(&["250-here", "250 AUTH PLAIN"], "235 welcome").await;
        let server =
            MailServer { protection: MailProtection::StartTls, ..plain(port, Some("s3cret")) };
        sent(&server).await.expect_err("it offers no TLS");
        let heard = heard.await.expect("it ended");
        assert!(!heard.contains("AUTH") && !heard.contains("MAIL"), "{heard}");
    }
}
