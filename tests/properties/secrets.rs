//! secret and secret_file.

use std::os::unix::fs::PermissionsExt;

use crate::effect::{covers, judge};
use crate::support::{Backend, Event, Httpd, client};

const SECRET: &str = "S3cr3t-canary-0123456789";

/// Lines of a worker for that backend without its secret.
fn bare(backend: &Backend, name: &str) -> String {
    format!("worker.list={name}\nworker.{name}.host=127.0.0.1\nworker.{name}.port={}\n", backend.port())
}

#[test]
fn the_secret_is_sent_and_never_shown() {
    covers!("secret");
    let backend = Backend::builder().secret(SECRET).start();
    let workers = [
        backend.worker("good"),
        bare(&backend, "none"),
        bare(&backend, "wrong") + "worker.wrong.secret=S3cr3t-canary-but-wrong\n",
    ];
    let mounts = ["good", "none", "wrong"].map(|name| format!("JkMount /{name}/* {name}\n")).concat();
    let httpd = Httpd::builder().workers(workers.concat()).jk_log_level("trace").conf(mounts).start();
    assert_eq!(client::get(httpd.port(), "/good/x").status, 200);
    assert_eq!(backend.last_request().secret.as_deref(), Some(SECRET));
    assert_eq!(client::get(httpd.port(), "/none/x").status, 403);
    assert_eq!(client::get(httpd.port(), "/wrong/x").status, 403);
    assert_eq!(backend.log().iter().filter(|c| c.saw(&Event::WrongSecret)).count(), 2);
    let logs = httpd.jk_log() + &httpd.error_log();
    assert!(logs.contains("JK0212") && !logs.contains("S3cr3t"), "{logs}");
    let judged = Httpd::builder().prepare();
    judge(
        &judged,
        &[
            (
                "JkWorkerProperty worker.ajp13.secret=short",
                "warning: worker.ajp13.secret: shorter than 16 characters",
            ),
            ("JkWorkerProperty worker.ajp13.host=192.0.2.1", "warning: relays to another machine"),
        ],
    );
}

#[test]
fn the_secret_can_stand_in_a_file() {
    covers!("secret_file");
    let backend = Backend::builder().secret(SECRET).start();
    let workers = [
        bare(&backend, "relative") + "worker.relative.secret_file=conf/secret\n",
        bare(&backend, "absolute") + "worker.absolute.secret_file=@ROOT@/conf/secret\n",
        bare(&backend, "variable") + "worker.variable.secret_file=$(ServerRoot)/conf/secret\n",
        bare(&backend, "template") + "worker.template.reference=worker.t\n",
        bare(&backend, "own")
            + "worker.own.reference=worker.t\nworker.own.secret=another-secret-of-some-length\n",
        "worker.t.secret_file=conf/secret\n".to_owned(),
    ];
    let names = ["relative", "absolute", "variable", "template", "own"];
    let mounts = names.map(|name| format!("JkMount /{name}/* {name}\n")).concat();
    let mut httpd = Httpd::builder().workers(workers.concat()).conf(mounts).prepare();
    let secret = |text: &str, mode: u32| {
        httpd.write("conf/secret", text);
        let path = httpd.root().join("conf/secret");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    secret(&format!("  {SECRET}\r\n\n"), 0o600);
    let (good, output) = httpd.configtest();
    assert!(good && !output.contains("secret"), "{output}");
    httpd.launch().expect("start");
    for name in names {
        let wanted = if name == "own" { 403 } else { 200 };
        assert_eq!(client::get(httpd.port(), &format!("/{name}/x")).status, wanted, "{name}");
    }
    // A restart reads it again.
    httpd.write("conf/secret", "another-secret-of-some-length");
    httpd.graceful();
    crate::support::wait_until("the new secret is sent", || {
        client::get(httpd.port(), "/relative/x").status == 403
    });
    assert_eq!(backend.last_request().secret.as_deref(), Some("another-secret-of-some-length"));
    let logs = httpd.jk_log() + &httpd.error_log();
    assert!(!logs.contains(SECRET) && !logs.contains("another-secret"), "{logs}");
}

#[test]
fn an_unusable_secret_file_is_a_configuration_error() {
    covers!("secret_file");
    let httpd = Httpd::builder().prepare();
    let file = |name: &str, text: &str, mode: u32| {
        httpd.write(name, text);
        std::fs::set_permissions(httpd.root().join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    file("conf/good", SECRET, 0o640);
    file("conf/open", SECRET, 0o644);
    file("conf/short", "S3cr3t-canary", 0o600);
    file("conf/empty", " \n", 0o600);
    file("conf/lines", "S3cr3t-canary\nS3cr3t-canary\n", 0o600);
    file("conf/huge", &"x".repeat(5000), 0o600);
    let line = |file: &str| format!("JkWorkerProperty worker.ajp13.secret_file={file}");
    for (name, wanted) in [
        ("conf/good", ""),
        ("conf/open", "warning: worker.ajp13.secret_file: every user may read 'conf/open'; chmod o-r"),
        ("conf/short", "warning: worker.ajp13.secret_file: shorter than 16 characters"),
        ("conf/none", "conf/none: No such file"),
        ("conf", "conf: not a regular file"),
        ("conf/empty", "worker.ajp13.secret_file: a secret must have 1 to 255 characters"),
        ("conf/lines", "may only contain printable ASCII characters"),
        ("conf/huge", "conf/huge: larger than 4096 bytes"),
    ] {
        judge(&httpd, &[(&line(name), wanted)]);
        let (_, output) = httpd.configtest();
        assert!(!output.contains("S3cr3t"), "{output}");
        assert!(wanted.is_empty() || output.contains("httpd.conf:"), "file and line: {output}");
    }
    let both = format!("{}\nJkWorkerProperty worker.ajp13.secret={SECRET}", line("conf/good"));
    judge(&httpd, &[(&both, "worker.ajp13.secret_file and worker.ajp13.secret are both set")]);
}
