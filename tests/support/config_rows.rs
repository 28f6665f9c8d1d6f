//! Configurations and what the configuration test must say about them.
//!
//! Data only. Every wrong one names the place of each message it must cause; the place is a piece of the line, looked up in
//! the file that was written, so that no line number is counted by hand.

/// Where a message points to, and what it says.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Says {
    /// httpd stops at the line of httpd.conf that contains the first text, with the second one.
    Stops(&'static str, &'static str),
    /// The module names the line of httpd.conf that contains the first text, with the second one.
    Conf(&'static str, &'static str),
    /// The module names this line of the workers file.
    Workers(u32, &'static str),
}

use Says::{Conf, Stops, Workers};

/// A wrong configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bad {
    /// What is wrong.
    pub(crate) name: &'static str,
    /// Lines of httpd.conf.
    pub(crate) conf: &'static str,
    /// The workers file. `{TEXT*N}` repeats a text, `{xHH}` is an octet.
    pub(crate) workers: &'static str,
    /// All that must be reported.
    pub(crate) says: &'static [Says],
}

const fn bad(name: &'static str, conf: &'static str, workers: &'static str, says: &'static [Says]) -> Bad {
    Bad { name, conf, workers, says }
}

/// A workers file without any fault.
pub(crate) const FINE: &str = "worker.list=w1,second\nworker.second.port=8010\nworker.unlisted.port=8011\n";

/// A workers file whose third line is to be judged.
macro_rules! third {
    ($line:literal) => {
        concat!("worker.list=w1\nworker.w1.host=localhost\n", $line, "\n")
    };
}

macro_rules! in_vhost {
    ($line:literal) => {
        concat!("<VirtualHost 127.0.0.1:@PORT@>\n", $line, "\n</VirtualHost>")
    };
}

/// Every one is refused by `httpd -t`.
pub(crate) const BAD: &[Bad] = &[
    bad(
        "unknown property",
        "",
        third!("worker.w1.hots=a"),
        &[Workers(3, "unknown property 'worker.w1.hots'; did you mean 'host'?")],
    ),
    bad("not a number", "", third!("worker.w1.socket_timeout=soon"), &[Workers(3, "not a number: 'soon'")]),
    bad(
        "number too large",
        "",
        third!("worker.w1.socket_timeout=99999999999"),
        &[Workers(3, "number out of range: '99999999999'")],
    ),
    bad(
        "port too large",
        "",
        third!("worker.w1.port=70000"),
        &[Workers(3, "70000 is not a port (0 to 65535)")],
    ),
    bad("negative port", "", third!("worker.w1.port=-1"), &[Workers(3, "-1 is not a port (0 to 65535)")]),
    bad(
        "not an address",
        "",
        "worker.list=w1\nworker.w1.host=999.1.1.1\n",
        &[Workers(2, "not an IPv4 address: '999.1.1.1'")],
    ),
    bad("not a name", "", "worker.list=w1\nworker.w1.host=a b\n", &[Workers(2, "not a host name: 'a b'")]),
    bad(
        "mistyped type",
        "",
        third!("worker.w1.type=ajp31"),
        &[Workers(3, "unknown type 'ajp31'; did you mean 'ajp13'?")],
    ),
    bad(
        "unknown type",
        "",
        third!("worker.w1.type=carrier-pigeon"),
        &[Workers(3, "unknown type 'carrier-pigeon'; possible are ajp13, http, https, lb and status")],
    ),
    bad(
        "type that is gone",
        "",
        third!("worker.w1.type=ajp14"),
        &[Workers(3, "type ajp14 is not supported any more; use type ajp13")],
    ),
    bad(
        "balancer without members",
        "",
        "worker.list=l\nworker.l.type=lb\n",
        &[Workers(2, "balancer 'l' has no members; set worker.l.balance_workers")],
    ),
    bad(
        "balancer in a balancer",
        "",
        "worker.list=l\nworker.l.type=lb\nworker.l.balance_workers=a,k\nworker.a.port=1\nworker.k.type=lb\nworker.k.balance_workers=a\n",
        &[Workers(3, "member 'k' of balancer 'l' has type lb; members must have type ajp13, http or https")],
    ),
    bad(
        "member twice",
        "",
        "worker.list=l\nworker.l.type=lb\nworker.l.balance_workers=a\nworker.l.balance_workers=a\nworker.a.port=1\n",
        &[Workers(4, "worker.l.balance_workers names 'a' twice")],
    ),
    bad(
        "two members with one route",
        "",
        "worker.list=l\nworker.l.type=lb\nworker.l.balance_workers=a,b\nworker.a.port=1\nworker.b.port=2\nworker.b.route=a\n",
        &[Workers(3, "members 'a' and 'b' of balancer 'l' have the same route 'a'")],
    ),
    bad(
        "cookie of a balancer that would replace Tomcat's",
        "",
        "worker.list=l\nworker.l.type=lb\nworker.l.balance_workers=a\nworker.l.set_session_cookie=1\nworker.a.port=1\n",
        &[Workers(4, "worker.l.set_session_cookie would overwrite Tomcat's own cookie JSESSIONID")],
    ),
    bad(
        "key that is none",
        "",
        "worker.list=l\nworker.l.type=lb\nworker.l.balance_workers=a\nworker.l.hash_key=moon\nworker.a.port=1\n",
        &[Workers(4, "'moon' is not one of session, cookie:NAME, header:NAME, uri, client")],
    ),
    bad(
        "status code that is a word",
        "",
        third!("worker.w1.fail_on_status=503,none"),
        &[Workers(3, "not a number: 'none'")],
    ),
    bad(
        "mount without a slash",
        "",
        third!("worker.w1.mount=m/*"),
        &[Workers(3, "worker.w1.mount: 'm/*' does not begin with '/'")],
    ),
    bad(
        "references in a loop",
        "",
        "worker.list=w1\nworker.w1.reference=worker.a\nworker.a.reference=worker.w1\n",
        &[Workers(2, "references form a loop")],
    ),
    bad(
        "reference to nothing",
        "",
        third!("worker.w1.reference=worker.template"),
        &[Workers(3, "no property begins with 'worker.template.'")],
    ),
    bad(
        "line too long",
        "",
        "worker.list=w1\n#\nworker.w1.route={x*9000}\n",
        &[Workers(3, "line has 9016 bytes; at most 8191 are possible")],
    ),
    bad(
        "control character",
        "",
        third!("worker.w1.route=a{x1b}b"),
        &[Workers(3, "the line contains a control character")],
    ),
    bad(
        "octets that are no text",
        "",
        third!("worker.w1.route=a{xff}b"),
        &[Workers(3, "the line is not UTF-8")],
    ),
    bad(
        "secret that cannot be sent",
        "",
        third!("worker.w1.secret=geheim\u{fc}geheim1234"),
        &[Workers(3, "a secret may only contain printable ASCII characters")],
    ),
    bad(
        "name of a worker too long",
        "",
        "worker.list={w*64}\n",
        &[Workers(1, "name of a worker longer than 63 bytes")],
    ),
    bad(
        "workers file is missing",
        "JkWorkersFile conf/none.properties",
        "",
        &[Conf("JkWorkersFile conf/none", "/conf/none.properties: No such file or directory")],
    ),
    bad(
        "workers file is a directory",
        "JkWorkersFile conf",
        "",
        &[Conf("JkWorkersFile conf", "Is a directory")],
    ),
    bad(
        "workers file twice",
        "JkWorkersFile conf/workers.properties",
        FINE,
        &[Stops("JkWorkersFile", "JkWorkersFile is given twice; the first is at")],
    ),
    bad(
        "workers file in a virtual host",
        in_vhost!("JkWorkersFile conf/other"),
        FINE,
        &[Stops("conf/other", "JkWorkersFile cannot stand in a <VirtualHost>; move it to the main server")],
    ),
    bad(
        "worker property in a virtual host",
        in_vhost!("JkWorkerProperty worker.w1.port=1"),
        FINE,
        &[Stops("JkWorkerProperty", "JkWorkerProperty cannot stand in a <VirtualHost>")],
    ),
    bad(
        "shared memory in a virtual host",
        in_vhost!("JkShmSize 100"),
        FINE,
        &[Stops("JkShmSize", "JkShmSize cannot stand in a <VirtualHost>")],
    ),
    bad(
        "unknown property in a directive",
        "JkWorkerProperty worker.w1.foo=1",
        FINE,
        &[Conf("JkWorkerProperty", "unknown property 'worker.w1.foo'")],
    ),
    bad(
        "mount for an unknown worker",
        "JkMount /a/* secnod",
        FINE,
        &[Conf("JkMount", "JkMount /a/*: there is no worker \"secnod\"; did you mean second?")],
    ),
    bad(
        "mount for a worker that is not in the list",
        "JkMount /a/* unlisted",
        FINE,
        &[Conf(
            "JkMount",
            "JkMount /a/*: there is no worker \"unlisted\"; it is defined but not in worker.list",
        )],
    ),
    bad(
        "mount for an unknown worker in a virtual host",
        in_vhost!("JkMount /v/* sekond"),
        FINE,
        &[Conf("JkMount", "JkMount /v/*: there is no worker \"sekond\"; did you mean second?")],
    ),
    bad(
        "mount for what resembles a worker that is not in the list",
        "JkMount /a/* unlistde",
        FINE,
        &[Conf("JkMount", "JkMount /a/*: there is no worker \"unlistde\"; did you mean unlisted?")],
    ),
    bad(
        "mount for a template",
        "JkMount /a/* base",
        "worker.list=w1\nworker.w1.reference=worker.base\nworker.base.port=8010\n",
        &[Conf("JkMount", "JkMount /a/*: there is no worker \"base\"; it is defined but not in worker.list")],
    ),
    bad(
        "exclusion for an unknown worker",
        "JkUnMount /a/* w2",
        FINE,
        &[Conf("JkUnMount", "JkUnMount /a/*: there is no worker \"w2\"; did you mean w1?")],
    ),
    bad(
        "pattern without a slash",
        "JkMount a/* w1",
        FINE,
        &[Stops("JkMount", "JkMount a/* w1: the pattern does not begin with '/'")],
    ),
    bad(
        "pattern with a leading wildcard",
        "JkMount *.jsp w1",
        FINE,
        &[Stops("JkMount", "the pattern does not begin with '/'")],
    ),
    bad(
        "exclusion mark in a pattern",
        "JkMount !/a w1",
        FINE,
        &[Stops("JkMount", "the pattern does not begin with '/'")],
    ),
    bad(
        "mount without a worker",
        "JkMount /a",
        FINE,
        &[Stops("JkMount /a", "JkMount needs a pattern and a worker: JkMount /app/* worker")],
    ),
    bad(
        "exclusion without a worker",
        "JkUnMount /a",
        FINE,
        &[Stops("JkUnMount", "JkUnMount needs a pattern and a worker")],
    ),
    bad("three words", "JkMount /a w1 x", FINE, &[Stops("JkMount", "JkMount takes 1 or 2 argument(s)")]),
    bad("no words", "JkMount", FINE, &[Stops("JkMount", "JkMount takes 1 or 2 argument(s)")]),
    bad(
        "two words in a section",
        "<Location /a>\nJkMount /b w1\n</Location>",
        FINE,
        &[Stops("JkMount", "JkMount inside <Location takes only the worker")],
    ),
    bad(
        "mount in a directory section",
        "<Directory /srv/foo>\nJkMount w1\n</Directory>",
        FINE,
        &[Stops("JkMount", "would mount the URL /srv/foo/, not the directory")],
    ),
    bad(
        "mount in a section of files",
        "<Files foo>\nJkMount w1\n</Files>",
        FINE,
        &[Stops("JkMount", "the pattern does not begin with '/'")],
    ),
    bad(
        "mount in a condition",
        "<If \"true\">\nJkMount w1\n</If>",
        FINE,
        &[Stops("JkMount", "the pattern does not begin with '/'")],
    ),
    bad(
        "mount under a regular expression with an anchor",
        "<LocationMatch \"^/a\">\nJkMount w1\n</LocationMatch>",
        FINE,
        &[Stops("JkMount", "the pattern does not begin with '/'")],
    ),
    bad(
        "MountCopy Yes",
        "JkMountCopy Yes",
        FINE,
        &[Stops("JkMountCopy", "JkMountCopy is On, Off or All, not \"Yes\"")],
    ),
    bad(
        "MountCopy All in a virtual host",
        in_vhost!("JkMountCopy All"),
        FINE,
        &[Stops("JkMountCopy", "JkMountCopy All can only stand in the main server; use On here")],
    ),
    bad(
        "unknown log level",
        "JkLogLevel verbose",
        FINE,
        &[Stops(
            "JkLogLevel verbose",
            "JkLogLevel is trace, debug, info, warn, error or emerg, not \"verbose\"",
        )],
    ),
    bad(
        "mistyped log level",
        "JkLogLevel inof",
        FINE,
        &[Stops("JkLogLevel inof", "not \"inof\"; did you mean info?")],
    ),
    bad(
        "empty log file",
        "JkLogFile \"\"",
        FINE,
        &[Stops("JkLogFile \"\"", "JkLogFile takes 1 argument(s): a file, |program, or error_log")],
    ),
    bad(
        "directive in a section it cannot stand in",
        "<Location /a>\nJkLogLevel info\n</Location>",
        FINE,
        &[Stops("JkLogLevel info\n</Location>", "JkLogLevel not allowed")],
    ),
    bad(
        "many mistakes in one file are all reported at once",
        "JkMount /a/* nosuch\nJkMount /b/* neither",
        "worker.list=w1\nworker.w1.hots=a\nworker.w1.port=x\n\nworker.w1.type=ajp12\nworker.w2.prot=1\n",
        &[
            Workers(2, "unknown property 'worker.w1.hots'; did you mean 'host'?"),
            Workers(5, "type ajp12 is not supported any more"),
            Workers(6, "unknown property 'worker.w2.prot'; did you mean 'port'?"),
        ],
    ),
    bad(
        "bad values of several workers are all reported at once",
        "",
        "worker.list=w1,w2\nworker.w1.port=x\nworker.w1.host=a b\nworker.w2.port=123456\n",
        &[
            Workers(2, "not a number: 'x'"),
            Workers(3, "not a host name: 'a b'"),
            Workers(4, "123456 is not a port (0 to 65535)"),
        ],
    ),
    bad(
        "mounts of several servers are all reported at once",
        "JkMount /a/* w2\n<VirtualHost 127.0.0.1:@PORT@>\nJkMount /b/* unlisted\n</VirtualHost>\n\
         JkUnMount /c/* secodn\nJkMount /d/* nothing-like-it",
        FINE,
        &[
            Conf("JkMount /a/*", "JkMount /a/*: there is no worker \"w2\""),
            Conf("JkMount /b/*", "JkMount /b/*: there is no worker \"unlisted\""),
            Conf("JkUnMount /c/*", "JkUnMount /c/*: there is no worker \"secodn\""),
            Conf("JkMount /d/*", "JkMount /d/*: there is no worker \"nothing-like-it\"; requests for it"),
        ],
    ),
];

/// Configurations that start, and a text the error log must contain then.
pub(crate) const GOOD: &[(&str, &str, &str, &str)] = &[
    (
        "pattern of a regular expression section",
        "<LocationMatch \"/a\">\nJkMount w1\n</LocationMatch>",
        FINE,
        "is taken as a wildcard pattern",
    ),
    (
        "mount for a worker that nothing resembles",
        "JkMount /a/* nosuch",
        FINE,
        "JkMount /a/*: there is no worker \"nosuch\"; requests for it are answered with 500",
    ),
    (
        "exclusion for a worker that nothing resembles",
        in_vhost!("JkUnMount /a/* nosuch"),
        FINE,
        "JkUnMount /a/*: there is no worker \"nosuch\"; the exclusion has no effect",
    ),
    ("mount in a location", "<Location /a>\nJkMount w1\n</Location>", FINE, "covers only the URL /a itself"),
    ("copy of mounts in the main server", "JkMountCopy On", FINE, ""),
    (
        "file without a worker",
        "",
        "# nothing\n",
        "worker.list is not set; one worker 'ajp13' for localhost:8009 is used",
    ),
    ("file without a list", "JkMount /a/* ajp13", "worker.ajp13.port=8009\n", "worker.list is not set"),
    ("line that says nothing", "", "worker.list=w1\nworker.w1.port\njust words\n", ""),
    ("size of memory that is not needed", "JkShmSize 1", FINE, ""),
    ("property without a value", "JkWorkerProperty worker.w1.port", FINE, ""),
    ("nothing behind a directive", "JkWorkerProperty", FINE, ""),
    ("variable", "JkWorkerProperty foo=1", FINE, ""),
    ("names of directives in any case", "jkmount /a/* w1\nJKUNMOUNT /a/b/* *\njkLOGlevel WARNING", FINE, ""),
    ("levels by their alias", "JkLogLevel warning", FINE, ""),
    ("mount with unknown extension", "JkMount /a/* w1;frobnicate=1", FINE, "frobnicate"),
    (
        "balancer",
        "JkMount /a/* l",
        "worker.list=l\nworker.l.type=lb\nworker.l.balance_workers=m1 m2\nworker.m1.port=8010\nworker.m2.port=8011\n",
        "",
    ),
    (
        "balancer with a method that is not known",
        "JkMount /a/* l",
        "worker.list=l\nworker.l.type=lb\nworker.l.balance_workers=m1\nworker.l.method=magic\nworker.m1.port=8010\n",
        "the default is used: Request",
    ),
    (
        "balancer with a member whose name has no address",
        "JkMount /a/* l",
        "worker.list=l\nworker.l.type=lb\nworker.l.balance_workers=m1 m2\nworker.m1.host=nowhere.invalid\nworker.m2.port=8011\n",
        "nowhere.invalid",
    ),
    ("two blanks in a quoted pattern", "JkMount \"/a b/*\" w1", FINE, ""),
];
