//! Directives about the log.

use std::ffi::CString;

use super::Line;
use crate::engine::config::nearest::nearest;
use crate::engine::config::request_log;
use crate::engine::text::Escaped;
use crate::httpd::config::ServerConf;
use crate::httpd::joblog::Level;

pub(super) fn log_file(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    conf.raw.log_file = Some(line.located());
    Ok(())
}

pub(super) fn log_level(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    let word = line.text(0);
    let Some(level) = Level::parse(&word) else {
        let hint = nearest(&word.to_ascii_lowercase(), Level::WORDS.iter().map(|(name, _)| *name))
            .map_or_else(String::new, |name| format!("; did you mean {name}?"));
        return Err(format!(
            "JkLogLevel is trace, debug, info, warn, error or emerg, not \"{}\"{hint}",
            Escaped(word.as_bytes())
        ));
    };
    conf.raw.log_level = Some(level);
    Ok(())
}

pub(super) fn stamp_format(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    conf.raw.stamp = CString::new(line.word(0)).ok();
    Ok(())
}

pub(super) fn request_log(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    conf.raw.request_log = Some(request_log::parse(&line.text(0))?);
    Ok(())
}
