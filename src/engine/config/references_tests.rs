//! Tests of references.

use super::*;
use crate::engine::config::loader::Loader;

fn read(content: &str) -> (Vec<String>, Vec<String>) {
    let mut loader = Loader::new(&|_| None);
    loader.file("f", content.as_bytes());
    let (properties, diagnostics) = loader.finish();
    let pairs = properties.iter().filter(|p| !p.name().ends_with(SUFFIX));
    (
        pairs.map(|p| format!("{}={}", p.name(), p.value())).collect(),
        diagnostics.iter().map(ToString::to_string).collect(),
    )
}

#[test]
fn properties_are_copied_unless_set() {
    let (pairs, problems) = read(
        "worker.a.reference=worker.t\nworker.t.host=x\nworker.t.port=1\nworker.a.port=2\nworker.tt.port=9\n\
         worker.t.deep.retries=5\n",
    );
    assert_eq!(
        pairs,
        [
            "worker.t.host=x",
            "worker.t.port=1",
            "worker.a.port=2",
            "worker.tt.port=9",
            "worker.t.deep.retries=5",
            "worker.a.host=x",
            "worker.a.deep.retries=5",
        ]
    );
    assert_eq!(problems, [""; 0]);
}

#[test]
fn any_prefix_is_a_template_and_lists_are_inherited() {
    let (pairs, problems) =
        read("tmpl.x.mount=/a\ntmpl.x.mount=/b\ntmpl.x.what=1\nworker.a.reference=tmpl.x\n");
    assert_eq!(pairs[2..], ["worker.a.mount=/a,/b", "worker.a.what=1"]);
    assert_eq!(problems, ["f:4: unknown property in template 'tmpl.x': 'worker.a.what'"]);
}

#[test]
fn values_are_not_expanded_again() {
    let (pairs, _) = read("t.host=$(later)\nlater=x\nworker.a.reference=t\n");
    assert_eq!(pairs[2], "worker.a.host=$(later)");
}

#[test]
fn templates_may_have_templates() {
    let (pairs, problems) = read(
        "worker.a.reference=worker.b\nworker.b.reference=worker.c\nworker.b.port=2\nworker.c.host=x\nworker.c.port=3\n",
    );
    assert_eq!(problems, [""; 0]);
    for wanted in ["worker.a.host=x", "worker.a.port=2", "worker.b.host=x"] {
        assert!(pairs.contains(&wanted.to_owned()), "{wanted}: {pairs:?}");
    }
}

fn chain_of(references: usize) -> String {
    let mut text = String::new();
    for at in 0..references {
        text.push_str(&format!("worker.w{at}.reference=worker.w{}\n", at + 1));
    }
    text.push_str(&format!("worker.w{references}.host=x\n"));
    text
}

#[test]
fn twenty_references_in_a_row_are_the_limit() {
    let (pairs, problems) = read(&chain_of(20));
    assert_eq!(problems, [""; 0]);
    assert!(pairs.contains(&"worker.w0.host=x".to_owned()));
    let (_, problems) = read(&chain_of(21));
    assert_eq!(problems, ["f:1: 'worker.w0': more than 20 references in a row"]);
}

#[test]
fn loops_name_their_line_and_way() {
    let (_, problems) = read("worker.a.reference=worker.b\nworker.b.reference=worker.a\n");
    assert_eq!(
        problems,
        [
            "f:1: references form a loop: 'worker.a' -> 'worker.b' -> 'worker.a'",
            "f:2: references form a loop: 'worker.b' -> 'worker.a' -> 'worker.b'",
        ]
    );
    assert_eq!(read("worker.a.reference=worker.a\n").1.len(), 1);
}

#[test]
fn a_missing_template_is_an_error() {
    assert_eq!(
        read("\nworker.a.reference=worker.t\n").1,
        ["f:2: 'worker.a.reference': no property begins with 'worker.t.'"]
    );
    assert_eq!(
        read("worker.a.reference=t\nworker.t.host=x\n").1,
        ["f:1: 'worker.a.reference': no property begins with 't.'; did you mean 'worker.t'?"]
    );
}

#[test]
fn templates_that_contain_their_users_can_not_explode() {
    let mut text = String::from("worker.z.host=x\n");
    for at in 0..40 {
        text.push_str(&format!("worker.w{at}.reference=worker\n"));
    }
    let (pairs, problems) = read(&text);
    assert!(pairs.len() <= MOST_PROPERTIES);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("references make more than"), "{problems:?}");
}
