//! The structure of sources: what ffprobe and ffmpeg find in real films does not depend on the holes in them.

use std::path::Path;
use std::process::Command;

use segenc_proto::grpc;
use serde_json::json;

use crate::support::{Farm, Folders, Worker, input_path, source_bytes, text};

/// The films made here are smaller.
const FILM_BYTES_MAX: usize = 64 * 1024 * 1024;
const MEDIA_TYPE: &str = "application/vnd.segenc.structure";

/// What the program says on its standard output.
#[expect(clippy::disallowed_methods, reason = "the rule is for the program, not for what tests it")]
fn said(program: &str, words: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(words).output().expect("the tests need ffmpeg");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {words:?}: {log}");
    output.stdout
}

/// A film of four seconds whose pictures take some megabytes, with sound, made by these words.
fn make(path: &Path, encoder: &[&str]) {
    let mut words = vec!["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i"];
    words.push("testsrc2=s=480x270:r=30:d=4,noise=alls=60:allf=t");
    words.extend(["-f", "lavfi", "-i", "sine=f=330:d=4"]);
    words.extend(encoder);
    words.push(text(path));
    said("ffmpeg", &words);
}

/// Puts zeros into the holes.
fn put_together(mut records: &[u8]) -> Vec<u8> {
    let mut film = Vec::new();
    let number = |records: &mut &[u8]| {
        let mut value = 0;
        for index in 0.. {
            let (byte, rest) = records.split_first().expect("a number is whole");
            *records = rest;
            value |= usize::from(byte & 0x7f) << (index * 7);
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    };
    while !records.is_empty() {
        let hole = number(&mut records);
        let length = number(&mut records);
        assert!(film.len() + hole + length <= FILM_BYTES_MAX, "records of more than the film");
        film.resize(film.len() + hole, 0);
        let (told, rest) = records.split_at(length);
        film.extend_from_slice(told);
        records = rest;
    }
    film
}

/// A farm over a source of these bytes, whose worker holds the analysis.
async fn with_source(bytes: &[u8]) -> (Farm, Worker, grpc::Task) {
    let folders = Folders::new();
    std::fs::write(folders.source(), bytes).expect("source");
    let farm = Farm::over(folders).await;
    let mut worker = farm.worker("one").await;
    farm.job(json!({})).await;
    let task = worker.task().await;
    (farm, worker, task)
}

/// All that an analysis or a merge looks at.
fn looked_at(film: &Path) -> Vec<Vec<u8>> {
    let film = text(film);
    let list = ["-v", "error", "-show_entries", "packet=stream_index,pts,dts,size,flags", "-of"];
    let facts = ["-v", "error", "-show_streams", "-show_entries", "format=start_time,duration"];
    let copied = ["-map", "0", "-map", "-0:v", "-c", "copy", "-f", "streamhash", "-"];
    vec![
        said("ffprobe", &[&list[..], &["csv=p=0", film]].concat()),
        said("ffprobe", &[&facts[..], &[film]].concat()),
        said("ffmpeg", &[&["-nostdin", "-v", "error", "-i", film], &copied[..]].concat()),
    ]
}

#[tokio::test]
async fn films_with_holes_have_the_same_packets() {
    let x264 = ["-c:v", "libx264", "-preset", "ultrafast", "-qp", "1", "-bf", "2", "-g", "25"];
    let open = ["-c:v", "libx264", "-preset", "veryfast", "-qp", "1", "-x264-params"];
    let open = [&open[..], &["open-gop=1:keyint=20:slices=3:pic-struct=1"]].concat();
    let x265 = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params"];
    let x265 = [&x265[..], &["qp=2:keyint=20:bframes=3:log-level=error"]].concat();
    let mpeg4 = ["-c:v", "mpeg4", "-q:v", "1", "-bf", "2", "-g", "20"];
    let fragments = ["-movflags", "+frag_keyframe+empty_moov+default_base_moof"];
    let made = [
        ("in.mkv", x264.to_vec()),
        ("in.mp4", x264.to_vec()),
        ("in.mp4", [&x264[..], &["-movflags", "+faststart"]].concat()),
        ("in.mov", [&open[..], &fragments[..]].concat()),
        ("in.mkv", open),
        ("in.mkv", x265.clone()),
        ("in.mp4", x265),
        ("in.mp4", mpeg4.to_vec()),
    ];
    for (name, encoder) in made {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (whole, holed) =
            (folder.path().join(name), folder.path().join(format!("holed-{name}")));
        make(&whole, &encoder);
        let bytes = std::fs::read(&whole).expect("it was made");
        let (_farm, worker, task) = with_source(&bytes).await;
        let path = input_path(&task, 0);
        let answer = worker.files.get(&format!("{path}?holes=video")).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], MEDIA_TYPE);
        let records = answer.bytes().await.expect("records");
        assert!(records.len() < bytes.len() * 9 / 10, "{encoder:?}: {} bytes", bytes.len());
        let film = put_together(&records);
        assert_eq!(film.len(), bytes.len());
        std::fs::write(&holed, film).expect("it fits");
        assert!(looked_at(&whole) == looked_at(&holed), "{name} {encoder:?}");
        let from = bytes.len() - 1000;
        let rest = worker.files.get(&format!("{path}?holes=video&from={from}")).await;
        assert_eq!(put_together(&rest.bytes().await.expect("records")).len(), 1000);
    }
}

#[tokio::test]
async fn the_structure_is_counted_and_tagged_like_the_source() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("in.mkv");
    make(&path, &["-c:v", "libx264", "-preset", "ultrafast"]);
    let (farm, worker, task) = with_source(&std::fs::read(&path).expect("it was made")).await;
    let plain = worker.files.get(&input_path(&task, 0)).await;
    let etag = plain.headers()["etag"].clone();
    let before = plain.bytes().await.expect("bytes").len();
    let answer = worker.files.get(&format!("{}?holes=video", input_path(&task, 0))).await;
    assert_eq!(answer.headers()["etag"], etag);
    let told = answer.bytes().await.expect("records").len();
    let workers = farm.operator.get_json("/api/workers").await;
    let fetched = workers[0]["source_bytes_fetched"].as_u64();
    assert_eq!(fetched, u64::try_from(before + told).ok(), "{workers}");
}

#[tokio::test]
async fn what_has_no_structure_is_without_content() {
    let (farm, worker, task) = with_source(&source_bytes()).await;
    let path = format!("{}?holes=video", input_path(&task, 0));
    assert_eq!(worker.files.get(&path).await.status(), 204);
    let other = format!("{}?holes=sound", input_path(&task, 0));
    assert_eq!(worker.files.get(&other).await.status(), 400);
    let stranger = farm.worker("two").await;
    assert_eq!(stranger.files.get(&path).await.status(), 403);
}
