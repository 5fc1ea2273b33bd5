//! The last pictures of a segment: what the encoder is shown beyond them, so that they get the quality that they
//! would get in mid-film.
//!
//! Owns what is known of encoders that look ahead. Must not know where films are cut.

use segenc_core::work::{Pass, SegmentWork};

use super::Invocation;
use super::told::Told;

/// Up to which PTS in the source the encoder is shown frames, if that is beyond the segment.
///
/// A frame that those after it are predicted from is worth more bits. At the end of what it is given, x264 (0.164)
/// sees nothing made of the last frames, and the picture gets worse towards every join: by 0.9, 1.3 and 0.6 dB on the
/// last three frames of a film that hardly moves (338p24, CRF 23). At a keyframe in mid-film it prevents that itself
/// and looks beyond (`slicetype.c`, `x264_slicetype_analyse`), but not at a change of scene, where the frames after
/// say nothing of those before. x265 (3.5) never looks beyond a closed group of pictures, so that showing it more
/// changes no bit.
pub(super) fn shown_until(work: &SegmentWork) -> Option<i64> {
    let told = Told::x264(&work.options);
    let looks = work.encoder == "libx264"
        && work.pass == Pass::Only
        && told.x264_weighs_what_follows()
        // What follows needs both for itself.
        && !told.says_any(&["force_key_frames", "bsf"], &[]);
    work.lookahead_end.filter(|_| looks)
}

/// Drops again what was made of frames beyond the segment. It begins with a keyframe, so that nothing before it is
/// predicted from it, and the packets of the segment are the first ones.
pub(super) fn drop_beyond(call: &mut Invocation, work: &SegmentWork) {
    let frames = work.expected.count.max(1);
    call.option("-force_key_frames", format!("expr:eq(n,{frames})"));
    // A keyframe that opens a group of pictures would be used by frames before it.
    call.words(&["-forced-idr", "1"]);
    // The number of a packet divided by that of the frames: below one, so zero, in the segment alone. Commas would
    // have to be escaped.
    call.option("-bsf:v", format!("noise=amount=0:drop=floor(n/{frames})"));
}
