//! Jobs that were left on a farm: which one belongs to this wish, so that the same command goes on with it.
//!
//! A note beside the folders of local jobs. Without it the film would only be encoded anew.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use segenc_proto::rest::JobView;
use serde::{Deserialize, Serialize};

use super::Wish;
use super::state::{Record, key};
use super::sweep;
use crate::places;

/// The note of one wish at one server.
#[derive(Debug)]
pub(super) struct Left {
    path: Option<PathBuf>,
    record: Record,
}

/// What stands in it.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    job: u64,
    record: Record,
}

impl Left {
    /// The place of the note for this wish. Where there is none to be had, nothing is remembered.
    pub(super) fn of(wish: &Wish, server: &str) -> Self {
        let path = places::data_folder().ok().map(|data| {
            let all = data.join("encode");
            let _ = sweep::sweep(&all, SystemTime::now());
            let key = key(&[server.as_ref(), &wish.source, wish.output.path()]);
            all.join(format!("farm.{key}"))
        });
        Self { path, record: Record::of(wish) }
    }

    /// The job that was made for this very wish.
    pub(super) fn job(&self) -> Option<u64> {
        let text = fs::read(self.path.as_ref()?).ok()?;
        let note: Note = serde_json::from_slice(&text).ok()?;
        (note.record == self.record).then_some(note.job)
    }

    /// Whether a job of this number is the one, and not one of a server that was made anew.
    pub(super) fn is_it(&self, job: &JobView) -> bool {
        job.state != "canceled" && self.record.is_wished_by(job)
    }

    /// Notes which job was made.
    pub(super) fn remember(&self, job: u64) {
        let Some(path) = &self.path else { return };
        let note = Note { job, record: self.record.clone() };
        let written =
            serde_json::to_vec_pretty(&note).map_err(std::io::Error::other).and_then(|text| {
                fs::create_dir_all(path.parent().unwrap_or(path))?;
                fs::write(path, text)
            });
        if let Err(error) = written {
            tracing::warn!(%error, "it cannot be noted which job this is; the same command would make it anew");
        }
    }

    /// The wish is fulfilled, or will never be by this job.
    pub(super) fn forget(&self) {
        if let Some(path) = &self.path {
            // A note that stays names a job that is looked at before it is gone on with.
            let _ = fs::remove_file(path);
        }
    }
}
