//! Several real Tomcats behind the module: sites, balancing, stickiness, failover with Tomcat's own replication, taking a node out.
//!
//! Each test starts one cluster and plays its scenarios one after the other; the output names each with its time, and with
//! the times of failover that were measured (`cargo test --test live_cluster -- --nocapture`). With
//! `MOD_JK_RS_SO=/usr/lib/apache2/modules/mod_jk.so` the same scenarios measure the original mod_jk.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test")]
#![allow(unreachable_pub, reason = "a test")]

mod support;

#[path = "live_cluster/balance.rs"]
mod balance;
#[path = "live_cluster/connector.rs"]
mod connector;
#[path = "live_cluster/drain.rs"]
mod drain;
#[path = "live_cluster/failover.rs"]
mod failover;
#[path = "live_cluster/site.rs"]
mod site;

use support::cluster::document::{names, piece};
use support::cluster::{Application, Cluster, Replication, Scenarios, alone};

const PAGE: &str =
    "<%@ page contentType=\"text/plain\" session=\"false\" %>jsp of <%= System.getProperty(\"test.node\") %>";

#[test]
fn nodes_without_replication() {
    let _alone = alone();
    let application = Application::new("app")
        .file("page.jsp", PAGE)
        .file("logo.txt", "from Tomcat\n")
        .file("static/a.txt", "from Tomcat\n");
    let mut cluster = Cluster::start(2, Replication::None, &[application]);
    let mut scenarios = Scenarios::default();
    scenarios.play("static files by httpd, pages by Tomcat", || site::files_and_pages(&cluster));
    scenarios.play("Tomcat is hidden", || site::hidden(&cluster));
    scenarios.play("workers and URL patterns, the mount file is read again", || site::patterns(&cluster));
    scenarios.play("five methods share 1:3", || balance::shares(&cluster));
    scenarios.play("sticky by cookie and by URL", || balance::sticky(&cluster));
    scenarios.play("two httpds agree about sessions", || balance::two_front_ends(&cluster));
    scenarios.play("ids that name no node", || balance::strange_ids(&cluster));
    scenarios.play("a missing or wrong secret", || connector::secrets(&cluster));
    scenarios.play("AJP over a Unix socket", || connector::unix_socket(&mut cluster));
    scenarios
        .play("no replication: a new session, and the log says so", || failover::nobody_copies(&mut cluster));
    scenarios.play("the balancer's own cookie", || failover::own_cookie(&mut cluster));
    scenarios.play("a frozen node", || failover::frozen(&mut cluster));
    scenarios.end();
}

#[test]
fn delta_manager() {
    let _alone = alone();
    let application = Application::new("app").context(piece("context-draining"));
    let mut cluster = Cluster::start(2, Replication::Delta, &[application]);
    let mut scenarios = Scenarios::default();
    scenarios.play("the owner of a session is killed", || failover::owner_killed(&mut cluster));
    scenarios.play("the owner of sessions is killed under load", || {
        failover::owner_killed_under_load(&mut cluster)
    });
    scenarios.play("the owner is killed at work", || failover::owner_killed_at_work(&mut cluster));
    scenarios.play("a node is taken out, upgraded and put back", || drain::upgrade(&mut cluster));
    scenarios.end();
}

#[test]
fn backup_manager() {
    let _alone = alone();
    let mut cluster = Cluster::start(3, Replication::Backup, &[Application::new("app")]);
    let mut scenarios = Scenarios::default();
    scenarios
        .play("two owners of a session are killed in turn", || failover::two_owners_killed(&mut cluster));
    scenarios.end();
}

#[test]
fn membership_as_a_service() {
    let _alone = alone();
    let mut cluster = Cluster::start(2, Replication::Membership, &[Application::new("app")]);
    let mut scenarios = Scenarios::default();
    scenarios.play("the owner of a session is killed", || failover::owner_killed(&mut cluster));
    scenarios.end();
}

#[test]
fn every_piece_of_the_page_is_used_by_a_test() {
    let used = ["distributable", "workers", "server", "cluster-delta", "manager-backup", "membership"];
    let used_by_stores = ["context-file", "context-jdbc", "table"];
    let mut all: Vec<&str> = used.iter().chain(&used_by_stores).copied().collect();
    all.extend(["context-draining", "socket"]);
    assert_eq!(names(), all);
}
