//! TLS of workers of type `https`. The files are read and checked by whoever resolves the workers, so that a configuration test
//! finds what is wrong with them.

use super::{Context, Planned};
use crate::engine::config::model::{Address, Tls};
use crate::engine::config::raw::RawAjp13;
use crate::engine::tls::Version;

/// What a worker says about TLS.
#[derive(Debug, Clone, Copy)]
pub struct TlsFiles<'a> {
    /// The name that is verified and sent.
    pub name: &'a str,
    /// Who answers is checked.
    pub verify: bool,
    /// Least protocol version.
    pub least: Version,
    /// `tls_ca`.
    pub authorities: Option<&'a str>,
    /// `tls_cert` and `tls_key`.
    pub identity: Option<(&'a str, &'a str)>,
}

pub(super) fn resolve(
    context: &mut Context<'_>,
    worker: &Planned<'_>,
    raw: &RawAjp13,
    address: &Address,
) -> Tls {
    let verify = raw.tls_verify.unwrap_or(true);
    let least = raw.tls_min_version.unwrap_or_default();
    let name = Tls::expected(raw.tls_name.as_deref(), address);
    if !verify {
        let origin = context.origin(worker, "tls_verify");
        let message = format!(
            "worker.{}.tls_verify: who answers is not checked; anybody on the way to the backend can read and change everything",
            worker.name
        );
        context.diagnostics.warning(&origin, message);
    }
    let identity = match (&raw.tls_cert, &raw.tls_key) {
        (Some(certificate), Some(key)) => Some((certificate.as_str(), key.as_str())),
        (None, None) => None,
        (given, _) => {
            let (has, lacks) =
                if given.is_some() { ("tls_cert", "tls_key") } else { ("tls_key", "tls_cert") };
            let origin = context.origin(worker, has);
            let message = format!("worker.{0}.{has} needs worker.{0}.{lacks}", worker.name);
            context.diagnostics.error(&origin, message);
            None
        }
    };
    let files = TlsFiles { name: &name, verify, least, authorities: raw.tls_ca.as_deref(), identity };
    let texts = match (context.environment.read_tls)(&files) {
        Ok(texts) => texts,
        Err((property, problem)) => {
            let origin = context.origin(worker, property);
            context.diagnostics.error(&origin, format!("worker.{}.{property}: {problem}", worker.name));
            Default::default()
        }
    };
    if texts.exposed {
        let origin = context.origin(worker, "tls_key");
        let message = format!("worker.{}.tls_key: every user may read it; chmod o-r", worker.name);
        context.diagnostics.warning(&origin, message);
    }
    Tls { name: raw.tls_name.clone(), verify, least, texts }
}
