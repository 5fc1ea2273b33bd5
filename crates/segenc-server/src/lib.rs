//! The server: one coordinator that owns the pool, a store of events, a folder of blobs, gRPC for workers
//! and HTTP for bytes and operators, all on one port.
//!
//! It must not know ffmpeg: the parser of options is handed in, media are bytes. Wire, HTTP and table types
//! end inside the modules `grpc`, `http` and `store`.

mod assignment;
mod auth;
mod backup;
mod blobs;
mod clock;
mod config;
mod coordinator;
mod data_dir;
mod finishing;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod grpc;
mod http;
mod incoming;
mod journal;
mod listener;
mod media_files;
mod metrics;
mod notes;
mod notify;
mod page;
mod planning;
mod presets;
mod running;
mod shared;
mod storage;
mod store;
mod structure;
mod sweeper;
mod thumbnails;
mod tls;
mod traces;
mod traffic;
mod turns;
mod watch;

pub use backup::{BackupError, Contents, Done, back_up, restore};
pub use config::{
    Automation, Hook, HookRunner, Protection, ServerConfig, SizeAimer, SpecParser, SpecRefusal,
};
pub use notify::{LinkLocal, MailProtection, MailServer};
pub use running::{RunningServer, StartError, start};
pub use traces::{EndedSpan, SpanSink, SpanValue};
