//! Sets of frames, described by count, ends and digest. Knows nothing of packets or segments.

use sha2::{Digest, Sha256};

use super::Frames;

impl Frames {
    /// Describes the frames with these PTS, which are on the output's clock and ascend. `None` when
    /// there is no frame.
    #[must_use]
    pub fn of_sorted(pts: impl IntoIterator<Item = i64>) -> Option<Self> {
        let mut pts = pts.into_iter();
        let first_pts = pts.next()?;
        let mut last_pts = first_pts;
        let mut count = 1;
        let mut digest = Sha256::new();
        digest.update(first_pts.to_le_bytes());
        for pts in pts {
            digest.update(pts.to_le_bytes());
            last_pts = pts;
            count += 1;
        }
        let pts_sha256 = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Some(Self { count, first_pts, last_pts, pts_sha256 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_over_eight_little_endian_bytes_each() {
        let frames = Frames::of_sorted([0, 1]).expect("there are frames");
        // sha256sum of 0000000000000000 0100000000000000.
        assert_eq!(
            frames.pts_sha256,
            "9d34149fbd1fe777eb238799054c8cbfbce372255f219f8740838def9bfd02db"
        );
        assert_eq!((frames.count, frames.first_pts, frames.last_pts), (2, 0, 1));
    }

    #[test]
    fn no_frames_have_no_description() {
        assert_eq!(Frames::of_sorted([]), None);
    }
}
