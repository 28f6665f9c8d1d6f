//! list, maintain, type, reference, mount; deprecated and unknown names.

use mod_jk_rs::engine::config::defs::{self, Group, Standing};

use crate::effect::{covers, judge};
use crate::support::{Backend, Httpd, client};

#[test]
fn workers_are_listed_and_take_over_properties() {
    covers!("list", "type", "reference", "mount");
    let (one, two) = (Backend::start(), Backend::start());
    let workers = format!(
        "worker.list=a, b\tc\nworker.list=d\n\
         worker.base.host=127.0.0.1\nworker.base.port={}\nworker.base.type=ajp13\n\
         worker.middle.reference=worker.base\nworker.middle.fail_on_status=404\nworker.middle.retries=1\n\
         worker.a.reference=worker.base\nworker.b.reference=worker.middle\n\
         worker.c.reference=worker.middle\nworker.c.port={}\nworker.c.fail_on_status=405\n\
         worker.d.reference=worker.base\nworker.d.mount=/d/* !/d/no/*\nworker.d.mount=/e\nworker.d.mount=-/f\n",
        one.port(),
        two.port()
    );
    let conf = ["a", "b", "c"].map(|name| format!("JkMount /{name}/* {name}\n")).concat();
    let httpd = Httpd::builder().workers(workers).conf(conf).start();
    for (path, status) in [
        ("/a/x", 200),
        ("/a/status/404", 404),
        ("/b/x", 200),
        ("/b/status/404", 503),
        ("/c/status/404", 404),
        ("/c/status/405", 503),
        ("/d/x", 200),
        ("/d/no/x", 404),
        ("/e", 200),
        ("/f", 404),
    ] {
        assert_eq!(client::get(httpd.port(), path).status, status, "{path}");
    }
    let of = |backend: &Backend, path: &str| {
        backend.requests().iter().any(|request| request.uri.starts_with(path))
    };
    assert!(of(&one, "/a") && of(&one, "/b") && of(&one, "/d") && !of(&one, "/c") && of(&two, "/c"));
    assert!(!of(&one, "/d/no") && !of(&one, "/f"), "excluded and disabled");
}

#[test]
fn mistakes_in_the_structure_are_named() {
    covers!("list", "type", "reference", "mount", "maintain");
    let httpd = Httpd::builder().prepare();
    let property = |lines: &str| {
        lines.lines().map(|line| format!("JkWorkerProperty worker.{line}\n")).collect::<String>()
    };
    for (lines, wanted) in [
        ("ajp13.type=ajp14", "type ajp14 is not supported any more; use type ajp13"),
        ("ajp13.type=ajp31", "unknown type 'ajp31'; did you mean 'ajp13'?"),
        ("ajp13.type=AJP13", "unknown type 'AJP13'"),
        ("list=a\nb.port=1", "warning: worker 'b' is not used"),
        ("list=a", "warning: worker 'a' has no properties"),
        ("ajp13.reference=worker.none", "no property begins with 'worker.none.'"),
        ("ajp13.reference=worker.a\na.reference=worker.ajp13", "references form a loop"),
        ("ajp13.mount=m/*", "'m/*' does not begin with '/'"),
        ("list=a\na.port=1\nb.mount=/x", "warning: worker 'b' is not used"),
        ("maintain=abc", "not a number: 'abc'"),
        ("maintain=-5", "warning: -5 is too low, 0 is used"),
        ("ajp13.port=1\najp13.port=2", "warning: was already set to '1'"),
        ("ajp13.redirect=x\najp13.route=y", ""),
        ("ajp13.balance_workers=x", "warning: workers of type ajp13 have no such property"),
    ] {
        judge(&httpd, &[(&property(lines), wanted)]);
    }
}

#[test]
fn old_names_are_accepted_and_the_new_ones_are_told() {
    covers!("cachesize", "cache_timeout", "recycle_timeout", "jvm_route", "disabled", "stopped");
    covers!("local_worker", "local_worker_only", "secretkey", "sysprops", "stderr", "stdout", "mx", "ms");
    covers!("class_path", "bridge", "jvm_lib", "ld_path", "cmd_line", "native_lib");
    let backend = Backend::start();
    let old: Vec<(&str, &str)> = defs::table()
        .iter()
        .filter(|def| matches!(def.group, Group::Relay | Group::Ajp13 | Group::Member | Group::Obsolete))
        .filter_map(|def| match def.standing {
            Standing::Deprecated(instead) => Some((def.name, instead)),
            Standing::Current => None,
        })
        .collect();
    assert!(old.len() > 15);
    let lines: String = old.iter().map(|(name, _)| format!("worker.w.{name}=5\n")).collect();
    let httpd = Httpd::builder().workers(backend.worker("w") + &lines).conf("JkMount /* w").start();
    let log = httpd.error_log();
    for (name, instead) in &old {
        let text = format!("'worker.w.{name}' is deprecated: {instead}");
        assert_eq!(log.matches(&text).count(), 1, "{text}: {log}");
    }
    for (name, new) in [
        ("cachesize", "connection_pool_size"),
        ("cache_timeout", "connection_pool_timeout"),
        ("recycle_timeout", "connection_pool_timeout"),
        ("jvm_route", "route"),
        ("disabled", "activation=disabled"),
        ("stopped", "activation=stopped"),
        ("local_worker", "distance"),
        ("secretkey", "secret with type ajp13"),
    ] {
        let instead = old.iter().find(|(known, _)| *known == name).expect(name).1;
        assert!(instead.contains(&format!("use {new}")), "{name}: {instead}");
    }
    assert_eq!(
        client::get(httpd.port(), "/x").status,
        200,
        "they change nothing for a worker that is no member"
    );
}
