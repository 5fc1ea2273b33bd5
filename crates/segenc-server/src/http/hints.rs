//! What people can do about a failure, by its reason. Reasons without an entry speak for themselves.

/// The hint for a reason of a failure.
pub(super) fn hint(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "encoder-missing" => {
            "choose one of the encoders that the workers have, or add a worker with it (`segenc workers list`)"
        }
        "no-worker-left" => {
            "look at the log, repair the workers, put them back (`segenc workers resume`), then retry the job"
        }
        "disk-full" => {
            "make room on the worker's disk (`--scratch` names the folder), then retry the job"
        }
        "output-disk-full" => {
            "make room where the output goes, then retry the job: only the end is done again"
        }
        "output-exists" => {
            "move the file away, then retry; or make the job anew and let it overwrite the file"
        }
        "output-unwritable" => {
            "make the output's folder writable for the server, then retry the job"
        }
        "source-changed" => "the source must not change while it is encoded: start a new job",
        "source-unreadable" => {
            "check that the file plays; if it is damaged, repair or remux it first"
        }
        "source-is-a-playlist" => "name the media file itself, not a list of files",
        "odd-size" => {
            "make width and height even, such as with -vf \"crop=trunc(iw/2)*2:trunc(ih/2)*2\""
        }
        "container-refuses-codec" => {
            "choose another container (mkv holds nearly everything), or encode or drop that stream"
        }
        "plan-impossible" => "look at the source's streams and correct the -map options",
        "encoder-refused" => "correct the encoder's options; the log says what it did not like",
        "output-not-verified" => "retry the job; if it fails again, please report it with the log",
        "target-size-too-small" => "wish a larger file, or make the other streams smaller",
        "target-size-needs-segments" => {
            "start a job with a bitrate (-b:v): that is possible in one piece too"
        }
        _ => return None,
    })
}
