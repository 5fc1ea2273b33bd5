//! People at the page: who is let in, by what, and what a browser may send.

use reqwest::{Method, Response};
use segenc_proto::connect::Secret;
use serde_json::{Value, json};

use crate::support::{Caller, Farm, json_of};

/// A browser without a page: it remembers one cookie and says where its requests come from.
struct Browser<'a> {
    farm: &'a Farm,
    cookie: Option<String>,
}

impl<'a> Browser<'a> {
    fn new(farm: &'a Farm) -> Self {
        Self { farm, cookie: None }
    }

    async fn send(&self, method: Method, path: &str, body: &Value, site: Option<&str>) -> Response {
        let caller = &self.farm.operator;
        let mut request = caller.http.request(method, format!("{}{path}", caller.base));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", format!("other=1; {cookie}"));
        }
        if let Some(site) = site {
            request = request.header("sec-fetch-site", site);
        }
        request.body(body.to_string()).send().await.expect("an answer")
    }

    async fn own(&self, method: Method, path: &str, body: &Value) -> Response {
        self.send(method, path, body, Some("same-origin")).await
    }

    async fn log_in(&mut self, login: &Value) -> u16 {
        let response = self.own(Method::POST, "/api/session", login).await;
        let status = response.status().as_u16();
        if let Some(cookie) = response.headers().get("set-cookie") {
            let cookie = cookie.to_str().expect("plain");
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
            self.cookie = cookie.split(';').next().map(ToOwned::to_owned);
        }
        status
    }

    async fn status(&self, method: Method, path: &str, body: &Value) -> u16 {
        self.own(method, path, body).await.status().as_u16()
    }
}

fn code(farm: &Farm) -> String {
    let link = farm.server.login_link().expect("no password yet");
    let (page, code) = link.reveal().split_once("/login#").expect("a code behind the page");
    assert_eq!(page, farm.operator.base);
    code.to_owned()
}

#[tokio::test]
async fn the_first_link_opens_once_and_then_there_is_a_password() {
    let farm = Farm::start().await;
    let mut first = Browser::new(&farm);
    assert_eq!(first.status(Method::GET, "/api/session", &json!({})).await, 401);
    let code = json!({"code": code(&farm)});
    assert_eq!(first.log_in(&code).await, 200);
    let session = json_of(first.own(Method::GET, "/api/session", &json!({})).await).await;
    assert_eq!(session["role"], "operator");
    assert_eq!(session["operator_password"], false);
    assert_eq!(Browser::new(&farm).log_in(&code).await, 401, "it was used");

    let wish = json!({"role": "operator", "password": "correct horse"});
    assert_eq!(first.status(Method::PUT, "/api/session/password", &wish).await, 200);
    assert!(farm.server.login_link().is_none());
    let again = json!({"role": "operator", "password": "another one"});
    let refused = first.status(Method::PUT, "/api/session/password", &again).await;
    assert_eq!(refused, 401, "the current one is needed");
    let farm = farm.restart().await;
    let mut second = Browser::new(&farm);
    assert_eq!(second.log_in(&json!({"secret": "wrong"})).await, 401);
    assert_eq!(second.log_in(&json!({"secret": "correct horse"})).await, 200);
    assert_eq!(second.status(Method::DELETE, "/api/session", &json!({})).await, 204);
    assert_eq!(second.status(Method::GET, "/api/session", &json!({})).await, 401);
    let token = farm.server.admin_token();
    assert_eq!(second.log_in(&json!({"secret": token.reveal()})).await, 200);
    let wish = json!({"role": "operator", "password": "another one", "current": token.reveal()});
    assert_eq!(second.status(Method::PUT, "/api/session/password", &wish).await, 200);
}

#[tokio::test]
async fn a_cookie_works_only_for_the_servers_own_page() {
    let farm = Farm::start().await;
    let mut browser = Browser::new(&farm);
    assert_eq!(browser.log_in(&json!({"code": code(&farm)})).await, 200);
    let nothing = json!({});
    for site in [Some("cross-site"), Some("same-site"), None] {
        let response = browser.send(Method::POST, "/api/jobs/1/cancel", &nothing, site).await;
        assert_eq!(response.status(), 403, "{site:?}");
        assert_eq!(json_of(response).await["type"], "other-origin");
    }
    assert_eq!(browser.status(Method::POST, "/api/jobs/1/cancel", &nothing).await, 404);
    let forged = browser.send(Method::POST, "/api/session", &nothing, Some("cross-site")).await;
    assert_eq!(forged.status(), 403);
    let host = farm.operator.base.trim_start_matches("http://").to_owned();
    let cookie = browser.cookie.clone().expect("logged in");
    for (origin, status) in [(format!("http://{host}"), 404), ("http://evil".to_owned(), 403)] {
        let url = format!("{}/api/jobs/1/cancel", farm.operator.base);
        let request = farm.operator.http.post(url).header("cookie", &cookie);
        let response = request.header("origin", &origin).send().await.expect("an answer");
        assert_eq!(response.status(), status, "{origin}");
    }
}

#[tokio::test]
async fn a_cookie_of_a_protected_page_is_never_sent_unprotected() {
    let farm = Farm::start().await;
    let url = format!("{}/api/session", farm.operator.base);
    let token = farm.server.admin_token();
    let body = json!({"secret": token.reveal()}).to_string();
    for (origin, is_secure) in [("https://farm.example", true), ("http://127.0.0.1", false)] {
        // Behind a proxy that does TLS the server itself sees plain HTTP and another host.
        let request = farm.operator.http.post(&url).header("origin", origin);
        let request = request.header("sec-fetch-site", "same-origin").body(body.clone());
        let response = request.send().await.expect("an answer");
        let cookie = response.headers()["set-cookie"].to_str().expect("plain");
        assert_eq!(cookie.contains("; Secure"), is_secure, "{cookie}");
    }
}

#[tokio::test]
async fn viewers_see_and_cannot_change() {
    let farm = Farm::start().await;
    let job = farm.job(json!({})).await;
    let wish = json!({"role": "viewer", "password": "only looking"});
    let set = farm.operator.request(Method::PUT, "/api/session/password").body(wish.to_string());
    assert_eq!(set.send().await.expect("an answer").status(), 200);
    let mut viewer = Browser::new(&farm);
    assert_eq!(viewer.log_in(&json!({"secret": "only looking"})).await, 200);
    let nothing = json!({});
    for path in ["/api/jobs", "/api/workers", "/api/session", "/api/openapi.json"] {
        assert_eq!(viewer.status(Method::GET, path, &nothing).await, 200, "{path}");
    }
    for (method, path) in [
        (Method::POST, format!("/api/jobs/{job}/cancel")),
        (Method::POST, "/api/jobs".to_owned()),
        (Method::GET, "/api/workers/join".to_owned()),
        (Method::GET, "/api/media".to_owned()),
        (Method::PUT, "/api/session/password".to_owned()),
        (Method::POST, "/api/uploads".to_owned()),
    ] {
        let response = viewer.own(method, &path, &nothing).await;
        assert_eq!(response.status(), 403, "{path}");
        assert_eq!(json_of(response).await["type"], "not-permitted", "{path}");
    }
    let gone = json!({"role": "viewer"});
    let set = farm.operator.request(Method::PUT, "/api/session/password").body(gone.to_string());
    assert_eq!(set.send().await.expect("an answer").status(), 200);
    assert_eq!(viewer.status(Method::GET, "/api/jobs", &nothing).await, 401);
}

#[tokio::test]
async fn tokens_of_workers_log_nobody_in() {
    let farm = Farm::start().await;
    let join = farm.server.join_string();
    let worker = farm.worker("one").await;
    for secret in [join.token.reveal(), worker.files.token.reveal(), ""] {
        let status = Browser::new(&farm).log_in(&json!({"secret": secret})).await;
        assert_eq!(status, 401);
    }
    assert_eq!(Browser::new(&farm).log_in(&json!({})).await, 422);
}

#[tokio::test]
async fn a_token_for_a_program_opens_until_it_is_taken_away() {
    let farm = Farm::start().await;
    let make = async |role: &str, label: &str| {
        let wish = json!({"role": role, "label": label});
        farm.operator.post("/api/tokens", &wish).await
    };
    let made = make("viewer", "dashboard").await;
    assert_eq!(made.status(), 201);
    let token = json_of(made).await["token"].as_str().expect("a token").to_owned();
    assert_eq!(make("viewer", " ").await.status(), 422);
    assert_eq!(make("worker", "x").await.status(), 422);
    assert_eq!(make("operator", "script").await.status(), 201);
    assert_eq!(Browser::new(&farm).log_in(&json!({"secret": token})).await, 401);

    // The server's own tokens are renewed at every start; these are not.
    let farm = farm.restart().await;
    let program = Caller { token: Secret::new(token), ..farm.operator.clone() };
    assert_eq!(program.get("/api/jobs").await.status(), 200);
    assert_eq!(program.get("/api/tokens").await.status(), 403);
    let listed = farm.operator.get_json("/api/tokens").await;
    let listed = listed.as_array().expect("a list");
    assert_eq!(listed.len(), 2);
    let dashboard = listed.iter().find(|token| token["label"] == "dashboard").expect("listed");
    assert_eq!(dashboard["role"], "viewer");
    let path = format!("/api/tokens/{}", dashboard["id"].as_str().expect("a name"));
    for status in [204, 404] {
        let gone = farm.operator.request(Method::DELETE, &path).send().await.expect("an answer");
        assert_eq!(gone.status(), status);
    }
    assert_eq!(program.get("/api/jobs").await.status(), 401);
}

#[tokio::test]
async fn a_passkey_is_asked_for_by_a_login_at_a_page_that_has_a_name() {
    let farm = Farm::start().await;
    let url = |path: &str| format!("{}{path}", farm.operator.base);
    let home = farm.operator.base.replace("127.0.0.1", "localhost");
    let asks = async |path: &str, origin: &str, cookie: Option<&str>| {
        let mut request = farm.operator.http.post(url(path)).header("origin", origin);
        request = request.header("sec-fetch-site", "same-origin");
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        let wish = json!({"name": "Anna’s phone"}).to_string();
        let answer = request.body(wish).send().await.expect("an answer");
        (answer.status().as_u16(), json_of(answer).await)
    };
    let places = json_of(farm.operator.get("/api/passkeys/login").await).await;
    assert_eq!(places, json!({"origins": [{"origin": home, "in_use": false}]}));
    let (status, asked) = asks("/api/passkeys/login", &home, None).await;
    assert_eq!((status, &asked["public_key"]["rpId"]), (200, &json!("localhost")));
    let (status, told) = asks("/api/passkeys/login", &farm.operator.base, None).await;
    assert_eq!((status, &told["type"]), (409, &json!("no-passkeys-here")));

    let mut browser = Browser::new(&farm);
    assert_eq!(browser.log_in(&json!({"code": code(&farm)})).await, 200);
    let cookie = browser.cookie.as_deref();
    let (status, asked) = asks("/api/passkeys/registration", &home, cookie).await;
    assert_eq!((status, &asked["public_key"]["rp"]["id"]), (200, &json!("localhost")));
    assert_eq!(asks("/api/passkeys/registration", &home, None).await.0, 401);
    let by_token = farm.operator.post("/api/passkeys/registration", &json!({"name": "x"})).await;
    assert_eq!(by_token.status(), 403);
    assert_eq!(json_of(by_token).await["type"], "not-a-login");
    assert_eq!(Browser::new(&farm).log_in(&json!({"passkey": {}})).await, 422);
    assert_eq!(Browser::new(&farm).log_in(&json!({"passkey": {}, "secret": "x"})).await, 422);
    let unknown = browser.status(Method::DELETE, "/api/passkeys/none", &json!({})).await;
    assert_eq!(unknown, 404);
}
