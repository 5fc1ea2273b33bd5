//! Plays the server's part by hand: plans ranges from the packets, hands out the work, keeps the files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use segenc_core::plan::{Film, Frames, Origin, OutputStream};
use segenc_core::source::{Packet, SourceFacts, StreamKind};
use segenc_core::spec::OutputOption;
use segenc_core::time::PtsRange;
use segenc_core::work::{
    Decode, Join, JoinedSegment, MergeFrom, MergeWork, MergedStream, Pass, SegmentWork, StreamsWork,
};
use segenc_media::{
    Attempt, Made, MediaInput, Progress, Tools, WorkError, encode_other_streams, encode_segment,
    merge, packets, probe,
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A source that was looked at, and a place for what is made of it.
pub(crate) struct Farm {
    pub(crate) tools: Tools,
    pub(crate) scratch: TempDir,
    pub(crate) source: MediaInput,
    pub(crate) facts: SourceFacts,
    pub(crate) packets: Vec<Packet>,
}

/// What to make.
pub(crate) struct Wish<'a> {
    pub(crate) encoder: &'a str,
    pub(crate) options: &'a [(&'a str, &'a str)],
    pub(crate) filter: Option<&'a str>,
    pub(crate) sound: &'a [(&'a str, &'a str)],
    pub(crate) container: &'a str,
    pub(crate) segments: usize,
    /// Frames around each segment that go through the filter too.
    pub(crate) around: usize,
}

pub(crate) fn options(given: &[(&str, &str)]) -> Vec<OutputOption> {
    let option = |(name, value): &(&str, &str)| OutputOption {
        name: (*name).to_owned(),
        value: Some((*value).to_owned()),
    };
    given.iter().map(option).collect()
}

pub(crate) fn attempt<'a>(tools: &'a Tools, scratch: &'a Path) -> Attempt<'a> {
    Attempt {
        tools,
        scratch,
        cancel: CancellationToken::new(),
        progress: watch::channel(Progress::default()).0,
        encode_threads: 1,
        confinement: None,
        suspension: None,
    }
}

impl Farm {
    pub(crate) async fn look(source: &Path) -> Self {
        let tools = Tools::find().await.expect("the tests need ffmpeg");
        let scratch = TempDir::new().expect("a temporary folder");
        let source = MediaInput::File(source.to_owned());
        let attempt = attempt(&tools, scratch.path());
        let facts = probe(&attempt, &source).await.expect("the source is media");
        let mut reader = packets(&attempt, &source, &facts, 0).await.expect("ffprobe starts");
        let mut packets = Vec::new();
        while let Some(batch) = reader.next_batch(50).await.expect("the source is whole") {
            assert!(batch.len() <= 50);
            packets.extend(batch);
        }
        drop(attempt);
        Self { tools, scratch, source, facts, packets }
    }

    pub(crate) fn film(&self) -> Film {
        let stream = &self.facts.streams[0];
        Film {
            stream: 0,
            timebase: stream.timebase,
            shift: stream.timebase.ticks(self.facts.start_micros),
            rate: stream.video.as_ref().and_then(|video| video.average_rate),
            mastering: stream.video.as_ref().and_then(|video| video.mastering),
        }
    }

    /// Work for segments cut without regard to keyframes.
    pub(crate) fn segments(&self, wish: &Wish<'_>) -> Vec<SegmentWork> {
        let film = self.film();
        let shown = self.packets.iter().filter(|packet| !packet.discarded);
        let mut pts: Vec<i64> = shown.filter_map(|packet| packet.pts).collect();
        pts.sort_unstable();
        let length = pts.len().div_ceil(wish.segments);
        let cut = |position: usize| (position > 0 && position < pts.len()).then(|| pts[position]);
        let work = |(index, chunk): (usize, &[i64])| {
            let start = index * length;
            let end = start + chunk.len();
            let range = PtsRange { start: cut(start), end: cut(end) };
            let filter_range = PtsRange {
                start: cut(start.saturating_sub(wish.around)),
                end: cut(end + wish.around),
            };
            SegmentWork {
                demuxer: self.facts.demuxer.clone(),
                film: film.clone(),
                index: u32::try_from(index).expect("a few"),
                range,
                filter_range,
                lookahead_end: cut(end).and_then(|_| cut(end + 8)),
                seek_micros: filter_range.start.and_then(|start| self.seek(start)),
                encoder: wish.encoder.to_owned(),
                options: options(wish.options),
                filter: wish.filter.map(str::to_owned),
                expected: frames(&chunk.iter().map(|pts| pts - film.shift).collect::<Vec<_>>()),
                threads: 1,
                pass: Pass::Only,
            }
        };
        pts.chunks(length).enumerate().map(work).collect()
    }

    /// A place to seek to, such that decoding begins at the second keyframe before `start` at the latest.
    fn seek(&self, start: i64) -> Option<i64> {
        let keys = self.packets.iter().filter(|packet| packet.key).filter_map(|packet| packet.pts);
        let before: Vec<i64> = keys.filter(|pts| *pts <= start).collect();
        let earlier = before.len().checked_sub(2)?;
        Some(self.facts.streams[0].timebase.micros(before[earlier]))
    }

    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.scratch.path().join(name);
        std::fs::create_dir(&folder).expect("the folder is new");
        folder
    }

    /// The same source, and an empty place.
    pub(crate) fn anew(&self) -> Self {
        Self {
            tools: self.tools.clone(),
            scratch: TempDir::new().expect("a temporary folder"),
            source: self.source.clone(),
            facts: self.facts.clone(),
            packets: self.packets.clone(),
        }
    }

    /// The same source with its film alone, and an empty place.
    pub(crate) fn film_only(&self) -> Self {
        let mut farm = self.anew();
        farm.facts.streams.truncate(1);
        farm
    }

    /// Makes the whole output the way the farm does.
    pub(crate) async fn make(&self, wish: &Wish<'_>) -> Result<Made, WorkError> {
        self.make_of(self.film(), self.segments(wish), wish).await
    }

    /// Makes the output of these segments.
    pub(crate) async fn make_of(
        &self,
        film: Film,
        works: Vec<SegmentWork>,
        wish: &Wish<'_>,
    ) -> Result<Made, WorkError> {
        let mut inputs = BTreeMap::from([(0, self.source.clone())]);
        let mut segments = Vec::new();
        for work in works {
            let folder = self.folder(&format!("{}-{}", wish.container, work.index));
            let made = encode_segment(&attempt(&self.tools, &folder), &self.source, &work).await?;
            assert!(made.observed.cpu_millis > 0 || !cfg!(target_os = "linux"));
            let input = work.index + 1;
            inputs.insert(input, MediaInput::File(made.path));
            let first = work.expected.first_pts;
            segments.push(JoinedSegment { input, frames: work.expected, start: first, end: first });
        }
        let other_streams_input = self.encode_sound(wish, &mut inputs).await?;
        let work = MergeWork {
            demuxer: self.facts.demuxer.clone(),
            container: wish.container.to_owned(),
            from: MergeFrom::Parts(Join {
                film,
                segments,
                other_streams_input,
                options: Vec::new(),
                start_micros: self.facts.start_micros,
            }),
            streams: self.layout(wish),
            decode: Decode::Everything,
            size: None,
            buffer: None,
        };
        let folder = self.folder(&format!("{}-merge", wish.container));
        merge(&attempt(&self.tools, &folder), &inputs, &work).await
    }

    async fn encode_sound(
        &self,
        wish: &Wish<'_>,
        inputs: &mut BTreeMap<u32, MediaInput>,
    ) -> Result<Option<u32>, WorkError> {
        if wish.sound.is_empty() {
            return Ok(None);
        }
        let sound = self.facts.streams.iter().filter(|stream| stream.kind == StreamKind::Audio);
        let work = StreamsWork {
            demuxer: self.facts.demuxer.clone(),
            source_streams: sound.map(|stream| stream.index).collect(),
            options: options(wish.sound),
            container: wish.container.to_owned(),
        };
        let folder = self.folder(&format!("{}-sound", wish.container));
        let made =
            encode_other_streams(&attempt(&self.tools, &folder), &self.source, &work).await?;
        inputs.insert(10_000, MediaInput::File(made.path));
        Ok(Some(10_000))
    }

    fn layout(&self, wish: &Wish<'_>) -> Vec<MergedStream> {
        let mut sounds = 0;
        let mut streams = Vec::new();
        for stream in &self.facts.streams {
            let origin = match stream.kind {
                StreamKind::Video => Origin::Film,
                StreamKind::Audio if !wish.sound.is_empty() => {
                    sounds += 1;
                    Origin::Encoded(sounds - 1)
                }
                StreamKind::Audio
                | StreamKind::Subtitle
                | StreamKind::Attachment
                | StreamKind::Data => Origin::Copied,
            };
            streams.push(MergedStream {
                stream: OutputStream { source_stream: stream.index, origin },
                kind: stream.kind,
                dispositions: stream.dispositions.clone(),
            });
        }
        streams
    }
}

fn frames(pts: &[i64]) -> Frames {
    let mut digest = Sha256::new();
    for pts in pts {
        digest.update(pts.to_le_bytes());
    }
    let mut pts_sha256 = String::new();
    for byte in digest.finalize() {
        write!(pts_sha256, "{byte:02x}").expect("text takes everything");
    }
    let count = u64::try_from(pts.len()).expect("a few");
    Frames { count, first_pts: pts[0], last_pts: pts[pts.len() - 1], pts_sha256 }
}
