//! Runs the simulator over many seeds and says how fast, or replays one of them.

use anyhow::Result;

/// Runs `seeds` seeds, or the one given.
pub(crate) fn run(_seeds: u64, _seed: Option<u64>) -> Result<()> {
    anyhow::bail!("the simulator is not connected yet")
}
