//! The program `segenc`: command line and wiring of server, worker and media.
//!
//! Decides nothing about jobs; that is the server's. Talks to it as everybody does, over its interface.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use clap::error::ErrorKind;

mod api;
mod arguments;
mod commands;
mod download;
mod encode;
mod fingerprint;
mod follow;
mod halt;
mod inspection;
mod interrupt;
mod joining;
mod logging;
mod notify;
mod output_file;
mod places;
mod progress;
mod quantities;
mod table;
mod terminal;
mod traces;
mod upload;
mod wiring;

use arguments::{Arguments, Command, Voice};
use halt::{Exit, LastWords};

/// Threads that still block after the end (a slow disk) are not waited for any longer.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    if let Some(failure) = wiring::launched(std::env::args_os().skip(1)) {
        terminal::say(&failure);
        return ExitCode::from(Exit::Failed.code());
    }
    let mut arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return wrong_usage(&error),
    };
    let voice = arguments.voice;
    segenc_proto::connect::install_crypto_provider();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal::say(&format!("error: starting the program's threads failed: {error}"));
            return ExitCode::from(Exit::Failed.code());
        }
    };
    let outcome = match logging::start(&mut arguments, runtime.handle()) {
        Ok(()) => runtime.block_on(run(arguments)),
        Err(error) => Err(error),
    };
    traces::finish();
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => end_with(&LastWords::from(&error), voice),
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let voice = arguments.voice;
    match arguments.command {
        Command::Encode(flags) => encode::run(flags, voice).await,
        Command::Serve(flags) => commands::serve::run(flags, voice).await,
        Command::Worker(flags) => commands::worker::run(flags, voice).await,
        Command::Jobs(flags) => commands::jobs::run(flags, voice).await,
        Command::Workers(flags) => commands::workers::run(flags, voice).await,
        Command::Doctor(flags) => commands::doctor::run(flags, voice).await,
        Command::Watch(flags) => commands::watch::run(flags, voice).await,
        Command::Notifications(flags) => commands::notifications::run(flags, voice).await,
        Command::Presets(flags) => commands::presets::run(flags, voice),
        Command::Top(flags) => commands::top::run(flags, voice).await,
        Command::Plan(flags) => commands::plan::run(flags, voice).await,
        Command::Backup(flags) => commands::backup::run(flags, voice).await,
        Command::Restore(flags) => commands::restore::run(flags, voice).await,
        Command::Completions { shell } => {
            commands::shell::completions(shell);
            Ok(())
        }
        Command::Man => commands::shell::man(),
    }
}

fn wrong_usage(error: &clap::Error) -> ExitCode {
    // clap chooses stdout for help and stderr for errors itself; a closed pipe is no error here.
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    // What stands behind `--` is ffmpeg's.
    if std::env::args_os().skip(1).take_while(|word| word != "--").any(|word| word == "--json") {
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default();
        let line = serde_json::json!({
            "event": "failed",
            "exit_code": Exit::Usage.code(),
            "kind": Exit::Usage.word(),
            "reason": "wrong-usage",
            "message": message.trim_start_matches("error: "),
        });
        terminal::result(&line.to_string());
    }
    let encoding =
        std::env::args_os().nth(1).is_some_and(|word| word == "encode" || word == "plan");
    if error.kind() == ErrorKind::UnknownArgument && encoding {
        terminal::say(
            "hint: ffmpeg's own options go after `--`, as in `segenc encode in.mkv out.mkv -- -crf 20`; \
             a file whose name begins with a dash is written ./-name",
        );
    }
    ExitCode::from(Exit::Usage.code())
}

fn end_with(words: &LastWords, voice: Voice) -> ExitCode {
    if voice.json {
        let mut line = serde_json::json!({
            "event": if words.exit == Exit::Interrupted { "interrupted" } else { "failed" },
            "exit_code": words.exit.code(),
            "kind": words.exit.word(),
            "reason": words.reason,
            "message": words.message,
            "hint": words.hint,
        });
        if let (Some(log), Some(object)) = (&words.log_tail, line.as_object_mut()) {
            object.insert("log_tail".to_owned(), log.clone().into());
        }
        terminal::result(&line.to_string());
    }
    // A short log stands in the message already.
    let untold = |log: &&String| log.lines().any(|line| !words.message.contains(line.trim()));
    if let Some(log) = words.log_tail.as_ref().filter(untold) {
        terminal::say("the end of the log:");
        for line in log.trim_end().lines() {
            terminal::say(&format!("  {line}"));
        }
    }
    let prefix = if words.exit == Exit::Interrupted { "interrupted" } else { "error" };
    let reason = words.reason.as_ref().map(|reason| format!(" [{reason}]")).unwrap_or_default();
    terminal::say(&format!("{prefix}{reason}: {}", words.message));
    if let Some(hint) = &words.hint {
        terminal::say(&format!("hint: {hint}"));
    }
    ExitCode::from(words.exit.code())
}
