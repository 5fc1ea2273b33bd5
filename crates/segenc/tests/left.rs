//! Jobs that are left on a farm, one or many: the same command finds them again.

mod support;

use support::{Process, Server, Stage, ended};

const OPTIONS: [&str; 3] = ["--", "-preset", "placebo"];

#[test]
fn the_same_command_goes_on_with_the_job_that_it_left_on_the_farm() {
    let stage = Stage::new();
    stage.film("film.mkv", 8);
    let server = Server::start(&stage, &["--workers", "1"]);
    let words = ["encode", "--json", "--segment-seconds", "2", "film.mkv", "out.mkv"];
    let start = || Process::start(server.ask(&stage, &words).args(OPTIONS));
    let mut first = start();
    first.until(|line| line["job"]["progress"]["segments_done"].as_u64() >= Some(1));
    first.kill();
    let mut second = start();
    second.until(|line| line["event"] == "resuming");
    let result = second.until(|line| line["event"] == "completed" || line["event"] == "failed");
    assert_eq!(result["report"]["frames"], 200, "{result}");
    assert!(stage.exists("out.mkv"));
    let jobs = || ended(&mut server.ask(&stage, &["jobs", "--json"])).stdout.lines().count();
    assert_eq!(jobs(), 1, "it is the same job");
    // What is done is not found again: somebody who asks anew wants it anew.
    let mut words = server.ask(&stage, &["encode", "-q", "--segment-seconds", "2", "--overwrite"]);
    ended(words.args(["film.mkv", "out.mkv"]).args(OPTIONS)).with_code(0);
    assert_eq!(jobs(), 2);
}

#[test]
fn many_films_on_a_farm_are_told_one_by_one() {
    let stage = Stage::new();
    for name in ["a.mkv", "b.mkv"] {
        stage.film(name, 2);
    }
    stage.write("none.mkv", b"this is no film");
    let server = Server::start(&stage, &["--workers", "1"]);
    let words = ["encode", "a.mkv", "b.mkv", "none.mkv", "--output-dir", "small", "--json"];
    let options = ["--", "-preset", "ultrafast"];
    let told = ended(server.ask(&stage, &words).args(options)).with_code(1);
    let films: Vec<serde_json::Value> = told
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &serde_json::Value| line["event"] == "film" && line["state"] != "begun")
        .collect();
    let state = |name: &str| {
        let film = films.iter().find(|film| film["input"] == name).expect("each is told");
        film["state"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!([state("a.mkv"), state("b.mkv")], ["encoded", "encoded"]);
    assert_eq!(state("none.mkv"), "failed");
    assert!(stage.exists("small/a.mkv") && stage.exists("small/b.mkv"));
    let again = ended(server.ask(&stage, &words).args(options)).with_code(1);
    assert_eq!(again.stdout.matches("\"state\":\"there\"").count(), 2, "{}", again.stdout);
}
