//! Something that people may be told of, and how it is worded.

use std::collections::BTreeSet;

use segenc_core::naming::Template;
use segenc_core::time::Millis;
use segenc_proto::rest::{JobView, NotificationEvent, WorkerView};
use serde::{Deserialize, Serialize};

/// The words of a message.
pub(crate) const TEXT_WORDS: &[&str] =
    &["event", "job", "name", "state", "reason", "message", "worker", "output", "size"];

/// Something that people may be told of. This is also the body of a webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Occasion {
    pub(crate) event: NotificationEvent,
    pub(crate) at: Millis,
    /// One sentence.
    pub(crate) text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) job: Option<Box<JobView>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) worker: Option<Box<WorkerView>>,
}

impl Occasion {
    /// The end of a job.
    pub(crate) fn of_job(event: NotificationEvent, at: Millis, job: JobView) -> Self {
        let JobView { id, name, .. } = &job;
        let why = job.failure.as_ref().map(|failure| failure.message.clone());
        let why = why.or_else(|| job.note.clone()).unwrap_or_default();
        let text = match event {
            NotificationEvent::JobCompleted => format!("job {id} is completed: {name}"),
            NotificationEvent::JobFailed => format!("job {id} has failed: {name}: {why}"),
            NotificationEvent::JobSkipped => format!("job {id} was ended: {name}: {why}"),
            NotificationEvent::NoWorkers
            | NotificationEvent::WorkerTakenOut
            | NotificationEvent::Test => name.clone(),
        };
        Self { event, at, text, job: Some(Box::new(job)), worker: None }
    }

    /// A worker that gets no more tasks.
    pub(crate) fn of_worker(at: Millis, worker: WorkerView) -> Self {
        let reason = worker.reason.as_deref().unwrap_or("it failed again and again");
        let text = format!("worker {} is taken out: {reason}", worker.name);
        let event = NotificationEvent::WorkerTakenOut;
        Self { event, at, text, job: None, worker: Some(Box::new(worker)) }
    }

    /// Nothing in particular.
    pub(crate) const fn plain(event: NotificationEvent, at: Millis, text: String) -> Self {
        Self { event, at, text, job: None, worker: None }
    }

    /// The same in somebody's own words.
    pub(crate) fn worded(mut self, template: Option<&Template>) -> Self {
        if let Some(template) = template {
            self.text = template.fill(|word| self.word(word));
        }
        self
    }

    fn word(&self, word: &str) -> String {
        let job = self.job.as_deref();
        let worker = self.worker.as_deref();
        let failure = job.and_then(|job| job.failure.as_ref());
        let told = match word {
            "event" => Some(self.event.name().to_owned()),
            "job" => job.map(|job| job.id.to_string()),
            "name" => job.map(|job| job.name.clone()),
            "state" => job.map(|job| job.state.clone()).or(worker.map(|one| one.state.clone())),
            "reason" => failure
                .map(|failure| failure.reason.clone())
                .or_else(|| worker.and_then(|worker| worker.reason.clone())),
            "message" => Some(self.text.clone()),
            "worker" => worker.map(|worker| worker.name.clone()),
            "output" => job.and_then(|job| job.output_path.clone()),
            "size" => job.and_then(|job| Some(job.output.as_ref()?.size.to_string())),
            _ => None,
        };
        told.unwrap_or_default()
    }

    /// What a program of the operator's is told, as variables.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let named = |name: &str, value: String| (format!("SEGENC_{name}"), value);
        let mut variables = vec![
            named("EVENT", self.event.name().to_owned()),
            named("TEXT", self.text.clone()),
            named("AT", self.at.to_string()),
        ];
        if let Some(job) = &self.job {
            let words = [("JOB_ID", "job"), ("JOB_NAME", "name"), ("JOB_STATE", "state")];
            variables.extend(words.map(|(name, word)| named(name, self.word(word))));
            variables.push(named("JOB_SOURCE", job.source_name.clone()));
            let words = [("JOB_REASON", "reason"), ("OUTPUT", "output"), ("OUTPUT_SIZE", "size")];
            variables.extend(words.map(|(name, word)| named(name, self.word(word))));
        }
        if let Some(worker) = &self.worker {
            variables.push(named("WORKER_ID", worker.id.to_string()));
            variables.push(named("WORKER_NAME", worker.name.clone()));
        }
        // No variable can hold a NUL, and names of films come from everywhere.
        for (_, value) in &mut variables {
            value.retain(|letter| letter != '\0');
        }
        variables
    }

    /// Whether somebody who wants to hear of these events, and perhaps of one job only, is told.
    pub(crate) fn concerns(&self, events: &BTreeSet<NotificationEvent>, job: Option<u64>) -> bool {
        let own = self.job.as_ref().map(|job| job.id);
        events.contains(&self.event) && job.is_none_or(|job| own == Some(job))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed() -> Occasion {
        let job = JobView {
            id: 7,
            name: "film.mkv".to_owned(),
            state: "completed".to_owned(),
            output_path: Some("/done/film.mkv".to_owned()),
            ..JobView::default()
        };
        Occasion::of_job(NotificationEvent::JobCompleted, 1, job)
    }

    #[test]
    fn own_words_take_the_place_of_the_sentence() {
        let template = Template::parse("#{job} {state} {output}{worker}: {message}", TEXT_WORDS);
        let worded = completed().worded(Some(&template.expect("known words")));
        assert_eq!(worded.text, "#7 completed /done/film.mkv: job 7 is completed: film.mkv");
    }

    #[test]
    fn programs_are_told_by_variables() {
        let variables = completed().variables();
        let of = |name: &str| {
            variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
        };
        assert_eq!(of("SEGENC_EVENT"), Some("job-completed"));
        assert_eq!(of("SEGENC_JOB_ID"), Some("7"));
        assert_eq!(of("SEGENC_OUTPUT"), Some("/done/film.mkv"));
        assert_eq!(of("SEGENC_WORKER_ID"), None);
    }

    #[test]
    fn who_wants_one_job_is_not_told_of_others() {
        let events = BTreeSet::from([NotificationEvent::JobCompleted]);
        assert!(completed().concerns(&events, None));
        assert!(completed().concerns(&events, Some(7)));
        assert!(!completed().concerns(&events, Some(8)));
        assert!(!completed().concerns(&BTreeSet::from([NotificationEvent::JobFailed]), None));
    }
}
