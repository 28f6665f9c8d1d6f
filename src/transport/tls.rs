//! The TLS settings of a worker: made from PEM text once, shared by all its connections, and with them the tickets that save
//! full handshakes.
//!
//! The memory of tickets belongs to the settings: each process has its own, as it is made before httpd forks. No file is read
//! here. Cryptography is that of `ring`; the module brings no OpenSSL into a process that has one already.
//! Sources: RFC 8446; RFC 6066 section 3 (server name); RFC 7301 (protocol names); RFC 5280 and 9525 (what is verified).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientSessionMemoryCache, ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error,
    InconsistentKeys, RootCertStore, SignatureScheme, SupportedProtocolVersion,
};

use crate::engine::tls::{Fault, Version};

/// Tickets kept for one worker in one process: some for each connection that is opened at one time.
const TICKETS: usize = 256;

/// What a worker says about TLS; texts are PEM.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    /// Name or IP address that the certificate must have, and that is asked for.
    pub name: &'a str,
    /// Certificates of authorities.
    pub authorities: &'a [u8],
    /// These are those of the system: what can not be read of them is passed over.
    pub lenient: bool,
    /// Certificate with its chain, and key, for backends that ask who comes.
    pub identity: Option<(&'a [u8], &'a [u8])>,
    /// Who answers is checked.
    pub verify: bool,
    /// Least protocol version.
    pub least: Version,
}

/// Which setting is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The name.
    Name,
    /// The authorities.
    Authorities,
    /// The own certificate.
    Certificate,
    /// Its key.
    Key,
}

/// Settings that were found good.
pub struct Client {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    asked: Arc<AtomicBool>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Client {
    /// Checks and takes over settings.
    ///
    /// # Errors
    /// What is wrong, and with which of them; nothing of a key is shown.
    pub fn new(settings: &Settings<'_>) -> Result<Self, (Part, String)> {
        let name = ServerName::try_from(settings.name.to_owned())
            .map_err(|_| (Part::Name, "neither a host name nor an IP address".to_owned()))?;
        let provider = Arc::new(ring::default_provider());
        let versions: &[&SupportedProtocolVersion] = match settings.least {
            Version::V12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
            Version::V13 => &[&rustls::version::TLS13],
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(|error| (Part::Name, error.to_string()))?;
        let builder = if settings.verify {
            builder.with_root_certificates(authorities(settings)?)
        } else {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(Arc::clone(&provider))))
        };
        let asked = Arc::new(AtomicBool::new(false));
        let mut config = match settings.identity {
            Some((certificate, key)) => {
                let (chain, key) = (chain(certificate)?, private_key(key)?);
                builder.with_client_auth_cert(chain, key).map_err(|error| match error {
                    Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                        (Part::Key, "not the key of the certificate in tls_cert".to_owned())
                    }
                    Error::InvalidCertificate(problem) => (Part::Certificate, problem.to_string()),
                    other => (Part::Key, other.to_string()),
                })?
            }
            None => builder.with_client_cert_resolver(Arc::new(Nobody(Arc::clone(&asked)))),
        };
        config.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(TICKETS)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), name, asked })
    }

    /// A session that has not begun.
    pub(super) fn connect(&self) -> Result<ClientConnection, Error> {
        ClientConnection::new(Arc::clone(&self.config), self.name.clone())
    }

    /// Set once the backend has asked for a client certificate and there was none.
    pub(super) fn asked(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.asked)
    }
}

fn authorities(settings: &Settings<'_>) -> Result<RootCertStore, (Part, String)> {
    let mut store = RootCertStore::empty();
    for (number, certificate) in CertificateDer::pem_slice_iter(settings.authorities).enumerate() {
        let added = match certificate {
            Ok(certificate) => store.add(certificate).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = added
            && !settings.lenient
        {
            return Err((Part::Authorities, format!("certificate {}: {error}", number + 1)));
        }
    }
    if store.is_empty() {
        return Err((Part::Authorities, "no certificate in it (PEM is expected)".to_owned()));
    }
    Ok(store)
}

fn chain(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, (Part, String)> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match chain {
        Ok(chain) if chain.is_empty() => {
            Err((Part::Certificate, "no certificate in it (PEM is expected)".to_owned()))
        }
        Ok(chain) => Ok(chain),
        Err(error) => Err((Part::Certificate, error.to_string())),
    }
}

fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, (Part, String)> {
    PrivateKeyDer::from_pem_slice(text)
        .map_err(|_| (Part::Key, "no private key in it (PEM without a passphrase is expected)".to_owned()))
}

/// No certificate for those who ask; notes that they did.
#[derive(Debug)]
struct Nobody(Arc<AtomicBool>);

impl ResolvesClientCert for Nobody {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// Believes everybody (`tls_verify=off`), but wants the handshake itself in order.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The kind of an error of the library. `asked`: the backend has asked for a certificate that there is not.
pub(super) fn fault(error: &Error, asked: bool) -> Fault {
    match error {
        Error::InvalidCertificate(problem) => match problem {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Fault::WrongName
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Fault::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Fault::NotYet,
            // Another authority of the same name has signed it, or the same one with an older key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Fault::UnknownAuthority,
            _ => Fault::Certificate,
        },
        Error::AlertReceived(alert) => alerted(*alert, asked),
        Error::PeerIncompatible(problem) => match problem {
            rustls::PeerIncompatible::ServerDoesNotSupportTls12Or13
            | rustls::PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | rustls::PeerIncompatible::Tls12NotOffered
            | rustls::PeerIncompatible::Tls12NotOfferedOrEnabled => Fault::Version,
            _ => Fault::Incompatible,
        },
        Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => Fault::NotTls,
        _ => Fault::Broken,
    }
}

fn alerted(alert: AlertDescription, asked: bool) -> Fault {
    match alert {
        AlertDescription::CertificateRequired
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::DecryptError
        | AlertDescription::AccessDenied => Fault::ClientCertificate,
        AlertDescription::HandshakeFailure if asked => Fault::ClientCertificate,
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => Fault::Incompatible,
        AlertDescription::ProtocolVersion => Fault::Version,
        other => Fault::Alert(other.into()),
    }
}
