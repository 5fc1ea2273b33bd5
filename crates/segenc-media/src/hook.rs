//! Runs programs of the operator's own, such as the one that is told when a film is done. Must not know what for.

use std::time::Duration;

use crate::runner::{start_own, tail};

/// Runs a program to its end: words without a shell, a cleaned environment and these variables.
///
/// # Errors
/// It cannot be started, ends with another code than 0, or takes longer than `patience` and is ended. The text is
/// for people.
pub async fn run_hook(
    words: &[String],
    variables: &[(String, String)],
    patience: Duration,
) -> Result<(), String> {
    let (program, words) = words.split_first().ok_or("it names no program")?;
    let started = start_own(program, words, variables);
    let mut child = started.map_err(|error| format!("it cannot be started: {error}"))?;
    let stderr = child.stderr().take().ok_or("a pipe is missing")?;
    let ended = async {
        let told = tail(stderr).await;
        (child.wait().await, told)
    };
    let (status, told) = tokio::time::timeout(patience, ended)
        .await
        .map_err(|_| format!("it took longer than {} s", patience.as_secs()))?;
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            let told = String::from_utf8_lossy(&told);
            Err(format!("it ended with {status}: {}", told.trim().lines().last().unwrap_or("")))
        }
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    async fn run(script: &str, patience: Duration) -> Result<(), String> {
        let words = ["/bin/sh", "-c", script].map(str::to_owned);
        let variables = [("SEGENC_JOB_ID".to_owned(), "7; exit 3".to_owned())];
        run_hook(&words, &variables, patience).await
    }

    #[tokio::test]
    async fn a_program_is_told_by_variables_and_no_shell_reads_them() {
        let minute = Duration::from_secs(60);
        assert_eq!(run("test \"$SEGENC_JOB_ID\" = '7; exit 3'", minute).await, Ok(()));
        let failed = run("echo no such disk >&2; exit 4", minute).await.expect_err("code 4");
        assert!(failed.contains("no such disk") && failed.contains('4'), "{failed}");
        let none = run_hook(&["/nowhere/program".to_owned()], &[], minute).await;
        assert!(none.expect_err("it is not there").contains("cannot be started"));
    }

    #[tokio::test]
    async fn a_program_that_does_not_end_is_ended() {
        let late = run("exec sleep 600", Duration::from_millis(50)).await;
        assert!(late.expect_err("too late").contains("longer"));
    }
}
