//! Small pictures of segments, for people who look on: files in a folder for each job.
//!
//! They are no part of any result: nothing is synced, and what is lost is not missed. Whether somebody may bring
//! one is not decided here.

use std::io;
use std::path::{Path, PathBuf};

use segenc_core::ids::JobId;
use segenc_core::pool::Pool;

/// The largest one taken: of 160 pixels' width nearly all have less than 8 kB.
pub(crate) const BYTES_MAX: usize = 20 * 1024;

/// How a JPEG begins: start of image, and the first byte of the next marker.
const JPEG_MAGIC: [u8; 3] = [0xFF, 0xD8, 0xFF];

/// The pictures of all jobs.
#[derive(Debug)]
pub(crate) struct Thumbnails {
    folder: PathBuf,
}

impl Thumbnails {
    pub(crate) const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn of(&self, job: JobId) -> PathBuf {
        self.folder.join(job.to_string())
    }

    /// Where the picture of a segment is, if there is one.
    pub(crate) fn path(&self, job: JobId, segment: u32) -> PathBuf {
        self.of(job).join(format!("{segment}.jpg"))
    }

    /// Keeps a picture; a later one of the same segment takes its place. `attempt` tells two apart that arrive at
    /// the same time. Writes files: not for the async threads.
    pub(crate) fn keep(
        &self,
        job: JobId,
        segment: u32,
        attempt: &str,
        picture: &[u8],
    ) -> io::Result<()> {
        std::fs::create_dir_all(self.of(job))?;
        let partial = self.of(job).join(format!("{segment}-{attempt}.partial"));
        std::fs::write(&partial, picture)?;
        std::fs::rename(&partial, self.path(job, segment))
    }

    /// The segment whose picture stands for the job: the one that is nearest to `wanted`.
    pub(crate) fn nearest(&self, job: JobId, wanted: u32) -> Option<u32> {
        let entries = std::fs::read_dir(self.of(job)).ok()?;
        entries
            .filter_map(|entry| segment_of(&entry.ok()?.path()))
            .min_by_key(|segment| (segment.abs_diff(wanted), *segment))
    }

    /// Deletes the pictures of jobs that are gone. Reads folders: not for the async threads.
    pub(crate) fn sweep(&self, pool: &Pool) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let job = path.file_name().and_then(|name| name.to_str()?.parse::<JobId>().ok());
            if job.is_some_and(|job| pool.job(job).is_none()) {
                std::fs::remove_dir_all(&path)?;
            }
        }
        Ok(())
    }
}

/// Whether the bytes begin as a JPEG does.
pub(crate) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&JPEG_MAGIC)
}

fn segment_of(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?;
    name.strip_suffix(".jpg")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_nearest_to_the_wanted_place_stands_for_the_job() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let pictures = Thumbnails::new(folder.path().to_owned());
        let job = JobId(7);
        assert_eq!(pictures.nearest(job, 3), None);
        for segment in [0, 5, 9] {
            pictures.keep(job, segment, "1.1", b"picture").expect("it is kept");
        }
        assert_eq!(pictures.nearest(job, 3), Some(5));
        assert_eq!(pictures.nearest(job, 100), Some(9));
        assert!(pictures.path(job, 5).is_file());
    }

    #[test]
    fn pictures_go_with_their_job() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let pictures = Thumbnails::new(folder.path().to_owned());
        pictures.keep(JobId(7), 0, "1.1", b"picture").expect("it is kept");
        pictures.sweep(&Pool::default()).expect("it is swept");
        assert!(!pictures.path(JobId(7), 0).exists());
    }
}
