//! What a backend protocol needs to know of the client's request, whoever holds it.
//!
//! Strings are octets as httpd has them: no charset is assumed. Encoders check them before they are sent.

/// How the body of the request is framed towards the module; the outgoing framing is written from this alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestBody {
    /// The request has no body (also `Content-Length: 0`).
    None,
    /// Exactly so many octets follow; never 0.
    Known(u64),
    /// Chunked, or a length that an input filter may change.
    Unknown,
}

/// What the TLS layer in front of httpd knows of the connection. All empty for plain HTTP.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tls<'a> {
    /// PEM text of the client certificate, the chain appended when the administrator asks for it.
    pub certificate: Option<&'a [u8]>,
    /// Cipher suite name.
    pub cipher: Option<&'a [u8]>,
    /// Session id in hexadecimal text.
    pub session: Option<&'a [u8]>,
    /// Key size in bits.
    pub key_size: Option<u16>,
    /// Protocol version, for example `TLSv1.3`.
    pub protocol: Option<&'a [u8]>,
}

/// The request line and the connection data of a request.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'a> {
    /// Method as received, case-sensitive.
    pub method: &'a [u8],
    /// Protocol as httpd reports it, for example `HTTP/1.1`.
    pub protocol: &'a [u8],
    /// Path in the form that goes to the backend: percent-encoded, without query.
    pub uri: &'a [u8],
    /// Query string without the `?`, raw.
    pub query: Option<&'a [u8]>,
    /// Client address as text.
    pub remote_addr: Option<&'a [u8]>,
    /// Client host name, when httpd looked it up.
    pub remote_host: Option<&'a [u8]>,
    /// Client port as decimal text.
    pub remote_port: Option<&'a [u8]>,
    /// Local address of the client's connection as text.
    pub local_addr: Option<&'a [u8]>,
    /// Name the client addressed.
    pub server_name: &'a [u8],
    /// Port the client addressed.
    pub server_port: u16,
    /// The connection is secure (AJP `is_ssl`).
    pub secure: bool,
    /// Authenticated user.
    pub remote_user: Option<&'a [u8]>,
    /// Authentication scheme.
    pub auth_type: Option<&'a [u8]>,
    /// TLS data; only sent when `secure`.
    pub tls: Tls<'a>,
    /// Body framing.
    pub body: RequestBody,
}

/// What the chosen worker adds to the request.
#[derive(Debug, Clone, Copy)]
pub struct WorkerFacts<'a> {
    /// Shared secret of the worker (`worker.NAME.secret`).
    pub secret: Option<&'a [u8]>,
    /// Route of the member that serves the request.
    pub route: Option<&'a [u8]>,
    /// Activation of the member: `ACT`, `DIS` or `STP`.
    pub activation: &'a [u8],
}

/// A request that can be encoded any number of times (a retry encodes it again).
pub trait Request {
    /// Request line and connection data.
    fn head(&self) -> RequestHead<'_>;

    /// Calls `sink` with name and value of each request header, in order, as received: hop-by-hop and framing headers
    /// included; the encoder drops what must not be sent.
    fn each_header(&self, sink: &mut dyn FnMut(&[u8], &[u8]));

    /// Calls `sink` with name and value of each custom attribute (`JkEnvVar`), in the configured order.
    fn each_attribute(&self, sink: &mut dyn FnMut(&[u8], &[u8]));
}
