//! Hostile films told with holes: the server reads their containers, the worker reads what it tells.
//!
//! The first byte says from where, the second how the records are cut into pieces; the rest is the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use segenc_server::fuzzing::structure;
use segenc_worker::fuzzing::records;

fuzz_target!(|input: &[u8]| {
    let [from, piece, file @ ..] = input else { return };
    // What a broken server would tell.
    let pieces: Vec<&[u8]> = file.chunks(usize::from(*piece).max(1)).collect();
    let _ = records(&pieces);
    let from = u64::from(*from);
    let told = structure(file, from, 0).expect("memory can be read");
    let Some(told) = told else { return };
    let pieces: Vec<&[u8]> = told.chunks(usize::from(*piece) * 16 + 1).collect();
    let parts = records(&pieces).expect("the worker understands what the server tells");
    let mut at = usize::try_from(from).expect("small").min(file.len());
    for part in parts {
        match part {
            Ok(hole) => at += usize::try_from(hole).expect("no longer than the file"),
            Err(bytes) => {
                assert!(file[at..].starts_with(&bytes), "told bytes at {at} are not the file's");
                at += bytes.len();
            }
        }
    }
    assert_eq!(at, file.len(), "the records are as long as the file");
});
