//! The page for people: files that were embedded when the program was built, and how browsers may use them.
//!
//! Knows nothing of jobs: the page itself asks the public interface, like everybody else.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};

use crate::auth::hex;

/// A file of the page.
struct PageFile {
    /// Its address without the slash at the beginning.
    name: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

static FILES: &[PageFile] = include!(concat!(env!("OUT_DIR"), "/page_files.rs"));

/// What a build without the page shows.
static MISSING: PageFile =
    PageFile { name: INDEX, plain: include_bytes!("page/missing.html"), brotli: None, gzip: None };

const INDEX: &str = "index.html";
/// Where the files are whose names change with what is in them.
const NAMED_BY_CONTENT: &str = "assets/";
/// The page's own addresses, which all show the same file. `{id}` stands for digits.
const ROUTES: [&str; 11] = [
    "/",
    "/jobs",
    "/jobs/{id}",
    "/new",
    "/workers",
    "/settings",
    "/settings/presets",
    "/settings/watch-folders",
    "/settings/notifications",
    "/login",
    "/api/docs",
];

/// Nothing from other hosts, nothing inline, nobody's frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; media-src 'self'; font-src 'self'; connect-src 'self'; \
     manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Tags of the files, by name.
static TAGS: LazyLock<BTreeMap<&'static str, String>> = LazyLock::new(|| {
    let tag = |file: &PageFile| {
        let digest: [u8; 32] = Sha256::digest(file.plain).into();
        (file.name, hex(&digest[..8]))
    };
    [&MISSING].into_iter().chain(FILES).map(tag).collect()
});

/// The answer, if the address is one of the page's.
pub(crate) fn answer(method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
    if method != Method::GET && method != Method::HEAD {
        return None;
    }
    Some(find(path)?.answer(method, headers))
}

fn find(path: &str) -> Option<&'static PageFile> {
    let by_name = |name: &str| FILES.iter().find(|file| file.name == name);
    if is_route(path) {
        return Some(by_name(INDEX).unwrap_or(&MISSING));
    }
    by_name(path.strip_prefix('/')?)
}

fn is_route(path: &str) -> bool {
    let fits = |route: &str| match route.strip_suffix("{id}") {
        None => route == path,
        Some(before) => path
            .strip_prefix(before)
            .is_some_and(|id| !id.is_empty() && id.bytes().all(|digit| digit.is_ascii_digit())),
    };
    ROUTES.into_iter().any(fits)
}

impl PageFile {
    fn answer(&self, method: &Method, headers: &HeaderMap) -> Response {
        let (coding, bytes) = self.packed_for(headers);
        let tag = TAGS.get(self.name).map(String::as_str).unwrap_or_default();
        let tag = format!("\"{tag}{}\"", coding.map(|name| format!("-{name}")).unwrap_or_default());
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let is_known = text(header::IF_NONE_MATCH)
            .is_some_and(|known| known.split(',').any(|known| known.trim() == tag));
        let mut response = if is_known {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let body = if *method == Method::HEAD { Body::empty() } else { Body::from(bytes) };
            let mut response = (StatusCode::OK, body).into_response();
            let answer = response.headers_mut();
            answer.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type()));
            answer.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
            if let Some(coding) = coding {
                answer.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
            }
            response
        };
        let caching = if self.name.starts_with(NAMED_BY_CONTENT) {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        let answer = response.headers_mut();
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            answer.insert(header::ETAG, tag);
        }
        for (name, value) in PROTECTION {
            answer.insert(name, HeaderValue::from_static(value));
        }
        answer.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
        response
    }

    /// The smallest form that the browser understands.
    fn packed_for(&self, headers: &HeaderMap) -> (Option<&'static str>, &'static [u8]) {
        let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
        let accepts = |coding: &str| {
            accepted.unwrap_or_default().split(',').any(|offer| {
                let mut parts = offer.split(';').map(str::trim);
                parts.next() == Some(coding) && parts.all(|part| part != "q=0")
            })
        };
        match (self.brotli, self.gzip) {
            (Some(bytes), _) if accepts("br") => (Some("br"), bytes),
            (_, Some(bytes)) if accepts("gzip") => (Some("gzip"), bytes),
            _ => (None, self.plain),
        }
    }

    fn content_type(&self) -> &'static str {
        match self.name.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some("webmanifest") => "application/manifest+json",
            Some("png") => "image/png",
            Some("json") => "application/json",
            _ => "application/octet-stream",
        }
    }
}

const PROTECTION: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::VARY, "accept-encoding"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pages_own_addresses_show_it() {
        for path in ["/", "/jobs", "/jobs/17", "/new", "/login"] {
            assert!(is_route(path), "{path}");
        }
        for path in ["/jobs/", "/jobs/x", "/jobs/1/tasks", "/api", "/api/jobs", "/nothing", "//"] {
            assert!(!is_route(path), "{path}");
        }
    }

    #[test]
    fn the_smallest_understood_form_is_sent() {
        static FILE: PageFile = PageFile {
            name: "assets/a.js",
            plain: b"plain",
            brotli: Some(b"br"),
            gzip: Some(b"gz"),
        };
        let with = |accepted: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted));
            FILE.packed_for(&headers).0
        };
        assert_eq!(with("gzip, deflate, br"), Some("br"));
        assert_eq!(with("gzip;q=0.5, br;q=0"), Some("gzip"));
        assert_eq!(with("identity"), None);
    }

    #[test]
    fn named_by_content_is_kept_and_the_rest_is_asked_for_again() {
        let caching = |file: &PageFile| {
            let answer = file.answer(&Method::GET, &HeaderMap::new());
            answer.headers()[header::CACHE_CONTROL].to_str().expect("plain").to_owned()
        };
        static ASSET: PageFile =
            PageFile { name: "assets/a-1b2c.js", plain: b"", brotli: None, gzip: None };
        assert!(caching(&ASSET).contains("immutable"));
        assert_eq!(caching(&MISSING), "no-cache");
    }

    #[test]
    fn who_knows_the_tag_gets_no_bytes() {
        let first = MISSING.answer(&Method::GET, &HeaderMap::new());
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        assert_eq!(MISSING.answer(&Method::GET, &headers).status(), StatusCode::NOT_MODIFIED);
    }
}
