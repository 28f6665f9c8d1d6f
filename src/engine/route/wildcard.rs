//! Patterns with `*` and `?`.
//!
//! `*` stands for any number of octets, also none, also `/`; `?` for exactly one, also `/`. A pattern covers the whole
//! text; nothing escapes a wildcard. Time is at most the product of both lengths, so linear in the text for any rule.
//! Source: `wildchar_match` of mod_jk, whose recursion this avoids.

/// The pattern covers the whole text.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    // The end is compared first: in most patterns it decides, and it is the cheapest.
    if let Some(last) = memchr::memrchr(b'*', pattern) {
        let tail = pattern.get(last + 1..).unwrap_or_default();
        let Some(start) = text.len().checked_sub(tail.len()) else { return false };
        if !text
            .get(start..)
            .unwrap_or_default()
            .iter()
            .zip(tail)
            .all(|(&octet, &wanted)| fits(wanted, octet))
        {
            return false;
        }
    } else {
        return pattern.len() == text.len()
            && text.iter().zip(pattern).all(|(&octet, &wanted)| fits(wanted, octet));
    }
    // Only the latest `*` can be worth another try: whatever an earlier one covers more, the latest one can as well.
    let (mut at, mut read) = (0, 0);
    let mut retry = None;
    loop {
        match (pattern.get(at), text.get(read)) {
            (Some(b'*'), _) => {
                at += 1;
                if at == pattern.len() {
                    return true;
                }
                retry = Some((at, read));
            }
            (Some(&wanted), Some(&octet)) if fits(wanted, octet) => {
                at += 1;
                read += 1;
            }
            (None, None) => return true,
            (_, None) => return false,
            _ => {
                let Some((star, covered)) = retry else { return false };
                at = star;
                read = covered + 1;
                retry = Some((star, read));
            }
        }
    }
}

fn fits(wanted: u8, octet: u8) -> bool {
    wanted == b'?' || wanted == octet
}

/// The octet is a wildcard.
pub(super) fn is_wild(octet: u8) -> bool {
    matches!(octet, b'*' | b'?')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, want) in [
            ("", "", true),
            ("*", "", true),
            ("?", "", false),
            ("*?", "a", true),
            ("?*", "", false),
            ("**", "ab", true),
            ("a*b*c", "aXbXbc", true),
            ("a*b*c", "acb", false),
            ("*.jsp", "x.jsp.jsp", true),
            ("*.jsp", ".jsp/", false),
            ("x?z", "x/z", true),
            ("x?z", "xz", false),
            ("*ab*", "aab", true),
            ("*a?b", "aab", true),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), want, "{pattern} {text}");
        }
    }

    /// What the two wildcards mean, by cases.
    fn by_definition(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), None) => by_definition(rest, text),
            (Some((b'*', rest)), Some((_, tail))) => {
                by_definition(rest, text) || by_definition(pattern, tail)
            }
            (Some((b'?', rest)), Some((_, tail))) => by_definition(rest, tail),
            (Some((a, rest)), Some((b, tail))) => a == b && by_definition(rest, tail),
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4000, ..ProptestConfig::default() })]

        #[test]
        fn agrees_with_the_definition(pattern in "[ab*?]{0,9}", text in "[ab]{0,12}") {
            prop_assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                by_definition(pattern.as_bytes(), text.as_bytes())
            );
        }
    }

    #[test]
    fn many_stars_do_not_explode() {
        // Two to the power of thirty steps for a matcher that tries every split.
        let pattern = b"*a".repeat(30);
        let text = b"ab".repeat(50_000);
        assert!(!matches(&[&pattern[..], b"b*c*b"].concat(), &text));
    }
}
