//! Every call of REST and of gRPC by everybody: only those get in whom the table of docs/guide/api.md lets in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use prost::Message as _;
use prost_types::FileDescriptorSet;
use reqwest::Method;
use segenc_proto::connect::{Secret, grpc_channel};
use segenc_proto::grpc;
use serde_json::{Value, json};
use tonic::Code;
use tonic_prost::ProstCodec;

use crate::support::{Caller, Farm, json_of};

/// The page with the table.
const PAGE: &str = include_str!("../../../../docs/guide/api.md");
/// Its heading.
const HEADING: &str = "## Who may do what";
/// The one call that the description does not describe: the description.
const DESCRIPTION: (&str, &str) = ("GET", "/api/openapi.json");
/// A number, a name, an id that nothing has.
const NOTHING: &str = "999999";
/// A call that has not been refused by then is one that waits for something to happen.
const WAITS_AFTER: Duration = Duration::from_millis(400);
/// Our own service; health and reflection beside it tell nothing of jobs.
const SERVICE: &str = "SegmentedEncoder";

/// Who calls, by the columns of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Column {
    Nobody,
    Join,
    Viewer,
    Operator,
    Worker,
}

const COLUMNS: [Column; 5] =
    [Column::Nobody, Column::Join, Column::Viewer, Column::Operator, Column::Worker];

/// What the table says of a call and a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Refused,
    Allowed,
    /// Only for a task that it holds, or that was its own.
    OwnTask,
}

type Row = BTreeMap<Column, Word>;

fn table() -> BTreeMap<String, Row> {
    let (_, text) = PAGE.split_once(HEADING).expect("the page has the table");
    let lines = text.lines().skip_while(|line| !line.starts_with("| `"));
    lines
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            assert_eq!(cells.len(), COLUMNS.len() + 1, "{line}");
            let words = cells[1..].iter().map(|cell| match *cell {
                "" => Word::Refused,
                "yes" => Word::Allowed,
                "its task" => Word::OwnTask,
                other => panic!("`{other}` is no word of the table: {line}"),
            });
            let call = cells[0].trim_matches('`').to_owned();
            (call, COLUMNS.into_iter().zip(words).collect())
        })
        .collect()
}

/// Somebody with a token, or without.
struct Walker {
    name: &'static str,
    column: Column,
    token: Option<Secret>,
}

impl Walker {
    fn new(name: &'static str, column: Column, token: Option<Secret>) -> Self {
        Self { name, column, token }
    }
}

async fn program_token(farm: &Farm, role: &str, label: &str) -> Secret {
    let wish = json!({"role": role, "label": label});
    let made = json_of(farm.operator.post("/api/tokens", &wish).await).await;
    Secret::new(made["token"].as_str().expect("a token").to_owned())
}

async fn id_of(farm: &Farm, label: &str) -> String {
    let tokens = farm.operator.get_json("/api/tokens").await;
    let tokens = tokens.as_array().expect("a list");
    let found = tokens.iter().find(|token| token["label"] == label).expect("it was made");
    found["id"].as_str().expect("an id").to_owned()
}

async fn delete(farm: &Farm, path: &str) {
    let answer = farm.operator.request(Method::DELETE, path).send().await.expect("an answer");
    assert_eq!(answer.status(), 204, "{path}");
}

/// A farm with one of each, and a task that another worker than the walker holds.
async fn walkers() -> (Farm, Vec<Walker>) {
    let farm = Farm::start().await;
    let expired = program_token(&farm, "operator", "expired").await;
    let revoked = program_token(&farm, "operator", "revoked").await;
    let viewer = program_token(&farm, "viewer", "viewer").await;
    delete(&farm, &format!("/api/tokens/{}", id_of(&farm, "revoked").await)).await;
    let gone = farm.worker("gone").await;
    delete(&farm, &format!("/api/workers/{}", gone.id)).await;
    let farm = expire(farm, "expired").await;

    farm.job(json!({})).await;
    let mut holder = farm.worker("holder").await;
    let task = holder.task().await;
    assert_eq!((task.job_id, task.task_id), (1, 1), "the addresses below are about this task");
    let other = farm.worker("other").await;

    let join = farm.server.join_string().token;
    let operator = farm.operator.token.clone();
    let made_up = Secret::new("made-up".to_owned());
    let all = vec![
        Walker::new("nobody", Column::Nobody, None),
        Walker::new("a made-up token", Column::Nobody, Some(made_up)),
        Walker::new("an expired token", Column::Nobody, Some(expired)),
        Walker::new("a revoked token", Column::Nobody, Some(revoked)),
        Walker::new("a removed worker", Column::Nobody, Some(gone.files.token)),
        Walker::new("the join token", Column::Join, Some(join)),
        Walker::new("a viewer", Column::Viewer, Some(viewer)),
        Walker::new("a worker without the task", Column::Worker, Some(other.files.token)),
        Walker::new("an operator", Column::Operator, Some(operator)),
    ];
    (farm, all)
}

/// Lets a token's time be over, as only time can do.
async fn expire(farm: Farm, label: &str) -> Farm {
    let Farm { folders, server, .. } = farm;
    server.stop().await;
    let file = format!("sqlite://{}", folders.data().join("events.sqlite").display());
    let pool = sqlx::SqlitePool::connect(&file).await.expect("the database");
    let changed = sqlx::query("UPDATE tokens SET expires = 1 WHERE label LIKE '%' || ?")
        .bind(label)
        .execute(&pool)
        .await
        .expect("changed");
    assert_eq!(changed.rows_affected(), 1);
    pool.close().await;
    Farm::over(folders).await
}

/// All calls of REST, as the server describes them: method and address.
async fn rest_calls(farm: &Farm) -> BTreeSet<(String, String)> {
    let document = farm.operator.get_json("/api/openapi.json").await;
    let paths = document["paths"].as_object().expect("the description has paths");
    let mut calls = BTreeSet::from([(DESCRIPTION.0.to_owned(), DESCRIPTION.1.to_owned())]);
    for (path, methods) in paths {
        for method in methods.as_object().expect("methods").keys() {
            if method != "parameters" {
                calls.insert((method.to_uppercase(), path.clone()));
            }
        }
    }
    calls
}

/// The address with things that are there for what hangs on a task, and with things that are not for the rest:
/// the walk must not change what it walks over.
fn address(path: &str) -> String {
    let mut address = path.to_owned();
    let is_of_a_task = path.contains("/tasks/{");
    while let (Some(begin), Some(end)) = (address.find('{'), address.find('}')) {
        let thing = if !is_of_a_task {
            NOTHING
        } else if address[begin..end].contains("num") {
            "0"
        } else {
            "1"
        };
        address.replace_range(begin..=end, thing);
    }
    // What cannot be read as a wish would be complained of before anybody asks who it is.
    let names_attempt = path.ends_with("/output") || path.ends_with("/thumbnail");
    if is_of_a_task && names_attempt { address + "?attempt=1" } else { address }
}

/// How a call ended for a caller.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Refused,
    NotItsTask,
    LetIn,
}

async fn call_rest(caller: &Caller, walker: &Walker, method: &str, path: &str) -> (Answer, String) {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let is_head = method == Method::HEAD;
    let mut request = caller.http.request(method, format!("{}{}", caller.base, address(path)));
    if let Some(token) = &walker.token {
        request = request.header("authorization", token.bearer());
    }
    let request = request.header("content-type", "application/json").body("{}");
    let response = match tokio::time::timeout(WAITS_AFTER * 10, request.send()).await {
        Ok(response) => response.expect("an answer"),
        Err(_) => return (Answer::LetIn, "waits".to_owned()),
    };
    let status = response.status().as_u16();
    if !matches!(status, 401 | 403 | 409) {
        return (Answer::LetIn, status.to_string());
    }
    // A HEAD has no body that would tell more; a login that is refused is one that was tried.
    let kind = match is_head {
        true => String::new(),
        false => json_of(response).await["type"].as_str().unwrap_or_default().to_owned(),
    };
    let answer = match (status, kind.as_str()) {
        (401, "unauthorized") | (403, "not-permitted") => Answer::Refused,
        (401 | 403, "") => Answer::Refused,
        (403 | 409, _) if walker.column == Column::Worker => Answer::NotItsTask,
        _ => Answer::LetIn,
    };
    (answer, format!("{status} {kind}"))
}

/// All calls of our service, as the .proto describes them.
fn grpc_calls() -> Vec<String> {
    let set = FileDescriptorSet::decode(grpc::DESCRIPTORS).expect("the .proto, compiled");
    let mut calls = Vec::new();
    for file in &set.file {
        for service in file.service.iter().filter(|service| service.name() == SERVICE) {
            let prefix = format!("/{}.{}", file.package(), service.name());
            calls.extend(service.method.iter().map(|call| format!("{prefix}/{}", call.name())));
        }
    }
    calls
}

async fn call_grpc(farm: &Farm, walker: &Walker, call: &str) -> (Answer, String) {
    let channel = grpc_channel(&farm.server.server_address()).expect("a channel");
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.expect("the server listens");
    // An empty message is one of every kind; to have failed at something takes a reason, too.
    let message = match call.ends_with("/failTask") {
        true => grpc::FailRequest {
            task_id: 1,
            attempt: 1,
            kind: grpc::FailureKind::Transient.into(),
            reason: "made-up".to_owned(),
            ..Default::default()
        },
        false => grpc::FailRequest::default(),
    };
    let mut request = tonic::Request::new(message);
    if let Some(token) = &walker.token {
        let value = token.bearer().parse().expect("a header");
        request.metadata_mut().insert("authorization", value);
    }
    let path = call.parse().expect("an address");
    let codec = ProstCodec::<grpc::FailRequest, ()>::default();
    let answer = tokio::time::timeout(WAITS_AFTER, client.server_streaming(request, path, codec));
    let code = match answer.await {
        Err(_) => return (Answer::LetIn, "waits".to_owned()),
        Ok(Err(status)) => status.code(),
        Ok(Ok(response)) => {
            let first = tokio::time::timeout(WAITS_AFTER, response.into_inner().message()).await;
            match first {
                Ok(Err(status)) => status.code(),
                Ok(Ok(_)) | Err(_) => Code::Ok,
            }
        }
    };
    let answer = match code {
        Code::Unauthenticated | Code::PermissionDenied => Answer::Refused,
        Code::FailedPrecondition | Code::NotFound | Code::Aborted => Answer::NotItsTask,
        _ => Answer::LetIn,
    };
    (answer, format!("{code:?}"))
}

/// Complains of everything that is not as the table says.
fn judge(call: &str, row: Option<&Row>, walker: &Walker, got: &(Answer, String)) -> Option<String> {
    let (answer, told) = got;
    let word = row.and_then(|row| row.get(&walker.column)).copied();
    let is_right = match word {
        None => false,
        Some(Word::Refused) => *answer == Answer::Refused,
        Some(Word::Allowed) => *answer != Answer::Refused,
        Some(Word::OwnTask) => *answer != Answer::LetIn,
    };
    (!is_right).then(|| {
        let said = word.map_or("nothing".to_owned(), |word| format!("{word:?}"));
        format!("{call} by {}: {answer:?} ({told}), the table says {said}", walker.name)
    })
}

#[tokio::test]
async fn only_those_get_in_whom_the_table_lets_in() {
    let (farm, walkers) = walkers().await;
    let table = table();
    let mut complaints = Vec::new();
    let mut walked = BTreeSet::new();
    for (method, path) in rest_calls(&farm).await {
        let call = format!("{method} {path}");
        for walker in &walkers {
            let got = call_rest(&farm.operator, walker, &method, &path).await;
            complaints.extend(judge(&call, table.get(&call), walker, &got));
        }
        walked.insert(call);
    }
    for path in grpc_calls() {
        let call = path.rsplit('/').next().expect("it has a slash").to_owned();
        for walker in &walkers {
            let got = call_grpc(&farm, walker, &path).await;
            complaints.extend(judge(&call, table.get(&call), walker, &got));
        }
        walked.insert(call);
    }
    for call in table.keys().filter(|call| !walked.contains(*call)) {
        complaints.push(format!("{call} is in the table, but not in the interface"));
    }
    assert!(complaints.is_empty(), "docs/guide/api.md, {HEADING}:\n{}", complaints.join("\n"));
}

#[tokio::test]
async fn what_is_not_described_is_not_there() {
    let farm = Farm::start().await;
    for path in ["/api", "/api/", "/api/jobs/1/everything", "/api/tokens/1/secret", "/metrics/x"] {
        let nobody = farm.operator.http.get(format!("{}{path}", farm.operator.base));
        let status = nobody.send().await.expect("an answer").status().as_u16();
        assert!(matches!(status, 401 | 404), "{path}: {status}");
    }
    let view: Value = farm.operator.get_json("/api/server").await;
    assert_eq!(view["role"], "operator");
}
