//! `segenc serve`: a server, and by default a worker in the same process, until told to end.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use segenc_media::Tools;
use segenc_media::presets::Preset;
use segenc_proto::rest::PresetView;
use segenc_server::{Automation, Protection, RunningServer, ServerConfig};
use segenc_worker::{Encoders, Leave, ServerFiles, Thumbnails, Wakefulness};

use super::settings;
use crate::arguments::{Serve, Voice};
use crate::halt::Halt;
use crate::interrupt::Interrupts;
use crate::joining::Announcement;
use crate::wiring::{self, RunningWorker, WorkerPlace, aim_at_size, parse_spec};
use crate::{notify, places, terminal, traces};

/// The port that the documents name.
const PORT: u16 = 8642;
/// The built-in worker gets this long to give back what it has; then its leases run out instead.
const WORKER_STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the command.
pub(crate) async fn run(flags: Serve, voice: Voice) -> anyhow::Result<()> {
    let interrupts = Interrupts::listen();
    let (flags, automation) = settings::with_file(flags)?;
    let data_dir = match &flags.data_dir {
        Some(folder) => std::path::absolute(folder).context("--data-dir is no path")?,
        None => places::server_folder()?,
    };
    let slots = built_in_slots(&flags).await?;
    let server = start(&flags, data_dir.clone(), automation).await?;
    let join = server.join_string();
    tell(&server, &data_dir, voice)?;
    let address_file = places::address_file(&data_dir);
    write_address(&address_file, &server)?;
    let announcement = (!flags.no_announce)
        .then(|| Announcement::of(&server.server_address(), server.address()))
        .flatten();
    notify::ready(&format!("listening at {}", server.server_address().base_url()));
    let alive = notify::keep_alive(server.heart());
    let mut worker = slots.map(|slots| {
        RunningWorker::start(WorkerPlace {
            join,
            slots,
            name: None,
            scratch: data_dir.join("worker").join("scratch"),
            identity: data_dir.join("worker").join("identity"),
            server_files: ServerFiles::Use,
            encoders: Encoders::All,
            thumbnails: Thumbnails::Make,
            wakefulness: if flags.allow_sleep {
                Wakefulness::MaySleep
            } else {
                Wakefulness::WhileBusy
            },
            hours: None,
            tools: None,
        })
    });
    let outcome = match &mut worker {
        Some(worker) => tokio::select! {
            ended = worker.ended() => ended.context("the built-in worker failed"),
            () = interrupts.at_least(1) => Ok(()),
        },
        None => {
            interrupts.at_least(1).await;
            Ok(())
        }
    };
    drop(announcement);
    drop(alive);
    notify::stopping("letting open requests end");
    if outcome.is_ok() {
        if !voice.quiet {
            terminal::say("stopping; jobs go on when the server is started again");
        }
        if let Some(worker) = &mut worker {
            worker.tell(Leave::Release);
            if tokio::time::timeout(WORKER_STOP_TIMEOUT, worker.ended()).await.is_err() {
                tracing::warn!("the built-in worker did not end in time");
            }
        }
    }
    // Commands would only look for a server that is gone; if it stays they say so.
    let _ = fs::remove_file(&address_file);
    server.stop().await;
    outcome
}

/// `None`: no worker here. `Some(None)`: as many slots as fit.
async fn built_in_slots(flags: &Serve) -> anyhow::Result<Option<Option<u32>>> {
    if flags.workers == Some(0) {
        return Ok(None);
    }
    match (Tools::find().await, flags.workers) {
        (Ok(_), slots) => Ok(Some(slots)),
        (Err(error), None) => {
            terminal::say(&format!("no built-in worker: {error}"));
            Ok(None)
        }
        (Err(error), Some(_)) => {
            Err(Halt::failed(format!("the built-in worker cannot run: {error}"))
                .reason("ffmpeg-missing")
                .hint("install ffmpeg 5.1 or later, or start the server with --workers 0")
                .into())
        }
    }
}

async fn start(
    flags: &Serve,
    data_dir: PathBuf,
    automation: Automation,
) -> anyhow::Result<RunningServer> {
    let mut media_roots = Vec::new();
    for root in &flags.media_root {
        let found = fs::canonicalize(root)
            .map_err(|error| Halt::usage(format!("--media-root {}: {error}", root.display())))?;
        media_roots.push(found);
    }
    let config = ServerConfig {
        data_dir,
        listen: flags.listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))),
        media_roots,
        protection: if flags.behind_proxy {
            Protection::PlainBehindProxy
        } else {
            Protection::Automatic
        },
        advertise: flags.advertise.clone(),
        presets: offered_presets()?,
        parse_spec,
        aim_at_size,
        automation,
        traces: traces::sink(),
    };
    wiring::start_server(config).await
}

fn offered_presets() -> anyhow::Result<Vec<PresetView>> {
    let all = super::presets::all()?.into_iter();
    let view =
        |Preset { name, title, about, args }| PresetView { name, title, about, args, own: false };
    Ok(all.map(view).collect())
}

fn tell(server: &RunningServer, data_dir: &Path, voice: Voice) -> anyhow::Result<()> {
    let token_file = data_dir.join("admin-token");
    let program = std::env::current_exe().ok();
    let program = program.as_deref().map_or_else(|| "segenc".to_owned(), places::name_of);
    let command = format!("{program} worker --join '{}'", server.join_string().reveal());
    let pairing_code = server.pairing_code().map(|code| code.reveal());
    if voice.json {
        let line = serde_json::json!({
            "event": "ready",
            "url": server.server_address().to_string(),
            "listen": server.address().to_string(),
            "admin_token_file": token_file,
            "join_file": data_dir.join("join"),
            "pairing_code": pairing_code,
            "page": server.page_url(),
            "login_link": server.login_link().map(|link| link.reveal().to_owned()),
        });
        terminal::result(&line.to_string());
        return Ok(());
    }
    terminal::result(&format!("server       {}", server.server_address()));
    terminal::result(&format!("admin token  {}", token_file.display()));
    terminal::result(&format!("add a worker {command}"));
    if let Some(code) = pairing_code.filter(|_| !server.address().ip().is_loopback()) {
        terminal::result(&format!("pairing code {code}"));
        if !voice.quiet {
            terminal::say(
                "the code lets one `segenc worker` in that finds this server by itself, within ten minutes",
            );
        }
    }
    match server.login_link() {
        Some(link) => {
            terminal::result(&format!("page         {}", link.reveal()));
            if !voice.quiet {
                terminal::say("the link to the page lets one browser in, once and within an hour");
            }
        }
        None => terminal::result(&format!("page         {}", server.page_url())),
    }
    if server.address().ip().is_loopback() && !voice.quiet {
        terminal::say("only this machine can reach it; --listen ADDR:PORT opens it to others");
    }
    Ok(())
}

fn write_address(file: &Path, server: &RunningServer) -> anyhow::Result<()> {
    fs::write(file, format!("{}\n", server.server_address()))
        .with_context(|| format!("writing {} failed", file.display()))
}
