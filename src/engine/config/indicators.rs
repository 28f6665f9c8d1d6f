//! The names of the environment variables that steer a request, each of which a directive can change.
//!
//! Source: the `Jk*Indicator` directives and their defaults in mod_jk.

/// What a variable tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Indicator {
    /// The worker of a request that `SetHandler` gives to the module.
    Worker,
    /// The id shown in log lines.
    RequestId,
    /// Client address for the backend.
    RemoteAddr,
    /// Client port for the backend.
    RemotePort,
    /// Client host name for the backend.
    RemoteHost,
    /// User for the backend.
    RemoteUser,
    /// Authentication scheme for the backend.
    AuthType,
    /// Server name for the backend.
    LocalName,
    /// Local address for the backend.
    LocalAddr,
    /// Server port for the backend.
    LocalPort,
    /// Content-Length is not to be believed.
    IgnoreContentLength,
    /// `on`: the connection is secure.
    Https,
    /// TLS version.
    SslProtocol,
    /// Client certificate, PEM.
    Certs,
    /// Cipher suite.
    Cipher,
    /// TLS session id.
    Session,
    /// Key size in bits.
    KeySize,
    /// Prefix of the variables with the certificate chain.
    CertChainPrefix,
}

/// Number of indicators.
pub const COUNT: usize = 18;

/// Default names, in the order of [`Indicator`].
pub const DEFAULTS: [&str; COUNT] = [
    "JK_WORKER_NAME",
    "UNIQUE_ID",
    "JK_REMOTE_ADDR",
    "JK_REMOTE_PORT",
    "JK_REMOTE_HOST",
    "JK_REMOTE_USER",
    "JK_AUTH_TYPE",
    "JK_LOCAL_NAME",
    "JK_LOCAL_ADDR",
    "JK_LOCAL_PORT",
    "JK_IGNORE_CL",
    "HTTPS",
    "SSL_PROTOCOL",
    "SSL_CLIENT_CERT",
    "SSL_CIPHER",
    "SSL_SESSION_ID",
    "SSL_CIPHER_USEKEYSIZE",
    "SSL_CLIENT_CERT_CHAIN_",
];

/// Names that were set; the rest has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names([Option<Box<str>>; COUNT]);

impl Names {
    /// Sets a name.
    pub fn set(&mut self, indicator: Indicator, name: &str) {
        if let Some(place) = self.0.get_mut(indicator as usize) {
            *place = Some(name.into());
        }
    }

    /// These names, and those of `main` where none is set.
    pub fn over(&self, main: &Self) -> Self {
        let mut names = self.clone();
        for (own, inherited) in names.0.iter_mut().zip(&main.0) {
            if own.is_none() {
                own.clone_from(inherited);
            }
        }
        names
    }

    /// All names in the order of [`Indicator`], defaults filled in.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.0.iter().zip(DEFAULTS).map(|(name, default)| name.as_deref().unwrap_or(default))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_inherited_on_its_own() {
        let mut main = Names::default();
        main.set(Indicator::LocalAddr, "MAIN_ADDR");
        main.set(Indicator::Https, "MAIN_HTTPS");
        let mut own = Names::default();
        own.set(Indicator::Https, "OWN_HTTPS");
        let merged = own.over(&main);
        let all: Vec<&str> = merged.all().collect();
        assert_eq!(all[Indicator::LocalAddr as usize], "MAIN_ADDR");
        assert_eq!(all[Indicator::Https as usize], "OWN_HTTPS");
        assert_eq!(all[Indicator::Worker as usize], "JK_WORKER_NAME");
        assert_eq!(all[Indicator::CertChainPrefix as usize], "SSL_CLIENT_CERT_CHAIN_");
    }
}
