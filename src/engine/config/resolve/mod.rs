//! From properties to workers.
//!
//! Makes the workers of `worker.list` and the members of their balancers, fills in every default, and checks what one
//! property alone can not tell: members of the wrong type, equal routes, missing addresses, secrets. A set is returned
//! even with errors, so that all of them are found in one go; it must not be put into service then.

mod ajp13;
mod lb;
mod plan;
mod status;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
mod tls;

use std::time::Duration;

use self::plan::{Plan, Planned, Type};
use super::defs::{self, Apply};
use super::diagnostic::{Diagnostics, Origin, quoted};
use super::model::{Ajp13, Kind, Mount, Timeout, TlsTexts, Worker, WorkerSet};
use super::properties::{Properties, Property};
use super::raw::Reader;
use super::secret::{SHORT, Secret, SecretFile};
pub use tls::TlsFiles;

/// What some defaults depend on.
#[derive(Clone, Copy)]
pub struct Environment<'e> {
    /// Threads of each httpd process that handle requests; 1 for the prefork MPM.
    pub threads_per_child: usize,
    /// Reads a file named by `secret_file`; the error says which file it was and why it can not be read.
    pub read_secret: &'e dyn Fn(&str) -> Result<SecretFile, String>,
    /// Reads and checks the files of a worker with TLS; the error says which property it is about.
    pub read_tls: &'e ReadTls<'e>,
}

/// Reads and checks files; an error names the property.
pub type ReadTls<'e> = dyn Fn(&TlsFiles<'_>) -> Result<TlsTexts, (&'static str, String)> + 'e;

impl std::fmt::Debug for Environment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment")
            .field("threads_per_child", &self.threads_per_child)
            .finish_non_exhaustive()
    }
}

/// Time between two maintenance runs unless set.
const MAINTAIN: Timeout = Timeout::of(Duration::from_secs(60));

/// The workers that `properties` describe, and everything that is wrong with them.
pub fn resolve(properties: &Properties, environment: &Environment<'_>) -> (WorkerSet, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let plan = Plan::new(properties, &mut diagnostics);
    let mut context = Context { properties, environment, diagnostics };

    // Balancers need the routes and secrets of their members, so those come first.
    let ajp13: Vec<Option<Ajp13>> = plan
        .workers
        .iter()
        .map(|worker| worker.kind.relays().then(|| ajp13::resolve(&mut context, worker)))
        .collect();
    let mut without_secret: Vec<bool> =
        plan.workers.iter().zip(&ajp13).map(|(w, a)| w.listed && lacks_secret(a.as_ref())).collect();
    let mut workers = Vec::with_capacity(plan.workers.len());
    for (worker, ajp13_worker) in plan.workers.iter().zip(&ajp13) {
        let kind = match (worker.kind, ajp13_worker) {
            (Type::Lb, _) => {
                let lb = lb::resolve(&mut context, worker, &plan, &ajp13);
                for member in lb
                    .members
                    .iter()
                    .filter(|member| member.secret.is_none() && speaks_ajp(&ajp13, member.worker))
                {
                    if let Some(lacks) = without_secret.get_mut(member.worker) {
                        *lacks = true;
                    }
                }
                Kind::Lb(Box::new(lb))
            }
            (Type::Status, _) => Kind::Status(Box::new(status::resolve(&mut context, worker))),
            (Type::Ajp13 | Type::Http | Type::Https, resolved) => {
                // The plan has made exactly these; the default is never used.
                let Some(resolved) = resolved.clone() else { continue };
                Kind::Ajp13(Box::new(resolved))
            }
        };
        let mounts = context.mounts(worker);
        let (name, origin) = (worker.name.clone(), worker.origin.clone());
        workers.push(Worker { name, origin, mounts, kind });
    }
    context.report_missing_secrets(&workers, &without_secret);
    let maintain = context.maintain(&workers);
    let unlisted = plan.unlisted;
    (WorkerSet { list: plan.list, unlisted, workers, maintain }, context.diagnostics)
}

fn speaks_ajp(workers: &[Option<Ajp13>], place: usize) -> bool {
    matches!(workers.get(place), Some(Some(worker)) if worker.http.is_none())
}

fn lacks_secret(worker: Option<&Ajp13>) -> bool {
    worker.is_some_and(|ajp13| ajp13.http.is_none() && ajp13.secret.is_none())
}

/// What all steps need.
struct Context<'a> {
    properties: &'a Properties,
    environment: &'a Environment<'a>,
    diagnostics: Diagnostics,
}

impl Context<'_> {
    /// Where property `name` of the worker is set, else where the worker is defined.
    fn origin(&self, worker: &Planned<'_>, name: &str) -> Origin {
        let property = self.properties.of_worker(&worker.name, name);
        property.map_or_else(|| worker.origin.clone(), |p| p.origin().clone())
    }

    /// Gives each property of the worker to `apply`; reports those that its type does not have.
    fn apply(&mut self, worker: &Planned<'_>, mut apply: impl FnMut(Apply, &mut Reader<'_>)) {
        for property in &worker.properties {
            let name = defs::last_part(property.name());
            match defs::find_for(worker.kind.name(), name) {
                Some(def) => {
                    apply(def.apply, &mut Reader::new(property, def.default, &mut self.diagnostics));
                }
                // Templates serve workers of several types.
                None if property.is_inherited() => {}
                None if matches!(worker.kind, Type::Http | Type::Https)
                    && defs::find_for("ajp13", name).is_some() =>
                {
                    self.diagnostics.error(
                        property.origin(),
                        format!(
                            "{}: HTTP has nothing of the kind; only workers of type ajp13 have it",
                            quoted(property.name())
                        ),
                    );
                }
                None => self.diagnostics.warning(
                    property.origin(),
                    format!(
                        "{} has no effect: workers of type {} have no such property",
                        quoted(property.name()),
                        worker.kind.name()
                    ),
                ),
            }
        }
    }

    /// Reports a queue that can not work for want of another property: `queue` is its size and timeout, `most` the number of
    /// requests above which a worker has one.
    fn queue(&mut self, worker: &Planned<'_>, queue: (i32, i32), most: Option<u32>) {
        let (name, missing) = match (queue.0 > 0, queue.1 > 0, most) {
            (false, false, _) | (true, true, None | Some(1..)) => return,
            (true, true, Some(0)) => ("queue_size", "max_in_flight"),
            (true, false, _) => ("queue_size", "queue_timeout"),
            (false, true, _) => ("queue_timeout", "queue_size"),
        };
        let origin = self.origin(worker, name);
        let message = format!("worker.{}.{name} has no effect without {missing}", worker.name);
        self.diagnostics.warning(&origin, message);
    }

    /// The secret of a worker: its own, or the content of its file. What the worker sets itself goes before what its template
    /// says; both at one place is an error.
    fn secret(&mut self, worker: &Planned<'_>, given: Option<Secret>, file: Option<String>) -> Secret {
        let Some(file) = file else { return given.unwrap_or_default() };
        let origin = self.origin(worker, "secret_file");
        if let Some(given) = given {
            let inherited =
                |name| self.properties.of_worker(&worker.name, name).is_some_and(Property::is_inherited);
            match (inherited("secret"), inherited("secret_file")) {
                (false, true) => return given,
                (true, false) => {}
                _ => {
                    let message =
                        format!("worker.{0}.secret_file and worker.{0}.secret are both set", worker.name);
                    self.diagnostics.error(&origin, message);
                    return given;
                }
            }
        }
        let name = format!("worker.{}.secret_file", worker.name);
        let read = (self.environment.read_secret)(&file).and_then(|file| {
            file.secret().map(|secret| (secret, file.is_exposed())).map_err(|bad| bad.to_string())
        });
        match read {
            Ok((secret, exposed)) => {
                if exposed {
                    let message = format!("{name}: every user may read {}; chmod o-r", quoted(&file));
                    self.diagnostics.warning(&origin, message);
                }
                if secret.is_short() {
                    let message = format!("{name}: shorter than {SHORT} characters, can be guessed");
                    self.diagnostics.warning(&origin, message);
                }
                secret
            }
            Err(problem) => {
                self.diagnostics.error(&origin, format!("{name}: {problem}"));
                Secret::none()
            }
        }
    }

    fn mounts(&mut self, worker: &Planned<'_>) -> Vec<Mount> {
        let Some(property) = self.properties.of_worker(&worker.name, "mount") else { return Vec::new() };
        let mut mounts = Vec::new();
        for (pattern, origin) in property.items() {
            if pattern.strip_prefix(['!', '-']).unwrap_or(pattern).starts_with('/') {
                mounts.push(Mount { pattern: pattern.to_owned(), origin: origin.clone() });
            } else {
                let message = format!("{}: {} does not begin with '/'", property.name(), quoted(pattern));
                self.diagnostics.error(origin, message);
            }
        }
        if !worker.listed && !property.is_inherited() {
            let message =
                format!("{} has no effect: the worker is not in worker.list", quoted(property.name()));
            self.diagnostics.warning(property.origin(), message);
        }
        if worker.listed { mounts } else { Vec::new() }
    }

    fn report_missing_secrets(&mut self, workers: &[Worker], without_secret: &[bool]) {
        for (worker, _) in workers.iter().zip(without_secret).filter(|(_, lacks)| **lacks) {
            let Kind::Ajp13(ajp13) = &worker.kind else { continue };
            if ajp13.address.is_usable() && !ajp13.address.is_local() {
                let message = format!(
                    "worker {} relays to another machine ({}) without a secret: whoever reaches that port can send \
                     requests as this server; set worker.{}.secret and the secret of Tomcat's AJP connector",
                    quoted(&worker.name),
                    ajp13.address,
                    worker.name
                );
                self.diagnostics.warning(&worker.origin, message);
            }
        }
    }

    fn maintain(&mut self, workers: &[Worker]) -> Timeout {
        let Some(property) = self.properties.get("worker.maintain") else { return MAINTAIN };
        let mut reader = Reader::new(property, "60", &mut self.diagnostics);
        let Some(time) = reader.at_least(0).map(seconds) else { return MAINTAIN };
        if time.is_off() && workers.iter().any(|worker| matches!(worker.kind, Kind::Lb(_))) {
            reader.warning("without maintenance, failed members of balancers do not recover");
        }
        time
    }
}

/// The value of a property in milliseconds as a limit.
fn millis(value: i32) -> Timeout {
    Timeout::of(pause(value))
}

/// The value of a property in milliseconds as a time; zero for negative ones.
fn pause(value: i32) -> Duration {
    Duration::from_millis(u64::try_from(value).unwrap_or(0))
}

/// The value of a property in seconds as a limit.
fn seconds(value: impl TryInto<u32>) -> Timeout {
    Timeout::of(Duration::from_secs(u64::from(value.try_into().unwrap_or(0))))
}

/// The value of a property where zero and less mean the same as nothing.
fn limit(value: Option<i32>) -> u32 {
    value.map_or(0, |value| u32::try_from(value).unwrap_or(0))
}

/// The value of a property as a count; zero for negative ones.
fn count(value: i32) -> usize {
    usize::try_from(value).unwrap_or(0)
}

/// The worker's own properties, without what its template gave it.
fn own<'a>(properties: &[&'a Property]) -> Option<&'a Property> {
    properties.iter().find(|property| !property.is_inherited()).copied()
}
