//! One file per command beside `encode`.

pub(crate) mod doctor;
pub(crate) mod jobs;
pub(crate) mod plan;
pub(crate) mod presets;
pub(crate) mod serve;
pub(crate) mod settings;
pub(crate) mod shell;
mod turn;
pub(crate) mod worker;
pub(crate) mod workers;
