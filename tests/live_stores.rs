//! Sessions in a store that two real Tomcats share: files, PostgreSQL, redis-server and memcached.
//!
//! One pair of Tomcats has an application for each store, so each node is killed once for all of them. The store classes for
//! Redis and memcached are the tests' own (`tests/support/cluster/java`). With `MOD_JK_RS_SO` naming the original mod_jk the
//! same scenarios measure that one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test")]
#![allow(unreachable_pub, reason = "a test")]

mod support;

#[path = "live_stores/scenarios.rs"]
mod scenarios;

use std::os::unix::fs::PermissionsExt;

use scenarios::Stores;
use support::cluster::document::{fill, piece};
use support::cluster::stores::{StoreServer, postgresql_driver};
use support::cluster::{Application, Cluster, Replication, Scenarios};
use support::tempdir::TempDir;

#[test]
fn stores() {
    let files = TempDir::new("sessions");
    std::fs::set_permissions(files.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let database = StoreServer::postgresql();
    for statement in piece("table").split(';').filter(|statement| !statement.trim().is_empty()) {
        database.sql(statement);
    }
    let (redis, memcached) = (StoreServer::redis(), StoreServer::memcached());

    let path = files.path().display().to_string();
    let url = format!("//127.0.0.1:{}/sessions", database.port());
    let jdbc = fill(
        piece("context-jdbc"),
        &[("//db.example.com:5432/sessions", &url), ("username=\"tomcat\"", "username=\"sessions\"")],
    );
    // A store of the tests takes the place of FileStore.
    let own = |class: &str, server: &StoreServer| {
        let file_store = "className=\"org.apache.catalina.session.FileStore\" directory=\"/srv/sessions\"";
        let store = format!("className=\"{class}\" port=\"{}\"", server.port());
        fill(piece("context-file"), &[(file_store, &store)])
    };
    let applications = [
        Application::new("file").context(fill(piece("context-file"), &[("/srv/sessions", &path)])),
        Application::new("jdbc").context(jdbc).jar(postgresql_driver()),
        Application::new("redis").context(own("RedisStore", &redis)),
        Application::new("memcached").context(own("MemcachedStore", &memcached)),
    ];
    let cluster = Cluster::start(2, Replication::None, &applications);
    let mut stores = Stores { cluster, files, database, redis, memcached };

    let mut scenarios = Scenarios::default();
    scenarios.play("the owner of sessions is killed, and comes back", || stores.owner_killed());
    scenarios.play("not sticky: any node takes any request", || stores.not_sticky());
    scenarios.play("all nodes are restarted at once", || stores.all_restarted());
    scenarios.play("the database dies and comes back", || stores.database_back());
    scenarios.play("memcached is killed", || stores.store_killed());
    scenarios.end();
}
