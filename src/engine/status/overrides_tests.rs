use super::*;
use crate::engine::config::loader::Loader;
use crate::engine::config::model::{Activation, Address, Kind, Method, WorkerSet};
use crate::engine::config::resolve::{Environment, resolve};

fn set() -> WorkerSet {
    let mut loader = Loader::new(&|_| None);
    let lines = "worker.list=lb\nworker.lb.type=lb\nworker.lb.balance_workers=a,b\nworker.a.host=10.0.0.1\n\
                 worker.a.port=8009\nworker.b.host=10.0.0.2\n";
    loader.file("w.properties", lines.as_bytes());
    let read_secret = |_: &str| Err(String::new());
    resolve(
        &loader.finish().0,
        &Environment {
            threads_per_child: 1,
            read_secret: &read_secret,
            read_tls: &|_| Ok(Default::default()),
        },
    )
    .0
}

fn ajp<'s>(set: &'s WorkerSet, name: &str) -> &'s Ajp13 {
    match &set.get(name).unwrap().kind {
        Kind::Ajp13(ajp) => ajp,
        other => panic!("{other:?}"),
    }
}

fn member(name: &str) -> Target {
    Target::Member { balancer: "lb".into(), member: name.into() }
}

#[test]
fn texts_come_back_as_they_were() {
    let mut all = Overrides::default();
    all.set(&Target::Balancer("lb".into()), Some(Setting::LbRetries(2)), &Setting::LbRetries(5));
    all.set(&member("a"), Some(Setting::Route("a".into())), &Setting::Route(String::new()));
    all.set(&member("a"), Some(Setting::Port(0)), &Setting::Port(9009));
    all.set(
        &member("b"),
        Some(Setting::Activation(Activation::Active)),
        &Setting::Activation(Activation::Stopped),
    );
    let text = all.encode();
    assert_eq!(text.lines().count(), 4);
    assert!(text.contains("w\ta\tvaprt\t0\t9009\n"), "{text}");
    assert_eq!(Overrides::decode(&text), all);
    for broken in
        ["", "x", "b\tlb", "b\tlb\tvlr\t2", "b\tlb\tvlr\t2\tx", "b\tlb\tvlr\t2\t5\t6", "b\tlb\tnone\t2\t5"]
    {
        assert_eq!(Overrides::decode(broken), Overrides::default(), "{broken:?}");
    }
}

#[test]
fn the_last_change_counts_and_the_configured_value_ends_it() {
    let mut all = Overrides::default();
    let target = Target::Balancer("lb".into());
    all.set(&target, Some(Setting::LbRetries(2)), &Setting::LbRetries(5));
    all.set(&target, Some(Setting::LbRetries(2)), &Setting::LbRetries(6));
    assert_eq!(all.iter().count(), 1);
    all.set(&target, Some(Setting::LbRetries(2)), &Setting::LbRetries(2));
    assert_eq!(all.iter().count(), 0);
}

#[test]
fn they_change_what_the_configuration_says() {
    let set = set();
    let mut all = Overrides::default();
    all.set(&member("a"), Some(Setting::Host("10.0.0.1".into())), &Setting::Host("10.0.0.9".into()));
    all.set(&member("a"), Some(Setting::Route("a".into())), &Setting::Route("d2.x".into()));
    all.set(
        &Target::Balancer("lb".into()),
        Some(Setting::Method(Method::Request)),
        &Setting::Method(Method::Busyness),
    );
    let (a, b) = (ajp(&set, "a"), ajp(&set, "b"));
    assert_eq!(all.backend("a", a).address, Address::Tcp { host: "10.0.0.9".into(), port: 8009 });
    assert_eq!(all.backend("b", b), *b);
    let own = all.member("lb", "a", a);
    assert_eq!((own.route.as_str(), own.domain.as_str()), ("d2.x", "d2"));
    assert_eq!(all.member("other", "a", a), a.member);
    all.set(&member("a"), Some(Setting::Domain(String::new())), &Setting::Domain("mine".into()));
    assert_eq!(all.member("lb", "a", a).domain, "mine");
    let Kind::Lb(lb) = &set.get("lb").unwrap().kind else { panic!() };
    assert_eq!(all.balancer("lb", lb).method, Method::Busyness);
}

#[test]
fn a_changed_file_wins() {
    let set = set();
    let mut all = Overrides::default();
    all.set(&member("a"), Some(Setting::Port(1234)), &Setting::Port(9009));
    assert_eq!(all.backend("a", ajp(&set, "a")), *ajp(&set, "a"), "the file says 8009, not 1234 any more");
}

#[test]
fn drift_names_what_differs() {
    let set = set();
    let a = ajp(&set, "a");
    let configured = settings::member("a", a, &a.member);
    let mut now = configured.clone();
    assert_eq!(member_drift(&configured, &now), []);
    now.distance = 3;
    now.backend.port = 1;
    let found = member_drift(&configured, &now);
    let names: Vec<_> = found.iter().map(|drift| drift.property.as_str()).collect();
    assert_eq!(names, ["distance", "port"]);
    assert_eq!((found[1].configured.as_str(), found[1].current.as_str()), ("8009", "1"));
}
