//! A file that is being received: written in large pieces, hashed on the way, synced before anybody is told.

use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufWriter};

/// Pieces in which files are written and read: large enough that system calls cost nothing beside the
/// copying, small enough that thousands of transfers fit into memory.
pub(crate) const PIECE_BYTES: usize = 256 * 1024;

/// Free space that is never given away: the database must be able to write that the disk is full.
pub(crate) const RESERVED_BYTES: u64 = 16 * 1024 * 1024;

/// The file.
pub(crate) struct Incoming {
    file: BufWriter<File>,
    written: u64,
    hasher: Sha256,
}

/// What was received.
pub(crate) struct Received {
    pub(crate) size: u64,
    pub(crate) sha256: [u8; 32],
}

impl Incoming {
    /// Begins anew.
    pub(crate) async fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(path).await?;
        Ok(Self::over(file, 0, Sha256::new()))
    }

    /// Goes on after the bytes that are there, which are hashed again.
    pub(crate) async fn resume(path: &Path) -> io::Result<Self> {
        let options = OpenOptions::new().read(true).append(true).create(true).to_owned();
        let mut file = options.open(path).await?;
        file.set_max_buf_size(PIECE_BYTES);
        let mut hasher = Sha256::new();
        let mut piece = vec![0; PIECE_BYTES];
        let mut written = 0;
        loop {
            let count = file.read(&mut piece).await?;
            if count == 0 {
                return Ok(Self::over(file, written, hasher));
            }
            hasher.update(&piece[..count]);
            written += count as u64;
        }
    }

    fn over(mut file: File, written: u64, hasher: Sha256) -> Self {
        file.set_max_buf_size(PIECE_BYTES);
        Self { file: BufWriter::with_capacity(PIECE_BYTES, file), written, hasher }
    }

    pub(crate) const fn written(&self) -> u64 {
        self.written
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await?;
        self.hasher.update(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Puts everything on the disk.
    pub(crate) async fn finish(mut self) -> io::Result<Received> {
        self.file.flush().await?;
        self.file.get_ref().sync_all().await?;
        Ok(Received { size: self.written, sha256: self.hasher.finalize().into() })
    }
}

/// Whether a file cannot be written because there is no room for it.
pub(crate) fn is_disk_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// Bytes that may still be written below `folder`.
pub(crate) fn free_bytes(folder: &Path) -> io::Result<u64> {
    Ok(fs4::available_space(folder)?.saturating_sub(RESERVED_BYTES))
}
