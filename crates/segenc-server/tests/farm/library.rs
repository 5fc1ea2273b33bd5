//! What a server does by itself: notifications with a receiver that listens, watch folders, numbers.

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Farm, json_of, text};

/// A receiver of webhooks on this computer.
struct Receiver {
    listener: TcpListener,
}

impl Receiver {
    async fn open() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.expect("a port") }
    }

    fn url(&self) -> String {
        format!("http://{}/a/secret/path", self.listener.local_addr().expect("an address"))
    }

    /// Takes one message and answers with this status: its head and its body.
    async fn take(&self, status: &str) -> (String, String) {
        let (mut line, _) = self.listener.accept().await.expect("a message");
        let (head, body) = read(&mut line).await;
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        line.write_all(answer.as_bytes()).await.expect("answered");
        (head, body)
    }
}

async fn read(line: &mut TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.expect("a length").parse().expect("a number");
            if body.len() >= length {
                return (head, body.to_owned());
            }
        }
        assert!(line.read_buf(&mut bytes).await.expect("readable") > 0, "it broke off");
    }
}

/// HMAC-SHA256 as RFC 2104 writes it, for keys that are no longer than a block.
fn hmac(key: &[u8], body: &[u8]) -> String {
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(body).finalize();
    let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_failed_job_is_told_to_a_webhook_signed_and_again_after_a_refusal() {
    let farm = Farm::start().await;
    let receiver = Receiver::open().await;
    let wish = json!({
        "label": "chat", "events": ["job-failed"], "text": "{name} {reason}",
        "webhook": {"url": receiver.url(), "secret": "hush"}
    });
    let made = json_of(farm.operator.post("/api/notifications", &wish).await).await;
    assert_eq!((&made["kind"], &made["signed"]), (&json!("webhook"), &json!(true)), "{made}");
    let listed = farm.operator.get_json("/api/notifications").await.to_string();
    assert!(!listed.contains("hush") && !listed.contains("secret/path"), "{listed}");

    let path = format!("/api/notifications/{}/test", made["id"].as_str().expect("a name"));
    let nothing = json!({});
    let (tested, (_, body)) =
        tokio::join!(farm.operator.post(&path, &nothing), receiver.take("204 No Content"));
    assert_eq!(tested.status(), 204);
    assert!(body.contains("\"event\":\"test\""), "{body}");

    let mut worker = farm.worker("one").await;
    farm.job(json!({})).await;
    let task = worker.task().await;
    worker.fail(&task, "source-unreadable").await;
    // A receiver that is just starting gets the same message again.
    let (first, _) = receiver.take("503 Service Unavailable").await;
    let (second, body) = receiver.take("200 OK").await;
    let header = |head: &str, name: &str| {
        let found = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        found.expect("it is there").to_owned()
    };
    assert_eq!(header(&first, "x-segenc-delivery"), header(&second, "x-segenc-delivery"));
    assert_eq!(header(&second, "x-segenc-event"), "job-failed");
    let signed = format!("sha256={}", hmac(b"hush", body.as_bytes()));
    assert_eq!(header(&second, "x-segenc-signature"), signed);
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(body["job"]["failure"]["reason"], "source-unreadable");
    assert_eq!(body["text"], "in.mkv source-unreadable");
}

#[tokio::test]
async fn what_leads_to_the_machines_own_network_is_refused() {
    let farm = Farm::start().await;
    for wish in [
        json!({"webhook": {"url": "http://169.254.169.254/latest"}}),
        json!({"webhook": {"url": "file:///etc/passwd"}}),
        json!({"mail": {"to": ["a@example.org"]}}),
        json!({}),
    ] {
        let refused = farm.operator.post("/api/notifications", &wish).await;
        assert_eq!(refused.status(), 422, "{wish}");
        assert_eq!(json_of(refused).await["type"], "bad-notification");
    }
}

#[tokio::test]
async fn watch_folders_are_made_kept_and_forgotten() {
    let farm = Farm::start().await;
    let films = farm.folders.films();
    let put = async |farm: &Farm, body: &Value| {
        let request = farm.operator.request(Method::PUT, "/api/watch-folders/films");
        request.body(body.to_string()).send().await.expect("an answer")
    };
    let good = json!({"path": text(&films), "output": text(&films), "preset": "small",
        "template": "{name}.done.{ext}", "enabled": false});
    for (change, value) in [
        ("path", json!("/etc")),
        ("output", json!(text(&films.join("absent")))),
        ("template", json!("{title}")),
        ("preset", json!("none")),
        ("args", json!(["refused"])),
    ] {
        let mut wrong = good.clone();
        wrong[change] = value;
        let refused = put(&farm, &wrong).await;
        assert_eq!(refused.status(), 422, "{wrong}");
        assert_eq!(json_of(refused).await["type"], "bad-watch-folder");
    }
    assert_eq!(put(&farm, &good).await.status(), 200);
    let farm = farm.restart().await;
    let kept = farm.operator.get_json("/api/watch-folders").await;
    assert_eq!(kept[0]["settings"]["template"], "{name}.done.{ext}");
    let gone = farm.operator.request(Method::DELETE, "/api/watch-folders/films").send().await;
    assert_eq!(gone.expect("an answer").status(), 204);
    assert_eq!(farm.operator.get_json("/api/watch-folders").await, json!([]));
}

#[tokio::test]
async fn the_farm_is_told_in_numbers_to_those_who_may_look() {
    let farm = Farm::start().await;
    let _worker = farm.worker("one").await;
    farm.job(json!({})).await;
    let numbers = farm.operator.get("/metrics").await.text().await.expect("a body");
    for line in [
        "segenc_jobs{state=\"analyzing\"} 1",
        "segenc_tasks{kind=\"analysis\",state=\"ready\"} 1",
        "segenc_workers{state=\"active\",online=\"true\"} 1",
        "segenc_slots 4",
        "segenc_jobs_created_total 1",
        "segenc_leases_lost_total 0",
        "# TYPE segenc_store_commit_seconds histogram",
    ] {
        assert!(numbers.lines().any(|found| found == line), "{line} is not in\n{numbers}");
    }
    let stranger = farm.operator.http.get(format!("{}/metrics", farm.operator.base)).send().await;
    assert_eq!(stranger.expect("an answer").status(), 401);
}
