//! Sends a source to a server that cannot see it: tus 1.0, in pieces, resumed over breaks.
//!
//! Knows nothing of jobs.

use std::io::SeekFrom;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::header::HeaderMap;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use crate::api::{Api, ApiError};
use crate::follow::Absence;
use crate::halt::Halt;
use crate::places::name_of;

/// Bytes sent before the server must have them on disk: little is lost by a break, and memory is bounded.
const PIECE_BYTES: u64 = 8 << 20;
/// A piece that takes longer is on a line that is dead or too slow to be of use (68 kB/s).
const PIECE_TIMEOUT: Duration = Duration::from_secs(120);

/// A finished or running upload on the server.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    path: String,
}

impl Upload {
    /// Announces a file of this size.
    pub(crate) async fn create(api: &Api, file: &Path, size: u64) -> anyhow::Result<Self> {
        let request = api
            .request(Method::POST, "/api/uploads")
            .header("tus-resumable", "1.0.0")
            .header("upload-length", size)
            .header("upload-metadata", format!("filename {}", STANDARD.encode(name_of(file))));
        let response = api.send(request).await?;
        let location = text_header(response.headers(), "location");
        let id = location
            .as_deref()
            .and_then(|location| location.trim_end_matches('/').rsplit('/').next());
        let id =
            id.filter(|id| is_plain(id)).ok_or_else(|| api.strange("an upload without a place"))?;
        Ok(Self { path: format!("/api/uploads/{id}") })
    }

    /// The id by which a job names it.
    pub(crate) fn id(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Sends the file. `sent` hears how many bytes are on the server's disk.
    pub(crate) async fn send(
        &self,
        api: &Api,
        file: &Path,
        size: u64,
        mut sent: impl FnMut(u64),
    ) -> anyhow::Result<()> {
        let unreadable = |error: std::io::Error| {
            Halt::failed(format!("reading {} failed: {error}", file.display()))
        };
        let mut source = File::open(file).await.map_err(unreadable)?;
        let mut absence = Absence::none("what has arrived is kept there");
        let mut offset = 0_u64;
        while offset < size {
            source.seek(SeekFrom::Start(offset)).await.map_err(unreadable)?;
            let mut piece = Vec::new();
            (&mut source).take(PIECE_BYTES).read_to_end(&mut piece).await.map_err(unreadable)?;
            if piece.is_empty() {
                return Err(Halt::failed(format!(
                    "{} became shorter while it was sent",
                    file.display()
                ))
                .into());
            }
            match self.patch(api, offset, piece).await {
                Ok(now) => {
                    absence.over();
                    offset = now;
                    sent(offset);
                }
                Err(error) if error.may_pass() || is_offset_conflict(&error) => {
                    absence.note(&error);
                    absence.pause().await;
                    offset = self.offset_after_break(api, offset).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Takes the upload back.
    pub(crate) async fn discard(&self, api: &Api) -> Result<(), ApiError> {
        let request = api.request(Method::DELETE, &self.path).header("tus-resumable", "1.0.0");
        api.send(request.timeout(Duration::from_secs(5))).await.map(|_| ())
    }

    async fn patch(&self, api: &Api, offset: u64, piece: Vec<u8>) -> Result<u64, ApiError> {
        let request = api
            .request(Method::PATCH, &self.path)
            .header("tus-resumable", "1.0.0")
            .header("upload-offset", offset)
            .header("content-type", "application/offset+octet-stream")
            .timeout(PIECE_TIMEOUT)
            .body(piece);
        let response = api.send(request).await?;
        number_header(response.headers(), "upload-offset")
            .ok_or_else(|| api.strange("an upload without its offset"))
    }

    /// Where the server is; where it was when it cannot be asked yet.
    async fn offset_after_break(&self, api: &Api, known: u64) -> Result<u64, ApiError> {
        let request = api.request(Method::HEAD, &self.path).header("tus-resumable", "1.0.0");
        match api.send(request.timeout(PIECE_TIMEOUT)).await {
            Ok(response) => number_header(response.headers(), "upload-offset")
                .ok_or_else(|| api.strange("an upload without its offset")),
            Err(error) if error.may_pass() => Ok(known),
            Err(error) => Err(error),
        }
    }
}

fn is_offset_conflict(error: &ApiError) -> bool {
    match error {
        ApiError::Refused(problem) => problem.status == 409,
        ApiError::Unreachable { .. } | ApiError::Strange { .. } | ApiError::Address(_) => false,
    }
}

fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

fn text_header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn number_header(headers: &HeaderMap, name: &str) -> Option<u64> {
    text_header(headers, name)?.parse().ok()
}
