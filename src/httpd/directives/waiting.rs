//! Directives about requests that wait without a thread.

use std::time::Duration;

use super::Line;
use crate::engine::text::Escaped;
use crate::httpd::config::{Async, ServerConf};

pub(super) fn mode(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    let word = line.word(0);
    let words = [(&b"Auto"[..], Async::Auto), (b"On", Async::On), (b"Off", Async::Off)];
    let found = words.iter().find(|(name, _)| word.eq_ignore_ascii_case(name));
    let Some((_, mode)) = found else {
        return Err(format!("JkAsync is Auto, On or Off, not \"{}\"", Escaped(word)));
    };
    conf.raw.async_mode = Some(*mode);
    Ok(())
}

pub(super) fn delay(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    let millis: u64 = line.text(0).parse().ok().filter(|millis| *millis <= 60_000).ok_or_else(|| {
        format!("JkAsyncDelay is a number of milliseconds from 0 to 60000, not \"{}\"", Escaped(line.word(0)))
    })?;
    conf.raw.async_delay = Some(Duration::from_millis(millis));
    Ok(())
}

pub(super) fn limit(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    let limit: u32 = line
        .text(0)
        .parse()
        .map_err(|_| format!("JkAsyncLimit is a number of requests, not \"{}\"", Escaped(line.word(0))))?;
    conf.raw.async_limit = usize::try_from(limit).ok();
    Ok(())
}
