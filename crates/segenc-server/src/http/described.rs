//! What the description of REST says of every call alike: who is refused, how errors look, what each call is named.
//! Handlers name only what is their own; this knows none of them.

use axum::http::StatusCode;
use serde_json::{Map, Value};
use utoipa::openapi::path::{Operation, Parameter, ParameterIn, PathItem};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Content, ObjectBuilder, OpenApi, Ref, RefOr, Response, Schema, Type};

/// The media type of every error.
const PROBLEM: &str = "application/problem+json";
/// The schema of every error.
const PROBLEM_SCHEMA: &str = "Problem";
/// The media type of server-sent events.
const EVENTS: &str = "text/event-stream";

/// Completes what the handlers have said.
pub(super) fn complete(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in calls(item) {
            complete_call(path, method, operation);
        }
    }
}

/// The calls of an address, each with its method.
pub(super) fn calls(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let all = [
        (Method::Get, &mut item.get),
        (Method::Head, &mut item.head),
        (Method::Post, &mut item.post),
        (Method::Put, &mut item.put),
        (Method::Patch, &mut item.patch),
        (Method::Delete, &mut item.delete),
    ];
    all.into_iter().filter_map(|(method, call)| call.as_mut().map(|call| (method, call)))
}

/// The methods that this server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Head => "head",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }

    const fn only_looks(self) -> bool {
        match self {
            Self::Get | Self::Head => true,
            Self::Post | Self::Put | Self::Patch | Self::Delete => false,
        }
    }
}

fn complete_call(path: &str, method: Method, call: &mut Operation) {
    call.operation_id = Some(name(path, method));
    for status in refusals(path, method, call) {
        let code = status.as_str().to_owned();
        call.responses.responses.entry(code).or_insert_with(|| Response::new("").into());
    }
    if method == Method::Get && answers_document(call) {
        call.responses.responses.insert("304".to_owned(), Response::new("").into());
    }
    for (code, response) in &mut call.responses.responses {
        if let RefOr::T(response) = response {
            complete_response(code, method, response);
        }
    }
}

/// Whether what it gives may be asked for on condition that it has changed.
fn answers_document(call: &Operation) -> bool {
    match call.responses.responses.get("200") {
        Some(RefOr::T(response)) => response.content.contains_key("application/json"),
        Some(RefOr::Ref(_)) | None => false,
    }
}

/// A name that no other call has, whatever its handler is called: `post_jobs_id_cancel`.
fn name(path: &str, method: Method) -> String {
    let words = path.trim_start_matches("/api").split(|c: char| !c.is_ascii_alphanumeric());
    words
        .filter(|word| !word.is_empty())
        .fold(method.name().to_owned(), |name, word| name + "_" + word)
}

/// What such a call can be refused with, whoever handles it.
fn refusals(path: &str, method: Method, call: &Operation) -> Vec<StatusCode> {
    let mut refusals = vec![StatusCode::INTERNAL_SERVER_ERROR];
    let nobody = SecurityRequirement::default();
    let open = call.security.as_ref().is_some_and(|ways| ways.contains(&nobody));
    if !open {
        refusals.extend([StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN]);
    }
    if path.contains('{') {
        refusals.push(StatusCode::NOT_FOUND);
    }
    let asks = |parameter: &RefOr<Parameter>| match parameter {
        RefOr::T(parameter) => parameter.parameter_in == ParameterIn::Query,
        RefOr::Ref(_) => false,
    };
    if call.request_body.is_some() || call.parameters.iter().flatten().any(asks) {
        refusals.push(StatusCode::BAD_REQUEST);
    }
    if call.request_body.is_some() {
        refusals.push(StatusCode::PAYLOAD_TOO_LARGE);
    }
    if !method.only_looks() {
        refusals.push(StatusCode::SERVICE_UNAVAILABLE);
    }
    refusals
}

fn complete_response(code: &str, method: Method, response: &mut Response) {
    let status = code.parse::<StatusCode>().unwrap_or_default();
    if response.description.is_empty() {
        meaning(status).clone_into(&mut response.description);
    }
    if let Some(RefOr::T(events)) = response.content.get_mut(EVENTS) {
        events.schema = events.schema.take().map(event);
    }
    if method == Method::Head {
        response.content.clear();
    } else if response.content.is_empty() && (status.is_client_error() || status.is_server_error())
    {
        let problem = Content::new(Some(Ref::from_schema_name(PROBLEM_SCHEMA)));
        response.content.insert(PROBLEM.to_owned(), problem.into());
    }
}

/// One event of a stream, whose data is JSON of that schema.
fn event(data: RefOr<Schema>) -> RefOr<Schema> {
    let told = match &data {
        RefOr::Ref(schema) => schema.ref_location.rsplit('/').next().unwrap_or_default(),
        RefOr::T(_) => "see above",
    };
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .content_media_type("application/json")
        .description(Some(format!("JSON: `{told}`, unless `event` says something else")));
    ObjectBuilder::new()
        .property("event", ObjectBuilder::new().schema_type(Type::String))
        .property("data", text)
        .required("data")
        .into()
}

/// Numbers that are never negative, as this server reads them: the formats that the handlers' types are given are
/// half as large.
pub(super) fn widen_unsigned(description: &mut Value) {
    match description {
        Value::Object(schema) => {
            widen(schema);
            schema.values_mut().for_each(widen_unsigned);
        }
        Value::Array(members) => members.iter_mut().for_each(widen_unsigned),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn widen(schema: &mut Map<String, Value>) {
    if schema.get("minimum").and_then(Value::as_u64).is_none() || schema.contains_key("maximum") {
        return;
    }
    let (format, maximum) = match schema.get("format").and_then(Value::as_str) {
        Some("int32") => ("uint32", u64::from(u32::MAX)),
        Some("int64") => ("uint64", u64::MAX),
        _ => return,
    };
    schema.insert("format".to_owned(), format.into());
    schema.insert("maximum".to_owned(), maximum.into());
}

/// What a status means in this interface.
fn meaning(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200 => "as it is now",
        201 => "made",
        204 => "done",
        206 => "the part that was asked for",
        304 => "it is what `If-None-Match` names",
        400 => "not what is described here",
        401 => "no token, or none that is known",
        403 => "this token may not do that",
        404 => "there is no such thing",
        408 => "it broke off; what has arrived is kept",
        409 => "it cannot be as things are now",
        410 => "the file is not there any more",
        413 => "the body is too large",
        415 => "the body is of another kind than is needed",
        416 => "the file has no such range",
        422 => "understood and refused: `type`, `detail` and `hint` say why",
        429 => "too many tries; `Retry-After` says when to try again",
        500 => "the server failed; its log says why",
        503 => "not now: the database cannot be written, or the server is stopping",
        507 => "the server has no room for it",
        _ => status.canonical_reason().unwrap_or("something else"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// All that a test here has to know of the document: the calls with their names and answers.
    fn described() -> OpenApi {
        let mut document = super::super::described_routes().split_for_parts().1;
        complete(&mut document);
        document
    }

    #[test]
    fn no_two_calls_have_one_name() {
        let mut names = BTreeSet::new();
        for item in described().paths.paths.values_mut() {
            for (_, call) in calls(item) {
                let name = call.operation_id.clone().expect("named");
                assert!(names.insert(name.clone()), "{name}");
            }
        }
        assert!(
            names.contains("post_jobs_id_cancel") && names.contains("get_healthz"),
            "{names:?}"
        );
    }

    #[test]
    fn every_answer_says_what_it_means_and_every_error_is_a_problem() {
        for (path, item) in &mut described().paths.paths {
            for (method, call) in calls(item) {
                for (code, response) in &call.responses.responses {
                    let RefOr::T(response) = response else {
                        panic!("{path} {code} is written out")
                    };
                    assert!(!response.description.is_empty(), "{path} {code}");
                    let is_error = code.starts_with('4') || code.starts_with('5');
                    let has_problem = response.content.contains_key(PROBLEM);
                    assert_eq!(has_problem, is_error && method != Method::Head, "{path} {code}");
                }
            }
        }
    }

    #[test]
    fn only_what_is_open_to_everybody_does_without_a_token() {
        let mut open = Vec::new();
        for (path, item) in &mut described().paths.paths {
            for (method, call) in calls(item) {
                if !call.responses.responses.contains_key("403") || call.security.is_some() {
                    open.push(name(path, method));
                }
            }
        }
        open.sort();
        let wanted = [
            "get_healthz",
            "get_passkeys_login",
            "post_passkeys_login",
            "post_session",
            "post_workers_pairing_confirm",
            "post_workers_pairing_exchange",
        ];
        assert_eq!(open, wanted);
    }

    #[test]
    fn numbers_are_described_as_wide_as_they_are_read() {
        let mut schema = serde_json::json!({"a": [
            {"type": "integer", "format": "int32", "minimum": 0},
            {"type": "integer", "format": "int64", "minimum": 0},
            {"type": "integer", "format": "int64"},
            {"type": "integer", "format": "int64", "minimum": 0, "maximum": 9},
        ]});
        let kept = schema.clone();
        widen_unsigned(&mut schema);
        assert_eq!(schema["a"][0]["maximum"], u32::MAX);
        assert_eq!(schema["a"][1]["maximum"], u64::MAX);
        assert_eq!(schema["a"][1]["format"], "uint64");
        assert_eq!((&schema["a"][2], &schema["a"][3]), (&kept["a"][2], &kept["a"][3]));
    }
}
