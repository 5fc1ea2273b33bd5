//! Fetches a finished output into a partial file: resumed over breaks, checked by size and SHA-256.
//!
//! Puts nothing in place; that is `output_file`'s.

use futures_util::StreamExt as _;
use reqwest::{Method, StatusCode};
use segenc_proto::rest::OutputView;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt as _;

use crate::api::{Api, ApiError};
use crate::fingerprint::hex;
use crate::follow::Absence;
use crate::halt::Halt;
use crate::output_file::PartialFile;

/// Breaks in a row without a single new byte, after which something else is wrong than the line.
const FRUITLESS_MAX: u32 = 100;

/// Fetches the job's output. `fetched` hears how many bytes are there.
pub(crate) async fn fetch(
    api: &Api,
    job: u64,
    output: &OutputView,
    partial: &PartialFile,
    mut fetched: impl FnMut(u64),
) -> anyhow::Result<()> {
    let mut file = partial.writer()?;
    let mut digest = Sha256::new();
    let mut offset = 0_u64;
    let mut absence = Absence::none("the finished film is kept there");
    let mut fruitless = 0;
    while offset < output.size {
        let before = offset;
        let mut piece = Piece { api, job, partial, digest: &mut digest, offset: &mut offset };
        match piece.fetch(&mut file, output, &mut fetched).await {
            Ok(()) => absence.over(),
            Err(Broken::Line(error)) if error.may_pass() => absence.note(&error),
            Err(Broken::Line(error)) => return Err(error.into()),
            Err(Broken::Here(halt)) => return Err(halt.into()),
        }
        if offset == before {
            fruitless += 1;
            if fruitless > FRUITLESS_MAX {
                return Err(Halt::failed("the server sends nothing of the output").into());
            }
            absence.pause().await;
        } else {
            fruitless = 0;
        }
    }
    file.flush().await.map_err(|error| partial.failed(&error))?;
    let seen = hex(&digest.finalize());
    if seen != output.sha256 {
        return Err(Halt::failed(format!(
            "the output arrived damaged: its sha-256 is {seen} instead of {}",
            output.sha256
        ))
        .hint("run the same command again; the output is still on the server")
        .into());
    }
    Ok(())
}

/// One request's worth of the output.
struct Piece<'a> {
    api: &'a Api,
    job: u64,
    partial: &'a PartialFile,
    digest: &'a mut Sha256,
    offset: &'a mut u64,
}

enum Broken {
    Line(ApiError),
    Here(Halt),
}

impl Piece<'_> {
    async fn fetch(
        &mut self,
        file: &mut tokio::fs::File,
        output: &OutputView,
        fetched: &mut impl FnMut(u64),
    ) -> Result<(), Broken> {
        let mut request = self.api.request(Method::GET, &format!("/api/jobs/{}/output", self.job));
        if *self.offset > 0 {
            request = request.header("range", format!("bytes={}-", self.offset));
        }
        let response = self.api.send(request).await.map_err(Broken::Line)?;
        let goes_on = response.status() == StatusCode::PARTIAL_CONTENT;
        if goes_on != (*self.offset > 0) {
            return Err(Broken::Line(
                self.api.strange("the whole file to a question for its rest"),
            ));
        }
        let mut body = response.bytes_stream();
        while let Some(bytes) = body.next().await {
            let Ok(bytes) = bytes else { return Ok(()) };
            let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            if self.offset.saturating_add(length) > output.size {
                return Err(Broken::Line(self.api.strange("more bytes than the output has")));
            }
            file.write_all(&bytes)
                .await
                .map_err(|error| Broken::Here(self.partial.failed(&error)))?;
            self.digest.update(&bytes);
            *self.offset += length;
            fetched(*self.offset);
        }
        Ok(())
    }
}
