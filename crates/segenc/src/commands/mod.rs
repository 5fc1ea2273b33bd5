//! One file per command beside `encode`.

mod automation;
pub(crate) mod backup;
pub(crate) mod doctor;
pub(crate) mod jobs;
mod live;
pub(crate) mod notifications;
pub(crate) mod plan;
pub(crate) mod presets;
pub(crate) mod restore;
pub(crate) mod serve;
pub(crate) mod settings;
pub(crate) mod shell;
pub(crate) mod top;
mod turn;
pub(crate) mod watch;
pub(crate) mod worker;
pub(crate) mod workers;
