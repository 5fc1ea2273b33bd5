//! Joining the farm, and coming back to it: from a join string or a kept identity to a session.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use segenc_proto::connect::{JoinString, Secret};
use segenc_proto::grpc;
use tonic::Code;

use crate::ServerFiles;
use crate::backoff::Backoff;
use crate::error::WorkerError;
use crate::identity::{self, Identity};
use crate::server::{CallError, Server, Session};
use crate::shared_files;

/// The first pause after the server could not be reached.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
/// The longest: a farm is at work again this long after its server came back.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// A server that names no lease, or an absurd one, is taken to mean this.
const LEASE_DEFAULT: Duration = Duration::from_secs(10);
/// No lease is longer than a frozen machine may be waited for.
const LEASE_MAX: Duration = Duration::from_secs(300);

/// What registering takes.
#[derive(Debug)]
pub(crate) struct Registration<'a> {
    /// The server.
    pub(crate) server: &'a Arc<Server>,
    /// Its address and the join token.
    pub(crate) join: &'a JoinString,
    /// Where the identity is kept.
    pub(crate) identity: &'a Path,
    /// What the server is told.
    pub(crate) profile: &'a grpc::RegistrationRequest,
    /// Whether the server's files may be opened directly.
    pub(crate) server_files: ServerFiles,
}

impl Registration<'_> {
    /// Registers, waiting for a server that cannot be reached.
    pub(crate) async fn register(&self) -> Result<Session, WorkerError> {
        let kept = identity::load(self.identity, &self.join.server)?;
        if let Some(identity) = kept {
            match self.call(&identity.token).await {
                Ok(response) => return self.session(response, Some(identity.token)).await,
                Err(CallError::NotKnown(why) | CallError::Refused(Code::NotFound, why)) => {
                    tracing::warn!(
                        why,
                        "the server does not know this worker any more; joining anew"
                    );
                }
                Err(error) => return Err(self.refused(error)),
            }
        }
        match self.call(&self.join.token).await {
            Ok(response) => self.session(response, None).await,
            Err(
                CallError::NotKnown(reason) | CallError::Refused(Code::PermissionDenied, reason),
            ) => Err(WorkerError::JoinRefused { server: self.join.server.base_url(), reason }),
            Err(error) => Err(self.refused(error)),
        }
    }

    /// Calls until the server answers.
    async fn call(&self, token: &Secret) -> Result<grpc::RegistrationResponse, CallError> {
        let mut backoff = Backoff::new(PAUSE_FIRST, PAUSE_MAX);
        loop {
            match self.server.register(token, self.profile.clone()).await {
                Err(CallError::Unreachable(_)) => backoff.pause().await,
                answered => return answered,
            }
        }
    }

    async fn session(
        &self,
        response: grpc::RegistrationResponse,
        own: Option<Secret>,
    ) -> Result<Session, WorkerError> {
        let fresh = (!response.token.is_empty()).then(|| Secret::new(response.token));
        let token = match (fresh, own) {
            (Some(token), _) => {
                let identity = Identity { worker: response.worker_id, token: token.clone() };
                identity::store(self.identity, &self.join.server, &identity)?;
                token
            }
            (None, Some(token)) => token,
            (None, None) => {
                return Err(WorkerError::Refused {
                    server: self.join.server.base_url(),
                    reason: "it gave no token for the worker".to_owned(),
                });
            }
        };
        let lease = match Duration::from_millis(response.lease_millis.into()) {
            Duration::ZERO => LEASE_DEFAULT,
            lease => lease.min(LEASE_MAX),
        };
        let sees_files = match (self.server_files, response.shared_files) {
            (ServerFiles::Use, Some(proof)) => {
                let read = tokio::task::spawn_blocking(move || shared_files::proven(&proof));
                read.await.unwrap_or(false)
            }
            (ServerFiles::Use, None) | (ServerFiles::Fetch, _) => false,
        };
        tracing::info!(
            worker = response.worker_id,
            name = response.name,
            server = %self.join.server,
            sees_files,
            "registered"
        );
        Ok(Session::new(Arc::clone(self.server), token, lease, sees_files))
    }

    fn refused(&self, error: CallError) -> WorkerError {
        let server = self.join.server.base_url();
        match error {
            CallError::OtherCertificate => WorkerError::OtherCertificate { server },
            CallError::NotKnown(reason)
            | CallError::Refused(_, reason)
            | CallError::Unreachable(reason) => WorkerError::Refused { server, reason },
        }
    }
}
