//! `JkRequestLogFormat`: what one line of the request log is made of.
//!
//! Source: `parse_request_log_string` of mod_jk. An unknown letter switched the log off there; here it is refused.

/// A value in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// `%w`: worker.
    Worker,
    /// `%R`: route.
    Route,
    /// `%T`: duration in seconds.
    Duration,
    /// `%r`: request line.
    RequestLine,
    /// `%U`: path.
    Path,
    /// `%q`: query string with its question mark.
    Query,
    /// `%s`: status.
    Status,
    /// `%b`: body octets sent, `-` when no response was started.
    Bytes,
    /// `%B`: the same, `0` when no response was started.
    BytesOrZero,
    /// `%H`: protocol.
    Protocol,
    /// `%m`: method.
    Method,
    /// `%p`: port of the server.
    Port,
    /// `%v`: configured name of the server.
    ServerName,
    /// `%V`: name of the server by `UseCanonicalName`.
    CanonicalName,
}

/// Letters of the tokens.
const LETTERS: [(char, Token); 14] = [
    ('w', Token::Worker),
    ('R', Token::Route),
    ('T', Token::Duration),
    ('r', Token::RequestLine),
    ('U', Token::Path),
    ('q', Token::Query),
    ('s', Token::Status),
    ('b', Token::Bytes),
    ('B', Token::BytesOrZero),
    ('H', Token::Protocol),
    ('m', Token::Method),
    ('p', Token::Port),
    ('v', Token::ServerName),
    ('V', Token::CanonicalName),
];

/// A part of the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text as it is.
    Text(String),
    /// A value.
    Value(Token),
}

/// Reads a format. In the text `\n`, `\t` and `\\` stand for a line end, a tab and a backslash.
///
/// # Errors
/// A message naming the unknown letter.
pub fn parse(format: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '%' => {
                let name = letters.next();
                let Some((_, token)) = LETTERS.iter().find(|(known, _)| Some(*known) == name) else {
                    let shown = name.map_or_else(|| "%".to_owned(), |name| format!("%{name}"));
                    let known: String = LETTERS.iter().map(|(letter, _)| *letter).collect();
                    return Err(format!(
                        "JkRequestLogFormat: '{shown}' is not known; the letters behind % are {known}"
                    ));
                };
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                parts.push(Part::Value(*token));
            }
            '\\' => match letters.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('\\') | None => text.push('\\'),
                Some(other) => text.extend(['\\', other]),
            },
            other => text.push(other),
        }
    }
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_values() {
        let text = |text: &str| Part::Text(text.to_owned());
        assert_eq!(
            parse(r"%w \t%V\x\\%T").unwrap(),
            [
                Part::Value(Token::Worker),
                text(" \t"),
                Part::Value(Token::CanonicalName),
                text("\\x\\"),
                Part::Value(Token::Duration)
            ]
        );
    }

    #[test]
    fn every_letter_has_its_value() {
        for (letter, token) in LETTERS {
            assert_eq!(parse(&format!("%{letter}")).unwrap(), [Part::Value(token)]);
        }
    }

    #[test]
    fn unknown_letters_are_refused() {
        for format in ["%w %Z", "%w %%", "%>s", "%{X}e", "%"] {
            assert!(parse(format).unwrap_err().contains("not known"), "{format}");
        }
    }
}
