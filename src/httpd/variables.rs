//! The environment variables that replace what httpd knows of a request (`Jk...Indicator`), and those of the TLS layer.

use std::ffi::CStr;

use super::config::Live;
use crate::engine::config::indicators::Indicator;
use crate::engine::config::options::Flags;
use crate::engine::request::{RequestHead, Tls};
use crate::ffi::request::Request;

/// The steering variables of a request.
pub struct Variables<'r> {
    request: Request<'r>,
    live: &'r Live,
    /// Nothing is set at all, as for most plain requests.
    none: bool,
}

impl<'r> Variables<'r> {
    /// The variables of `request`. When a `JkEnvVar` may ask for one, the common CGI variables are there too.
    pub fn of(request: Request<'r>, live: &'r Live) -> Self {
        if !live.env_vars.is_empty() {
            request.add_common_variables();
        }
        let none = request.environment().is_none_or(|table| table.is_empty());
        Self { request, live, none }
    }

    /// The value of a variable, which may be empty.
    pub fn get(&self, indicator: Indicator) -> Option<&'r [u8]> {
        if self.none { None } else { self.request.env(self.live.name(indicator)) }
    }

    /// Replaces in `head` what variables say otherwise. An empty address, port, host, user or scheme means "none".
    pub fn replace(&self, head: &mut RequestHead<'r>) {
        if self.none {
            return;
        }
        let replace = |place: &mut Option<&'r [u8]>, indicator| {
            if let Some(value) = self.get(indicator) {
                *place = Some(value).filter(|value| !value.is_empty());
            }
        };
        replace(&mut head.remote_addr, Indicator::RemoteAddr);
        replace(&mut head.remote_host, Indicator::RemoteHost);
        replace(&mut head.remote_user, Indicator::RemoteUser);
        replace(&mut head.auth_type, Indicator::AuthType);
        if let Some(name) = self.get(Indicator::LocalName) {
            head.server_name = name;
        }
        if let Some(address) = self.get(Indicator::LocalAddr) {
            head.local_addr = Some(address);
        }
        // What is not a port leaves the real one.
        let port =
            self.get(Indicator::LocalPort).and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        if let Some(port) = port.filter(|port| *port > 0) {
            head.server_port = port;
        }
    }

    /// What replaces the client's port: `Some(None)` for no port at all, `None` for the real one, also when the variable is not
    /// a port.
    pub fn remote_port(&self) -> Option<Option<&'r [u8]>> {
        match self.get(Indicator::RemotePort)? {
            b"" => Some(None),
            text => is_port(text).then_some(Some(text)),
        }
    }

    /// What the TLS layer has said of the connection.
    pub fn tls(&self, live: &Live) -> Tls<'r> {
        let certificate = self.get(Indicator::Certs).filter(|text| !text.is_empty());
        let certificate = match certificate {
            Some(leaf) if live.options.has(Flags::CERT_CHAIN) => Some(self.with_chain(leaf)),
            certificate => certificate,
        };
        Tls {
            certificate,
            cipher: self.get(Indicator::Cipher),
            session: self.get(Indicator::Session),
            key_size: self
                .get(Indicator::KeySize)
                .filter(|_| live.options.has(Flags::KEY_SIZE))
                .and_then(number),
            protocol: self.get(Indicator::SslProtocol).filter(|text| !text.is_empty()),
        }
    }

    /// The client certificate and the chain behind it, in the order of the numbers in the variables' names.
    fn with_chain(&self, leaf: &[u8]) -> &'r [u8] {
        let prefix = self.live.name(Indicator::CertChainPrefix).to_bytes();
        let mut chain: Vec<(u32, &[u8])> = Vec::new();
        for (name, value) in self.request.environment().into_iter().flat_map(|table| table.iter()) {
            let number = name
                .get(..prefix.len())
                .filter(|start| start.eq_ignore_ascii_case(prefix))
                .and_then(|_| std::str::from_utf8(name.get(prefix.len()..)?).ok()?.parse().ok());
            if let Some(number) = number {
                chain.push((number, value));
            }
        }
        chain.sort_by_key(|(number, _)| *number);
        let mut text = leaf.to_vec();
        for (_, certificate) in chain {
            text.extend_from_slice(certificate);
        }
        self.request.pool().copy(&text).to_bytes()
    }
}

/// A decimal number that a port can have.
fn is_port(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_digit)
        && std::str::from_utf8(text).is_ok_and(|text| text.parse::<u16>().is_ok())
}

/// Leading digits of a text.
fn number(text: &[u8]) -> Option<u16> {
    let digits = text.iter().take_while(|digit| digit.is_ascii_digit()).count();
    std::str::from_utf8(text.get(..digits)?).ok()?.parse().ok()
}

/// `JK_REPLY_TIMEOUT`, milliseconds; `Err` for what is neither a number nor negative.
pub fn reply_timeout(request: Request<'_>) -> Option<Result<u32, &[u8]>> {
    const NAME: &CStr = c"JK_REPLY_TIMEOUT";
    let text = request.env(NAME)?;
    match std::str::from_utf8(text).ok().and_then(|text| text.trim().parse::<i64>().ok()) {
        Some(value) if value < 0 => None,
        Some(value) => Some(Ok(u32::try_from(value).unwrap_or(u32::MAX))),
        None => Some(Err(text)),
    }
}
