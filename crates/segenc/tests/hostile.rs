//! Sources, names and options of somebody who means harm: refused in words or confined, and nothing is opened,
//! fetched or written that was not named by the user.

mod support;

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use support::{Ended, Server, Stage, ended, ffmpeg, frames, program, succeed};

/// Stands in files that no job may read.
const SECRET: &str = "the-secret-of-another-file";

/// Somebody who would notice a call.
struct Ear(TcpListener);

impl Ear {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
        listener.set_nonblocking(true).expect("a socket can be asked");
        Self(listener)
    }

    fn address(&self) -> String {
        self.0.local_addr().expect("it listens").to_string()
    }

    #[track_caller]
    fn heard_nothing(&self) {
        assert!(self.0.accept().is_err(), "somebody called");
    }
}

/// It ended with a word, without an output, and without telling what is elsewhere.
#[track_caller]
fn refused(stage: &Stage, ended: &Ended, codes: &[i32]) {
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(ended.code.is_some_and(|code| codes.contains(&code)), "{:?}:\n{said}", ended.code);
    assert!(said.contains("error"), "{said}");
    assert!(!said.contains(SECRET), "{said}");
    assert!(!stage.exists("out.mkv"), "{said}");
}

#[test]
fn a_playlist_that_is_called_a_film_opens_nothing() {
    let stage = Stage::new();
    let ear = Ear::open();
    let secret = stage.film("secret.mkv", 2);
    let (secret, url) = (secret.display().to_string(), format!("http://{}/x.ts", ear.address()));
    for (name, text) in [
        (
            "hls.mkv",
            format!(
                "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{secret}\n#EXTINF:2,\n{url}\n#EXT-X-ENDLIST\n"
            ),
        ),
        ("concat.mkv", format!("ffconcat version 1.0\nfile '{secret}'\nfile '{url}'\n")),
        (
            "key.mkv",
            format!(
                "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"{url}\"\n#EXTINF:2,\n{secret}\n#EXT-X-ENDLIST\n"
            ),
        ),
        (
            "dash.mp4",
            format!("<?xml version=\"1.0\"?><MPD><Period><BaseURL>{url}</BaseURL></Period></MPD>"),
        ),
        (
            "sdp.mkv",
            "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n".to_owned(),
        ),
        ("script.avs", format!("DirectShowSource(\"{secret}\")\n")),
    ] {
        stage.write(name, text.as_bytes());
        refused(&stage, &stage.run(&["encode", name, "out.mkv"]), &[1]);
        ear.heard_nothing();
    }
}

#[test]
fn a_source_is_a_file_and_never_a_protocol() {
    let stage = Stage::new();
    let ear = Ear::open();
    stage.film("film.mkv", 1);
    let url = format!("http://{}/x.mkv", ear.address());
    for name in [
        "concat:film.mkv|film.mkv",
        "subfile:,,start,0,end,900,,:film.mkv",
        "data:video/x-matroska;base64,AAAA",
        "file:film.mkv",
        "cache:film.mkv",
        "async:film.mkv",
        "crypto:film.mkv",
        "pipe:0",
        &url,
    ] {
        refused(&stage, &stage.run(&["encode", name, "out.mkv"]), &[2]);
    }
    ear.heard_nothing();
}

#[test]
fn options_that_reach_for_files_or_the_network_are_refused_by_name() {
    let stage = Stage::new();
    let ear = Ear::open();
    stage.film("film.mkv", 1);
    let secret = stage.write("secret.txt", SECRET.as_bytes()).display().to_string();
    let url = format!("http://{}/x", ear.address());
    let words: &[(&[&str], &str)] = &[
        (&["-vf", "movie=SECRET"], "movie"),
        (&["-vf", "drawtext=textfile=SECRET"], "textfile"),
        (&["-vf", "subtitles=SECRET"], "subtitles"),
        (&["-vf", "ass=SECRET"], "ass"),
        (&["-vf", "lut3d=SECRET"], "lut3d"),
        (&["-vf", "sendcmd=f=SECRET"], "sendcmd"),
        (&["-vf", "metadata=mode=print:file=SECRET"], "metadata"),
        (&["-vf", "zmq"], "zmq"),
        (&["-af", "amovie=SECRET"], "amovie"),
        (&["-filter_complex_script", "SECRET"], "-filter_complex_script"),
        (&["-filter_script:v", "SECRET"], "-filter_script"),
        (&["-f", "tee"], "tee"),
        (&["-f", "hls"], "hls"),
        (&["-f", "segment"], "segment"),
        (&["-report"], "-report"),
        (&["-progress", "URL"], "-progress"),
        (&["-attach", "SECRET"], "-attach"),
        (&["-dump_attachment:t", "SECRET"], "-dump_attachment"),
        (&["-vstats_file", "SECRET"], "-vstats_file"),
        (&["-sdp_file", "SECRET"], "-sdp_file"),
        (&["-passlogfile", "SECRET"], "-passlogfile"),
        (&["-init_hw_device", "opencl=SECRET"], "-init_hw_device"),
        (&["-x264-params", "qpfile=SECRET"], "qpfile"),
        (&["-x264-params", "stats=SECRET"], "stats"),
        (&["-c:v", "libx265", "-x265-params", "csv=SECRET"], "csv"),
        (&["-protocol_whitelist", "file,http"], "-protocol_whitelist"),
        (&["-i", "SECRET"], "-i"),
        (&["-enable_drefs", "1"], "-enable_drefs"),
    ];
    for (options, said) in words {
        let options =
            options.iter().map(|word| word.replace("SECRET", &secret).replace("URL", &url));
        let ended = ended(stage.segenc(&["encode", "film.mkv", "out.mkv", "--"]).args(options));
        refused(&stage, &ended, &[2]);
        assert!(ended.stderr.contains(said), "`{said}` is not named in:\n{}", ended.stderr);
    }
    assert_eq!(fs::read_to_string(&secret).expect("it is there"), SECRET, "nobody wrote to it");
    ear.heard_nothing();
}

/// Lengthens every box that the place is in, and puts bytes there.
fn insert(film: &mut Vec<u8>, place: usize, bytes: &[u8]) {
    let mut at = 0;
    while at + 8 <= place {
        let size = u32::from_be_bytes(film[at..at + 4].try_into().expect("four bytes")) as usize;
        let is_folder =
            matches!(&film[at + 4..at + 8], b"moov" | b"trak" | b"mdia" | b"minf" | b"dinf");
        if place > at + size || size < 8 {
            at += size.max(8);
            continue;
        }
        let longer = u32::try_from(size + bytes.len()).expect("small");
        film[at..at + 4].copy_from_slice(&longer.to_be_bytes());
        if !is_folder {
            break;
        }
        at += 8;
    }
    film.splice(place..place, bytes.iter().copied());
}

/// An alias record as old authoring programs wrote it: the track's data are in the file of this path.
fn alias(path: &str) -> Vec<u8> {
    let mut record = vec![0; 150];
    record[10] = 1;
    record[50] = 1;
    record[131] = 1;
    record[133] = 1;
    for (kind, text) in [(2_u16, path), (18, path)] {
        record.extend(kind.to_be_bytes());
        record.extend(u16::try_from(text.len()).expect("short").to_be_bytes());
        record.extend(text.as_bytes());
        record.extend(vec![0; text.len() % 2]);
    }
    record.extend([0xff, 0xff, 0, 0]);
    record.extend(vec![0; 16]);
    record
}

#[test]
fn a_track_whose_data_are_in_another_file_is_not_followed() {
    let stage = Stage::new();
    let film = stage.film("film.mkv", 2);
    let mp4 = stage.path("film.mp4");
    succeed(ffmpeg().arg("-i").arg(&film).args(["-map", "0:v", "-c", "copy"]).arg(&mp4));
    let secret = stage.path("secret.mp4");
    fs::copy(&mp4, &secret).expect("tests may write to their folder");
    let mut bytes = fs::read(&mp4).expect("it was made above");
    let own = b"\0\0\0\x0curl \0\0\0\x01";
    let at = bytes.windows(own.len()).position(|window| window == own).expect("a data reference");
    let record = alias(&secret.display().to_string());
    let size = u32::try_from(12 + record.len()).expect("small").to_be_bytes();
    let mut other = size.to_vec();
    other.extend(b"alis\0\0\0\0");
    other.extend(record);
    insert(&mut bytes, at, &other);
    // The entry of its own goes: now only the other file is named.
    bytes.drain(at + other.len()..at + other.len() + own.len());
    // Something of its size takes its place, so that all boxes around it stay as long as they say.
    bytes.splice(at + other.len()..at + other.len(), *b"\0\0\0\x0cfree\0\0\0\0");
    let evil = stage.write("evil.mp4", &bytes);
    let mut probe = program("ffprobe");
    let looked = probe.args(["-v", "warning"]).arg(&evil).output().expect("the tests need ffmpeg");
    let said = String::from_utf8_lossy(&looked.stderr).into_owned();
    assert!(said.contains("external track"), "the film is not as evil as it should be: {said}");
    fs::remove_file(&mp4).expect("tests may write to their folder");
    let ended = stage.run(&["encode", "evil.mp4", "out.mp4"]);
    // What it makes of it, if anything, comes from this file alone.
    fs::remove_file(&secret).expect("tests may write to their folder");
    let without = stage.run(&["encode", "--overwrite", "evil.mp4", "other.mp4"]);
    assert_eq!(ended.code, without.code, "{}\n{}", ended.stderr, without.stderr);
    if ended.code == Some(0) {
        assert_eq!(frames(&stage.path("out.mp4")), frames(&stage.path("other.mp4")));
    }
}

#[test]
fn an_attachment_named_like_a_way_out_stays_inside() {
    let stage = Stage::new();
    let film = stage.film("film.mkv", 2);
    let font = stage.write("font.ttf", SECRET.as_bytes());
    let evil = stage.path("evil.mkv");
    let mut command = ffmpeg();
    command.arg("-i").arg(&film).args(["-map", "0", "-c", "copy", "-attach"]).arg(&font);
    command.args([
        "-metadata:s:t",
        "mimetype=font/ttf",
        "-metadata:s:t",
        "filename=../../evil.ttf",
    ]);
    succeed(command.arg(&evil));
    let server = Server::start(&stage, &["--workers", "0"]);
    let _worker = server.worker(&stage, "one");
    ended(
        &mut server.ask(&stage, &["encode", "evil.mkv", "out.mkv", "--", "-preset", "ultrafast"]),
    )
    .with_code(0);
    let found = succeed(program("find").arg(stage.path("")).args(["-name", "*evil.ttf*"]));
    assert_eq!(String::from_utf8_lossy(&found), "", "nothing was written under its name");
    assert!(!stage.path("../evil.ttf").exists() && !stage.path("../../evil.ttf").exists());
    let mut probe = program("ffprobe");
    probe.args(["-v", "error", "-show_entries", "stream_tags=filename", "-of", "csv=p=0"]);
    let tags = succeed(probe.arg(stage.path("out.mkv")));
    assert!(String::from_utf8_lossy(&tags).contains("../../evil.ttf"), "it is part of the film");
}

#[test]
fn sizes_beyond_reason_end_with_a_word() {
    let stage = Stage::new();
    // A header of a hundred megabytes, by its own word and in truth; the file has holes, not bytes.
    let header = stage.write("header.mkv", b"\x1aE\xdf\xa3\x08\x06\x40\x00\x00");
    grow(&header, 100 << 20);
    let moov = stage.write("header.mp4", b"\0\0\0\x10ftypisom\0\0\0\0\x06\x40\0\0moov");
    grow(&moov, 100 << 20);
    // A picture of 60,000 x 60,000 in 60 bytes: fourteen gigabytes if somebody believes it.
    let mut picture = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    picture.extend(60_000_u32.to_be_bytes().repeat(2));
    picture.extend(b"\x08\x06\0\0\0\0\0\0\0\0\0\0\x02IDAT\x78\x9c\0\0\0\0");
    stage.write("picture.png", &picture);
    for name in ["header.mkv", "header.mp4", "picture.png"] {
        refused(&stage, &stage.run(&["encode", name, "out.mkv"]), &[1, 2]);
    }
}

fn grow(path: &Path, size: u64) {
    let file = fs::OpenOptions::new().write(true).open(path).expect("it was made above");
    file.set_len(size).expect("a file may have holes");
}

#[cfg(unix)]
#[test]
fn odd_names_survive_the_way_over_a_farm() {
    let stage = Stage::new();
    let film = stage.film("film.mkv", 2);
    let odd = "-it's \"odd\"\r\nset-cookie: x=1;%2e%2e 🎬.mkv";
    fs::copy(&film, stage.path(odd)).expect("tests may write to their folder");
    let server = Server::start(&stage, &["--workers", "1"]);
    let input = format!("./{odd}");
    let mut command =
        server.ask(&stage, &["encode", &input, "./-out 🎬.mkv", "--", "-preset", "ultrafast"]);
    let ended = ended(&mut command).with_code(0);
    assert!(stage.exists("-out 🎬.mkv"));
    assert!(!ended.stderr.contains("\r\nset-cookie"), "a name cannot write lines of its own");
}
