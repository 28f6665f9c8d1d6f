//! JkMountFile and JkMountFileReload.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use crate::effect::{ask, covers, judge, statuses, vhost};
use crate::support::{Backend, Httpd, wait_until};

/// Asks until the status is `wanted`: a look at the file needs a request.
#[track_caller]
fn becomes(httpd: &Httpd, host: &str, path: &str, wanted: u16) {
    wait_until(&format!("{host}{path} becomes {wanted}"), || ask(httpd, host, path).status == wanted);
}

#[test]
fn the_file_is_read_again_when_it_changes() {
    covers!("JkMountFile", "JkMountFileReload");
    let backend = Backend::start();
    let base = "JkMountFile conf/map\n";
    let slow = Httpd::builder()
        .workers(backend.worker("w"))
        .file("conf/map", "/a/*=w\n")
        .conf(format!("{base}{}", vhost("default", base)))
        .start();
    let httpd = Httpd::builder()
        .workers(backend.worker("w"))
        .file("conf/map", "# comment\n/a/*=w\n!/a/no/*=w\n")
        .conf(format!(
            "{base}JkMountFileReload 1\nJkMount /fixed/* w\n{}{}{}{}{}",
            vhost("copy", "JkMountCopy On"),
            vhost("own", base),
            vhost("never", "JkMountFile conf/map\nJkMountFileReload 0"),
            vhost("later", "JkMountCopy On\nJkMountFileReload 3600"),
            vhost("none", "")
        ))
        .start();
    for host in ["copy", "own", "never", "later"] {
        statuses(&httpd, host, &[("/a/x", 200), ("/a/no/x", 404), ("/b/x", 404)]);
    }
    statuses(&httpd, "copy", &[("/fixed/x", 200)]);
    statuses(&httpd, "own", &[("/fixed/x", 404)]);
    statuses(&httpd, "none", &[("/a/x", 404)]);

    slow.write("conf/map", "/b/*=w\n");
    let changed = Instant::now();
    httpd.write("conf/map", "/b/*=w\n");
    becomes(&httpd, "copy", "/b/x", 200);
    assert!(changed.elapsed() < Duration::from_secs(15), "{:?}", changed.elapsed());
    becomes(&httpd, "own", "/b/x", 200);
    statuses(&httpd, "copy", &[("/a/x", 404), ("/fixed/x", 200)]);
    statuses(&httpd, "never", &[("/a/x", 200), ("/b/x", 404)]);
    assert!(httpd.jk_log().contains("JK0009: the mount file has changed: 1 rule(s)"), "{}", httpd.jk_log());

    // A broken file, a file that is gone, and one that cannot be read: the rules stay, and the log says why, once.
    let path = httpd.root().join("conf/map");
    let kept = || httpd.jk_log().matches("the rules stay as they were").count();
    let steps: [(&str, &dyn Fn()); 3] = [
        ("conf/map:2: ", &|| httpd.write("conf/map", "/c/*=w\n!bad=w\nnot a rule\n")),
        ("No such file", &|| std::fs::remove_file(&path).unwrap()),
        ("Permission denied", &|| {
            httpd.write("conf/map", "/c/*=w\n");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
        }),
    ];
    for (reason, change) in steps {
        let before = kept();
        change();
        wait_until(reason, || {
            ask(&httpd, "copy", "/b/x");
            kept() > before
        });
        // Two more intervals with requests: nothing new is said (the two maps of this file have one line each).
        let until = Instant::now() + Duration::from_millis(2300);
        while Instant::now() < until {
            statuses(&httpd, "copy", &[("/b/x", 200), ("/c/x", 404)]);
            statuses(&httpd, "own", &[("/b/x", 200)]);
        }
        let said = kept() - before;
        assert!(said <= 2, "{said} times for {reason}: {}", httpd.jk_log());
    }
    assert!(httpd.jk_log().contains("No such file") && httpd.jk_log().contains("Permission denied"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    httpd.write("conf/map", "/c/*=w\n\n");
    becomes(&httpd, "copy", "/c/x", 200);
    statuses(&httpd, "copy", &[("/b/x", 404), ("/fixed/x", 200)]);
    statuses(&httpd, "never", &[("/a/x", 200), ("/c/x", 404)]);

    // By default the file is looked at once a minute.
    assert!(changed.elapsed() < Duration::from_secs(55), "too slow to tell");
    statuses(&slow, "default", &[("/a/x", 200), ("/b/x", 404)]);
}

#[test]
fn mistakes_in_mount_files_are_named() {
    covers!("JkMountFile", "JkMountFileReload");
    let backend = Backend::start();
    let httpd = Httpd::builder().workers(backend.worker("work")).prepare();
    httpd.write("conf/good", "/a/*=work\nvariable=work\n");
    httpd.write("conf/bad", "/a/*=work\n!=work\n");
    httpd.write("conf/near", "/a/*=work\n\n/b/*=wrok\n");
    httpd.write("conf/far", "/a/*=work\n/b/*=nothing\n!/a/b/*=nothing\n");
    judge(
        &httpd,
        &[
            ("JkMountFile conf/good\nJkMountFileReload 5", ""),
            ("JkMountFile", "JkMountFile takes 1 argument(s)"),
            ("JkMountFile conf/none", "JkMountFile"),
            ("JkMountFile conf", "JkMountFile"),
            ("JkMountFile conf/bad", "conf/bad:2: "),
            (
                "JkMountFile conf/near",
                "conf/near:3: rule /b/*: there is no worker \"wrok\"; did you mean work?",
            ),
            (
                "JkMountFile conf/far",
                "warning: conf/far:2: rule /b/*: there is no worker \"nothing\"; requests for it are answered",
            ),
            (
                "JkMountFile conf/far",
                "warning: conf/far:3: exclusion /a/b/*: there is no worker \"nothing\"; the exclusion has no",
            ),
            ("JkMountFileReload abc", "JkMountFileReload is a number of seconds, not \"abc\""),
            ("JkMountFileReload -5", "JkMountFileReload is a number of seconds"),
            ("<Location /x>\nJkMountFile conf/good\n</Location>", "not allowed"),
        ],
    );
}
