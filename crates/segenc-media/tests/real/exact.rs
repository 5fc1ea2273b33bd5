//! What comes out of segments equals what one plain ffmpeg makes.

use std::collections::BTreeMap;
use std::path::Path;

use segenc_core::failure::FailureKind;
use segenc_core::plan::{Origin, OutputStream};
use segenc_core::source::StreamKind;
use segenc_core::work::{Decode, MergeFrom, MergeWork, MergedStream, SegmentWork, StreamsWork};
use segenc_media::{
    Made, MediaInput, WorkError, encode_segment, encode_whole, merge, probe, usable_encoders,
};

use crate::farm::{Farm, Wish, attempt, options};
use crate::media;

/// Options with their values.
type Options = &'static [(&'static str, &'static str)];

/// Without B-frames, whatever it is told: x264 makes none when it is lossless.
const LOSSLESS: &[(&str, &str)] = &[("qp", "0"), ("preset", "veryfast")];

/// Makes the same with one plain ffmpeg and compares all that a viewer could notice.
async fn compare(source: &Path, wish: &Wish<'_>, extension: &str) {
    let farm = Farm::look(source).await;
    let ours = farm.make(wish).await.unwrap_or_else(|error| panic!("{error}"));
    compare_with_single(&farm, source, wish, extension, &ours);
}

/// The same for what was made already.
pub(crate) fn compare_with_single(
    farm: &Farm,
    source: &Path,
    wish: &Wish<'_>,
    extension: &str,
    ours: &Made,
) {
    let single = farm.scratch.path().join(format!("single.{extension}"));
    let mut args =
        vec!["-i".to_owned(), media::text(source).to_owned(), "-map".to_owned(), "0".to_owned()];
    args.extend(["-c", "copy", "-c:v:0", wish.encoder].map(str::to_owned));
    if let Some(filter) = wish.filter {
        args.extend(["-vf".to_owned(), filter.to_owned()]);
    }
    for (name, value) in wish.options.iter().chain(wish.sound) {
        args.extend([format!("-{name}"), (*value).to_owned()]);
    }
    args.extend(["-fps_mode", "passthrough", "-enc_time_base", "-1"].map(str::to_owned));
    args.push(media::text(&single).to_owned());
    media::ffmpeg(&args.iter().map(String::as_str).collect::<Vec<_>>());

    assert_eq!(media::frame_digests(&ours.path), media::frame_digests(&single), "frames");
    if farm.facts.streams.len() > 1 {
        let (ours, single) = (media::stream_digests(&ours.path), media::stream_digests(&single));
        assert_eq!(ours, single, "other streams");
    }
    for stream in 0..farm.facts.streams.len() {
        let stream = stream.to_string();
        assert_eq!(
            media::pts(&ours.path, &stream),
            media::pts(&single, &stream),
            "PTS of stream {stream}"
        );
    }
    let (added, lost) = (only_in(&ours.path, &single), only_in(&single, &ours.path));
    assert_eq!((added, lost), (Vec::new(), Vec::new()), "headers: added and lost");
    assert!(ours.observed.checks.iter().all(|check| check.passed));
    assert!(ours.observed.checks.iter().any(|check| check.name == "decode"));
    let frames = ours.observed.frames.as_ref().expect("a film has frames");
    assert_eq!(frames.count, u64::try_from(media::pts(&single, "0").len()).expect("a few"));
}

/// Lines of the headers of one that the other has not. Matroska's tag with the duration of a stream comes from
/// the length of its last packet, which a second container may round once more.
fn only_in(one: &Path, other: &Path) -> Vec<String> {
    let other = media::headers(other);
    let here = media::headers(one);
    let lines = here.lines().filter(|line| !line.contains(".tags.DURATION="));
    lines.filter(|line| !other.lines().any(|there| there == *line)).map(str::to_owned).collect()
}

#[tokio::test]
async fn open_gop_matroska_becomes_what_one_ffmpeg_makes() {
    let wish = Wish {
        encoder: "libx264",
        options: LOSSLESS,
        filter: None,
        sound: &[],
        container: "matroska",
        segments: 4,
        around: 0,
    };
    compare(media::matroska(), &wish, "mkv").await;
}

/// Lossless by way of a constant quality: the mode in which x264 is shown frames beyond its segment.
const SHOWN_MORE: &[(&str, &str)] = &[("crf", "0"), ("preset", "veryfast")];

#[tokio::test]
async fn what_the_encoder_is_shown_beyond_a_segment_leaves_nothing_behind() {
    for (source, extension, filter, around) in [
        (media::matroska(), "mkv", None, 0),
        (media::mp4(), "mp4", Some("tmix=frames=3,crop=160:90"), 8),
        (media::mp4(), "mkv", Some("crop=160:90"), 0),
    ] {
        let container = if extension == "mkv" { "matroska" } else { "mp4" };
        let (encoder, options) = ("libx264", SHOWN_MORE);
        let wish = Wish { encoder, options, filter, sound: &[], container, segments: 4, around };
        compare(source, &wish, extension).await;
    }
}

#[tokio::test]
async fn the_last_frames_of_a_segment_are_worth_as_much_as_in_mid_film() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = folder.path().join("still.mkv");
    // A texture that moves slowly behind a little grain: each frame is predicted from the one before.
    let film = "color=gray:size=320x240:rate=25,noise=alls=90,gblur=1.5,trim=end_frame=1,loop=loop=99:size=1:start=0,setpts=N/25/TB,crop=300:220:t*10:0,noise=alls=9:allf=t";
    let codec = ["-c:v", "libx264", "-qp", "12", "-preset", "veryfast", "-g", "25"];
    media::ffmpeg(&[&["-f", "lavfi", "-i", film], &codec[..], &[media::text(&source)]].concat());
    let farm = Farm::look(&source).await;
    let wish = Wish {
        encoder: "libx264",
        options: &[("crf", "24"), ("preset", "faster")],
        filter: None,
        sound: &[],
        container: "matroska",
        segments: 2,
        around: 0,
    };
    let shown = farm.segments(&wish).swap_remove(0);
    assert!(shown.lookahead_end.is_some());
    let alone = SegmentWork { lookahead_end: None, ..shown.clone() };
    let mut last = Vec::new();
    for (name, work) in [("shown", shown), ("alone", alone)] {
        let folder = farm.folder(name);
        let made = encode_segment(&attempt(&farm.tools, &folder), &farm.source, &work).await;
        let made = made.unwrap_or_else(|error| panic!("{error}"));
        let sizes = media::packet_sizes(&made.path);
        assert_eq!(sizes.len() as u64, work.expected.count);
        last.push(sizes.iter().rev().take(8).sum::<u64>());
    }
    assert!(last[0] > 2 * last[1], "bytes of the last frames, shown more and alone: {last:?}");
}

#[tokio::test]
async fn sound_encoded_for_the_whole_title_stays_in_time() {
    let wish = Wish {
        encoder: "ffv1",
        options: &[],
        filter: None,
        sound: &[("c:a", "libopus"), ("b:a", "48k")],
        container: "matroska",
        segments: 3,
        around: 0,
    };
    compare(media::matroska(), &wish, "mkv").await;
}

#[tokio::test]
async fn mp4_becomes_what_one_ffmpeg_makes() {
    let wish = Wish {
        encoder: "libx264",
        options: LOSSLESS,
        filter: None,
        sound: &[("c:a", "aac"), ("b:a", "64k")],
        container: "mp4",
        segments: 3,
        around: 0,
    };
    compare(media::mp4(), &wish, "mp4").await;
}

#[tokio::test]
async fn copied_sound_with_coarse_times_is_rounded_as_in_one_ffmpeg() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = folder.path().join("source.mkv");
    // 44.1 kHz: a packet is no whole number of Matroska's milliseconds.
    let sound = "sine=sample_rate=44100:duration=4";
    let film = "testsrc2=size=160x90:rate=25:duration=4";
    let inputs = ["-f", "lavfi", "-i", film, "-f", "lavfi", "-i", sound];
    let codecs = ["-c:v", "mpeg4", "-g", "10", "-c:a", "aac", media::text(&source)];
    media::ffmpeg(&[&inputs[..], &codecs].concat());
    let wish = Wish {
        encoder: "libx264",
        options: LOSSLESS,
        filter: None,
        sound: &[],
        container: "mp4",
        segments: 3,
        around: 0,
    };
    compare(&source, &wish, "mp4").await;
}

#[tokio::test]
async fn tags_that_plain_ffmpeg_leaves_out_are_left_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = folder.path().join("source.mkv");
    let film = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=3", "-c:v", "mpeg4"];
    let tags = ["title=A film", "company_name=C", "product_name=P", "product_version=1.0"];
    let tags = tags.iter().flat_map(|tag| ["-metadata", tag]);
    let args: Vec<&str> = film.into_iter().chain(tags).chain([media::text(&source)]).collect();
    media::ffmpeg(&args);
    let wish = Wish {
        encoder: "ffv1",
        options: &[],
        filter: None,
        sound: &[],
        container: "matroska",
        segments: 2,
        around: 0,
    };
    compare(&source, &wish, "mkv").await;
}

#[tokio::test]
async fn filters_that_look_at_neighbours_get_them() {
    let wish = Wish {
        encoder: "libx264",
        options: LOSSLESS,
        filter: Some("tmix=frames=3,crop=160:90"),
        sound: &[],
        container: "matroska",
        segments: 3,
        around: 8,
    };
    compare(media::mp4(), &wish, "mkv").await;
}

#[tokio::test]
async fn every_kind_of_encoder_can_be_joined() {
    let farm = Farm::look(media::mp4()).await;
    let encoders: &[(&str, Options, &str)] = &[
        // With B-frames, and keyframes that frames before them are predicted from.
        ("libx264", &[("crf", "30"), ("x264-params", "open-gop=1:bframes=5:b-adapt=0")], "mp4"),
        ("libx265", &[("preset", "ultrafast"), ("x265-params", "bframes=3:open-gop=1")], "mp4"),
        ("libsvtav1", &[("preset", "12"), ("crf", "50")], "webm"),
        ("libvpx-vp9", &[("deadline", "realtime"), ("cpu-used", "8"), ("b:v", "200k")], "webm"),
        ("libvpx", &[("deadline", "realtime"), ("cpu-used", "8"), ("b:v", "200k")], "matroska"),
        ("mpeg4", &[("bf", "2"), ("q:v", "5")], "avi"),
        ("libx264", &[("preset", "veryfast")], "mpegts"),
        ("prores_ks", &[("profile:v", "1")], "mov"),
        ("huffyuv", &[], "matroska"),
    ];
    let there = usable_encoders(&farm.tools).await;
    for (encoder, options, container) in encoders {
        if !there.iter().any(|name| name == encoder) {
            continue;
        }
        let wish =
            Wish { encoder, options, filter: None, sound: &[], container, segments: 2, around: 0 };
        let made = farm
            .film_only()
            .make(&wish)
            .await
            .unwrap_or_else(|error| panic!("{encoder} in {container}: {error}"));
        let count = made.observed.checks.iter().find(|check| check.name == "frame count");
        let detail = count.map(|check| check.detail.as_str());
        assert_eq!(detail, Some("150 frames, as planned"), "{encoder} in {container}");
    }
}

#[tokio::test]
async fn frames_other_than_planned_are_a_mismatch() {
    let farm = Farm::look(media::mp4()).await;
    let wish = Wish {
        encoder: "ffv1",
        options: &[],
        filter: None,
        sound: &[],
        container: "matroska",
        segments: 3,
        around: 0,
    };
    let mut work = farm.segments(&wish).swap_remove(1);
    work.expected.count += 1;
    let made =
        encode_segment(&attempt(&farm.tools, farm.scratch.path()), &farm.source, &work).await;
    let Err(WorkError::Failed(failure)) = made else { panic!("{made:?}") };
    assert_eq!(
        (failure.kind, failure.reason.as_str()),
        (FailureKind::Mismatch, "segment-not-as-planned")
    );
    assert_eq!(failure.message, "encoding segment 1: 50 frames instead of 51");
}

#[tokio::test]
async fn a_whole_title_is_made_and_facts_are_told() {
    let farm = Farm::look(media::matroska()).await;
    assert_eq!(farm.facts.demuxer, "matroska,webm");
    assert_eq!(farm.facts.chapters, 2);
    let kinds: Vec<StreamKind> = farm.facts.streams.iter().map(|stream| stream.kind).collect();
    assert_eq!(
        kinds,
        [StreamKind::Video, StreamKind::Audio, StreamKind::Audio, StreamKind::Subtitle]
    );
    assert_eq!(farm.facts.streams[2].language.as_deref(), Some("fra"));
    assert_eq!(farm.facts.streams[2].dispositions, ["comment"]);

    let work = StreamsWork {
        demuxer: farm.facts.demuxer.clone(),
        source_streams: vec![0, 2],
        options: options(&[("c:v", "libx264"), ("preset", "ultrafast"), ("c:a", "copy")]),
        container: "mp4".to_owned(),
    };
    let attempt = attempt(&farm.tools, farm.scratch.path());
    let made = encode_whole(&attempt, &farm.source, &work).await.expect("a usual title");
    let frames = attempt.progress.subscribe().borrow().frames;
    assert_eq!(frames, u64::try_from(farm.packets.len()).expect("a few"), "progress was told");
    let facts = probe(&attempt, &MediaInput::File(made.path)).await.expect("it is media");
    assert_eq!(facts.streams.len(), 3, "film, sound and the track of the chapters");
}

#[tokio::test]
async fn the_film_s_own_subtitles_are_burnt_in_as_by_one_ffmpeg() {
    let tools = segenc_media::Tools::find().await.expect("the tests need ffmpeg");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = folder.path().join("it's a film: [1], one.mkv");
    std::fs::copy(media::matroska(), &source).expect("the film is copied");
    let work = |filter: &str| StreamsWork {
        demuxer: "matroska,webm".to_owned(),
        source_streams: vec![0],
        options: options(&[("vf", filter), ("c:v", "ffv1")]),
        container: "matroska".to_owned(),
    };
    let mut made = Vec::new();
    for (name, filter) in [("burnt", "subtitles={source}:si=0,null"), ("bare", "null")] {
        let place = folder.path().join(name);
        std::fs::create_dir(&place).expect("the folder is new");
        let input = MediaInput::File(source.clone());
        let whole = encode_whole(&attempt(&tools, &place), &input, &work(filter)).await;
        made.push(media::frame_digests(&whole.unwrap_or_else(|error| panic!("{error}")).path));
    }
    let single = folder.path().join("single.mkv");
    let filter = format!("subtitles={}:si=0", media::text(media::matroska()));
    let plain = ["-i", media::text(&source), "-map", "0:0", "-c:v", "ffv1", "-vf", &filter];
    let times = ["-fps_mode", "passthrough", "-enc_time_base", "-1", media::text(&single)];
    media::ffmpeg(&[&plain[..], &times].concat());
    assert!(made[0] == media::frame_digests(&single), "other pictures than those of plain ffmpeg");
    assert!(made[0] != made[1], "nothing was burnt in");
}

#[tokio::test]
async fn a_damaged_output_is_not_verified() {
    let farm = Farm::look(media::mp4()).await;
    let work = StreamsWork {
        demuxer: farm.facts.demuxer.clone(),
        source_streams: vec![0],
        options: options(&[("c:v", "libx264"), ("preset", "ultrafast")]),
        container: "matroska".to_owned(),
    };
    let made =
        encode_whole(&attempt(&farm.tools, &farm.folder("whole")), &farm.source, &work).await;
    let made = made.expect("a usual title");
    let check = |name: &str, verify| {
        let work = MergeWork {
            demuxer: farm.facts.demuxer.clone(),
            container: "matroska".to_owned(),
            from: MergeFrom::WholeTitle(1),
            streams: vec![MergedStream {
                stream: OutputStream { source_stream: 0, origin: Origin::Film },
                kind: StreamKind::Video,
                dispositions: Vec::new(),
            }],
            decode: verify,
            size: None,
            buffer: None,
        };
        let inputs = BTreeMap::from([(1, MediaInput::File(made.path.clone()))]);
        let folder = farm.folder(name);
        let farm = &farm;
        async move { merge(&attempt(&farm.tools, &folder), &inputs, &work).await }
    };
    let whole = check("intact", Decode::Everything).await.expect("nothing is wrong with it");
    assert_eq!(whole.path, made.path);
    assert_eq!(whole.observed.frames.map(|frames| frames.count), Some(150));

    let mut bytes = std::fs::read(&made.path).expect("it was made");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 20_000].fill(0);
    std::fs::write(&made.path, bytes).expect("scratch");
    let damaged = check("damaged", Decode::Everything).await;
    let Err(WorkError::Failed(failure)) = damaged else { panic!("{damaged:?}") };
    assert_eq!(
        (failure.kind, failure.reason.as_str()),
        (FailureKind::Mismatch, "output-not-verified")
    );
}
