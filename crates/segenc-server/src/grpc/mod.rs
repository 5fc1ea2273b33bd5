//! The workers' interface: control only. Messages become commands here and end here.

mod presence;
mod service;

use std::sync::Arc;

use axum::Router;
use segenc_proto::grpc;
use segenc_proto::grpc::segmented_encoder_server::SegmentedEncoderServer;
use tonic::service::Routes;

use crate::shared::Shared;

/// A batch of packets is about 300 KB; a report has a log of 64 KiB at most.
const MESSAGE_MAX_BYTES: usize = 4 * 1024 * 1024;

/// The compiled description of our service cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("gRPC reflection cannot be set up")]
pub(crate) struct ReflectionError(#[from] tonic_reflection::server::Error);

/// The service with health checking and reflection.
pub(crate) async fn router(shared: Arc<Shared>) -> Result<Router, ReflectionError> {
    let encoder = SegmentedEncoderServer::new(service::Service::new(shared))
        .max_decoding_message_size(MESSAGE_MAX_BYTES);
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<SegmentedEncoderServer<service::Service>>().await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(grpc::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let mut routes = Routes::default();
    routes = routes
        .add_service(encoder)
        .add_service(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    // Two routers with a fallback cannot be merged: ours answers what nobody knows.
    Ok(routes.into_axum_router().reset_fallback())
}
