//! JkShmFile: a file of httpd alone, gone when httpd is.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use crate::effect::covers;
use crate::farm::{Farm, asked, mounts};
use crate::support::{Httpd, Mpm, under_each_mpm};

fn files(httpd: &Httpd) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(httpd.root().join("run")).unwrap();
    let mut files: Vec<PathBuf> = listed.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with("my.shm"));
    files
}

under_each_mpm!(the_memory_is_a_private_file_for_as_long_as_httpd_runs);

fn the_memory_is_a_private_file_for_as_long_as_httpd_runs(mpm: Mpm) {
    covers!("JkShmFile");
    let farm = Farm::of(2);
    let workers = farm.balancer("b", "", &["", ""]);
    let mut httpd =
        Httpd::builder().mpm(mpm).workers(workers).conf(mounts(&["b"]) + "JkShmFile run/my.shm\n").start();
    assert_eq!(asked(&httpd, "/b/x"), "n1");
    let found = files(&httpd);
    assert_eq!(found, [httpd.root().join(format!("run/my.shm.{}", httpd.pid()))]);
    let before = std::fs::symlink_metadata(&found[0]).unwrap();
    assert!(before.is_file());
    assert_eq!(before.permissions().mode() & 0o7777, 0o600);
    httpd.graceful();
    assert_eq!(asked(&httpd, "/b/x"), "n2");
    httpd.restart();
    assert_eq!(asked(&httpd, "/b/x"), "n1");
    let after = std::fs::symlink_metadata(&found[0]).unwrap();
    assert_eq!(
        (files(&httpd), after.ino()),
        (found, before.ino()),
        "the same memory, or its contents would be lost"
    );
    assert!(httpd.stop());
    assert_eq!(files(&httpd), [""; 0].map(PathBuf::from));
}

#[test]
fn a_place_that_somebody_has_prepared_is_left_alone() {
    covers!("JkShmFile");
    let farm = Farm::of(1);
    let workers = farm.balancer("b", "", &[""]);
    let mut httpd = Httpd::builder()
        .allow_log("Configuration Failed")
        .workers(workers)
        .conf("JkShmFile run/my.shm\n")
        .prepare();
    let victim = httpd.root().join("conf/victim");
    std::fs::write(&victim, "precious").unwrap();
    // The name ends in a process id that can be guessed: links for all that come next.
    let number = |path: &str| std::fs::read_to_string(path).unwrap().trim().parse::<u32>().unwrap();
    let (last, most) = (number("/proc/sys/kernel/ns_last_pid"), number("/proc/sys/kernel/pid_max"));
    for next in 1..=5000 {
        // After the largest one they begin again, behind those the system keeps.
        let pid = if last + next < most { last + next } else { 300 + (last + next - most) };
        let _ = std::os::unix::fs::symlink(&victim, httpd.root().join(format!("run/my.shm.{pid}")));
    }
    let text = httpd.launch().expect_err("a link is not followed");
    assert!(text.contains("run/my.shm.") && text.contains("not a plain file of this user"), "{text}");
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
}

#[test]
fn a_place_that_does_not_exist_is_named() {
    covers!("JkShmFile");
    let farm = Farm::of(1);
    let workers = farm.balancer("b", "", &[""]);
    let mut httpd = Httpd::builder()
        .allow_log("Configuration Failed")
        .workers(workers)
        .conf("JkShmFile run/none/my.shm\n")
        .prepare();
    let text = httpd.launch().expect_err("there is no such directory");
    assert!(text.contains("run/none/my.shm") && text.contains("No such file or directory"), "{text}");
}
