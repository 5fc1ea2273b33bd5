//! Tells by HTTP: a signed JSON body, sent nowhere where only this computer is trusted.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use sha2::Sha256;
use thiserror::Error;

use crate::auth::hex;

/// A receiver that takes longer than this is not there.
const PATIENCE: Duration = Duration::from_secs(10);
/// An address is no longer.
const URL_BYTES_MAX: usize = 2_000;

/// Addresses at which clouds tell a machine its own secrets, beside the link-local ones.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(std::net::Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(std::net::Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// Whether addresses that lead to the machine's own secrets may be told something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LinkLocal {
    /// They may not.
    #[default]
    Refuse,
    /// They may: the operator of the server says so in its settings file.
    Allow,
}

/// Why an address cannot be told anything.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum BadAddress {
    #[error("it is no http or https address")]
    NoAddress,
    #[error("it leads to this machine's own network, where nothing is sent")]
    Forbidden,
}

/// Why a message did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failed {
    /// It may arrive later.
    ForNow(String),
    /// It will not.
    ForGood(String),
}

/// What sends.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    client: Result<reqwest::Client, String>,
    link_local: LinkLocal,
}

impl Sender {
    pub(super) fn new(link_local: LinkLocal) -> Self {
        let client = segenc_proto::connect::public_client_builder()
            .map_err(|error| error.to_string())
            .and_then(|builder| {
                builder
                    .redirect(Policy::none())
                    .no_proxy()
                    .timeout(PATIENCE)
                    .user_agent(concat!("segenc/", env!("CARGO_PKG_VERSION")))
                    .dns_resolver(std::sync::Arc::new(Guarded(link_local)))
                    .build()
                    .map_err(|error| error.without_url().to_string())
            });
        Self { client, link_local }
    }

    /// Sends a body to an address that was checked.
    pub(super) async fn send(
        &self,
        url: &str,
        secret: Option<&str>,
        event: &str,
        delivery: u64,
        body: String,
    ) -> Result<(), Failed> {
        let url =
            check(url, self.link_local).map_err(|error| Failed::ForGood(error.to_string()))?;
        let client = self.client.as_ref().map_err(|error| Failed::ForNow(error.clone()))?;
        let mut request = client
            .post(url)
            .header("content-type", "application/json")
            .header("x-segenc-event", event)
            .header("x-segenc-delivery", delivery.to_string());
        if let Some(secret) = secret {
            request = request.header("x-segenc-signature", signature(secret, body.as_bytes()));
        }
        // The address may hold a password: no text of an error repeats it.
        let answer = request.body(body).send().await;
        let answer = answer.map_err(|error| Failed::ForNow(told(&error.without_url())))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let text = format!("it answered {status}");
        // Too many, too early, and a server's own faults pass; what is wrong with us does not.
        let passes = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
        Err(if passes { Failed::ForNow(text) } else { Failed::ForGood(text) })
    }
}

/// An error with what is behind it, once.
fn told(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text
}

/// `sha256=` and the HMAC-SHA256 of the body, in hex.
fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(body);
    let digest: [u8; 32] = mac.finalize().into_bytes().into();
    format!("sha256={}", hex(&digest))
}

/// Reads an address, and refuses where it can be seen already that it leads to a forbidden place.
pub(crate) fn check(text: &str, link_local: LinkLocal) -> Result<Url, BadAddress> {
    if text.len() > URL_BYTES_MAX {
        return Err(BadAddress::NoAddress);
    }
    let url = Url::parse(text).map_err(|_| BadAddress::NoAddress)?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(BadAddress::NoAddress)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(BadAddress::NoAddress);
    }
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if literal.is_ok_and(|address| !may_be_told(address, link_local)) {
        return Err(BadAddress::Forbidden);
    }
    Ok(url)
}

/// Scheme and host: all of an address that is no secret.
pub(crate) fn shown(text: &str) -> String {
    let url = Url::parse(text).ok();
    let told = url.as_ref().and_then(|url| Some((url.scheme(), url.host_str()?)));
    told.map_or_else(String::new, |(scheme, host)| format!("{scheme}://{host}/…"))
}

/// Whether something may be sent to this place.
fn may_be_told(address: IpAddr, link_local: LinkLocal) -> bool {
    let address = address.to_canonical();
    let meaningless = address.is_unspecified() || address.is_multicast();
    let own = match address {
        IpAddr::V4(four) => four.is_link_local() || four.is_broadcast(),
        IpAddr::V6(six) => six.is_unicast_link_local(),
    };
    match link_local {
        LinkLocal::Allow => !meaningless,
        LinkLocal::Refuse => !meaningless && !own && !METADATA.contains(&address),
    }
}

/// Looks names up and leaves out forbidden places, so that a name that changes its meaning leads nowhere either.
struct Guarded(LinkLocal);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let link_local = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> =
                found.filter(|place| may_be_told(place.ip(), link_local)).collect();
            if allowed.is_empty() {
                return Err(Box::from(BadAddress::Forbidden));
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_sent_to_the_machines_own_secrets() {
        for url in [
            "http://169.254.169.254/latest/meta-data/",
            "http://[fe80::1]/",
            "http://[::ffff:169.254.169.254]/",
            "http://[fd00:ec2::254]/",
            "http://100.100.100.200/",
            "http://0.0.0.0/",
            "http://2852039166/",
            "http://0xa9.0xfe.0xa9.0xfe/",
        ] {
            assert_eq!(check(url, LinkLocal::Refuse), Err(BadAddress::Forbidden), "{url}");
        }
        assert!(check("http://169.254.169.254/", LinkLocal::Allow).is_ok());
        for url in ["file:///etc/passwd", "ftp://a/", "a", "", "gopher://x"] {
            assert_eq!(check(url, LinkLocal::Allow), Err(BadAddress::NoAddress), "{url}");
        }
        for url in ["https://example.org/x?y", "http://192.168.1.2:8080/hook", "http://[::1]/"] {
            assert!(check(url, LinkLocal::Refuse).is_ok(), "{url}");
        }
    }

    #[test]
    fn an_address_is_shown_without_what_may_be_its_password() {
        assert_eq!(
            shown("https://user:word@hooks.example.org/T0/B0/secret?k=1"),
            "https://hooks.example.org/…"
        );
    }

    /// The case of RFC 4231, 4.3.
    #[test]
    fn bodies_are_signed_as_everybody_signs_them() {
        assert_eq!(
            signature("Jefe", b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
