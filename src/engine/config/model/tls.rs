//! The model of TLS towards a backend. Files are here as text: children of a graceful restart that failed go on with them.

use std::fmt;
use std::sync::Arc;

use super::Address;
use crate::engine::tls::Version;

/// TLS of a worker of type `https`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// `tls_name`; see [`Tls::expected`].
    pub name: Option<String>,
    /// Who answers is checked.
    pub verify: bool,
    /// Least protocol version.
    pub least: Version,
    /// What the files say.
    pub texts: TlsTexts,
}

impl Tls {
    /// The name that the certificate must have, and that is asked for.
    pub fn expected(name: Option<&str>, address: &Address) -> String {
        match (name, address) {
            (Some(name), _) => name.to_owned(),
            (None, Address::Tcp { host, .. }) => host.clone(),
            (None, Address::Unix(_)) => "localhost".to_owned(),
        }
    }
}

/// Contents of PEM files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsTexts {
    /// Certificates of authorities.
    pub authorities: Arc<[u8]>,
    /// They are those of the system, not those of `tls_ca`.
    pub of_system: bool,
    /// Certificate with its chain, and key.
    pub identity: Option<(Arc<[u8]>, Arc<KeyText>)>,
    /// Every user of the machine may read the key.
    pub exposed: bool,
}

/// A key. It is never printed, and overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText(Vec<u8>);

impl KeyText {
    /// Takes over the content of a file.
    pub fn new(text: Vec<u8>) -> Self {
        Self(text)
    }

    /// The content.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Drop for KeyText {
    fn drop(&mut self) {
        self.0.fill(0);
        // Without a reader the compiler may leave out the stores.
        std::hint::black_box(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_printed() {
        let texts = TlsTexts {
            identity: Some((Arc::from(&b""[..]), Arc::new(KeyText::new(b"canary".to_vec())))),
            ..TlsTexts::default()
        };
        assert!(format!("{texts:?}").contains("***") && !format!("{texts:?}").contains("canary"));
        let (_, key) = texts.identity.unwrap();
        assert_eq!(key.expose(), b"canary");
    }
}
