//! Whichever program of a job is killed: it is said so, or the result is the same to the last bit.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use segenc_core::failure::FailureKind;
use segenc_media::{Tools, WorkError};
use tempfile::TempDir;

use crate::farm::{Farm, Wish};
use crate::media;

/// Stands in front of the real programs, counts their calls, and dies in place of one of them.
struct Reaper {
    folder: TempDir,
}

impl Reaper {
    fn new(tools: &Tools) -> Self {
        let reaper = Self { folder: TempDir::new().expect("a temporary folder") };
        reaper.put("ffmpeg", &tools.ffmpeg);
        reaper.put("ffprobe", &tools.ffprobe);
        reaper
    }

    fn put(&self, name: &str, real: &Path) {
        let (calls, fatal) = (self.folder.path().join("calls"), self.folder.path().join("fatal"));
        let script = format!(
            "#!/bin/sh\necho >> '{calls}'\n[ $(wc -l < '{calls}') != $(cat '{fatal}') ] || kill -9 $$\nexec '{real}' \"$@\"\n",
            calls = media::text(&calls),
            fatal = media::text(&fatal),
            real = media::text(real),
        );
        let path = self.folder.path().join(name);
        fs::write(&path, script).expect("the script is written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it may be run");
    }

    fn tools(&self, real: &Tools) -> Tools {
        let path = |name: &str| self.folder.path().join(name);
        Tools { ffmpeg: path("ffmpeg"), ffprobe: path("ffprobe"), ..real.clone() }
    }

    /// From now on this call is the one, counted from 1.
    fn kills(&self, call: usize) {
        fs::write(self.folder.path().join("calls"), "").expect("calls are counted");
        fs::write(self.folder.path().join("fatal"), call.to_string()).expect("one is chosen");
    }

    fn calls(&self) -> usize {
        fs::read_to_string(self.folder.path().join("calls"))
            .expect("calls are counted")
            .lines()
            .count()
    }
}

#[tokio::test]
async fn a_killed_program_never_makes_another_result() {
    let wish = Wish {
        encoder: "libx264",
        options: &[("preset", "ultrafast")],
        filter: None,
        sound: &[("c:a", "libopus")],
        container: "matroska",
        segments: 2,
        around: 0,
    };
    let mut farm = Farm::look(media::matroska()).await;
    let reaper = Reaper::new(&farm.tools);
    farm.tools = reaper.tools(&farm.tools);

    reaper.kills(0);
    let whole = made(&farm, &wish).await.unwrap_or_else(|error| panic!("{error}"));
    let calls = reaper.calls();
    assert!(calls > 5, "only {calls} programs were run");
    for call in 1..=calls {
        reaper.kills(call);
        match made(&farm, &wish).await {
            Ok(bytes) => assert!(bytes == whole, "another result after call {call} was killed"),
            Err(WorkError::Failed(failure)) => assert_eq!(
                (failure.kind, failure.reason.as_str()),
                (FailureKind::Transient, "killed"),
                "call {call}: {}",
                failure.message
            ),
            Err(WorkError::Canceled) => panic!("nobody has canceled anything"),
        }
    }
}

/// All bytes of what the farm makes in an empty place.
async fn made(farm: &Farm, wish: &Wish<'_>) -> Result<Vec<u8>, WorkError> {
    let farm = farm.anew();
    let path: PathBuf = farm.make(wish).await?.path;
    Ok(fs::read(path).expect("the result can be read"))
}
