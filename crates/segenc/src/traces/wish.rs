//! Whether traces are wished, and where they go: the flag, else the variables of OpenTelemetry.

use crate::halt::Halt;

/// Where a collector takes traces, below its address.
const PATH: &str = "/v1/traces";

/// A variable that says something.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// The whole address that traces go to; `None`: nowhere.
pub(super) fn endpoint(
    flag: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<String>, Halt> {
    let says = |name: &str, word: &str| {
        variable(name).is_some_and(|value| value.eq_ignore_ascii_case(word))
    };
    if says("OTEL_SDK_DISABLED", "true") || says("OTEL_TRACES_EXPORTER", "none") {
        return Ok(None);
    }
    let flag = flag.map(str::trim).filter(|flag| !flag.is_empty());
    let exact = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").filter(|_| flag.is_none());
    let named = flag.map(str::to_owned).or_else(|| variable("OTEL_EXPORTER_OTLP_ENDPOINT"));
    let Some(address) = exact.clone().or(named) else { return Ok(None) };
    // The address may hold a password, so that it is not repeated.
    let refused = |what: &str| Halt::usage(what.to_owned()).reason("traces-refused");
    let protocol = variable("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
        .or_else(|| variable("OTEL_EXPORTER_OTLP_PROTOCOL"));
    if let Some(protocol) = protocol.filter(|protocol| protocol != "http/protobuf") {
        return Err(refused(&format!("traces cannot be sent by {protocol}")).hint(
            "OTEL_EXPORTER_OTLP_PROTOCOL can be http/protobuf; collectors take that at port 4318",
        ));
    }
    let is_web = reqwest::Url::parse(&address)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !is_web {
        return Err(refused("the address for traces is no http or https address")
            .hint("it is that of a collector, such as http://127.0.0.1:4318"));
    }
    Ok(Some(exact.unwrap_or_else(|| below(&address))))
}

/// The place for traces below a collector's address.
fn below(address: &str) -> String {
    let address = address.trim_end_matches('/');
    if address.ends_with(PATH) { address.to_owned() } else { format!("{address}{PATH}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wished(flag: Option<&str>, set: &[(&str, &str)]) -> Result<Option<String>, Halt> {
        endpoint(flag, |name| {
            set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn nothing_is_traced_unless_somebody_names_a_collector() {
        assert_eq!(wished(None, &[]).expect("fine"), None);
        let named = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318")];
        assert_eq!(wished(None, &named).expect("fine"), Some("http://c:4318/v1/traces".to_owned()));
        let off = [named[0], ("OTEL_TRACES_EXPORTER", "none")];
        assert_eq!(wished(Some("http://d:1"), &off).expect("fine"), None);
    }

    #[test]
    fn the_flag_wins_and_the_more_exact_variable_is_taken_as_it_is() {
        let named = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:9/x"),
        ];
        assert_eq!(wished(None, &named).expect("fine"), Some("http://c:9/x".to_owned()));
        let flag = wished(Some("https://d:1/"), &named).expect("fine");
        assert_eq!(flag, Some("https://d:1/v1/traces".to_owned()));
    }

    #[test]
    fn what_cannot_be_done_is_said_without_the_address() {
        let grpc = [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
        assert!(wished(Some("http://d:1"), &grpc).expect_err("grpc").to_string().contains("grpc"));
        for bad in ["d:4318", "user:secret@host", "ftp://d", "http://"] {
            let error = wished(Some(bad), &[]).expect_err(bad).to_string();
            assert!(!error.contains(bad), "{error}");
        }
    }
}
