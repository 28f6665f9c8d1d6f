//! `$(name)` in a value.
//!
//! Replaced once, from left to right, when the line is read: the inserted text is not looked at again, and there is no
//! nesting. As in mod_jk (`jk_map_replace_properties`), what can not be replaced stays as it is; unlike there it is
//! reported.

use super::diagnostic::quoted;

/// Replacements tried in one value; what follows stays as it is.
const LIMIT: usize = 21;

/// A value after the replacement of its variables.
#[derive(Debug, Default)]
pub(super) struct Expanded {
    /// The new text.
    pub(super) text: String,
    /// Names of the variables that were replaced.
    pub(super) used: Vec<String>,
    /// What could not be replaced, in words; contains names of variables.
    pub(super) problems: Vec<String>,
}

/// Replaces each `$(name)` in `value` by `lookup(name)`.
pub(super) fn expand(value: &str, lookup: impl Fn(&str) -> Option<String>) -> Expanded {
    let mut done = Expanded::default();
    let mut rest = value;
    let mut tried = 0;
    while let Some((before, after)) = rest.split_once("$(") {
        let Some((name, behind)) = after.split_once(')') else {
            done.problems.push("'$(' without ')'".to_owned());
            break;
        };
        if tried == LIMIT {
            done.problems.push(format!("more than {LIMIT} variables in one value, the rest is not replaced"));
            break;
        }
        tried += 1;
        done.text.push_str(before);
        match lookup(name) {
            Some(text) => {
                done.text.push_str(&text);
                done.used.push(name.to_owned());
            }
            None => {
                done.text.push_str("$(");
                done.text.push_str(name);
                done.text.push(')');
                done.problems.push(format!("unknown variable {}", quoted(name)));
            }
        }
        rest = behind;
    }
    done.text.push_str(rest);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(value: &str) -> (String, usize) {
        let done = expand(value, |name| match name {
            "a" => Some("1".to_owned()),
            "again" => Some("$(a)".to_owned()),
            _ => None,
        });
        (done.text, done.problems.len())
    }

    #[test]
    fn replacement_is_done_once_from_left_to_right() {
        for (value, text, problems) in [
            ("plain", "plain", 0),
            ("$(a)", "1", 0),
            ("x$(a)y$(a)", "x1y1", 0),
            ("$(again)", "$(a)", 0),
            ("$(b)", "$(b)", 1),
            ("$(b)$(a)", "$(b)1", 1),
            ("$($(a))", "$($(a))", 1),
            ("$(a", "$(a", 1),
            ("$(a)$(", "1$(", 1),
            ("$()", "$()", 1),
            ("$a ${a}", "$a ${a}", 0),
        ] {
            assert_eq!(run(value), (text.to_owned(), problems), "{value}");
        }
    }

    #[test]
    fn the_22nd_stays() {
        let (text, problems) = run(&"$(a)".repeat(23));
        assert_eq!(text, format!("{}{}", "1".repeat(21), "$(a)".repeat(2)));
        assert_eq!(problems, 1);
    }

    #[test]
    fn used_variables_are_known() {
        assert_eq!(expand("$(x)-$(y)", |n| (n == "y").then(String::new)).used, ["y"]);
    }
}
