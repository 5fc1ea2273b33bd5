//! Names and files that want to be something else.

use std::path::{Path, PathBuf};

use segenc_core::failure::FailureKind;
use segenc_core::work::StreamsWork;
use segenc_media::{MediaInput, Tools, WorkError, encode_whole, probe};
use tempfile::TempDir;

use crate::farm::{attempt, options};
use crate::media;

async fn failure_of(path: &Path) -> (FailureKind, String) {
    let tools = Tools::find().await.expect("the tests need ffmpeg");
    let scratch = TempDir::new().expect("a temporary folder");
    let probed = probe(&attempt(&tools, scratch.path()), &MediaInput::File(path.to_owned())).await;
    let Err(WorkError::Failed(failure)) = probed else {
        panic!("{} was opened: {probed:?}", path.display())
    };
    (failure.kind, failure.reason)
}

fn file(folder: &TempDir, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, content).expect("scratch");
    path
}

#[tokio::test]
async fn playlists_and_scripts_named_like_films_are_refused() {
    let folder = TempDir::new().expect("a temporary folder");
    let other = media::text(media::mp4());
    let hls = format!("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{other}\n#EXT-X-ENDLIST\n");
    let concat = format!("ffconcat version 1.0\nfile '{other}'\n");
    let sdp =
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n";
    let dash = "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" \
                profiles=\"urn:mpeg:dash:profile:isoff-on-demand:2011\"></MPD>";
    for (name, content) in
        [("hls.mkv", hls.as_str()), ("list.mkv", &concat), ("sdp.mp4", sdp), ("dash.mkv", dash)]
    {
        let path = file(&folder, name, content.as_bytes());
        let expected = (FailureKind::Task, "source-is-a-playlist".to_owned());
        assert_eq!(failure_of(&path).await, expected, "{name}");
    }
}

#[tokio::test]
async fn what_is_no_media_is_unreadable() {
    let folder = TempDir::new().expect("a temporary folder");
    let film = std::fs::read(media::mp4()).expect("it was made");
    for (name, content) in
        [("empty.mkv", &b""[..]), ("noise.mp4", b"hello, world"), ("cut.mp4", &film[..2000])]
    {
        let path = file(&folder, name, content);
        let expected = (FailureKind::Task, "source-unreadable".to_owned());
        assert_eq!(failure_of(&path).await, expected, "{name}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn strange_names_are_just_names() {
    let folder = TempDir::new().expect("a temporary folder");
    let tools = Tools::find().await.expect("the tests need ffmpeg");
    let long = format!("{}.mkv", "x".repeat(250));
    let names = [
        "it's.mkv",
        "a\nb.mkv",
        "-y.mkv",
        "a:b.mkv",
        "concat:a|b.mkv",
        "%d é 🎬.mkv",
        "\"q\" .mkv",
        &long,
    ];
    for name in names {
        let path = folder.path().join(name);
        std::fs::hard_link(media::mp4(), &path)
            .or_else(|_| std::fs::copy(media::mp4(), &path).map(|_| ()))
            .expect("a second name");
        let scratch = TempDir::new().expect("a temporary folder");
        let attempt = attempt(&tools, scratch.path());
        let source = MediaInput::File(path);
        let facts =
            probe(&attempt, &source).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let work = StreamsWork {
            demuxer: facts.demuxer,
            source_streams: vec![1],
            options: options(&[("c:a", "copy")]),
            container: "matroska".to_owned(),
        };
        let made = encode_whole(&attempt, &source, &work).await;
        assert!(made.is_ok(), "{name}: {made:?}");
    }
}

#[tokio::test]
async fn an_odd_size_is_named_as_such() {
    let tools = Tools::find().await.expect("the tests need ffmpeg");
    let scratch = TempDir::new().expect("a temporary folder");
    let work = StreamsWork {
        demuxer: "mov,mp4,m4a,3gp,3g2,mj2".to_owned(),
        source_streams: vec![0],
        options: options(&[("vf", "scale=321:181"), ("c:v", "libx264")]),
        container: "matroska".to_owned(),
    };
    let source = MediaInput::File(media::mp4().to_owned());
    let made = encode_whole(&attempt(&tools, scratch.path()), &source, &work).await;
    let Err(WorkError::Failed(failure)) = made else { panic!("{made:?}") };
    assert_eq!((failure.kind, failure.reason.as_str()), (FailureKind::Task, "odd-size"));
    assert!(failure.message.contains("pad="), "{}", failure.message);

    let work = StreamsWork {
        options: options(&[("c:v", "libx264"), ("preset", "no-such-preset")]),
        ..work
    };
    let made = encode_whole(&attempt(&tools, scratch.path()), &source, &work).await;
    let Err(WorkError::Failed(failure)) = made else { panic!("{made:?}") };
    assert_eq!((failure.kind, failure.reason.as_str()), (FailureKind::Task, "encoder-refused"));

    let work = StreamsWork {
        options: options(&[("c:v", "libx264"), ("preset", "ultrafast")]),
        container: "webm".to_owned(),
        ..work
    };
    let made = encode_whole(&attempt(&tools, scratch.path()), &source, &work).await;
    let Err(WorkError::Failed(failure)) = made else { panic!("{made:?}") };
    assert_eq!(
        (failure.kind, failure.reason.as_str()),
        (FailureKind::Task, "container-refuses-codec")
    );
}
