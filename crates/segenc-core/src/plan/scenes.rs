//! Where the picture may change at an ordinary frame, guessed from the sizes of packets, and what was seen there.
//!
//! Encoders with keyframes at fixed distances code a new scene as an ordinary frame, which is then many times larger
//! than its neighbours. That is a guess: somebody has to look at the pictures. Must not know how that is done, nor
//! where the film is cut in the end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::keyframes::Keyframes;
use crate::source::Packet;
use crate::time::Timebase;

/// Packets on each side of one, in decoding order, that tell what size is usual there.
const NEIGHBOURS: usize = 30;

/// The first picture of a scene takes at least this many tenths of what the last keyframe took; …
const KEYFRAME_TENTHS: u64 = 2;

/// … mostly this many, …
const STRONG_TENTHS: u64 = 4;

/// … and this many tenths of what nine of ten ordinary frames around it take at most. With these, 54 of the 55 changes
/// of scene between keyframes are suspected in five encodes of a minute of film (x264 and x265, keyframes every second
/// or two, once with some grain), and 8 other frames a minute; 48 and two of them strongly. Heavy grain hides all:
/// then the frames of a new scene take no more than others, and another keyframe costs little.
const ORDINARY_TENTHS: u64 = 13;

/// Suspects of a window that are looked at, one after the other, until one is found to be true.
const SUSPECTS_MAX: usize = 3;

/// A suspect is decoded before frames that are shown before it, and the new scene may begin at any of them. As many
/// pictures as that are looked at up to a suspect: seven frames between is more than encoders make by themselves.
const PICTURES: usize = 8;

/// A change is told by how much more a picture differs from the one before than that one did: two more.
const PICTURES_BEFORE: usize = 2;

/// Once so many frames stand behind a window, all of it is known, and what is usual around its last frames.
const FRAMES_BEHIND: usize = NEIGHBOURS + super::cutter::MAX_REORDER + 1;

/// Looks that are open at the same time: enough for any machine that looks, few enough for a message.
const OPEN_MAX: usize = 32;

/// A place in the film where somebody should look for a change of scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// PTS of the first picture to look at, in ticks of the film, on the clock of what is decoded.
    pub from: i64,
    /// PTS of the last one, by which the place is named.
    pub until: i64,
    /// What to ask the demuxer to seek to, in microseconds of the same clock; `None`: from the first byte.
    pub seek_micros: Option<i64>,
}

/// A part of the film, one target length long, and what may be a change of scene in it.
#[derive(Debug)]
struct Window {
    start: i64,
    /// The best first; nothing to ask any more when it is empty.
    suspects: VecDeque<Look>,
    /// The first picture of a new scene.
    scene: Option<i64>,
}

/// The size of a packet, and that of the keyframe before it.
#[derive(Debug, Clone, Copy)]
struct Weighed {
    pts: i64,
    size: u32,
    key: bool,
    keyframe_size: u32,
}

/// Changes of scene: guessed, asked for, seen.
#[derive(Debug)]
pub(super) struct Scenes {
    /// Length of a window, in ticks; at least 2.
    target: i64,
    keyframes: Keyframes,
    keyframe_size: u32,
    recent: VecDeque<Weighed>,
    /// PTS of the film's first frame.
    origin: Option<i64>,
    /// The window that is being filled: its middle is this many target lengths from the origin.
    position: i64,
    /// Frames known so far behind the end of that window.
    behind: usize,
    /// PTS of the frames of that window and after, and of some before it.
    shown: BTreeSet<i64>,
    /// Frames that may be the first of a scene, and whether that is likely.
    suspects: BTreeMap<i64, bool>,
    /// Windows in which there is or was something to look at.
    windows: VecDeque<Window>,
    /// All windows before this PTS are complete.
    complete_until: i64,
}

impl Scenes {
    pub(super) fn new(timebase: Timebase, target: i64) -> Self {
        Self {
            target: target.max(2),
            keyframes: Keyframes::new(timebase),
            keyframe_size: 0,
            recent: VecDeque::new(),
            origin: None,
            position: 1,
            behind: 0,
            shown: BTreeSet::new(),
            suspects: BTreeMap::new(),
            windows: VecDeque::new(),
            complete_until: i64::MIN,
        }
    }

    /// Takes note of the next packet in decoding order.
    pub(super) fn see(&mut self, packet: &Packet) {
        let Some(pts) = packet.pts else { return };
        self.keyframes.see(packet, pts);
        if packet.key {
            self.keyframe_size = packet.size;
        }
        if packet.discarded {
            return;
        }
        let keyframe_size = self.keyframe_size;
        self.weigh(Weighed { pts, size: packet.size, key: packet.key, keyframe_size });
        let origin = *self.origin.get_or_insert(pts);
        self.shown.insert(pts);
        if pts >= self.end(origin) {
            self.behind += 1;
        }
        while self.behind >= FRAMES_BEHIND {
            self.complete(origin);
        }
    }

    /// There are no more packets.
    pub(super) fn end_of_packets(&mut self) {
        if let Some(origin) = self.origin {
            while self.shown.range(self.start(origin)..).next().is_some()
                && self.complete_until < i64::MAX
            {
                self.complete(origin);
            }
        }
        self.complete_until = i64::MAX;
    }

    /// Where somebody should look now, in the order of the film.
    pub(super) fn looks(&self) -> Vec<Look> {
        let open = self.windows.iter().filter_map(|window| window.suspects.front());
        open.take(OPEN_MAX).copied().collect()
    }

    /// What was seen: the first picture of a new scene among those of the look that ends at `until`, or none.
    /// What was not asked for changes nothing.
    pub(super) fn seen(&mut self, until: i64, scene: Option<i64>) {
        let asked =
            |window: &&mut Window| window.suspects.front().is_some_and(|look| look.until == until);
        let Some(window) = self.windows.iter_mut().find(asked) else { return };
        let Some(look) = window.suspects.pop_front() else { return };
        if let Some(scene) = scene.filter(|pts| (look.from..=look.until).contains(pts)) {
            window.scene = Some(scene);
            window.suspects.clear();
        }
    }

    /// Nobody will look any more.
    pub(super) fn give_up(&mut self) {
        for window in &mut self.windows {
            window.suspects.clear();
        }
    }

    /// Whether all is known that there will ever be about the film up to `last`.
    pub(super) fn is_known(&self, last: i64) -> bool {
        let open = |window: &Window| window.start <= last && !window.suspects.is_empty();
        last < self.complete_until && !self.windows.iter().any(open)
    }

    /// The first pictures of scenes from `first` to `last`, as far as [`Self::is_known`] speaks of.
    pub(super) fn between(&self, first: i64, last: i64) -> impl Iterator<Item = i64> + '_ {
        let reached = self.windows.iter().take_while(move |window| window.start <= last);
        reached
            .filter_map(|window| window.scene)
            .filter(move |scene| (first..=last).contains(scene))
    }

    /// Forgets what lies a window or more before `pts`.
    pub(super) fn forget_before(&mut self, pts: i64) {
        let old = pts.saturating_sub(self.target);
        while self.windows.front().is_some_and(|window| {
            window.suspects.is_empty() && window.start.saturating_add(self.target) <= old
        }) {
            self.windows.pop_front();
        }
    }

    fn start(&self, origin: i64) -> i64 {
        self.end(origin).saturating_sub(self.target)
    }

    fn end(&self, origin: i64) -> i64 {
        self.middle(origin).saturating_add(self.target / 2)
    }

    fn middle(&self, origin: i64) -> i64 {
        origin.saturating_add(self.target.saturating_mul(self.position))
    }

    /// Suspects the packet in the middle of the last ones, if it is that large. The film's first and last frames have
    /// not enough neighbours; nothing is ever cut there.
    fn weigh(&mut self, packet: Weighed) {
        self.recent.push_back(packet);
        if self.recent.len() <= 2 * NEIGHBOURS {
            return;
        }
        let middle = self.recent[NEIGHBOURS];
        let tenths = u64::from(middle.size) * 10;
        let keyframe = u64::from(middle.keyframe_size);
        let large = tenths >= keyframe * KEYFRAME_TENTHS;
        if !middle.key && large && tenths >= self.ordinary().saturating_mul(ORDINARY_TENTHS) {
            self.suspects.insert(middle.pts, tenths >= keyframe * STRONG_TENTHS);
        }
        self.recent.pop_front();
    }

    /// What nine of ten ordinary packets have at most.
    fn ordinary(&self) -> u64 {
        let ordinary = self.recent.iter().filter(|packet| !packet.key);
        let mut sizes: Vec<u32> = ordinary.map(|packet| packet.size).collect();
        sizes.sort_unstable();
        sizes.get(sizes.len() * 9 / 10).copied().map_or(u64::MAX, u64::from)
    }

    /// Ends the window that is being filled, and begins the next one that has frames.
    fn complete(&mut self, origin: i64) {
        let (start, middle, end) = (self.start(origin), self.middle(origin), self.end(origin));
        if !self.has_scene_keyframe(start, end) {
            let mut suspects: Vec<(i64, bool)> =
                self.suspects.range(start..end).map(|(pts, strong)| (*pts, *strong)).collect();
            suspects.sort_by_key(|(pts, strong)| (!*strong, pts.abs_diff(middle)));
            suspects.truncate(SUSPECTS_MAX);
            let suspects: VecDeque<Look> =
                suspects.into_iter().map(|(pts, _)| self.look(pts)).collect();
            if !suspects.is_empty() {
                self.windows.push_back(Window { start, suspects, scene: None });
            }
        }
        self.complete_until = end;
        self.suspects = self.suspects.split_off(&end);
        let from = self.pictures_until(end);
        self.shown = self.shown.split_off(&from);
        self.keyframes.forget_before(from);
        let next = self.shown.range(end..).next().copied();
        let reached = next.map_or(0, |pts| {
            pts.saturating_sub(origin).saturating_add(self.target / 2) / self.target
        });
        self.position = reached.max(self.position.saturating_add(1));
        self.behind = self.shown.range(self.end(origin)..).count();
    }

    /// Whether a keyframe tells a change of scene already.
    fn has_scene_keyframe(&self, start: i64, end: i64) -> bool {
        let keyframes = self.keyframes.candidates(start);
        keyframes.take_while(|keyframe| keyframe.pts < end).any(|keyframe| keyframe.off_grid)
    }

    fn look(&self, until: i64) -> Look {
        let from = self.pictures_until(until);
        Look { from, until, seek_micros: self.keyframes.seek(from).micros }
    }

    /// The first of the pictures to look at for a change up to `pts`.
    fn pictures_until(&self, pts: i64) -> i64 {
        let pictures = self.shown.range(..=pts).rev().take(PICTURES + PICTURES_BEFORE);
        pictures.last().copied().unwrap_or(pts)
    }
}
