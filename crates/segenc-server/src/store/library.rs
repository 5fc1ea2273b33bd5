//! Watch folders, their files, and the notes on jobs, as they are kept.

use std::collections::BTreeMap;

use segenc_core::ids::JobId;
use segenc_core::time::Millis;
use segenc_proto::rest::WatchFolder;

use super::{Store, StoreError, signed, unsigned};

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileState {
    /// Its job is open.
    Queued,
    Done,
    Skipped,
    Failed,
    Canceled,
}

impl FileState {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    fn named(name: &str) -> Option<Self> {
        let all = [Self::Queued, Self::Done, Self::Skipped, Self::Failed, Self::Canceled];
        all.into_iter().find(|state| state.name() == name)
    }
}

/// A file of a watch folder as it was when it was taken, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileRow {
    pub(crate) folder: String,
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) modified: Millis,
    pub(crate) state: FileState,
    pub(crate) reason: Option<String>,
    pub(crate) job: Option<JobId>,
    pub(crate) output: Option<String>,
    pub(crate) noted: Millis,
}

type Columns = (String, String, i64, i64, String, Option<String>, Option<i64>, Option<String>, i64);

impl Store {
    /// All watch folders that were made over REST. What a newer version wrote is left alone.
    pub(crate) async fn watch_folders(&self) -> Result<Vec<WatchFolder>, StoreError> {
        let bodies: Vec<String> =
            sqlx::query_scalar("SELECT body FROM watch_folders ORDER BY name")
                .fetch_all(&self.pool)
                .await?;
        Ok(bodies.iter().filter_map(|body| serde_json::from_str(body).ok()).collect())
    }

    pub(crate) async fn put_watch_folder(&self, folder: &WatchFolder) -> Result<(), StoreError> {
        let body = serde_json::to_string(folder).map_err(StoreError::Encode)?;
        sqlx::query("INSERT OR REPLACE INTO watch_folders (name, body) VALUES (?, ?)")
            .bind(&folder.name)
            .bind(body)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Forgets a folder and what became of its files.
    pub(crate) async fn delete_watch_folder(&self, name: &str) -> Result<(), StoreError> {
        for table in [
            "DELETE FROM watch_folders WHERE name = ?",
            "DELETE FROM watched_files WHERE folder = ?",
        ] {
            sqlx::query(table).bind(name).execute(&self.pool).await?;
        }
        Ok(())
    }

    pub(crate) async fn watched_files(&self) -> Result<Vec<FileRow>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT folder, path, size, modified, state, reason, job, output, noted \
             FROM watched_files",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().filter_map(file_row).collect())
    }

    pub(crate) async fn put_watched_file(&self, row: &FileRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT OR REPLACE INTO watched_files \
             (folder, path, size, modified, state, reason, job, output, noted) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&row.folder)
        .bind(&row.path)
        .bind(signed(row.size))
        .bind(signed(row.modified))
        .bind(row.state.name())
        .bind(row.reason.as_deref())
        .bind(row.job.map(|job| signed(job.0)))
        .bind(row.output.as_deref())
        .bind(signed(row.noted))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    pub(crate) async fn forget_watched_file(
        &self,
        folder: &str,
        path: &str,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM watched_files WHERE folder = ? AND path = ?")
            .bind(folder)
            .bind(path)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Why the server ended jobs by itself.
    pub(crate) async fn notes(&self) -> Result<BTreeMap<u64, String>, StoreError> {
        let rows: Vec<(i64, String)> =
            sqlx::query_as("SELECT job, text FROM notes").fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|(job, text)| (unsigned(job), text)).collect())
    }

    pub(crate) async fn put_note(&self, job: JobId, text: &str) -> Result<(), StoreError> {
        sqlx::query("INSERT OR REPLACE INTO notes (job, text) VALUES (?, ?)")
            .bind(signed(job.0))
            .bind(text)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    pub(crate) async fn delete_note(&self, job: JobId) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM notes WHERE job = ?")
            .bind(signed(job.0))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Whether the job's result is only wanted if it is smaller than the source.
    pub(crate) async fn only_if_smaller(&self, job: JobId) -> Result<bool, StoreError> {
        let flag: Option<i64> =
            sqlx::query_scalar("SELECT only_if_smaller FROM wishes WHERE job = ?")
                .bind(signed(job.0))
                .fetch_optional(&self.pool)
                .await?;
        Ok(flag == Some(1))
    }
}

/// A state that this version does not know says nothing.
fn file_row(columns: Columns) -> Option<FileRow> {
    let (folder, path, size, modified, state, reason, job, output, noted) = columns;
    Some(FileRow {
        folder,
        path,
        size: unsigned(size),
        modified: unsigned(modified),
        state: FileState::named(&state)?,
        reason,
        job: job.map(|job| JobId(unsigned(job))),
        output,
        noted: unsigned(noted),
    })
}
