//! A watch folder with films of every kind: exactly the right ones are encoded, and the sources stay.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{Server, Stage, ffmpeg, program, succeed};

/// Questions before a test gives up: minutes.
const QUESTIONS_MAX: usize = 4000;

/// A film of half a second with this encoder and so many lines.
fn film(stage: &Stage, name: &str, encoder: &str, lines: u32) {
    let picture = format!("testsrc2=s=128x{lines}:r=25:d=0.6");
    let mut command = ffmpeg();
    command.args(["-f", "lavfi", "-i", &picture, "-c:v", encoder, "-qscale:v", "2", "-g", "8"]);
    if encoder == "libx265" {
        command.args(["-x265-params", "log-level=error"]);
    }
    succeed(command.arg(stage.path(name)));
}

/// What the server answers, as an operator asks it.
fn asked(server: &Server, path: &str) -> Value {
    let token = fs::read_to_string(server.token.trim_start_matches('@')).expect("the token");
    let request = async {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let request = client.get(format!("{}{path}", server.url));
        let request = request.header("authorization", format!("Bearer {}", token.trim()));
        request.send().await.expect("an answer").text().await.expect("a body")
    };
    segenc_proto::connect::install_crypto_provider();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let text = runtime.expect("threads").block_on(request);
    serde_json::from_str(&text).expect("JSON")
}

/// What became of each file.
fn states(server: &Server) -> BTreeMap<String, String> {
    let files = asked(server, "/api/watch-folders/films/files?limit=1000");
    let files = files["items"].as_array().expect("a list");
    let name = |file: &Value| {
        let path = Path::new(file["path"].as_str().expect("a path"));
        path.file_name().expect("a name").to_string_lossy().into_owned()
    };
    let state = |file: &Value| file["state"].as_str().expect("a state").to_owned();
    files.iter().map(|file| (name(file), state(file))).collect()
}

/// Waits until so many files have come to an end; each question is a pause.
#[track_caller]
fn wait_for(server: &Server, count: usize) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    for _ in 0..QUESTIONS_MAX {
        seen = states(server);
        let ended = seen.values().filter(|state| *state != "queued").count();
        if ended >= count && ended == seen.len() {
            return seen;
        }
        succeed(program("sleep").arg("0.2"));
    }
    panic!("{count} files have not come to an end: {seen:?}");
}

fn settings(stage: &Stage, more: &str) -> String {
    let root = stage.path("");
    let root = root.to_str().expect("a plain name");
    let text = format!(
        "media-root = ['{root}']\n[[watch-folder]]\nname = 'films'\npath = '{root}films'\n\
         output = '{root}done'\nargs = ['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '40']\n\
         settle-seconds = 1\nevery-seconds = 1\n{more}"
    );
    let path = stage.write("settings.toml", text.as_bytes());
    path.to_str().expect("a plain name").to_owned()
}

fn digest(path: &Path) -> Vec<u8> {
    succeed(program("sha256sum").arg(path))
}

/// Thirty files: twelve films in folders, five that are HEVC already, three with few lines, three that are small,
/// three broken ones, two that are being written, two that other programs have not finished.
#[test]
fn exactly_the_right_films_of_a_folder_are_encoded_and_the_sources_stay() {
    let stage = Stage::new();
    for folder in ["films/a/b", "done", "made"] {
        fs::create_dir_all(stage.path(folder)).expect("a folder");
    }
    film(&stage, "made/mpeg4.mkv", "mpeg4", 96);
    film(&stage, "made/hevc.mkv", "libx265", 96);
    film(&stage, "made/flat.mkv", "mpeg4", 48);
    let good = fs::read(stage.path("made/mpeg4.mkv")).expect("made");
    let copy = |from: &str, to: String| {
        fs::copy(stage.path(&format!("made/{from}.mkv")), stage.path(&to)).expect("copied");
    };
    let mut expected: BTreeMap<String, String> = BTreeMap::new();
    let mut expect = |name: String, state: &str| drop(expected.insert(name, state.to_owned()));
    for number in 0..12 {
        let folder = ["films", "films/a", "films/a/b"][number % 3];
        copy("mpeg4", format!("{folder}/good{number}.mkv"));
        expect(format!("good{number}.mkv"), "done");
    }
    for number in 0..5 {
        copy("hevc", format!("films/hevc{number}.mkv"));
        expect(format!("hevc{number}.mkv"), "skipped");
    }
    for number in 0..3 {
        copy("flat", format!("films/flat{number}.mkv"));
        stage.write(&format!("films/small{number}.mkv"), b"few bytes");
        let nonsense = b"no film at all ".repeat(200);
        let broken = [&nonsense[..], &good[..1200], &[0; 4096]][number];
        stage.write(&format!("films/broken{number}.mkv"), broken);
        expect(format!("flat{number}.mkv"), "skipped");
        expect(format!("small{number}.mkv"), "skipped");
        expect(format!("broken{number}.mkv"), "failed");
    }
    stage.write("films/unfinished.mkv.part", &good);
    stage.write("films/.hidden.mkv", &good);
    let written: Vec<fs::File> = (0..2)
        .map(|number| {
            use std::io::Write as _;
            let path = stage.path(&format!("films/written{number}.mkv"));
            let mut file = fs::File::create(path).expect("a file");
            file.write_all(&good[..good.len() / 2]).expect("written");
            file
        })
        .collect();
    let before = digest(&stage.path("films/a/b/good2.mkv"));
    let more = "skip-codecs = ['h265', 'av1']\nskip-height-below = 90\nskip-smaller-than = 1000";
    let config = settings(&stage, more);
    let server = Server::start(&stage, &["--workers", "2", "--config", &config]);
    assert_eq!(wait_for(&server, expected.len()), expected);

    let jobs = asked(&server, "/api/jobs?limit=500");
    let count = jobs["items"].as_array().expect("a list").len();
    assert_eq!(count, 12 + 5 + 3 + 3, "small files need no job: {jobs}");
    let skipped = jobs["items"].as_array().expect("a list").iter();
    let skipped = skipped.filter(|job| job["note"].as_str().is_some_and(|n| n.contains("hevc")));
    assert_eq!(skipped.count(), 5);
    for (name, folder) in [("good0", "done"), ("good1", "done/a"), ("good2", "done/a/b")] {
        assert!(stage.exists(&format!("{folder}/{name}.mkv")), "{name}");
    }
    assert!(!stage.exists("done/hevc0.mkv") && !stage.exists("done/written0.mkv"));
    assert_eq!(digest(&stage.path("films/a/b/good2.mkv")), before);

    // Once the writers are done, those films are taken too; nothing else is taken again.
    for mut file in written {
        use std::io::Write as _;
        file.write_all(&good[good.len() / 2..]).expect("written");
        drop(file);
    }
    let after = wait_for(&server, expected.len() + 2);
    assert_eq!(after.get("written0.mkv").map(String::as_str), Some("done"));
    assert_eq!(after.get("written1.mkv").map(String::as_str), Some("done"));
    let jobs = asked(&server, "/api/jobs?limit=500");
    assert_eq!(jobs["items"].as_array().expect("a list").len(), 25, "nothing is tried twice");
}

#[test]
fn a_source_goes_to_the_trash_only_after_its_result_is_there_and_smaller() {
    let stage = Stage::new();
    for folder in ["films", "done"] {
        fs::create_dir_all(stage.path(folder)).expect("a folder");
    }
    film(&stage, "films/large.mkv", "mpeg4", 96);
    // What is encoded with the least quality cannot become smaller.
    let mut command = ffmpeg();
    command.args(["-f", "lavfi", "-i", "testsrc2=s=128x96:r=25:d=0.6", "-c:v", "libx264"]);
    succeed(command.args(["-crf", "51"]).arg(stage.path("films/tiny.mkv")));
    let more = "only-if-smaller = true\nafter = 'trash'";
    let config = settings(&stage, more);
    let server = Server::start(&stage, &["--workers", "2", "--config", &config]);
    let states = wait_for(&server, 2);
    assert_eq!(states["large.mkv"], "done");
    assert_eq!(states["tiny.mkv"], "skipped");
    assert!(stage.exists("done/large.mkv") && !stage.exists("films/large.mkv"));
    assert!(stage.exists(".segenc-trash/films/large.mkv"));
    assert!(stage.exists("films/tiny.mkv") && !stage.exists("done/tiny.mkv"));
    let jobs = asked(&server, "/api/jobs?state=canceled");
    let note = jobs["items"][0]["note"].as_str().expect("a note");
    assert!(note.contains("thrown away"), "{note}");
}
