//! The history: events in order, committed in groups, replayed at the start.

use std::collections::BTreeMap;

use segenc_core::ids::{JobId, TaskId};
use segenc_core::pool::event::{Event, Happening};
use sqlx::{Row as _, SqliteConnection};

use super::{Store, StoreError, signed, unsigned};

/// An event and the job it belongs to, if to one.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) job: Option<JobId>,
    pub(crate) event: Event,
    /// Of a deletion: the largest task id that goes away with the job, which must not come back.
    pub(crate) last_task: Option<TaskId>,
}

/// What a job's creator asked for beside the job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Wish {
    pub(crate) idempotency_key: Option<String>,
    pub(crate) overwrite: Overwrite,
    /// A result that is not smaller than its source is thrown away.
    pub(crate) only_if_smaller: bool,
}

/// Whether an existing file may be replaced by the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Overwrite {
    #[default]
    Refuse,
    Replace,
}

/// A file that was put into place for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) sha256: String,
}

/// Everything that was ever committed and not deleted.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) events: Vec<Event>,
    pub(crate) jobs_by_key: BTreeMap<String, JobId>,
}

impl Store {
    /// Stores all records and wishes in one transaction: all or nothing.
    pub(crate) async fn commit(
        &self,
        records: &[Record],
        wishes: &[(JobId, Wish)],
    ) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for record in records {
            if let Happening::JobDeleted { job } = record.event.what {
                bury(&mut transaction, job, record).await?;
            } else {
                insert(&mut transaction, record.job, &record.event).await?;
            }
        }
        for (job, wish) in wishes {
            sqlx::query(
                "INSERT INTO wishes (job, idempotency_key, overwrite, only_if_smaller) \
                 VALUES (?, ?, ?, ?)",
            )
            .bind(signed(job.0))
            .bind(wish.idempotency_key.as_deref())
            .bind(i64::from(wish.overwrite == Overwrite::Replace))
            .bind(i64::from(wish.only_if_smaller))
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Reads the history.
    pub(crate) async fn load(&self) -> Result<History, StoreError> {
        let mut history = History::default();
        let rows =
            sqlx::query("SELECT seq, body FROM events ORDER BY seq").fetch_all(&self.pool).await?;
        for row in rows {
            let (seq, body): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
            let event =
                serde_json::from_str(&body).map_err(|source| StoreError::Decode { seq, source })?;
            history.events.push(event);
        }
        let keys: Vec<(String, i64)> = sqlx::query_as(
            "SELECT idempotency_key, job FROM wishes WHERE idempotency_key IS NOT NULL",
        )
        .fetch_all(&self.pool)
        .await?;
        history.jobs_by_key =
            keys.into_iter().map(|(key, job)| (key, JobId(unsigned(job)))).collect();
        Ok(history)
    }

    /// Whether the job's output may replace an existing file.
    pub(crate) async fn overwrite(&self, job: JobId) -> Result<Overwrite, StoreError> {
        let flag: Option<i64> = sqlx::query_scalar("SELECT overwrite FROM wishes WHERE job = ?")
            .bind(signed(job.0))
            .fetch_optional(&self.pool)
            .await?;
        Ok(if flag == Some(1) { Overwrite::Replace } else { Overwrite::Refuse })
    }

    /// Remembers a file before it is put into place, so that it is known as the job's own afterwards.
    pub(crate) async fn note_placement(
        &self,
        job: JobId,
        placement: &Placement,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT OR REPLACE INTO placements (job, path, size, sha256) VALUES (?, ?, ?, ?)",
        )
        .bind(signed(job.0))
        .bind(&placement.path)
        .bind(signed(placement.size))
        .bind(&placement.sha256)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The file that was put into place for the job, or was about to be.
    pub(crate) async fn placement(&self, job: JobId) -> Result<Option<Placement>, StoreError> {
        let row: Option<(String, i64, String)> =
            sqlx::query_as("SELECT path, size, sha256 FROM placements WHERE job = ?")
                .bind(signed(job.0))
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(path, size, sha256)| Placement { path, size: unsigned(size), sha256 }))
    }
}

async fn insert(
    connection: &mut SqliteConnection,
    job: Option<JobId>,
    event: &Event,
) -> Result<(), StoreError> {
    let body = serde_json::to_string(event).map_err(StoreError::Encode)?;
    sqlx::query("INSERT INTO events (at, job, body) VALUES (?, ?, ?)")
        .bind(signed(event.at))
        .bind(job.map(|job| signed(job.0)))
        .bind(body)
        .execute(connection)
        .await?;
    Ok(())
}

/// Deletes a job's events. Its creation stays, emptied and with the largest of its task ids, and then its
/// deletion: so the ids that were given away never come back when the history is replayed.
async fn bury(
    connection: &mut SqliteConnection,
    job: JobId,
    record: &Record,
) -> Result<(), StoreError> {
    let creation: Option<String> =
        sqlx::query_scalar("SELECT body FROM events WHERE job = ? ORDER BY seq LIMIT 1")
            .bind(signed(job.0))
            .fetch_optional(&mut *connection)
            .await?;
    for table in [
        "DELETE FROM events WHERE job = ?",
        "DELETE FROM wishes WHERE job = ?",
        "DELETE FROM placements WHERE job = ?",
        "DELETE FROM notes WHERE job = ?",
    ] {
        sqlx::query(table).bind(signed(job.0)).execute(&mut *connection).await?;
    }
    if let Some(husk) = creation.and_then(|body| husk(&body, record)) {
        insert(connection, None, &husk).await?;
        let canceled = Event { at: record.event.at, what: Happening::JobCanceled { job } };
        insert(connection, None, &canceled).await?;
    }
    insert(connection, None, &record.event).await
}

/// The creation without what it was about.
fn husk(body: &str, record: &Record) -> Option<Event> {
    let mut event: Event = serde_json::from_str(body).ok()?;
    match &mut event.what {
        Happening::JobCreated { analysis, name, spec, source, output_path, .. } => {
            *analysis = record.last_task.unwrap_or(*analysis).max(*analysis);
            name.clear();
            source.name.clear();
            *output_path = None;
            let spec = std::sync::Arc::make_mut(spec);
            spec.args.clear();
            spec.mux_options.clear();
            spec.stream_options.clear();
            Some(event)
        }
        _ => None,
    }
}
