//! Traces as a collector gets them: a real server and two real workers, one trace.

#![cfg(unix)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use support::{Process, Server, Stage, ended};

/// A span as it arrived.
#[derive(Debug, Clone)]
struct Arrived {
    service: String,
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    name: String,
    text: String,
}

/// A collector that keeps what it gets.
struct Collector {
    url: String,
    spans: Arc<Mutex<Vec<Arrived>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it listens"));
        let spans: Arc<Mutex<Vec<Arrived>>> = Arc::default();
        let kept = Arc::clone(&spans);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                thread::spawn(move || while take(&stream, &kept).is_some() {});
            }
        });
        Self { url, spans }
    }

    fn spans(&self) -> Vec<Arrived> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One request of a connection; `None` at its end.
fn take(stream: &TcpStream, kept: &Mutex<Vec<Arrived>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim() {
            "" => break,
            line => head.push(line.to_ascii_lowercase()),
        }
    }
    let length = head.iter().find_map(|line| line.strip_prefix("content-length:"))?;
    let mut body = vec![0; length.trim().parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    assert!(head.first()?.starts_with("post /v1/traces "), "{head:?}");
    let request = ExportTraceServiceRequest::decode(body.as_slice()).expect("it is OTLP");
    kept.lock().unwrap_or_else(PoisonError::into_inner).extend(arrived(request));
    (&mut &*stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()
}

fn arrived(request: ExportTraceServiceRequest) -> Vec<Arrived> {
    let mut all = Vec::new();
    for of_service in request.resource_spans {
        let service = format!("{:?}", of_service.resource);
        for span in of_service.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            let text = format!("{span:?}");
            let service = service.clone();
            let (trace, id, parent) = (span.trace_id, span.span_id, span.parent_span_id);
            all.push(Arrived { service, trace, id, parent, name: span.name, text });
        }
    }
    all
}

fn traced(stage: &Stage, server: &Server, name: &str, collector: &Collector) -> Process {
    let mut command = server.worker_command(stage, name);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url);
    command.env("OTEL_RESOURCE_ATTRIBUTES", format!("host.name=host-of-{name}"));
    Process::start(&mut command)
}

#[test]
fn a_job_on_two_workers_is_one_trace() {
    let stage = Stage::new();
    let collector = Collector::start();
    stage.film("film.mkv", 10);
    let mut server = Server::start(&stage, &["--workers", "0", "--otlp-endpoint", &collector.url]);
    let mut workers = ["one", "two"].map(|name| traced(&stage, &server, name, &collector));
    server.wait_for_workers(&stage, 2);
    let words = ["encode", "-q", "--segment-seconds", "2", "film.mkv", "out.mkv", "--"];
    let mut job = server.ask(&stage, &words);
    ended(job.args(["-preset", "veryfast", "-c:a", "libopus"])).with_code(0);
    // What is not sent yet is sent at the end.
    for process in workers.iter_mut().chain([&mut server.process]) {
        process.interrupt();
        process.code();
    }
    let spans = collector.spans();
    let traces: BTreeSet<&[u8]> = spans.iter().map(|span| span.trace.as_slice()).collect();
    assert_eq!(traces.len(), 1, "one job, one trace");
    let by_id: BTreeMap<&[u8], &Arrived> =
        spans.iter().map(|span| (span.id.as_slice(), span)).collect();
    assert_eq!(by_id.len(), spans.len(), "each span comes once");
    let parent = |span: &Arrived| by_id.get(span.parent.as_slice()).map(|span| span.name.as_str());
    let found = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    assert_eq!(found("job").len(), 1);
    for (name, around) in [
        ("task", "job"),
        ("attempt", "task"),
        ("work", "attempt"),
        ("fetch", "work"),
        ("verify", "work"),
        ("deliver", "work"),
    ] {
        assert!(!found(name).is_empty(), "{name}");
        assert!(found(name).iter().all(|span| parent(span) == Some(around)), "{name}");
    }
    let encodes = found("ffmpeg");
    assert!(encodes.iter().any(|span| parent(span) == Some("work")), "{encodes:?}");
    let hosts: BTreeSet<&str> = ["host-of-one", "host-of-two"]
        .into_iter()
        .filter(|host| found("work").iter().any(|span| span.service.contains(*host)))
        .collect();
    assert_eq!(hosts.len(), 2, "both workers take part");
    assert!(found("job")[0].service.contains("segenc-server"));
    let secret = std::fs::read_to_string(stage.path("farm").join("admin-token")).expect("a token");
    let folder = stage.path("");
    let folder = folder.to_str().expect("a plain name");
    for span in &spans {
        assert!(!span.text.contains(secret.trim()) && !span.text.contains(folder), "{}", span.text);
    }
}

#[test]
fn a_collector_that_is_away_keeps_nobody_waiting() {
    let stage = Stage::new();
    stage.film("film.mkv", 2);
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = closed.local_addr().expect("it listens");
    drop(closed);
    let mut command =
        stage.segenc(&["encode", "film.mkv", "out.mkv", "--", "-preset", "ultrafast"]);
    command.env("SEGENC_LOG", "segenc=warn");
    let told = ended(command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}")));
    let told = told.with_code(0);
    assert_eq!(
        told.stderr.matches("the collector of traces does not take them").count(),
        1,
        "{}",
        told.stderr
    );
}
