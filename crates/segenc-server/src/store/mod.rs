//! The database: events, tokens, uploads. SQLite in one file.
//!
//! Knows tables, not rules: what an event means is the core's business.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqlitePool};
use thiserror::Error;

mod copy;
mod events;
mod library;
mod outbox;
#[cfg(test)]
mod tests;
mod tokens;
mod uploads;

pub(crate) use events::{Overwrite, Placement, Record, Wish};
pub(crate) use library::{FileRow, FileState};
pub(crate) use outbox::{Letter, NewLetter};
pub(crate) use tokens::{TokenKind, TokenRow};
pub(crate) use uploads::UploadRow;

/// Every step of the tables, in order; the number of steps done is the file's `user_version`.
const MIGRATIONS: [&str; 2] = [
    include_str!("../../migrations/0001_events.sql"),
    include_str!("../../migrations/0002_library.sql"),
];

/// Connections: one writes at a time, the others read lists and tokens beside it.
const CONNECTIONS_MAX: u32 = 4;
/// A writer waits this long for another before it fails: far longer than any transaction here.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The database.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pool: SqlitePool,
}

/// The database cannot do what was asked.
#[derive(Debug, Error)]
pub(crate) enum StoreError {
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error("an event cannot be written as text")]
    Encode(#[source] serde_json::Error),
    #[error("event {seq} in the database cannot be read")]
    Decode { seq: i64, source: serde_json::Error },
    #[error("the data was written by a newer version (schema {found}, this one knows {known})")]
    Newer { found: i64, known: i64 },
}

impl Store {
    /// Opens the file, makes it where needed, brings its tables up to date.
    pub(crate) async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // With WAL only FULL survives a power loss: nothing is acknowledged before it is synced.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            // On a full disk SQLite rolls back by itself. The driver does not notice: it still counts a transaction
            // on this connection, and begins none on it any more, also when there is room again.
            .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
            .connect_with(options)
            .await?;
        let store = Self { pool };
        store.migrate().await?;
        Ok(store)
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let found: i64 =
            sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *transaction).await?;
        if found > known {
            return Err(StoreError::Newer { found, known });
        }
        let done = usize::try_from(found).unwrap_or_default();
        for step in MIGRATIONS.iter().skip(done) {
            sqlx::raw_sql(*step).execute(&mut *transaction).await?;
        }
        if found < known {
            // A pragma takes no placeholder; the number is our own.
            let text = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {known}"));
            sqlx::raw_sql(text).execute(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Whether the database answers.
    pub(crate) async fn is_alive(&self) -> bool {
        sqlx::query("SELECT 1").execute(&self.pool).await.is_ok()
    }

    /// Finishes what is under way and closes the file.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// Numbers of the core are unsigned, those of SQLite signed.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
