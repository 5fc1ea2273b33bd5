//! Notices what people are told of, by comparing the pool with what was told. Sends nothing.

use std::collections::{BTreeMap, BTreeSet};

use segenc_core::ids::{JobId, WorkerId};
use segenc_core::pool::job::JobState;
use segenc_core::pool::worker::WorkerState;
use segenc_core::time::Millis;
use segenc_proto::rest::NotificationEvent;

use super::occasion::Occasion;
use crate::coordinator::View;
use crate::http::{job_view, worker_view};
use crate::traffic::Traffic;

/// A farm without workers is told of after a minute: a worker that is started again is back by then.
const NO_WORKERS_AFTER: Millis = 60_000;

/// What was told.
#[derive(Debug)]
pub(super) struct Noticing {
    /// Jobs whose end is told, with when they ended.
    ended: BTreeMap<JobId, Millis>,
    taken_out: BTreeSet<WorkerId>,
    /// Since when there is work and nobody to do it.
    deserted_since: Option<Millis>,
    desertion_told: bool,
}

/// What is new.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) occasions: Vec<Occasion>,
    /// When the last of the jobs ended whose end is new.
    pub(super) told_until: Option<Millis>,
}

impl Noticing {
    /// Everything up to this time is told; and workers that are out already are no news.
    pub(super) fn since(view: &View, told_until: Millis) -> Self {
        let ended = view.pool.jobs().filter_map(|job| Some((job.id, job.ended_at?)));
        Self {
            ended: ended.filter(|(_, at)| *at <= told_until).collect(),
            taken_out: taken_out(view).collect(),
            deserted_since: None,
            desertion_told: false,
        }
    }

    /// What is new since the last time.
    pub(super) fn notice(&mut self, view: &View, traffic: &Traffic) -> News {
        let mut news = News::default();
        self.jobs(view, &mut news);
        for worker in taken_out(view).filter(|worker| !self.taken_out.contains(worker)) {
            if let Some(worker) = view.pool.worker(worker) {
                let shown = worker_view(view, traffic, worker);
                news.occasions.push(Occasion::of_worker(view.now, shown));
            }
        }
        self.taken_out = taken_out(view).collect();
        news.occasions.extend(self.desertion(view));
        news
    }

    fn jobs(&mut self, view: &View, news: &mut News) {
        for job in view.pool.jobs() {
            let Some(at) = job.ended_at.filter(|_| job.state.is_final()) else {
                self.ended.remove(&job.id);
                continue;
            };
            if self.ended.insert(job.id, at) == Some(at) {
                continue;
            }
            news.told_until = news.told_until.max(Some(at));
            let event = match job.state {
                JobState::Completed => NotificationEvent::JobCompleted,
                JobState::Failed => NotificationEvent::JobFailed,
                JobState::Canceled if view.notes.of(job.id).is_some() => {
                    NotificationEvent::JobSkipped
                }
                // Who cancels a job knows it.
                JobState::Canceled
                | JobState::Analyzing
                | JobState::Transcoding
                | JobState::Merging
                | JobState::Paused => continue,
            };
            news.occasions.push(Occasion::of_job(event, at, job_view(view, job)));
        }
        self.ended.retain(|job, _| view.pool.job(*job).is_some());
    }

    fn desertion(&mut self, view: &View) -> Option<Occasion> {
        let has_work = view.pool.jobs().any(|job| job.is_open());
        let mut workers = view.pool.workers();
        let is_there =
            workers.any(|worker| worker.is_active() && view.leases.is_present(worker.id, view.now));
        if is_there || !has_work {
            self.deserted_since = None;
            self.desertion_told = false;
            return None;
        }
        let since = *self.deserted_since.get_or_insert(view.now);
        if self.desertion_told || view.now.saturating_sub(since) < NO_WORKERS_AFTER {
            return None;
        }
        self.desertion_told = true;
        let text = "there is work, and no worker that takes it".to_owned();
        Some(Occasion::plain(NotificationEvent::NoWorkers, view.now, text))
    }
}

fn taken_out(view: &View) -> impl Iterator<Item = WorkerId> {
    view.pool.workers().filter_map(|worker| {
        matches!(worker.state, WorkerState::TakenOut { .. }).then_some(worker.id)
    })
}

#[cfg(test)]
mod tests {
    use segenc_core::pool::event::{Event, Happening};
    use segenc_core::pool::worker::WorkerProfile;

    use super::*;

    fn view(now: Millis, happenings: Vec<Happening>) -> View {
        let mut view = View { now, ..View::default() };
        for what in happenings {
            view.pool.apply(&Event { at: now, what });
        }
        view
    }

    fn created(job: u64) -> Happening {
        serde_json::from_value(serde_json::json!({
            "event": "job_created", "job": job, "analysis": job, "name": "film",
            "spec": {
                "container": "matroska", "args": [], "maps": [], "video": {"do": "copy"},
                "codecs": [], "stream_options": [], "mux_options": [], "dropped_kinds": [],
                "split": {"policy": "whole", "reason": "a test"},
                "verify": "full", "segment_seconds": null
            },
            "source": {
                "location": {"path": "/film"}, "name": "film",
                "fingerprint": {"size": 1, "modified": 0, "head_and_tail": ""}
            },
            "output_path": null, "priority": 0
        }))
        .expect("this is an event")
    }

    fn failed(job: u64) -> Happening {
        serde_json::from_value(serde_json::json!({
            "event": "job_failed", "job": job,
            "failure": {"kind": "task", "reason": "bad", "message": "it is bad", "log_tail": ""}
        }))
        .expect("this is an event")
    }

    fn events(news: &News) -> Vec<&'static str> {
        news.occasions.iter().map(|occasion| occasion.event.name()).collect()
    }

    #[test]
    fn the_end_of_a_job_is_told_once_and_again_after_a_restart_only_if_it_was_not() {
        let traffic = Traffic::default();
        let before = view(5, vec![created(1)]);
        let mut noticing = Noticing::since(&before, 5);
        let after = view(9, vec![created(1), failed(1)]);
        let news = noticing.notice(&after, &traffic);
        assert_eq!((events(&news), news.told_until), (vec!["job-failed"], Some(9)));
        assert!(news.occasions[0].text.contains("it is bad"));
        assert_eq!(events(&noticing.notice(&after, &traffic)), Vec::<&str>::new());
        let told = Noticing::since(&after, 9).notice(&after, &traffic);
        assert_eq!(events(&told), Vec::<&str>::new());
        let untold = Noticing::since(&after, 8).notice(&after, &traffic);
        assert_eq!(events(&untold), ["job-failed"]);
    }

    #[test]
    fn a_farm_without_workers_is_told_of_once_and_only_while_there_is_work() {
        let traffic = Traffic::default();
        let mut noticing = Noticing::since(&View::default(), 0);
        let idle = view(NO_WORKERS_AFTER * 9, Vec::new());
        assert!(noticing.notice(&idle, &traffic).occasions.is_empty());
        let mut waiting = view(0, vec![created(1)]);
        for (now, told) in [
            (0, &[][..]),
            (NO_WORKERS_AFTER - 1, &[]),
            (NO_WORKERS_AFTER, &["no-workers"]),
            (NO_WORKERS_AFTER * 2, &[]),
        ] {
            waiting.now = now;
            assert_eq!(events(&noticing.notice(&waiting, &traffic)), told, "{now}");
        }
    }

    #[test]
    fn a_worker_that_is_taken_out_is_told_of_until_it_is_back_and_out_again() {
        let traffic = Traffic::default();
        let profile: WorkerProfile = serde_json::from_value(serde_json::json!({
            "name": "attic", "version": "0", "slots": 1, "cores": 1, "memory_bytes": 1,
            "encoders": [], "ffmpeg_version": "5.1", "platform": "test"
        }))
        .expect("this is a profile");
        let worker = WorkerId(1);
        let joined = Happening::WorkerRegistered { worker, profile };
        let state = WorkerState::TakenOut { reason: "no ffmpeg".to_owned() };
        let out = Happening::WorkerChanged { worker, state };
        let well = view(1, vec![joined.clone()]);
        let ill = view(2, vec![joined, out]);
        let mut noticing = Noticing::since(&well, 1);
        for (seen, told) in [
            (&ill, &["worker-taken-out"][..]),
            (&ill, &[]),
            (&well, &[]),
            (&ill, &["worker-taken-out"]),
        ] {
            assert_eq!(events(&noticing.notice(seen, &traffic)), told);
        }
    }
}
