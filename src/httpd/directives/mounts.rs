//! Directives about which URLs go where.

use super::Line;
use crate::engine::route::rules::{self, Kind};
use crate::engine::text::Escaped;
use crate::httpd::config::{MountCopy, ServerConf, StripSession};

pub(super) fn mount(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    rule(line, conf, Kind::Mount, "JkMount")
}

pub(super) fn unmount(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    rule(line, conf, Kind::Exclusion, "JkUnMount")
}

fn rule(line: &Line<'_>, conf: &mut ServerConf, kind: Kind, name: &str) -> Result<(), String> {
    let (pattern, worker) = match (line.section, line.words) {
        (None, [pattern, worker]) => (*pattern, *worker),
        (Some((section, path)), [worker]) => {
            check_section(line, conf, name, section, path)?;
            (path, *worker)
        }
        (None, _) => return Err(format!("{name} needs a pattern and a worker: {name} /app/* worker")),
        (Some((section, _)), _) => {
            return Err(format!(
                "{name} inside {} takes only the worker; the pattern is the argument of the section",
                Escaped(section)
            ));
        }
    };
    let origin = rules::Origin { file: line.origin.file.clone(), line: line.origin.line };
    let complaints = conf
        .raw
        .mounts
        .get_or_insert_default()
        .add(kind, pattern, worker, origin)
        .map_err(|error| format!("{name} {} {}: {error}", Escaped(pattern), Escaped(worker)))?;
    for complaint in complaints {
        conf.raw.warnings.push((line.origin.clone(), format!("{name} {}: {complaint}", Escaped(pattern))));
    }
    Ok(())
}

/// Sections give their argument as the pattern: literally, as mod_jk does.
fn check_section(
    line: &Line<'_>,
    conf: &mut ServerConf,
    name: &str,
    section: &[u8],
    path: &[u8],
) -> Result<(), String> {
    if section.eq_ignore_ascii_case(b"<Directory") || section.eq_ignore_ascii_case(b"<DirectoryMatch") {
        return Err(format!(
            "{name} inside {} would mount the URL {}, not the directory; use <Location> or a pattern",
            Escaped(section),
            Escaped(path)
        ));
    }
    if section.eq_ignore_ascii_case(b"<LocationMatch") {
        conf.raw.warnings.push((
            line.origin.clone(),
            format!("{name} inside <LocationMatch>: \"{}\" is taken as a wildcard pattern, not as a regular expression", Escaped(path)),
        ));
    } else if section.eq_ignore_ascii_case(b"<Location") && !path.contains(&b'*') && !path.contains(&b'?') {
        conf.raw.warnings.push((
            line.origin.clone(),
            format!(
                "{name} inside <Location {0}> covers only the URL {0} itself, not what is below it",
                Escaped(path)
            ),
        ));
    }
    Ok(())
}

pub(super) fn mount_copy(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    let word = line.word(0);
    conf.raw.mount_copy = Some(if word.eq_ignore_ascii_case(b"On") {
        MountCopy::On
    } else if word.eq_ignore_ascii_case(b"Off") {
        MountCopy::Off
    } else if word.eq_ignore_ascii_case(b"All") {
        if conf.is_virtual {
            return Err("JkMountCopy All can only stand in the main server; use On here".to_owned());
        }
        MountCopy::All
    } else {
        return Err(format!("JkMountCopy is On, Off or All, not \"{}\"", Escaped(word)));
    });
    Ok(())
}

pub(super) fn mount_file(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    conf.raw.mount_file = Some(line.located());
    Ok(())
}

pub(super) fn mount_file_reload(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    conf.raw.mount_file_reload = Some(line.seconds("JkMountFileReload")?);
    Ok(())
}

pub(super) fn auto_alias(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    conf.raw.auto_alias = Some(line.located());
    Ok(())
}

pub(super) fn strip_session(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    let on = line.switch("JkStripSession")?;
    let identifier = match line.word(1) {
        b"" => b";jsessionid".to_vec(),
        text => text.to_vec(),
    };
    conf.raw.strip_session = Some(StripSession { on, identifier });
    Ok(())
}
