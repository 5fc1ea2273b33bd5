//! What a program that reads other people's media may touch: its inputs, its own folder, and what any program
//! needs to run. On Linux a launcher confines itself (Landlock, resource limits) and then becomes the program.
//!
//! Must not know what the program is for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::attempt::MediaInput;

/// The word that makes the launcher one; what follows is for [`become_confined`].
pub const LAUNCHER_WORD: &str = "confined-program";

const READ: &str = "--read";
const PORT: &str = "--port";
const FOLDER: &str = "--folder";
const END: &str = "--";

/// The bounds of one attempt's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confinement {
    launcher: PathBuf,
    reads: Vec<PathBuf>,
    ports: Vec<u16>,
}

impl Confinement {
    /// Bounds for work on these inputs. `launcher` is a program that hands what follows [`LAUNCHER_WORD`] to
    /// [`become_confined`].
    pub fn around<'a>(launcher: &Path, inputs: impl Iterator<Item = &'a MediaInput>) -> Self {
        let (mut reads, mut ports) = (Vec::new(), Vec::new());
        for input in inputs {
            match input {
                MediaInput::File(path) => reads.push(path.clone()),
                MediaInput::Url(url) => ports.extend(port(url)),
            }
        }
        ports.sort_unstable();
        ports.dedup();
        Self { launcher: launcher.to_owned(), reads, ports }
    }

    /// The program that is started in place of `program`, and the words before the program's own.
    pub(crate) fn launch(&self, program: &Path, folder: &Path) -> (&Path, Vec<OsString>) {
        let mut words = vec![OsString::from(LAUNCHER_WORD), FOLDER.into(), folder.into()];
        for path in &self.reads {
            words.extend([OsString::from(READ), path.into()]);
        }
        for port in &self.ports {
            words.extend([OsString::from(PORT), port.to_string().into()]);
        }
        words.extend([OsString::from(END), program.into()]);
        (&self.launcher, words)
    }
}

/// The port of an address such as `http://127.0.0.1:4321/source`.
fn port(url: &str) -> Option<u16> {
    let (_, rest) = url.split_once("://")?;
    rest.split('/').next()?.rsplit_once(':')?.1.parse().ok()
}

/// What the launcher was told.
#[derive(Debug, PartialEq, Eq)]
struct Bounds {
    folder: PathBuf,
    reads: Vec<PathBuf>,
    ports: Vec<u16>,
    program: PathBuf,
    args: Vec<OsString>,
}

impl Bounds {
    fn of(words: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut words = words.into_iter();
        let (mut folder, mut reads, mut ports) = (None, Vec::new(), Vec::new());
        loop {
            let word = words.next()?;
            match word.to_str()? {
                READ => reads.push(PathBuf::from(words.next()?)),
                PORT => ports.push(words.next()?.to_str()?.parse().ok()?),
                FOLDER => folder = Some(PathBuf::from(words.next()?)),
                END => break,
                _ => return None,
            }
        }
        let program = PathBuf::from(words.next()?);
        Some(Self { folder: folder?, reads, ports, program, args: words.collect() })
    }
}

/// How much of the confinement this system can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// Files and network.
    Full,
    /// Files, or a part of what can be done with them.
    Partial,
    /// Nothing but limits.
    Limits,
    /// Nothing.
    None,
}

#[cfg(target_os = "linux")]
pub use linux::{become_confined, strength};

/// Confinement is only known on Linux.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub const fn strength() -> Strength {
    Strength::None
}

/// Confinement is only known on Linux, so that nothing starts a launcher elsewhere.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn become_confined(words: impl IntoIterator<Item = OsString>) -> String {
    match Bounds::of(words) {
        Some(_) => "programs are only confined on Linux".to_owned(),
        None => "the launcher was called with other words than it knows".to_owned(),
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsString;
    use std::path::{Path, PathBuf};

    use landlock::{
        ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, NetPort, Ruleset,
        RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus, path_beneath_rules,
    };
    use rustix::process::{Resource, Rlimit, Signal};

    use super::{Bounds, Strength};
    use crate::runner;

    /// The rights that are handled: files, and TCP (kernel 6.7). Devices' own calls are left to drivers.
    const LANDLOCK: ABI = ABI::V4;

    /// What programs read to run at all, and drivers, fonts and clocks. Not `/etc` as a whole, not homes.
    const SYSTEM: [&str; 21] = [
        "/usr",
        "/lib",
        "/lib32",
        "/lib64",
        "/bin",
        "/sbin",
        "/opt",
        "/nix",
        "/gnu",
        "/snap",
        "/sys",
        "/proc",
        "/etc/ld.so.cache",
        "/etc/ld.so.conf",
        "/etc/ld.so.conf.d",
        "/etc/fonts",
        "/etc/localtime",
        "/etc/alternatives",
        "/etc/OpenCL",
        "/etc/vulkan",
        "/var/cache/fontconfig",
    ];

    /// Folders of this user with fonts, below the home.
    const HOME_FONTS: [&str; 4] =
        [".fonts", ".local/share/fonts", ".config/fontconfig", ".cache/fontconfig"];

    /// Where devices are; which of them may be used is the system's own rule.
    const DEVICES: &str = "/dev";

    /// No output of a film is larger: 4 TiB.
    const FILE_BYTES_MAX: u64 = 4 << 40;

    /// How far this system can confine, tried on a thread that ends at once.
    #[must_use]
    pub fn strength() -> Strength {
        let trial = std::thread::spawn(|| restrict(&[PathBuf::from("/")], Path::new("/"), &[]));
        match trial.join() {
            Ok(Ok(RulesetStatus::FullyEnforced)) => Strength::Full,
            Ok(Ok(RulesetStatus::PartiallyEnforced)) => Strength::Partial,
            Ok(Ok(RulesetStatus::NotEnforced) | Err(_)) | Err(_) => Strength::Limits,
        }
    }

    /// Confines this process and becomes the program. Returns only when that failed, with the reason.
    #[must_use]
    pub fn become_confined(words: impl IntoIterator<Item = OsString>) -> String {
        let Some(bounds) = Bounds::of(words) else {
            return "the launcher was called with other words than it knows".to_owned();
        };
        if let Err(error) = die_with_parent() {
            return format!("the program cannot be tied to its worker: {error}");
        }
        if let Err(error) = limit() {
            return format!("the program's resources cannot be limited: {error}");
        }
        let reads = readable(&bounds);
        // Where the kernel cannot, the worker has said so at its start.
        if let Err(error) = restrict(&reads, &bounds.folder, &bounds.ports) {
            return format!("the program cannot be confined: {error}");
        }
        let error = runner::replace_this_process(&bounds.program, &bounds.args);
        format!("cannot start {}: {error}", bounds.program.display())
    }

    fn die_with_parent() -> rustix::io::Result<()> {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
    }

    fn limit() -> rustix::io::Result<()> {
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        rustix::process::setrlimit(Resource::Core, none)?;
        lower(Resource::Fsize, FILE_BYTES_MAX)?;
        // What a program may write to in memory: more than the machine has would only end others.
        match memory_bytes() {
            Some(bytes) => lower(Resource::Data, bytes),
            None => Ok(()),
        }
    }

    /// Sets a limit, unless a lower one is in force.
    fn lower(resource: Resource, most: u64) -> rustix::io::Result<()> {
        let now = rustix::process::getrlimit(resource);
        let limit = |before: Option<u64>| Some(before.map_or(most, |before| before.min(most)));
        let lowered = Rlimit { current: limit(now.current), maximum: limit(now.maximum) };
        rustix::process::setrlimit(resource, lowered)
    }

    fn memory_bytes() -> Option<u64> {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        kib.checked_mul(1024)
    }

    fn readable(bounds: &Bounds) -> Vec<PathBuf> {
        let mut reads: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
        reads.extend(bounds.reads.iter().cloned());
        // A build of ffmpeg in a folder of its own brings its libraries.
        let program = bounds.program.canonicalize().unwrap_or_else(|_| bounds.program.clone());
        reads.extend(
            program
                .parent()
                .and_then(Path::parent)
                .filter(|home| *home != Path::new("/"))
                .map(PathBuf::from),
        );
        if let Some(libraries) = std::env::var_os("LD_LIBRARY_PATH") {
            reads.extend(std::env::split_paths(&libraries).filter(|path| path.is_absolute()));
        }
        if let Some(home) = std::env::var_os("HOME") {
            reads.extend(HOME_FONTS.iter().map(|fonts| Path::new(&home).join(fonts)));
        }
        reads
    }

    fn restrict(
        reads: &[PathBuf],
        folder: &Path,
        ports: &[u16],
    ) -> Result<RulesetStatus, RulesetError> {
        let reading = AccessFs::from_read(LANDLOCK);
        let devices = reading | AccessFs::WriteFile;
        let mut rules = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(LANDLOCK))?
            .handle_access(AccessNet::from_all(LANDLOCK))?
            .create()?
            .add_rules(path_beneath_rules(reads, reading))?
            .add_rules(path_beneath_rules([DEVICES], devices))?
            .add_rules(path_beneath_rules([folder], AccessFs::from_all(LANDLOCK)))?;
        for port in ports {
            rules = rules.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
        }
        Ok(rules.restrict_self()?.ruleset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_launcher_understands_what_it_is_told() {
        let inputs = [
            MediaInput::File("/films/a b.mkv".into()),
            MediaInput::Url("http://127.0.0.1:4321/source/1".to_owned()),
        ];
        let confinement = Confinement::around(Path::new("/bin/segenc"), inputs.iter());
        let (launcher, mut words) =
            confinement.launch(Path::new("/usr/bin/ffmpeg"), Path::new("/scratch/1"));
        assert_eq!(launcher, Path::new("/bin/segenc"));
        assert_eq!(words.remove(0), LAUNCHER_WORD);
        words.extend(["-i".into(), "--".into()]);
        let bounds = Bounds {
            folder: "/scratch/1".into(),
            reads: vec!["/films/a b.mkv".into()],
            ports: vec![4321],
            program: "/usr/bin/ffmpeg".into(),
            args: vec!["-i".into(), "--".into()],
        };
        assert_eq!(Bounds::of(words), Some(bounds));
    }

    #[test]
    fn other_words_are_refused() {
        let refused = |words: &[&str]| Bounds::of(words.iter().map(OsString::from)).is_none();
        assert!(refused(&[]));
        assert!(refused(&["--folder", "/a", "--"]));
        assert!(refused(&["--read"]));
        assert!(refused(&["--port", "99999", "--folder", "/a", "--", "x"]));
        assert!(refused(&["-x", "--", "y"]));
    }
}
