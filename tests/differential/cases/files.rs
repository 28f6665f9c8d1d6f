//! Mount files with all their syntax and extensions, and what httpd serves itself: JkAutoAlias, JkStripSession, index files.

use crate::case::{World, answer, get, plain};

pub fn worlds() -> Vec<World> {
    vec![mount_files(), extensions(), alias(), strip(), index()]
}

fn mount_files() -> World {
    let mut world = World::new("mount-files");
    let cases: [(&str, &[&str]); 16] = [
        ("/a/*=w1\n", &["/a/x", "/a", "/b"]),
        ("# comment\n  /a/*  =  w1  \r\n\r\n/b|/*=w2 # tail\n", &["/a/x", "/b", "/b/x", "/c"]),
        ("/a/*=w1\n!/a/s/*=w1\n", &["/a/x", "/a/s/x"]),
        ("/a/*=w1\n!/a/s/*=w2\n", &["/a/s/x"]),
        ("/a/*=w1\n!/a/s/*=*\n", &["/a/s/x"]),
        ("/a/*=w1\n-/a/*=w1\n", &["/a/x"]),
        ("-/a/*=w1\n/b/*=w2\n", &["/a/x", "/b/x"]),
        ("/a/*=w1\n-!/a/s/*=w1\n", &["/a/s/x"]),
        ("/a/*=w1\n/a/*=w2\n", &["/a/x"]),
        ("/a/*=$(nothing)\n/b/*=w1\n", &["/b/x", "/a/x"]),
        ("/v=w2\n/a/*=$(/v)\n", &["/a/x", "/v"]),
        ("no equals\n/a/*=w1\n=w2\n/b/*=\n", &["/a/x", "/b/x"]),
        ("/a|b|c=w1\n", &["/a", "/ab", "/ab|c"]),
        ("/a/?x=w1\n/a/**=w2\n", &["/a/1x", "/a/12x"]),
        ("/a/*=w1;reply_timeout=5000;use_server_errors=0\n", &["/a/x"]),
        ("/a b/*=w1\n", &["/a%20b/x", "/a+b/x"]),
    ];
    for (place, (rules, targets)) in cases.iter().enumerate() {
        world.file(&format!("conf/m{place}.properties"), rules);
        world.gets(&format!("JkMountFile conf/m{place}.properties\nJkMountFileReload 0"), targets);
    }
    // The rules of the file come before those of JkMount.
    world.file("conf/both.properties", "/a/*=w2\n!/b/x=w1\n/c/longer/*=w2\n");
    let both = "JkMountFile conf/both.properties\nJkMount /a/* w1\nJkMount /b/* w1\nJkMount /c/* w1\nJkUnMount /c/longer/no w2";
    world.gets(both, &["/a/x", "/b/x", "/b/y", "/c/x", "/c/longer/x", "/c/longer/no"]);
    world
}

/// Rule extensions with an effect that can be seen from outside, in mounts, mount files and the worker variable.
fn extensions() -> World {
    let mut world = World::new("extensions");
    let rules: [&str; 14] = [
        "use_server_errors=500",
        "use_server_errors=400",
        "use_server_errors=404",
        "use_server_errors=0",
        "fail_on_status=503",
        "fail_on_status=-500",
        "fail_on_status=404,500",
        "fail_on_status=404 503",
        "fail_on_status=-404,500;use_server_errors=500",
        "reply_timeout=20000",
        "unknown=1",
        ";;use_server_errors=500;",
        "use_server_errors=500;use_server_errors=400",
        "fail_on_status=404;fail_on_status=500",
    ];
    for (place, rule) in rules.iter().enumerate() {
        let quoted = format!("JkMount /a/* \"w1;{rule}\"");
        world.file(&format!("conf/e{place}.properties"), &format!("/a/*=w1;{rule}\n"));
        let file = format!("JkMountFile conf/e{place}.properties");
        let variable = format!(
            "<Location /a>\nSetHandler jakarta-servlet\n</Location>\nSetEnv JK_WORKER_NAME \"w1;{rule}\""
        );
        for conf in [quoted, file, variable] {
            let vhost = world.vhost(&conf);
            for status in [200, 302, 404, 500, 503] {
                let headers = [("Content-Type", "text/html"), ("X-Backend", "yes"), ("Retry-After", "7")];
                world.add(get(vhost, "/a/x").answer(answer(status, &headers, "from the backend\n")));
            }
        }
    }
    let all = world.vhost("JkMount /* \"w1;use_server_errors=401\"\nErrorDocument 404 \"own text\"\nErrorDocument 410 /static.txt\nJkUnMount /static.txt w1");
    for (status, headers) in [
        (401, vec![("WWW-Authenticate", "Basic realm=\"a\"")]),
        (401, vec![("WWW-Authenticate", "Basic realm=\"a\""), ("WWW-Authenticate", "Digest realm=\"b\"")]),
        (401, vec![]),
        (403, vec![("Set-Cookie", "a=b")]),
        (404, vec![("Allow", "GET")]),
        (405, vec![("Allow", "GET")]),
        (410, vec![]),
        (599, vec![]),
        (600, vec![]),
    ] {
        world.add(get(all, "/x").answer(answer(status, &headers, "backend page\n")));
        world.add(get(all, "/x").method("HEAD").answer(answer(status, &headers, "backend page\n")));
    }
    world
}

fn alias() -> World {
    let mut world = World::new("auto-alias");
    for name in [
        "ctx/s.txt",
        "ctx/sp ace.txt",
        "ctx/WEB-INF/web.xml",
        "ctx/sub/WEB-INF/x",
        "ctx/index.html",
        "other.war",
        "foo.txt",
        "ctx/META-INF/m",
        "ctx/page.jsp",
    ] {
        world.file(&format!("apps/{name}"), &format!("alias {name}\n"));
    }
    let targets = [
        "/ctx/s.txt",
        "/ctx/sp%20ace.txt",
        "/ctx/WEB-INF/web.xml",
        "/ctx/web-inf/web.xml",
        "/ctx/WEB-INF;x/y",
        "/ctx;x/WEB-INF/y",
        "/ctx/.;/WEB-INF/y",
        "/ctx/META-INF/m",
        "/ctx/sub/WEB-INF/x",
        "/other.war",
        "/OTHER.WAR",
        "/other.war/x",
        "/foo.txt",
        "/ctx/s.txt;a=b",
        "/ctx",
        "/ctx/",
        "/",
        "/static.txt",
        "/ctx/page.jsp",
        "/ctx/none.txt",
        "/nowhere/x",
        "/ctx/%57EB-INF/web.xml",
        "//ctx//WEB-INF/web.xml",
        "/.war",
        "/x.war",
    ];
    world.gets("JkAutoAlias @ROOT@/apps\nJkMount /*.jsp w1", &targets);
    world.gets(
        "JkAutoAlias @ROOT@/apps\nJkMount /*.jsp w1\nDirectoryIndex index.jsp page.jsp index.html",
        &["/ctx/", "/ctx/sub/"],
    );
    world.gets("JkAutoAlias @ROOT@/apps\nJkMount /ctx/* w1\nJkUnMount /*.txt w1", &targets);
    world.gets("JkAutoAlias @ROOT@/missing\nJkMount /*.jsp w1", &["/ctx/s.txt", "/static.txt", "/x.war"]);
    world
}

fn strip() -> World {
    let mut world = World::new("strip-session");
    let targets = [
        "/static.txt;jsessionid=1",
        "/app;jsessionid=1/static.txt",
        "/static.txt;JSESSIONID=1",
        "/static.txt;jsessionidfoo=2",
        "/static.txt;x=1;jsessionid=1",
        "/static.txt;jsessionid=1;x",
        "/static.txt;sid=1;x",
        "/static.txt;sid=1",
        "/static.txt;jsessionid",
        "/static.txt;jsessionid=1?q",
        "/d;jsessionid=1/",
        "/d/;jsessionid=1",
        "/static.txt%3Bjsessionid=1",
        "/x.jsp;jsessionid=1",
        "/static.txt;jsessionid=1;jsessionid=2",
    ];
    for strip in ["", "JkStripSession On", "JkStripSession on ;sid", "JkStripSession Off"] {
        world.gets(&format!("{strip}\nJkMount /*.jsp w1"), &targets);
    }
    world.gets("JkStripSession On", &targets);
    world.gets("JkStripSession On\nJkMount /*.jsp w1\nSetEnvIf Request_URI static no-jk", &targets);
    world
}

fn index() -> World {
    let mut world = World::new("index");
    for name in ["idx/index.jsp", "both/index.html", "both/index.jsp"] {
        world.file(&format!("htdocs/{name}"), &format!("index {name}\n"));
    }
    world.file("htdocs/empty/x.txt", "x\n");
    let targets =
        ["/", "/idx/", "/idx", "/both/", "/empty/", "/d/", "/empty/?q=1", "/none/", "/empty/;jsessionid=1"];
    for conf in [
        "JkMount /*.jsp w1\nDirectoryIndex index.jsp",
        "JkMount /*.jsp w1\nDirectoryIndex index.jsp index.html",
        "JkMount /*.jsp w1\nDirectoryIndex index.html index.jsp",
        "JkMount /?* w1",
        "JkMount /*.jsp w1\nJkUnMount /empty/* w1\nDirectoryIndex index.jsp",
        "JkMount /* w1\nDirectoryIndex index.jsp",
        "JkMount /*.jsp w1\nDirectoryIndex index.jsp\nSetEnvIf Request_URI ^/empty/ no-jk",
        "JkMount /*.jsp w1\nDirectoryIndex disabled",
    ] {
        world.gets(conf, &targets);
    }
    // Extensions of the rule that an index probe found.
    let vhost = world.vhost("JkMount /*.jsp \"w1;use_server_errors=500\"\nDirectoryIndex index.jsp");
    world.add(get(vhost, "/empty/").answer(answer(500, &[], "backend page\n")));
    world.add(get(vhost, "/idx/").answer(answer(500, &[], "backend page\n")));
    world.add(get(vhost, "/empty/").method("POST").body("a=b").answer(plain("posted\n")));
    world.add(get(vhost, "/empty/").method("HEAD"));
    world
}
