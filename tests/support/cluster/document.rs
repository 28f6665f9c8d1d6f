//! The pieces of configuration in docs/sessions.md, so that what the tests run is what the page says.
//!
//! A piece is the fenced block behind a line `<!-- tested: NAME -->`. The tests replace its addresses, ports and directories;
//! every replacement must find something, so a changed page cannot silently change what is tested.

use std::path::Path;

/// The page.
pub fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sessions.md");
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Names of all pieces, in order.
pub fn names() -> Vec<String> {
    let page = page();
    let marks = page.lines().filter_map(|line| line.strip_prefix("<!-- tested: ")?.strip_suffix(" -->"));
    marks.map(str::to_owned).collect()
}

/// The piece of that name, with its last line break.
#[track_caller]
pub fn piece(name: &str) -> String {
    let page = page();
    let mark = format!("<!-- tested: {name} -->\n```");
    let (_, rest) =
        page.split_once(&mark).unwrap_or_else(|| panic!("docs/sessions.md has no piece {name:?}"));
    let (_, body) = rest.split_once('\n').expect("a line behind the fence");
    let (body, _) = body.split_once("\n```").expect("the fence is closed");
    format!("{body}\n")
}

/// `text` with every occurrence of each first text replaced by the second.
#[track_caller]
pub fn fill(mut text: String, replacements: &[(&str, &str)]) -> String {
    for (from, to) in replacements {
        assert!(text.contains(from), "{from:?} does not occur in\n{text}");
        text = text.replace(from, to);
    }
    text
}
