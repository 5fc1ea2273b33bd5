//! The database as of one moment, and jobs that begin anew in it.

use std::path::Path;

use segenc_core::ids::JobId;
use segenc_core::pool::Pool;
use segenc_core::pool::job::Job;
use segenc_core::pool::task::Blob;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::{BUSY_TIMEOUT, Store, StoreError, signed};

impl Store {
    /// Copies the database of a server, which may run, into a new file.
    pub(crate) async fn copy(live: &Path, copy: &Path) -> Result<(), StoreError> {
        let options = SqliteConnectOptions::new().filename(live).busy_timeout(BUSY_TIMEOUT);
        let mut connection: SqliteConnection = options.connect().await?;
        let to = copy.to_string_lossy().into_owned();
        let copied = sqlx::query("VACUUM INTO ?").bind(to).execute(&mut connection).await;
        connection.close().await?;
        copied?;
        Ok(())
    }

    /// Lets the open jobs begin anew whose results are not all there: of their history only the creation stays.
    pub(crate) async fn begin_anew(
        &self,
        is_there: impl Fn(&Blob) -> bool,
    ) -> Result<Vec<JobId>, StoreError> {
        let history = self.load().await?;
        let mut pool = Pool::default();
        for event in &history.events {
            pool.apply(event);
        }
        let lacks = |job: &&Job| {
            job.is_open()
                && pool
                    .tasks_of(job.id)
                    .filter_map(|task| task.output())
                    .any(|blob| !is_there(blob))
        };
        let jobs: Vec<JobId> = pool.jobs().filter(lacks).map(|job| job.id).collect();
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for job in &jobs {
            let number = signed(job.0);
            sqlx::query(
                "DELETE FROM events WHERE job = ?1 AND seq > (SELECT MIN(seq) FROM events WHERE job = ?1)",
            )
            .bind(number)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(jobs)
    }
}
