//! JkMount, JkUnMount, JkMountCopy.

use crate::effect::{ask, covers, judge, statuses, vhost};
use crate::support::{Backend, Httpd};

fn backends() -> (Backend, Backend, String) {
    let (one, two) = (Backend::start(), Backend::start());
    let workers = format!("worker.list=w1,w2\n{}{}", one.member("w1"), two.member("w2"));
    (one, two, workers)
}

#[test]
fn virtual_hosts_have_their_own_mounts_unless_they_copy() {
    covers!("JkMount", "JkUnMount", "JkMountCopy");
    let (one, two, workers) = backends();
    let main = "JkMount /main/* w1\nJkUnMount /main/no/* w1\nJkMount /g/* w1\n";
    let hosts = [
        vhost("none", ""),
        vhost("copy", "JkMountCopy On"),
        vhost("own", "JkMount /own/* w2"),
        vhost("both", "JkMountCopy On\nJkMount /own/* w2\nJkMount /g/* w2"),
        vhost("less", "JkMountCopy On\nJkUnMount /main/sub/* *"),
        vhost(
            "section",
            "<Location /loc>\nJkMount w1\n</Location>\n<Location \"/deep/*\">\nJkMount w2\n</Location>\nJkMount /loc2/* w1\n<Location \"/loc2/no*\">\nJkUnMount w1\n</Location>",
        ),
    ];
    let httpd = Httpd::builder().workers(&workers).conf(format!("{main}{}", hosts.concat())).start();
    statuses(&httpd, "none", &[("/main/x", 404)]);
    statuses(&httpd, "copy", &[("/main/x", 200), ("/main/no/x", 404), ("/own/x", 404)]);
    statuses(&httpd, "own", &[("/main/x", 404), ("/own/x", 200)]);
    statuses(&httpd, "both", &[("/main/x", 200), ("/main/no/x", 404), ("/own/x", 200), ("/g/x", 200)]);
    assert_eq!(
        two.last_request().uri,
        "/g/x",
        "the virtual host's rule replaces the one with the same pattern"
    );
    statuses(&httpd, "less", &[("/main/x", 200), ("/main/sub/x", 404), ("/main/no/x", 404)]);
    statuses(&httpd, "section", &[("/loc", 200), ("/loc/x", 404), ("/deep/a/b", 200)]);
    statuses(&httpd, "section", &[("/loc2/yes", 200), ("/loc2/no", 404)]);
    assert_eq!((one.requests().len(), two.requests().len()), (5, 4));
    drop(httpd);

    let hosts = [vhost("none", ""), vhost("off", "JkMountCopy Off"), vhost("own", "JkMount /own/* w2")];
    let httpd =
        Httpd::builder().workers(&workers).conf(format!("{main}JkMountCopy All\n{}", hosts.concat())).start();
    statuses(&httpd, "none", &[("/main/x", 200), ("/main/no/x", 404)]);
    statuses(&httpd, "off", &[("/main/x", 404)]);
    statuses(&httpd, "own", &[("/main/x", 200), ("/own/x", 200)]);
    drop(httpd);

    // In the main server, On says nothing about virtual hosts.
    let conf = format!("{main}JkMountCopy On\n{}", vhost("none", ""));
    let httpd = Httpd::builder().workers(&workers).conf(conf).start();
    assert_eq!(ask(&httpd, "none", "/main/x").status, 404);
}

#[test]
fn mistakes_in_mounts_are_named() {
    covers!("JkMount", "JkUnMount", "JkMountCopy", "mount");
    let (_one, _two, workers) = backends();
    let httpd = Httpd::builder().workers(workers + "worker.w3.port=1\n").prepare();
    judge(
        &httpd,
        &[
            ("JkMount /a", "JkMount needs a pattern and a worker"),
            ("JkUnMount /a", "JkUnMount needs a pattern and a worker"),
            ("JkMount /a w1 x", "JkMount takes 1 or 2 argument(s)"),
            ("JkMount a w1", "JkMount a w1: "),
            ("JkUnMount a w1", "JkUnMount a w1: "),
            ("JkMount \"\" w1", "JkMount needs an argument"),
            ("JkMount /a w11", "JkMount /a: there is no worker \"w11\"; did you mean w1?"),
            ("JkMount /a w3", "worker 'w3' is not used: it is neither in worker.list"),
            ("JkMount /a w3", "JkMount /a: there is no worker \"w3\"; it is defined but not in worker.list"),
            ("JkMount /a nosuch", "warning: JkMount /a: there is no worker \"nosuch\"; requests for it are"),
            ("JkUnMount /a w11", "JkUnMount /a: there is no worker \"w11\"; did you mean w1?"),
            (
                "JkUnMount /a nosuch",
                "warning: JkUnMount /a: there is no worker \"nosuch\"; the exclusion has",
            ),
            ("JkUnMount /a *", ""),
            ("JkMount /a w1;foo=1", "warning: unknown rule extension 'foo' is ignored"),
            ("<Location /a>\nJkMount /b w1\n</Location>", "takes only the worker"),
            ("<Location /a>\nJkMount w1\n</Location>", "warning: covers only the URL /a itself"),
            (
                "<LocationMatch \"/a\">\nJkMount w1\n</LocationMatch>",
                "warning: is taken as a wildcard pattern",
            ),
            ("<Directory /srv/a>\nJkMount w1\n</Directory>", "would mount the URL /srv/a"),
            ("<Files foo>\nJkMount w1\n</Files>", "JkMount"),
            ("JkMountCopy Yes", "JkMountCopy is On, Off or All, not \"Yes\""),
            (&vhost("v", "JkMountCopy All"), "JkMountCopy All can only stand in the main server"),
        ],
    );
}
