//! Which requests go where, and with which URI: the rows of the mapping, security and URI tables of the pure tests, and
//! the inheritance of mounts.

use crate::case::{MAIN, World, get};
use crate::mapping_rows;
use crate::row::Row;
use crate::security_rows;

pub fn worlds() -> Vec<World> {
    vec![
        rows("mapping", mapping_rows::ROWS, &[]),
        security(),
        forms(),
        copies(""),
        copies("JkMountCopy All"),
        main_server(),
    ]
}

/// One virtual host per row.
fn rows(name: &str, rows: &[Row], fixture: &[&str]) -> World {
    let mut world = World::new(name);
    for (place, row) in rows.iter().enumerate() {
        let lines: Vec<&str> = fixture.iter().chain(row.config).copied().collect();
        // Rules of worker properties go to the main server; a mount in a Directory section is a configuration error here.
        if lines.iter().any(|line| line.starts_with("workers:") || line.starts_with("<Directory")) {
            continue;
        }
        let (file, conf): (Vec<&str>, Vec<&str>) = lines.iter().partition(|line| line.starts_with("file:"));
        let mut conf = conf.join("\n");
        if !file.is_empty() {
            let rules: Vec<&str> = file.iter().map(|line| line[5..].trim()).collect();
            world.file(&format!("conf/{name}{place}.properties"), &(rules.join("\n") + "\n"));
            conf += &format!("\nJkMountFile conf/{name}{place}.properties");
        }
        let long = row.targets.iter().any(|target| crate::row::target(target).len() > 8000);
        if long {
            // Longer than mod_jk can send, and httpd's own limit is the same for both.
            continue;
        }
        world.gets(&conf, row.targets);
    }
    world
}

fn security() -> World {
    let fixture = [
        "JkMount /app/* w1",
        "JkUnMount /app/secret/* w1",
        "<Location /app/locked>\nRequire all denied\n</Location>",
        "JkMount /jkstatus w2",
        "<Location /jkstatus>\nRequire ip 192.0.2.1\n</Location>",
    ];
    assert_eq!(security_rows::FIXTURE.len(), fixture.len());
    rows("security", security_rows::ROWS, &fixture)
}

/// Paths in every form of forwarding.
fn forms() -> World {
    const TARGETS: [&str; 60] = [
        "/app/a%20b",
        "/app/a+b",
        "/app/a%2Bb",
        "/app/%7Ex",
        "/app/%41",
        "/app/a%25b",
        "/app/a%2525b",
        "/app/%2561",
        "/app/a%5Cb",
        "/app/a\\b",
        "/app/%C3%A9",
        "/app/{xC3}{xA9}",
        "/app/%E9",
        "/app/a;b=c",
        "/app/a;jsessionid=X.r1?q=1",
        "/app/a%3Bb",
        "/app;x/%3B",
        "/app/x;a=b%20c/y",
        "/app/a%3D%26",
        "/app/a%3Fb",
        "/app/a%23b",
        "/app/a\"b",
        "/app/<>",
        "/app/{}|^`",
        "/app/[x]",
        "/app/a:b",
        "/app/a@b&c=d$e,f",
        "/app/!*'()",
        "/app/a%09b",
        "/app/a%7Fb",
        "/app/a%0D%0Ab",
        "/app/./x",
        "/app/x/../y",
        "/app/%2e%2e/x",
        "/app//x",
        "//app/x",
        "/app/x/.",
        "/app/x/..",
        "/app/..;/app/x",
        "http://localhost/app/abs?x",
        "/app/a?b?c",
        "/app/a?",
        "/old/a%20b",
        "/d/?a=1",
        "/app/a%2Fb",
        "/app/x;a=%2F/y",
        "/app/a%00b",
        "/app/a%zz",
        "/app/a%2",
        "/app/%",
        "/app/a b",
        "/app/a#b",
        "/app/a;b;c=d;e",
        "/app/a;",
        "/app/.hidden",
        "/app/a~b",
        "/app/x?a=%2F..&b=%zz",
        "/app/x?a={xC3}{xA9}",
        "/app/x?a=\\\"<>^`{|}",
        "/app/x?a=%00%0D%0A",
    ];
    let mut world = World::new("forms");
    for form in ["ForwardURIProxy", "ForwardURICompat", "ForwardURICompatUnparsed", "ForwardURIEscaped"] {
        let more = "JkMount /* w1\nRewriteEngine On\nRewriteRule ^/old/(.*)$ /app/$1 [PT]";
        world.gets(&format!("JkOptions +{form}\n{more}"), &TARGETS);
        for slashes in ["On", "NoDecode"] {
            let conf = format!("JkOptions +{form}\nAllowEncodedSlashes {slashes}\nJkMount /* w1");
            world.gets(&conf, &["/app/x%2Fy", "/app/a%2f%2fb", "/app/%41%2F"]);
        }
    }
    // The last choice in a server counts.
    world.gets(
        "JkOptions ForwardURIEscaped ForwardURICompat\nJkOptions +ForwardURIProxy\nJkMount /* w1",
        &["/app/%5B"],
    );
    world.gets("JkOptions +ForwardURIProxy +ForwardURIEscaped\nJkMount /* w1", &["/app/%5B"]);
    world
}

/// Virtual hosts with and without mounts of their own below a main server that has some.
fn copies(main: &str) -> World {
    let mut world = World::new(if main.is_empty() { "copy" } else { "copy-all" });
    world.main(main);
    world.main("JkMount /g/* w1\nJkMount /h|/* w1\nJkUnMount /g/s/* w1\nJkMountFile conf/main.properties");
    world.main("JkAutoAlias @ROOT@/apps\nJkOptions +ForwardURIEscaped\nJkEnvVar MAIN_VAR main-default");
    world.file("conf/main.properties", "/f/*=w2\n!/g/f/*=w1\n");
    world.file("apps/ctx/page.txt", "context page\n");
    world.file("conf/own.properties", "/o/*=w3\n");
    let targets = [
        "/g/x",
        "/g/s/x",
        "/g/f/x",
        "/h",
        "/h/x",
        "/f/x",
        "/o/x",
        "/v/x",
        "/g/%5Bx%5D",
        "/ctx/page.txt",
        "/static.txt",
    ];
    for copy in ["", "JkMountCopy On", "JkMountCopy Off"] {
        for own in [
            "",
            "JkMount /v/* w3",
            "JkMount /g/* w3",
            "JkUnMount /h/* w1",
            "JkMountFile conf/own.properties",
            "JkMount /h/* w2\nJkMountFile conf/own.properties",
            "JkAutoAlias @ROOT@/none\nJkMount /v/* w3",
            "JkOptions +ForwardURIProxy\nJkEnvVar OWN_VAR own\nJkMount /g/* w2",
        ] {
            world.gets(&format!("{copy}\n{own}"), &targets);
        }
    }
    world
}

/// What only the main server has: rules of worker properties, with and without JkMountCopy.
fn main_server() -> World {
    let mut world = World::new("main-server");
    world.main("JkMount /m/* w2\nJkMountFile conf/main.properties\nJkMountCopy On");
    world.file("conf/main.properties", "/f/*=w3\n!/m/no/*=*\n");
    world.workers =
        "worker.w1.mount=/m/* /n|/* /n/deep/*\nworker.w2.mount=/two\nworker.w2.mount=!/n/deep/x\n".into();
    for target in [
        "/m/x",
        "/m/no/x",
        "/n",
        "/n/x",
        "/n/deep/x",
        "/n/deep/y",
        "/f/x",
        "/two",
        "/two/",
        "/static.txt",
        "/",
    ] {
        world.add(get(MAIN, target));
    }
    world
}
