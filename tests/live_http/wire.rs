//! What the test server speaks HTTP over: TCP, a UNIX socket, or TLS over TCP.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;

use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};

use crate::authority::{Authority, Valid};
use crate::support::PATIENCE;

/// Where a server listens.
pub(crate) enum Place {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
    Tls(TcpListener, Arc<ServerConfig>),
}

/// A connection to it.
pub(crate) enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

/// The kinds of places, for tests that run on each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Http,
    Https,
    Unix,
}

/// What a TLS connection has agreed on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// The name the client asked for.
    pub(crate) name: Option<String>,
    /// Certificates were exchanged; otherwise an earlier session was taken up.
    pub(crate) full: bool,
    /// The client has shown a certificate.
    pub(crate) certificate: bool,
    /// `TLSv1_3` and the like.
    pub(crate) version: String,
}

impl Place {
    /// A place of that kind, and properties of a worker that reach it beside host and port. The authority goes along.
    pub(crate) fn of(over: Over) -> (Self, String, Option<Authority>) {
        match over {
            Over::Http => (Self::Tcp(listen()), String::new(), None),
            Over::Unix => {
                use std::sync::atomic::{AtomicU32, Ordering};
                static NEXT: AtomicU32 = AtomicU32::new(0);
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                // Where the user of httpd's children may go.
                let path = std::env::temp_dir().join(format!("jk-{}-{number}.sock", std::process::id()));
                let _ = std::fs::remove_file(&path);
                let listener = UnixListener::bind(&path).expect("bind");
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).expect("chmod");
                (Self::Unix(listener, path), String::new(), None)
            }
            Over::Https => {
                let authority = Authority::new();
                let issued = authority.issue(&["127.0.0.1", "localhost"], Valid::Now);
                let server = Authority::server(&issued, None, rustls::ALL_VERSIONS);
                let more = format!("tls_ca={}", authority.file().display());
                (Self::Tls(listen(), server), more, Some(authority))
            }
        }
    }

    /// TLS as `server` says.
    pub(crate) fn tls(server: Arc<ServerConfig>) -> Self {
        Self::Tls(listen(), server)
    }

    /// Properties of a worker: type, host and port.
    pub(crate) fn properties(&self) -> String {
        match self {
            Self::Tcp(listener) => format!("type=http\nhost=127.0.0.1\nport={}", port(listener)),
            Self::Tls(listener, _) => format!("type=https\nhost=127.0.0.1\nport={}", port(listener)),
            Self::Unix(_, path) => format!("type=http\nhost=unix:{}", path.display()),
        }
    }

    /// Its port at 127.0.0.1; 0: none.
    pub(crate) fn port(&self) -> u16 {
        match self {
            Self::Tcp(listener) | Self::Tls(listener, _) => port(listener),
            Self::Unix(..) => 0,
        }
    }

    /// Waits for a connection.
    pub(crate) fn accept(&self) -> io::Result<Wire> {
        Ok(match self {
            Self::Tcp(listener) => Wire::Tcp(limit(listener.accept()?.0)),
            Self::Unix(listener, _) => {
                let stream = listener.accept()?.0;
                stream.set_read_timeout(Some(PATIENCE * 2))?;
                Wire::Unix(stream)
            }
            Self::Tls(listener, server) => {
                let stream = limit(listener.accept()?.0);
                let session = ServerConnection::new(Arc::clone(server)).map_err(io::Error::other)?;
                Wire::Tls(Box::new(StreamOwned::new(session, stream)))
            }
        })
    }

    /// Makes a waiting [`Place::accept`] return.
    pub(crate) fn knock(properties: &str) {
        let value = |name: &str| properties.lines().find_map(|line| line.strip_prefix(name));
        match (value("port="), value("host=unix:")) {
            (Some(port), _) => {
                let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, port.parse().expect("a port")));
            }
            (_, Some(path)) => {
                let _ = UnixStream::connect(path);
                let _ = std::fs::remove_file(path);
            }
            _ => {}
        }
    }
}

fn listen() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind")
}

fn port(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("address").port()
}

fn limit(stream: TcpStream) -> TcpStream {
    let _ = stream.set_read_timeout(Some(PATIENCE * 2));
    let _ = stream.set_nodelay(true);
    stream
}

impl Wire {
    /// Something that can end the connection from another thread.
    pub(crate) fn handle(&self) -> Box<dyn Fn() + Send> {
        match self {
            Self::Tcp(stream) => shutter(stream),
            Self::Tls(tls) => shutter(&tls.sock),
            Self::Unix(stream) => {
                let stream = stream.try_clone().expect("clone");
                Box::new(move || drop(stream.shutdown(Shutdown::Both)))
            }
        }
    }

    /// Ends the connection in the way of its protocol.
    pub(crate) fn finish(&mut self) {
        if let Self::Tls(tls) = self {
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
        self.cut();
    }

    /// Ends the connection without a word.
    pub(crate) fn cut(&mut self) {
        self.handle()();
    }

    /// What TLS has agreed on; the handshake has to be over.
    pub(crate) fn agreed(&self) -> Option<Agreed> {
        let Self::Tls(tls) = self else { return None };
        Some(Agreed {
            name: tls.conn.server_name().map(str::to_owned),
            full: tls.conn.handshake_kind() != Some(HandshakeKind::Resumed),
            certificate: tls.conn.peer_certificates().is_some(),
            version: format!("{:?}", tls.conn.protocol_version().expect("a version")),
        })
    }
}

fn shutter(stream: &TcpStream) -> Box<dyn Fn() + Send> {
    let stream = stream.try_clone().expect("clone");
    Box::new(move || drop(stream.shutdown(Shutdown::Both)))
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(octets),
            Self::Unix(stream) => stream.write(octets),
            Self::Tls(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Unix(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
