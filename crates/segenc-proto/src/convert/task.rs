//! Tasks with their work.

use segenc_core::ids::{AttemptId, AttemptNumber, JobId, TaskId};
use segenc_core::plan::{Film, Origin, OutputStream};
use segenc_core::rate::{BufferLimit, RateAim};
use segenc_core::spec::OutputOption;
use segenc_core::time::PtsRange;
use segenc_core::work::{
    Decode, Join, JoinedSegment, MergeFrom, MergeWork, MergedStream, Pass, SegmentWork,
    StreamsWork, Work,
};

use super::source::{
    mastering, mastering_message, rational, rational_message, stream_kind, stream_kind_message,
};
use super::{WireError, observed_frames, timebase, timebase_message};
use crate::grpc;

/// An attempt as it was handed to a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignedTask {
    /// Its job.
    pub job: JobId,
    /// Its task and number.
    pub attempt: AttemptId,
    /// What it reads.
    pub inputs: Vec<InputLocation>,
    /// What is to be done.
    pub work: Work,
    /// Its place in the job's trace, as W3C Trace Context writes it, where the server traces.
    pub traceparent: Option<String>,
}

/// Where an input is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputLocation {
    /// Its number in the address.
    pub num: u32,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 in hex; `None` for sources.
    pub sha256: Option<String>,
    /// Where the server itself finds it.
    pub server_path: Option<String>,
}

/// Reads a task; `None` when it carries no work.
///
/// # Errors
/// When a part is missing or means nothing.
pub fn task(message: grpc::Task) -> Result<Option<AssignedTask>, WireError> {
    let Some(work) = message.work else { return Ok(None) };
    let text = |text: String| (!text.is_empty()).then_some(text);
    let input = |input: grpc::Input| InputLocation {
        num: input.num,
        size: input.size,
        sha256: text(input.sha256),
        server_path: text(input.server_path),
    };
    Ok(Some(AssignedTask {
        job: JobId(message.job_id),
        attempt: AttemptId {
            task: TaskId(message.task_id),
            number: AttemptNumber(message.attempt),
        },
        inputs: message.inputs.into_iter().map(input).collect(),
        work: match work {
            grpc::task::Work::Analysis(grpc::Analysis {}) => Work::Analysis,
            grpc::task::Work::Transcode(message) => transcode(message)?,
            grpc::task::Work::Merge(message) => Work::Merge(merge(message)?),
        },
        traceparent: text(message.traceparent),
    }))
}

/// Writes a task.
#[must_use]
pub fn task_message(assigned: AssignedTask) -> grpc::Task {
    let input = |input: InputLocation| grpc::Input {
        num: input.num,
        size: input.size,
        sha256: input.sha256.unwrap_or_default(),
        server_path: input.server_path.unwrap_or_default(),
    };
    let transcode =
        |demuxer, what| grpc::task::Work::Transcode(grpc::Transcode { demuxer, what: Some(what) });
    grpc::Task {
        job_id: assigned.job.0,
        task_id: assigned.attempt.task.0,
        attempt: assigned.attempt.number.0,
        inputs: assigned.inputs.into_iter().map(input).collect(),
        work: Some(match assigned.work {
            Work::Analysis => grpc::task::Work::Analysis(grpc::Analysis {}),
            Work::Segment(mut work) => transcode(
                std::mem::take(&mut work.demuxer),
                grpc::transcode::What::Segment(segment_message(work)),
            ),
            Work::OtherStreams(work) => transcode(
                work.demuxer,
                grpc::transcode::What::OtherStreams(grpc::OtherStreams {
                    source_streams: work.source_streams,
                    options: options_message(work.options),
                    container: work.container,
                }),
            ),
            Work::Weigh(work) => transcode(
                work.demuxer,
                grpc::transcode::What::Weigh(grpc::OtherStreams {
                    source_streams: work.source_streams,
                    options: options_message(work.options),
                    container: work.container,
                }),
            ),
            Work::Whole(work) => transcode(
                work.demuxer,
                grpc::transcode::What::WholeTitle(grpc::WholeTitle {
                    source_streams: work.source_streams,
                    options: options_message(work.options),
                    container: work.container,
                }),
            ),
            Work::Merge(work) => grpc::task::Work::Merge(merge_message(work)),
        }),
        traceparent: assigned.traceparent.unwrap_or_default(),
    }
}

fn transcode(message: grpc::Transcode) -> Result<Work, WireError> {
    let demuxer = message.demuxer;
    let streams = |source_streams, options, container| StreamsWork {
        demuxer: demuxer.clone(),
        source_streams,
        options: options_from(options),
        container,
    };
    Ok(match message.what.ok_or(WireError::Missing("what to transcode"))? {
        grpc::transcode::What::Segment(message) => Work::Segment(segment(demuxer, message)?),
        grpc::transcode::What::OtherStreams(message) => {
            Work::OtherStreams(streams(message.source_streams, message.options, message.container))
        }
        grpc::transcode::What::Weigh(message) => {
            Work::Weigh(streams(message.source_streams, message.options, message.container))
        }
        grpc::transcode::What::WholeTitle(message) => {
            Work::Whole(streams(message.source_streams, message.options, message.container))
        }
    })
}

fn segment(demuxer: String, message: grpc::Segment) -> Result<SegmentWork, WireError> {
    Ok(SegmentWork {
        demuxer,
        film: film(message.film)?,
        index: message.index,
        range: PtsRange { start: message.start, end: message.end },
        filter_range: PtsRange { start: message.filter_start, end: message.filter_end },
        lookahead_end: message.lookahead_end,
        seek_micros: message.seek_micros,
        encoder: message.encoder,
        options: options_from(message.options),
        filter: (!message.filter.is_empty()).then_some(message.filter),
        expected: observed_frames(message.expected.ok_or(WireError::Missing("expected frames"))?),
        threads: message.threads,
        pass: match message.pass {
            None => Pass::Only,
            Some(grpc::Pass { measure: true, .. }) => Pass::Measure,
            Some(grpc::Pass { measure: false, notes_input }) => Pass::Real { notes_input },
        },
    })
}

fn segment_message(work: SegmentWork) -> grpc::Segment {
    grpc::Segment {
        index: work.index,
        film: Some(film_message(work.film)),
        start: work.range.start,
        end: work.range.end,
        seek_micros: work.seek_micros,
        encoder: work.encoder,
        options: options_message(work.options),
        filter: work.filter.unwrap_or_default(),
        filter_start: work.filter_range.start,
        filter_end: work.filter_range.end,
        lookahead_end: work.lookahead_end,
        expected: Some(work.expected.into()),
        threads: work.threads,
        pass: match work.pass {
            Pass::Only => None,
            Pass::Measure => Some(grpc::Pass { measure: true, ..grpc::Pass::default() }),
            Pass::Real { notes_input } => Some(grpc::Pass { measure: false, notes_input }),
        },
    }
}

fn merge(message: grpc::Merge) -> Result<MergeWork, WireError> {
    let decode = match grpc::Verify::try_from(message.verify) {
        Ok(grpc::Verify::Full) => match message.decode_cpu_millis_max {
            Some(millis) => Decode::Within(millis),
            None => Decode::Everything,
        },
        Ok(grpc::Verify::Quick) => Decode::Nothing,
        Ok(grpc::Verify::Unspecified) | Err(_) => {
            let value = message.verify.to_string();
            return Err(WireError::Meaningless { field: "verify", value });
        }
    };
    Ok(MergeWork {
        demuxer: message.demuxer,
        container: message.container,
        from: match message.what.ok_or(WireError::Missing("what to merge"))? {
            grpc::merge::What::Join(message) => MergeFrom::Parts(join(message)?),
            grpc::merge::What::WholeTitleInput(num) => MergeFrom::WholeTitle(num),
        },
        streams: message.streams.into_iter().map(merged_stream).collect::<Result<_, _>>()?,
        decode,
        size: message.size.and_then(|size| size.aim).map(|aim| match aim {
            grpc::size_wish::Aim::BitsPerSecond(bits) => RateAim::BitsPerSecond(bits),
            grpc::size_wish::Aim::FileBytes(bytes) => RateAim::FileBytes(bytes),
        }),
        buffer: message.buffer.map(|buffer| BufferLimit {
            bits_per_second: buffer.bits_per_second,
            bits: buffer.bits,
        }),
    })
}

fn merge_message(work: MergeWork) -> grpc::Merge {
    let (verify, decode_cpu_millis_max) = match work.decode {
        Decode::Everything => (grpc::Verify::Full, None),
        Decode::Within(millis) => (grpc::Verify::Full, Some(millis)),
        Decode::Nothing => (grpc::Verify::Quick, None),
    };
    grpc::Merge {
        demuxer: work.demuxer,
        container: work.container,
        what: Some(match work.from {
            MergeFrom::Parts(join) => grpc::merge::What::Join(join_message(join)),
            MergeFrom::WholeTitle(num) => grpc::merge::What::WholeTitleInput(num),
        }),
        streams: work.streams.into_iter().map(merged_stream_message).collect(),
        verify: verify.into(),
        decode_cpu_millis_max,
        size: work.size.map(|aim| grpc::SizeWish {
            aim: Some(match aim {
                RateAim::BitsPerSecond(bits) => grpc::size_wish::Aim::BitsPerSecond(bits),
                RateAim::FileBytes(bytes) => grpc::size_wish::Aim::FileBytes(bytes),
            }),
        }),
        buffer: work.buffer.map(|buffer| grpc::BufferLimit {
            bits_per_second: buffer.bits_per_second,
            bits: buffer.bits,
        }),
    }
}

fn join(message: grpc::Join) -> Result<Join, WireError> {
    let segment = |segment: grpc::JoinedSegment| {
        Ok(JoinedSegment {
            input: segment.input,
            frames: observed_frames(segment.frames.ok_or(WireError::Missing("frames"))?),
            start: segment.start,
            end: segment.end,
        })
    };
    Ok(Join {
        film: film(message.film)?,
        segments: message.segments.into_iter().map(segment).collect::<Result<_, _>>()?,
        other_streams_input: message.other_streams_input,
        options: options_from(message.options),
        start_micros: message.start_micros,
    })
}

fn join_message(join: Join) -> grpc::Join {
    let segment = |segment: JoinedSegment| grpc::JoinedSegment {
        input: segment.input,
        frames: Some(segment.frames.into()),
        start: segment.start,
        end: segment.end,
    };
    grpc::Join {
        film: Some(film_message(join.film)),
        segments: join.segments.into_iter().map(segment).collect(),
        other_streams_input: join.other_streams_input,
        options: options_message(join.options),
        start_micros: join.start_micros,
    }
}

fn merged_stream(message: grpc::OutputStream) -> Result<MergedStream, WireError> {
    let origin = match message.origin.ok_or(WireError::Missing("a stream's origin"))? {
        grpc::output_stream::Origin::Film(()) => Origin::Film,
        grpc::output_stream::Origin::Encoded(num) => Origin::Encoded(num),
        grpc::output_stream::Origin::Copied(()) => Origin::Copied,
    };
    Ok(MergedStream {
        stream: OutputStream { source_stream: message.source_stream, origin },
        kind: stream_kind(message.kind)?,
        dispositions: message.dispositions,
    })
}

fn merged_stream_message(merged: MergedStream) -> grpc::OutputStream {
    grpc::OutputStream {
        source_stream: merged.stream.source_stream,
        origin: Some(match merged.stream.origin {
            Origin::Film => grpc::output_stream::Origin::Film(()),
            Origin::Encoded(num) => grpc::output_stream::Origin::Encoded(num),
            Origin::Copied => grpc::output_stream::Origin::Copied(()),
        }),
        kind: stream_kind_message(merged.kind),
        dispositions: merged.dispositions,
    }
}

fn film(message: Option<grpc::Film>) -> Result<Film, WireError> {
    let message = message.ok_or(WireError::Missing("film"))?;
    Ok(Film {
        stream: message.stream,
        timebase: timebase(message.timebase)?,
        shift: message.shift,
        rate: rational(message.rate),
        mastering: mastering(message.mastering),
    })
}

fn film_message(film: Film) -> grpc::Film {
    grpc::Film {
        stream: film.stream,
        timebase: Some(timebase_message(film.timebase)),
        shift: film.shift,
        rate: rational_message(film.rate),
        mastering: mastering_message(film.mastering),
    }
}

fn options_from(messages: Vec<grpc::OutputOption>) -> Vec<OutputOption> {
    let option =
        |message: grpc::OutputOption| OutputOption { name: message.name, value: message.value };
    messages.into_iter().map(option).collect()
}

fn options_message(options: Vec<OutputOption>) -> Vec<grpc::OutputOption> {
    let message =
        |option: OutputOption| grpc::OutputOption { name: option.name, value: option.value };
    options.into_iter().map(message).collect()
}

#[cfg(test)]
mod tests {
    use segenc_core::plan::Frames;
    use segenc_core::source::StreamKind;
    use segenc_core::time::Timebase;

    use super::*;

    fn option(name: &str, value: Option<&str>) -> OutputOption {
        OutputOption { name: name.to_owned(), value: value.map(str::to_owned) }
    }

    fn film() -> Film {
        let timebase = Timebase::new(1, 1000).expect("both sides are above zero");
        Film { stream: 0, timebase, shift: -7, rate: None, mastering: None }
    }

    fn frames() -> Frames {
        Frames { count: 3, first_pts: 0, last_pts: 80, pts_sha256: "ab".to_owned() }
    }

    fn survives(work: Work) {
        let assigned = AssignedTask {
            job: JobId(3),
            attempt: AttemptId { task: TaskId(9), number: AttemptNumber(2) },
            inputs: vec![InputLocation {
                num: 0,
                size: 10,
                sha256: None,
                server_path: Some("/films/a.mkv".to_owned()),
            }],
            work,
            traceparent: Some("00-ab-cd-01".to_owned()),
        };
        assert_eq!(task(task_message(assigned.clone())), Ok(Some(assigned)));
    }

    #[test]
    fn every_kind_of_work_survives_the_wire() {
        let streams = StreamsWork {
            demuxer: "matroska,webm".to_owned(),
            source_streams: vec![1, 2],
            options: vec![option("c:a", Some("libopus")), option("an", None)],
            container: "matroska".to_owned(),
        };
        let merge = |from| MergeWork {
            demuxer: "matroska,webm".to_owned(),
            container: "mp4".to_owned(),
            from,
            streams: vec![MergedStream {
                stream: OutputStream { source_stream: 1, origin: Origin::Encoded(0) },
                kind: StreamKind::Audio,
                dispositions: vec!["default".to_owned()],
            }],
            decode: Decode::Within(7_000),
            size: Some(RateAim::FileBytes(700_000_000)),
            buffer: Some(BufferLimit { bits_per_second: 5_000_000, bits: 9_000_000 }),
        };
        survives(Work::Analysis);
        survives(Work::OtherStreams(streams.clone()));
        survives(Work::Weigh(streams.clone()));
        survives(Work::Whole(streams));
        survives(Work::Merge(merge(MergeFrom::WholeTitle(1))));
        survives(Work::Merge(merge(MergeFrom::Parts(Join {
            film: film(),
            segments: vec![JoinedSegment { input: 1, frames: frames(), start: 0, end: 120 }],
            other_streams_input: Some(2),
            options: vec![option("movflags", Some("+faststart"))],
            start_micros: -7000,
        }))));
        // Equal, wider, open to one side (a run-up that reaches the film's beginning), open to both.
        for (start, end, filter_start, filter_end, pass) in [
            (Some(40), Some(90), Some(40), Some(90), Pass::Only),
            (Some(40), Some(90), Some(20), Some(110), Pass::Measure),
            (Some(40), Some(90), None, Some(110), Pass::Real { notes_input: Some(1) }),
            (None, None, None, None, Pass::Real { notes_input: None }),
        ] {
            survives(Work::Segment(SegmentWork {
                demuxer: "matroska,webm".to_owned(),
                film: film(),
                index: 4,
                range: PtsRange { start, end },
                filter_range: PtsRange { start: filter_start, end: filter_end },
                lookahead_end: end.map(|end| end + 8),
                seek_micros: Some(-5),
                encoder: "libx264".to_owned(),
                options: vec![option("crf", Some("20"))],
                filter: Some("scale=-2:720".to_owned()),
                expected: frames(),
                threads: 1,
                pass,
            }));
        }
    }

    #[test]
    fn a_task_without_work_is_none() {
        assert_eq!(task(grpc::Task::default()), Ok(None));
    }
}
