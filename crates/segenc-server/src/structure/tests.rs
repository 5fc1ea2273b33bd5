//! Made-up files, told with holes and put together again.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;

/// Longer than what is told in full of each film.
const FIRST_PICTURE: u32 = 6 * 1024 * 1024 + 1;
const PICTURE: u32 = 20_000;
const SOUND: usize = 700;

/// Sizes of pictures: those that are told in full, and three more.
fn pictures() -> Vec<u32> {
    let mut sizes = vec![100; HEAD_PICTURES as usize];
    sizes[0] = FIRST_PICTURE;
    sizes.extend([PICTURE; 3]);
    sizes
}

fn tell(file: &[u8], from: u64) -> Option<Vec<u8>> {
    let size = file.len() as u64;
    let extent = Extent { from, whole: HEAD_BYTES };
    let mut structure =
        Structure::open(Cursor::new(file), size, extent).expect("memory is there")?;
    let mut out = Vec::new();
    while structure.advance(&mut out).expect("memory is there") {
        if out.len().is_multiple_of(7) {
            structure.flush(&mut out).expect("memory is there");
        }
    }
    Some(out)
}

fn number(text: &mut &[u8]) -> u64 {
    let mut value = 0;
    for index in 0.. {
        let (byte, rest) = text.split_first().expect("a number is whole");
        *text = rest;
        value |= u64::from(byte & 0x7f) << (index * 7);
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

/// The holes that records leave in a file; asserts that they tell the truth about the rest.
fn holes(file: &[u8], from: u64, mut text: &[u8]) -> Vec<Range<usize>> {
    let mut holes = Vec::new();
    let mut at = usize::try_from(from).expect("small");
    while !text.is_empty() {
        let hole = usize::try_from(number(&mut text)).expect("small");
        let told = usize::try_from(number(&mut text)).expect("small");
        if hole > 0 {
            holes.push(at..at + hole);
        }
        at += hole;
        assert!(text[..told] == file[at..at + told], "told bytes at {at} are not the file's");
        text = &text[told..];
        at += told;
    }
    assert_eq!(at, file.len(), "the records are as long as the file");
    holes
}

/// An H.264 picture of one slice.
fn picture(bytes: u32) -> Vec<u8> {
    let mut picture = (bytes - 4).to_be_bytes().to_vec();
    picture.push(0x65);
    picture.resize(bytes as usize, 0x5a);
    picture
}

fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
    let size = (content.len() as u64 | 1 << 56).to_be_bytes();
    [id, &size, content].concat()
}

fn simple_block(track: u8, flags: u8, content: &[u8]) -> Vec<u8> {
    element(&[0xa3], &[&[0x80 | track, 0, 0, flags], content].concat())
}

const UNKNOWN: [u8; 8] = [1, 255, 255, 255, 255, 255, 255, 255];

/// Two tracks, and clusters of all kinds.
fn matroska() -> Vec<u8> {
    let track = |number: u8, kind: u8, codec: &[u8]| {
        let entry =
            [element(&[0xd7], &[number]), element(&[0x83], &[kind]), element(&[0x86], codec)];
        element(&[0xae], &entry.concat())
    };
    let tracks = [track(1, 1, b"V_MPEG4/ISO/AVC"), track(2, 2, b"A_AAC")].concat();
    let mut segment = [
        element(&[0x15, 0x49, 0xa9, 0x66], &[0; 30]),
        element(&[0x16, 0x54, 0xae, 0x6b], &tracks),
        element(&[0xec], &[0; 100]),
    ]
    .concat();
    let mut first = element(&[0xe7], &[0]);
    for bytes in &pictures()[..HEAD_PICTURES as usize] {
        first.extend(simple_block(1, 0x80, &picture(*bytes)));
    }
    segment.extend(element(&[0x1f, 0x43, 0xb6, 0x75], &first));
    segment.extend([&[0x1f, 0x43, 0xb6, 0x75][..], &UNKNOWN].concat());
    segment.extend(element(&[0xe7], &[9]));
    for _ in 0..3 {
        segment.extend(simple_block(1, 0, &picture(PICTURE)));
        segment.extend(simple_block(2, 0x80, &[0x33; SOUND]));
    }
    let block = element(&[0xa1], &[&[0x81, 0, 0, 0][..], &picture(PICTURE)].concat());
    let group = [block, element(&[0x9b], &[40])].concat();
    let last = [
        element(&[0xe7], &[9]),
        element(&[0xa0], &group),
        simple_block(1, 0x06, &picture(PICTURE)),
    ];
    segment.extend(element(&[0x1f, 0x43, 0xb6, 0x75], &last.concat()));
    segment.extend(element(&[0x1c, 0x53, 0xbb, 0x6b], &[0; 200]));
    let mut file = element(&[0x1a, 0x45, 0xdf, 0xa3], &[0; 10]);
    file.extend([&[0x18, 0x53, 0x80, 0x67][..], &UNKNOWN].concat());
    file.extend(segment);
    file
}

fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len() + 8).expect("small");
    [&size.to_be_bytes(), &kind[..], content].concat()
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

/// A track whose chunks hold one sample each.
fn trak(id: u32, handler: &[u8; 4], kind: &[u8; 4], samples: &[(u32, u32)]) -> Vec<u8> {
    let count = u32::try_from(samples.len()).expect("small");
    let sizes: Vec<u32> = samples.iter().map(|(_, size)| *size).collect();
    let chunks: Vec<u32> = samples.iter().map(|(at, _)| *at).collect();
    let table = [
        boxed(b"stsd", &[words(&[0, 1]), boxed(kind, &[0; 78])].concat()),
        boxed(b"stsz", &words(&[&[0, 0, count], &sizes[..]].concat())),
        boxed(b"stsc", &words(&[0, 1, 1, 1, 1])),
        boxed(b"stco", &words(&[&[0, count], &chunks[..]].concat())),
    ];
    let information = boxed(b"minf", &boxed(b"stbl", &table.concat()));
    let handler = boxed(b"hdlr", &[&[0; 8], &handler[..], &[0; 12]].concat());
    let header = boxed(b"tkhd", &words(&[0, 0, 0, id, 0]));
    boxed(b"trak", &[header, boxed(b"mdia", &[handler, information].concat())].concat())
}

/// Pictures and sound in turn, the table behind them.
fn mp4() -> Vec<u8> {
    let mut file = boxed(b"ftyp", b"isom0000");
    let mut media = Vec::new();
    let (mut film, mut sound) = (Vec::new(), Vec::new());
    let start = u32::try_from(file.len() + 8).expect("small");
    for bytes in pictures() {
        let place = |media: &Vec<u8>| start + u32::try_from(media.len()).expect("small");
        film.push((place(&media), bytes));
        media.extend(picture(bytes));
        sound.push((place(&media), u32::try_from(SOUND).expect("small")));
        media.extend([0x33; SOUND]);
    }
    let tracks = [trak(1, b"vide", b"avc1", &film), trak(2, b"soun", b"mp4a", &sound)].concat();
    file.extend(boxed(b"mdat", &media));
    file.extend(boxed(b"moov", &tracks));
    file
}

/// The same in two fragments.
fn fragmented_mp4() -> Vec<u8> {
    let mut file = boxed(b"ftyp", b"iso50000");
    let extends = boxed(b"mvex", &boxed(b"trex", &words(&[0, 1, 1, 0, 0, 0])));
    file.extend(boxed(b"moov", &[trak(1, b"vide", b"avc1", &[]), extends].concat()));
    for sizes in pictures().chunks(HEAD_PICTURES as usize + 1) {
        let fragment = |offset: u32| {
            let count = u32::try_from(sizes.len()).expect("small");
            let run = words(&[&[0x201, count, offset], sizes].concat());
            let parts = [boxed(b"tfhd", &words(&[0x2_0000, 1])), boxed(b"trun", &run)].concat();
            boxed(b"moof", &boxed(b"traf", &parts))
        };
        let length = u32::try_from(fragment(0).len()).expect("small");
        file.extend(fragment(length + 8));
        file.extend(boxed(b"mdat", &sizes.iter().copied().flat_map(picture).collect::<Vec<_>>()));
    }
    file
}

fn all() -> [Vec<u8>; 3] {
    [matroska(), mp4(), fragmented_mp4()]
}

#[test]
fn what_is_inside_of_later_pictures_is_left_out_and_nothing_else() {
    for (number, file) in all().into_iter().enumerate() {
        let holes = holes(&file, 0, &tell(&file, 0).expect("it is understood"));
        let wanted = if number == 0 { 4 } else { 3 };
        assert_eq!(holes.len(), wanted, "file {number}");
        for hole in holes {
            assert_eq!(hole.len(), PICTURE as usize - 260, "file {number}");
            assert!(file[hole].iter().all(|byte| *byte == 0x5a), "file {number}");
        }
    }
}

#[test]
fn who_comes_back_hears_the_rest() {
    for file in all() {
        let whole = holes(&file, 0, &tell(&file, 0).expect("it is understood"));
        let middle = whole[0].end - 100;
        for from in [0, 1, middle, whole[1].start, file.len() - 1, file.len()] {
            let rest = tell(&file, from as u64).expect("it is understood");
            let clipped: Vec<Range<usize>> = whole
                .iter()
                .filter(|hole| hole.end > from)
                .map(|hole| hole.start.max(from)..hole.end)
                .collect();
            assert_eq!(holes(&file, from as u64, &rest), clipped, "from {from}");
        }
    }
}

#[test]
fn other_files_have_no_structure() {
    assert_eq!(tell(b"", 0), None);
    assert_eq!(tell(&[0; 1000], 0), None);
    assert_eq!(tell(&boxed(b"ftyp", b"isom0000"), 0), None);
    let only_sound = [boxed(b"moov", &trak(1, b"soun", b"mp4a", &[])), boxed(b"mdat", &[0; 9])];
    assert_eq!(tell(&only_sound.concat(), 0), None);
    let unknown_pictures = [boxed(b"moov", &trak(1, b"vide", b"wxyz", &[])), boxed(b"mdat", &[])];
    assert_eq!(tell(&unknown_pictures.concat(), 0), None);
}

#[test]
fn samples_that_lie_over_others_end_the_holes() {
    let mut file = boxed(b"ftyp", b"isom0000");
    let start = u32::try_from(file.len() + 8).expect("small");
    let (mut media, mut film) = (Vec::new(), Vec::new());
    for bytes in pictures() {
        film.push((start + u32::try_from(media.len()).expect("small"), bytes));
        media.extend(picture(bytes));
    }
    // This sound is said to lie in the middle of the first picture that could have a hole.
    let (within, _) = film[HEAD_PICTURES as usize];
    let tracks =
        [trak(1, b"vide", b"avc1", &film), trak(2, b"soun", b"mp4a", &[(within + 5000, 100)])];
    file.extend(boxed(b"mdat", &media));
    file.extend(boxed(b"moov", &tracks.concat()));
    assert_eq!(holes(&file, 0, &tell(&file, 0).expect("it is understood")), []);
}

#[test]
fn a_damaged_cluster_is_told_in_full_and_all_behind_it() {
    let file = matroska();
    let before = holes(&file, 0, &tell(&file, 0).expect("it is understood"));
    let mut damaged = file.clone();
    // The element behind the second picture with a hole.
    damaged[before[1].end] = 0;
    let after = holes(&damaged, 0, &tell(&damaged, 0).expect("it is understood"));
    assert_eq!(after, before[..2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_damage_makes_it_lie_or_panic(
        which in 0_usize..3,
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        end in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut file = all()[which].clone();
        // Where headers stand: the first and the last bytes.
        let edges = [0..400, FIRST_PICTURE as usize..file.len()];
        for (index, value) in places {
            let edge = edges[usize::from(index.index(2) == 1)].clone();
            let place = edge.start + index.index(edge.len());
            file[place] = value;
        }
        if cut {
            file.truncate(end.index(file.len()) + 1);
        }
        if let Some(text) = tell(&file, 0) {
            holes(&file, 0, &text);
        }
    }
}
