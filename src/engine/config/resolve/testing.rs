//! Helpers of the tests of properties: workers from lines.

use super::{Environment, resolve};
use crate::engine::config::diagnostic::{Diagnostics, Severity};
use crate::engine::config::loader::Loader;
use crate::engine::config::model::{Ajp13, Kind, Lb, Status, WorkerSet};
use crate::engine::config::secret::SecretFile;

/// Threads of a process in all tests.
pub(in crate::engine::config) const THREADS: usize = 25;

/// Files that `secret_file` may name.
fn read_secret(path: &str) -> Result<SecretFile, String> {
    match path {
        "good" => Ok(SecretFile::new(b"0123456789abcdef\n".to_vec(), false)),
        "open" => Ok(SecretFile::new(b"0123456789abcdef".to_vec(), true)),
        "short" => Ok(SecretFile::new(b"s3cr3t".to_vec(), false)),
        "empty" => Ok(SecretFile::new(b"\n".to_vec(), false)),
        _ => Err(format!("{path}: No such file")),
    }
}

/// The set and all problems of a file.
pub(in crate::engine::config) fn load(lines: &str) -> (WorkerSet, Diagnostics) {
    let mut loader = Loader::new(&|_| None);
    loader.file("w.properties", lines.as_bytes());
    let (properties, mut diagnostics) = loader.finish();
    let environment = Environment {
        threads_per_child: THREADS,
        read_secret: &read_secret,
        read_tls: &|_| Ok(Default::default()),
    };
    let (set, found) = resolve(&properties, &environment);
    diagnostics.append(found);
    (set, diagnostics)
}

/// The problems of that severity, as printed.
pub(in crate::engine::config) fn problems(diagnostics: &Diagnostics, severity: Severity) -> Vec<String> {
    diagnostics.iter().filter(|d| d.severity == severity).map(ToString::to_string).collect()
}

/// Worker `w` of type `ajp13`, listed, with these lines.
pub(in crate::engine::config) fn ajp(lines: &str) -> Ajp13 {
    match find("w", &format!("worker.list=w\nworker.w.type=ajp13\n{lines}")) {
        Kind::Ajp13(worker) => *worker,
        other => panic!("{other:?}"),
    }
}

/// Worker `l` of type `lb` with the members `a` and `b`, listed, with these lines.
pub(in crate::engine::config) fn balancer(lines: &str) -> Lb {
    match find("l", &balancer_lines(lines)) {
        Kind::Lb(worker) => *worker,
        other => panic!("{other:?}"),
    }
}

/// The file of [`balancer`].
pub(in crate::engine::config) fn balancer_lines(lines: &str) -> String {
    format!(
        "worker.list=l\nworker.l.type=lb\nworker.l.balance_workers=a,b\nworker.a.port=8009\nworker.b.port=8010\n{lines}"
    )
}

/// Worker `s` of type `status`, listed, with these lines.
pub(in crate::engine::config) fn status(lines: &str) -> Status {
    match find("s", &format!("worker.list=s\nworker.s.type=status\n{lines}")) {
        Kind::Status(worker) => *worker,
        other => panic!("{other:?}"),
    }
}

fn find(name: &str, lines: &str) -> Kind {
    let (set, _) = load(lines);
    set.get(name).map(|worker| worker.kind.clone()).expect("the worker is made")
}

/// The errors of worker `w` of type `ajp13` with these lines.
pub(in crate::engine::config) fn errors_of(lines: &str) -> Vec<String> {
    problems(&load(&format!("worker.list=w\nworker.w.type=ajp13\n{lines}")).1, Severity::Error)
}

/// The warnings of worker `w` of type `ajp13` with these lines.
pub(in crate::engine::config) fn warnings_of(lines: &str) -> Vec<String> {
    problems(&load(&format!("worker.list=w\nworker.w.type=ajp13\n{lines}")).1, Severity::Warning)
}
