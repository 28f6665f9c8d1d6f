//! Balancers: which member gets which request of a sequence, and what it, the client and the access log are told.
//!
//! Requests come one after the other and httpd has one child, so the choices of both modules are determined. Every balancer
//! has members of its own, at w1, w2 and so on; their routes are n1, n2 and so on. What fails concerns one request only: how
//! long a member stays out of service is not a matter of sequence, and live tests look at it.

use crate::case::{Case, World, answer, get, plain};
use crate::recorder::Step;

pub fn worlds() -> Vec<World> {
    vec![
        methods(),
        stateless(),
        sessions(),
        forms(),
        members(),
        stand_ins(),
        rules(),
        variables(),
        cookies(),
        failures(),
    ]
}

/// An empty world whose balancers never look back: their values are not halved in between.
pub fn world(name: &str) -> World {
    let mut world = World::new(name);
    world.workers = "worker.maintain=1000\n".into();
    world
}

/// Adds a balancer with a virtual host of its own, all of which it serves; the place of the host. Properties are separated
/// by blanks; `rule`: options behind the worker's name in the mount; `conf`: more lines of the host.
pub fn farm(world: &mut World, lines: &str, members: &[&str], rule: &str, conf: &str) -> usize {
    let name = format!("b{}", world.vhosts.len());
    let mut workers = format!("worker.list={name}\nworker.{name}.type=lb\n");
    for line in lines.split_whitespace() {
        workers += &format!("worker.{name}.{line}\n");
    }
    for (number, properties) in (1..).zip(members) {
        let member = format!("{name}n{number}");
        workers +=
            &format!("worker.{name}.balance_workers={member}\nworker.{member}.reference=worker.w{number}\n");
        if !properties.contains("route=") {
            workers += &format!("worker.{member}.route=n{number}\n");
        }
        for line in properties.split_whitespace() {
            workers += &format!("worker.{member}.{line}\n");
        }
    }
    world.workers += &workers;
    // Rules name members as they are called here.
    let rule = rule.replace('@', &name);
    let shown: String = workers.lines().map(|line| format!("# {line}\n")).collect();
    world.vhost(&format!("{shown}JkMount /* \"{name}{rule}\"\n{}", conf.replace('@', &name)))
}

fn with(case: Case, session: &str) -> Case {
    if session.is_empty() { case } else { case.header("Cookie", &format!("JSESSIONID={session}")) }
}

/// Requests with these sessions; `""`: none.
fn ask(world: &mut World, host: usize, sessions: &[&str]) {
    for session in sessions {
        world.add(with(get(host, "/x"), session));
    }
}

const FREE: [&str; 8] = [""; 8];

fn methods() -> World {
    let mut world = world("balancer-methods");
    let weights: [&[&str]; 4] = [
        &["", "", ""],
        &["lbfactor=1", "lbfactor=2", "lbfactor=3"],
        &["lbfactor=5", "lbfactor=1", "lbfactor=1", "lbfactor=3"],
        &["lbfactor=3", "lbfactor=2"],
    ];
    for method in ["R", "T", "B", "S", "N"] {
        for members in weights {
            let host = farm(&mut world, &format!("method={method}"), members, "", "");
            ask(&mut world, host, &FREE);
            ask(&mut world, host, &["a.n1", "a.n1", "", "", "b.n2", "", "a.n1", "", "", ""]);
            for size in [10, 4000, 20, 20_000, 0, 3] {
                let text = answer(200, &[("Content-Type", "text/plain")], &"t".repeat(size));
                world.add(get(host, "/sized").answer(text));
            }
            world.add(get(host, "/post").method("POST").body("some text"));
            ask(&mut world, host, &[""; 3]);
        }
    }
    for lock in ["O", "P"] {
        let host = farm(&mut world, &format!("lock={lock} method=Sessions"), weights[1], "", "");
        ask(&mut world, host, &FREE);
    }
    for word in ["request", "TRAFFIC", "busyness", "2", "session", "Next", "4"] {
        let host = farm(&mut world, &format!("method={word}"), &["", "lbfactor=2"], "", "");
        ask(&mut world, host, &["", "", "", "a.n1", "", ""]);
    }
    world
}

fn stateless() -> World {
    let mut world = world("balancer-stateless");
    let members = ["lbfactor=1", "lbfactor=3", ""];
    for method in ["R", "T", "B", "S", "N"] {
        let lines = format!("method={method}");
        let host = farm(&mut world, &lines, &members, ";stateless=1", "");
        ask(&mut world, host, &["", "", "", "", "a.n3", "", "", ""]);
        let host = farm(&mut world, &lines, &members, "", "SetEnvIf X-Free (.+) JK_STATELESS=$1");
        for value in ["1", "0", "x", "1", "-1"] {
            world.add(get(host, "/x").header("X-Free", value));
            ask(&mut world, host, &["", "a.n2", ""]);
        }
        let host = farm(&mut world, &format!("{lines} sticky_session=0"), &members, "", "");
        ask(&mut world, host, &["", "a.n3", "a.n3", "", "a.n1", "", ""]);
    }
    world
}

fn sessions() -> World {
    let mut world = world("balancer-sessions");
    let mixed = ["a.n1", "b.n3", "c.n2", "a.n1", "none", "d.n9", "", "e.", ".n2", "f.n1", ""];
    for lines in [
        "",
        "sticky_session=1",
        "sticky_session=0",
        "sticky_session=false sticky_session_force=true",
        "method=S",
        "method=B",
    ] {
        let host = farm(&mut world, lines, &["", "", ""], "", "");
        ask(&mut world, host, &mixed);
    }
    for session in ["a.n1", "b.n3", "", "c.n2", "a.n9", "none"] {
        let host =
            farm(&mut world, "sticky_session_force=1 retry_interval=1", &["", "activation=s", ""], "", "");
        ask(&mut world, host, &[session]);
    }
    let host = farm(&mut world, "", &["route=one.two", "route=x.y.z", "route=plain"], "", "");
    ask(&mut world, host, &["a.one.two", "a.x.y.z", "a.plain", "a.one", "a.x", "a.two", "one.two"]);
    let host = farm(&mut world, "", &["route=N1", "route=n1"], "", "");
    ask(&mut world, host, &["a.n1", "a.N1", "a.n1", "a.n1", "a.N1"]);
    world
}

/// How the session id may be written.
fn forms() -> World {
    let mut world = world("balancer-session-forms");
    let headers = [
        "JSESSIONID=a.n2",
        "x=1; JSESSIONID=a.n2",
        "JSESSIONID=a.n2; x=1",
        "x=1;JSESSIONID=a.n3;y=2",
        "JSESSIONID=\"a.n2\"",
        "JSESSIONID = a.n3",
        "JSESSIONID= a.n3",
        "JSESSIONID=a.n2 ; x=1",
        "JSESSIONID=a.n3 , x=1",
        "$Version=1; JSESSIONID=a.n2; $Path=/",
        "x=JSESSIONID=a.n2",
        "XJSESSIONID=a.n2",
        "JSESSIONIDX=a.n3",
        "jsessionid=a.n3",
        "JSESSIONID=a.gone; JSESSIONID=b.n2",
        "JSESSIONID=none; JSESSIONID=b.n3",
        "JSESSIONID=a.n2; JSESSIONID=b.n3",
        "JSESSIONID=; JSESSIONID=b.n3",
        "JSESSIONID=",
        "JSESSIONID",
        "JSESSIONID=a.b.n3",
        "JSESSIONID=.n3",
        "JSESSIONID=a.n2.x",
        "x=1,JSESSIONID=a.n3,y=2",
        "JSESSIONID=a.N2",
    ];
    let targets = [
        "/x;jsessionid=a.n2",
        "/x;jsessionid=a.n3?q=1",
        "/x;jsessionid=a.n2/y",
        "/x;p=1;jsessionid=a.n3",
        "/x;jsessionid=a.n2;p=1",
        "/x;jsessionid=gone;jsessionid=b.n3",
        "/x;jsessionid=a.gone;jsessionid=b.n3",
        "/x;jsessionid=a.n2;jsessionid=b.n3",
        "/x;jsessionid=",
        "/x;jsessionid=/y",
        "/x;JSESSIONID=a.n2",
        "/x;jsessionidx=a.n2",
        "/x?jsessionid=a.n2",
        "/x%3Bjsessionid=a.n2",
        "/x;jsessionid=a%2En2",
        "/x;jsessionid=a.b.n3",
    ];
    // Each with members of its own: where the modules do not agree, what follows would differ too.
    let ask_once = |world: &mut World, case: &dyn Fn(usize) -> Case| {
        let host = farm(world, "method=N", &["", "", ""], "", "");
        world.add(case(host));
    };
    for header in headers {
        ask_once(&mut world, &|host| get(host, "/x").header("Cookie", header));
    }
    for target in targets {
        ask_once(&mut world, &|host| get(host, target));
        ask_once(&mut world, &|host| with(get(host, target), "c.n1"));
    }
    for pair in [
        ["a=b", "JSESSIONID=a.n3"],
        ["JSESSIONID=a.n2", "JSESSIONID=a.n3"],
        ["JSESSIONID=a.gone", "JSESSIONID=a.n3"],
    ] {
        ask_once(&mut world, &|host| get(host, "/x").header("Cookie", pair[0]).header("Cookie", pair[1]));
    }
    // Other names.
    let lines = "session_cookie=SID session_path=;sid";
    let host = farm(&mut world, lines, &["", "", ""], "", "");
    for cookie in ["SID=a.n2", "JSESSIONID=a.n2", "SID=a.n3; JSESSIONID=a.n2", "sid=a.n2"] {
        world.add(get(host, "/x").header("Cookie", cookie));
    }
    for target in ["/x;sid=a.n2", "/x;jsessionid=a.n2", "/x;sid=a.n3;jsessionid=a.n2", "/x;side=a.n2"] {
        world.add(get(host, target));
    }
    world
}

/// Activation and distance.
fn members() -> World {
    let mut world = world("balancer-members");
    let free_and_sticky = ["", "", "", "", "a.n1", "a.n2", "a.n3", "", "", ""];
    for members in [
        ["", "activation=disabled", ""],
        ["", "activation=stopped", ""],
        ["activation=D", "activation=S", ""],
        ["activation=d", "activation=d", "activation=d"],
        ["activation=s", "activation=s", "activation=s"],
        ["disabled=1", "", "stopped=1"],
        ["activation=0", "activation=1", "activation=2"],
        ["distance=1", "", "distance=2"],
        ["distance=1", "activation=d", "distance=2"],
        ["distance=1", "activation=s", "distance=1"],
        ["distance=-1", "", ""],
        ["", "distance=1 lbfactor=9", "lbfactor=2"],
        ["lbfactor=0", "lbfactor=-4", "lbfactor=1"],
        ["lbfactor=100", "lbfactor=99", "lbfactor=98"],
    ] {
        for lines in ["", "method=S"] {
            let host = farm(&mut world, &format!("{lines} retry_interval=1"), &members, "", "");
            ask(&mut world, host, &free_and_sticky);
        }
    }
    for member in ["", "activation=d", "activation=s"] {
        for lines in ["", "sticky_session=0", "sticky_session_force=1"] {
            let host = farm(&mut world, &format!("{lines} retry_interval=1"), &[member], "", "");
            ask(&mut world, host, &["", "a.n1", "a.n2", "none"]);
        }
    }
    world
}

/// Domains and redirects.
fn stand_ins() -> World {
    let mut world = world("balancer-stand-ins");
    let all = ["a.n1", "a.n2", "a.n3", "a.n4", "", "a.d1", "a.d2", "a.d1.x", ""];
    for members in [
        ["domain=d1", "domain=d1", "domain=d2", "domain=d2"],
        ["domain=d1 activation=s", "domain=d1", "domain=d2", "domain=d2"],
        ["domain=d1 activation=s", "domain=d1 activation=d", "domain=d2", ""],
        ["activation=s redirect=n3", "", "", ""],
        ["activation=s redirect=n3", "", "activation=d", ""],
        ["activation=s redirect=n3", "", "activation=s", ""],
        ["activation=s redirect=gone", "", "", ""],
        ["activation=d redirect=n3", "", "activation=d", ""],
        ["activation=s redirect=n2 domain=d1", "activation=s", "domain=d1", "domain=d1"],
        ["activation=s redirect=n2 domain=d1", "activation=d", "domain=d1", "domain=d1"],
        ["activation=s redirect=n2", "activation=d", "activation=d", "activation=s"],
        ["activation=s redirect=n2", "activation=s redirect=n3", "activation=d", "activation=s"],
        ["route=d1.n1", "route=d1.n2", "route=d2.n3", "route=d2.n4"],
        ["route=d1.n1 activation=s", "route=d1.n2", "route=d2.n3", "route=d2.n4"],
        ["domain=d1 distance=1 activation=s", "domain=d1 distance=2", "domain=d1 distance=1", "domain=d2"],
        ["domain=d1 activation=s", "domain=d1 lbfactor=2", "domain=d1", "domain=d1 activation=s"],
    ] {
        for lines in ["", "method=S", "sticky_session_force=1"] {
            let lines = format!("{lines} retry_interval=1");
            if lines.contains("force") {
                for session in all {
                    let host = farm(&mut world, &lines, &members, "", "");
                    ask(&mut world, host, &[session]);
                }
            } else {
                let host = farm(&mut world, &lines, &members, "", "");
                ask(&mut world, host, &all);
            }
        }
    }
    for session in ["a.d1.n2", "a.n2.d1", "a.gone.n2", "a.n1.n2"] {
        let host = farm(&mut world, "", &["domain=d1", "domain=d1", "domain=d2"], "", "");
        ask(&mut world, host, &[session]);
    }
    world
}

/// Options of rules, of `JkMount` and of a mount file.
fn rules() -> World {
    let mut world = world("balancer-rules");
    let rules = [
        ";disabled=@n1",
        ";stopped=@n1",
        ";active=@n1",
        ";active=@n2",
        ";disabled=@n1,@n2",
        ";disabled=@n1 @n3",
        ";stopped=@n1,@n2,@n3",
        ";disabled=@n1,@n2,@n3",
        ";active=@n1;disabled=@n2;stopped=@n3",
        ";stopped=nosuch",
        ";sticky_ignore=1",
        ";sticky_ignore=0",
        ";stateless=1",
        ";stateless=0",
        ";session_cookie=OTHER",
        ";session_path=;other",
        ";session_cookie=OTHER;session_path=;other;sticky_ignore=0",
        ";reply_timeout=5000",
        ";use_server_errors=500",
        ";fail_on_status=404",
        ";set_session_cookie=1;session_cookie=RT",
        ";set_session_cookie=1;session_cookie=RT;session_cookie_path=/deep",
    ];
    for rule in rules {
        for members in [["", "", ""], ["activation=s", "", "activation=d"]] {
            let host = farm(&mut world, "retry_interval=1", &members, rule, "");
            ask(&mut world, host, &["", "", "", "a.n1", "a.n2", "a.n3", ""]);
            world.add(get(host, "/x").header("Cookie", "OTHER=a.n2"));
            world.add(get(host, "/x;other=a.n3").header("Cookie", "JSESSIONID=a.n1"));
        }
    }
    let file = farm(&mut world, "", &["", "", ""], "", "JkMountFile conf/farm.map");
    let name = format!("b{file}");
    world.file(
        "conf/farm.map",
        &format!(
            "/d/*={name};disabled={name}n1\n/s/*={name};stopped={name}n2\n/i/*={name};sticky_ignore=1\n\
             /t/*={name};stateless=1\n/c/*={name};session_cookie=OTHER\n/p/*={name};session_path=;other\n\
             /a/*={name};active={name}n1;disabled={name}n2,{name}n3\n"
        ),
    );
    for place in ["d", "s", "i", "t", "c", "p", "a", "x"] {
        for session in ["", "a.n1", "a.n2", "a.n3", ""] {
            world.add(with(get(file, &format!("/{place}/x")), session));
        }
        world.add(get(file, &format!("/{place}/x")).header("Cookie", "OTHER=a.n3"));
        world.add(get(file, &format!("/{place}/x;other=a.n3")));
    }
    world
}

/// JK_ROUTE, JK_STICKY_IGNORE.
fn variables() -> World {
    let mut world = world("balancer-variables");
    for members in [["", "", ""], ["", "activation=s", "domain=d"]] {
        let host = farm(
            &mut world,
            "retry_interval=1",
            &members,
            "",
            "SetEnvIf X-Route (.+) JK_ROUTE=$1\nSetEnvIf X-Ignore (.+) JK_STICKY_IGNORE=$1",
        );
        for route in ["n1", "n2", "n3", "gone", "d", "a.n2", ".n3"] {
            for session in ["", "a.n1", "a.n3"] {
                world.add(with(get(host, "/x"), session).header("X-Route", route));
            }
            world.add(get(host, "/x;jsessionid=b.n1").header("X-Route", route));
        }
        for value in ["1", "0", "2", "-1", "yes"] {
            for session in ["", "a.n1", "a.n3", "a.n3"] {
                world.add(with(get(host, "/x"), session).header("X-Ignore", value));
            }
        }
    }
    let force =
        farm(&mut world, "sticky_session_force=1", &["", ""], "", "SetEnvIf X-Route (.+) JK_ROUTE=$1");
    world.add(get(force, "/x").header("X-Route", "n2"));
    // Set, and empty.
    for (name, rule) in [
        ("JK_ROUTE", ""),
        ("JK_STICKY_IGNORE", ""),
        ("JK_STICKY_IGNORE", ";sticky_ignore=0"),
        ("JK_STATELESS", ""),
        ("JK_STATELESS", ";stateless=0"),
    ] {
        let host =
            farm(&mut world, "method=S", &["lbfactor=3", "", ""], rule, &format!("SetEnv {name} \"\""));
        ask(&mut world, host, &["", "a.n2", "", "a.n1", "a.n2", ""]);
    }
    // What a variable says replaces what the rule says.
    for rule in [";stateless=1", ";stateless=0", ";sticky_ignore=1", ";sticky_ignore=0"] {
        let conf = "SetEnvIf X-Free (.+) JK_STATELESS=$1\nSetEnvIf X-Ignore (.+) JK_STICKY_IGNORE=$1";
        let host = farm(&mut world, "method=S", &["lbfactor=3", "", ""], rule, conf);
        for name in ["X-Free", "X-Ignore"] {
            for value in ["0", "1", "x", "2x", " 3", "-1", "00", "+1"] {
                for session in ["", "a.n2", ""] {
                    world.add(with(get(host, "/x"), session).header(name, value));
                }
            }
        }
    }
    let log = "JkRequestLogFormat \"RL|%w %R %s\"";
    let host = farm(&mut world, "", &["", "", "activation=d"], "", log);
    ask(&mut world, host, &["", "a.n3", "", "a.n1", "a.n2"]);
    world
}

/// The cookie of the balancer itself.
fn cookies() -> World {
    let mut world = world("balancer-cookies");
    for lines in [
        "set_session_cookie=1 session_cookie=RT",
        "set_session_cookie=1 session_cookie=RT session_cookie_path=/app",
        "set_session_cookie=1 session_cookie=RT sticky_session=0",
        "set_session_cookie=1 session_cookie=JSESSIONID",
        "set_session_cookie=0 session_cookie=RT",
        "session_cookie=RT",
    ] {
        for (members, conf) in [
            (vec!["", ""], ""),
            (vec![""], ""),
            (vec!["", "activation=s"], ""),
            (vec!["domain=d activation=s", "domain=d"], ""),
            (vec!["activation=s redirect=n2", "activation=d", ""], "SetEnv HTTPS on"),
        ] {
            let host = farm(&mut world, lines, &members, "", conf);
            ask(&mut world, host, &["", "a.n1"]);
            for value in [".n1", ".n2", "x.n1", "none"] {
                world.add(get(host, "/x").header("Cookie", &format!("RT={value}")));
            }
            let own =
                answer(200, &[("Set-Cookie", "JSESSIONID=new.n1; Path=/")], "with a cookie of its own\n");
            world.add(get(host, "/x").answer(own));
            world.add(get(host, "/x").answer(answer(404, &[], "")));
            world.add(get(host, "/x").answer(answer(304, &[], "")));
        }
    }
    world
}

/// One request on each balancer, of which something fails.
fn failures() -> World {
    let mut world = world("balancer-failures");
    let close = || vec![Step::Close];
    let bad = || vec![Step::Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())];
    let status = |status| answer(status, &[("Content-Type", "text/plain")], "page of the backend\n");
    let quick = "retries=1 retry_interval=1";
    let three = ["retries=1", "retries=1", "retries=1"];
    // Nobody listens at port 1.
    let refused = "retries=1 port=1";
    for method in ["GET", "HEAD", "PUT", "POST"] {
        for (members, session) in [
            ([refused, "", ""], ""),
            ([refused, refused, ""], ""),
            ([refused, refused, refused], ""),
            ([refused, "", ""], "a.n1"),
            (["domain=d", refused, "domain=d"], "a.n2"),
            ([refused, "", "activation=d"], "a.n1"),
        ] {
            let host = farm(&mut world, "retries=1 lb_retries=4", &members, "", "");
            world.add(with(get(host, "/x").method(method), session));
        }
        for answers in [vec![close()], vec![close(), plain("the second\n")], vec![bad()]] {
            let host = farm(&mut world, quick, &three, "", "");
            let mut case = get(host, "/x").method(method);
            if method == "POST" {
                case = case.body("order=1");
            }
            for answer in answers {
                case = case.answer(answer);
            }
            world.add(case);
        }
        for (list, code) in [("503,-404", 503), ("503,-404", 404), ("500", 503), ("-500", 500)] {
            let failing = format!("retries=1 fail_on_status={list}");
            let host = farm(&mut world, quick, &[&failing, &failing, &failing], "", "");
            world.add(get(host, "/x").method(method).answer(status(code)).answer(plain("the second\n")));
            let host = farm(&mut world, quick, &[&failing, &failing, &failing], "", "");
            world.add(get(host, "/x").method(method).answer(status(code)));
        }
    }
    // Rounds and tries.
    for (lines, members) in [
        ("retries=1 lb_retries=1", 3),
        ("retries=1 lb_retries=2", 3),
        ("retries=2 lb_retries=1", 3),
        ("retries=2 lb_retries=9", 2),
        ("retries=3 lb_retries=2", 2),
    ] {
        let all = ["retries=1 fail_on_status=-503"; 3];
        let host = farm(&mut world, &format!("{lines} retry_interval=1"), &all[..members], "", "");
        world.add(get(host, "/x").answer(status(503)));
    }
    // A balancer of one repeats as its member is told to.
    for retries in [1, 2, 3] {
        let one = format!("retries={retries} retry_interval=1 fail_on_status=-503");
        let host = farm(&mut world, quick, &[&one], "", "");
        world.add(get(host, "/x").answer(status(503)));
        let host = farm(&mut world, quick, &[&one], "", "");
        world.add(get(host, "/x").answer(status(503)).answer(plain("the second\n")));
    }
    // The first body packet goes along; the rest comes from the client.
    let failing = "retries=1 fail_on_status=-503 recovery_options=0";
    for len in [5, 8185, 8186, 20_000] {
        let host = farm(&mut world, quick, &[failing, failing], "", "");
        let body = crate::support::pattern(len);
        let early = vec![crate::case::head(503, None, &[]), Step::End(true)];
        world.add(get(host, "/x").method("POST").body(body).answer(early).answer(plain("the second\n")));
    }
    // The cookie is that of who answers; a client that stays gets none.
    for session in ["", "RT=.n1", "RT=.n2"] {
        let host =
            farm(&mut world, "retries=1 set_session_cookie=1 session_cookie=RT", &[refused, ""], "", "");
        let case = get(host, "/x");
        world.add(if session.is_empty() { case } else { case.header("Cookie", session) });
    }
    world
}
