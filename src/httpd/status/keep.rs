//! Changes made at run time outlive the server: brought back at a start, written with each change.
//!
//! The parent reads the file before the workers are made, so they come into being with the settings that were kept. Whoever
//! makes a change writes the file in its turn among those who change settings; when that fails, the change is in force
//! nevertheless, the log says so, and the process that probes for all tries again. The parent, which may be root, never
//! writes in a directory that belongs to its children: what a start drops is written by that process, too.

use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::keep_file::KeepFile;
use crate::engine::balance::admin::Drain;
use crate::engine::config::model::{Activation, WorkerSet};
use crate::engine::status::change::Target;
use crate::engine::status::keep::{self, Draining, Kept, Review};
use crate::engine::status::overrides::Overrides;
use crate::engine::status::property::Setting;
use crate::engine::units::Tick;
use crate::ffi::server::{Reading, Startup};
use crate::ffi::time;
use crate::httpd::joblog::Level;
use crate::httpd::mapping::os_path;
use crate::httpd::messages::{self, Message};
use crate::httpd::runtime::Generation;
use crate::shm::journal::{Journal, Turn};
use crate::transport::clock;

/// The file without `persist_file`, below `DefaultRuntimeDir`.
const DEFAULT: &[u8] = b"mod_jk_rs/changes.json";
/// Time between two attempts to write what could not be written.
const AGAIN: Duration = Duration::from_secs(5);

/// A line for the log.
pub type Note = (Level, Message, String);

/// What a start or restart has brought back, and what is to be said about it.
#[derive(Debug, Default)]
pub struct Brought {
    kept: Kept,
    /// The file says something else than what is in force now.
    outdated: bool,
    /// Lines for the log.
    pub notes: Vec<Note>,
}

fn unix() -> u64 {
    u64::try_from(time::wall().0).unwrap_or(0)
}

/// The file that this configuration asks for. `Err`: a path that cannot be used.
pub fn file(startup: &Startup<'_>, set: &WorkerSet) -> Result<Option<KeepFile>, String> {
    let named = keep::wanted(set).map_err(|[one, other]| {
        format!("worker.{one}.persist_file and worker.{other}.persist_file differ; changes are kept in one file for all")
    })?;
    let Some(named) = named else { return Ok(None) };
    let path =
        if named.is_empty() { startup.runtime_path(DEFAULT) } else { startup.server_path(named.as_bytes()) };
    let path: PathBuf =
        path.map(os_path).ok_or_else(|| format!("persist_file {named}: not a usable path"))?;
    if path.file_name().is_none() {
        return Err(format!("persist_file {named}: not the name of a file"));
    }
    Ok(Some(KeepFile::new(path, startup.identity())))
}

/// Before the workers are made: puts into the journal what was kept (at a start), and takes out of it what does not fit the
/// configuration any more.
pub fn bring_back(file: Option<&KeepFile>, reading: Reading, journal: Journal, set: &WorkerSet) -> Brought {
    let mut brought = Brought::default();
    let mut review = match (reading, file) {
        (Reading::Start, Some(file)) => load(file, &mut brought.notes),
        (Reading::Restart, _) => {
            let changes = Overrides::decode(&String::from_utf8_lossy(&journal.read().1));
            Review { kept: Kept { changes, drains: Vec::new() }, dropped: Vec::new() }
        }
        _ => return brought,
    };
    keep::review(&mut review, set);
    brought.outdated = !review.dropped.is_empty();
    let text = review.kept.changes.encode();
    if (brought.outdated || reading == Reading::Start) && text.as_bytes() != journal.read().1 {
        let published = journal.take_turn().and_then(|turn| turn.publish(text.as_bytes()));
        if let Err(error) = published {
            brought.notes.push((Level::Error, messages::KEPT_UNREADABLE, format!("kept changes: {error}")));
            return brought;
        }
    }
    let count = review.kept.changes.iter().count();
    if let (Reading::Start, Some(file)) = (reading, file)
        && count > 0
    {
        let text = format!(
            "{count} setting(s) changed at run time are in force again, from {}",
            file.path().display()
        );
        brought.notes.push((Level::Info, messages::KEPT_CHANGES, text));
    }
    let dropped = review.dropped.into_iter();
    brought.notes.extend(dropped.map(|line| {
        (Level::Warn, messages::KEPT_DROPPED, format!("a change made at run time ends: {line}"))
    }));
    brought.kept = review.kept;
    brought
}

fn load(file: &KeepFile, notes: &mut Vec<Note>) -> Review {
    let path = file.path().display();
    let content = match file.read() {
        Ok(Some(content)) => content,
        Ok(None) => return Review::default(),
        Err(error) => {
            let text = format!("{path}: {error}; the server starts with what is configured");
            notes.push((Level::Error, messages::KEPT_UNREADABLE, text));
            return Review::default();
        }
    };
    match keep::decode(&content) {
        Ok(review) => review,
        Err(why) => {
            let aside = match file.set_aside(unix()) {
                Ok(aside) => format!("it is kept as {}", aside.display()),
                Err(error) => format!("it could not be renamed: {error}"),
            };
            let text =
                format!("{path} is damaged: {why}; {aside}; the server starts with what is configured");
            notes.push((Level::Error, messages::KEPT_DAMAGED, text));
            Review::default()
        }
    }
}

/// After the workers were made: what stands in shared records, and a file that says what is in force.
pub fn restore(brought: &mut Brought, file: Option<&KeepFile>, reading: Reading, generation: &Generation) {
    let journal = generation.journal();
    if reading == Reading::Start {
        into_records(&brought.kept, generation);
        journal.set_saved(journal.version());
    }
    let Some(file) = file else { return };
    if let Err(error) = file.prepare() {
        let text = format!("{}: its directory cannot be made: {error}", file.path().display());
        brought.notes.push((Level::Error, messages::KEPT_UNWRITTEN, text));
        return;
    }
    let stale = reading == Reading::Restart && (!journal.read().1.is_empty() || file.path().exists());
    if brought.outdated || stale {
        // A child writes it: the parent has more rights than the owner of the directory should lend.
        journal.set_unsaved();
    }
}

fn into_records(kept: &Kept, generation: &Generation) {
    let find = |balancer: &str, member: &str| {
        let farm = generation.farms().iter().find(|farm| *farm.balancer.name == *balancer)?;
        Some((farm, farm.place_of(member)?))
    };
    for change in kept.changes.iter() {
        let Target::Member { balancer, member } = &change.target else { continue };
        let Some((farm, place)) = find(balancer, member) else { continue };
        match &change.current {
            Setting::Activation(activation) => farm.balancer.activate(place, *activation),
            Setting::LbFactor(factor) => farm.balancer.weigh(place, *factor),
            Setting::Distance(distance) => {
                if let Some(member) = farm.balancer.members.get(place) {
                    member.state.distance.store(*distance, Relaxed);
                }
            }
            _ => {}
        }
    }
    let (now, tick) = (unix(), clock::now());
    for Draining { balancer, member, until } in &kept.drains {
        let Some((farm, place)) = find(balancer, member) else { continue };
        let disabled = farm
            .balancer
            .members
            .get(place)
            .is_some_and(|member| member.state.activation() == Activation::Disabled);
        if disabled {
            // One that has ended meanwhile is stopped by the first look of the watchdog.
            let end = until.map(|until| tick.after(Duration::from_secs(until.saturating_sub(now))));
            farm.balancer.drain(place, end, tick);
        }
    }
}

/// Writes what is in force. `_turn`: nobody else changes settings meanwhile.
///
/// # Errors
/// A line for the log.
pub(super) fn save(generation: &Generation, file: &KeepFile, _turn: &Turn) -> Result<(), String> {
    let journal = generation.journal();
    let (version, text) = journal.read();
    let kept =
        Kept { changes: Overrides::decode(&String::from_utf8_lossy(&text)), drains: drains(generation) };
    match file.write(&keep::encode(&kept, unix())) {
        Ok(()) => {
            journal.set_saved(version);
            Ok(())
        }
        Err(error) => {
            journal.set_failed();
            Err(format!(
                "{}: {error}; changes made at run time are in force and end when httpd stops, unless this can be put right",
                file.path().display()
            ))
        }
    }
}

fn drains(generation: &Generation) -> Vec<Draining> {
    let (now, tick) = (unix(), clock::now());
    let mut found = Vec::new();
    for farm in generation.farms() {
        for member in &farm.balancer.members {
            let until = match member.drain() {
                None => continue,
                Some(Drain::Open) => None,
                Some(Drain::Until(end)) => Some(now.saturating_add(end.since(tick).as_secs())),
            };
            let (balancer, member) = (farm.balancer.name.to_string(), member.name.to_string());
            found.push(Draining { balancer, member, until });
        }
    }
    found
}

/// What the process that probes for all remembers of the file.
#[derive(Debug, Default)]
pub struct Keeping {
    /// When it was tried last.
    tried: Option<Tick>,
    /// It was said that it cannot be written.
    told: bool,
}

impl Keeping {
    /// This process has just begun to look after the file: can it be written at all?
    pub fn begin(&mut self, generation: &Generation) -> Option<Note> {
        let file = generation.facts.get()?.keep.as_ref()?;
        let error = file.try_out().err()?;
        self.told = true;
        let text = format!("{}: children can not write there: {error}", file.path().display());
        Some((Level::Error, messages::KEPT_UNWRITTEN, text))
    }

    /// Writes what could not be written before.
    pub fn look(&mut self, generation: &Generation, now: Tick) -> Option<Note> {
        let file = generation.facts.get()?.keep.as_ref()?;
        let journal = generation.journal();
        if journal.saved() == journal.version() || self.tried.is_some_and(|at| now.since(at) < AGAIN) {
            return None;
        }
        self.tried = Some(now);
        let failed = journal.has_failed();
        let turn = journal.take_turn().ok()?;
        match save(generation, file, &turn) {
            Ok(()) => {
                let text = format!("{}: changes made at run time are written now", file.path().display());
                let failed = std::mem::take(&mut self.told) || failed;
                failed.then_some((Level::Info, messages::KEPT_WRITTEN, text))
            }
            Err(why) => {
                let first = !std::mem::replace(&mut self.told, true);
                first.then_some((Level::Error, messages::KEPT_UNWRITTEN, why))
            }
        }
    }
}
