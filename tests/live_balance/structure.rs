//! balance_workers; members of several balancers; what can not be configured.

use crate::effect::{covers, judge};
use crate::farm::{Farm, asked_often, mounts, share_of, who};
use crate::support::{Httpd, client};

#[test]
fn members_are_named_and_may_belong_to_several() {
    covers!("balance_workers", "balanced_workers", "list", "reference");
    let farm = Farm::of(3);
    let members: String = (1..=3).map(|number| farm.node(number).member(&format!("n{number}"))).collect();
    let workers = members
        + "worker.list=all some,n1\nworker.list=old\n\
           worker.all.type=lb\nworker.all.balance_workers=n1 n2\nworker.all.balance_workers=n3\n\
           worker.some.reference=worker.base\nworker.some.balance_workers=n2,n3\n\
           worker.base.type=lb\nworker.base.sticky_session=0\n\
           worker.old.type=lb\nworker.old.balanced_workers=n3\n";
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["all", "some", "old", "n1"])).start();
    assert_eq!(share_of::<3>(&asked_often(&httpd, "/all/x", 9)), [3, 3, 3]);
    assert_eq!(share_of::<3>(&asked_often(&httpd, "/some/x;jsessionid=a.n2", 8)), [0, 4, 4]);
    assert_eq!(share_of::<3>(&asked_often(&httpd, "/old/x", 2)), [0, 0, 2]);
    assert_eq!(who(&client::get(httpd.port(), "/n1/x")), "n1", "also mounted by itself");
    assert!(httpd.error_log().contains("'worker.old.balanced_workers' is deprecated: use balance_workers"));
}

#[test]
fn what_is_no_farm_is_refused() {
    covers!(
        "balance_workers",
        "retries",
        "lb_retries",
        "retry_interval",
        "recover_time",
        "error_escalation_time"
    );
    covers!(
        "max_reply_timeouts",
        "sticky_session_force",
        "slow_start",
        "retry_budget",
        "queue_size",
        "queue_timeout"
    );
    let httpd = Httpd::builder().prepare();
    let lb = |lines: &str| {
        let all = format!("list=l\nl.type=lb\n{lines}");
        all.lines().map(|line| format!("JkWorkerProperty worker.{line}\n")).collect::<String>()
    };
    let two = "l.balance_workers=a,b\na.port=1\nb.port=2\n";
    for (lines, wanted) in [
        ("", "balancer 'l' has no members; set worker.l.balance_workers"),
        (
            "l.balance_workers=l",
            "member 'l' of balancer 'l' has type lb; members must have type ajp13, http or https",
        ),
        (
            "l.balance_workers=a,m\na.port=1\nm.type=lb\nm.balance_workers=a",
            "member 'm' of balancer 'l' has type lb",
        ),
        ("l.balance_workers=a,a\na.port=1", "worker.l.balance_workers names 'a' twice"),
        ("l.balance_workers=a,s\na.port=1\ns.type=status", "member 's' of balancer 'l' has type status"),
        (
            "l.balance_workers=a,b\na.port=1\na.route=x\nb.port=2\nb.route=x",
            "members 'a' and 'b' of balancer 'l' have the same route 'x'",
        ),
        (two, ""),
    ] {
        judge(&httpd, &[(&lb(lines), wanted)]);
    }
    for (line, wanted) in [
        ("l.retries=0", "warning: 0 is too low, 1 is used"),
        ("l.lb_retries=-1", "warning: -1 is too low, 1 is used"),
        ("l.recover_time=0", "warning: 0 is too low, 1 is used"),
        ("l.retry_interval=-1", ""),
        ("l.error_escalation_time=0", ""),
        ("l.max_reply_timeouts=-1", ""),
        ("l.max_reply_timeouts=x", "not a number: 'x'"),
        ("l.retry_budget=5000", "warning: 5000 is too high, 1000 is used"),
        ("l.queue_size=5", "warning: without queue_timeout"),
        ("l.queue_timeout=5", "warning: without queue_size"),
        ("l.sticky_session_force=maybe", "warning:"),
        ("l.slow_start=x", "not a number: 'x'"),
        ("l.busy_limit=5", "warning: workers of type lb have no such property"),
    ] {
        judge(&httpd, &[(&lb(&format!("{two}{line}")), wanted)]);
    }
}
