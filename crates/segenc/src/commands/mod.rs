//! One file per command beside `encode`.

pub(crate) mod jobs;
pub(crate) mod plan;
pub(crate) mod serve;
pub(crate) mod settings;
pub(crate) mod shell;
pub(crate) mod worker;
pub(crate) mod workers;
