//! What the inner parts log, and when it is shown.
//!
//! People get the program's own words on the terminal; the log is for looking deeper.

use tracing_subscriber::EnvFilter;

use crate::arguments::{Arguments, Command, LogFormat};
use crate::terminal::LogWriter;

/// Starts the log for this command line. `SEGENC_LOG` overrides everything, in tracing's own syntax.
pub(crate) fn start(arguments: &Arguments) {
    let (lasting, format) = match &arguments.command {
        Command::Serve(serve) => (true, serve.log_format),
        Command::Worker(worker) => (true, worker.log_format),
        Command::Encode(_)
        | Command::Jobs(_)
        | Command::Workers(_)
        | Command::Doctor(_)
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Presets(_)
        | Command::Plan(_)
        | Command::Completions { .. }
        | Command::Top(_)
        | Command::Man => (false, LogFormat::Text),
    };
    let voice = arguments.voice;
    let level = match (voice.quiet, voice.verbose, lasting) {
        (true, ..) => "error",
        (false, 0, true) => "warn,segenc=info,segenc_server=info,segenc_worker=info",
        (false, 0, false) => "off",
        (false, 1, _) => "warn,segenc=info,segenc_server=info,segenc_worker=info,segenc_media=info",
        (false, ..) => {
            "info,segenc=debug,segenc_server=debug,segenc_worker=debug,segenc_media=debug"
        }
    };
    let filter = std::env::var("SEGENC_LOG").ok().and_then(|text| EnvFilter::try_new(text).ok());
    let filter = filter.unwrap_or_else(|| EnvFilter::new(level));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(LogWriter::default)
        .with_ansi(crate::terminal::is_interactive())
        .with_target(voice.verbose > 0);
    let format = if voice.json { LogFormat::Json } else { format };
    match format {
        LogFormat::Json => subscriber.json().flatten_event(true).with_span_list(false).init(),
        LogFormat::Text => subscriber.init(),
    }
}
