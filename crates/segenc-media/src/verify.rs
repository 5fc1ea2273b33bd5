//! Checks a finished output against the plan: streams, frames, times, joins, and that it decodes.
//!
//! Must not know how the output was made.

mod decoding;
mod empty;

use segenc_core::failure::{Failure, FailureKind};
use segenc_core::plan::{Frames, Origin};
use segenc_core::pool::task::{Check, Observed};
use segenc_core::rate::{self, RateAim};
use segenc_core::source::{Packet, StreamKind};
use segenc_core::time::Timebase;
use segenc_core::work::{Join, MergeFrom, MergeWork, MergedStream};

use crate::attempt::{Attempt, MediaInput, WorkError};
use crate::observe::{self, MadeFile, MadeStream};
use crate::probe::micros;

/// How far a muxer may move all streams together, in seconds: Matroska to have nothing before zero, MPEG-TS
/// by 1.4 s to have room for its clock.
const MUXER_SHIFT_SECONDS_MAX: i128 = 2;

/// How far a muxer may move all streams back, as a part of a second: MP4 counts the time before the first
/// frame in milliseconds.
const MUXER_SHIFT_BACK_PER_SECOND: i128 = 1000;

/// The check of how many frames there are.
const FRAME_COUNT: &str = "frame count";

/// Muxers whose files hold no PTS, so that there is nothing to compare with the plan.
const WITHOUT_PTS: &[&str] = &["avi"];

/// Runs all checks.
///
/// # Errors
/// `output-not-verified`, naming the checks that failed; `source-unreadable` where that is because the film has no
/// frames at all.
pub(crate) async fn verify(
    attempt: &Attempt<'_>,
    source: Option<&MediaInput>,
    output: &MediaInput,
    work: &MergeWork,
) -> Result<Observed, WorkError> {
    match check_all(attempt, source, output, work).await {
        Err(WorkError::Failed(failure))
            if failure.kind == FailureKind::Mismatch
                && empty::film_is_empty(attempt, source, work).await? =>
        {
            Err(empty::no_frames(failure))
        }
        result => result,
    }
}

async fn check_all(
    attempt: &Attempt<'_>,
    source: Option<&MediaInput>,
    output: &MediaInput,
    work: &MergeWork,
) -> Result<Observed, WorkError> {
    let file = observe::look(attempt, None, output).await?;
    let work = &empty::without_empty_streams(attempt, source, work, &file).await?;
    let mut observed = Observed::default();
    let mut empty = false;
    observed.checks.push(streams(&file, &work.streams));
    if let Some(film) = film(&file, &work.streams) {
        let demuxer = &file.format.format_name;
        let seen = observe::see_packets(attempt, demuxer, output, film.index).await?;
        observed.cpu_millis = seen.cpu_millis;
        observed.checks.extend(film_checks(film, &seen.packets, work));
        // Plain ffmpeg makes an empty stream of an empty one, if there are others to fill the file.
        empty = seen.packets.is_empty() && empty::film_is_empty(attempt, source, work).await?;
        if empty {
            observed.checks.retain(|check| check.name != FRAME_COUNT);
            let detail = "no frames, as in the source".to_owned();
            observed.checks.push(check(FRAME_COUNT, Ok(detail)));
        }
        observed.checks.push(duration(&file, film, &seen.packets));
        let made = Some((film, seen.packets.as_slice()));
        observed.checks.extend(work.size.and_then(|aim| size(aim, made, file.format.size())));
        observed.extradata_sha256 = film.extradata_sha256();
        observed.frames = film_frames(film, &seen.packets, &work.from);
    }
    // A file that is wrong already need not be decoded.
    if observed.checks.iter().all(|check| check.passed) {
        let (check, cpu_millis) = decoding::decode(attempt, output, &file, work, empty).await?;
        observed.checks.extend(check);
        observed.cpu_millis = observed.cpu_millis.saturating_add(cpu_millis);
    }
    let failed: Vec<String> = observed
        .checks
        .iter()
        .filter(|check| !check.passed)
        .map(|check| format!("{}: {}", check.name, check.detail))
        .collect();
    if failed.is_empty() {
        return Ok(observed);
    }
    Err(WorkError::Failed(Failure {
        kind: FailureKind::Mismatch,
        reason: "output-not-verified".to_owned(),
        message: format!("verifying the output: {}", failed.join("; ")),
        log_tail: String::new(),
    }))
}

fn check(name: &str, result: Result<String, String>) -> Check {
    let passed = result.is_ok();
    let detail = match result {
        Ok(detail) | Err(detail) => detail,
    };
    Check { name: name.to_owned(), passed, detail }
}

/// What streams are counted as: containers move pictures and files that only accompany the film to the
/// end, and some show a picture as a file or a file as a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    Video,
    Audio,
    Subtitle,
    Attached,
    Data,
}

fn expected_as(merged: &MergedStream, file: &MadeFile) -> Counted {
    match merged.kind {
        StreamKind::Video if merged.dispositions.iter().any(|name| name == "attached_pic") => {
            covers_in(file)
        }
        StreamKind::Video => Counted::Video,
        StreamKind::Audio => Counted::Audio,
        StreamKind::Subtitle => Counted::Subtitle,
        StreamKind::Attachment => Counted::Attached,
        StreamKind::Data => Counted::Data,
    }
}

/// What a cover picture is in a file: Matroska's muxer makes an ordinary film of it (FFmpeg 5.1).
fn covers_in(file: &MadeFile) -> Counted {
    let matroska = file.format.format_name.split(',').any(|name| name == "matroska");
    let marked = file.streams.iter().any(|s| s.codec_type == "video" && s.is_attached());
    if matroska && !marked { Counted::Video } else { Counted::Attached }
}

fn seen_as(stream: &MadeStream) -> Counted {
    match stream.codec_type.as_str() {
        _ if stream.is_attached() => Counted::Attached,
        "video" => Counted::Video,
        "audio" => Counted::Audio,
        "subtitle" => Counted::Subtitle,
        _ => Counted::Data,
    }
}

fn streams(file: &MadeFile, expected: &[MergedStream]) -> Check {
    let mut wrong = Vec::new();
    let kinds = [
        (Counted::Video, "video"),
        (Counted::Audio, "audio"),
        (Counted::Subtitle, "subtitle"),
        (Counted::Attached, "attached"),
    ];
    for (kind, name) in kinds {
        let wanted = expected.iter().filter(|merged| expected_as(merged, file) == kind).count();
        let there = file.streams.iter().filter(|stream| seen_as(stream) == kind).count();
        if wanted != there {
            wrong.push(format!("{there} {name} streams instead of {wanted}"));
        }
    }
    // Muxers add data streams of their own, for chapters and timecodes.
    let wanted =
        expected.iter().filter(|merged| expected_as(merged, file) == Counted::Data).count();
    let there = file.streams.iter().filter(|stream| seen_as(stream) == Counted::Data).count();
    if there < wanted {
        wrong.push(format!("{there} data streams instead of {wanted}"));
    }
    let result = if wrong.is_empty() {
        Ok(format!("{}, all there", counted(expected.len(), "stream")))
    } else {
        Err(wrong.join(", "))
    };
    check("streams", result)
}

/// The stream of the output that an expected one became: the same position among its kind.
fn counterpart<'a>(
    file: &'a MadeFile,
    expected: &[MergedStream],
    position: usize,
) -> Option<&'a MadeStream> {
    let kind = expected_as(expected.get(position)?, file);
    let before =
        expected.iter().take(position).filter(|merged| expected_as(merged, file) == kind).count();
    file.streams.iter().filter(|stream| seen_as(stream) == kind).nth(before)
}

fn film<'a>(file: &'a MadeFile, expected: &[MergedStream]) -> Option<&'a MadeStream> {
    let joined = expected.iter().position(|merged| merged.stream.origin == Origin::Film);
    let encoded = || {
        let made = |merged: &MergedStream| merged.stream.origin != Origin::Copied;
        expected
            .iter()
            .position(|merged| made(merged) && expected_as(merged, file) == Counted::Video)
    };
    counterpart(file, expected, joined.or_else(encoded)?)
}

fn sorted_pts(packets: &[Packet]) -> Vec<i64> {
    let mut pts: Vec<i64> = packets.iter().filter_map(|packet| packet.pts).collect();
    pts.sort_unstable();
    pts
}

fn film_checks(film: &MadeStream, packets: &[Packet], work: &MergeWork) -> Vec<Check> {
    let pts = sorted_pts(packets);
    let mut checks = vec![check(FRAME_COUNT, frame_count(packets, &work.from))];
    match &work.from {
        MergeFrom::Parts(_) if WITHOUT_PTS.contains(&work.container.as_str()) => {}
        MergeFrom::Parts(join) => {
            let times = match film.timebase() {
                Some(timebase) => joins(&pts, timebase, join),
                None => Err("the output's timebase is unknown".to_owned()),
            };
            checks.push(check("times at joins", times));
            checks.push(check("times increase", increasing(&pts, packets.len())));
        }
        // What plain ffmpeg makes of a damaged source may repeat times; it is exact all the same.
        MergeFrom::WholeTitle(_) => {}
    }
    let dts: Vec<i64> = packets.iter().filter_map(|packet| packet.dts).collect();
    let rising = match (increasing(&dts, dts.len()), &work.from) {
        (Err(problem), MergeFrom::WholeTitle(_)) => {
            Ok(format!("not everywhere, as plain ffmpeg makes it: {problem}"))
        }
        (rising, _) => rising,
    };
    checks.push(check("DTS increase", rising));
    checks.extend(buffer(film, packets, work));
    checks.push(check("parameter sets", parameter_sets(film)));
    checks
}

fn frame_count(packets: &[Packet], from: &MergeFrom) -> Result<String, String> {
    let there = u64::try_from(packets.len()).unwrap_or(u64::MAX);
    match from {
        MergeFrom::Parts(join) => {
            let planned: u64 = join.segments.iter().map(|segment| segment.frames.count).sum();
            if there == planned {
                Ok(format!("{there} frames, as planned"))
            } else {
                Err(format!("{there} frames instead of {planned}"))
            }
        }
        MergeFrom::WholeTitle(_) if there == 0 => Err("no frames".to_owned()),
        MergeFrom::WholeTitle(_) => Ok(format!("{there} frames")),
    }
}

/// Compares the first and the last frame of every segment with the plan, in exact fractions of a second:
/// all may be moved by the same time, and each is rounded by at most half a tick of the output.
fn joins(pts: &[i64], timebase: Timebase, join: &Join) -> Result<String, String> {
    let planned = join.film.timebase;
    let tick = i128::from(timebase.num()) * i128::from(planned.den());
    let second = i128::from(timebase.den()) * i128::from(planned.den());
    let distance = |seen: i64, plan: i64| {
        i128::from(seen) * tick
            - i128::from(plan) * i128::from(planned.num()) * i128::from(timebase.den())
    };
    let mut position = 0_usize;
    let mut range: Option<(i128, i128)> = None;
    for (number, segment) in join.segments.iter().enumerate() {
        let count = usize::try_from(segment.frames.count).unwrap_or(usize::MAX);
        let last = position.saturating_add(count).saturating_sub(1);
        let (Some(first_pts), Some(last_pts)) = (pts.get(position), pts.get(last)) else {
            return Err(format!("segment {number} is not there in full"));
        };
        let ends = [(*first_pts, segment.frames.first_pts), (*last_pts, segment.frames.last_pts)];
        for (seen, plan) in ends {
            let moved = distance(seen, plan);
            let (low, high) = range.unwrap_or((moved, moved));
            let (low, high) = (low.min(moved), high.max(moved));
            let too_early = low < -(tick / 2 + second / MUXER_SHIFT_BACK_PER_SECOND);
            let too_late = high > tick / 2 + second * MUXER_SHIFT_SECONDS_MAX;
            if too_early || too_late || high - low > tick {
                let micros = moved.saturating_mul(1_000_000) / second;
                return Err(format!(
                    "segment {number}: PTS {seen} stands {} from the plan",
                    seconds(i64::try_from(micros).unwrap_or(i64::MAX))
                ));
            }
            range = Some((low, high));
        }
        position = position.saturating_add(count);
    }
    let segments = join.segments.len();
    Ok(format!(
        "first and last frame of {} within half a tick of {}/{} s",
        counted(segments, "segment"),
        timebase.num(),
        timebase.den()
    ))
}

fn increasing(times: &[i64], expected: usize) -> Result<String, String> {
    if times.len() != expected {
        return Err(format!("{} of {expected} frames have none", expected - times.len()));
    }
    match times.windows(2).position(|pair| pair[1] <= pair[0]) {
        Some(position) => Err(format!(
            "{} follows {} at frame {}",
            times[position + 1],
            times[position],
            position + 1
        )),
        None => Ok(format!("{expected} in a row")),
    }
}

/// Whether a player's buffer never runs empty. What was made in one go keeps whatever its encoder keeps.
fn buffer(film: &MadeStream, packets: &[Packet], work: &MergeWork) -> Option<Check> {
    let limit = work.buffer?;
    match work.from {
        MergeFrom::Parts(_) => {}
        MergeFrom::WholeTitle(_) => return None,
    }
    let result = match film.timebase().map(|timebase| limit.run(packets, timebase)) {
        Some(Ok(lowest)) => Ok(format!("never below {}.{} %", lowest / 10, lowest % 10)),
        Some(Err(empty)) => {
            Err(format!("it lacks {} bits at packet {}", empty.missing, empty.packet))
        }
        None => Err("the output's timebase is unknown".to_owned()),
    };
    Some(check("player's buffer", result))
}

/// How near the film or the file came to its wished size. It is no fault if an encoder cannot spend more, or needs
/// more, so that this never fails.
fn size(
    aim: RateAim,
    film: Option<(&MadeStream, &[Packet])>,
    file_bytes: Option<u64>,
) -> Option<Check> {
    let (seen, wished, unit) = match aim {
        RateAim::FileBytes(wished) => (file_bytes?, wished, "bytes"),
        RateAim::BitsPerSecond(wished) => {
            let (film, packets) = film?;
            let pts = sorted_pts(packets);
            let (first, last) = (*pts.first()?, *pts.last()?);
            // The last frame lasts as long as the others do on average.
            let between = u64::try_from(packets.len()).ok()?.checked_sub(1).filter(|n| *n > 0)?;
            let span = u64::try_from(film.timebase()?.micros(last.saturating_sub(first))).ok()?;
            let micros = u128::from(span) * u128::from(between + 1) / u128::from(between);
            let bytes: u64 = packets.iter().map(|packet| u64::from(packet.size)).sum();
            let bits = rate::bits_per_second(bytes.saturating_mul(8), u64::try_from(micros).ok()?);
            (bits, wished, "bits per second")
        }
    };
    let off = (i128::from(seen) - i128::from(wished)) * 1000 / i128::from(wished.max(1));
    let sign = if off < 0 { "-" } else { "+" };
    let off = off.unsigned_abs();
    let detail = format!("{seen} {unit}, {sign}{}.{} % of {wished}", off / 10, off % 10);
    Some(check("wished size", Ok(detail)))
}

/// Formats whose decoders need what the header holds, in every container of ours.
fn parameter_sets(film: &MadeStream) -> Result<String, String> {
    let needed = matches!(film.codec_name.as_str(), "h264" | "hevc" | "av1");
    match film.extradata_sha256() {
        Some(digest) => Ok(format!("sha256 {digest}")),
        None if needed => Err(format!("the header has none for {}", film.codec_name)),
        None => Ok("in the stream".to_owned()),
    }
}

fn duration(file: &MadeFile, film: &MadeStream, packets: &[Packet]) -> Check {
    let told = file.format.duration.as_deref().and_then(micros);
    let pts = sorted_pts(packets);
    let span = match (film.timebase(), pts.first(), pts.last()) {
        (Some(timebase), Some(first), Some(last)) => timebase.micros(last.saturating_sub(*first)),
        _ => 0,
    };
    let result = match told {
        Some(told) if told >= span => {
            Ok(format!("{}, the film spans {}", seconds(told), seconds(span)))
        }
        Some(told) => Err(format!("{}, but the film spans {}", seconds(told), seconds(span))),
        // Some containers tell none.
        None => Ok("the container tells none".to_owned()),
    };
    check("duration", result)
}

/// Microseconds as people read them, such as `20.038 s`; what is left of a millisecond is cut off only
/// where it is nothing.
fn seconds(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let (whole, rest) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
    match rest % 1000 {
        0 => format!("{sign}{whole}.{:03} s", rest / 1000),
        _ => format!("{sign}{whole}.{rest:06} s"),
    }
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// The film's frames on the plan's clock, as near as the output's ticks allow.
fn film_frames(film: &MadeStream, packets: &[Packet], from: &MergeFrom) -> Option<Frames> {
    let timebase = film.timebase()?;
    match from {
        MergeFrom::Parts(join) => observe::frames(packets, timebase, join.film.timebase, 0),
        MergeFrom::WholeTitle(_) => observe::frames(packets, timebase, timebase, 0),
    }
}

#[cfg(test)]
mod tests;
