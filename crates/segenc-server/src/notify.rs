//! Tells people and programs what happened: webhooks, e-mail, a program of the operator's.
//!
//! What is to be told is stored before it is sent, and sent until it arrives or is given up; nobody who does not
//! answer holds anything else up. Secrets come in and never go out again, neither over REST nor into the log.

mod mail;
mod noticing;
mod occasion;
mod receivers;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use segenc_core::time::Millis;
use segenc_proto::rest::{CreateNotification, NotificationEvent};

use crate::clock;
use crate::shared::Shared;
use crate::store::{Letter, NewLetter, StoreError};
pub use mail::{MailProtection, MailServer};
use noticing::Noticing;
use occasion::Occasion;
pub(crate) use receivers::{Receivers, Way, read};
pub use webhook::LinkLocal;
use webhook::{Failed, Sender};

/// How often is looked for news and for messages whose time has come.
const TICK: Duration = Duration::from_secs(1);
/// Messages sent side by side; the others wait for the slowest of them, which has its own bound.
const SENT_TOGETHER: u32 = 8;
/// So often a message is tried: with the waits in between, over about an hour and a half.
const TRIES_MAX: u32 = 10;
/// The first wait; each is twice as long as the one before.
const WAIT_FIRST: Millis = 5_000;
/// A program of the operator's that takes longer is ended.
const HOOK_PATIENCE: Duration = Duration::from_secs(60);

/// Reads who is told, beside those of the settings file.
pub(crate) async fn load(shared: &Shared) -> Result<(), StoreError> {
    for (id, body) in shared.store.notifications().await? {
        let wish = serde_json::from_str::<CreateNotification>(&body).ok();
        match wish.map(|wish| read(&wish, &shared.automation)) {
            Some(Ok(receiver)) => shared.receivers.put(&id, receiver),
            Some(Err(why)) => tracing::warn!(id, why, "a notification is not sent any more"),
            None => tracing::warn!(id, "a notification cannot be read"),
        }
    }
    Ok(())
}

/// Notices and tells until the server stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let sender = Sender::new(shared.automation.link_local);
    let told_until = match shared.store.told_until().await {
        Ok(told_until) => told_until.unwrap_or_else(clock::now),
        Err(error) => {
            tracing::warn!(%error, "what was told is not known; only what comes is told");
            clock::now()
        }
    };
    let mut noticing = Noticing::since(&shared.coordinator.view(), told_until);
    loop {
        if let Err(error) = notice(&shared, &mut noticing).await {
            tracing::warn!(%error, "what happened cannot be stored for those who are to be told");
        }
        let sent = tokio::select! {
            () = shared.stop.cancelled() => return,
            sent = send(&shared, &sender) => sent,
        };
        if let Err(error) = sent {
            tracing::warn!(%error, "messages cannot be read");
        }
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = shared.receivers.woken() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

async fn notice(shared: &Shared, noticing: &mut Noticing) -> Result<(), StoreError> {
    let view = shared.coordinator.view();
    let news = noticing.notice(&view, &shared.traffic);
    let mut letters = Vec::new();
    for occasion in news.occasions {
        let body = serde_json::to_string(&occasion).map_err(StoreError::Encode)?;
        let concerned = shared.receivers.concerned(&occasion);
        letters.extend(concerned.into_iter().map(|target| {
            let event = body.clone();
            NewLetter { target, event }
        }));
    }
    if letters.is_empty() && news.told_until.is_none() {
        return Ok(());
    }
    shared.store.post_letters(&letters, news.told_until, view.now).await
}

/// Puts a test on its way to one receiver and waits for nothing.
pub(crate) async fn test(shared: &Shared, target: &str) -> Result<(), String> {
    let text = "this is a test: messages of the farm arrive here".to_owned();
    let occasion = Occasion::plain(NotificationEvent::Test, clock::now(), text);
    let sender = Sender::new(shared.automation.link_local);
    let told = tell(shared, &sender, target, 0, occasion).await;
    let told = told.map_err(|(Failed::ForNow(why) | Failed::ForGood(why))| why);
    shared.receivers.note(target, told.as_ref().err().cloned());
    told
}

/// Sends what is due.
async fn send(shared: &Shared, sender: &Sender) -> Result<(), StoreError> {
    let due = shared.store.due_letters(clock::now(), SENT_TOGETHER).await?;
    for outcome in join_all(due.iter().map(|letter| deliver(shared, sender, letter))).await {
        outcome?;
    }
    Ok(())
}

async fn deliver(shared: &Shared, sender: &Sender, letter: &Letter) -> Result<(), StoreError> {
    let Ok(occasion) = serde_json::from_str::<Occasion>(&letter.event) else {
        return shared.store.drop_letter(letter.id).await;
    };
    match tell(shared, sender, &letter.target, letter.id, occasion).await {
        Ok(()) => {
            shared.tally.note_message_sent();
            shared.receivers.note(&letter.target, None);
            shared.store.drop_letter(letter.id).await
        }
        Err(Failed::ForNow(why)) if letter.tries + 1 < TRIES_MAX => {
            shared.receivers.note(&letter.target, Some(why));
            let wait = WAIT_FIRST.saturating_mul(2_u64.saturating_pow(letter.tries));
            shared.store.put_off(letter.id, clock::now().saturating_add(wait)).await
        }
        Err(Failed::ForNow(why) | Failed::ForGood(why)) => {
            tracing::warn!(target = letter.target, why, "a notification is given up");
            shared.tally.note_message_given_up();
            shared.receivers.note(&letter.target, Some(format!("given up: {why}")));
            shared.store.drop_letter(letter.id).await
        }
    }
}

async fn tell(
    shared: &Shared,
    sender: &Sender,
    target: &str,
    delivery: u64,
    occasion: Occasion,
) -> Result<(), Failed> {
    let gone = || Failed::ForGood("there is no such receiver any more".to_owned());
    let receiver = shared.receivers.get(target).ok_or_else(gone)?;
    let occasion = occasion.worded(receiver.template.as_ref());
    match &receiver.way {
        Way::Webhook { url, secret } => {
            let body = serde_json::to_string(&occasion);
            let body = body.map_err(|error| Failed::ForGood(error.to_string()))?;
            let event = occasion.event.name();
            sender.send(url, secret.as_deref(), event, delivery, body).await
        }
        Way::Mail { to } => {
            let none = || Failed::ForGood("the settings file names no mail server".to_owned());
            let server = shared.automation.mail.as_ref().ok_or_else(none)?;
            mail::send(server, to, &occasion).await
        }
        Way::Command { words } => {
            let none = || Failed::ForGood("this server starts no programs".to_owned());
            let run = shared.automation.run_hook.ok_or_else(none)?;
            let ended = run(words.clone(), occasion.variables(), HOOK_PATIENCE).await;
            ended.map_err(Failed::ForNow)
        }
    }
}
