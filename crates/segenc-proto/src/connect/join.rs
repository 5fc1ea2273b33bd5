//! Addresses and secrets as people copy them around: `https://TOKEN@HOST:PORT/sha256:FINGERPRINT`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A token. It never shows itself in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a token.
    #[must_use]
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token itself, to be sent or written to a file of its owner.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The value of an `Authorization` header.
    #[must_use]
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// SHA-256 of a server's certificate (DER).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(formatter, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// Where a server is and how to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress {
    /// `http` only on loopback or behind a proxy that the operator named.
    tls: Tls,
    /// Host and port, as in a URL.
    authority: String,
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tls {
    /// Not at all.
    Plain,
    /// By the certificate authorities of this computer.
    Public,
    /// By this very certificate.
    Pinned(Fingerprint),
}

impl ServerAddress {
    /// A server that speaks plain HTTP.
    #[must_use]
    pub fn plain(authority: impl Into<String>) -> Self {
        Self { tls: Tls::Plain, authority: authority.into() }
    }

    /// A server that shows this certificate.
    #[must_use]
    pub fn pinned(authority: impl Into<String>, fingerprint: Fingerprint) -> Self {
        Self { tls: Tls::Pinned(fingerprint), authority: authority.into() }
    }

    /// Scheme, host and port, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        match self.tls {
            Tls::Plain => format!("http://{}", self.authority),
            Tls::Public | Tls::Pinned(_) => format!("https://{}", self.authority),
        }
    }

    /// The one certificate that the server has to show, if it is named.
    #[must_use]
    pub const fn fingerprint(&self) -> Option<Fingerprint> {
        match self.tls {
            Tls::Pinned(fingerprint) => Some(fingerprint),
            Tls::Plain | Tls::Public => None,
        }
    }

    /// Host and port.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) fn tls(&self) -> Tls {
        self.tls
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.base_url())?;
        if let Tls::Pinned(fingerprint) = self.tls {
            write!(formatter, "/sha256:{fingerprint}")?;
        }
        Ok(())
    }
}

impl FromStr for ServerAddress {
    type Err = BadJoinString;

    /// Reads `http://HOST:PORT`, `https://HOST:PORT` or `https://HOST:PORT/sha256:HEX`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(BadJoinString::NoScheme)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.is_empty() || !authority.chars().all(allowed_in_authority) {
            return Err(BadJoinString::NoHost);
        }
        let tls = match (scheme, path) {
            ("http", "") => Tls::Plain,
            ("https", "") => Tls::Public,
            ("https", path) => Tls::Pinned(fingerprint(path)?),
            _ => return Err(BadJoinString::NoScheme),
        };
        Ok(Self { tls, authority: authority.to_owned() })
    }
}

/// What a worker needs to join a farm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinString {
    /// The server.
    pub server: ServerAddress,
    /// The join token, one-time or reusable.
    pub token: Secret,
}

impl JoinString {
    /// The string itself, secret included, to be shown to its owner.
    #[must_use]
    pub fn reveal(&self) -> String {
        let address = self.server.to_string();
        match address.split_once("://") {
            Some((scheme, rest)) => format!("{scheme}://{}@{rest}", self.token.reveal()),
            None => address,
        }
    }
}

impl FromStr for JoinString {
    type Err = BadJoinString;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").ok_or(BadJoinString::NoScheme)?;
        let (token, rest) = rest.split_once('@').ok_or(BadJoinString::NoToken)?;
        let token_is_plain = token.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~".contains(c));
        if token.is_empty() || !token_is_plain {
            return Err(BadJoinString::NoToken);
        }
        Ok(Self { server: format!("{scheme}://{rest}").parse()?, token: Secret::new(token) })
    }
}

/// A join string or server address that cannot be read. Never repeats the text, which holds a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadJoinString {
    /// No scheme.
    #[error("a server address begins with http:// or https://")]
    NoScheme,
    /// No token.
    #[error(
        "a join string looks like https://TOKEN@HOST:PORT/sha256:FINGERPRINT; this one has no token"
    )]
    NoToken,
    /// No host.
    #[error("the server address has no host and port")]
    NoHost,
    /// Something else than a fingerprint at the end.
    #[error("the certificate's fingerprint is not sha256: and 64 hexadecimal digits")]
    NoFingerprint,
}

fn allowed_in_authority(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._:[]%".contains(c)
}

fn fingerprint(path: &str) -> Result<Fingerprint, BadJoinString> {
    let digits = path
        .trim_end_matches('/')
        .strip_prefix("sha256:")
        .filter(|digits| digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
        .ok_or(BadJoinString::NoFingerprint)?;
    let mut bytes = [0_u8; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = std::str::from_utf8(pair)
            .ok()
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
            .ok_or(BadJoinString::NoFingerprint)?;
    }
    Ok(Fingerprint(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_join_string_survives_the_way_over_paper() {
        let join = JoinString {
            server: ServerAddress::pinned("10.0.0.5:8642", Fingerprint([0xab; 32])),
            token: Secret::new("abc-DEF_1"),
        };
        assert_eq!(join.reveal().parse(), Ok(join.clone()));
        assert!(join.reveal().starts_with("https://abc-DEF_1@10.0.0.5:8642/sha256:abab"));
    }

    #[test]
    fn what_is_no_join_string_says_why() {
        for (text, why) in [
            ("", BadJoinString::NoScheme),
            ("10.0.0.5:8642", BadJoinString::NoScheme),
            ("http://10.0.0.5:8642", BadJoinString::NoToken),
            ("http://@10.0.0.5:8642", BadJoinString::NoToken),
            ("http://t@", BadJoinString::NoHost),
            ("ftp://t@host:1", BadJoinString::NoScheme),
            ("https://t@host:1/sha256:12", BadJoinString::NoFingerprint),
        ] {
            assert_eq!(text.parse::<JoinString>(), Err(why), "{text}");
        }
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        assert_eq!(format!("{:?}", Secret::new("hush")), "Secret(…)");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,120}") {
            let _ = text.parse::<JoinString>();
            let _ = text.parse::<ServerAddress>();
        }
    }
}
