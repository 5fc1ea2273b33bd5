//! `segenc doctor`: looks at everything that has to be right on this machine, and says what to do where it is not.
//!
//! Changes nothing but a trial file that it removes.

use std::path::Path;
use std::time::SystemTime;

use reqwest::Method;
use segenc_media::confinement::{self, Strength};
use segenc_media::{Tools, usable_encoders};
use segenc_proto::rest::{ServerView, WorkerView};
use serde::Serialize;

use crate::api::Api;
use crate::arguments::{Doctor, Voice};
use crate::halt::Halt;
use crate::inspection::INSTALL_FFMPEG;
use crate::quantities::{bytes, counted};
use crate::{places, terminal};

/// Below this, the segments of one film at a usual size may not fit.
const FREE_BYTES_WISHED: u64 = 20 * 1024 * 1024 * 1024;

/// A clock further off than this makes logs hard to compare. It does no harm else: leases are the server's.
const CLOCK_SECONDS_MAX: u64 = 60;

/// How good something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Good,
    /// It works, but not as well as it could.
    Doubtful,
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    subject: &'static str,
    verdict: Verdict,
    detail: String,
    hint: Option<String>,
}

impl Finding {
    fn good(subject: &'static str, detail: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Good, detail: detail.into(), hint: None }
    }

    fn doubtful(subject: &'static str, detail: impl Into<String>, hint: &str) -> Self {
        let hint = Some(hint.to_owned());
        Self { subject, verdict: Verdict::Doubtful, detail: detail.into(), hint }
    }

    fn bad(subject: &'static str, detail: impl Into<String>, hint: &str) -> Self {
        let hint = Some(hint.to_owned());
        Self { subject, verdict: Verdict::Bad, detail: detail.into(), hint }
    }
}

/// Runs the command.
pub(crate) async fn run(flags: Doctor, voice: Voice) -> anyhow::Result<()> {
    let mut findings = ffmpeg().await;
    findings.push(confined());
    findings.extend(disk("data folder", &places::data_folder()?));
    findings.extend(server(&flags).await?);
    for finding in &findings {
        show(finding, voice)?;
    }
    let bad = findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count();
    if bad == 0 {
        return Ok(());
    }
    Err(Halt::failed(format!("{} must be mended", counted(bad as u64, "thing")))
        .reason("doctor-found-faults")
        .into())
}

fn show(finding: &Finding, voice: Voice) -> anyhow::Result<()> {
    if voice.json {
        terminal::result(&serde_json::to_string(finding)?);
        return Ok(());
    }
    let mark = match finding.verdict {
        Verdict::Good if voice.quiet => return Ok(()),
        Verdict::Good => "good",
        Verdict::Doubtful => "doubt",
        Verdict::Bad => "BAD",
    };
    terminal::result(&format!("{mark:<6} {:<12} {}", finding.subject, finding.detail));
    if let Some(hint) = &finding.hint {
        terminal::result(&format!("{:20}hint: {hint}", ""));
    }
    Ok(())
}

async fn ffmpeg() -> Vec<Finding> {
    let tools = match Tools::find().await {
        Ok(tools) => tools,
        Err(error) => return vec![Finding::bad("ffmpeg", error.to_string(), INSTALL_FFMPEG)],
    };
    let found = format!("{} at {}", tools.version, tools.ffmpeg.display());
    let encoders = usable_encoders(&tools).await;
    let (there, missing): (Vec<&str>, Vec<&str>) = ["libx264", "libx265", "libsvtav1"]
        .into_iter()
        .partition(|name| encoders.iter().any(|encoder| encoder == name));
    let more = encoders.len().saturating_sub(there.len()) as u64;
    let list = format!("{} and {}", there.join(", "), counted(more, "other"));
    let encoders = match (encoders.is_empty(), missing.is_empty()) {
        (true, _) => Finding::bad("encoders", "none works", INSTALL_FFMPEG),
        (false, true) => Finding::good("encoders", list),
        (false, false) => Finding::doubtful(
            "encoders",
            format!("{list}; without {}", missing.join(", ")),
            "another build of ffmpeg may have them",
        ),
    };
    let probe = if tools.are_of_one_version() {
        Finding::good("ffprobe", format!("of the same version, at {}", tools.ffprobe.display()))
    } else {
        Finding::doubtful(
            "ffprobe",
            format!(
                "{} at {}: not ffmpeg's version",
                tools.ffprobe_version,
                tools.ffprobe.display()
            ),
            "the two can read a film's times differently; install both from one package, or name the right ones in \
             SEGENC_FFMPEG and SEGENC_FFPROBE",
        )
    };
    vec![Finding::good("ffmpeg", found), probe, encoders]
}

fn confined() -> Finding {
    const SUBJECT: &str = "confinement";
    match confinement::strength() {
        Strength::Full => Finding::good(SUBJECT, "ffmpeg reaches its input and its folder alone"),
        Strength::Partial => Finding::doubtful(
            SUBJECT,
            "ffmpeg is kept from other files, but not from the network",
            "Linux 6.7 or later can do both",
        ),
        Strength::Limits | Strength::None => Finding::doubtful(
            SUBJECT,
            "this system cannot keep ffmpeg from other files",
            "encode films of strangers in a container, or on Linux 5.13 or later with Landlock",
        ),
    }
}

/// Whether a folder can be written to and has room. Where it is not there yet, its nearest parent counts.
fn disk(subject: &'static str, folder: &Path) -> Vec<Finding> {
    let Some(there) = folder.ancestors().find(|folder| folder.is_dir()) else {
        return vec![Finding::bad(subject, folder.display().to_string(), "no part of it is there")];
    };
    let mut findings = Vec::new();
    match tempfile::tempfile_in(there) {
        Ok(_) => findings.push(Finding::good(subject, folder.display().to_string())),
        Err(error) => findings.push(Finding::bad(
            subject,
            format!("{} cannot be written to: {error}", there.display()),
            "choose another with SEGENC_DATA_DIR, or mend its permissions",
        )),
    }
    match fs4::available_space(there) {
        Ok(free) if free >= FREE_BYTES_WISHED => {
            findings.push(Finding::good("room", format!("{} free", bytes(free))));
        }
        Ok(free) => findings.push(Finding::doubtful(
            "room",
            format!("{} free", bytes(free)),
            "segments of a film take about as much as the output, and the output once more",
        )),
        Err(error) => findings.push(Finding::doubtful(
            "room",
            format!("unknown: {error}"),
            "look at the disk by hand",
        )),
    }
    findings
}

/// What can be said of the server, if one is named or was started here.
async fn server(flags: &Doctor) -> anyhow::Result<Vec<Finding>> {
    let known = places::address_file(&places::server_folder()?).is_file();
    if flags.connection.named_server().is_none() && !known {
        return Ok(vec![Finding::good("server", "none named, none started here; not looked at")]);
    }
    let api = places::api(&flags.connection)?;
    let address = api.address();
    let health = match api.send(api.request(Method::GET, "/healthz")).await {
        Ok(health) => health,
        Err(error) => {
            let hint = "is it running, is the address right, does a firewall stand between?";
            return Ok(vec![Finding::bad("server", error.to_string(), hint)]);
        }
    };
    let mut findings =
        vec![clock(health.headers().get("date").and_then(|date| date.to_str().ok()))];
    match api.get::<ServerView>("/api/server").await {
        Ok(view) => {
            let detail = format!(
                "{address}, version {}, as {}, {} free",
                view.version,
                view.role,
                bytes(view.free_bytes)
            );
            findings.push(Finding::good("server", detail));
            findings.push(workers(&api).await);
        }
        Err(error) => {
            let hint = "give its token: --token @FILE, or SEGENC_TOKEN";
            findings.push(Finding::bad("server", format!("{address}: {error}"), hint));
        }
    }
    Ok(findings)
}

async fn workers(api: &Api) -> Finding {
    const SUBJECT: &str = "workers";
    match api.get::<Vec<WorkerView>>("/api/workers").await {
        Ok(workers) => {
            let ready = workers.iter().filter(|one| one.online && one.state == "active").count();
            let detail = format!("{ready} of {} ready", workers.len());
            match ready {
                0 => Finding::doubtful(
                    SUBJECT,
                    detail,
                    "jobs wait until one is; `segenc serve` printed the command that adds one",
                ),
                _ => Finding::good(SUBJECT, detail),
            }
        }
        Err(error) => Finding::doubtful(SUBJECT, error.to_string(), "try `segenc workers`"),
    }
}

/// Compares this machine's clock with the server's, as its answer tells it.
fn clock(date: Option<&str>) -> Finding {
    const SUBJECT: &str = "clock";
    let Some(there) = date.and_then(|date| httpdate::parse_http_date(date).ok()) else {
        return Finding::good(SUBJECT, "the server tells no time; not compared");
    };
    let here = SystemTime::now();
    let apart = here.duration_since(there).or_else(|_| there.duration_since(here));
    let seconds = apart.map_or(0, |apart| apart.as_secs());
    if seconds > CLOCK_SECONDS_MAX {
        return Finding::doubtful(
            SUBJECT,
            format!("{seconds} s off the server's"),
            "nothing breaks by it, but logs are hard to compare; set it by NTP",
        );
    }
    Finding::good(SUBJECT, "like the server's")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_told_and_one_that_is_right_is_not() {
        let now = httpdate::fmt_http_date(SystemTime::now());
        assert_eq!(clock(Some(&now)).verdict, Verdict::Good);
        let past = clock(Some("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert_eq!(past.verdict, Verdict::Doubtful);
        assert_eq!(clock(None).verdict, Verdict::Good);
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_judged_by_its_parent() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let findings = disk("data folder", &folder.path().join("not/yet"));
        assert_eq!(findings[0].verdict, Verdict::Good);
    }
}
