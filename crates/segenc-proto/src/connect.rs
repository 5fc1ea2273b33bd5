//! How to reach a server: join strings, pinned certificates, HTTP and gRPC clients.

mod join;
mod pinned;

pub use join::{BadJoinString, Fingerprint, JoinString, Secret, ServerAddress};
pub use pinned::{ConnectError, grpc_channel, http_client, install_crypto_provider};
