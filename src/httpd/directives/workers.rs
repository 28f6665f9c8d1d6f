//! Directives about workers and what all servers share.

use super::Line;
use crate::httpd::config::{Located, ServerConf};

pub(super) fn workers_file(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    if let Some(former) = &conf.raw.workers_file {
        return Err(format!("JkWorkersFile is given twice; the first is at {}", former.origin));
    }
    conf.raw.workers_file = Some(line.located());
    Ok(())
}

pub(super) fn worker_property(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    // What is wrong with it is found with everything else, by the check of the whole configuration.
    conf.raw.properties.push(Located { value: line.text(0), origin: line.origin.clone() });
    Ok(())
}

pub(super) fn shm_file(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    conf.raw.shm_file = Some(line.located());
    Ok(())
}

pub(super) fn shm_size(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    conf.raw.shm_size = Some(Located { value: line.text(0), origin: line.origin.clone() });
    conf.raw.warnings.push((line.origin.clone(), "JkShmSize has no effect: the size is computed".to_owned()));
    Ok(())
}

/// Text and negative numbers are 0 with mod_jk, and so here.
pub(super) fn watchdog(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    let seconds = line.text(0).parse().unwrap_or_else(|_| {
        let text = "JkWatchdogInterval is not a number of seconds; taken as 0 (off)".to_owned();
        conf.raw.warnings.push((line.origin.clone(), text));
        0
    });
    conf.raw.watchdog = Some(seconds);
    Ok(())
}
