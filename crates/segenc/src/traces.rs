//! Traces by OpenTelemetry: spans of server and workers on their way to a collector, by OTLP over HTTP.
//!
//! The only place that knows OpenTelemetry. Without an endpoint nothing of it runs. Nothing ever waits for it: what the
//! collector does not take is lost, and said once.

mod post;
mod wish;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
    TracerProvider as _,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue, Value};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, Config, SamplingDecision, SdkTracerProvider, ShouldSample, Span, SpanData,
    SpanEvents, SpanLinks, SpanProcessor,
};
use segenc_media::spans::{TARGET, WORK};
use segenc_server::{EndedSpan, SpanSink, SpanValue};
use segenc_worker::JoinTrace;
use tokio::runtime::Handle;
use tracing::Metadata;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::{self, Layer};

use crate::halt::Halt;
use post::Post;

/// At the end of the program the last spans get this long to reach the collector.
const FINISH_TIMEOUT: Duration = Duration::from_secs(3);

static TRACES: OnceLock<Traces> = OnceLock::new();

/// What runs while traces are sent.
#[derive(Debug)]
struct Traces {
    queue: Queue,
    sampler: Box<dyn ShouldSample>,
    scope: InstrumentationScope,
}

/// Catches the worker's spans.
pub(crate) type Traced = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts to send traces, if the flag or the variables of OpenTelemetry name a collector.
pub(crate) fn start(
    service: &'static str,
    flag: Option<&str>,
    runtime: &Handle,
) -> anyhow::Result<Option<Traced>> {
    let Some(endpoint) = wish::endpoint(flag, wish::variable)? else { return Ok(None) };
    let exporter = SpanExporter::builder().with_http().with_http_client(Post::new(runtime)?);
    let exporter = exporter.with_endpoint(endpoint).build().map_err(|error| {
        Halt::usage("traces cannot be sent with these OTEL variables")
            .reason("traces-refused")
            .because(error)
    })?;
    let mut processor = BatchSpanProcessor::builder(exporter).build();
    let resource = resource(service);
    processor.set_resource(&resource);
    let queue = Queue(Arc::new(processor));
    // The tracer keeps it.
    let provider = SdkTracerProvider::builder()
        .with_span_processor(queue.clone())
        .with_resource(resource)
        .build();
    let scope = InstrumentationScope::builder("segenc").with_version(env!("CARGO_PKG_VERSION"));
    let scope = scope.build();
    let tracer = provider.tracer_with_scope(scope.clone());
    if TRACES.set(Traces { queue, sampler: Config::default().sampler, scope }).is_err() {
        return Ok(None);
    }
    let layer = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false);
    Ok(Some(layer.with_filter(dynamic_filter_fn(is_part_of_a_trace)).boxed()))
}

/// A part of an attempt belongs to the trace that the attempt's span has joined; without one it belongs to nothing.
fn is_part_of_a_trace(what: &Metadata<'_>, context: &layer::Context<'_, Registry>) -> bool {
    let ours = |what: &Metadata<'_>| what.is_span() && what.target() == TARGET;
    let inside = || context.lookup_current().is_some_and(|around| ours(around.metadata()));
    ours(what) && (what.name() == WORK || inside())
}

/// Who takes the server's spans, if somebody does.
pub(crate) fn sink() -> Option<SpanSink> {
    TRACES.get().map(|_| SpanSink { wants, take })
}

/// What joins the worker's spans to the server's traces, if they are sent.
pub(crate) fn join() -> Option<JoinTrace> {
    TRACES.get().map(|_| join_trace as JoinTrace)
}

/// Sends what is left, for a moment. The program ends anyway.
pub(crate) fn finish() {
    if let Some(traces) = TRACES.get()
        && let Err(error) = traces.queue.0.shutdown_with_timeout(FINISH_TIMEOUT)
    {
        tracing::debug!(%error, "the last spans did not reach the collector");
    }
}

/// What this process is called; variables of OpenTelemetry win.
fn resource(service: &'static str) -> Resource {
    let named = wish::variable("OTEL_SERVICE_NAME").is_some()
        || wish::variable("OTEL_RESOURCE_ATTRIBUTES")
            .is_some_and(|attributes| attributes.contains("service.name="));
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_attribute(version);
    if named { resource.build() } else { resource.with_service_name(service).build() }
}

fn wants(trace: [u8; 16]) -> bool {
    let Some(traces) = TRACES.get() else { return false };
    let trace = TraceId::from_bytes(trace);
    let result = traces.sampler.should_sample(None, trace, "job", &SpanKind::Internal, &[], &[]);
    result.decision == SamplingDecision::RecordAndSample
}

fn take(span: EndedSpan) {
    if let Some(traces) = TRACES.get() {
        traces.queue.0.on_end(data(span, traces.scope.clone()));
    }
}

fn data(span: EndedSpan, scope: InstrumentationScope) -> SpanData {
    let time = |millis: u64| -> SystemTime { UNIX_EPOCH + Duration::from_millis(millis) };
    let value = |value: SpanValue| match value {
        SpanValue::Text(text) => Value::from(text),
        SpanValue::Number(number) => Value::from(i64::try_from(number).unwrap_or(i64::MAX)),
        SpanValue::Flag(flag) => Value::from(flag),
    };
    let mut attributes: Vec<KeyValue> =
        span.attributes.into_iter().map(|(name, what)| KeyValue::new(name, value(what))).collect();
    let status = match span.error {
        Some(reason) => {
            attributes.push(KeyValue::new("error.type", reason.clone()));
            Status::error(reason)
        }
        None => Status::Unset,
    };
    SpanData {
        span_context: SpanContext::new(
            TraceId::from_bytes(span.trace),
            SpanId::from_bytes(span.id),
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        ),
        parent_span_id: span.parent.map_or(SpanId::INVALID, SpanId::from_bytes),
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: span.name.into(),
        start_time: time(span.began),
        end_time: time(span.ended),
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status,
        instrumentation_scope: scope,
    }
}

fn join_trace(span: &tracing::Span, traceparent: &str) {
    // A span that nobody records joins nothing, which is as good.
    if let Some(parent) = read(traceparent)
        && span.set_parent(Context::new().with_remote_span_context(parent)).is_err()
    {
        tracing::debug!("the span of an attempt cannot be joined to its trace");
    }
}

/// Reads `00-TRACE-SPAN-FLAGS`. Later versions may append more, which means nothing here.
fn read(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let (span, flags) = (parts.next()?, parts.next()?);
    let right = version.len() == 2 && version != "ff" && trace.len() == 32 && span.len() == 16;
    let flags = u8::from_str_radix(flags, 16).ok().filter(|_| right)?;
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(flags & TraceFlags::SAMPLED.to_u8()),
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

/// The one queue that the server's and the worker's spans go through.
#[derive(Debug, Clone)]
struct Queue(Arc<BatchSpanProcessor>);

impl SpanProcessor for Queue {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.0.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        self.0.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_trace_is_read_and_nonsense_is_none() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let context = read(&format!("00-{trace}-00f067aa0ba902b7-01")).expect("it is right");
        assert_eq!(context.trace_id().to_string(), trace);
        assert!(context.is_sampled() && context.is_remote());
        assert!(!read(&format!("00-{trace}-00f067aa0ba902b7-00")).expect("right").is_sampled());
        for bad in [
            String::new(),
            format!("00-{trace}"),
            format!("ff-{trace}-00f067aa0ba902b7-01"),
            format!("00-{trace}-0000000000000000-01"),
            format!("00-{trace}-00f067aa0ba902b7-xx"),
            format!("00-{trace}00-00f067aa0ba902b7-01"),
        ] {
            assert!(read(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_failed_span_bears_its_reason() {
        let span = EndedSpan {
            trace: [1; 16],
            id: [2; 8],
            parent: None,
            name: "attempt",
            began: 1_000,
            ended: 2_500,
            attributes: vec![("segenc.job", SpanValue::Number(7))],
            error: Some("encoder-failed".to_owned()),
        };
        let data = data(span, InstrumentationScope::default());
        assert_eq!(data.status, Status::error("encoder-failed"));
        assert_eq!(data.parent_span_id, SpanId::INVALID);
        let took = data.end_time.duration_since(data.start_time).expect("it ends later");
        assert_eq!(took, Duration::from_millis(1_500));
        assert_eq!(data.attributes.len(), 2);
    }
}
