//! Directives about what the backend is told.

use super::Line;
use crate::engine::config::indicators::Indicator;
use crate::httpd::config::ServerConf;

pub(super) fn options(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    for remark in conf.raw.options.add(&line.text(0))? {
        conf.raw.warnings.push((line.origin.clone(), remark));
    }
    conf.options = conf.raw.options.effective();
    Ok(())
}

pub(super) fn env_var(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    let default = line.words.get(1).map(|_| line.text(1));
    conf.raw.env_vars.add(&line.text(0), default.as_deref())
}

pub(super) fn extract_ssl(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    conf.raw.extract_ssl = Some(line.switch("JkExtractSSL")?);
    Ok(())
}

pub(super) fn trace(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    conf.raw.trace = Some(line.switch("JkTrace")?);
    Ok(())
}

pub(super) fn indicator(line: &Line<'_>, conf: &mut ServerConf, which: Indicator) -> Result<(), String> {
    conf.raw.names.set(which, &line.text(0));
    Ok(())
}
