//! Tokens as they are kept: hashed, with what they open.

use segenc_core::ids::WorkerId;
use segenc_core::time::Millis;

use super::{Store, StoreError, signed, unsigned};

/// What a token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// Everything of the operator's interface.
    Operator,
    /// Reading there.
    Viewer,
    /// Joining as a worker.
    Join,
    /// The tasks that this worker holds.
    Worker(WorkerId),
}

/// A token as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct TokenRow {
    /// SHA-256 of the token in lower-case hex.
    pub(crate) hash: String,
    pub(crate) kind: TokenKind,
    pub(crate) label: String,
    pub(crate) created: Millis,
    pub(crate) expires: Option<Millis>,
}

impl Store {
    /// Keeps a token.
    pub(crate) async fn insert_token(&self, token: &TokenRow) -> Result<(), StoreError> {
        let (kind, worker) = match token.kind {
            TokenKind::Operator => ("operator", None),
            TokenKind::Viewer => ("viewer", None),
            TokenKind::Join => ("join", None),
            TokenKind::Worker(worker) => ("worker", Some(signed(worker.0))),
        };
        sqlx::query(
            "INSERT OR REPLACE INTO tokens (hash, kind, worker, label, created, expires, revoked) \
             VALUES (?, ?, ?, ?, ?, ?, NULL)",
        )
        .bind(&token.hash)
        .bind(kind)
        .bind(worker)
        .bind(&token.label)
        .bind(signed(token.created))
        .bind(token.expires.map(signed))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// All tokens that were not revoked.
    pub(crate) async fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT hash, kind, worker, label, created, expires FROM tokens WHERE revoked IS NULL",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().filter_map(token).collect())
    }

    /// Makes all tokens of a worker worthless.
    pub(crate) async fn revoke_worker(
        &self,
        worker: WorkerId,
        now: Millis,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE tokens SET revoked = ? WHERE worker = ? AND revoked IS NULL")
            .bind(signed(now))
            .bind(signed(worker.0))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Makes one token worthless.
    pub(crate) async fn revoke_token(&self, hash: &str, now: Millis) -> Result<(), StoreError> {
        sqlx::query("UPDATE tokens SET revoked = ? WHERE hash = ?")
            .bind(signed(now))
            .bind(hash)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

type Columns = (String, String, Option<i64>, String, i64, Option<i64>);

/// A kind that this version does not know opens nothing.
fn token((hash, kind, worker, label, created, expires): Columns) -> Option<TokenRow> {
    let kind = match (kind.as_str(), worker) {
        ("operator", _) => TokenKind::Operator,
        ("viewer", _) => TokenKind::Viewer,
        ("join", _) => TokenKind::Join,
        ("worker", Some(worker)) => TokenKind::Worker(WorkerId(unsigned(worker))),
        _ => return None,
    };
    let (created, expires) = (unsigned(created), expires.map(unsigned));
    Some(TokenRow { hash, kind, label, created, expires })
}
