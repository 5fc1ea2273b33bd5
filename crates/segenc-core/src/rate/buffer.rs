//! A player's buffer as it fills and empties over the packets of a film.
//!
//! What `-maxrate` and `-bufsize` promise: a player that receives so many bits a second, and has room for so many,
//! always has a frame when it is due. Segments that each keep the promise do not keep it together, unless each
//! leaves behind what the next one counts on.

use super::BufferLimit;
use crate::source::Packet;
use crate::time::Timebase;

/// How full the buffer is before the first frame, in tenths: what x264 and x265 begin with.
const FULL_AT_FIRST_TENTHS: i128 = 9;

/// Ticks of rounding in the time between two packets.
const TICKS_OF_ROUNDING: i128 = 2;

/// The place where the buffer runs empty first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Empty {
    /// Position of the packet, in decoding order.
    pub packet: usize,
    /// Bits that were missing then.
    pub missing: u64,
}

impl BufferLimit {
    /// Lets the packets of a film, in decoding order, go through the buffer. Answers how full it was at the lowest,
    /// in thousandths.
    ///
    /// # Errors
    /// Where it runs empty.
    pub fn run(self, packets: &[Packet], timebase: Timebase) -> Result<u64, Empty> {
        // All in bits times the timebase's denominator, so that nothing is rounded.
        let den = i128::from(timebase.den());
        let room = i128::from(self.bits) * den;
        let each_tick = i128::from(self.bits_per_second) * i128::from(timebase.num());
        let allowed = each_tick * TICKS_OF_ROUNDING;
        let mut fullness = room * FULL_AT_FIRST_TENTHS / 10;
        let mut lowest = fullness;
        let mut before: Option<i64> = None;
        for (position, packet) in packets.iter().enumerate() {
            if let Some(now) = packet.dts {
                let ticks = before.map_or(0, |before| i128::from(now) - i128::from(before));
                // A file may claim any times.
                let gained = ticks.max(0).saturating_mul(each_tick);
                fullness = fullness.saturating_add(gained).min(room);
                before = Some(now);
            }
            fullness -= i128::from(packet.size) * 8 * den;
            if fullness < -allowed {
                let missing = u64::try_from(-fullness / den).unwrap_or(u64::MAX);
                return Err(Empty { packet: position, missing });
            }
            lowest = lowest.min(fullness);
        }
        Ok(u64::try_from(lowest.max(0) * 1000 / room.max(1)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of so many hundred bits each, a tenth of a second apart; the buffer gets a thousand bits a second and
    /// holds a thousand, so that a packet of one is just what comes in.
    fn run(hundreds: &[u32]) -> Result<u64, Empty> {
        let packet = |(number, hundreds): (i64, &u32)| Packet {
            pts: None,
            dts: Some(number * 100),
            duration: None,
            size: hundreds * 100 / 8,
            key: false,
            discarded: false,
        };
        let packets: Vec<Packet> = (0..).zip(hundreds).map(packet).collect();
        let timebase = Timebase::new(1, 1000).expect("both sides are above zero");
        BufferLimit { bits_per_second: 1000, bits: 1000 }.run(&packets, timebase)
    }

    #[test]
    fn a_steady_film_leaves_the_buffer_as_it_is() {
        assert_eq!(run(&[]), Ok(900));
        assert_eq!(run(&[2, 2, 2]), Ok(500));
        assert_eq!(run(&[0; 50]), Ok(900));
    }

    #[test]
    fn the_buffer_never_holds_more_than_it_can() {
        let mut film = [0; 100];
        film[99] = 12;
        assert_eq!(run(&film), Err(Empty { packet: 99, missing: 200 }));
        film[99] = 10;
        assert_eq!(run(&film), Ok(0));
    }

    #[test]
    fn no_time_between_two_packets_is_too_long() {
        let packet = |dts| Packet {
            pts: None,
            dts: Some(dts),
            duration: None,
            size: 1,
            key: false,
            discarded: false,
        };
        let timebase = Timebase::new(u32::MAX, 1).expect("both sides are above zero");
        let limit = BufferLimit { bits_per_second: u64::MAX, bits: 100 };
        assert_eq!(limit.run(&[packet(i64::MIN), packet(i64::MAX)], timebase), Ok(820));
    }

    #[test]
    fn it_runs_empty_where_too_much_comes_at_once() {
        assert_eq!(run(&[4, 4, 4]), Err(Empty { packet: 2, missing: 100 }));
        assert_eq!(run(&[4, 4, 2, 0, 0, 4]), Ok(0));
        assert_eq!(run(&[4, 4, 2, 0, 0, 0, 4]), Ok(100));
    }
}
