//! An authority made for a test, and certificates of it: good ones and others.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::tempdir::TempDir;

/// An authority.
pub struct Authority {
    directory: TempDir,
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Valid {
    /// Now.
    Now,
    /// No more.
    Past,
    /// Not yet.
    Future,
}

/// A certificate with its key, in files.
pub struct Issued {
    /// PEM.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
}

impl Issued {
    /// Properties of a worker that shows it.
    pub fn properties(&self) -> String {
        format!("tls_cert={}\ntls_key={}", self.certificate.display(), self.key.display())
    }
}

impl Authority {
    /// Makes one, with a key of its own.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // All authorities have one name: it is the key that counts.
        params.distinguished_name.push(DnType::CommonName, "test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let directory = TempDir::new("authority");
        directory.write("ca.pem", certificate.pem());
        Self { directory, certificate: certificate.der().clone(), issuer: Issuer::new(params, key) }
    }

    /// Its certificate, PEM.
    pub fn file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// A certificate for names or addresses.
    pub fn issue(&self, names: &[&str], valid: Valid) -> Issued {
        let names_owned: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names_owned).unwrap();
        params.distinguished_name.push(DnType::CommonName, names.first().copied().unwrap_or("none"));
        match valid {
            Valid::Now => {}
            Valid::Past => params.not_after = date_time_ymd(2001, 1, 1),
            Valid::Future => params.not_before = date_time_ymd(3000, 1, 1),
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let name = format!("{}-{valid:?}", names.first().unwrap_or(&"none"));
        let issued = Issued {
            certificate: self.directory.write(&format!("{name}.pem"), certificate.pem()),
            key: self.directory.write(&format!("{name}.key"), key.serialize_pem()),
        };
        // httpd warns about keys that everybody may read.
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&issued.key, std::fs::Permissions::from_mode(0o600)).unwrap();
        issued
    }

    /// How a server with a certificate serves. `clients`: it asks them for certificates of that authority.
    pub fn server(
        issued: &Issued,
        clients: Option<&Self>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Arc<ServerConfig> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.certificate.clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let chain = vec![CertificateDer::from_pem_file(&issued.certificate).unwrap()];
        let key = PrivateKeyDer::from_pem_file(&issued.key).unwrap();
        let mut config = builder.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // TLS 1.2 has tickets only when there is somebody to encrypt them.
        config.ticketer = ring::Ticketer::new().unwrap();
        Arc::new(config)
    }
}
