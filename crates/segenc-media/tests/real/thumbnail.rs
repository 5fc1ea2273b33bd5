//! Small pictures of what was encoded.

use segenc_core::work::{StreamsWork, Work};
use segenc_media::{THUMBNAIL_BYTES_MAX, encode_segment, encode_whole, thumbnail};
use tempfile::TempDir;

use crate::farm::{Farm, Wish, attempt, options};
use crate::media;

/// What ffprobe sees in a picture.
fn shape(picture: &[u8]) -> String {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("picture.jpg");
    std::fs::write(&path, picture).expect("it is written");
    let args = ["-v", "error", "-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0"];
    media::run("ffprobe", &[&args, [media::text(&path)].as_slice()].concat()).trim().to_owned()
}

#[tokio::test]
async fn a_segment_has_a_small_picture_whatever_holds_it() {
    let farm = Farm::look(media::mp4()).await.film_only();
    for encoder in ["libx264", "ffv1"] {
        let wish = Wish {
            encoder,
            options: &[],
            filter: None,
            sound: &[],
            container: "matroska",
            segments: 3,
            around: 0,
        };
        let work = farm.segments(&wish).remove(1);
        let folder = farm.folder(encoder);
        let attempt = attempt(&farm.tools, &folder);
        let made = encode_segment(&attempt, &farm.source, &work).await.expect("it is encoded");
        let picture = thumbnail(&attempt, &Work::Segment(work), &made.path).await;
        let picture = picture.expect("ffmpeg runs").expect("there is a film in it");
        assert!(picture.len() <= THUMBNAIL_BYTES_MAX, "{} bytes", picture.len());
        assert!(shape(&picture).starts_with("mjpeg,160,"), "{}", shape(&picture));
    }
}

#[tokio::test]
async fn a_short_title_in_one_piece_gives_its_first_picture_and_one_without_a_film_none() {
    let farm = Farm::look(media::mp4()).await;
    for (name, streams, given, pictured) in [
        ("film", vec![0], &[("c:v", "libx264")], true),
        ("sound", vec![1], &[("c:a", "aac")], false),
    ] {
        let folder = farm.folder(name);
        let attempt = attempt(&farm.tools, &folder);
        let work = StreamsWork {
            demuxer: farm.facts.demuxer.clone(),
            source_streams: streams,
            options: options(given),
            container: "matroska".to_owned(),
        };
        let made = encode_whole(&attempt, &farm.source, &work).await.expect("it is encoded");
        let picture = thumbnail(&attempt, &Work::Whole(work), &made.path).await;
        let picture = picture.ok().flatten();
        assert_eq!(picture.is_some(), pictured, "{name}");
    }
}
