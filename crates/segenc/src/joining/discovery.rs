//! Servers in the local network make themselves known (DNS-SD over multicast DNS), and workers look for them.
//!
//! What is announced is believed by nobody: whoever answers has to pass the pairing.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use mdns_sd::{ResolvedService, ServiceDaemon, ServiceEvent, ServiceInfo};
use segenc_proto::connect::{Fingerprint, ServerAddress};

/// What servers are called among the services of a network.
const SERVICE: &str = "_segenc._tcp.local.";
/// The name of the text that holds the certificate's fingerprint.
const FINGERPRINT: &str = "sha256";
/// Answers come within a second; a busy wireless network loses some, and the question is repeated after another.
const LOOK_FOR: Duration = Duration::from_secs(3);
/// A list of more than this is somebody's joke.
const SERVERS_MAX: usize = 32;
/// So much of a fingerprint tells servers apart in names.
const SHORT_CHARS: usize = 8;

/// A server that makes itself known until this is dropped.
pub(crate) struct Announcement {
    daemon: ServiceDaemon,
    name: String,
}

impl Announcement {
    /// Makes a server known; `None` where nobody else could reach it or know it by its certificate.
    pub(crate) fn of(server: &ServerAddress, listening: SocketAddr) -> Option<Self> {
        let fingerprint = server.fingerprint()?;
        if listening.ip().is_loopback() {
            return None;
        }
        match Self::begin(fingerprint, listening) {
            Ok(announcement) => Some(announcement),
            Err(error) => {
                tracing::warn!(%error, "the server cannot make itself known in the network");
                None
            }
        }
    }

    fn begin(fingerprint: Fingerprint, listening: SocketAddr) -> Result<Self, mdns_sd::Error> {
        let text = fingerprint.to_string();
        let short = &text[..SHORT_CHARS];
        let computer = sysinfo::System::host_name().unwrap_or_else(|| "segenc".to_owned());
        // A host name of its own, so that it is not in the way of the computer's, which others announce.
        let host = format!("segenc-{short}.local.");
        let name = format!("{computer} {short}");
        let texts = [(FINGERPRINT, text.as_str())];
        let port = listening.port();
        let info = if listening.ip().is_unspecified() {
            ServiceInfo::new(SERVICE, &name, &host, "", port, &texts[..])?.enable_addr_auto()
        } else {
            ServiceInfo::new(SERVICE, &name, &host, listening.ip(), port, &texts[..])?
        };
        let daemon = ServiceDaemon::new()?;
        let name = info.get_fullname().to_owned();
        daemon.register(info)?;
        Ok(Self { daemon, name })
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // Saying good-bye is polite; without it the name is forgotten after two minutes.
        if let Ok(gone) = self.daemon.unregister(&self.name) {
            let _ = gone.recv_timeout(Duration::from_millis(200));
        }
        let _ = self.daemon.shutdown();
    }
}

/// A server that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    name: String,
    /// Where it may be reached, the likeliest first.
    pub(super) authorities: Vec<String>,
    /// What its certificate should be.
    pub(super) fingerprint: Fingerprint,
}

impl fmt::Display for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.authorities.first().map_or("an unknown address", String::as_str);
        write!(formatter, "{} at {at}", self.name)
    }
}

/// Looks for servers for some seconds.
pub(super) async fn find() -> anyhow::Result<Vec<Found>> {
    tokio::task::spawn_blocking(look).await?.context("looking for servers in this network failed")
}

fn look() -> Result<Vec<Found>, mdns_sd::Error> {
    let daemon = ServiceDaemon::new()?;
    let events = daemon.browse(SERVICE)?;
    let until = Instant::now() + LOOK_FOR;
    let mut servers: Vec<Found> = Vec::new();
    while servers.len() < SERVERS_MAX {
        let left = until.saturating_duration_since(Instant::now());
        let Ok(event) = events.recv_timeout(left) else { break };
        if let ServiceEvent::ServiceResolved(service) = event
            && let Some(server) = read(&service)
        {
            // The same server comes once for each of its networks; the later one knows more addresses.
            servers.retain(|known| known.fingerprint != server.fingerprint);
            servers.push(server);
        }
    }
    let _ = daemon.shutdown();
    servers.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(servers)
}

fn read(service: &ResolvedService) -> Option<Found> {
    let text = service.get_property_val_str(FINGERPRINT)?;
    let name = service.get_fullname().strip_suffix(SERVICE)?.trim_end_matches('.');
    // Names come from anywhere and are shown to a person.
    let name = name.chars().filter(|c| !c.is_control()).take(80).collect();
    let addresses = service.get_addresses().iter().map(mdns_sd::ScopedIp::to_ip_addr);
    found(name, text, addresses, service.get_port())
}

fn found(
    name: String,
    fingerprint: &str,
    addresses: impl Iterator<Item = IpAddr>,
    port: u16,
) -> Option<Found> {
    let mut addresses: Vec<IpAddr> = addresses.filter(|address| !is_local(address)).collect();
    addresses.sort_by_key(|address| (address.is_ipv6(), *address));
    let authorities: Vec<String> =
        addresses.into_iter().map(|address| SocketAddr::new(address, port).to_string()).collect();
    let address: ServerAddress =
        format!("https://{}/sha256:{fingerprint}", authorities.first()?).parse().ok()?;
    Some(Found { name, fingerprint: address.fingerprint()?, authorities })
}

/// Addresses that mean another place on every computer, or need to be told which network is meant.
fn is_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_unspecified(),
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unspecified() || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_announced_is_read_with_care() {
        let addresses = ["fe80::1", "fd00::2", "192.0.2.2", "127.0.0.1"];
        let addresses = || addresses.iter().map(|text| text.parse().expect("an address"));
        let fingerprint = "ab".repeat(32);
        let server = found("vm".to_owned(), &fingerprint, addresses(), 8642).expect("a server");
        assert_eq!(server.authorities, ["192.0.2.2:8642", "[fd00::2]:8642"]);
        assert_eq!(server.fingerprint, Fingerprint([0xab; 32]));
        assert_eq!(found("vm".to_owned(), "abab", addresses(), 8642), None);
        assert_eq!(found("vm".to_owned(), &fingerprint, std::iter::empty(), 8642), None);
    }
}
