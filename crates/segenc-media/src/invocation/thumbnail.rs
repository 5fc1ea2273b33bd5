//! The call that makes a small picture of a file that was just encoded.

use super::Invocation;
use super::Program;
use crate::attempt::MediaInput;

/// The picture's name in the attempt's folder.
pub(crate) const THUMBNAIL_NAME: &str = "thumbnail.jpg";

/// 160 pixels wide, as high as the film's shape says; widths of pixels that are no squares count. The light of
/// HDR is not turned into that of JPEG: it looks pale, but what is in the picture can be seen.
const FILTER: &str = "scale=w=160:h=max(2\\,2*trunc(80/dar)),setsar=1,format=yuvj420p";

/// Of 2 (best) to 31: a picture of this size takes some kilobytes.
const QUALITY: &str = "5";

impl Invocation {
    /// Takes the first picture at or after `seconds` of a file of this attempt.
    pub(crate) fn thumbnail(demuxer: &str, film: &MediaInput, seconds: u32) -> Self {
        let mut call = Self { program: Program::Ffmpeg, args: Vec::new() };
        call.words(&["-nostdin", "-hide_banner", "-nostats", "-y", "-v", "error", "-threads", "1"]);
        if seconds > 0 {
            call.option("-ss", seconds.to_string());
        }
        call.input(demuxer, film);
        call.words(&["-map", "0:V:0", "-frames:v", "1", "-vf", FILTER]);
        call.words(&[
            "-threads", "1", "-c:v", "mjpeg", "-q:v", QUALITY, "-f", "image2", "-update", "1",
        ]);
        call.word(THUMBNAIL_NAME);
        call
    }
}
