//! The wire: what travels between server, workers and clients, and how it becomes the core's types.
//!
//! [`grpc`] is generated from the .proto; [`convert`] turns its messages into the core's types and back;
//! [`rest`] holds the JSON bodies of the operator's interface; [`connect`] knows how to reach a server:
//! join strings, pinned certificates, HTTP and gRPC clients. Nothing here decides anything.

pub mod connect;
pub mod convert;
pub mod rest;

/// Messages and services generated from `segmented_encoder.proto`.
#[expect(
    missing_docs,
    non_camel_case_types,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::derive_partial_eq_without_eq,
    clippy::large_enum_variant,
    reason = "generated code; the .proto documents it"
)]
pub mod grpc {
    tonic::include_proto!("segmented_encoder.v1");

    /// The compiled .proto, for gRPC reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
}
