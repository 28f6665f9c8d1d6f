//! mod_ssl: certificates of clients with their chain, certificates asked for late, and sessions.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::certificate::{Certificate, Fetched, curl};
use crate::support::digest::sha256_hex;
use crate::support::tempdir::TempDir;
use crate::support::{Backend, Httpd, pattern, ports};

/// A root, an authority below it, and a client's certificate below that one.
struct Chain {
    directory: TempDir,
}

impl Chain {
    #[track_caller]
    fn new() -> Self {
        let directory = TempDir::new("chain");
        directory.write("ca.ext", "basicConstraints=critical,CA:TRUE\n");
        directory.write("leaf.ext", "basicConstraints=CA:FALSE\n");
        let chain = Self { directory };
        chain.make("root", None);
        chain.make("middle", Some(("root", "ca.ext")));
        chain.make("leaf", Some(("middle", "leaf.ext")));
        let both = [chain.pem("leaf"), chain.pem("middle")].concat();
        chain.directory.write("both.crt", both);
        chain
    }

    fn make(&self, name: &str, issuer: Option<(&str, &str)>) {
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let subject = format!("/CN={name}");
        let (key_file, certificate) = (format!("{name}.key"), format!("{name}.crt"));
        match issuer {
            None => {
                let own = [
                    "req",
                    "-x509",
                    "-days",
                    "2",
                    "-subj",
                    &subject,
                    "-keyout",
                    &key_file,
                    "-out",
                    &certificate,
                ];
                self.openssl(&[&own[..], &key[..]].concat());
            }
            Some((issuer, extensions)) => {
                let request = ["req", "-new", "-subj", &subject, "-keyout", &key_file, "-out", "request.csr"];
                self.openssl(&[&request[..], &key[..]].concat());
                let (ca, ca_key) = (format!("{issuer}.crt"), format!("{issuer}.key"));
                self.openssl(&[
                    "x509",
                    "-req",
                    "-days",
                    "2",
                    "-in",
                    "request.csr",
                    "-CA",
                    &ca,
                    "-CAkey",
                    &ca_key,
                    "-CAcreateserial",
                    "-extfile",
                    extensions,
                    "-out",
                    &certificate,
                ]);
            }
        }
    }

    fn openssl(&self, arguments: &[&str]) {
        let mut command = Command::new("openssl");
        let output = command.args(arguments).current_dir(self.directory.path()).output();
        let output = output.unwrap_or_else(|e| panic!("cannot run openssl: {e}; install openssl"));
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn pem(&self, name: &str) -> String {
        self.directory.read(&format!("{name}.crt"))
    }
}

/// A port with TLS before everything below `/app`.
fn tls_front(backend: &Backend, certificate: &Certificate, more: &str) -> (Httpd, String) {
    let port = ports::free_port();
    let httpd = super::front(
        backend,
        &["ssl"],
        &format!(
            "Listen 127.0.0.1:{port}\n<VirtualHost 127.0.0.1:{port}>\nServerName localhost\nJkMountCopy On\n{}{more}\n\
             </VirtualHost>",
            certificate.directives()
        ),
    );
    (httpd, format!("https://localhost:{port}"))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// curl with the client's certificate and the authority's.
#[track_caller]
fn fetch(chain: &Chain, arguments: &[&str]) -> Fetched {
    let (certificate, key) = (chain.path("both.crt"), chain.path("leaf.key"));
    let mut all = vec!["--http1.1", "--cert", text(&certificate), "--key", text(&key)];
    all.extend_from_slice(arguments);
    curl(&all)
}

/// The certificates of a text, one per line of base64 and without their frames.
fn certificates(pem: &str) -> Vec<String> {
    let blocks = pem.split("-----BEGIN CERTIFICATE-----").skip(1);
    blocks
        .map(|block| block.split("-----END").next().unwrap_or_default().split_whitespace().collect())
        .collect()
}

#[test]
fn the_chain_goes_with_the_certificate_when_asked_for() {
    let (backend, server, chain) = (Backend::start(), Certificate::new(), Chain::new());
    let root = chain.path("root.crt");
    let base = format!(
        "SSLOptions +StdEnvVars +ExportCertData\nSSLVerifyClient require\nSSLVerifyDepth 5\nSSLCACertificateFile {}\n",
        root.display()
    );
    for (option, names) in [("", &["leaf"][..]), ("JkOptions +ForwardSSLCertChain", &["leaf", "middle"][..])]
    {
        let (_httpd, url) = tls_front(&backend, &server, &format!("{base}{option}"));
        let page = fetch(&chain, &[&format!("{url}/app/x")]);
        assert_eq!((page.exit, page.summary.as_str()), (0, "1.1 200"), "{}", page.complaint);
        let request = backend.last_request();
        let sent = certificates(request.ssl_cert.as_deref().expect("a certificate"));
        let wanted: Vec<String> = names.iter().flat_map(|name| certificates(&chain.pem(name))).collect();
        assert_eq!(sent[..wanted.len().min(sent.len())], wanted, "{option}");
        // mod_ssl may add the root, which ends the chain.
        let root = certificates(&chain.pem("root"));
        assert!(sent[wanted.len()..].iter().all(|extra| !option.is_empty() && *extra == root[0]), "{option}");
        // Without a certificate nothing reaches the backend.
        let before = backend.requests().len();
        assert_ne!(curl(&["--http1.1", &format!("{url}/app/x")]).summary, "1.1 200");
        assert_eq!(backend.requests().len(), before);
    }
}

#[test]
fn protocol_cipher_key_size_and_session_are_those_of_the_connection() {
    let (backend, server) = (Backend::start(), Certificate::new());
    let (httpd, url) = tls_front(&backend, &server, "SSLOptions +StdEnvVars\nJkOptions +ForwardKeySize");
    for (version, protocol, cipher, bits) in [
        (
            ["--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384"],
            "TLSv1.2",
            "ECDHE-ECDSA-AES256-GCM-SHA384",
            256,
        ),
        (
            ["--tlsv1.3", "--tls13-ciphers", "TLS_AES_128_GCM_SHA256", "--http1.1"],
            "TLSv1.3",
            "TLS_AES_128_GCM_SHA256",
            128,
        ),
    ] {
        let target = format!("{url}/app/x");
        let mut arguments = version.to_vec();
        arguments.push(&target);
        let page = curl(&arguments);
        assert_eq!((page.exit, page.summary.as_str()), (0, "1.1 200"), "{}", page.complaint);
        let request = backend.last_request();
        assert!(request.is_ssl && request.ssl_cert.is_none());
        assert_eq!(request.attribute("AJP_SSL_PROTOCOL"), Some(protocol));
        assert_eq!((request.ssl_cipher.as_deref(), request.ssl_key_size), (Some(cipher), Some(bits)));
        assert_eq!(request.server_port.to_string(), url.rsplit(':').next().unwrap());
        if let Some(session) = &request.ssl_session {
            assert!(session.bytes().all(|octet| octet.is_ascii_hexdigit()), "{session}");
        }
    }
    // Nothing of that without mod_ssl's variables, but still https.
    drop(httpd);
    let (_httpd, url) = tls_front(&backend, &server, "JkExtractSSL Off");
    assert_eq!(curl(&["--http1.1", &format!("{url}/app/x")]).summary, "1.1 200");
    let request = backend.last_request();
    assert_eq!(
        (&request.ssl_cipher, &request.ssl_cert, request.attribute("AJP_SSL_PROTOCOL")),
        (&None, &None, None)
    );
}

#[test]
fn a_certificate_asked_for_late_costs_no_body() {
    let (backend, server, chain) = (Backend::start(), Certificate::new(), Chain::new());
    let (_httpd, url) = tls_front(
        &backend,
        &server,
        &format!(
            "SSLOptions +StdEnvVars +ExportCertData\nSSLCACertificateFile {}\n\
             <Location /app/members>\nSSLVerifyClient require\nSSLVerifyDepth 5\nSSLRenegBufferSize 300000\n</Location>",
            chain.path("root.crt").display()
        ),
    );
    let body = pattern(200_000);
    let file = chain.directory.write("body", &body);
    let data = format!("@{}", file.display());
    // TLS 1.2 negotiates again inside the request, and httpd holds the body back meanwhile.
    let page = fetch(
        &chain,
        &["--tls-max", "1.2", "-H", "Expect:", "--data-binary", &data, &format!("{url}/app/members/upload")],
    );
    assert_eq!((page.exit, page.summary.as_str()), (0, "1.1 200"), "{}", page.complaint);
    assert_eq!(page.text(), format!("length=200000\nsha256={}\n", sha256_hex(&body)));
    let seen = backend.last_request();
    assert_eq!(
        certificates(seen.ssl_cert.as_deref().expect("a certificate")),
        certificates(&chain.pem("leaf"))
    );
    assert_eq!(curl(&["--http1.1", "--tls-max", "1.2", &format!("{url}/app/x")]).summary, "1.1 200");
    let before = backend.requests().len();
    let refused = curl(&["--http1.1", "--tls-max", "1.2", &format!("{url}/app/members/x")]);
    assert!(refused.summary != "1.1 200" && backend.requests().len() == before, "{refused:?}");
    // A spelling of the same path is the same path.
    let refused =
        curl(&["--http1.1", "--tls-max", "1.2", "--path-as-is", &format!("{url}/app/y/..//members;a/x")]);
    assert!(refused.summary != "1.1 200" && backend.requests().len() == before, "{refused:?}");
}
