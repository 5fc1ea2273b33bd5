//! From a task of the pool to the work that a worker is told: everything filled in, nothing to choose.
//!
//! Pure. It knows the plan and the user's wish, but no wire and no folder.

use std::collections::BTreeMap;

use segenc_core::ids::AttemptId;
use segenc_core::plan::{DecodedFrom, Film, Origin, OutputStream, PlanHeader, Way, codec_of};
use segenc_core::pool::Pool;
use segenc_core::pool::job::Job;
use segenc_core::pool::task::{Blob, Task, TaskKind};
use segenc_core::rate::{Notes, RateAim, RateWish, bits_per_second};
use segenc_core::source::{SourceFacts, StreamFacts, StreamKind};
use segenc_core::spec::{
    AFFORDABLE_PER_CENT, JobSpec, OutputOption, Verify, VideoEncode, VideoSpec,
};
use segenc_core::work::{
    COPY_DEMUXER, Decode, Join, JoinedSegment, MergeFrom, MergeWork, MergedStream, Pass,
    SegmentWork, StreamsWork, Work,
};
use thiserror::Error;

/// The number of the first input that another task has made: the source is number 0.
const FIRST_BLOB: u32 = 1;

/// For a source that tells no frame rate; it only chooses the quality of the measuring pass.
const USUAL_FRAMES_PER_SECOND: u64 = 25;

/// An input of a task; its number is its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InputRef {
    /// The job's source.
    Source,
    /// The copy of the film that the analysis has made, in the source's place.
    Copy(Blob),
    /// What another task has made.
    Blob(Blob),
}

/// A task that cannot be put into words. It is a fault of the server, not of the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum AssignmentError {
    #[error("attempt {0} is not known")]
    UnknownAttempt(AttemptId),
    #[error("task {0} has no {1} in its plan")]
    Incomplete(segenc_core::ids::TaskId, &'static str),
}

/// Input 0 of an attempt: the source, or for what decodes the film its copy, where there is one.
pub(crate) fn first_input(pool: &Pool, attempt: AttemptId) -> Result<InputRef, AssignmentError> {
    let unknown = AssignmentError::UnknownAttempt(attempt);
    let task = pool.task(attempt.task).ok_or(unknown)?;
    let job = pool.job(task.job).ok_or(unknown)?;
    match task.kind {
        TaskKind::Segment(_) | TaskKind::Measure(_) | TaskKind::Retake(_) if job.decodes_copy() => {
            let copy = pool.task(job.analysis).and_then(Task::output);
            let copy = copy.ok_or(AssignmentError::Incomplete(task.id, "copy of the film"))?;
            Ok(InputRef::Copy(copy.clone()))
        }
        TaskKind::Analysis
        | TaskKind::Segment(_)
        | TaskKind::Measure(_)
        | TaskKind::Retake(_)
        | TaskKind::Weigh
        | TaskKind::OtherStreams
        | TaskKind::Whole
        | TaskKind::Merge => Ok(InputRef::Source),
    }
}

/// The work of an attempt and its inputs.
pub(crate) fn assignment(
    pool: &Pool,
    attempt: AttemptId,
) -> Result<(Work, Vec<InputRef>), AssignmentError> {
    let unknown = AssignmentError::UnknownAttempt(attempt);
    let task = pool.task(attempt.task).ok_or(unknown)?;
    let job = pool.job(task.job).ok_or(unknown)?;
    if task.kind == TaskKind::Analysis {
        return Ok((Work::Analysis, vec![InputRef::Source]));
    }
    let lacks = |what| AssignmentError::Incomplete(task.id, what);
    let facts = job.facts.as_deref().ok_or(lacks("facts"))?;
    let header = job.header.as_deref().ok_or(lacks("beginning"))?;
    let mut inputs = vec![first_input(pool, attempt)?];
    let work = match task.kind {
        TaskKind::Analysis => Work::Analysis,
        TaskKind::Segment(index) | TaskKind::Measure(index) | TaskKind::Retake(index) => {
            let plain = segment(job, task, facts, header, index).ok_or(lacks("segment"))?;
            let (work, notes) = pass(pool, job, task, plain).ok_or(lacks("bits"))?;
            inputs.extend(notes.map(InputRef::Blob));
            Work::Segment(work)
        }
        TaskKind::Weigh => Work::Weigh(copied_streams(&job.spec, facts, header)),
        TaskKind::OtherStreams => Work::OtherStreams(other_streams(&job.spec, facts, header)),
        TaskKind::Whole => Work::Whole(whole(&job.spec, facts, header)),
        TaskKind::Merge => {
            let (from, blobs) = parts(pool, job, facts, header).ok_or(lacks("finished parts"))?;
            inputs.extend(blobs.into_iter().map(InputRef::Blob));
            Work::Merge(merge(&job.spec, facts, header, from, decode(pool, job)))
        }
    };
    Ok((work, inputs))
}

fn segment(
    job: &Job,
    task: &Task,
    facts: &SourceFacts,
    header: &PlanHeader,
    index: u32,
) -> Option<SegmentWork> {
    let VideoSpec::Encode(video) = &job.spec.video else { return None };
    let segment = job.segments.get(usize::try_from(index).ok()?)?;
    let seek = if task.longer_run_up { segment.longer_seek_micros } else { segment.seek_micros };
    let film = header.film.clone()?;
    let (demuxer, film) = match header.decoded_from {
        DecodedFrom::Source => (facts.demuxer.clone(), film),
        // It holds nothing else.
        DecodedFrom::Copy { .. } => (COPY_DEMUXER.to_owned(), Film { stream: 0, ..film }),
    };
    Some(SegmentWork {
        demuxer,
        film,
        index,
        range: segment.range,
        filter_range: segment.filter_range,
        lookahead_end: segment.lookahead_end,
        seek_micros: seek,
        encoder: video.encoder.clone(),
        options: match &job.spec.buffer {
            Some(buffer) => buffer.segment_options.clone(),
            None => video.options.clone(),
        },
        filter: video.filter.clone(),
        expected: segment.expected.clone(),
        threads: threads(video).unwrap_or(header.encoder_threads),
        pass: Pass::Only,
    })
}

/// A segment's work as the pass that the task is, and the notes that it reads.
fn pass(
    pool: &Pool,
    job: &Job,
    task: &Task,
    plain: SegmentWork,
) -> Option<(SegmentWork, Option<Blob>)> {
    let Some(RateWish { aim, passes }) = job.rate() else { return Some((plain, None)) };
    if let TaskKind::Measure(_) = task.kind {
        let mut options = passes.measure.clone();
        options
            .push(passes.quality.option(mean_bits_per_second(job, *aim), pixels_per_second(job)));
        return Some((SegmentWork { options, pass: Pass::Measure, ..plain }, None));
    }
    let segment = job.segments.get(usize::try_from(plain.index).ok()?)?;
    let bits = job.bits_asked(plain.index, task.kind)?;
    let bits = bits_per_second(bits, job.micros_of(segment)?);
    let mut options = passes.real.clone();
    options.push(option(passes.bitrate_option.clone(), bits.to_string()));
    let notes = match passes.notes {
        Notes::Measured => {
            let measured = TaskKind::Measure(plain.index);
            let task = pool.tasks_of(job.id).find(|task| task.kind == measured)?;
            Some(task.output()?.clone())
        }
        Notes::None => None,
    };
    let pass = Pass::Real { notes_input: notes.as_ref().map(|_| FIRST_BLOB) };
    Some((SegmentWork { options, pass, ..plain }, notes))
}

/// The bitrate that the film will have, about: of a file's size the film usually takes nearly all.
fn mean_bits_per_second(job: &Job, aim: RateAim) -> u64 {
    match aim {
        RateAim::BitsPerSecond(bits) => bits,
        RateAim::FileBytes(bytes) => {
            let micros = job.segments.iter().filter_map(|segment| job.micros_of(segment)).sum();
            bits_per_second(bytes.saturating_mul(8), micros)
        }
    }
}

/// Pixels of the source's film in a second.
fn pixels_per_second(job: &Job) -> u64 {
    let film = job.header.as_ref().and_then(|header| header.film.as_ref());
    let stream = film.and_then(|film| {
        let facts = job.facts.as_ref()?;
        facts.streams.iter().find(|stream| stream.index == film.stream)?.video.as_ref()
    });
    let pixels =
        stream.map_or(0, |video| u64::from(video.width).saturating_mul(u64::from(video.height)));
    match film.and_then(|film| film.rate).filter(|rate| rate.den > 0) {
        Some(rate) => pixels.saturating_mul(u64::from(rate.num)) / u64::from(rate.den),
        None => pixels.saturating_mul(USUAL_FRAMES_PER_SECOND),
    }
}

/// The number of threads that the user names.
fn threads(video: &VideoEncode) -> Option<u32> {
    let named = video.options.iter().rev().find(|option| base_name(&option.name) == "threads");
    named.and_then(|option| option.value.as_deref()?.parse().ok()).filter(|threads| *threads > 0)
}

fn base_name(name: &str) -> &str {
    name.split(':').next().unwrap_or(name)
}

/// A stream of the output with what is known of its source.
struct Placed<'a> {
    stream: OutputStream,
    facts: &'a StreamFacts,
    /// Its position among the output's streams of its kind.
    position: u32,
}

fn placed<'a>(facts: &'a SourceFacts, header: &PlanHeader) -> Vec<Placed<'a>> {
    let mut placed: Vec<Placed<'a>> = Vec::new();
    for stream in &header.layout {
        let source = facts.streams.iter().find(|facts| facts.index == stream.source_stream);
        let Some(source) = source else { continue };
        let earlier = placed.iter().filter(|other| other.facts.kind == source.kind).count();
        let position = u32::try_from(earlier).unwrap_or(u32::MAX);
        placed.push(Placed { stream: *stream, facts: source, position });
    }
    placed
}

fn option(name: String, value: impl Into<String>) -> OutputOption {
    OutputOption { name, value: Some(value.into()) }
}

/// The re-encoded streams beside the film, each by its number in a file of their own.
fn other_streams(spec: &JobSpec, facts: &SourceFacts, header: &PlanHeader) -> StreamsWork {
    let all = placed(facts, header);
    let mut encoded: Vec<(u32, &Placed<'_>)> = all
        .iter()
        .filter_map(|placed| match placed.stream.origin {
            Origin::Encoded(number) => Some((number, placed)),
            Origin::Film | Origin::Copied => None,
        })
        .collect();
    encoded.sort_by_key(|(number, _)| *number);
    let mut options = Vec::new();
    for (number, placed) in &encoded {
        if let Some(codec) = codec_of(spec, placed.facts, placed.position) {
            options.push(option(format!("c:{number}"), codec));
        }
    }
    let encoded: Vec<&Placed<'_>> = encoded.into_iter().map(|(_, placed)| placed).collect();
    options.extend(spec.stream_options.iter().filter_map(|wanted| moved(wanted, &encoded)));
    StreamsWork {
        demuxer: facts.demuxer.clone(),
        source_streams: encoded.iter().map(|placed| placed.facts.index).collect(),
        options,
        container: spec.container.clone(),
    }
}

/// The streams that the merge copies, as a file of their own.
fn copied_streams(spec: &JobSpec, facts: &SourceFacts, header: &PlanHeader) -> StreamsWork {
    let copied = header.layout.iter().filter(|stream| stream.origin == Origin::Copied);
    let source_streams: Vec<u32> = copied.map(|stream| stream.source_stream).collect();
    let copies = (0..source_streams.len()).map(|number| option(format!("c:{number}"), "copy"));
    StreamsWork {
        demuxer: facts.demuxer.clone(),
        options: copies.collect(),
        source_streams,
        container: spec.container.clone(),
    }
}

/// An option that names a stream by its position in the output, said of a file that holds only the encoded
/// ones; `None` if the stream is not among them.
fn moved(wanted: &OutputOption, encoded: &[&Placed<'_>]) -> Option<OutputOption> {
    let words: Vec<&str> = wanted.name.split(':').collect();
    let [base, letter, position] = words.as_slice() else { return Some(wanted.clone()) };
    let (Some(kind), Ok(position)) = (kind_of(letter), position.parse::<u32>()) else {
        return Some(wanted.clone());
    };
    let mut of_kind = encoded.iter().filter(|placed| placed.facts.kind == kind);
    let place = of_kind.position(|placed| placed.position == position)?;
    Some(OutputOption { name: format!("{base}:{letter}:{place}"), value: wanted.value.clone() })
}

fn kind_of(letter: &str) -> Option<StreamKind> {
    match letter {
        "v" | "V" => Some(StreamKind::Video),
        "a" => Some(StreamKind::Audio),
        "s" => Some(StreamKind::Subtitle),
        "t" => Some(StreamKind::Attachment),
        "d" => Some(StreamKind::Data),
        _ => None,
    }
}

/// Everything in one go, as the user wrote it.
fn whole(spec: &JobSpec, facts: &SourceFacts, header: &PlanHeader) -> StreamsWork {
    let all = placed(facts, header);
    let mut options = Vec::new();
    for (number, placed) in all.iter().enumerate() {
        let codec = codec_of(spec, placed.facts, placed.position);
        match (placed.stream.origin, codec, &spec.video) {
            (Origin::Copied, _, _) => options.push(option(format!("c:{number}"), "copy")),
            (Origin::Encoded(_), Some(codec), _) => {
                options.push(option(format!("c:{number}"), codec));
            }
            (Origin::Film, _, VideoSpec::Encode(video))
            | (Origin::Encoded(_), None, VideoSpec::Encode(video)) => {
                options.extend(film_options(video, number));
            }
            (Origin::Film | Origin::Encoded(_), _, VideoSpec::Copy | VideoSpec::Drop) => {}
        }
    }
    options.extend(spec.stream_options.iter().cloned());
    options.extend(spec.mux_options.iter().cloned());
    StreamsWork {
        demuxer: facts.demuxer.clone(),
        source_streams: all.iter().map(|placed| placed.facts.index).collect(),
        options,
        container: spec.container.clone(),
    }
}

/// The film's options, said of the output's stream of this number alone: a copied cover picture in the same
/// file would refuse a filter.
fn film_options(video: &VideoEncode, number: usize) -> Vec<OutputOption> {
    let mut options = vec![option(format!("c:{number}"), &video.encoder)];
    for wanted in &video.options {
        let name = if wanted.name.contains(':') {
            wanted.name.clone()
        } else {
            format!("{}:{number}", wanted.name)
        };
        options.push(OutputOption { name, value: wanted.value.clone() });
    }
    if let Some(filter) = &video.filter {
        options.push(option(format!("filter:{number}"), filter));
    }
    options
}

fn merge(
    spec: &JobSpec,
    facts: &SourceFacts,
    header: &PlanHeader,
    from: MergeFrom,
    decode: Decode,
) -> MergeWork {
    let streams = placed(facts, header)
        .into_iter()
        .map(|placed| MergedStream {
            stream: placed.stream,
            kind: placed.facts.kind,
            dispositions: placed.facts.dispositions.clone(),
        })
        .collect();
    MergeWork {
        demuxer: facts.demuxer.clone(),
        container: spec.container.clone(),
        from,
        streams,
        decode,
        size: spec.rate.as_ref().map(|rate| rate.aim),
        buffer: spec.buffer.as_ref().map(|buffer| buffer.limit),
    }
}

/// What the wish means for this job, now that its cost is known. Where nothing measured it, all is decoded.
fn decode(pool: &Pool, job: &Job) -> Decode {
    match job.spec.verify {
        Verify::Full => Decode::Everything,
        Verify::Quick => Decode::Nothing,
        Verify::Affordable => {
            let attempts = pool.tasks_of(job.id).flat_map(|task| task.attempts.iter());
            let spent: u64 = attempts
                .filter_map(|attempt| attempt.observed.as_ref())
                .map(|observed| observed.cpu_millis)
                .fold(0, u64::saturating_add);
            match spent {
                0 => Decode::Everything,
                _ => Decode::Within(spent.saturating_mul(AFFORDABLE_PER_CENT) / 100),
            }
        }
    }
}

/// What the output is made from, and the blobs from input 1 on.
fn parts(
    pool: &Pool,
    job: &Job,
    facts: &SourceFacts,
    header: &PlanHeader,
) -> Option<(MergeFrom, Vec<Blob>)> {
    let output_of = |kind: TaskKind| pool.tasks_of(job.id).find(|task| task.kind == kind)?.output();
    match header.way {
        Way::Whole { .. } => {
            Some((MergeFrom::WholeTitle(1), vec![output_of(TaskKind::Whole)?.clone()]))
        }
        Way::Segments => {
            let (segments, mut blobs) = joined_segments(pool, job, header.film.as_ref()?)?;
            let mut other_streams_input = None;
            if header.other_streams {
                blobs.push(output_of(TaskKind::OtherStreams)?.clone());
                other_streams_input = u32::try_from(blobs.len()).ok();
            }
            let join = Join {
                film: header.film.clone()?,
                segments,
                other_streams_input,
                options: job.spec.mux_options.clone(),
                start_micros: facts.start_micros,
            };
            Some((MergeFrom::Parts(join), blobs))
        }
    }
}

fn joined_segments(pool: &Pool, job: &Job, film: &Film) -> Option<(Vec<JoinedSegment>, Vec<Blob>)> {
    let mut outputs: BTreeMap<u32, &Blob> = BTreeMap::new();
    // A segment that was made once more comes after its first one, and takes its place.
    for task in pool.tasks_of(job.id) {
        if let TaskKind::Segment(index) | TaskKind::Retake(index) = task.kind {
            outputs.insert(index, task.output()?);
        }
    }
    if outputs.len() != job.segments.len() {
        return None;
    }
    let mut segments = Vec::with_capacity(outputs.len());
    let mut blobs = Vec::with_capacity(outputs.len());
    for (position, (segment, (_, blob))) in job.segments.iter().zip(outputs).enumerate() {
        blobs.push(blob.clone());
        let end = match job.segments.get(position + 1) {
            Some(next) => next.expected.first_pts,
            None => segment.end.checked_sub(film.shift)?.max(segment.expected.last_pts),
        };
        segments.push(JoinedSegment {
            input: u32::try_from(blobs.len()).ok()?,
            frames: segment.expected.clone(),
            start: segment.expected.first_pts,
            end,
        });
    }
    Some((segments, blobs))
}

#[cfg(test)]
mod tests;
