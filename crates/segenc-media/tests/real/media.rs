//! Makes media for the tests, each once for the whole run, and runs plain ffmpeg to compare with.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

/// A folder for all tests of this run.
pub(crate) fn folder() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| TempDir::new().expect("a temporary folder")).path()
}

/// Runs a program and answers its stdout; a bad end is shown with its stderr.
pub(crate) fn run(program: &str, args: &[&str]) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test compares with programs that the product does not start"
    )]
    let output = Command::new(program).args(args).output().expect("the program is installed");
    assert!(
        output.status.success(),
        "{program} {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn ffmpeg(args: &[&str]) -> String {
    let mut all = vec!["-nostdin", "-v", "error", "-y"];
    all.extend(args);
    run("ffmpeg", &all)
}

/// A path as text; the tests' own folder is plain.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// Seven seconds at 30000/1001 with open GOPs, B-frames and noise, two audio tracks, subtitles and chapters.
pub(crate) fn matroska() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let folder = folder();
        let path = folder.join("source.mkv");
        let subtitles = folder.join("a.srt");
        std::fs::write(&subtitles, "1\n00:00:01,000 --> 00:00:03,000\nhello\n").expect("scratch");
        let chapters = folder.join("chapters.txt");
        let text_of_chapters = ";FFMETADATA1\ntitle=A film\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=3000\ntitle=One\n\
             [CHAPTER]\nTIMEBASE=1/1000\nSTART=3000\nEND=7000\ntitle=Two\n";
        std::fs::write(&chapters, text_of_chapters).expect("scratch");
        let inputs = [
            "-f", "lavfi", "-i", "testsrc2=s=320x180:r=30000/1001:d=7",
            "-f", "lavfi", "-i", "sine=f=440:r=48000:d=7.2",
            "-i", text(&subtitles), "-f", "ffmetadata", "-i", text(&chapters),
        ];
        let outputs = [
            "-map", "0:v", "-map", "1:a", "-map", "1:a", "-map", "2:s", "-map_metadata", "3", "-map_chapters", "3",
            "-vf", "noise=alls=10:allf=t,setsar=4/3", "-c:v", "libx264", "-preset", "veryfast", "-crf", "30",
            "-bf", "3", "-x264-params", "open-gop=1:keyint=48", "-colorspace", "bt709", "-color_primaries", "bt709",
            "-color_trc", "bt709", "-c:a", "aac", "-b:a", "48k",
            "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fra", "-metadata:s:a:1", "title=Second",
            "-disposition:a:0", "default", "-disposition:a:1", "comment",
        ];
        ffmpeg(&[&inputs[..], &outputs[..], &[text(&path)]].concat());
        path
    })
}

/// The film and the sound of [`matroska`] in MP4, where the edit list hides the encoder's delay.
pub(crate) fn mp4() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let path = folder().join("source.mp4");
        ffmpeg(&[
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=320x180:r=25:d=6",
            "-f",
            "lavfi",
            "-i",
            "sine=r=44100:d=6",
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-crf",
            "30",
            "-bf",
            "3",
            "-x264-params",
            "open-gop=1:keyint=40",
            "-c:a",
            "aac",
            text(&path),
        ]);
        path
    })
}

/// Every frame of the film decoded: its PTS and the digest of its pixels.
pub(crate) fn frame_digests(path: &Path) -> Vec<(String, String)> {
    let listing = ffmpeg(&[
        "-i",
        text(path),
        "-map",
        "0:V:0",
        "-fps_mode",
        "passthrough",
        "-enc_time_base",
        "-1",
        "-copyts",
        "-f",
        "framemd5",
        "-",
    ]);
    let frames = listing.lines().filter(|line| !line.starts_with('#'));
    frames
        .map(|line| {
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            (fields[2].to_owned(), fields[5].to_owned())
        })
        .collect()
}

/// One digest for each stream beside the film, over its packets as they are.
pub(crate) fn stream_digests(path: &Path) -> String {
    ffmpeg(&["-i", text(path), "-map", "0", "-map", "-0:V", "-c", "copy", "-f", "streamhash", "-"])
}

/// PTS of all packets of a stream, sorted.
pub(crate) fn pts(path: &Path, stream: &str) -> Vec<i64> {
    let mut pts = of_packets(path, stream, "pts");
    pts.sort_unstable();
    pts
}

/// Sizes of the first stream's packets in bytes, in decoding order.
pub(crate) fn packet_sizes(path: &Path) -> Vec<u64> {
    of_packets(path, "0", "size")
}

/// What ffprobe says of each packet of a stream.
fn of_packets<T: std::str::FromStr>(path: &Path, stream: &str, what: &str) -> Vec<T> {
    let entry = format!("packet={what}");
    let asked = ["-v", "error", "-select_streams", stream, "-show_entries", &entry];
    let listing = run("ffprobe", &[&asked[..], &["-of", "csv=p=0", text(path)]].concat());
    listing.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect()
}

/// What headers say: streams with tags and dispositions, chapters, tags of the file.
pub(crate) fn headers(path: &Path) -> String {
    run(
        "ffprobe",
        &[
            "-v",
            "error",
            "-show_chapters",
            "-show_entries",
            "format_tags:stream=index,codec_name,time_base,r_frame_rate,avg_frame_rate,start_pts,color_range,\
             color_space,color_transfer,color_primaries,chroma_location,sample_aspect_ratio,extradata_size:\
             stream_tags:stream_disposition",
            "-of",
            "flat",
            text(path),
        ],
    )
}
