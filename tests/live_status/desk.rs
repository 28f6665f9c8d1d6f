//! An httpd with a balancer `lb` of three members at the nodes n1 to n3, a worker `solo` of its own at n1, and a status
//! worker at `/jkstatus`.

use crate::farm::Farm;
use crate::support::httpd::Builder;
use crate::support::{Client, Httpd, Mpm, Response, client};

/// Limits the status worker to this machine, as the manual says.
pub const LOCAL: &str = "<Location /jkstatus>\nRequire local\n</Location>\n";
/// The mounts of [`builder`].
pub const MOUNTS: &str =
    "JkMount /lb/* lb\nJkMount /solo/* solo\nJkMount /jkstatus st\nJkMount /jkstatus/* st\n";

/// The workers; `lb` and `st` are properties of the balancer and the status worker, separated by blanks.
pub fn workers(farm: &Farm, lb: &str, st: &str) -> String {
    let mut text = farm.balancer("lb", lb, &["", "", ""]);
    text += &farm.node(1).worker("solo");
    text += "\nworker.list=st\nworker.st.type=status\n";
    for line in st.split_whitespace() {
        text += &format!("worker.st.{line}\n");
    }
    text
}

/// An httpd with these workers.
pub fn builder(farm: &Farm, lb: &str, st: &str) -> Builder {
    Httpd::builder().workers(workers(farm, lb, st)).conf(MOUNTS).conf(LOCAL)
}

/// The same, started, with several children that have one thread each.
pub fn many_children(farm: &Farm, lb: &str) -> Httpd {
    builder(farm, lb, "").mpm(Mpm::Prefork).servers(4).threads_per_child(1).start()
}

/// A request to the status worker, as curl sends it.
#[track_caller]
pub fn ask(httpd: &Httpd, query: &str) -> Response {
    client::get(httpd.port(), &format!("/jkstatus?{query}"))
}

/// The same, which must succeed.
#[track_caller]
pub fn tell(httpd: &Httpd, query: &str) -> String {
    let answer = ask(httpd, &format!("{query}&mime=txt"));
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    assert!(answer.text().contains("Result: type=OK"), "{query}: {}", answer.text());
    answer.text()
}

/// The value of a key of the format for properties.
#[track_caller]
pub fn value(httpd: &Httpd, key: &str) -> String {
    let answer = ask(httpd, "mime=prop");
    let found = answer.fact(&format!("worker.{key}"));
    found.unwrap_or_else(|| panic!("no worker.{key} in\n{}", answer.text()))
}

/// A request on a connection that stays open, so that its child does nothing else: call this once for each child to talk to
/// all of them.
pub fn in_each_child(httpd: &Httpd, count: usize, check: impl Fn(&mut Client)) {
    let mut held: Vec<Client> = (0..count).map(|_| Client::connect(httpd.port())).collect();
    for client in &mut held {
        check(client);
    }
}
