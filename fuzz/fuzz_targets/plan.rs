//! Facts and packets from any worker become a plan: no panic, and no frame is lost or made twice.
//!
//! The first byte chooses the options, the second how packets are divided among calls; the rest is a report.
#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message as _;
use segenc_core::plan::{Planner, Segment};
use segenc_core::source::Packet;
use segenc_proto::{convert, grpc};

const WISHES: [&[&str]; 6] = [
    &["-c:v", "libx264", "-crf", "23", "-c:a", "copy"],
    &["-c:v", "libx265", "-crf", "28", "-c:a", "aac", "-b:a", "96k", "-vf", "yadif"],
    &["-c:v", "libsvtav1", "-crf", "40", "-vf", "fps=25", "-map", "0"],
    &["-c:v", "libx264", "-crf", "23", "-vf", "hqdn3d,scale=64:-2,fps=50"],
    &["-c:v", "libx264", "-b:v", "1M", "-map", "0:v:0", "-map", "0:a?"],
    &["-c", "copy", "-map", "0"],
];

fuzz_target!(|input: &[u8]| {
    let [wish, batch, report @ ..] = input else { return };
    let Ok(report) = grpc::StatusReport::decode(report) else { return };
    let Some(Ok(facts)) = report.facts.map(convert::source_facts) else { return };
    let Some(Ok((_, packets))) = report.packets.map(convert::packets) else { return };
    let words = WISHES[usize::from(*wish) % WISHES.len()];
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let spec = segenc_media::options::parse(&words, Some("mkv"), None).expect("these are right");
    let Ok(mut planner) = Planner::new(&spec, &facts) else { return };
    let wants = planner.wants_packets();
    let exact = matches!(spec.split, segenc_core::spec::SplitPolicy::Segments { .. });
    let mut segments = Vec::new();
    for some in packets.chunks(usize::from(*batch).max(1)) {
        let Ok(more) = planner.push(some) else { return };
        segments.extend(more);
    }
    let Ok(last) = planner.finish() else { return };
    segments.extend(last);
    if wants && exact {
        assert_tiles(&segments, &packets);
    }
});

fn assert_tiles(segments: &[Segment], packets: &[Packet]) {
    let shown = packets.iter().filter(|packet| !packet.discarded).filter_map(|packet| packet.pts);
    let mut left = shown.clone().count();
    for (place, segment) in segments.iter().enumerate() {
        assert_eq!(segment.index as usize, place);
        let own = shown.clone().filter(|pts| segment.range.contains(*pts)).count();
        assert_eq!(own as u64, segment.expected.count);
        left -= own;
    }
    assert_eq!(left, 0, "every frame is in one segment");
    for pair in segments.windows(2) {
        assert_eq!(pair[0].range.end, pair[1].range.start);
        assert_eq!(pair[0].end, pair[1].start);
    }
}
