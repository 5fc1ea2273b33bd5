//! The packets that a source tells of, from its first keyframe on, and the times that some of them lack.
//!
//! Must not know the copy that they are compared with.

use segenc_core::source::Packet;

/// Formats in which a picture comes out of the decoder with the next one that is not shown at once. A picture without
/// a PTS then gets the DTS of that one: from ffmpeg's decoder (5.1, `guess_correct_pts`), and from its demuxer, if it
/// is told to (`genpts`).
const TOLD_BY_NEXT: [&str; 3] = ["mpeg1video", "mpeg2video", "mpeg4"];

/// Whether packets of this format may lack times.
pub(crate) fn may_lack_times(codec: &str) -> bool {
    TOLD_BY_NEXT.contains(&codec)
}

/// The packets from the first keyframe on.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// How many packets stand in front of it.
    before: usize,
    pub(super) packets: Vec<ToldPacket>,
    /// What is odd about them.
    odd: Option<Odd>,
}

/// What is odd about a packet; the last one is worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Odd {
    /// No PTS.
    ToldByNext,
    /// Neither PTS nor DTS.
    Timeless,
    /// No bytes.
    Empty,
}

/// What counts of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ToldPacket {
    pub(super) pts: Option<i64>,
    pub(super) dts: Option<i64>,
    pub(super) size: u32,
    pub(super) duration: Option<i64>,
}

impl Told {
    pub(super) fn take(&mut self, packet: &Packet) {
        if self.packets.is_empty() && !packet.key {
            self.before += 1;
            return;
        }
        let Packet { pts, dts, size, duration, .. } = *packet;
        let odd = match (size, pts, dts) {
            (0, _, _) => Some(Odd::Empty),
            (_, None, None) => Some(Odd::Timeless),
            (_, None, Some(_)) => Some(Odd::ToldByNext),
            (_, Some(_), _) => None,
        };
        self.odd = self.odd.max(odd);
        self.packets.push(ToldPacket { pts, dts, size, duration });
    }

    /// Why no copy is to be made, if the packets so far tell.
    pub(super) fn why_not(&self, codec: &str) -> Option<&'static str> {
        match self.odd? {
            Odd::ToldByNext if may_lack_times(codec) => None,
            Odd::ToldByNext | Odd::Timeless => Some("some of its packets have no time"),
            Odd::Empty => Some("some of its packets are empty"),
        }
    }

    /// Gives each packet without a PTS the one that its picture comes out with.
    pub(super) fn fill(&mut self) {
        // From the end, so that the next picture that is not shown at once is known.
        let end =
            self.packets.last().and_then(|last| Some(last.dts?.saturating_add(last.duration?)));
        let mut next = end;
        for packet in self.packets.iter_mut().rev() {
            let at_once = packet.pts.is_some() && packet.pts == packet.dts;
            packet.pts = packet.pts.or(next);
            if !at_once {
                next = packet.dts;
            }
        }
    }

    /// The PTS of the first keyframe.
    pub(super) fn first_key(&self) -> Option<i64> {
        self.packets.first().and_then(|packet| packet.pts)
    }

    /// Whether something in the source needs what was before its beginning, as in a recording that was begun in
    /// the middle of a film.
    pub(super) fn begins_in_the_middle(&self) -> bool {
        let first = self.first_key();
        self.before > 0 || self.packets.iter().any(|packet| packet.pts < first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(packets: &[(Option<i64>, i64)]) -> Told {
        let mut told = Told::default();
        for (pts, dts) in packets {
            let (dts, duration) = (Some(*dts), Some(1));
            let packet = Packet { pts: *pts, dts, duration, size: 9, key: true, discarded: false };
            told.take(&packet);
        }
        told
    }

    #[test]
    fn a_picture_without_a_time_gets_that_of_the_next_one_that_waits() {
        // I0 P3 B1 B2 P6 B4 B5, stored in this order.
        let mut film = told(&[
            (None, 0),
            (None, 1),
            (Some(2), 2),
            (Some(3), 3),
            (Some(7), 4),
            (Some(5), 5),
            (Some(6), 6),
        ]);
        assert_eq!(film.why_not("mpeg2video"), None);
        assert_eq!(film.why_not("h264"), Some("some of its packets have no time"));
        film.fill();
        let times: Vec<_> = film.packets.iter().filter_map(|packet| packet.pts).collect();
        assert_eq!(times, [1, 4, 2, 3, 7, 5, 6]);
        assert!(!film.begins_in_the_middle());
    }

    #[test]
    fn the_last_picture_that_waits_comes_out_at_the_end() {
        let mut film = told(&[(Some(1), 0), (None, 1), (Some(2), 2), (Some(3), 3)]);
        film.fill();
        assert_eq!(film.packets[1].pts, Some(4));
    }

    #[test]
    fn what_is_shown_before_the_first_keyframe_is_seen() {
        assert!(told(&[(Some(3), 0), (Some(1), 1)]).begins_in_the_middle());
        let mut late = Told::default();
        let packet = |key| Packet {
            pts: Some(1),
            dts: Some(1),
            duration: None,
            size: 9,
            key,
            discarded: false,
        };
        late.take(&packet(false));
        late.take(&packet(true));
        assert!(late.begins_in_the_middle());
        assert_eq!(late.packets.len(), 1);
    }
}
