//! Filters that change which frames there are: planned by the planner, made in segments, compared with one ffmpeg.

use std::path::{Path, PathBuf};

use segenc_core::plan::{Film, Planner};
use segenc_core::spec::{JobSpec, VideoSpec};
use segenc_core::work::{Pass, SegmentWork};
use segenc_media::options::parse;

use crate::exact::compare_with_single;
use crate::farm::{Farm, Wish};
use crate::media;

/// Fewer are no proof.
const LEAST_SEGMENTS: usize = 3;

fn planned(farm: &Farm, filter: &str) -> (Film, Vec<SegmentWork>) {
    let args = ["-c:v", "ffv1", "-vf", filter].map(str::to_owned);
    let spec = parse(&args, None, Some("out.mkv")).expect("the filter is allowed");
    let spec = JobSpec { segment_seconds: Some(1), ..spec };
    let VideoSpec::Encode(video) = &spec.video else { panic!("the film is encoded") };
    let mut planner = Planner::new(&spec, &farm.facts).expect("there is a film");
    let header = planner.header().clone();
    let film = header.film.expect("it is encoded");
    let mut segments = planner.push(&farm.packets).expect("the film can be cut");
    segments.extend(planner.finish().expect("the film can be cut"));
    assert!(segments.len() >= LEAST_SEGMENTS, "{} segments: {:?}", segments.len(), header.way);
    let works = segments.into_iter().map(|segment| SegmentWork {
        demuxer: farm.facts.demuxer.clone(),
        film: film.clone(),
        index: segment.index,
        range: segment.range,
        filter_range: segment.filter_range,
        lookahead_end: segment.lookahead_end,
        seek_micros: segment.seek_micros,
        encoder: video.encoder.clone(),
        options: video.options.clone(),
        filter: video.filter.clone(),
        expected: segment.expected,
        threads: 1,
        pass: Pass::Only,
    });
    let works = works.collect();
    (film, works)
}

async fn check(source: &Path, filter: &str) {
    let farm = Farm::look(source).await;
    let wish = Wish {
        encoder: "ffv1",
        options: &[],
        filter: Some(filter),
        sound: &[],
        container: "matroska",
        segments: 0,
        around: 0,
    };
    let (film, works) = planned(&farm, filter);
    let ours = farm.make_of(film, works, &wish).await;
    let ours = ours.unwrap_or_else(|error| panic!("{filter}: {error}"));
    compare_with_single(&farm, source, &wish, "mkv", &ours);
}

/// Frames of 40 ms and of 59.011 ms by turns, in ticks of 1/90000 s, beginning at 1.4 s.
fn uneven(folder: &Path) -> PathBuf {
    let path = folder.join("uneven.mp4");
    let film = "testsrc2=size=64x48:rate=25:duration=6";
    let times = "settb=1/90000,setpts=PTS+gt(mod(N\\,5)\\,2)*1711";
    let clock = ["-fps_mode", "passthrough", "-enc_time_base", "-1"];
    let ticks = ["-video_track_timescale", "90000", "-output_ts_offset", "1.4"];
    let codec = ["-c:v", "mpeg4", "-g", "10", "-bf", "2", media::text(&path)];
    let input = ["-f", "lavfi", "-i", film, "-vf", times];
    media::ffmpeg(&[&input[..], &clock, &ticks, &codec].concat());
    path
}

/// 29.97 interlaced frames a second, in Matroska's milliseconds.
fn interlaced(folder: &Path) -> PathBuf {
    let path = folder.join("interlaced.mkv");
    let film = "testsrc2=size=64x64:rate=60000/1001:duration=6";
    let fields = "tinterlace=interleave_top,setfield=tff";
    let codec = ["-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-g", "10", "-bf", "2"];
    let input = ["-f", "lavfi", "-i", film, "-vf", fields];
    media::ffmpeg(&[&input[..], &codec, &[media::text(&path)]].concat());
    path
}

#[tokio::test]
async fn a_clock_of_its_own_ticks_on_over_cuts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = uneven(folder.path());
    check(&source, "fps=24000/1001").await;
    check(&source, "fps=10:round=up:eof_action=pass").await;
    check(&source, "scale=48:32,fps=50,tmix=frames=3").await;
}

#[tokio::test]
async fn fields_become_frames_over_cuts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = interlaced(folder.path());
    check(&source, "yadif=1").await;
    check(&source, "estdif,tmix=frames=3").await;
    check(&source, "yadif,fps=25").await;
}
