//! `persist=file`: what was changed at run time is in force after httpd was stopped and started.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::api::call;
use super::desk::{ask, builder, in_each_child, tell, value, workers};
use crate::farm::{Farm, asked_often, share_of};
use crate::support::{Client, Httpd, Mpm, process, wait_until};

const KEEP: &str = "persist=file";
/// Where the file lies without `persist_file`: httpd's runtime directory is `run` in the tests.
const FILE: &str = "run/mod_jk_rs/changes.json";

fn file(httpd: &Httpd) -> PathBuf {
    httpd.root().join(FILE)
}

/// What the file says.
fn kept(httpd: &Httpd) -> Value {
    serde_json::from_slice(&fs::read(file(httpd)).unwrap()).unwrap()
}

fn count(httpd: &Httpd) -> usize {
    kept(httpd)["changes"].as_array().unwrap().len()
}

#[track_caller]
fn stop_and_start(httpd: &mut Httpd) {
    assert!(httpd.stop(), "httpd stops by itself");
    start(httpd);
}

#[track_caller]
fn start(httpd: &mut Httpd) {
    if let Err(text) = httpd.launch() {
        panic!("{text}");
    }
}

/// Lines of the module's log with this number.
fn lines(httpd: &Httpd, number: &str) -> Vec<String> {
    httpd.jk_log().lines().filter(|line| line.contains(number)).map(str::to_owned).collect()
}

#[test]
fn changes_of_all_children_outlive_the_server() {
    let farm = Farm::of(3);
    let mut httpd =
        builder(&farm, "method=Request", KEEP).mpm(Mpm::Prefork).servers(4).threads_per_child(1).start();
    assert!(!file(&httpd).exists(), "nothing was changed");
    // Each child changes something: by GET, by a form, by the API.
    let queries = [
        "cmd=update&w=lb&sw=lb1&vwa=s&vwf=5&vwd=2",
        "cmd=update&w=lb&sw=lb2&vwn=moved&vwc=d&vwr=n3",
        "cmd=update&w=lb&vlr=7&vlm=b&vls=0",
    ];
    let mut clients: Vec<Client> = queries.iter().map(|_| Client::connect(httpd.port())).collect();
    for (client, query) in clients.iter_mut().zip(queries) {
        let answer = client.get(&format!("/jkstatus?{query}&mime=txt"));
        assert!(answer.text().contains("Result: type=OK"), "{}", answer.text());
    }
    let (status, answer) = call(&httpd, "PATCH", "/workers/solo", Some(&json!({"connect_timeout": 1234})));
    assert_eq!((status, &answer["kept"]), (200, &json!(true)), "{answer}");
    drop(clients);
    let mode = fs::symlink_metadata(file(&httpd)).unwrap();
    assert!(mode.is_file() && mode.mode() & 0o777 == 0o600, "{:o}", mode.mode());
    assert_eq!(count(&httpd), 10, "{}", kept(&httpd));
    for _ in 0..2 {
        stop_and_start(&mut httpd);
        in_each_child(&httpd, 4, |client| {
            let text = client.get("/jkstatus?mime=prop").text();
            for line in [
                "worker.lb1.activation=STP",
                "worker.lb1.lbfactor=5",
                "worker.lb1.distance=2",
                "worker.lb2.route=moved",
                "worker.lb2.domain=d",
                "worker.lb2.redirect=n3",
                "worker.lb.retries=7",
                "worker.lb.method=Busyness",
                "worker.lb.sticky_session=False",
                "worker.solo.connect_timeout=1234",
            ] {
                assert!(text.lines().any(|other| other == line), "{line} is missing in\n{text}");
            }
        });
    }
    assert_eq!(share_of::<3>(&asked_often(&httpd, "/lb/x", 6))[0], 0, "a stopped member gets nothing");
    let said = lines(&httpd, "JK0300");
    assert!(said.len() == 2 && said[0].contains("10 setting(s)") && said[0].contains(FILE), "{said:?}");
    // One more change, beside those that came from the file.
    tell(&httpd, "cmd=update&w=lb&sw=lb3&vwf=4");
    httpd.graceful();
    tell(&httpd, "cmd=update&w=lb&sw=lb1&vwa=a");
    stop_and_start(&mut httpd);
    assert_eq!(value(&httpd, "lb3.lbfactor"), "4");
    assert_eq!(value(&httpd, "lb1.activation"), "ACT");
    assert_eq!(count(&httpd), 10, "{}", kept(&httpd));
}

#[test]
fn a_killed_server_has_kept_what_was_answered() {
    let farm = Farm::of(3);
    let mut httpd = builder(&farm, "", KEEP).start();
    tell(&httpd, "cmd=update&w=lb&sw=lb1&vwa=d");
    for pid in httpd.child_pids() {
        process::signal(pid, libc::SIGKILL);
    }
    process::signal(httpd.pid(), libc::SIGKILL);
    wait_until("the end", || !httpd.is_running());
    httpd.stop();
    start(&mut httpd);
    assert_eq!(value(&httpd, "lb1.activation"), "DIS");
}

#[test]
fn nothing_is_kept_unless_it_is_asked_for() {
    let farm = Farm::of(3);
    let mut httpd = builder(&farm, "", "").start();
    let body = json!({"activation": "Disabled"});
    let (_, answer) = call(&httpd, "PATCH", "/balancers/lb/members/lb1", Some(&body));
    assert_eq!(answer["kept"], false);
    let (_, changes) = call(&httpd, "GET", "/changes", None);
    assert_eq!(changes["keep"], Value::Null);
    stop_and_start(&mut httpd);
    assert_eq!(value(&httpd, "lb1.activation"), "ACT");
    assert!(!file(&httpd).exists());
}

#[test]
fn a_drain_goes_on() {
    let farm = Farm::of(3);
    let mut httpd = builder(&farm, "", KEEP).start();
    let path = |member: &str| format!("/balancers/lb/members/{member}/drain");
    let (status, answer) = call(&httpd, "POST", &path("lb2"), Some(&json!({"deadline_seconds": 600})));
    assert_eq!((status, &answer["kept"]), (200, &json!(true)));
    call(&httpd, "POST", &path("lb3"), Some(&json!({"deadline_seconds": 1})));
    let before = call(&httpd, "GET", "/balancers/lb/members/lb2", None).1;
    stop_and_start(&mut httpd);
    let after = call(&httpd, "GET", "/balancers/lb/members/lb2", None).1;
    assert_eq!((&after["draining"], &after["activation"]), (&json!(true), &json!("Disabled")));
    let end = |value: &Value| value["drain_deadline_at"].as_i64().unwrap();
    assert!((end(&before) - end(&after)).abs() <= 2, "{before} {after}");
    wait_until("the drain ends", || value(&httpd, "lb3.activation") == "STP");
    stop_and_start(&mut httpd);
    assert_eq!(value(&httpd, "lb3.activation"), "STP");
}

#[test]
fn an_edited_configuration_wins_and_is_told() {
    let farm = Farm::of(3);
    let mut httpd = builder(&farm, "retries=3", KEEP).start();
    tell(&httpd, "cmd=update&w=lb&vlr=7&vlt=99");
    tell(&httpd, "cmd=update&w=lb&sw=lb3&vwa=d");
    httpd.stop();
    let edited = workers(&farm, "retries=4", KEEP).replace("worker.lb.balance_workers=lb3\n", "");
    assert_ne!(edited, workers(&farm, "retries=4", KEEP), "a member is gone");
    httpd.write("conf/workers.properties", &edited);
    start(&mut httpd);
    assert_eq!((value(&httpd, "lb.retries"), value(&httpd, "lb.recover_time")), ("4".into(), "99".into()));
    let said = lines(&httpd, "JK0302");
    assert_eq!(said.len(), 2, "{said:?}");
    // A child takes it out of the file.
    wait_until("the file is written", || count(&httpd) == 1);
    assert!(
        said.iter().any(|line| {
            line.contains("balancer lb: retries '7': the configuration says '4' now and said '3'")
        }),
        "{said:?}"
    );
    assert!(
        said.iter().any(|line| line.contains("lb3") && line.contains("does not exist any more")),
        "{said:?}"
    );
    // What is over does not come back when the file says again what it once said.
    httpd.stop();
    httpd.write("conf/workers.properties", &workers(&farm, "retries=3", KEEP));
    start(&mut httpd);
    assert_eq!((value(&httpd, "lb.retries"), value(&httpd, "lb3.activation")), ("3".into(), "ACT".into()));
    assert_eq!(lines(&httpd, "JK0302").len(), 2);
    // The same at a graceful restart.
    httpd.write("conf/workers.properties", &workers(&farm, "retries=3 recover_time=50", KEEP));
    httpd.graceful();
    wait_until("the new configuration", || value(&httpd, "lb.recover_time") == "50");
    wait_until("the file is written", || count(&httpd) == 0);
    assert_eq!((lines(&httpd, "JK0302").len(), lines(&httpd, "JK0305").len()), (3, 0));
}

#[test]
fn a_damaged_file_is_put_aside() {
    let farm = Farm::of(3);
    let mut httpd = builder(&farm, "", KEEP).start();
    tell(&httpd, "cmd=update&w=lb&sw=lb1&vwa=d");
    httpd.stop();
    let whole = fs::read(file(&httpd)).unwrap();
    let part = &whole[..whole.len() / 2];
    fs::write(file(&httpd), part).unwrap();
    start(&mut httpd);
    assert_eq!(value(&httpd, "lb1.activation"), "ACT");
    let said = lines(&httpd, "JK0301");
    assert!(said.len() == 1 && said[0].contains("is damaged: it is no JSON"), "{said:?}");
    assert!(!file(&httpd).exists());
    let aside: Vec<PathBuf> = fs::read_dir(file(&httpd).parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.display().to_string().contains(".damaged-"))
        .collect();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert!(said[0].contains(&*aside[0].display().to_string()), "{said:?}");
    assert_eq!(fs::read(&aside[0]).unwrap(), part);
    tell(&httpd, "cmd=update&w=lb&sw=lb1&vwa=s");
    stop_and_start(&mut httpd);
    assert_eq!(value(&httpd, "lb1.activation"), "STP");
}

#[test]
fn no_link_is_followed_and_no_file_of_others_is_read() {
    let farm = Farm::of(3);
    let mut httpd = builder(&farm, "", KEEP).start();
    tell(&httpd, "cmd=update&w=lb&sw=lb1&vwa=d");
    httpd.stop();
    let elsewhere = httpd.root().join("run/elsewhere.json");
    fs::rename(file(&httpd), &elsewhere).unwrap();
    symlink(&elsewhere, file(&httpd)).unwrap();
    let before = fs::read(&elsewhere).unwrap();
    start(&mut httpd);
    assert_eq!(value(&httpd, "lb1.activation"), "ACT");
    let said = lines(&httpd, "JK0303");
    assert!(said.len() == 1 && said[0].contains("symbolic link"), "{said:?}");
    tell(&httpd, "cmd=update&w=lb&sw=lb2&vwa=s");
    assert_eq!(value(&httpd, "lb2.activation"), "STP", "it is in force nevertheless");
    assert!(!lines(&httpd, "JK0304").is_empty());
    assert_eq!(fs::read(&elsewhere).unwrap(), before, "the file behind the link is as it was");
    assert!(fs::symlink_metadata(file(&httpd)).unwrap().is_symlink());
    // As soon as the link is gone the change is written.
    fs::remove_file(file(&httpd)).unwrap();
    wait_until("the change is written", || file(&httpd).exists() && count(&httpd) == 1);
    wait_until("it is told", || lines(&httpd, "JK0305").len() == 1);
    let (_, changes) = call(&httpd, "GET", "/changes", None);
    assert_eq!(changes["keep"]["saved"], true, "{changes}");
    httpd.stop();
    fs::set_permissions(file(&httpd), fs::Permissions::from_mode(0o666)).unwrap();
    start(&mut httpd);
    assert_eq!(value(&httpd, "lb2.activation"), "ACT");
    assert!(lines(&httpd, "JK0303")[1].contains("other users may write to it"));
}

#[test]
fn a_directory_that_can_not_be_written_is_told_at_the_start() {
    let farm = Farm::of(3);
    let st = "persist=file persist_file=locked/changes.json";
    let httpd = builder(&farm, "", st).file("locked/here", "").start();
    let directory = httpd.root().join("locked");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o555)).unwrap();
    wait_until("it is told", || {
        lines(&httpd, "JK0304").iter().any(|line| line.contains("children can not write there"))
    });
    let body = json!({"activation": "Disabled"});
    let (status, answer) = call(&httpd, "PATCH", "/balancers/lb/members/lb1", Some(&body));
    assert_eq!((status, &answer["kept"]), (200, &json!(false)), "{answer}");
    assert_eq!(value(&httpd, "lb1.activation"), "DIS");
    let (_, changes) = call(&httpd, "GET", "/changes", None);
    assert_eq!(changes["keep"]["saved"], false, "{changes}");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
    wait_until("the change is written", || directory.join("changes.json").exists());
}

#[test]
fn a_configuration_test_changes_nothing() {
    let farm = Farm::of(3);
    let mut httpd = builder(&farm, "", KEEP).start();
    tell(&httpd, "cmd=update&w=lb&sw=lb1&vwa=d");
    httpd.stop();
    fs::write(file(&httpd), "damaged").unwrap();
    let picture = || {
        let directory = fs::read_dir(file(&httpd).parent().unwrap()).unwrap();
        let mut names: Vec<String> =
            directory.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        (names, fs::read(file(&httpd)).unwrap())
    };
    let before = picture();
    let (good, said) = httpd.configtest();
    assert!(good, "{said}");
    assert_eq!(picture(), before);
    let fresh = builder(&farm, "", KEEP).prepare();
    assert!(fresh.configtest().0 && !fresh.root().join("run/mod_jk_rs").exists());
    let two = workers(&farm, "", KEEP)
        + "worker.list=s2\nworker.s2.type=status\nworker.s2.persist=file\nworker.s2.persist_file=x\n";
    fresh.write("conf/workers.properties", &two);
    let (good, said) = fresh.configtest();
    assert!(!good && said.contains("worker.st.persist_file and worker.s2.persist_file differ"), "{said}");
}

#[test]
fn changes_are_taken_back() {
    let farm = Farm::of(3);
    let mut httpd = builder(&farm, "", KEEP).start();
    let change = || {
        tell(&httpd, "cmd=update&w=lb&sw=lb1&vwa=s&vwn=other");
        tell(&httpd, "cmd=update&w=lb&vlr=7");
        tell(&httpd, "cmd=update&w=solo&vact=77");
    };
    change();
    let (_, shown) = call(&httpd, "GET", "/changes", None);
    let first = json!({"balancer": "lb", "property": "retries", "configured": "2", "current": "7"});
    assert!(shown["changes"].as_array().unwrap().contains(&first), "{shown}");
    assert_eq!(
        (shown["changes"].as_array().unwrap().len(), &shown["keep"]["saved"]),
        (4, &json!(true)),
        "{shown}"
    );
    // A part by its name, then the rest.
    tell(&httpd, "cmd=revert&w=lb&sw=lb1");
    assert_eq!((value(&httpd, "lb1.activation"), value(&httpd, "lb1.route")), ("ACT".into(), "n1".into()));
    assert_eq!((value(&httpd, "lb.retries"), count(&httpd)), ("7".into(), 2));
    tell(&httpd, "cmd=revert");
    assert_eq!((value(&httpd, "lb.retries"), count(&httpd)), ("2".into(), 0));
    assert_eq!(ask(&httpd, "cmd=revert&w=nope&mime=txt").status, 404);
    change();
    let (status, answer) = call(&httpd, "DELETE", "/changes", None);
    assert_eq!((status, answer["changes"].as_array().unwrap().len()), (200, 4), "{answer}");
    assert_eq!(count(&httpd), 0);
    stop_and_start(&mut httpd);
    assert_eq!(value(&httpd, "solo.connect_timeout"), "0");
    assert!(lines(&httpd, "JK0300").is_empty());
}
