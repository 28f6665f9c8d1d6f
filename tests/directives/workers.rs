//! JkWorkersFile, JkWorkerProperty, JkShmFile, JkShmSize, JkWatchdogInterval.

use crate::effect::{ask, covers, judge, vhost};
use crate::support::httpd::module_under_test;
use crate::support::{self, Backend, Httpd, client};

#[test]
fn workers_come_from_the_file_and_from_lines_of_the_configuration() {
    covers!("JkWorkersFile", "JkWorkerProperty");
    let backend = Backend::builder().secret("ab#cd-0123456789").start();
    let port = backend.port();
    // The list is joined, a single value of the file replaces the one of the directive, '#' begins no comment in a
    // directive.
    let httpd = Httpd::builder()
        .workers(format!("worker.list=file\nworker.file.reference=worker.t\nworker.t.port={port} # comment"))
        .conf(format!(
            "JkWorkerProperty worker.list=line\nJkWorkerProperty worker.t.port=1\n\
             JkWorkerProperty worker.t.host=127.0.0.1\nJkWorkerProperty worker.t.secret=ab#cd-0123456789\n\
             JkWorkerProperty worker.line.reference=worker.t\nJkMount /file/* file\nJkMount /line/* line\n{}",
            vhost("v", "JkMount /v/* line")
        ))
        .start();
    for path in ["/file/x", "/line/x"] {
        assert_eq!(client::get(httpd.port(), path).status, 404, "the main server is behind the virtual host");
    }
    assert_eq!(ask(&httpd, "v", "/v/x").status, 200);
    assert_eq!(backend.last_request().secret.as_deref(), Some("ab#cd-0123456789"));
    drop(httpd);

    // An absolute path is taken as it is.
    let httpd = Httpd::builder()
        .file("conf/other", backend.worker("w").replace("secret=ab#cd-0123456789", "fail_on_status=999"))
        .conf("JkWorkersFile @ROOT@/conf/other\nJkMount /* w")
        .start();
    assert_eq!(client::get(httpd.port(), "/x").status, 403, "no secret: this file was read");
}

#[test]
fn without_workers_there_is_one_called_ajp13() {
    covers!("JkWorkersFile", "JkWorkerProperty");
    let httpd = Httpd::builder().prepare();
    judge(
        &httpd,
        &[
            ("JkMount /x ajp13", ""),
            ("JkMount /x ajp31", "there is no worker \"ajp31\"; did you mean ajp13?"),
        ],
    );
}

#[test]
fn mistakes_in_worker_directives_are_named() {
    covers!("JkWorkersFile", "JkWorkerProperty", "JkShmFile", "JkShmSize", "JkWatchdogInterval");
    let httpd = Httpd::builder().file("conf/w", "worker.list=w\n").prepare();
    httpd.write("conf/bad", "worker.list=w\nworker.w.hots=x\nworker.w.type=foo\n");
    let inside = |line: &str| vhost("v", line);
    judge(
        &httpd,
        &[
            ("JkWorkersFile", "JkWorkersFile takes 1 argument(s)"),
            ("JkWorkersFile \"\"", "JkWorkersFile takes 1 "),
            ("JkWorkersFile conf/none", "JkWorkersFile conf/none: "),
            ("JkWorkersFile conf/w\nJkWorkersFile conf/w", "JkWorkersFile is given twice"),
            ("JkWorkersFile conf/bad", "conf/bad:2: unknown property 'worker.w.hots'; did you mean 'host'?"),
            ("JkWorkersFile conf/bad", "conf/bad:3: worker.w.type: unknown type 'foo'"),
            (&inside("JkWorkersFile conf/w"), "JkWorkersFile cannot stand in a <VirtualHost>"),
            ("JkWorkerProperty worker.w.prot=1", "unknown property 'worker.w.prot'; did you mean 'port'?"),
            ("JkWorkerProperty foo=1\nJkWorkerProperty worker.w.port", ""),
            (&inside("JkWorkerProperty foo=1"), "JkWorkerProperty cannot stand in a <VirtualHost>"),
            ("JkShmFile run/other\nJkShmSize 100", "warning: JkShmSize has no effect"),
            ("JkShmFile", "JkShmFile takes 1 argument(s)"),
            ("JkShmSize 1 2", "JkShmSize takes 1 argument(s)"),
            (&inside("JkShmFile x"), "JkShmFile cannot stand in a <VirtualHost>"),
            (&inside("JkShmSize 1"), "JkShmSize cannot stand in a <VirtualHost>"),
            ("JkWatchdogInterval 5", ""),
            ("JkWatchdogInterval abc", "warning: JkWatchdogInterval is not a number of seconds"),
            (&inside("JkWatchdogInterval 5"), "JkWatchdogInterval cannot stand in a <VirtualHost>"),
            ("<Location /x>\nJkWorkerProperty a=b\n</Location>", "not allowed"),
        ],
    );
}

#[test]
fn a_server_with_shared_memory_directives_serves() {
    covers!("JkShmFile", "JkShmSize");
    let backend = Backend::start();
    let httpd = Httpd::builder()
        .workers(backend.worker("w"))
        .conf("JkShmFile run/my.shm\nJkShmSize 1000\nJkMount /* w")
        .start();
    assert_eq!(client::get(httpd.port(), "/x").status, 200);
    httpd.assert_no_errors(&[]);
}

#[test]
fn only_the_module_is_loaded() {
    covers!("JkShmFile", "JkLogFile", "JkMount");
    let httpd = Httpd::builder()
        .without_module()
        .file("htdocs/x.txt", "static")
        .conf(format!("LoadModule jk_module \"{}\"", module_under_test().display()))
        .start();
    assert_eq!(client::get(httpd.port(), "/x.txt").text(), "static");
    assert!(httpd.error_log().contains("no JkLogFile is set; logging to logs/mod_jk.log"));
    let log = std::fs::read_to_string(httpd.root().join("logs/mod_jk.log")).unwrap();
    assert!(log.contains("[POST_CONFIG]") && log.contains("ready: "), "{log}");
}

#[test]
fn the_watchdog_works_without_requests() {
    covers!("JkWatchdogInterval", "maintain", "connection_pool_timeout", "connection_pool_minsize");
    covers!("connection_ping_interval");
    let (aged, pinged) = (Backend::start(), Backend::start());
    let workers = |maintain: &str| {
        format!(
            "worker.list=a,p\nworker.maintain={maintain}\n{}{}worker.a.connection_pool_timeout=1\n\
             worker.a.connection_pool_minsize=0\nworker.p.connection_ping_interval=1\n",
            aged.member("a"),
            pinged.member("p")
        )
    };
    let conf = "JkMount /a/* a\nJkMount /p/* p\n";
    let with = Httpd::builder().workers(workers("1")).conf(format!("{conf}JkWatchdogInterval 1")).start();
    let without = Httpd::builder().workers(workers("1")).conf(conf).start();
    let never = Httpd::builder().workers(workers("0")).conf(format!("{conf}JkWatchdogInterval 1")).start();
    for httpd in [&without, &never, &with] {
        assert_eq!(client::get(httpd.port(), "/a/x").status, 200);
        assert_eq!(client::get(httpd.port(), "/p/x").status, 200);
    }
    assert_eq!((aged.open_connections(), pinged.open_connections()), (3, 3));
    aged.wait_for("the idle connection of the watched server is closed", |log| !log[2].open);
    pinged.wait_for("the idle connection of the watched server is pinged", |log| {
        log[2].saw(&support::Event::CPing)
    });
    assert!(aged.log()[0].open, "without JkWatchdogInterval nothing happens without a request");
    assert!(aged.log()[1].open, "worker.maintain=0 switches maintenance off");
    assert_eq!(
        pinged.pings(),
        pinged.log()[2].events.iter().filter(|(_, e)| *e == support::Event::CPing).count()
    );
    // With a request, maintenance runs along with it.
    assert_eq!(client::get(without.port(), "/p/x").status, 200);
    assert!(!aged.log()[0].open || support::poll(support::PATIENCE, || !aged.log()[0].open));
    assert!(aged.log()[1].open);
}
