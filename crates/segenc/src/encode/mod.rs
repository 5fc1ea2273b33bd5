//! `segenc encode`: checks what can be checked at once, then the same job here or on a farm.
//!
//! Owns the order of things; how a job is run belongs to [`local`] and [`farm`].

mod batch;
mod ending;
mod farm;
mod heading;
mod left;
mod local;
mod state;
mod sweep;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use segenc_core::spec::{DynamicHdr, JobSpec};
use segenc_proto::rest::{CreateJob, OutputSpec, SourceSpec};
use sha2::{Digest, Sha256};

use crate::arguments::{Encode, Voice};
use crate::commands::presets;
use crate::fingerprint::{SourceMark, hex};
use crate::halt::Halt;
use crate::output_file::{OutputFile, Replace};
use crate::wiring::{own_sized_spec, own_spec};
use crate::{interrupt, places};

/// What is wished, checked.
#[derive(Debug)]
struct Wish {
    /// The source without symbolic links.
    source: PathBuf,
    mark: SourceMark,
    output: OutputFile,
    spec: JobSpec,
    flags: Encode,
    voice: Voice,
    began: Instant,
}

/// Runs the command.
pub(crate) async fn run(mut flags: Encode, voice: Voice) -> anyhow::Result<()> {
    flags.options = presets::expand(flags.preset.as_deref(), flags.options)?;
    let interrupts = interrupt::Interrupts::listen();
    if let Some(folder) = flags.output_dir.take() {
        return batch::run(flags, &folder, voice, &interrupts).await;
    }
    let [input, output] = flags.files.as_slice() else {
        return Err(Halt::usage("one INPUT and one OUTPUT are needed")
            .hint("several films take --output-dir DIR instead of OUTPUT")
            .into());
    };
    (flags.input, flags.output) = (input.clone(), output.clone());
    encode(flags, voice, &interrupts).await
}

/// Encodes one film.
async fn encode(
    flags: Encode,
    voice: Voice,
    interrupts: &interrupt::Interrupts,
) -> anyhow::Result<()> {
    let began = Instant::now();
    let (source, mark) = look_at_source(&flags.input)?;
    let replace = if flags.overwrite { Replace::WhenVerified } else { Replace::Never };
    let output = OutputFile::check(&flags.output, &source, replace)?;
    let mut spec = own_spec(&flags.options, None, &places::name_of(&flags.output))?;
    if let Some(bytes) = flags.target_size {
        spec = own_sized_spec(&spec, bytes)?;
    }
    spec.segment_seconds = flags.segment_seconds;
    if flags.drop_dynamic_hdr {
        spec.dynamic_hdr = DynamicHdr::Drop;
    }
    let on_farm = flags.connection.named_server().is_some();
    let wish = Wish { source, mark, output, spec, flags, voice, began };
    if on_farm { farm::run(&wish, interrupts).await } else { local::run(&wish, interrupts).await }
}

impl Wish {
    /// The container by the output's extension, which says more than the muxer: Blu-ray's packets, for one.
    fn container(&self) -> String {
        let extension = self.flags.output.extension().and_then(|extension| extension.to_str());
        extension.map_or_else(|| self.spec.container.clone(), str::to_ascii_lowercase)
    }

    /// The body that makes the job.
    fn body(&self, source: SourceSpec) -> CreateJob {
        CreateJob {
            source,
            output: OutputSpec { container: Some(self.container()), ..OutputSpec::default() },
            args: self.flags.options.clone(),
            priority: 0,
            name: Some(places::name_of(&self.source)),
            verify: Some(self.flags.verify.word().to_owned()),
            segment_seconds: self.flags.segment_seconds,
            target_size: self.flags.target_size,
            drop_dynamic_hdr: self.flags.drop_dynamic_hdr,
            ..CreateJob::default()
        }
    }

    /// A name of this one command's wish: the same in every try, another for every command.
    fn key(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut digest = Sha256::new();
        digest.update(now.as_nanos().to_le_bytes());
        digest.update(std::process::id().to_le_bytes());
        digest.update(self.mark.head_and_tail.as_bytes());
        digest.update(self.output.path().as_os_str().as_encoded_bytes());
        hex(&digest.finalize()[..16])
    }

    /// The source as a server that may see it is asked for it.
    fn by_path(&self) -> Option<SourceSpec> {
        Some(SourceSpec {
            path: Some(self.source.to_str()?.to_owned()),
            upload: None,
            fingerprint: Some(self.mark.for_server()),
        })
    }
}

/// Opens a source and tells it from others, or says why it is none.
pub(crate) fn look_at_source(given: &Path) -> Result<(PathBuf, SourceMark), Halt> {
    let shown = given.display();
    let metadata = fs::metadata(given).map_err(|error| {
        let reason = if error.kind() == std::io::ErrorKind::NotFound {
            "source-missing"
        } else {
            "source-unreadable"
        };
        Halt::usage(format!("INPUT {shown} cannot be opened: {error}")).reason(reason)
    })?;
    if !metadata.is_file() {
        let what = if metadata.is_dir() { "a folder" } else { "no ordinary file" };
        return Err(Halt::usage(format!("INPUT {shown} is {what}"))
            .reason("source-unreadable")
            .hint("name a video file"));
    }
    if metadata.len() == 0 {
        return Err(Halt::failed(format!("INPUT {shown} is empty"))
            .reason("source-empty")
            .hint("name a video file"));
    }
    let unreadable = |error: std::io::Error| {
        Halt::usage(format!("INPUT {shown} cannot be read: {error}")).reason("source-unreadable")
    };
    let path = fs::canonicalize(given).map_err(unreadable)?;
    let mark = SourceMark::of(&path).map_err(unreadable)?;
    Ok((path, mark))
}
