//! How to reach a server: join strings, pinned certificates, HTTP and gRPC clients.

mod join;
pub mod pairing;
mod pinned;

pub use join::{BadJoinString, Fingerprint, JoinString, Secret, ServerAddress};
pub use pinned::{
    ConnectError, certificate_of, grpc_channel, http_client, install_crypto_provider,
    public_client_builder,
};
