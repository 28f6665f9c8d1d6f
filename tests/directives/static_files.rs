//! JkAutoAlias and JkStripSession.

use crate::effect::{ask, covers, judge, statuses, vhost};
use crate::support::{Backend, Httpd};

#[test]
fn auto_alias_serves_what_no_mount_covers() {
    covers!("JkAutoAlias");
    let backend = Backend::start();
    let conf = [
        "JkMount /*.jsp w\nJkAutoAlias webapps\n",
        "DirectoryIndex index.jsp index.html\n",
        &vhost("own", "JkAutoAlias webapps\nJkMount /*.jsp w"),
        &vhost("absolute", "JkAutoAlias @ROOT@/webapps"),
        &vhost("copy", "JkMountCopy On"),
        &vhost("other", "JkMountCopy On\nJkAutoAlias elsewhere"),
        &vhost("none", ""),
    ];
    let mut builder = Httpd::builder().workers(backend.worker("w")).conf(conf.concat());
    for (name, content) in [
        ("webapps/app/s.txt", "served"),
        ("webapps/app/sp ace.txt", "blank"),
        ("webapps/app/index.jsp", "source"),
        ("webapps/app/WEB-INF/web.xml", "hidden"),
        ("webapps/app/sub/WEB-INF/x", "not hidden"),
        ("webapps/app/plain/index.html", "index"),
        ("webapps/app/pages/index.jsp", "source"),
        ("webapps/other.war", "archive"),
        ("webapps/file.txt", "not in an application"),
        ("elsewhere/app/s.txt", "elsewhere"),
        ("htdocs/index.html", "root"),
        ("htdocs/local.txt", "local"),
    ] {
        builder = builder.file(name, content);
    }
    let httpd = builder.start();
    for host in ["own", "absolute", "copy"] {
        assert_eq!(ask(&httpd, host, "/app/s.txt").text(), "served", "{host}");
        statuses(
            &httpd,
            host,
            &[
                ("/app/sp%20ace.txt", 200),
                ("/app/s.txt;a=b", 200),
                ("/app/WEB-INF/web.xml", 404),
                ("/app/web-inf/web.xml", 404),
                ("/app/META-INF/x", 404),
                ("/app/WEB-INF;x/web.xml", 404),
                ("/app;x/WEB-INF/web.xml", 404),
                ("/app/.;/WEB-INF/web.xml", 404),
                ("/app/sub/WEB-INF/x", 200),
                ("/other.war", 403),
                ("/other.WAR", 403),
                ("/file.txt", 404),
                ("/app", 301),
                ("/local.txt", 200),
                ("/", 200),
            ],
        );
    }
    assert_eq!(ask(&httpd, "other", "/app/s.txt").text(), "elsewhere");
    statuses(&httpd, "none", &[("/app/s.txt", 404), ("/other.war", 404)]);
    // A directory's index is the worker's only where the file exists.
    assert!(backend.requests().is_empty());
    assert_eq!(ask(&httpd, "own", "/app/pages/").fact("uri").as_deref(), Some("/app/pages/index.jsp"));
    assert_eq!(ask(&httpd, "own", "/app/plain/").text(), "index");
    assert_eq!(ask(&httpd, "own", "/app/x.jsp").status, 200);
    assert_eq!(backend.requests().len(), 2);
}

#[test]
fn session_ids_are_stripped_from_what_httpd_serves() {
    covers!("JkStripSession");
    let backend = Backend::start();
    let conf = [
        "JkMount /app/* w\nJkStripSession On\n",
        &vhost("inherits", "JkMount /app/* w"),
        &vhost("off", "JkMount /app/* w\nJkStripSession Off"),
        &vhost("sid", "JkMount /app/* w\nJkStripSession On ;sid"),
        &vhost("unmounted", "JkStripSession On"),
        &vhost("excluded", "JkMount /app/* w\nSetEnvIf Request_URI . no-jk"),
    ];
    let start = |conf: String| {
        let mut builder = Httpd::builder().workers(backend.worker("w")).conf(conf);
        for name in ["s.txt", "a/index.html", "s.txt;x=1", "s.txt;x"] {
            builder = builder.file(&format!("htdocs/{name}"), name);
        }
        builder.start()
    };
    let httpd = start(conf.concat());
    for host in ["inherits", "unmounted", "excluded"] {
        for (path, file) in [
            ("/s.txt;jsessionid=1", "s.txt"),
            ("/a;jsessionid=1/index.html", "a/index.html"),
            ("/s.txt;x=1;jsessionid=1", "s.txt;x=1"),
            ("/s.txt;jsessionid=1;x", "s.txt;x"),
        ] {
            let answer = ask(&httpd, host, path);
            assert_eq!((answer.status, answer.text().as_str()), (200, file), "{host}{path}");
        }
        statuses(&httpd, host, &[("/s.txt;jsessionidfoo=2", 404), ("/s.txt;JSESSIONID=1", 404)]);
    }
    statuses(&httpd, "off", &[("/s.txt;jsessionid=1", 404), ("/s.txt", 200)]);
    statuses(&httpd, "sid", &[("/s.txt;jsessionid=1", 404), ("/s.txt;sid=1;x", 200)]);
    // What is forwarded keeps it.
    assert_eq!(
        ask(&httpd, "inherits", "/app/x;jsessionid=1").fact("uri").as_deref(),
        Some("/app/x;jsessionid=1")
    );
    drop(httpd);
    let default = start(vhost("v", "JkMount /app/* w"));
    statuses(&default, "v", &[("/s.txt;jsessionid=1", 404), ("/s.txt", 200)]);
    drop(default);

    let httpd = Httpd::builder().prepare();
    judge(
        &httpd,
        &[
            ("JkStripSession Maybe", "JkStripSession is On or Off, not \"Maybe\""),
            ("JkStripSession On ;sid x", "JkStripSession takes 1 or 2 argument(s)"),
            ("JkStripSession on ;sid", ""),
            ("JkAutoAlias", "JkAutoAlias takes 1 argument(s)"),
            ("JkAutoAlias \"\"", "JkAutoAlias takes 1 "),
        ],
    );
}
