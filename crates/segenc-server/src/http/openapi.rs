//! The description of REST, generated from the handlers.

use std::sync::Arc;

use axum::Extension;
use axum::http::header;
use axum::response::IntoResponse;
use segenc_proto::rest::{Problem, TaskChanges};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, Info, OpenApi, OpenApiBuilder};

use super::caller::Reader;

/// The document without paths; they come from the handlers.
pub(super) fn document() -> OpenApi {
    // Our own title: otherwise that of a library, with its author's address, would be published.
    let mut info = Info::new("Segmented Encoder", env!("CARGO_PKG_VERSION"));
    info.description =
        Some("Every call but /healthz and logging in needs `Authorization: Bearer TOKEN`, or the cookie of a session.".to_owned());
    // What no answer of a handler names: the form of all errors, and the events beside a stream's first kind.
    let token = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let components = ComponentsBuilder::new()
        .schema_from::<Problem>()
        .schema_from::<TaskChanges>()
        .security_scheme("token", token)
        .build();
    let by_token = SecurityRequirement::new("token", Vec::<String>::new());
    OpenApiBuilder::new().info(info).components(Some(components)).security(Some([by_token])).build()
}

/// The document as text.
#[derive(Debug, Clone)]
pub(super) struct Rendered(Arc<str>);

impl Rendered {
    pub(super) fn new(document: &OpenApi) -> Self {
        let mut value = serde_json::to_value(document).unwrap_or_else(|error| {
            tracing::error!(%error, "the description of the interface cannot be written");
            serde_json::Value::Null
        });
        super::described::widen_unsigned(&mut value);
        Self(value.to_string().into())
    }
}

/// This description.
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    tag = "server",
    responses((status = 200, body = Object))
)]
pub(super) async fn serve(
    _: Reader,
    Extension(rendered): Extension<Rendered>,
) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], rendered.0.to_string())
}
