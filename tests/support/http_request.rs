//! A strict view of the head of an HTTP request: the judge of what workers of type `http` and `https` send.
//!
//! The result has the fields of AJP, so that a script sees the same over both: what AJP has fields for is taken from the
//! headers that stand for them (docs/http-workers.md) and is not among `headers`. Whatever a careful gateway does not send
//! is an error: bare LF, folded lines, two of a header that must be one, both or double body lengths, header fields of the
//! client's connection, facts that contradict each other.
//! Sources: RFC 9110 sections 7.2 and 7.6.1, RFC 9112 sections 2 to 6, RFC 7239.

use super::forward::ForwardRequest;

/// Reads a head, without the empty line at its end but with that of its last line.
///
/// # Errors
/// What is wrong with it, in words.
pub fn decode(head: &[u8]) -> Result<ForwardRequest, String> {
    let text: String = head.iter().map(|octet| char::from(*octet)).collect();
    let text = text.strip_suffix("\r\n").ok_or("no CRLF at the end")?;
    if text.replace("\r\n", "").contains(|c: char| c.is_ascii_control() && c != '\t') {
        return Err("a control character".into());
    }
    let mut lines = text.split("\r\n");
    let mut request = request_line(lines.next().unwrap_or_default())?;
    let mut facts = Facts::default();
    for line in lines {
        let (name, value) = line.split_once(": ").ok_or_else(|| format!("header line {line:?}"))?;
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(token) || value.trim() != value {
            return Err(format!("header line {line:?}"));
        }
        if !facts.take(name, value)? {
            request.headers.push((name.to_owned(), value.to_owned()));
        }
    }
    check(&request)?;
    facts.put(&mut request)?;
    Ok(request)
}

fn request_line(line: &str) -> Result<ForwardRequest, String> {
    let [method, target, protocol] = line.split(' ').collect::<Vec<_>>()[..] else {
        return Err(format!("request line {line:?}"));
    };
    if method.is_empty() || protocol != "HTTP/1.1" {
        return Err(format!("request line {line:?}"));
    }
    let (uri, query) = target.split_once('?').map_or((target, None), |(uri, query)| (uri, Some(query)));
    if !uri.starts_with('/') || target.contains('#') {
        return Err(format!("target {target:?}"));
    }
    Ok(ForwardRequest {
        method: method.to_owned(),
        protocol: protocol.to_owned(),
        uri: uri.to_owned(),
        query: query.map(str::to_owned),
        ..ForwardRequest::default()
    })
}

/// What holds for the headers as a whole.
fn check(request: &ForwardRequest) -> Result<(), String> {
    if request.header_all("host").len() != 1 {
        return Err(format!("Host {:?}", request.header_all("host")));
    }
    let lengths = request.header_all("content-length");
    let codings = request.header_all("transfer-encoding");
    match (lengths.as_slice(), codings.as_slice()) {
        ([], []) | ([], ["chunked"]) => {}
        ([length], []) if !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit()) => {}
        _ => return Err(format!("body framing: lengths {lengths:?}, codings {codings:?}")),
    }
    for name in ["Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Upgrade", "Expect", "HTTP2-Settings"] {
        if request.header(name).is_some() {
            return Err(format!("{name} is for the client's connection"));
        }
    }
    match request.header_all("connection").as_slice() {
        [] | ["close"] => Ok(()),
        other => Err(format!("Connection {other:?}")),
    }
}

/// The headers that stand for fields of AJP.
#[derive(Default)]
struct Facts {
    host: Option<String>,
    port: Option<String>,
    proto: Option<String>,
    forwarded: Option<String>,
    key_size: Option<String>,
    fields: ForwardRequest,
}

impl Facts {
    /// Takes a header; false when it is none of these.
    fn take(&mut self, name: &str, value: &str) -> Result<bool, String> {
        let lower = name.to_ascii_lowercase();
        let fields = &mut self.fields;
        let place = match lower.as_str() {
            "x-forwarded-for" => &mut fields.remote_addr,
            "x-forwarded-proto" => &mut self.proto,
            "x-forwarded-host" => &mut self.host,
            "x-forwarded-port" => &mut self.port,
            "forwarded" => &mut self.forwarded,
            "x-remote-user" => &mut fields.remote_user,
            "x-auth-type" => &mut fields.auth_type,
            "x-jk-route" => &mut fields.route,
            "ssl_client_cert" => &mut fields.ssl_cert,
            "ssl_cipher" => &mut fields.ssl_cipher,
            "ssl_session_id" => &mut fields.ssl_session,
            "ssl_cipher_usekeysize" => &mut self.key_size,
            _ => {
                let attribute = match lower.as_str() {
                    "x-jk-lb-activation" => "JK_LB_ACTIVATION",
                    "ssl_secure_protocol" => "AJP_SSL_PROTOCOL",
                    _ if lower.starts_with("x-jk-env-") => &name["x-jk-env-".len()..],
                    _ if lower.starts_with("x-forwarded-") || lower.starts_with("x-jk-") => {
                        return Err(format!("{name} is not known"));
                    }
                    _ => return Ok(false),
                };
                fields.attributes.push((attribute.to_owned(), value.to_owned()));
                return Ok(true);
            }
        };
        match place.replace(value.to_owned()) {
            None => Ok(true),
            Some(_) => Err(format!("{name} twice")),
        }
    }

    /// Fills in the fields of `request`.
    fn put(self, request: &mut ForwardRequest) -> Result<(), String> {
        let needed = |name: &str, value: Option<String>| value.ok_or_else(|| format!("no {name}"));
        let proto = needed("X-Forwarded-Proto", self.proto)?;
        let host = needed("X-Forwarded-Host", self.host)?;
        let port = needed("X-Forwarded-Port", self.port)?;
        let address = needed("X-Forwarded-For", self.fields.remote_addr)?;
        let wanted = format!("for={address};host=\"{host}\";proto={proto}");
        if self.forwarded.as_deref() != Some(&wanted) || !matches!(proto.as_str(), "http" | "https") {
            return Err(format!("Forwarded {:?}, expected {wanted:?}", self.forwarded));
        }
        let activation = self.fields.attributes.iter().find(|(name, _)| name == "JK_LB_ACTIVATION");
        if !activation.is_some_and(|(_, value)| matches!(value.as_str(), "ACT" | "DIS" | "STP")) {
            return Err(format!("activation {activation:?}"));
        }
        let bits = self.key_size.map(|bits| bits.parse().map_err(|_| format!("key size {bits:?}")));
        *request = ForwardRequest {
            method: std::mem::take(&mut request.method),
            protocol: std::mem::take(&mut request.protocol),
            uri: std::mem::take(&mut request.uri),
            query: request.query.take(),
            headers: std::mem::take(&mut request.headers),
            remote_addr: Some(address),
            server_name: host.strip_suffix(&format!(":{port}")).unwrap_or(&host).to_owned(),
            server_port: port.parse().map_err(|_| format!("port {port:?}"))?,
            is_ssl: proto == "https",
            ssl_key_size: bits.transpose()?,
            ssl_cert: self.fields.ssl_cert.as_deref().map(lines),
            ..self.fields
        };
        Ok(())
    }
}

/// The lines of a certificate that came in one.
fn lines(certificate: &str) -> String {
    let kept = certificate.replace(" CERTIFICATE-----", "\0").replace(' ', "\n");
    kept.replace('\0', " CERTIFICATE-----")
}
