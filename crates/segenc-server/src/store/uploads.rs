//! Uploads as they are kept: name and size; how far one is, its file says.

use segenc_core::time::Millis;

use super::{Store, StoreError, signed, unsigned};

/// An upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UploadRow {
    pub(crate) id: String,
    /// The file's name for people, as the client sent it.
    pub(crate) name: String,
    /// Size in bytes that it will have.
    pub(crate) size: u64,
    pub(crate) created: Millis,
}

impl Store {
    pub(crate) async fn insert_upload(&self, upload: &UploadRow) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO uploads (id, name, size, created) VALUES (?, ?, ?, ?)")
            .bind(&upload.id)
            .bind(&upload.name)
            .bind(signed(upload.size))
            .bind(signed(upload.created))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    pub(crate) async fn upload(&self, id: &str) -> Result<Option<UploadRow>, StoreError> {
        let row: Option<(String, i64, i64)> =
            sqlx::query_as("SELECT name, size, created FROM uploads WHERE id = ?")
                .bind(id)
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(name, size, created)| UploadRow {
            id: id.to_owned(),
            name,
            size: unsigned(size),
            created: unsigned(created),
        }))
    }

    pub(crate) async fn uploads(&self) -> Result<Vec<UploadRow>, StoreError> {
        let rows: Vec<(String, String, i64, i64)> =
            sqlx::query_as("SELECT id, name, size, created FROM uploads")
                .fetch_all(&self.pool)
                .await?;
        Ok(rows
            .into_iter()
            .map(|(id, name, size, created)| UploadRow {
                id,
                name,
                size: unsigned(size),
                created: unsigned(created),
            })
            .collect())
    }

    pub(crate) async fn delete_upload(&self, id: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM uploads WHERE id = ?").bind(id).execute(&self.pool).await?;
        Ok(())
    }
}
