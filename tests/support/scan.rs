//! A small reader of Rust text: tells code from comments and texts, line by line.

/// A source file.
pub struct Source<'t> {
    original: Vec<&'t str>,
    /// The code alone: comments, texts and characters are blanks, lines stay where they are.
    pub code: String,
}

/// Lines (counted from 1) where `name` stands in `code` as a name of its own, or as a path.
pub fn finds(code: &str, name: &str) -> Vec<usize> {
    let word = |octet: u8| octet == b'_' || octet.is_ascii_alphanumeric();
    let bytes = code.as_bytes();
    code.match_indices(name)
        .filter(|(at, _)| {
            let before = at.checked_sub(1).is_none_or(|before| !word(bytes[before]));
            let open = name.ends_with(':');
            let after = bytes.get(at + name.len()).is_none_or(|after| open || !word(*after));
            before && after
        })
        .map(|(at, _)| line_of(code, at))
        .collect()
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

impl<'t> Source<'t> {
    /// Reads `text`.
    pub fn new(text: &'t str) -> Self {
        Self { original: text.lines().collect(), code: code_of(text) }
    }

    /// A line as written; lines count from 1.
    pub fn line(&self, number: usize) -> &'t str {
        self.original.get(number - 1).copied().unwrap_or_default()
    }

    /// All names in the code with their lines.
    pub fn identifiers(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().flat_map(|(index, line)| {
            line.split(|c: char| !(c == '_' || c.is_ascii_alphanumeric()))
                .filter(|name| !name.is_empty())
                .map(move |name| (index + 1, name))
        })
    }

    /// `use ROOT::{...}` statements with braces: line, and all names in them.
    pub fn imports(&self, root: &str) -> Vec<(usize, Vec<String>)> {
        let start = format!("{root}::{{");
        self.code
            .match_indices(&start)
            .map(|(at, _)| {
                let statement = self.code[at..].split(';').next().unwrap_or_default();
                let names = statement
                    .split(|c: char| !(c == '_' || c.is_ascii_alphanumeric()))
                    .filter(|name| !name.is_empty());
                (line_of(&self.code, at), names.map(str::to_owned).collect())
            })
            .collect()
    }

    /// Lines with an `unsafe` whose reason is given nowhere.
    ///
    /// A block or impl needs a comment `SAFETY:` on its line, or above it in the same statement or the match or argument
    /// list around it: at most eight lines up, no blank line and no finished statement between. A function needs a
    /// `# Safety` section. A callback (`unsafe extern "C" fn`) is called by C alone: its blocks are checked, not itself.
    pub fn undocumented_unsafe(&self) -> Vec<usize> {
        let lines: Vec<&str> = self.code.lines().collect();
        finds(&self.code, "unsafe")
            .into_iter()
            .filter(|number| {
                let code = lines[number - 1];
                if code.contains("unsafe_") || code.contains("#[unsafe(") || code.contains("forbid(") {
                    return false;
                }
                if code.contains("unsafe extern") || code.contains("Option<unsafe") {
                    return false;
                }
                let section = code.contains("unsafe fn") || code.contains("unsafe trait");
                !self.has_reason(&lines, *number, section)
            })
            .collect()
    }

    fn has_reason(&self, lines: &[&str], number: usize, section: bool) -> bool {
        let marker = if section { "# Safety" } else { "SAFETY:" };
        if self.line(number).contains(marker) {
            return true;
        }
        let mut commented = false;
        for above in (1..number).rev().take(if section { 40 } else { 12 }) {
            let text = self.line(above).trim();
            if text.contains(marker) && text.starts_with("//") {
                return true;
            }
            let comment = text.starts_with("//");
            // Behind a comment that belongs to the statement there is nothing more to find.
            if commented && !comment && !section {
                return false;
            }
            commented |= comment && !section;
            let code = lines[above - 1].trim_end();
            let attribute = code.trim_start().starts_with("#[");
            if text.is_empty() || (!comment && !attribute && (section || code.ends_with(';'))) {
                return false;
            }
        }
        false
    }
}

/// Replaces comments, texts and characters by blanks.
fn code_of(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let skip = comment(rest).or_else(|| literal(rest, code.last().copied())).unwrap_or(0);
        if skip == 0 {
            code.push(bytes[at]);
            at += 1;
        } else {
            let end = bytes.len().min(at + skip);
            code.extend(bytes[at..end].iter().map(|octet| if *octet == b'\n' { b'\n' } else { b' ' }));
            at = end;
        }
    }
    String::from_utf8_lossy(&code).into_owned()
}

fn comment(rest: &[u8]) -> Option<usize> {
    if rest.starts_with(b"//") {
        return Some(rest.iter().position(|octet| *octet == b'\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with(b"/*") {
        return None;
    }
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += 1;
        }
    }
    Some(rest.len())
}

fn literal(rest: &[u8], before: Option<u8>) -> Option<usize> {
    let joined = before.is_some_and(|octet| octet == b'_' || octet.is_ascii_alphanumeric());
    let prefix = rest.iter().take(2).take_while(|octet| matches!(octet, b'b' | b'c' | b'r')).count();
    let raw = prefix > 0 && rest[prefix - 1] == b'r';
    let hashes = rest[prefix..].iter().take_while(|octet| **octet == b'#').count();
    if raw && !joined && rest.get(prefix + hashes) == Some(&b'"') {
        let end: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
        let from = prefix + hashes + 1;
        let length = rest[from..].windows(end.len()).position(|window| window == end);
        return Some(length.map_or(rest.len(), |length| from + length + end.len()));
    }
    match rest.first()? {
        b'"' => Some(quoted(rest, b'"')),
        b'\'' => {
            // A character, not a lifetime: an escape, or a quote right behind one character.
            let character = std::str::from_utf8(&rest[1..rest.len().min(5)])
                .ok()
                .or_else(|| std::str::from_utf8(&rest[1..rest.len().min(2)]).ok())
                .and_then(|text| text.chars().next())?;
            let closing = rest.get(1 + character.len_utf8()) == Some(&b'\'');
            (character == '\\' || closing).then(|| quoted(rest, b'\''))
        }
        _ => None,
    }
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            octet if octet == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}
