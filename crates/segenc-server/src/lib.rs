//! The server: one coordinator that owns the pool, a store of events, a folder of blobs, gRPC for workers
//! and HTTP for bytes and operators, all on one port.
//!
//! It must not know ffmpeg: the parser of options is handed in, media are bytes. Wire, HTTP and table types
//! end inside the modules `grpc`, `http` and `store`.

mod assignment;
mod auth;
mod blobs;
mod clock;
mod config;
mod coordinator;
mod data_dir;
mod finishing;
mod grpc;
mod http;
mod incoming;
mod listener;
mod media_files;
mod page;
mod planning;
mod running;
mod shared;
mod storage;
mod store;
mod structure;
mod sweeper;
mod tls;
mod traffic;
mod turns;

pub use config::{Protection, ServerConfig, SizeAimer, SpecParser, SpecRefusal};
pub use running::{RunningServer, StartError, start};
