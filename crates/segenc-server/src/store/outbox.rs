//! Notifications as they are kept: who is told, and messages on their way.

use segenc_core::time::Millis;

use super::{Store, StoreError, signed, unsigned};

/// Messages on their way: a farm whose receivers are gone for a day does not fill the database. The oldest go first.
const OUTBOX_MAX: i64 = 1_000;

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewLetter {
    /// Whom it is for.
    pub(crate) target: String,
    /// What it is about, as text.
    pub(crate) event: String,
}

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) id: u64,
    pub(crate) target: String,
    pub(crate) event: String,
    /// How often it was tried.
    pub(crate) tries: u32,
}

impl Store {
    /// Keeps messages, and with them up to when the ends of jobs are told: both or neither.
    pub(crate) async fn post_letters(
        &self,
        letters: &[NewLetter],
        told_until: Option<Millis>,
        now: Millis,
    ) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for letter in letters {
            sqlx::query(
                "INSERT INTO outbox (target, event, tries, due, created) VALUES (?, ?, 0, ?, ?)",
            )
            .bind(&letter.target)
            .bind(&letter.event)
            .bind(signed(now))
            .bind(signed(now))
            .execute(&mut *transaction)
            .await?;
        }
        sqlx::query(
            "DELETE FROM outbox WHERE id NOT IN (SELECT id FROM outbox ORDER BY id DESC LIMIT ?)",
        )
        .bind(OUTBOX_MAX)
        .execute(&mut *transaction)
        .await?;
        if let Some(told_until) = told_until {
            sqlx::query("INSERT OR REPLACE INTO marks (name, value) VALUES ('told-until', ?)")
                .bind(signed(told_until))
                .execute(&mut *transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Up to when the ends of jobs are told.
    pub(crate) async fn told_until(&self) -> Result<Option<Millis>, StoreError> {
        let value: Option<i64> =
            sqlx::query_scalar("SELECT value FROM marks WHERE name = 'told-until'")
                .fetch_optional(&self.pool)
                .await?;
        Ok(value.map(unsigned))
    }

    /// Messages whose time has come, the oldest first.
    pub(crate) async fn due_letters(
        &self,
        now: Millis,
        most: u32,
    ) -> Result<Vec<Letter>, StoreError> {
        let rows: Vec<(i64, String, String, i64)> = sqlx::query_as(
            "SELECT id, target, event, tries FROM outbox WHERE due <= ? ORDER BY id LIMIT ?",
        )
        .bind(signed(now))
        .bind(i64::from(most))
        .fetch_all(&self.pool)
        .await?;
        let letter = |(id, target, event, tries): (i64, String, String, i64)| Letter {
            id: unsigned(id),
            target,
            event,
            tries: u32::try_from(tries).unwrap_or(u32::MAX),
        };
        Ok(rows.into_iter().map(letter).collect())
    }

    /// How many messages are on their way to each receiver.
    pub(crate) async fn pending_letters(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT target, count(*) FROM outbox GROUP BY target")
                .fetch_all(&self.pool)
                .await?;
        Ok(rows.into_iter().map(|(target, count)| (target, unsigned(count))).collect())
    }

    /// Tries a message again later.
    pub(crate) async fn put_off(&self, letter: u64, due: Millis) -> Result<(), StoreError> {
        sqlx::query("UPDATE outbox SET tries = tries + 1, due = ? WHERE id = ?")
            .bind(signed(due))
            .bind(signed(letter))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// A message has arrived, or is given up.
    pub(crate) async fn drop_letter(&self, letter: u64) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM outbox WHERE id = ?")
            .bind(signed(letter))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// All receivers: their names and what was wished, as text.
    pub(crate) async fn notifications(&self) -> Result<Vec<(String, String)>, StoreError> {
        let rows = sqlx::query_as("SELECT id, body FROM notifications ORDER BY id")
            .fetch_all(&self.pool)
            .await?;
        Ok(rows)
    }

    pub(crate) async fn put_notification(&self, id: &str, body: &str) -> Result<(), StoreError> {
        sqlx::query("INSERT OR REPLACE INTO notifications (id, body) VALUES (?, ?)")
            .bind(id)
            .bind(body)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Forgets a receiver and what was on its way to it.
    pub(crate) async fn delete_notification(&self, id: &str) -> Result<(), StoreError> {
        for table in
            ["DELETE FROM notifications WHERE id = ?", "DELETE FROM outbox WHERE target = ?"]
        {
            sqlx::query(table).bind(id).execute(&self.pool).await?;
        }
        Ok(())
    }
}
