//! Start and end of a server, and the standard services on its port.

use std::path::Path;

use segenc_proto::connect::{JoinString, grpc_channel};
use segenc_server::{Protection, StartError, start};
use tokio_stream::StreamExt as _;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::{ServerReflectionRequest, server_reflection_response};

use crate::support::{Caller, Farm, Folders};

#[tokio::test]
async fn two_servers_cannot_share_a_data_folder() {
    let farm = Farm::start().await;
    let refused = start(farm.folders.config()).await.expect_err("in use");
    assert!(matches!(refused, StartError::DataDirInUse { .. }), "{refused}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let farm = Farm::start().await;
    let other = Folders::new();
    let mut config = other.config();
    config.listen = farm.server.address();
    let refused = start(config).await.expect_err("in use");
    assert!(matches!(refused, StartError::AddressInUse { .. }), "{refused}");
    assert!(refused.to_string().contains(&farm.server.address().to_string()));
}

#[tokio::test]
async fn data_of_a_newer_version_is_left_alone() {
    let farm = Farm::start().await;
    let folders = farm.folders;
    farm.server.stop().await;
    let url = format!("sqlite://{}", folders.data().join("events.sqlite").display());
    let pool = sqlx::SqlitePool::connect(&url).await.expect("opened");
    sqlx::raw_sql("PRAGMA user_version = 999").execute(&pool).await.expect("set");
    pool.close().await;
    let refused = start(folders.config()).await.expect_err("newer");
    assert!(matches!(refused, StartError::NewerData { .. }), "{refused}");
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_made_is_named() {
    let folders = Folders::new();
    let mut config = folders.config();
    config.data_dir = folders.source().join("below a file");
    let refused = start(config).await.expect_err("not writable");
    assert!(matches!(refused, StartError::DataDirNotWritable { .. }), "{refused}");
}

#[tokio::test]
async fn secrets_are_in_the_data_folder_and_stay_the_same() {
    let farm = Farm::start().await;
    let read = |path: &Path| std::fs::read_to_string(path).expect("read").trim().to_owned();
    let data = farm.folders.data();
    let token = read(&data.join("admin-token"));
    assert_eq!(token, farm.server.admin_token().reveal());
    let join: JoinString = read(&data.join("join")).parse().expect("a join string");
    assert_eq!(join, farm.server.join_string());
    let farm = farm.restart().await;
    assert_eq!(farm.server.admin_token().reveal(), token);
    assert_eq!(farm.server.join_string().token, join.token);
    // A new admin token after the file was deleted; the old one opens nothing any more.
    std::fs::remove_file(data.join("admin-token")).expect("deleted");
    let farm = farm.restart().await;
    assert_ne!(farm.server.admin_token().reveal(), token);
    let old = segenc_proto::connect::Secret::new(token);
    let old = Caller::new(farm.server.server_address(), old);
    assert_eq!(old.get("/api/jobs").await.status(), 401);
}

#[tokio::test]
async fn beyond_loopback_everything_goes_over_tls() {
    let folders = Folders::new();
    let mut config = folders.config();
    config.listen = "0.0.0.0:0".parse().expect("an address");
    let server = start(config).await.expect("the server starts");
    let port = server.address().port();
    assert!(server.server_address().base_url().starts_with("https://"));
    let plain = reqwest::get(format!("http://127.0.0.1:{port}/healthz")).await;
    assert!(plain.is_err(), "{plain:?}");
    let local = server.server_address().to_string();
    let fingerprint = local.rsplit_once("sha256:").expect("a fingerprint").1.to_owned();
    let address = format!("https://127.0.0.1:{port}/sha256:{fingerprint}");
    let address: segenc_proto::connect::ServerAddress = address.parse().expect("an address");
    let operator = Caller::new(address.clone(), server.admin_token());
    assert_eq!(operator.get("/api/server").await.status(), 200);
    let mut health = HealthClient::new(grpc_channel(&address).expect("a channel"));
    let answer = health.check(HealthCheckRequest { service: String::new() }).await;
    assert_eq!(answer.expect("healthy").into_inner().status, 1);
    server.stop().await;
}

#[tokio::test]
async fn behind_a_proxy_it_stays_plain() {
    let folders = Folders::new();
    let mut config = folders.config();
    config.listen = "0.0.0.0:0".parse().expect("an address");
    config.protection = Protection::PlainBehindProxy;
    config.advertise = Some("farm.example:443".to_owned());
    let server = start(config).await.expect("the server starts");
    assert_eq!(server.join_string().server.authority(), "farm.example:443");
    let plain = reqwest::get(format!("http://127.0.0.1:{}/healthz", server.address().port())).await;
    assert_eq!(plain.expect("an answer").text().await.expect("text"), "ok");
}

#[tokio::test]
async fn health_and_reflection_answer() {
    let farm = Farm::start().await;
    let channel = grpc_channel(&farm.server.server_address()).expect("a channel");
    let service = "segmented_encoder.v1.SegmentedEncoder".to_owned();
    let mut health = HealthClient::new(channel.clone());
    let answer = health.check(HealthCheckRequest { service: service.clone() }).await;
    assert_eq!(answer.expect("healthy").into_inner().status, 1);
    let mut reflection = ServerReflectionClient::new(channel);
    let question = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let answers = reflection.server_reflection_info(tokio_stream::once(question)).await;
    let answer = answers.expect("answers").into_inner().next().await;
    let answer = answer.expect("an answer").expect("no error").message_response;
    let Some(server_reflection_response::MessageResponse::ListServicesResponse(list)) = answer
    else {
        panic!("not a list: {answer:?}");
    };
    assert!(list.service.iter().any(|listed| listed.name == service), "{list:?}");
}

#[tokio::test]
async fn stopping_ends_a_long_poll() {
    let farm = Farm::start().await;
    let mut worker = farm.worker("one").await;
    let (polled, ()) =
        tokio::join!(async { worker.try_task().await }, async { farm.server.stop().await });
    assert_eq!(polled.expect_err("cut off").code(), tonic::Code::Unavailable);
}
