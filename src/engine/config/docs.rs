//! The properties as a Markdown table, made from their entries.

use std::fmt::Write;

use super::defs::{Def, Group, Standing, table};

/// One table for each group of properties: name, workers, default, unit, meaning. Ends with a newline.
pub fn markdown() -> String {
    let mut text = String::new();
    for group in Group::ALL {
        let _ = writeln!(text, "### {}\n", heading(group));
        text.push_str("| Name | Workers | Default | Unit | Meaning |\n|---|---|---|---|---|\n");
        for def in table().iter().filter(|def| def.group == group) {
            row(&mut text, def);
        }
        if Some(&group) != Group::ALL.last() {
            text.push('\n');
        }
    }
    text
}

fn heading(group: Group) -> &'static str {
    match group {
        Group::Global => "Global properties (`worker.<name>`)",
        Group::Common => "Properties of all workers (`worker.<worker>.<name>`)",
        Group::Relay => "Properties of `ajp13`, `http` and `https` workers",
        Group::Ajp13 => "Properties of `ajp13` workers only",
        Group::Http => "Properties of `http` and `https` workers only",
        Group::Https => "Properties of `https` workers only",
        Group::Member => "Properties of `ajp13`, `http` and `https` workers as members of a balancer",
        Group::Lb => "Properties of `lb` workers",
        Group::Status => "Properties of `status` workers",
        Group::Obsolete => "Obsolete properties",
    }
}

fn row(text: &mut String, def: &Def) {
    let mut meaning = String::new();
    if let Standing::Deprecated(instead) = def.standing {
        let _ = write!(meaning, "**Deprecated**: {instead}. ");
    }
    meaning.push_str(def.doc);
    if !def.range.is_empty() {
        let _ = write!(meaning, " Range: {}.", def.range);
    }
    let default = if def.default.is_empty() { "-".to_owned() } else { cell(def.default) };
    let _ = writeln!(
        text,
        "| `{}` | {} | {default} | {} | {} |",
        def.name,
        cell(&def.group.to_string()),
        def.unit,
        cell(&meaning)
    );
}

/// `text` in a cell: a bar would end the cell, an angle bracket would begin a tag.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_has_a_row_of_five_cells() {
        let text = markdown();
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(rows.len(), table().len());
        for row in rows {
            assert_eq!(row.replace("\\|", "").matches('|').count(), 6, "{row}");
        }
        assert!(text.ends_with(" |\n"));
    }

    #[test]
    fn a_row_says_everything() {
        let text = markdown();
        let row = text.lines().find(|line| line.starts_with("| `retries` | lb")).unwrap();
        assert_eq!(
            row,
            "| `retries` | lb | 2 |  | Rounds over the members for one request. Range: at least 1. |"
        );
        let row = text.lines().find(|line| line.starts_with("| `cachesize`")).unwrap();
        assert!(row.contains("**Deprecated**: use connection_pool_size. "), "{row}");
    }
}
