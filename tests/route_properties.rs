//! Properties of the URL mapping: the index agrees with a plain search, and no octets make the readers of a path disagree.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // A test may fail loudly, and shows its rows.

use std::collections::BTreeSet;

use mod_jk_rs::engine::route::extensions::Extensions;
use mod_jk_rs::engine::route::fuzzing::self_check;
use mod_jk_rs::engine::route::matcher::{Found, UriMap};
use mod_jk_rs::engine::route::normalize::normalise;
use mod_jk_rs::engine::route::rules::{Kind, Origin, RuleSpec, Source};
use mod_jk_rs::engine::route::scan::scan;
use mod_jk_rs::engine::route::tomcat::tomcat_view;
use mod_jk_rs::engine::route::{Decision, Marks, Options, Scratch, decide};
use proptest::prelude::*;

fn rule(pattern: &str, worker: &str, kind: Kind, disabled: bool, source: Source, order: u32) -> RuleSpec {
    RuleSpec {
        pattern: pattern.as_bytes().into(),
        worker: worker.as_bytes().into(),
        kind,
        disabled,
        source,
        order,
        extensions: Extensions::default(),
        origin: Origin::default(),
    }
}

/// What `*` and `?` mean, case by case, as a table of "the first i octets of the pattern cover the first j of the text".
fn covers(pattern: &[u8], text: &[u8]) -> bool {
    let mut row: Vec<bool> = (0..=text.len()).map(|at| at == 0).collect();
    for &octet in pattern {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            next[at] = match octet {
                b'*' => row[at] || (at > 0 && next[at - 1]),
                b'?' => at > 0 && row[at - 1],
                _ => at > 0 && row[at - 1] && text[at - 1] == octet,
            };
        }
        row = next;
    }
    row[text.len()]
}

/// The rule in words: slashes, length, source, order.
fn beats(a: &RuleSpec, b: &RuleSpec) -> bool {
    let slashes = |rule: &RuleSpec| rule.pattern.iter().filter(|&&octet| octet == b'/').count();
    let (more, longer) = (slashes(a).cmp(&slashes(b)), a.pattern.len().cmp(&b.pattern.len()));
    let (source, order) = (b.source.cmp(&a.source), b.order.cmp(&a.order));
    more.then(longer).then(source).then(order).is_gt()
}

#[derive(Debug, PartialEq)]
enum Naive<'a> {
    None,
    Rule(&'a RuleSpec),
    Excluded(&'a RuleSpec),
}

fn naive<'a>(rules: &'a [RuleSpec], path: &[u8]) -> Naive<'a> {
    let mut best: Option<&RuleSpec> = None;
    for rule in rules {
        let fits = rule.kind == Kind::Mount && !rule.disabled && covers(&rule.pattern, path);
        if fits && best.is_none_or(|best| beats(rule, best)) {
            best = Some(rule);
        }
    }
    let Some(found) = best else { return Naive::None };
    let excluded = rules.iter().any(|rule| {
        let concerns = &*rule.worker == b"*" || rule.worker == found.worker;
        rule.kind == Kind::Exclusion && !rule.disabled && concerns && covers(&rule.pattern, path)
    });
    if excluded { Naive::Excluded(found) } else { Naive::Rule(found) }
}

fn assert_agreement(map: &UriMap, rules: &[RuleSpec], path: &str, marks: &mut Marks) {
    let indexed = match map.find(path.as_bytes(), marks) {
        Found::None => Naive::None,
        Found::Rule(id) => Naive::Rule(map.rule(id).unwrap()),
        Found::Excluded { rule, by } => {
            let by = map.rule(by).unwrap();
            assert!(by.kind == Kind::Exclusion && covers(&by.pattern, path.as_bytes()));
            Naive::Excluded(map.rule(rule).unwrap())
        }
    };
    assert_eq!(indexed, naive(rules, path.as_bytes()), "path {path}");
}

prop_compose! {
    fn rules(pattern: &'static str)(
        list in proptest::collection::vec(
            (pattern, 0..3_usize, prop::bool::weighted(0.15), prop::bool::weighted(0.1), 0..3_usize),
            0..40,
        )
    ) -> Vec<RuleSpec> {
        let sources = [Source::MountFile, Source::Directive, Source::WorkerDef];
        list.iter().zip(0..).map(|((pattern, worker, exclusion, disabled, source), order)| {
            let (workers, kind) = if *exclusion {
                (["w1", "w2", "*"], Kind::Exclusion)
            } else {
                (["w1", "w2", "w3"], Kind::Mount)
            };
            rule(pattern, workers[*worker], kind, *disabled, sources[*source], order)
        }).collect()
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, cases, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(1500))]

    #[test]
    fn the_index_agrees_with_a_plain_search(
        rules in rules("/[ab/*?]{0,7}"),
        paths in proptest::collection::vec("/[ab/]{0,9}", 1..20),
    ) {
        let map = UriMap::build(rules.clone());
        let mut marks = Marks::default();
        for path in &paths {
            assert_agreement(&map, &rules, path, &mut marks);
        }
    }

    #[test]
    fn it_agrees_on_rules_with_many_wildcards(
        rules in rules(r"/(\*|\?|a|b|/a|/b/|a\*b/){1,5}"),
        paths in proptest::collection::vec("/(a|b|/|ab/|/a/b){0,7}", 1..20),
    ) {
        let map = UriMap::build(rules.clone());
        let mut marks = Marks::default();
        for path in &paths {
            assert_agreement(&map, &rules, path, &mut marks);
        }
    }
}

proptest! {
    #![proptest_config(config(20_000))]

    #[test]
    fn no_octets_make_the_readers_disagree(data in proptest::collection::vec(any::<u8>(), 0..30)) {
        self_check(&data);
        let mut rooted = data.clone();
        rooted.insert(data.len().min(1), b'/');
        self_check(&rooted);
    }

    #[test]
    fn no_likely_octets_make_the_readers_disagree(
        settings in 0..16_u8,
        path in r"/[abc./;]{0,3}(a/|/|\.|;|%2[fF]|%25|%|[bc.;/]|\\|[\x00-\x7f]){0,10}( /([abc./;]|%2e|%2F|%3[bB]|%5c|%41){0,12})?",
    ) {
        self_check(&[&[settings], path.as_bytes()].concat());
    }

    #[test]
    fn what_is_mapped_is_what_tomcat_finds(path in proptest::collection::vec(any::<u8>(), 0..24)) {
        let uri = [b"/a/", &path[..]].concat();
        let map = UriMap::build(vec![rule("/*", "w", Kind::Mount, false, Source::Directive, 0)]);
        let mut scratch = Scratch::default();
        let decision = decide(Some(&map), &uri, &uri, &Options::default(), &mut scratch);
        if let Decision::Mapped { normalised, forwarded, .. } = decision {
            let mut view = Vec::new();
            prop_assert_eq!(tomcat_view(forwarded.bytes(), &mut view), Ok(()));
            prop_assert_eq!(view, normalised.bytes());
        }
    }
}

/// Ten thousand rules of each kind and a mixture, on paths that hit and miss.
#[test]
fn large_maps_agree_with_a_plain_search() {
    let kinds: [fn(u32) -> String; 5] = [
        |number| format!("/app{number}/*"),
        |number| format!("/*.ext{number}"),
        |number| format!("/*/x{number}/*"),
        |number| format!("/app{}/page{number}", number % 100),
        |number| match number % 5 {
            0 => format!("/app{number}/*"),
            1 => format!("/*.ext{number}"),
            2 => format!("/*/x{number}/*"),
            3 => format!("/app{number}?/*/y{number}*"),
            _ => format!("/app{}/page{number}", number % 100),
        },
    ];
    let paths = [
        "/",
        "/app7/",
        "/app7",
        "/app77/page77",
        "/app99/page9999",
        "/app9995/x",
        "/a/b.ext6",
        "/b.ext9996",
        "/b.ext",
        "/a/x9997/b",
        "/a/x9997",
        "/a/x7/x12/x9997/b",
        "/app9998a/b/y9998",
        "/app9998a/b/y9997",
        "/none/of/these",
    ];
    for kind in kinds {
        let rules: Vec<RuleSpec> = (0..10_000)
            .map(|number| rule(&kind(number), "w", Kind::Mount, false, Source::Directive, number))
            .collect();
        let map = UriMap::build(rules.clone());
        let mut marks = Marks::default();
        for path in paths {
            assert_agreement(&map, &rules, path, &mut marks);
        }
    }
}

/// A search that is quadratic in the path would take minutes here; each output octet is also accounted for.
#[test]
fn a_mebibyte_of_anything_is_decided() {
    let map = UriMap::build(vec![
        rule("/*", "w", Kind::Mount, false, Source::Directive, 0),
        rule("/*/q?/*", "w", Kind::Mount, false, Source::Directive, 1),
        rule("/*a*b*c*d", "w", Kind::Exclusion, false, Source::Directive, 2),
    ]);
    let mut scratch = Scratch::default();
    let mut seen = BTreeSet::new();
    for piece in ["a", ";", "/", "x/../", "../x/", "%", "/./", "\u{e9}", "/q", "abc", "..;/", "\\", "/x;y"] {
        let mut uri = b"/app/".to_vec();
        uri.extend(piece.as_bytes().iter().cycle().take(1 << 20));
        seen.insert(match decide(Some(&map), &uri, &uri, &Options::default(), &mut scratch) {
            Decision::Decline(_) => "declined",
            Decision::BadRequest(_) => "refused",
            Decision::Mapped { normalised, .. } => {
                let mut again = Vec::new();
                let path = normalised.bytes();
                assert!(normalise(path, scan(path), &mut again).is_ok_and(|text| text.bytes() == path));
                "mapped"
            }
        });
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["mapped", "refused"]);
}
