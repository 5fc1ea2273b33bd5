//! The pool's rules as facts, on a bench that checks the invariants after every command.

mod agreement;
mod attempts;
mod backups;
mod bench;
mod failures;
mod handing_out;
mod jobs;
mod leases;
mod mismatches;
mod plan;
mod properties;
mod rate;
mod workers;
