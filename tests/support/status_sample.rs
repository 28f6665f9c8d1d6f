//! The workers that the tests of the status worker show: a balancer with three members, and a worker of its own.
//!
//! The same configuration is in `tests/status_original.rs` for the original mod_jk. The file is also part of the unit
//! tests, so it names what it needs through its parent.

use super::model::{Activation, Condition, Lock, Method, Persist, Rating, StateClass, Status};
use super::view::{
    AjpWorker, Backend, Balancer, Cause, Clock, LastError, Map, Member, Server, SessionIds, State, View,
};

/// The moment of the picture.
pub const NOW: u64 = 1_795_396_344;
/// When the counters began.
pub const START: u64 = NOW - 21;

/// The settings of a status worker with all defaults.
pub fn settings() -> Status {
    let state = |state| [Condition::State(state), Condition::State(state)];
    let active = |state| [Condition::Activation(Activation::Active), Condition::State(state)];
    let stopped = Condition::Activation(Activation::Stopped);
    Status {
        css: String::new(),
        prefix: "worker".into(),
        ns: "jk:".into(),
        xmlns: "xmlns:jk=\"http://tomcat.apache.org\"".into(),
        doctype: String::new(),
        read_only: false,
        user: Vec::new(),
        user_case_insensitive: false,
        good: Rating(
            [StateClass::Ok, StateClass::Idle, StateClass::Busy, StateClass::Recovering].map(active).into(),
        ),
        bad: Rating(vec![[stopped, stopped], state(StateClass::Error)]),
        persist: Persist::No,
    }
}

fn backend(name: &str, port: u16) -> Backend {
    Backend {
        name: name.into(),
        host: "127.0.0.1".into(),
        port,
        address: format!("127.0.0.1:{port}"),
        ping_timeout: 10_000,
        retries: 2,
        retry_interval: 100,
        max_packet_size: 8192,
        last_reset: START,
        ..Backend::default()
    }
}

fn map(server: &str, uri: &str, kind: &str) -> Map {
    Map {
        server: server.into(),
        uri: uri.into(),
        kind: kind.into(),
        source: "JkMount".into(),
        ..Map::default()
    }
}

/// The picture: `n1` (in error), `n2` (fine) and `n3` (disabled) in balancer `lb`, and the worker `solo`.
pub fn view() -> View {
    let n1 = Member {
        backend: Backend {
            connect_timeout: 10_000,
            prepost_timeout: 10_000,
            connection_ping_interval: 100,
            used: 2,
            transferred: 425,
            read: 305,
            max_busy: 1,
            connected: 2,
            max_connected: 2,
            last_error: Some(LastError {
                at: NOW,
                cause: Cause::Connect,
                detail: "connecting to 127.0.0.1:20211: Connection refused".into(),
            }),
            ..backend("n1", 20_211)
        },
        activation: Activation::Active,
        lbfactor: 1,
        route: "n1".into(),
        state: State::Error,
        lbmult: 2,
        lbvalue: 4,
        sessions: 2,
        errors: 1,
        first_error: Some(NOW),
        ..Member::default()
    };
    let n2 = Member {
        backend: backend("n2", 20_212),
        lbfactor: 2,
        route: "n2".into(),
        redirect: "n1".into(),
        domain: "d1".into(),
        state: State::Ok,
        lbmult: 1,
        ..Member::default()
    };
    let n3 = Member {
        backend: backend("n3", 20_213),
        activation: Activation::Disabled,
        lbfactor: 1,
        route: "n3".into(),
        lbmult: 2,
        ..Member::default()
    };
    let rules = |server: &str| {
        let ext = Map {
            reply_timeout: Some(5000),
            stateless: true,
            fail_on_status: "500,-503".into(),
            active: "n1".into(),
            disabled: "n3".into(),
            use_server_errors: 400,
            ..map(server, "/ext/*", "Wildchar")
        };
        [map(server, "/app/*.png", "Unmount Wildchar"), map(server, "/app/*", "Wildchar"), ext]
    };
    let (main, vhost) = ("lab.test:20200", "lab.test [127.0.0.1:20200]");
    let lb = Balancer {
        name: "lb".into(),
        sticky_session: true,
        sticky_session_force: false,
        retries: 2,
        retry_interval: 100,
        recover_time: 60,
        error_escalation_time: 30,
        max_reply_timeouts: 0,
        method: Method::Request,
        lock: Lock::Optimistic,
        busy: 0,
        max_busy: 1,
        last_reset: START,
        last_maintenance: NOW - 21,
        members: vec![n1, n2, n3],
        maps: rules(main).into_iter().chain(rules(vhost)).collect(),
        queued: 0,
        refused: 0,
        sessions: SessionIds::default(),
        drift: Vec::new(),
    };
    let solo = AjpWorker {
        backend: Backend {
            used: 1,
            transferred: 212,
            read: 164,
            max_busy: 1,
            connected: 1,
            max_connected: 1,
            ..backend("solo", 20_215)
        },
        state: State::Ok,
        errors: 0,
        maps: vec![
            map(main, "/solo/*", "Wildchar"),
            map(vhost, "/solo/*", "Wildchar"),
            map(vhost, "/own/*", "Wildchar"),
        ],
    };
    View {
        server: Server {
            name: "127.0.0.1".into(),
            port: 20_200,
            software: "Apache/2.4.71 (Debian) mod_jk/1.2.48".into(),
            version: "mod_jk/1.2.48".into(),
        },
        clock: Clock { unix: NOW, offset: 0 },
        maintain: 60,
        balancers: vec![lb],
        workers: vec![solo],
        status_workers: vec!["st".into()],
        properties: vec![
            ("ServerRoot".into(), "/srv".into()),
            ("worker.list".into(), "lb,solo,st".into()),
            ("worker.n3.secret".into(), "********".into()),
        ],
        open: false,
        ..View::default()
    }
}
