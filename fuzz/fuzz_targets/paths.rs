//! Paths in requests never mean a place outside of the media roots, whatever links lie inside of them.
//!
//! `ROOT` at the beginning of the text stands for the root.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use segenc_server::fuzzing::places;

/// A root with a film, a folder, and links that lead out of it and in circles; beside it what must stay unseen.
static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("there is room").keep();
    let folder = folder.canonicalize().expect("it was just made");
    let root = folder.join("root");
    fs::create_dir_all(root.join("a/b")).expect("there is room");
    fs::create_dir_all(folder.join("out")).expect("there is room");
    for file in ["root/f", "root/a/f", "root/a/b/f", "out/f"] {
        fs::write(folder.join(file), b"film").expect("there is room");
    }
    let links =
        [("../out", "l"), ("../out/f", "m"), (".", "c"), ("n", "n"), ("a", "k"), ("/", "r")];
    for (to, name) in links {
        std::os::unix::fs::symlink(to, root.join(name)).expect("there is room");
    }
    root
});

fuzz_target!(|text: &str| {
    let root = &*ROOT;
    let path = match text.strip_prefix("ROOT") {
        Some(rest) => format!("{}{rest}", root.display()),
        None => text.to_owned(),
    };
    for place in places(root, &path) {
        assert!(place.starts_with(root), "{text:?} means {}", place.display());
        assert!(!place.components().any(|part| part.as_os_str() == ".."));
        // An output need not be there; its folder is.
        let there = place.parent().expect("it is in the root, or the root itself");
        let real =
            if place == *root { root.clone() } else { there.canonicalize().expect("it is there") };
        assert!(real.starts_with(root), "{text:?} means {}", real.display());
    }
});
