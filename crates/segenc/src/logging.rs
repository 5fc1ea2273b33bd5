//! What the inner parts log, and when it is shown; beside it what is traced.
//!
//! People get the program's own words on the terminal; the log is for looking deeper.

use segenc_media::spans::TARGET;
use tokio::runtime::Handle;
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::arguments::{Arguments, Command, LogFormat, Voice};
use crate::commands::settings;
use crate::terminal::LogWriter;
use crate::traces;

/// What a command tells of itself while it runs.
struct Told<'a> {
    /// It runs for long, and nobody looks on.
    lasting: bool,
    format: LogFormat,
    /// What it is called in traces, and where they go if its flags say so.
    traced: Option<(&'static str, Option<&'a str>)>,
}

/// Starts the log for this command line, and the traces if they are wished. `SEGENC_LOG` overrides every level, in
/// tracing's own syntax.
pub(crate) fn start(arguments: &mut Arguments, runtime: &Handle) -> anyhow::Result<()> {
    if let Command::Serve(serve) = &mut arguments.command {
        settings::fill_early(serve);
    }
    let told = told(&arguments.command);
    let voice = arguments.voice;
    let format = if voice.json { LogFormat::Json } else { told.format };
    let traced = told.traced.map(|(service, endpoint)| traces::start(service, endpoint, runtime));
    let traced = traced.transpose()?.flatten();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(LogWriter::default)
        .with_ansi(crate::terminal::wants_colour())
        .with_target(voice.verbose > 0);
    let lines = match format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
        LogFormat::Text => lines.boxed(),
    };
    // What is only traced would hide the numbers of job, task and attempt in a line.
    let filter = level(voice, told.lasting).and(filter_fn(|what| what.target() != TARGET));
    tracing_subscriber::registry().with(traced).with(lines.with_filter(filter)).init();
    Ok(())
}

fn told(command: &Command) -> Told<'_> {
    let silent = Told { lasting: false, format: LogFormat::Text, traced: None };
    match command {
        Command::Serve(serve) => Told {
            lasting: true,
            format: serve.log_format.unwrap_or_default(),
            traced: Some(("segenc-server", serve.otlp_endpoint.as_deref())),
        },
        Command::Worker(worker) => Told {
            lasting: true,
            format: worker.log_format.unwrap_or_default(),
            traced: Some(("segenc-worker", worker.otlp_endpoint.as_deref())),
        },
        Command::Encode(_) => Told { traced: Some(("segenc", None)), ..silent },
        Command::Jobs(_)
        | Command::Workers(_)
        | Command::Doctor(_)
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Watch(_)
        | Command::Notifications(_)
        | Command::Presets(_)
        | Command::Plan(_)
        | Command::Completions { .. }
        | Command::Top(_)
        | Command::Man => silent,
    }
}

fn level(voice: Voice, lasting: bool) -> EnvFilter {
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
    filter.unwrap_or_else(|| EnvFilter::new(level))
}
