//! A farm of processes: a server, workers that see nothing of its files, a relay in front of each, and the command
//! line beside them. Starts, kills and asks them; decides nothing.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use serde_json::Value;

use super::processes::{self, send};
use super::proxy::Proxy;

/// A server is up in a tenth of a second; in a busy machine in a few seconds.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// Workers try their encoders first, which takes seconds.
const JOINED_WITHIN: Duration = Duration::from_secs(90);
/// Who is told to end with nothing to do ends so soon.
const ENDED_WITHIN: Duration = Duration::from_secs(20);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(25);

/// Where the parts of a farm keep their files, and how many there are.
pub(crate) struct Layout {
    pub(crate) folder: PathBuf,
    /// The server's data folder.
    pub(crate) data: PathBuf,
    pub(crate) workers: usize,
    /// Of each worker.
    pub(crate) slots: u32,
}

impl Layout {
    pub(crate) fn below(folder: &Path, workers: usize) -> Self {
        Self { folder: folder.to_owned(), data: folder.join("farm"), workers, slots: 1 }
    }

    pub(crate) fn scratch(&self, worker: usize) -> PathBuf {
        self.folder.join(format!("scratch-{worker}"))
    }

    /// Files that jobs may read.
    pub(crate) fn films(&self) -> PathBuf {
        self.folder.join("films")
    }
}

/// The farm.
pub(crate) struct Farm {
    program: PathBuf,
    pub(crate) layout: Layout,
    port: u16,
    server: Option<Child>,
    workers: Vec<Option<Child>>,
    /// One for each worker, and the last for the command line.
    pub(crate) relays: Vec<Proxy>,
}

impl Farm {
    /// Starts all of it and waits until the workers have joined.
    pub(crate) fn start(program: &Path, layout: Layout) -> Result<Self> {
        fs::create_dir_all(layout.films())?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        drop(listener);
        let relays = (0..=layout.workers).map(|_| Proxy::start(port)).collect::<Result<_>>()?;
        let workers = (0..layout.workers).map(|_| None).collect();
        let mut farm =
            Self { program: program.to_owned(), layout, port, server: None, workers, relays };
        farm.start_server()?;
        for worker in 0..farm.layout.workers {
            farm.start_worker(worker)?;
        }
        farm.wait_for_workers()?;
        Ok(farm)
    }

    fn command(&self, home: &str) -> Command {
        let mut command = Command::new(&self.program);
        for variable in ["SEGENC_SERVER", "SEGENC_TOKEN", "SEGENC_LISTEN", "SEGENC_CONFIG"] {
            command.env_remove(variable);
        }
        command.env("SEGENC_DATA_DIR", self.layout.folder.join(home)).stdin(Stdio::null());
        command.current_dir(&self.layout.folder);
        command
    }

    /// A log of a part, which goes on where it was.
    fn log(&self, name: &str) -> Result<File> {
        let path = self.layout.folder.join(format!("{name}.log"));
        fs::OpenOptions::new().create(true).append(true).open(path).context("no log can be written")
    }

    /// Starts the server and waits until it answers; tells how long that took.
    pub(crate) fn start_server(&mut self) -> Result<Duration> {
        let begin = Instant::now();
        let (data, films) = (&self.layout.data, self.layout.films());
        let ready = self.layout.folder.join("ready");
        let mut command = self.command("server-home");
        command.args(["serve", "--json", "-q", "--workers", "0", "--data-dir"]).arg(data);
        command.args(["--listen", &format!("127.0.0.1:{}", self.port), "--media-root"]).arg(films);
        command.stdout(File::create(&ready)?).stderr(self.log("server")?);
        let mut child = command.spawn().context("the server cannot be started")?;
        while !fs::read_to_string(&ready)?.contains('\n') {
            if let Some(status) = child.try_wait()? {
                bail!("the server ended with {status}; see server.log");
            }
            ensure!(begin.elapsed() < READY_WITHIN, "the server does not get ready");
            thread::sleep(Duration::from_millis(5));
        }
        self.server = Some(child);
        Ok(begin.elapsed())
    }

    /// Starts a worker behind its relay.
    pub(crate) fn start_worker(&mut self, number: usize) -> Result<()> {
        let join = fs::read_to_string(self.layout.data.join("join"))?;
        let port = self.relays[number].port;
        let join = join.trim().replace(&format!(":{}", self.port), &format!(":{port}"));
        let mut command = self.command(&format!("worker-{number}"));
        command.args(["worker", "-q", "--fetch", "--name", &format!("w{number}")]);
        command.args(["--slots", &self.layout.slots.to_string()]);
        command.arg("--scratch").arg(self.layout.scratch(number)).env("SEGENC_JOIN", join);
        command.stdout(Stdio::null()).stderr(self.log(&format!("worker-{number}"))?);
        self.workers[number] = Some(command.spawn().context("a worker cannot be started")?);
        Ok(())
    }

    fn wait_for_workers(&self) -> Result<()> {
        let begin = Instant::now();
        while self.lines(&["workers", "list", "--json"])?.len() < self.layout.workers {
            ensure!(begin.elapsed() < JOINED_WITHIN, "the workers do not join");
            thread::sleep(LOOK * 8);
        }
        Ok(())
    }

    /// Kills the server as a power cut would.
    pub(crate) fn kill_server(&mut self) -> Result<()> {
        self.server.take().map_or(Ok(()), kill)
    }

    /// Kills a worker as a power cut would.
    pub(crate) fn kill_worker(&mut self, number: usize) -> Result<()> {
        self.workers[number].take().map_or(Ok(()), kill)
    }

    /// The server's process, if it runs.
    pub(crate) fn server_pid(&self) -> Option<u32> {
        self.server.as_ref().map(Child::id)
    }

    /// A worker's process, if it runs.
    pub(crate) fn worker_pid(&self, number: usize) -> Option<u32> {
        self.workers[number].as_ref().map(Child::id)
    }

    /// What a worker has started and is alive.
    pub(crate) fn encoders_of(&self, number: usize) -> Vec<processes::Listed> {
        self.worker_pid(number).map(processes::descendants).unwrap_or_default()
    }

    /// The command line as an operator on another computer: over the last relay if so told.
    pub(crate) fn operator(&self, over: Way) -> Result<Command> {
        let port = match over {
            Way::Direct => self.port,
            Way::Relay => self.relays[self.layout.workers].port,
        };
        let mut command = self.command("operator-home");
        command.env("SEGENC_SERVER", format!("http://127.0.0.1:{port}"));
        let token = fs::read_to_string(self.layout.data.join("admin-token"))?;
        command.env("SEGENC_TOKEN", token.trim());
        Ok(command)
    }

    /// The JSON lines that a command prints.
    pub(crate) fn lines(&self, words: &[&str]) -> Result<Vec<Value>> {
        let output = self.operator(Way::Direct)?.args(words).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`segenc {}` failed: {said}", words.join(" "));
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// The last of them.
    pub(crate) fn ask(&self, words: &[&str]) -> Result<Value> {
        self.lines(words)?.pop().with_context(|| format!("`segenc {}` is silent", words.join(" ")))
    }

    /// Lets workers end by themselves; they have nothing to do.
    pub(crate) fn stop_workers(&mut self) -> Result<()> {
        for child in self.workers.iter().flatten() {
            send(child.id(), Signal::INT);
        }
        for (number, worker) in self.workers.iter_mut().enumerate() {
            if let Some(child) = worker.take() {
                end(child).with_context(|| format!("worker {number}"))?;
            }
        }
        Ok(())
    }

    /// Lets the server end by itself.
    pub(crate) fn stop_server(&mut self) -> Result<()> {
        let Some(child) = self.server.take() else { return Ok(()) };
        send(child.id(), Signal::INT);
        end(child).context("the server")
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        let children = self.workers.iter_mut().chain([&mut self.server]);
        for child in children.filter_map(Option::take) {
            // They may have ended already.
            let _ = kill(child);
        }
    }
}

/// How the command line reaches the server.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    Direct,
    Relay,
}

fn kill(mut child: Child) -> Result<()> {
    child.kill()?;
    child.wait()?;
    Ok(())
}

fn end(mut child: Child) -> Result<()> {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "it ended with {status}");
            return Ok(());
        }
        if begin.elapsed() > ENDED_WITHIN {
            kill(child)?;
            bail!("it does not end when it is told to");
        }
        thread::sleep(LOOK);
    }
}
