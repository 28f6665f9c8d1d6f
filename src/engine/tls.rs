//! What can go wrong with TLS towards a backend, in words for whoever has to put it right; and which versions there are.
//!
//! Nothing here encrypts: that is done by `transport`.
//! Sources: RFC 8446 section 6 (alerts), RFC 5246 section 7.2, RFC 9110 section 4.3.4 (which name must be in a certificate).

use std::fmt;

/// Protocol versions that a worker can ask for at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Version {
    /// TLS 1.2.
    #[default]
    V12,
    /// TLS 1.3.
    V13,
}

/// Why TLS with a backend failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The certificate is for other names.
    WrongName,
    /// The certificate, or one above it, is past its end.
    Expired,
    /// The certificate, or one above it, is not valid yet.
    NotYet,
    /// No authority that the worker knows has signed the certificate.
    UnknownAuthority,
    /// The certificate is not fit for this in another way.
    Certificate,
    /// The backend asks for a certificate and got none, or refuses the one it got.
    ClientCertificate,
    /// The two have no protocol version in common.
    Version,
    /// The two have nothing else in common: cipher suites, groups, signatures.
    Incompatible,
    /// The backend has ended the connection with this alert.
    Alert(u8),
    /// What the backend sends is no TLS.
    NotTls,
    /// The backend has closed the connection during the handshake without a word.
    Silent,
    /// The connection ended without the message that says so: something may be missing.
    Truncated,
    /// What the backend sends breaks the rules of TLS.
    Broken,
}

impl Fault {
    /// The backend has refused the handshake, so it has looked at nothing that was sent behind it.
    pub fn refused(self) -> bool {
        matches!(self, Self::ClientCertificate | Self::Version | Self::Incompatible | Self::NotTls)
    }

    /// What to do, where it is known.
    pub fn advice(self) -> Option<&'static str> {
        Some(match self {
            Self::WrongName => {
                "Set host to a name in the certificate, or tls_name to the one that is to be expected."
            }
            Self::Expired => "The backend needs a new certificate, or one of the clocks is wrong.",
            Self::NotYet => "One of the clocks is wrong.",
            Self::UnknownAuthority => {
                "Name the certificate of the authority that has signed the backend's in tls_ca; the backend has to send those in between."
            }
            Self::ClientCertificate => {
                "Give the worker a certificate that the backend accepts: tls_cert and tls_key."
            }
            Self::Version => "Compare tls_min_version with what the backend offers; TLS 1.2 is the least.",
            Self::NotTls | Self::Silent => {
                "Check that the port is one for HTTPS; a backend without TLS is a worker of type http."
            }
            Self::Certificate | Self::Incompatible | Self::Alert(_) | Self::Truncated | Self::Broken => {
                return None;
            }
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongName => "TLS: the backend's certificate has the wrong name",
            Self::Expired => "TLS: the backend's certificate has expired",
            Self::NotYet => "TLS: the backend's certificate is not valid yet",
            Self::UnknownAuthority => "TLS: the backend's certificate comes from an unknown authority",
            Self::Certificate => "TLS: the backend's certificate can not be used",
            Self::ClientCertificate => {
                "TLS: the backend asks for a client certificate and has got none that it accepts"
            }
            Self::Version => "TLS: no protocol version in common",
            Self::Incompatible => "TLS: no algorithms in common",
            Self::Alert(number) => return write!(f, "TLS: the backend sent alert {number}"),
            Self::NotTls => "TLS: the backend does not speak TLS",
            Self::Silent => "TLS: the backend closed the connection during the handshake",
            Self::Truncated => "TLS: the connection ended without close_notify, so the response may be cut",
            Self::Broken => "TLS: the backend broke the protocol",
        })
    }
}
