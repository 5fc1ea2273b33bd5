//! Readers of what programs and servers send, opened for the fuzz targets alone. No part of the interface, and only
//! there with the feature `fuzzing`.

pub use crate::source_cache::fuzzing::{range, records};
