//! A certificate of its own for a test, and HTTPS or HTTP/2 requests by the program curl.

use std::path::PathBuf;
use std::process::Command;

use super::tempdir::TempDir;

/// A self-signed certificate for `localhost` and its key.
#[derive(Debug)]
pub struct Certificate {
    directory: TempDir,
}

impl Certificate {
    /// Makes one, by the program openssl.
    #[track_caller]
    pub fn new() -> Self {
        let directory = TempDir::new("certificate");
        let output = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
            .args(["-days", "2", "-subj", "/CN=localhost", "-keyout"])
            .arg(directory.path().join("key.pem"))
            .arg("-out")
            .arg(directory.path().join("cert.pem"))
            .output()
            .unwrap_or_else(|e| panic!("cannot run openssl: {e}; install openssl"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { directory }
    }

    /// The certificate, PEM.
    pub fn certificate(&self) -> PathBuf {
        self.directory.path().join("cert.pem")
    }

    /// The key, PEM.
    pub fn key(&self) -> PathBuf {
        self.directory.path().join("key.pem")
    }

    /// Directives of a virtual host that uses it.
    pub fn directives(&self) -> String {
        format!(
            "SSLEngine on\nSSLCertificateFile {}\nSSLCertificateKeyFile {}\n",
            self.certificate().display(),
            self.key().display()
        )
    }
}

/// What curl made of a request.
#[derive(Debug)]
pub struct Fetched {
    /// Its exit status: 0 for a complete response.
    pub exit: i32,
    /// Body.
    pub body: Vec<u8>,
    /// `HTTP version`, a blank and the status.
    pub summary: String,
    /// Its complaints.
    pub complaint: String,
}

impl Fetched {
    /// Body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Runs curl, certificates unchecked.
#[track_caller]
pub fn curl(arguments: &[&str]) -> Fetched {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--insecure", "--max-time", "30"])
        .args(["--write-out", "\n%{http_version} %{http_code}"])
        .args(arguments)
        .output()
        .unwrap_or_else(|e| panic!("cannot run curl: {e}; install curl"));
    let mut body = output.stdout;
    let end = body.iter().rposition(|octet| *octet == b'\n').unwrap_or(0);
    let summary = String::from_utf8_lossy(body.get(end + 1..).unwrap_or_default()).into_owned();
    body.truncate(end);
    Fetched {
        exit: output.status.code().unwrap_or(-1),
        body,
        summary,
        complaint: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
