//! Starts programs: the only file in the repository that does.
//!
//! A child runs in its own process group, without stdin, with a cleaned environment, in the folder it is
//! given; it dies with this program where the system offers that. Its stdout goes line by line to the
//! caller, the end of its stderr is kept. Must not know what the programs are for.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop};
use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{ChildStderr, ChildStdout, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::attempt::Suspension;
use crate::confinement::Confinement;
use crate::invocation::Invocation;
use crate::spans;

/// How much of the end of stderr is kept: enough for every message around a failure, little enough to
/// travel in a report.
const STDERR_TAIL_BYTES: usize = 64 * 1024;

/// The longest line read from stdout; what is longer is cut. The lines of interest have some hundred bytes.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// The most that [`capture`] takes: a source with a thousand streams and ten thousand chapters tells about 4 MiB.
const CAPTURE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What a child may see of the environment: enough to find its libraries, drivers and fonts. Anything else
/// might change what it does or writes (`FFREPORT`, `AV_LOG_FORCE_COLOR`).
const KEPT_VARIABLES: &[&str] = &[
    "PATH",
    "HOME",
    "TMPDIR",
    "TEMP",
    "TMP",
    "SystemRoot",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "XDG_RUNTIME_DIR",
    "LIBVA_DRIVER_NAME",
    "CUDA_VISIBLE_DEVICES",
    "FONTCONFIG_PATH",
    "FONTCONFIG_FILE",
];

/// Why a program has no result.
#[derive(Debug, Error)]
pub(crate) enum RunError {
    /// The caller gave up; the child is gone.
    #[error("canceled")]
    Canceled,
    /// It could not be started.
    #[error("cannot start {program}: {source}")]
    Start {
        /// Which program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its output or its end could not be read.
    #[error("lost touch with {program}: {source}")]
    Lost {
        /// Which program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It told more than anybody wants to know.
    #[error("{program} wrote more than {CAPTURE_BYTES_MAX} bytes")]
    TooMuch {
        /// Which program.
        program: PathBuf,
    },
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// With this code; 0 is success.
    Code(i32),
    /// By this signal; 0 where the system does not tell.
    Signal(i32),
}

impl Exit {
    pub(crate) const fn is_success(self) -> bool {
        matches!(self, Self::Code(0))
    }

    fn of(status: ExitStatus) -> Self {
        #[cfg(unix)]
        let signal = std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(0);
        #[cfg(not(unix))]
        let signal = 0;
        status.code().map_or(Self::Signal(signal), Self::Code)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(formatter, "exited with code {code}"),
            Self::Signal(signal) => write!(formatter, "was killed by signal {signal}"),
        }
    }
}

/// What is left of a program.
#[derive(Debug)]
pub(crate) struct Finished {
    /// How it ended.
    pub(crate) exit: Exit,
    /// The end of its stderr.
    pub(crate) log_tail: String,
    /// Processor time it used; 0 where the system does not tell.
    pub(crate) cpu_millis: u64,
}

/// Where a program runs, and within which bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// Its working folder.
    pub(crate) folder: &'a Path,
    /// `None`: it reads nothing of others, or this system cannot confine.
    pub(crate) confinement: Option<&'a Confinement>,
    /// Whether it stands still; `None`: never.
    pub(crate) suspension: Option<&'a watch::Receiver<Suspension>>,
}

/// A running program. Dropping it kills it.
pub(crate) struct Running {
    program: PathBuf,
    child: Box<dyn ChildWrapper>,
    stdout: BufReader<ChildStdout>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    cancel: CancellationToken,
    suspension: Option<watch::Receiver<Suspension>>,
    /// Its time, for who traces it. Without its words: they hold paths and addresses.
    span: tracing::Span,
}

impl fmt::Debug for Running {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Running").field("program", &self.program).finish_non_exhaustive()
    }
}

impl Running {
    /// Starts `invocation` of the program at `path` in `folder`, within these bounds.
    pub(crate) async fn start(
        path: &Path,
        invocation: &Invocation,
        Place { folder, confinement, suspension }: Place<'_>,
        cancel: CancellationToken,
    ) -> Result<Self, RunError> {
        let failed = |source| RunError::Start { program: path.to_owned(), source };
        tracing::debug!(program = %path.display(), %invocation, "starting");
        let mut command = match confinement {
            // The launcher ties the program to us as well.
            Some(confinement) => {
                let (launcher, words) = confinement.launch(path, folder);
                let mut confined = command(launcher);
                confined.args(words);
                confined
            }
            None => tied_to_us(path).await,
        };
        command.args(&invocation.args).current_dir(folder);
        let mut child = spawn(command).map_err(failed)?;
        let piped = || io::Error::other("a pipe is missing");
        let stdout = child.stdout().take().ok_or_else(|| failed(piped()))?;
        let stderr = child.stderr().take().ok_or_else(|| failed(piped()))?;
        Ok(Self {
            program: path.to_owned(),
            child,
            stdout: BufReader::new(stdout),
            stderr: Some(tokio::spawn(tail(stderr))),
            cancel,
            suspension: suspension.cloned().map(|mut suspension| {
                // It was told before this program began.
                if *suspension.borrow() == Suspension::Stands {
                    suspension.mark_changed();
                }
                suspension
            }),
            span: spans::program(path),
        })
    }

    /// The next line of stdout without its end; `None` after the last. When canceled, the child is gone
    /// before this returns.
    pub(crate) async fn next_line(&mut self) -> Result<Option<String>, RunError> {
        let cancel = self.cancel.clone();
        let read = {
            // One reading for all rounds: half a line would be lost with it.
            let mut reading = std::pin::pin!(read_line(&mut self.stdout));
            loop {
                tokio::select! {
                    biased;
                    () = cancel.cancelled() => break None,
                    suspension = told(&mut self.suspension) => suspend(self.child.as_ref(), suspension),
                    read = &mut reading => break Some(read),
                }
            }
        };
        match read {
            None => Err(self.stop().await),
            Some(Ok(line)) => Ok(line),
            Some(Err(source)) => Err(RunError::Lost { program: self.program.clone(), source }),
        }
    }

    /// Waits for the end. What is still on stdout is thrown away.
    pub(crate) async fn finish(mut self) -> Result<Finished, RunError> {
        while self.next_line().await?.is_some() {}
        let lost = |source| RunError::Lost { program: self.program.clone(), source };
        let cancel = self.cancel.clone();
        let mut stderr = self.stderr.take();
        let tail = async {
            match &mut stderr {
                Some(task) => task.await.unwrap_or_default(),
                None => Vec::new(),
            }
        };
        let tail = tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            tail = tail => Some(tail),
        };
        let Some(tail) = tail else { return Err(self.stop().await) };
        // Both pipes are closed, so the child is ending, but nobody has waited for it: its times can be read.
        let cpu_millis = self.child.id().map_or(0, processor_millis);
        let waited = tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            status = self.child.wait() => Some(status),
        };
        let Some(status) = waited else { return Err(self.stop().await) };
        let exit = Exit::of(status.map_err(lost)?);
        spans::note_end(&self.span, exit, cpu_millis);
        Ok(Finished { exit, log_tail: String::from_utf8_lossy(&tail).into_owned(), cpu_millis })
    }

    /// Kills the whole group and waits until it is gone.
    async fn stop(&mut self) -> RunError {
        if let Err(error) = self.child.start_kill() {
            tracing::debug!(program = %self.program.display(), %error, "already gone");
        }
        if let Err(source) = self.child.wait().await {
            return RunError::Lost { program: self.program.clone(), source };
        }
        RunError::Canceled
    }
}

/// Waits until the program is told to stand still or to go on.
async fn told(suspension: &mut Option<watch::Receiver<Suspension>>) -> Suspension {
    if let Some(told) = suspension {
        if told.changed().await.is_ok() {
            return *told.borrow_and_update();
        }
        // Nobody is left who could tell.
        *suspension = None;
    }
    std::future::pending().await
}

/// Stops the whole group in its tracks, or lets it go on.
#[cfg(unix)]
fn suspend(child: &dyn ChildWrapper, suspension: Suspension) {
    use rustix::process::Signal;

    let signal = match suspension {
        Suspension::Runs => Signal::CONT,
        Suspension::Stands => Signal::STOP,
    };
    if let Err(error) = child.signal(signal.as_raw()) {
        tracing::debug!(%error, "a program cannot be suspended: it has ended");
    }
}

/// A worker on such a system says that it cannot pause, so nobody asks for it.
#[cfg(not(unix))]
fn suspend(_child: &dyn ChildWrapper, _suspension: Suspension) {}

/// Runs a short program and answers all it wrote to stdout.
pub(crate) async fn capture(
    path: &Path,
    invocation: &Invocation,
    folder: &Path,
) -> Result<(Finished, String), RunError> {
    let place = Place { folder, confinement: None, suspension: None };
    capture_until(path, invocation, place, CancellationToken::new()).await
}

/// The same, with a way to give up.
pub(crate) async fn capture_until(
    path: &Path,
    invocation: &Invocation,
    place: Place<'_>,
    cancel: CancellationToken,
) -> Result<(Finished, String), RunError> {
    let mut running = Running::start(path, invocation, place, cancel).await?;
    let mut text = String::new();
    while let Some(line) = running.next_line().await? {
        if text.len() + line.len() >= CAPTURE_BYTES_MAX {
            return Err(RunError::TooMuch { program: path.to_owned() });
        }
        text.push_str(&line);
        text.push('\n');
    }
    Ok((running.finish().await?, text))
}

/// Finds a program in `PATH`.
pub(crate) fn in_path(program: &str) -> Option<PathBuf> {
    let name = format!("{program}{}", env::consts::EXE_SUFFIX);
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .filter_map(|folder| folder.join(&name).canonicalize().ok().map(|_| folder.join(&name)))
        .find(|path| path.is_file())
        .and_then(|path| std::path::absolute(path).ok())
}

/// Makes this process the other program. Returns only when that failed.
#[cfg(target_os = "linux")]
#[expect(clippy::disallowed_methods, reason = "this is the runner")]
pub(crate) fn replace_this_process(program: &Path, args: &[OsString]) -> io::Error {
    use std::os::unix::process::CommandExt as _;

    std::process::Command::new(program).args(args).exec()
}

#[expect(clippy::disallowed_methods, reason = "this is the runner")]
fn command(program: &Path) -> Command {
    Command::new(program)
}

fn spawn(mut command: Command) -> io::Result<Box<dyn ChildWrapper>> {
    clean(&mut command);
    wrapped(command)
}

/// Takes everything away from a child that might change what it does.
fn clean(command: &mut Command) {
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Messages are read by program, so they must not be translated.
    command.env("LC_ALL", "C");
    for name in KEPT_VARIABLES {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
}

/// Starts a child that goes with all that it has started.
fn wrapped(command: Command) -> io::Result<Box<dyn ChildWrapper>> {
    let mut wrapped = CommandWrap::from(command);
    #[cfg(unix)]
    wrapped.wrap(process_wrap::tokio::ProcessGroup::leader());
    #[cfg(windows)]
    wrapped.wrap(process_wrap::tokio::JobObject);
    wrapped.wrap(KillOnDrop);
    wrapped.spawn()
}

/// Starts a program of the operator's own: no shell, a cleaned environment and these variables, nobody listening to
/// what it prints. Dropping it ends it.
pub(crate) fn start_own(
    program: &str,
    words: &[String],
    variables: &[(String, String)],
) -> io::Result<Box<dyn ChildWrapper>> {
    let mut command = command(Path::new(program));
    clean(&mut command);
    command.args(words).stdout(Stdio::null());
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    wrapped(command)
}

/// A command for the program that is killed when this program dies, where that can be had. On Linux a
/// process asks for it itself, before it becomes the other program; `setpriv` of util-linux does, so
/// that no code has to run between fork and exec. The signal comes when the thread that started the
/// child ends: tokio's worker threads live as long as the runtime. Only a child whose parent is killed in the
/// few milliseconds before it has asked stays behind, until its work is done.
#[cfg(target_os = "linux")]
async fn tied_to_us(path: &Path) -> Command {
    static SETPRIV: tokio::sync::OnceCell<Option<PathBuf>> = tokio::sync::OnceCell::const_new();
    let setpriv = SETPRIV.get_or_init(|| async {
        let setpriv = in_path("setpriv")?;
        let mut trial = command(&setpriv);
        trial.args(DEATH_SIGNAL).arg(&setpriv).arg("--version");
        // Other makes of setpriv do not know the option.
        let status = spawn(trial).ok()?.wait().await.ok()?;
        status.success().then_some(setpriv)
    });
    match setpriv.await {
        Some(setpriv) => {
            let mut tied = command(setpriv);
            tied.args(DEATH_SIGNAL).arg(path);
            tied
        }
        None => command(path),
    }
}

/// What `setpriv` is told before the program's name.
#[cfg(target_os = "linux")]
const DEATH_SIGNAL: [&str; 3] = ["--pdeathsig", "KILL", "--"];

/// Elsewhere the job object (Windows) does it, or nothing does.
#[cfg(not(target_os = "linux"))]
async fn tied_to_us(path: &Path) -> Command {
    std::future::ready(command(path)).await
}

/// Reads a line, cut at [`LINE_BYTES_MAX`].
async fn read_line(stdout: &mut BufReader<ChildStdout>) -> io::Result<Option<String>> {
    let mut line: Vec<u8> = Vec::new();
    loop {
        let buffer = stdout.fill_buf().await?;
        if buffer.is_empty() {
            let cut_off = (!line.is_empty()).then(|| String::from_utf8_lossy(&line).into_owned());
            return Ok(cut_off);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(buffer.len());
        let room = LINE_BYTES_MAX.saturating_sub(line.len());
        line.extend_from_slice(&buffer[..taken.min(room)]);
        stdout.consume(end.map_or(taken, |end| end + 1));
        if end.is_some() {
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
        }
    }
}

/// Reads stderr to its end and keeps the last [`STDERR_TAIL_BYTES`].
pub(crate) async fn tail(mut stderr: ChildStderr) -> Vec<u8> {
    let mut kept: Vec<u8> = Vec::new();
    let mut buffer = vec![0_u8; 8 * 1024];
    loop {
        match stderr.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(read) => kept.extend_from_slice(&buffer[..read]),
        }
        // Cut only when twice the room is used, so that a flood of messages is not moved again and again.
        if kept.len() > 2 * STDERR_TAIL_BYTES {
            kept.drain(..kept.len() - STDERR_TAIL_BYTES);
        }
    }
    kept.drain(..kept.len().saturating_sub(STDERR_TAIL_BYTES));
    kept
}

/// User and system time of a process from `/proc` (fields 14 and 15 of `stat`, in the 1/100 seconds that
/// Linux shows to programs whatever its own clock).
#[cfg(target_os = "linux")]
fn processor_millis(id: u32) -> u64 {
    std::fs::read_to_string(format!("/proc/{id}/stat"))
        .ok()
        .and_then(|stat| parse_stat(&stat))
        .unwrap_or(0)
}

#[cfg(target_os = "linux")]
fn parse_stat(stat: &str) -> Option<u64> {
    // The name in brackets may hold blanks and brackets; the numbers follow the last one.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let user: u64 = fields.nth(11)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user.saturating_add(system).saturating_mul(10))
}

#[cfg(not(target_os = "linux"))]
const fn processor_millis(_id: u32) -> u64 {
    0
}

/// Arguments as text, for logs and snapshots.
pub(crate) fn shown(args: &[OsString]) -> String {
    args.iter().map(|arg| arg.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
