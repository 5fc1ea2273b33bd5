//! A job's source: its bytes, to be compared with the output, and what is in it.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::Response;
use segenc_core::source::{StreamFacts, StreamKind, VideoFacts};
use segenc_proto::rest::{SourceView, StreamView};

use super::App;
use super::caller::{Path, Reader};
use super::files::{source_etag, unchanged};
use super::jobs::find;
use super::problem::Problem;
use super::serve_file::Sending;

/// Transfer functions of HDR by ffmpeg's names: PQ (SMPTE ST 2084) and HLG (ARIB STD-B67).
const HDR_TRANSFERS: [&str; 2] = ["smpte2084", "arib-std-b67"];

/// A hundredth off is rounding of a container's times; more is not.
const VARIABLE_BEYOND: u64 = 100;

/// The source, whole or in part.
#[utoipa::path(
    method(get, head),
    path = "/api/jobs/{id}/source",
    tag = "jobs",
    params(("id" = u64, Path)),
    responses(
        (status = 200, content(("video/*"), ("application/octet-stream")), headers(
            ("ETag" = String, description = "the file's strong tag"),
            ("Accept-Ranges" = String, description = "`bytes`")
        )),
        (status = 206, content(("video/*"), ("application/octet-stream")), headers(
            ("Content-Range" = String, description = "which part of how much")
        )),
        (status = 409), (status = 410), (status = 416)
    )
)]
pub(super) async fn bytes(
    State(app): State<App>,
    _: Reader,
    Path(id): Path<u64>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = app.coordinator.view();
    let job = find(&view, id)?;
    let path = app.source_path(job);
    unchanged(job, &path).await?;
    let sending = Sending {
        path: &path,
        size: job.source.fingerprint.size,
        etag: source_etag(job),
        content_type: content_type(&job.source.name),
        counters: None,
    };
    let mut response = sending.answer(&method, &headers).await?;
    // Whatever somebody uploaded must never be taken for a page of this server.
    let attachment = HeaderValue::from_static("attachment");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, attachment);
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    Ok(response)
}

/// By the name's ending: players look into the file anyway.
fn content_type(name: &str) -> &'static str {
    let ending = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    match ending.as_str() {
        "mkv" => "video/x-matroska",
        "webm" => "video/webm",
        "mp4" | "m4v" => "video/mp4",
        "mov" => "video/quicktime",
        _ => "application/octet-stream",
    }
}

/// What is in the source; 409 until the analysis has looked.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}/source/streams",
    tag = "jobs",
    params(("id" = u64, Path)),
    responses((status = 200, body = SourceView), (status = 404), (status = 409))
)]
pub(super) async fn streams(
    State(app): State<App>,
    _: Reader,
    Path(id): Path<u64>,
) -> Result<Json<SourceView>, Problem> {
    let view = app.coordinator.view();
    let job = find(&view, id)?;
    let not_yet = || {
        Problem::conflict("analysis-incomplete", "nobody has looked into the source yet".to_owned())
    };
    let facts = job.facts.as_deref().ok_or_else(not_yet)?;
    Ok(Json(SourceView {
        demuxer: facts.demuxer.clone(),
        chapters: facts.chapters,
        streams: facts.streams.iter().map(stream_view).collect(),
    }))
}

fn stream_view(stream: &StreamFacts) -> StreamView {
    let video = stream.video.as_ref();
    let rate = video.and_then(|video| video.average_rate).filter(|rate| rate.den > 0);
    StreamView {
        index: stream.index,
        kind: match stream.kind {
            StreamKind::Video => "video",
            StreamKind::Audio => "audio",
            StreamKind::Subtitle => "subtitle",
            StreamKind::Attachment => "attachment",
            StreamKind::Data => "data",
        }
        .to_owned(),
        codec: stream.codec.clone(),
        language: stream.language.clone(),
        title: stream.title.clone(),
        width: video.map(|video| video.width),
        height: video.map(|video| video.height),
        frames_per_second: rate.map(|rate| f64::from(rate.num) / f64::from(rate.den)),
        variable_rate: video.is_some_and(has_variable_rate),
        interlaced: video.is_some_and(|video| {
            !matches!(video.field_order.as_str(), "" | "unknown" | "progressive")
        }),
        pixel_format: video.map(|video| video.pixel_format.clone()),
        hdr: video.is_some_and(|video| HDR_TRANSFERS.contains(&video.color_transfer.as_str())),
        dynamic_hdr: video.map(|video| video.dynamic_hdr.clone()).filter(|told| !told.is_empty()),
        cover: stream.attached_picture(),
    }
}

/// Where the average rate is not near the one that all times fit into, some frames are longer than others.
fn has_variable_rate(video: &VideoFacts) -> bool {
    let (Some(average), Some(real)) = (video.average_rate, video.real_rate) else { return false };
    let average = u64::from(average.num) * u64::from(real.den);
    let real = u64::from(real.num) * u64::from(video.average_rate.map_or(1, |rate| rate.den));
    average.abs_diff(real) > real / VARIABLE_BEYOND
}
