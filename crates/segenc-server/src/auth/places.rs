//! Where passkeys work: the addresses of the page as the server was started with, never what a request says.
//!
//! A passkey belongs to a name. Browsers make and use one only on a page that was reached by this name over TLS, or
//! on `localhost`; at an address of numbers they refuse.

use std::net::{IpAddr, SocketAddr};

use crate::config::Protection;

/// The port that browsers leave out of an address with TLS.
const TLS_PORT: &str = "443";
/// The same without TLS.
const PLAIN_PORT: u16 = 80;
/// What browsers trust without TLS, because it never leaves the computer.
const LOCALHOST: &str = "localhost";

/// An address of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// As a browser calls it: scheme, name and port.
    pub(super) origin: String,
    /// The name alone, which passkeys belong to: WebAuthn's id of the relying party.
    pub(super) name: String,
}

/// All addresses of the page at which passkeys work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Places(Vec<Place>);

impl Places {
    /// Those of a server that listens at `address`, and is known to others as `authority` (`HOST:PORT`).
    pub(crate) fn of(protection: Protection, authority: &str, address: SocketAddr) -> Self {
        let is_local = address.ip().is_loopback();
        let own = is_local.then(|| Place {
            origin: match address.port() {
                PLAIN_PORT => format!("http://{LOCALHOST}"),
                port => format!("http://{LOCALHOST}:{port}"),
            },
            name: LOCALHOST.to_owned(),
        });
        let named = match protection {
            // It speaks TLS itself, unless only this computer hears it.
            Protection::Automatic => (!is_local).then(|| with_tls(authority)).flatten(),
            Protection::PlainBehindProxy => with_tls(authority),
        };
        Self(named.into_iter().chain(own).collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Place> {
        self.0.iter()
    }

    /// The one that a browser calls so.
    pub(super) fn find(&self, origin: &str) -> Option<&Place> {
        self.0.iter().find(|place| place.origin == origin)
    }
}

fn with_tls(authority: &str) -> Option<Place> {
    let authority = authority.to_ascii_lowercase();
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') => (name, Some(port)),
        _ => (authority.as_str(), None),
    };
    let is_name = name.bytes().any(|byte| byte.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        && name.parse::<IpAddr>().is_err();
    let origin = match port {
        None | Some(TLS_PORT) => format!("https://{name}"),
        Some(port) => format!("https://{name}:{port}"),
    };
    is_name.then(|| Place { origin, name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(protection: Protection, authority: &str, address: &str) -> Vec<String> {
        let address = address.parse().expect("an address");
        let places = Places::of(protection, authority, address);
        places.iter().map(|place| place.origin.clone()).collect()
    }

    #[test]
    fn a_server_of_this_computer_alone_is_called_localhost() {
        let local = |address| origins(Protection::Automatic, address, address);
        assert_eq!(local("127.0.0.1:8642"), ["http://localhost:8642"]);
        assert_eq!(local("[::1]:80"), ["http://localhost"]);
    }

    #[test]
    fn behind_a_proxy_the_advertised_name_counts() {
        let behind = |authority| {
            origins(Protection::PlainBehindProxy, authority, "127.0.0.1:8642")
                .into_iter()
                .filter(|origin| origin != "http://localhost:8642")
                .collect::<Vec<_>>()
        };
        assert_eq!(behind("Farm.example.org:443"), ["https://farm.example.org"]);
        assert_eq!(behind("farm.example.org"), ["https://farm.example.org"]);
        assert_eq!(behind("farm:8443"), ["https://farm:8443"]);
        assert!(behind("192.168.1.10:443").is_empty());
    }

    #[test]
    fn numbers_are_no_name() {
        let open = |authority| origins(Protection::Automatic, authority, "0.0.0.0:8642");
        assert!(open("192.168.1.10:8642").is_empty());
        assert!(open("[2001:db8::1]:8642").is_empty());
        assert!(open("2001:db8::1").is_empty());
        assert_eq!(open("farm.local:8642"), ["https://farm.local:8642"]);
    }

    #[test]
    fn only_the_whole_address_is_found() {
        let address = "127.0.0.1:8642".parse().expect("an address");
        let places = Places::of(Protection::Automatic, "127.0.0.1:8642", address);
        assert!(places.find("http://localhost:8642").is_some());
        for other in ["http://localhost", "https://localhost:8642", "http://localhost:8643", "null"]
        {
            assert!(places.find(other).is_none(), "{other}");
        }
    }
}
