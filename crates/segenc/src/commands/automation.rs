//! The part of the settings file that says what a server does by itself: watch folders, mail, programs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use segenc_proto::connect::Secret;
use segenc_proto::rest::{NotificationEvent, WatchFolder};
use segenc_server::{Automation, Hook, LinkLocal, MailProtection, MailServer};
use serde::Deserialize;

use crate::halt::Halt;

/// What may stand in the file beside the flags.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Tables {
    pub(super) watch_folder: Vec<WatchFolder>,
    pub(super) mail: Option<Mail>,
    pub(super) hook: Vec<HookTable>,
    pub(super) webhooks: Webhooks,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Mail {
    host: String,
    port: Option<u16>,
    #[serde(default)]
    protection: Protection,
    user: Option<String>,
    password_file: Option<PathBuf>,
    from: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Protection {
    #[default]
    StartTls,
    Tls,
    None,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct HookTable {
    command: Vec<String>,
    #[serde(default)]
    events: Vec<NotificationEvent>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Webhooks {
    allow_link_local: bool,
}

impl Tables {
    /// As the server takes it. A password is read from its file, which stands beside the settings file.
    pub(super) fn into_automation(self, settings: &Path) -> Result<Automation, Halt> {
        let hooks: Vec<Hook> = self
            .hook
            .into_iter()
            .map(|HookTable { command, events }| Hook { command, events })
            .collect();
        if hooks.iter().any(|hook| hook.command.first().is_none_or(String::is_empty)) {
            return Err(Halt::usage(format!(
                "a [[hook]] in {} names no program",
                settings.display()
            ))
            .hint("command is a list: the program, then its words; no shell reads them"));
        }
        Ok(Automation {
            watch_folders: self.watch_folder,
            hooks,
            run_hook: Some(run_hook),
            mail: self.mail.map(|mail| mail.into_server(settings)).transpose()?,
            link_local: if self.webhooks.allow_link_local {
                LinkLocal::Allow
            } else {
                LinkLocal::Refuse
            },
        })
    }
}

impl Mail {
    fn into_server(self, settings: &Path) -> Result<MailServer, Halt> {
        let here = matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        if self.protection == Protection::None && self.user.is_some() && !here {
            tracing::warn!(
                host = self.host,
                "the mail server's password goes over the network for all to read; protection = \"starttls\" hides it"
            );
        }
        let login = match (self.user, self.password_file) {
            (Some(user), Some(file)) => {
                let file = settings.parent().map_or(file.clone(), |folder| folder.join(&file));
                let password = std::fs::read_to_string(&file).map_err(|error| {
                    Halt::usage(format!(
                        "reading the password in {} failed: {error}",
                        file.display()
                    ))
                })?;
                Some((user, Secret::new(password.trim())))
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(Halt::usage(format!(
                    "[mail] in {} needs both user and password-file, or neither",
                    settings.display()
                )));
            }
        };
        Ok(MailServer {
            host: self.host,
            port: self.port,
            protection: match self.protection {
                Protection::StartTls => MailProtection::StartTls,
                Protection::Tls => MailProtection::Tls,
                Protection::None => MailProtection::Plain,
            },
            login,
            from: self.from,
        })
    }
}

/// Runs a program for the server, which starts none itself.
fn run_hook(
    words: Vec<String>,
    variables: Vec<(String, String)>,
    patience: Duration,
) -> std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send>> {
    Box::pin(async move { segenc_media::run_hook(&words, &variables, patience).await })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Automation, Halt> {
        let tables: Tables = toml::from_str(text).expect("it is TOML");
        tables.into_automation(Path::new("/etc/segenc.toml"))
    }

    #[test]
    fn what_a_server_does_by_itself_stands_in_tables() {
        let automation = read(
            "[[watch-folder]]\nname = 'films'\npath = '/a'\noutput = '/b'\npreset = 'small-av1'\n\
             skip-codecs = ['av1']\nonly-if-smaller = true\nafter = 'trash'\n\
             [mail]\nhost = 'mail.example.org'\nfrom = 'farm@example.org'\nprotection = 'tls'\n\
             [[hook]]\ncommand = ['/usr/local/bin/done', '--quick']\nevents = ['job-completed']\n\
             [webhooks]\nallow-link-local = true",
        )
        .expect("it is right");
        assert!(automation.watch_folders[0].only_if_smaller);
        assert_eq!(automation.watch_folders[0].skip_codecs, ["av1"]);
        assert_eq!(automation.mail.map(|mail| mail.protection), Some(MailProtection::Tls));
        assert_eq!(automation.hooks[0].events, [NotificationEvent::JobCompleted]);
        assert_eq!(automation.link_local, LinkLocal::Allow);
    }

    #[test]
    fn what_is_wrong_with_a_table_is_said() {
        assert!(read("[[hook]]\ncommand = []").is_err());
        let half = "[mail]\nhost = 'a'\nfrom = 'a@b.c'\nuser = 'x'";
        assert!(read(half).expect_err("half a login").to_string().contains("password-file"));
        assert!(toml::from_str::<Tables>("[[hook]]\ncommand = ['a']\nshell = true").is_err());
    }
}
