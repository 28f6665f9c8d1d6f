//! Reads and checks the files of workers of type `https`: once at each start, restart and configuration test, by the user who
//! starts httpd. Children need no access to them.

use std::cell::OnceCell;
use std::io::Read;
use std::sync::Arc;

use super::mapping::os_path;
use crate::engine::config::model::{KeyText, TlsTexts};
use crate::engine::config::resolve::TlsFiles;
use crate::engine::text::Escaped;
use crate::ffi::server::Startup;
use crate::transport::tls::{Client, Part, Settings};

/// Most octets of a file: bundles of all public authorities have a quarter of a million.
const LONGEST: u64 = 4 * 1024 * 1024;
/// "Others" may read.
const OTHERS: u32 = 0o004;

/// Where systems keep the certificates of authorities in one file: Debian, Ubuntu, Arch; Fedora, RHEL; openSUSE; Alpine.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Reads files; what is read of the system is read once.
#[derive(Debug, Default)]
pub(super) struct Reader {
    system: OnceCell<Option<Arc<[u8]>>>,
}

impl Reader {
    /// The contents of the files of a worker, if they make sense together.
    ///
    /// # Errors
    /// The property that is wrong, and why.
    pub(super) fn read(
        &self,
        startup: &Startup<'_>,
        files: &TlsFiles<'_>,
    ) -> Result<TlsTexts, (&'static str, String)> {
        let of_system = files.authorities.is_none();
        let authorities = match files.authorities {
            Some(path) => Arc::from(content(startup, path).map_err(|problem| ("tls_ca", problem))?.0),
            None if !files.verify => Arc::from([]),
            None => self.system().ok_or_else(|| {
                ("tls_ca", "the system has no file with authorities; name one in tls_ca".to_owned())
            })?,
        };
        let mut exposed = false;
        let identity = match files.identity {
            None => None,
            Some((certificate, key)) => {
                let (chain, _) = content(startup, certificate).map_err(|problem| ("tls_cert", problem))?;
                let (key, open) = content(startup, key).map_err(|problem| ("tls_key", problem))?;
                exposed = open;
                Some((Arc::from(chain), Arc::new(KeyText::new(key))))
            }
        };
        let texts = TlsTexts { authorities, of_system, identity, exposed };
        match client(files.name, files.verify, files.least, &texts) {
            Ok(_) => Ok(texts),
            Err((part, problem)) => Err(match part {
                Part::Name => ("tls_name", format!("\"{}\": {problem}", Escaped(files.name.as_bytes()))),
                Part::Authorities => ("tls_ca", said(files.authorities, &problem)),
                Part::Certificate => ("tls_cert", said(files.identity.map(|pair| pair.0), &problem)),
                Part::Key => ("tls_key", said(files.identity.map(|pair| pair.1), &problem)),
            }),
        }
    }

    fn system(&self) -> Option<Arc<[u8]>> {
        let read = || {
            let own = std::env::var("SSL_CERT_FILE").ok();
            own.as_deref()
                .into_iter()
                .chain(BUNDLES)
                .find_map(|path| Some(Arc::from(std::fs::read(path).ok()?)))
        };
        self.system.get_or_init(read).clone()
    }
}

/// The settings of a worker as its connections need them.
///
/// # Errors
/// As [`Client::new`].
pub(super) fn client(
    name: &str,
    verify: bool,
    least: crate::engine::tls::Version,
    texts: &TlsTexts,
) -> Result<Client, (Part, String)> {
    Client::new(&Settings {
        name,
        authorities: &texts.authorities,
        lenient: texts.of_system,
        identity: texts.identity.as_ref().map(|(chain, key)| (&**chain, key.expose())),
        verify,
        least,
    })
}

fn said(path: Option<&str>, problem: &str) -> String {
    match path {
        Some(path) => format!("{}: {problem}", Escaped(path.as_bytes())),
        None => problem.to_owned(),
    }
}

/// The content of `path`, which may be relative to `ServerRoot`, and whether every user of the machine may read it.
fn content(startup: &Startup<'_>, path: &str) -> Result<(Vec<u8>, bool), String> {
    use std::os::unix::fs::MetadataExt as _;
    let Some(full) = startup.server_path(path.as_bytes()) else {
        return Err(format!("{}: not a usable path", Escaped(path.as_bytes())));
    };
    let failed = |error: std::io::Error| format!("{}: {error}", Escaped(full.to_bytes()));
    let path = os_path(full);
    // Asked before it is opened: opening a pipe would wait for its writer.
    let data = std::fs::metadata(&path).map_err(failed)?;
    if !data.is_file() {
        return Err(format!("{}: not a regular file", Escaped(full.to_bytes())));
    }
    if data.len() > LONGEST {
        return Err(format!("{}: larger than {LONGEST} bytes", Escaped(full.to_bytes())));
    }
    // Room for all of it, so that no copy of a key is left behind by growing.
    let mut content = Vec::with_capacity(usize::try_from(data.len()).unwrap_or(0) + 1);
    std::fs::File::open(&path)
        .and_then(|file| file.take(LONGEST).read_to_end(&mut content))
        .map_err(failed)?;
    Ok((content, data.mode() & OTHERS != 0))
}
