//! A small picture of what an attempt has encoded, made and sent beside its delivery.
//!
//! Nothing waits for it and nothing fails by it: a picture that cannot be had is left out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header;
use segenc_media::confinement::Confinement;
use segenc_media::{Attempt, Progress, WorkError, thumbnail};
use segenc_proto::convert::AssignedTask;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::attempt::Workshop;
use crate::delivery::Ending;
use crate::server::Session;

/// Making it takes some hundredths of a second; what takes longer than this is not worth it.
const MAKE_WITHIN: Duration = Duration::from_secs(5);
/// It has a few kilobytes.
const SEND_WITHIN: Duration = Duration::from_secs(5);

/// Whether pictures are made at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thumbnails {
    /// Of every segment, and of titles made in one piece.
    Make,
    /// Of nothing: nobody will look.
    Skip,
}

/// The surroundings of a picture.
pub(crate) struct Thumbnail<'a> {
    pub(crate) workshop: &'a Workshop,
    pub(crate) session: &'a Session,
    pub(crate) task: &'a AssignedTask,
    /// The attempt's folder.
    pub(crate) folder: &'a Path,
    pub(crate) cancel: &'a CancellationToken,
}

/// The file of which a picture can be taken, if the attempt has made one.
pub(crate) fn file_of(ending: &Ending) -> Option<PathBuf> {
    match ending {
        Ending::File(path, _) => Some(path.clone()),
        Ending::Input(..) | Ending::Reported(_) | Ending::Failed(_) | Ending::Canceled => None,
    }
}

impl Thumbnail<'_> {
    /// Makes the picture of `film` and sends it, if that can be done soon.
    pub(crate) async fn make_and_send(&self, film: &Path) {
        match self.workshop.thumbnails {
            Thumbnails::Make => {}
            Thumbnails::Skip => return,
        }
        let attempt = self.task.attempt;
        let made = tokio::time::timeout(MAKE_WITHIN, self.make(film)).await;
        let picture = match made {
            Ok(Ok(Some(picture))) => picture,
            Ok(Ok(None) | Err(WorkError::Canceled)) => return,
            Ok(Err(error)) => return tracing::debug!(%attempt, %error, "no thumbnail"),
            Err(_) => return tracing::debug!(%attempt, "no thumbnail: it took too long"),
        };
        let (http, url, token) = self.session.thumbnail(self.task.job, attempt);
        let sent = http
            .put(url)
            .header(header::AUTHORIZATION, token.bearer())
            .header(header::CONTENT_TYPE, "image/jpeg")
            .timeout(SEND_WITHIN)
            .body(picture)
            .send();
        match sent.await {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => tracing::debug!(%attempt, status = %answer.status(), "thumbnail refused"),
            Err(error) => tracing::debug!(%attempt, %error, "the thumbnail was not sent"),
        }
    }

    async fn make(&self, film: &Path) -> Result<Option<Vec<u8>>, WorkError> {
        let launcher = self.workshop.launcher.as_deref();
        let attempt = Attempt {
            tools: &self.workshop.tools,
            scratch: self.folder,
            cancel: self.cancel.clone(),
            // Its progress is not the attempt's.
            progress: watch::Sender::new(Progress::default()),
            encode_threads: 1,
            confinement: launcher.map(|launcher| Confinement::around(launcher, std::iter::empty())),
            suspension: None,
        };
        thumbnail(&attempt, &self.task.work, film).await
    }
}
