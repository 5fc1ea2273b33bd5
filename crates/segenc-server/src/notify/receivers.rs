//! Who is told: those made over REST, and those of the settings file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use segenc_core::naming::Template;
use segenc_core::time::Millis;
use segenc_proto::rest::{CreateNotification, NotificationEvent, NotificationView};
use tokio::sync::Notify;

use super::mail;
use super::occasion::{Occasion, TEXT_WORDS};
use super::webhook;
use crate::clock;
use crate::config::Automation;

/// Longer labels are cut: they are for people.
const LABEL_CHARS_MAX: usize = 100;
/// Addresses of one mail.
const ADDRESSES_MAX: usize = 50;
/// Longer secrets are a mistake.
const SECRET_BYTES_MAX: usize = 1_000;

/// All who are told.
#[derive(Debug, Default)]
pub(crate) struct Receivers {
    known: Mutex<BTreeMap<String, Known>>,
    wake: Notify,
}

#[derive(Debug, Clone)]
struct Known {
    receiver: Receiver,
    last_at: Option<Millis>,
    last_error: Option<String>,
}

/// Somebody who is told.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    label: String,
    events: BTreeSet<NotificationEvent>,
    job: Option<u64>,
    text: Option<String>,
    pub(super) template: Option<Template>,
    pub(super) way: Way,
    fixed: bool,
}

/// How somebody is told.
#[derive(Clone)]
pub(crate) enum Way {
    /// By HTTP.
    Webhook { url: String, secret: Option<String> },
    /// By e-mail.
    Mail { to: Vec<String> },
    /// By a program on this computer; only the settings file can name one.
    Command { words: Vec<String> },
}

impl std::fmt::Debug for Way {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.shown())
    }
}

impl Way {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Mail { .. } => "mail",
            Self::Command { .. } => "command",
        }
    }

    /// Without anything secret.
    fn shown(&self) -> String {
        match self {
            Self::Webhook { url, .. } => webhook::shown(url),
            Self::Mail { to } => to.join(", "),
            Self::Command { words } => words.first().cloned().unwrap_or_default(),
        }
    }
}

/// Reads a wish, or says what is wrong with it.
pub(crate) fn read(wish: &CreateNotification, automation: &Automation) -> Result<Receiver, String> {
    let way = match (&wish.webhook, &wish.mail) {
        (Some(target), None) => {
            webhook::check(&target.url, automation.link_local)
                .map_err(|error| format!("the webhook's address cannot be used: {error}"))?;
            let secret = target.secret.clone().filter(|secret| !secret.is_empty());
            if secret.as_ref().is_some_and(|secret| secret.len() > SECRET_BYTES_MAX) {
                return Err(format!("the secret is longer than {SECRET_BYTES_MAX} bytes"));
            }
            Way::Webhook { url: target.url.clone(), secret }
        }
        (None, Some(target)) => {
            if automation.mail.is_none() {
                return Err("the server's settings file names no mail server".to_owned());
            }
            let wrong = target.to.iter().find(|address| !mail::is_address(address));
            if let Some(wrong) = wrong {
                return Err(format!("`{wrong}` is no mail address"));
            }
            if target.to.is_empty() || target.to.len() > ADDRESSES_MAX {
                return Err(format!("a mail goes to 1 to {ADDRESSES_MAX} addresses"));
            }
            Way::Mail { to: target.to.clone() }
        }
        (Some(_), Some(_)) | (None, None) => {
            return Err("it has to be either a webhook or a mail".to_owned());
        }
    };
    receiver(wish, way)
}

fn receiver(wish: &CreateNotification, way: Way) -> Result<Receiver, String> {
    let template = wish.text.as_deref().map(|text| Template::parse(text, TEXT_WORDS)).transpose();
    let template = template.map_err(|error| format!("the text is wrong: {error}"))?;
    Ok(Receiver {
        label: wish.label.trim().chars().take(LABEL_CHARS_MAX).collect(),
        events: if wish.events.is_empty() {
            NotificationEvent::ALL.into()
        } else {
            wish.events.iter().copied().collect()
        },
        job: wish.job,
        text: wish.text.clone(),
        template,
        way,
        fixed: false,
    })
}

impl Receivers {
    /// Those of the settings file; what is wrong with one is said in the log.
    pub(crate) fn of_settings(automation: &Automation) -> Self {
        let receivers = Self::default();
        for (number, hook) in automation.hooks.iter().enumerate() {
            let wish = CreateNotification { events: hook.events.clone(), ..Default::default() };
            let way = Way::Command { words: hook.command.clone() };
            if let Ok(receiver) = receiver(&wish, way) {
                let fixed = Receiver { fixed: true, ..receiver };
                receivers.put(&format!("hook-{}", number + 1), fixed);
            }
        }
        receivers
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody new.
    pub(crate) fn put(&self, id: &str, receiver: Receiver) {
        let known = Known { receiver, last_at: None, last_error: None };
        self.lock().insert(id.to_owned(), known);
    }

    /// Whether there is somebody of this name, and whether the settings file names them.
    pub(crate) fn is_fixed(&self, id: &str) -> Option<bool> {
        self.lock().get(id).map(|known| known.receiver.fixed)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Forgets somebody.
    pub(crate) fn forget(&self, id: &str) {
        self.lock().remove(id);
    }

    /// Whom an occasion concerns.
    pub(super) fn concerned(&self, occasion: &Occasion) -> Vec<String> {
        let known = self.lock();
        let concerned = known
            .iter()
            .filter(|(_, known)| occasion.concerns(&known.receiver.events, known.receiver.job));
        concerned.map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn get(&self, id: &str) -> Option<Receiver> {
        self.lock().get(id).map(|known| known.receiver.clone())
    }

    /// How it went the last time.
    pub(super) fn note(&self, id: &str, error: Option<String>) {
        if let Some(known) = self.lock().get_mut(id) {
            known.last_at = Some(clock::now());
            known.last_error = error;
        }
    }

    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// All of them, without anything secret.
    pub(crate) fn views(&self, pending: &BTreeMap<String, u64>) -> Vec<NotificationView> {
        let view = |(id, known): (&String, &Known)| {
            let Known { receiver, last_at, last_error } = known;
            let signed = matches!(&receiver.way, Way::Webhook { secret: Some(_), .. });
            NotificationView {
                id: id.clone(),
                label: receiver.label.clone(),
                kind: receiver.way.kind().to_owned(),
                target: receiver.way.shown(),
                signed,
                events: receiver.events.iter().copied().collect(),
                job: receiver.job,
                text: receiver.text.clone(),
                fixed: receiver.fixed,
                last_at: *last_at,
                last_error: last_error.clone(),
                pending: pending.get(id).copied().unwrap_or_default(),
            }
        };
        self.lock().iter().map(view).collect()
    }
}

#[cfg(test)]
mod tests {
    use segenc_proto::rest::{MailTarget, WebhookTarget};

    use super::*;

    fn webhook(url: &str) -> CreateNotification {
        let webhook = WebhookTarget { url: url.to_owned(), secret: Some("hush".to_owned()) };
        CreateNotification { webhook: Some(webhook), ..CreateNotification::default() }
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        let receivers = Receivers::default();
        let wish = webhook("https://hooks.example.org/secret/path");
        let receiver = read(&wish, &Automation::default()).expect("it is right");
        receivers.put("1", receiver);
        let shown = format!("{:?} {:?}", receivers.views(&BTreeMap::new()), receivers);
        assert!(shown.contains("hooks.example.org"), "{shown}");
        assert!(!shown.contains("secret/path") && !shown.contains("hush"), "{shown}");
    }

    #[test]
    fn what_is_wrong_with_a_wish_is_said() {
        let wrong = |wish: &CreateNotification| {
            read(wish, &Automation::default()).expect_err("it is wrong")
        };
        assert!(wrong(&CreateNotification::default()).contains("either"));
        assert!(wrong(&webhook("http://169.254.169.254/")).contains("own network"));
        let text = Some("{title}".to_owned());
        let worded = CreateNotification { text, ..webhook("http://a/") };
        assert!(wrong(&worded).contains("{title}"));
        let mail = Some(MailTarget { to: vec!["a@example.org".to_owned()] });
        let mail = CreateNotification { mail, ..CreateNotification::default() };
        assert!(wrong(&mail).contains("no mail server"));
    }
}
