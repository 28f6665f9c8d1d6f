//! Backends that speak HTTP over TLS, next to mod_proxy_http with mod_ssl.
//!
//! Both check the backend's certificate. The backend is a part of this program (rustls), and counts which handshakes were
//! full ones and which took a session up again.

use std::io::Read as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::crypto::ring;
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};

use crate::Plan;
use crate::http::{self, Backend, KINDS, Shape};
use crate::load::Client;
use crate::load::Work;
use crate::report::{Goal, Row, Section};
use crate::server::{Kind, Running};
use crate::support::tempdir::TempDir;

/// Requests for which handshakes are counted.
const REQUESTS: usize = 200;

/// Handshakes since the last look.
#[derive(Clone)]
struct Peer {
    /// Its certificate.
    authority: PathBuf,
    config: Arc<ServerConfig>,
    full: Arc<AtomicU64>,
    resumed: Arc<AtomicU64>,
}

impl Peer {
    /// With a certificate of an authority of its own, which is written to the directory.
    fn new(directory: &TempDir, kind: Kind) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, "bench authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("an authority").pem();
        let authority = directory.write(&format!("{}.pem", kind.name()), pem);
        let issuer = Issuer::new(params, key);
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address");
        params.distinguished_name.push(DnType::CommonName, "127.0.0.1");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .expect("certificate and key");
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.ticketer = ring::Ticketer::new().expect("tickets");
        Self { authority, config: Arc::new(config), full: Arc::default(), resumed: Arc::default() }
    }

    fn serve(stream: TcpStream, peer: Self) -> Option<()> {
        let tls = ServerConnection::new(Arc::clone(&peer.config)).ok()?;
        let mut stream = StreamOwned::new(tls, stream);
        http::serve(&mut stream, |stream| {
            let count = match stream.conn.handshake_kind() {
                Some(HandshakeKind::Resumed) => &peer.resumed,
                _ => &peer.full,
            };
            count.fetch_add(1, Ordering::Relaxed);
        })?;
        stream.conn.send_close_notify();
        stream.conn.write_tls(&mut stream.sock).ok()?;
        let _ = stream.sock.shutdown(std::net::Shutdown::Write);
        let _ = stream.sock.set_read_timeout(Some(Duration::from_secs(5)));
        std::io::copy(&mut stream.sock.take(1 << 20), &mut std::io::sink()).ok().map(|_| ())
    }

    /// Full ones and resumed ones.
    fn take(&self) -> [f64; 2] {
        [&self.full, &self.resumed].map(|count| count.swap(0, Ordering::Relaxed) as f64)
    }
}

/// Handshakes and CPU time.
pub(crate) fn run(plan: &Plan) -> Section {
    let mut section = Section::about_http(
        "TLS to the backend",
        "mod_proxy_http with `SSLProxyEngine on`; both check the backend's certificate (ECDSA, P-256), TLS 1.3. Handshakes are counted \
         by the backend while one client sends 200 requests for 1 KB one after the other. CPU time of httpd as above, the ratio being the median of those inside \
         each round.",
    );
    let directory = TempDir::new("bench-tls");
    for (way, reuse) in [("connections kept", true), ("a connection for each request", false)] {
        let rows = ["full handshakes", "resumed handshakes"];
        let mut rows = rows.map(|name| Row::plain(&format!("{way}: {name} of {REQUESTS} requests"), 0));
        // Each has a backend of its own, and so counts of its own.
        let peers = KINDS.map(|kind| (kind, Peer::new(&directory, kind)));
        let servers = KINDS.map(|kind| {
            let peer = &peers[usize::from(kind == KINDS[1])].1;
            let shape = Shape { authority: Some(&peer.authority), reuse, ..Shape::default() };
            let backend = Backend::sharing(peer.clone(), Peer::serve);
            let server = Running::start(http::site(kind, backend.port, &shape));
            let work = Work::get("/app/size/1024", 0, Some(1024));
            Client::connect(server.site.port).repeat(&work, REQUESTS);
            for (row, count) in rows.iter_mut().zip(peer.take()) {
                row.values[kind.column()] = Some(count);
            }
            (kind, server)
        });
        let full = rows[0].values[Kind::Rust.column()].unwrap_or(f64::NAN);
        let what = format!("TLS, {way}: full handshakes of {REQUESTS} requests");
        section.goals.push(Goal::at_most(what, full, 1.0, 0));
        for row in rows {
            section.push(row);
        }
        for (load, clients) in [("1 client", 1), ("8 clients", 8)] {
            let name = format!("{way}: 1 KB GET, {load}, CPU µs per request");
            let row = http::cpu(plan, &servers, &name, (clients, 1024, 1.0));
            let ratio = row.ratio.unwrap_or(f64::NAN);
            let what = format!("TLS, {way}, {load}: CPU (mod_proxy_http = 1)");
            section.goals.push(Goal::at_most(what, ratio, 1.0, 2));
            section.push(row);
        }
        if !reuse {
            let mut row = Row::plain(&format!("{way}: full handshakes meanwhile, %"), 1);
            for (kind, peer) in &peers {
                let [full, resumed] = peer.take();
                row.values[kind.column()] = Some(full * 100.0 / (full + resumed));
            }
            section.push(row);
        }
    }
    section
}
