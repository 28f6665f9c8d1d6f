//! "Did you mean ...?": the candidate that a mistyped name most likely stands for.

/// Longest name worth comparing, in bytes; real names are far shorter, and the comparison is quadratic.
const LONGEST: usize = 128;

/// The candidate nearest to `wanted`, if one is near enough to be a likely typing error: at most one edit for each three
/// characters (at least one, at most four), where swapping two neighbours is one edit and case does not count.
///
/// Of equally near candidates the first wins. The result may be equal to `wanted` except for case.
pub fn nearest<'a>(wanted: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if wanted.is_empty() || wanted.len() > LONGEST {
        return None;
    }
    let lower = wanted.to_lowercase();
    let limit = (lower.chars().count() / 3).clamp(1, 4);
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in candidates {
        if candidate.len().abs_diff(wanted.len()) > limit * 4 {
            continue;
        }
        let distance = strsim::osa_distance(&lower, &candidate.to_lowercase());
        if distance <= limit && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(wanted: &str) -> Option<&'static str> {
        nearest(wanted, ["host", "port", "reply_timeout", "ping_timeout", "ping_mode"].into_iter())
    }

    #[test]
    fn typing_errors_find_their_name() {
        for (wanted, found) in [
            ("hots", "host"),
            ("Host", "host"),
            ("prot", "port"),
            ("reply_time_out", "reply_timeout"),
            ("replytimeout", "reply_timeout"),
            ("pingmode", "ping_mode"),
        ] {
            assert_eq!(find(wanted), Some(found), "{wanted}");
        }
    }

    #[test]
    fn other_names_find_nothing() {
        for wanted in ["", "x", "weight", "hstu", &"host".repeat(100)] {
            assert_eq!(find(wanted), None, "{wanted}");
        }
    }

    #[test]
    fn the_nearest_wins_and_then_the_first() {
        assert_eq!(nearest("node1", ["node12", "node1"].into_iter()), Some("node1"));
        assert_eq!(nearest("node3", ["node1", "node2"].into_iter()), Some("node1"));
    }
}
