//! Helpers of the tests of balancing: a balancer from lines.

use crate::engine::config::diagnostic::Severity;
use crate::engine::config::loader::Loader;
use crate::engine::config::model::{Kind, Lb};
use crate::engine::config::resolve::{Environment, resolve};

/// Balancer `l` with the members `a` and `b` and these lines, which have no error.
pub(super) fn balancer(lines: &str) -> Lb {
    let mut loader = Loader::new(&|_| None);
    let text = format!("worker.list=l\nworker.l.type=lb\nworker.l.balance_workers=a,b\n{lines}");
    loader.file("w.properties", text.as_bytes());
    let (properties, _) = loader.finish();
    let environment = Environment {
        threads_per_child: 1,
        read_secret: &|_| Err("none".to_owned()),
        read_tls: &|_| Ok(Default::default()),
    };
    let (set, found) = resolve(&properties, &environment);
    let errors: Vec<_> = found.iter().filter(|problem| problem.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:?}");
    match set.get("l").map(|worker| &worker.kind) {
        Some(Kind::Lb(lb)) => (**lb).clone(),
        other => panic!("{other:?}"),
    }
}
