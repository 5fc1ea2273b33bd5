//! `segenc notifications`: who is told of what happens on a server, and the verbs for it.

use reqwest::Method;
use segenc_proto::rest::{
    CreateNotification, MailTarget, NotificationEvent, NotificationView, WebhookTarget,
};

use super::jobs::moment;
use super::turn::Turn;
use crate::api::Api;
use crate::arguments::{Notifications, NotificationsVerb, Voice};
use crate::{places, table, terminal};

/// Runs the command.
pub(crate) async fn run(flags: Notifications, voice: Voice) -> anyhow::Result<()> {
    let api = places::api(&flags.connection)?;
    match flags.verb.unwrap_or(NotificationsVerb::List) {
        NotificationsVerb::List => list(&api, voice).await,
        NotificationsVerb::Add { webhook, secret, mail, events, job, text, label, test } => {
            let wish = CreateNotification {
                label: label.unwrap_or_default(),
                events: events.iter().filter_map(|name| event(name)).collect(),
                job,
                text,
                webhook: target(webhook, secret)?,
                mail: (!mail.is_empty()).then_some(MailTarget { to: mail }),
            };
            let made: NotificationView = api.post("/api/notifications", &wish).await?;
            told_of(&made, voice)?;
            if test { each(&api, voice, &[made.id], &TEST).await } else { Ok(()) }
        }
        NotificationsVerb::Test { ids } => each(&api, voice, &ids, &TEST).await,
        NotificationsVerb::Remove { ids } => each(&api, voice, &ids, &REMOVE).await,
    }
}

/// A verb for one of them: how it is asked and what is said then.
struct Verb {
    method: Method,
    path: &'static str,
    done: &'static str,
}

const TEST: Verb = Verb { method: Method::POST, path: "/test", done: "a test arrived" };
const REMOVE: Verb = Verb { method: Method::DELETE, path: "", done: "is told no more" };

fn event(name: &str) -> Option<NotificationEvent> {
    NotificationEvent::ALL.into_iter().find(|event| event.name() == name)
}

fn target(
    webhook: Option<String>,
    secret: Option<String>,
) -> anyhow::Result<Option<WebhookTarget>> {
    let Some(url) = webhook else { return Ok(None) };
    let url = places::read_given(&url, "--webhook")?;
    let secret = secret.map(|secret| places::read_given(&secret, "--secret")).transpose()?;
    Ok(Some(WebhookTarget { url, secret }))
}

async fn list(api: &Api, voice: Voice) -> anyhow::Result<()> {
    let all: Vec<NotificationView> = api.get("/api/notifications").await?;
    if voice.json {
        for one in &all {
            terminal::result(&serde_json::to_string(one)?);
        }
        return Ok(());
    }
    if all.is_empty() {
        terminal::say("nobody is told; `segenc notifications add` adds somebody");
        return Ok(());
    }
    let rows: Vec<[String; 6]> = all.iter().map(row).collect();
    table::print(["ID", "LABEL", "WHO", "OF", "LAST", "HOW"], &rows);
    Ok(())
}

fn told_of(made: &NotificationView, voice: Voice) -> anyhow::Result<()> {
    if voice.json {
        terminal::result(&serde_json::to_string(made)?);
    } else {
        terminal::result(&made.id);
        if !voice.quiet {
            terminal::say(&format!("{} is told of {}", made.target, events(made)));
        }
    }
    Ok(())
}

async fn each(api: &Api, voice: Voice, ids: &[String], verb: &Verb) -> anyhow::Result<()> {
    let mut turn = Turn::default();
    for id in ids {
        let path = format!("/api/notifications/{id}{}", verb.path);
        let told = api.tell(verb.method.clone(), &path).await;
        turn.note(told, voice, || format!("{id}: {}", verb.done))?;
    }
    turn.end()
}

fn row(one: &NotificationView) -> [String; 6] {
    let how = match (&one.last_error, one.last_at, one.pending) {
        (Some(error), ..) => format!("in vain: {error}"),
        (None, _, 1..) => format!("{} on their way", one.pending),
        (None, Some(_), 0) => "arrived".to_owned(),
        (None, None, 0) => String::new(),
    };
    let signed = if one.signed { ", signed" } else { "" };
    let fixed = if one.fixed { ", settings file" } else { "" };
    [
        one.id.clone(),
        one.label.clone(),
        format!("{} {}{signed}{fixed}", one.kind, one.target),
        events(one),
        one.last_at.map(moment).unwrap_or_default(),
        how,
    ]
}

fn events(one: &NotificationView) -> String {
    let names: Vec<&str> = one.events.iter().map(|event| event.name()).collect();
    let all =
        names.is_empty() || NotificationEvent::ALL.iter().all(|event| one.events.contains(event));
    let of = if all { "everything".to_owned() } else { names.join(", ") };
    match one.job {
        Some(job) => format!("{of} of job {job}"),
        None => of,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::arguments::Arguments;

    #[test]
    fn every_event_of_the_command_line_is_one_of_the_server() {
        for one in NotificationEvent::ALL {
            let words =
                ["segenc", "notifications", "add", "--mail", "a@b.c", "--event", one.name()];
            assert!(Arguments::try_parse_from(words).is_ok(), "{}", one.name());
            assert_eq!(event(one.name()), Some(one));
        }
    }

    #[test]
    fn somebody_is_told_in_exactly_one_way() {
        let parsed = |words: &[&str]| {
            let words = ["segenc", "notifications", "add"].iter().chain(words);
            Arguments::try_parse_from(words).is_ok()
        };
        assert!(parsed(&["--webhook", "https://example.org/x", "--secret", "s"]));
        assert!(!parsed(&[]));
        assert!(!parsed(&["--webhook", "https://example.org/x", "--mail", "a@b.c"]));
        assert!(!parsed(&["--mail", "a@b.c", "--secret", "s"]));
    }
}
