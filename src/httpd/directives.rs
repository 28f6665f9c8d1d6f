//! The directives: one entry each, with where it may stand, its arguments, its documentation and what it does.
//!
//! Adding a directive is one entry of [`TABLE`] and one function; httpd's command table and the documentation follow.

use super::config::{Located, MountCopy, ServerConf};
use super::joblog::Level;
use crate::engine::config::diagnostic::Origin;
use crate::engine::config::nearest::nearest;
use crate::engine::route::rules::{self, Kind};
use crate::engine::text::Escaped;
use crate::ffi::command::{Command, Directive, Place, Split};

/// A directive.
pub struct Def {
    command: Directive,
    /// Fewest and most words; ignored for raw lines.
    words: (usize, usize),
    /// Only in the main server.
    global: bool,
    /// Default as shown to administrators.
    default: &'static str,
    /// One sentence for administrators.
    doc: &'static str,
    apply: fn(&Line<'_>, &mut ServerConf) -> Result<(), String>,
}

/// A directive as written.
struct Line<'c> {
    words: &'c [&'c [u8]],
    origin: Origin,
    section: Option<(&'c [u8], &'c [u8])>,
}

macro_rules! directive {
    ($name:literal, $place:ident, $split:ident, $words:expr, $global:literal, $default:literal, $usage:literal, $doc:literal, $apply:expr) => {
        Def {
            command: Directive { name: $name, place: Place::$place, split: Split::$split, usage: $usage },
            words: $words,
            global: $global,
            default: $default,
            doc: $doc,
            apply: $apply,
        }
    };
}

/// All directives.
pub static TABLE: [Def; 9] = [
    directive!(
        c"JkWorkersFile",
        Server,
        Words,
        (1, 1),
        true,
        "none",
        c"the file with the worker properties",
        "The file with the worker properties, relative to ServerRoot.",
        workers_file
    ),
    directive!(
        c"JkWorkerProperty",
        Server,
        Raw,
        (1, 1),
        true,
        "none",
        c"name=value, one line of a workers file",
        "One line of worker properties; may be repeated. Read before JkWorkersFile.",
        worker_property
    ),
    directive!(
        c"JkMount",
        Section,
        Words,
        (1, 2),
        false,
        "none",
        c"a pattern and a worker; inside a section only the worker",
        "Sends the URLs that match the pattern to the worker. Inside <Location> the pattern is the section's own argument.",
        mount
    ),
    directive!(
        c"JkUnMount",
        Section,
        Words,
        (1, 2),
        false,
        "none",
        c"a pattern and a worker, or * for all workers",
        "Takes the URLs that match the pattern away from the worker (`*`: from all).",
        unmount
    ),
    directive!(
        c"JkMountCopy",
        Server,
        Words,
        (1, 1),
        false,
        "Off",
        c"On, Off, or All (main server only)",
        "On: the virtual host also uses the mounts of the main server. All, in the main server: every virtual host does that does not say Off.",
        mount_copy
    ),
    directive!(
        c"JkLogFile",
        Server,
        Words,
        (1, 1),
        false,
        "logs/mod_jk.log",
        c"a file, |program, or error_log",
        "Where the log goes: a file relative to ServerRoot, a program after `|`, or `error_log` for httpd's ErrorLog.",
        log_file
    ),
    directive!(
        c"JkLogLevel",
        Server,
        Words,
        (1, 1),
        false,
        "info",
        c"trace, debug, info, warn, error or emerg",
        "Lines below this level are not written.",
        log_level
    ),
    directive!(
        c"JkShmFile",
        Server,
        Words,
        (1, 1),
        true,
        "none",
        c"a file for shared memory",
        "Accepted; nothing needs shared memory in this version.",
        shm_file
    ),
    directive!(
        c"JkShmSize",
        Server,
        Words,
        (1, 1),
        true,
        "computed",
        c"a size in KiB",
        "Accepted and ignored: the size is computed.",
        shm_size
    ),
];

/// The same for httpd.
pub static COMMANDS: [Directive; TABLE.len()] = {
    let mut commands = [TABLE[0].command; TABLE.len()];
    let mut i = 0;
    while i < TABLE.len() {
        commands[i] = TABLE[i].command;
        i += 1;
    }
    commands
};

/// Takes a directive into the record of its server.
///
/// # Errors
/// A message for the administrator.
pub fn apply(command: &Command<'_>, conf: &mut ServerConf) -> Result<(), String> {
    let Some(def) = TABLE.get(command.index) else { return Err("unknown directive".to_owned()) };
    let name = def.command.name.to_string_lossy();
    if def.global && conf.is_virtual {
        return Err(format!("{name} cannot stand in a <VirtualHost>; move it to the main server"));
    }
    let (least, most) = def.words;
    if command.words.len() < least || command.words.len() > most {
        let count = if least == most { least.to_string() } else { format!("{least} or {most}") };
        return Err(format!("{name} takes {count} argument(s): {}", def.command.usage.to_string_lossy()));
    }
    if def.command.split == Split::Words && command.words.first().is_some_and(|word| word.is_empty()) {
        return Err(format!("{name} needs an argument: {}", def.command.usage.to_string_lossy()));
    }
    let (file, line) = command.position();
    let line = Line {
        words: &command.words,
        origin: Origin::new(String::from_utf8_lossy(file).into_owned(), line),
        section: command.section(),
    };
    (def.apply)(&line, conf)
}

/// The table as Markdown.
pub fn markdown() -> String {
    let mut text = String::from("| Directive | Where | Default | What it does |\n|---|---|---|---|\n");
    for def in &TABLE {
        let place = match (def.global, def.command.place) {
            (true, _) => "main server",
            (false, Place::Server) => "main server, virtual host",
            (false, Place::Section) => "main server, virtual host, `<Location>`",
        };
        let doc = def.doc.replace('|', "\\|").replace('<', "&lt;");
        text.push_str(&format!(
            "| `{}` | {place} | {} | {doc} |\n",
            def.command.name.to_string_lossy(),
            def.default
        ));
    }
    text
}

impl Line<'_> {
    fn word(&self, index: usize) -> &[u8] {
        self.words.get(index).copied().unwrap_or_default()
    }

    fn located(&self) -> Located<Vec<u8>> {
        Located { value: self.word(0).to_vec(), origin: self.origin.clone() }
    }
}

fn workers_file(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    if let Some(former) = &conf.raw.workers_file {
        return Err(format!("JkWorkersFile is given twice; the first is at {}", former.origin));
    }
    conf.raw.workers_file = Some(line.located());
    Ok(())
}

fn worker_property(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    let value = String::from_utf8_lossy(line.word(0)).into_owned();
    conf.raw.properties.push(Located { value, origin: line.origin.clone() });
    Ok(())
}

fn mount(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    rule(line, conf, Kind::Mount, "JkMount")
}

fn unmount(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
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

fn mount_copy(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
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

fn log_file(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    conf.raw.log_file = Some(line.located());
    Ok(())
}

fn log_level(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    let word = String::from_utf8_lossy(line.word(0)).into_owned();
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

fn shm_file(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    conf.raw.shm_file = Some(line.located());
    Ok(())
}

fn shm_size(line: &Line<'_>, conf: &mut ServerConf) -> Result<(), String> {
    let value = String::from_utf8_lossy(line.word(0)).into_owned();
    conf.raw.shm_size = Some(Located { value, origin: line.origin.clone() });
    Ok(())
}
