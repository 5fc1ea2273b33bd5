//! A stage for tests of the whole program: a folder, small films made by ffmpeg, servers and workers as
//! processes of their own. Knows nothing of single tests.

#![expect(dead_code, reason = "each test file uses another part of the stage")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The program under test.
pub(crate) const SEGENC: &str = env!("CARGO_BIN_EXE_segenc");

/// Questions for the workers before a test gives up: minutes.
const QUESTIONS_MAX: usize = 3000;

/// A folder for one test, gone at its end.
pub(crate) struct Stage {
    folder: TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("tests may write to the temporary folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("tests may write to their folder");
        path
    }

    /// A program made of this script.
    #[cfg(unix)]
    pub(crate) fn program(&self, name: &str, script: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.write(name, script.as_bytes());
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&path, mode).expect("tests may write to their folder");
        path
    }

    /// The program with its data in this stage's folder and nothing of the user's environment.
    pub(crate) fn segenc(&self, words: &[&str]) -> Command {
        self.segenc_of("data", words)
    }

    /// The same with another data folder, as on another computer.
    pub(crate) fn segenc_of(&self, data: &str, words: &[&str]) -> Command {
        let mut command = program(SEGENC);
        command.args(words).current_dir(self.folder.path()).stdin(Stdio::null());
        for variable in ["SEGENC_SERVER", "SEGENC_TOKEN", "SEGENC_LOG", "SEGENC_LISTEN"] {
            command.env_remove(variable);
        }
        for variable in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] {
            command.env_remove(variable);
        }
        command.env("SEGENC_DATA_DIR", self.path(data));
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        ended(&mut self.segenc(words))
    }

    /// A film of `seconds` with B-frames, a stereo tone and a subtitle: 320x180, 25 frames a second.
    pub(crate) fn film(&self, name: &str, seconds: u32) -> PathBuf {
        let subtitles = self.write("subtitles.srt", b"1\n00:00:01,000 --> 00:00:03,000\nHello.\n");
        let path = self.path(name);
        let length = seconds.to_string();
        let picture = format!("testsrc2=s=320x180:r=25:d={seconds}");
        let tone = format!("sine=f=330:d={seconds}");
        let mut command = ffmpeg();
        command.args(["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &tone, "-i"]);
        command.arg(&subtitles);
        command.args(["-map", "0", "-map", "1", "-map", "2", "-t", &length, "-c:v", "libx264"]);
        command.args(["-preset", "veryfast", "-g", "40", "-bf", "2", "-c:a", "aac", "-c:s", "srt"]);
        succeed(command.arg(&path));
        path
    }
}

/// A program that has ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Asserts the exit code, showing everything if it is another.
    #[track_caller]
    pub(crate) fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts that the user was told something.
    #[track_caller]
    pub(crate) fn saying(self, text: &str) -> Self {
        let said = format!("{}{}", self.stdout, self.stderr);
        assert!(said.contains(text), "`{text}` is not said in:\n{said}");
        self
    }

    /// The last line of the output, as JSON.
    #[track_caller]
    pub(crate) fn last_json(&self) -> Value {
        let line = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(line).expect("the last line is the result")
    }
}

/// Runs a command to its end.
pub(crate) fn ended(command: &mut Command) -> Ended {
    let Output { status, stdout, stderr } = command.output().expect("the program can be started");
    Ended {
        code: status.code(),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// A process that ends with its owner, and whose output is read line by line.
pub(crate) struct Process {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program can be started");
        let stdout = child.stdout.take().expect("it was asked for above");
        Self { child, lines: BufReader::new(stdout) }
    }

    /// The next line that is JSON; `None` at the end of its output.
    pub(crate) fn next_json(&mut self) -> Option<Value> {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).expect("its output is readable text") == 0 {
                return None;
            }
            if let Ok(value) = serde_json::from_str(&line) {
                return Some(value);
            }
        }
    }

    /// Reads on until `wanted` holds, and gives that line.
    #[track_caller]
    pub(crate) fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut seen = Vec::new();
        while let Some(line) = self.next_json() {
            if wanted(&line) {
                return line;
            }
            seen.push(line);
        }
        panic!("its output ended before what was waited for: {:?}", seen.last());
    }

    /// What it reads, if that was asked for when it was started.
    pub(crate) fn stdin(&mut self) -> Option<std::process::ChildStdin> {
        self.child.stdin.take()
    }

    /// Its number in the system.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Presses Ctrl-C.
    #[cfg(unix)]
    #[track_caller]
    pub(crate) fn interrupt(&self) {
        succeed(program("kill").args(["-INT", &self.child.id().to_string()]));
    }

    /// Kills it as a power cut would, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        // Also called for processes that have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end and gives the exit code.
    pub(crate) fn code(&mut self) -> Option<i32> {
        while self.next_json().is_some() {}
        self.child.wait().expect("it is our child").code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A server as a process.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) join: String,
}

impl Server {
    /// A server without workers on a free port; its data are in the folder `farm`.
    pub(crate) fn start(stage: &Stage, flags: &[&str]) -> Self {
        let farm = stage.path("farm");
        let farm = farm.to_str().expect("the temporary folder has a plain name");
        let mut words = vec!["serve", "--json", "-q", "--data-dir", farm];
        if !flags.contains(&"--listen") {
            words.extend(["--listen", "127.0.0.1:0"]);
        }
        words.extend(flags);
        let mut process = Process::start(&mut stage.segenc(&words));
        let ready = process.until(|line| line["event"] == "ready");
        let text = |name: &str| ready[name].as_str().expect("it is part of the line").to_owned();
        let url = text("url");
        let token = format!("@{}", text("admin_token_file"));
        let join = format!("@{}", text("join_file"));
        Self { process, url, token, join }
    }

    /// A command that asks this server.
    pub(crate) fn ask(&self, stage: &Stage, words: &[&str]) -> Command {
        let mut command = stage.segenc(words);
        command.env("SEGENC_SERVER", &self.url).env("SEGENC_TOKEN", &self.token);
        command
    }

    /// Waits until so many workers have joined.
    #[track_caller]
    pub(crate) fn wait_for_workers(&self, stage: &Stage, count: usize) {
        // Each question starts a process, which is pause enough between two of them.
        for _ in 0..QUESTIONS_MAX {
            let listed = ended(&mut self.ask(stage, &["workers", "list", "--json"]));
            if listed.stdout.lines().count() >= count {
                return;
            }
        }
        panic!("{count} workers have not joined");
    }

    /// A worker for it as on another computer: its own folders, everything over the network.
    pub(crate) fn worker(&self, stage: &Stage, name: &str) -> Process {
        Process::start(&mut self.worker_command(stage, name))
    }

    /// The command that starts one.
    pub(crate) fn worker_command(&self, stage: &Stage, name: &str) -> Command {
        let data = format!("{name}-data");
        let scratch = stage.path(&format!("{name}-scratch"));
        let scratch = scratch.to_str().expect("the temporary folder has a plain name");
        let words =
            ["worker", "-q", "--fetch", "--slots", "1", "--name", name, "--scratch", scratch];
        let mut command = stage.segenc_of(&data, &words);
        command.args(["--join", &self.join]);
        command
    }
}

/// Another program, which a test needs beside the one that it tests.
#[expect(clippy::disallowed_methods, reason = "the rule is for the program, not for what tests it")]
pub(crate) fn program(name: &str) -> Command {
    Command::new(name)
}

/// ffmpeg, quiet, replacing what it makes.
pub(crate) fn ffmpeg() -> Command {
    let mut command = program("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y"]).stdin(Stdio::null());
    command
}

/// Runs a command that must succeed.
#[track_caller]
pub(crate) fn succeed(command: &mut Command) -> Vec<u8> {
    let output = command.output().expect("the tests need ffmpeg");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{said}");
    output.stdout
}

/// What a plain ffmpeg makes of the source with the same options.
pub(crate) fn single(source: &Path, output: &Path, options: &[&str]) {
    let mut command = ffmpeg();
    command.arg("-i").arg(source).args(["-map", "0", "-c", "copy"]).args(options);
    succeed(command.args(["-fps_mode", "passthrough", "-enc_time_base", "-1"]).arg(output));
}

/// The digest of every decoded frame of the film, with its time.
pub(crate) fn frames(path: &Path) -> Vec<String> {
    let mut command = program("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(path);
    let out =
        succeed(command.args(["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-"]));
    let text = String::from_utf8(out).expect("framemd5 is text");
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// The digest of each stream's packets beside the film.
pub(crate) fn other_streams(path: &Path) -> String {
    let mut command = program("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(path);
    let out =
        succeed(command.args(["-map", "0", "-map", "-0:v", "-c", "copy", "-f", "streamhash", "-"]));
    String::from_utf8(out).expect("streamhash is text")
}

/// The digest of the film's packets: the bits that the encoder made.
pub(crate) fn film_packets(path: &Path) -> String {
    let mut command = program("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(path);
    let out = succeed(command.args(["-map", "0:v:0", "-c", "copy", "-f", "streamhash", "-"]));
    String::from_utf8(out).expect("streamhash is text")
}

/// The segments' tasks of a report.
pub(crate) fn segment_tasks(report: &Value) -> Vec<&Value> {
    let tasks = report["tasks"].as_array().expect("a report lists its tasks");
    tasks.iter().filter(|task| task["kind"] == "segment").collect()
}
