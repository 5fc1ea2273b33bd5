//! Processes by their numbers: who is whose child, signals, and who was left behind.
//!
//! Knows `/proc`, and nothing of farms.

use std::{fmt, fs};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, getpid, kill_process, set_child_subreaper};

/// From now on, who loses its parent among our descendants becomes our child: so nobody gets lost.
pub(super) fn adopt_orphans() -> Result<()> {
    set_child_subreaper(Some(getpid())).context("orphans cannot be adopted")
}

/// Sends a signal; a process that is gone takes none.
pub(super) fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// A process as the system lists it.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) pid: u32,
    parent: u32,
    name: String,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.pid)
    }
}

/// All descendants of a process that are alive. One that has ended and was not waited for yet is not.
pub(super) fn descendants(root: u32) -> Vec<Listed> {
    let all = everybody();
    let mut found: Vec<Listed> = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for one in all.iter().filter(|one| one.parent == parent) {
            parents.push(one.pid);
            found.push(one.clone());
        }
    }
    found
}

/// Our own descendants.
pub(super) fn own_descendants() -> Vec<Listed> {
    descendants(std::process::id())
}

fn everybody() -> Vec<Listed> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(look)
        .collect()
}

/// `PID (NAME) STATE PARENT …`; a name may hold spaces and parentheses.
fn look(pid: u32) -> Option<Listed> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, rest) = text.rsplit_once(") ")?;
    let name = head.split_once('(')?.1.to_owned();
    let mut words = rest.split(' ');
    let state = words.next()?;
    let parent = words.next()?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(Listed { pid, parent, name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_seen_until_it_has_ended() {
        let mut child =
            std::process::Command::new("sleep").arg("60").spawn().expect("sleep is everywhere");
        let seen = |pid| own_descendants().iter().any(|one| one.pid == pid);
        assert!(seen(child.id()));
        send(child.id(), Signal::KILL);
        child.wait().expect("it is our child");
        assert!(!seen(child.id()));
    }
}
