//! The program under a supervisor such as systemd: it says when it is ready, that it lives, and that it ends.
#![cfg(target_os = "linux")]

mod support;

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use support::{Process, Server, Stage};

/// A heart that beats is heard within it many times over; in it a stopped process is watched for silence.
const PERIOD: Duration = Duration::from_millis(1500);
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// More messages than come in that time.
const MESSAGES_MAX: usize = 1000;

/// A supervisor's end of the socket.
struct Supervisor(UnixDatagram);

impl Supervisor {
    fn of(stage: &Stage, command: &mut Command) -> Self {
        let path = stage.path("supervisor");
        let socket = UnixDatagram::bind(&path).expect("tests may make sockets in their folder");
        command.env("NOTIFY_SOCKET", &path);
        command.env("WATCHDOG_USEC", PERIOD.as_micros().to_string());
        Self(socket)
    }

    /// The next message within this time.
    fn heard(&self, within: Duration) -> Option<String> {
        self.0.set_read_timeout(Some(within)).expect("the time is not zero");
        let mut buffer = [0; 4096];
        let length = self.0.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    /// Waits for a message with this line.
    #[track_caller]
    fn wait_for(&self, line: &str) -> String {
        let mut seen = Vec::new();
        for _ in 0..MESSAGES_MAX {
            let Some(message) = self.heard(PATIENCE) else { break };
            if message.lines().any(|found| found == line) {
                return message;
            }
            seen.push(message);
        }
        panic!("{line} was not heard, but {seen:?}");
    }

    /// Whether nothing more comes from a process that was stopped just now.
    fn hears_nothing_more(&self) -> bool {
        // What was sent before it stopped is still in the socket; no sign of a stopped process follows.
        while self.heard(Duration::from_millis(1)).is_some() {}
        self.heard(PERIOD).is_none()
    }
}

fn signal(process: &Process, signal: rustix::process::Signal) {
    let id = i32::try_from(process.id()).expect("process ids are small");
    let id = rustix::process::Pid::from_raw(id).expect("it is running");
    rustix::process::kill_process(id, signal).expect("it is our child");
}

#[test]
fn a_server_says_that_it_is_ready_and_lives_and_ends() {
    use rustix::process::Signal;
    let stage = Stage::new();
    let farm = stage.path("farm");
    let farm = farm.to_str().expect("the temporary folder has a plain name");
    let words =
        ["serve", "--json", "--data-dir", farm, "--listen", "127.0.0.1:0", "--workers", "0"];
    let mut command = stage.segenc(&words);
    let supervisor = Supervisor::of(&stage, &mut command);
    let mut server = Process::start(&mut command);
    let ready = supervisor.wait_for("READY=1");
    assert!(ready.contains("STATUS=listening at http://127.0.0.1:"), "{ready}");
    supervisor.wait_for("WATCHDOG=1");
    supervisor.wait_for("WATCHDOG=1");
    signal(&server, Signal::STOP);
    assert!(supervisor.hears_nothing_more());
    signal(&server, Signal::CONT);
    supervisor.wait_for("WATCHDOG=1");
    signal(&server, Signal::TERM);
    supervisor.wait_for("STOPPING=1");
    assert_eq!(server.code(), Some(0));
}

#[test]
fn a_worker_is_ready_when_it_has_registered() {
    use rustix::process::Signal;
    let stage = Stage::new();
    let server = Server::start(&stage, &["--workers", "0"]);
    let mut command = server.worker_command(&stage, "one");
    let supervisor = Supervisor::of(&stage, &mut command);
    let mut worker = Process::start(&mut command);
    let ready = supervisor.wait_for("READY=1");
    assert!(ready.contains("STATUS=working for http://127.0.0.1:"), "{ready}");
    supervisor.wait_for("WATCHDOG=1");
    signal(&worker, Signal::TERM);
    supervisor.wait_for("STOPPING=1");
    assert_eq!(worker.code(), Some(0));
}
