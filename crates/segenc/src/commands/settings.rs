//! The settings file of `segenc serve`: TOML with the names of the flags. Flags and variables win.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use segenc_proto::rest::WatchFolder;
use segenc_server::Automation;
use serde::Deserialize;

use super::automation::{HookTable, Mail, Tables, Webhooks};
use crate::arguments::{LogFormat, Serve};
use crate::halt::Halt;

/// What may stand in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct File {
    data_dir: Option<PathBuf>,
    listen: Option<SocketAddr>,
    workers: Option<u32>,
    media_root: Vec<PathBuf>,
    advertise: Option<String>,
    behind_proxy: Option<bool>,
    no_announce: Option<bool>,
    allow_sleep: Option<bool>,
    watch_folder: Vec<WatchFolder>,
    mail: Option<Mail>,
    hook: Vec<HookTable>,
    webhooks: Webhooks,
    log_format: Option<LogFormat>,
    otlp_endpoint: Option<String>,
}

/// What has to be known before the log begins. A file that is wrong is complained of later, with its log.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Early {
    log_format: Option<LogFormat>,
    otlp_endpoint: Option<String>,
}

/// Fills what flags and variables leave open of the log and the traces.
pub(crate) fn fill_early(flags: &mut Serve) {
    let text = flags.config.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
    let early: Early = text.and_then(|text| toml::from_str(&text).ok()).unwrap_or_default();
    flags.log_format = flags.log_format.or(early.log_format);
    flags.otlp_endpoint = flags.otlp_endpoint.take().or(early.otlp_endpoint);
}

/// Fills what flags and variables leave open from the file of `--config`, if one is named.
pub(crate) fn with_file(flags: Serve) -> Result<(Serve, Automation), Halt> {
    let Some(path) = flags.config.clone() else { return Ok((flags, Automation::default())) };
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Halt::usage(format!("reading the settings file {} failed: {error}", path.display()))
    })?;
    merge(flags, &text, &path)
}

fn merge(mut flags: Serve, text: &str, path: &Path) -> Result<(Serve, Automation), Halt> {
    let file: File = toml::from_str(text).map_err(|error| {
        Halt::usage(format!("the settings file {} is wrong: {}", path.display(), error.message()))
            .hint("it holds data-dir, listen, workers, media-root, advertise, behind-proxy, no-announce, allow-sleep, log-format, otlp-endpoint, \
                [mail], [webhooks], [[hook]] and [[watch-folder]]")
    })?;
    let tables = Tables {
        watch_folder: file.watch_folder,
        mail: file.mail,
        hook: file.hook,
        webhooks: file.webhooks,
    };
    let automation = tables.into_automation(path)?;
    // Relative folders in a file mean: beside the file, wherever the program was started.
    let beside =
        |folder: PathBuf| path.parent().map_or(folder.clone(), |parent| parent.join(folder));
    flags.data_dir = flags.data_dir.or(file.data_dir.map(beside));
    flags.listen = flags.listen.or(file.listen);
    flags.workers = flags.workers.or(file.workers);
    flags.advertise = flags.advertise.or(file.advertise);
    flags.log_format = flags.log_format.or(file.log_format);
    flags.otlp_endpoint = flags.otlp_endpoint.or(file.otlp_endpoint);
    flags.no_announce |= file.no_announce.unwrap_or(false);
    flags.allow_sleep |= file.allow_sleep.unwrap_or(false);
    flags.behind_proxy |= file.behind_proxy.unwrap_or(false);
    if flags.media_root.is_empty() {
        flags.media_root = file.media_root.into_iter().map(beside).collect();
    }
    Ok((flags, automation))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn flags(words: &[&str]) -> Serve {
        let words = ["segenc", "serve"].into_iter().chain(words.iter().copied());
        match Arguments::try_parse_from(words).expect("these are correct flags").command {
            Command::Serve(flags) => flags,
            _ => panic!("it says serve"),
        }
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let text = "listen = '10.0.0.1:1'\nworkers = 3\nmedia-root = ['films']";
        let merged =
            merge(flags(&["--listen", "127.0.0.1:9"]), text, Path::new("/etc/segenc.toml"));
        let (merged, _) = merged.expect("the file is correct");
        assert_eq!(merged.listen, "127.0.0.1:9".parse().ok());
        assert_eq!(merged.workers, Some(3));
        assert_eq!(merged.media_root, [PathBuf::from("/etc/films")]);
    }

    #[test]
    fn an_unknown_name_is_refused_by_name() {
        let error =
            merge(flags(&[]), "lisen = 'x'", Path::new("s.toml")).expect_err("a typing error");
        assert!(error.to_string().contains("lisen"), "{error}");
    }
}
