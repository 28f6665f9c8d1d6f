//! The query string of a status worker, and bodies of its forms.
//!
//! Parameters are separated by `&`; without `=` they do not count. Names are taken as they are, values are percent-decoded
//! and `+` is a blank; of several equal names the last one counts. Nothing is masked: what is shown is escaped when it is
//! written. Sources: `status_parse_uri` in mod_jk's jk_status.c, the section on requests of its status reference.

use std::fmt;

/// Longest body of a form, in bytes: a bulk edit of some thousand members.
pub const LONGEST_BODY: usize = 256 * 1024;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// All workers.
    List,
    /// One worker or member.
    Show,
    /// A form.
    Edit,
    /// Change settings.
    Update,
    /// Zero counters and states.
    Reset,
    /// Let a failed member be tried.
    Recover,
    /// Give settings their configured values; not in mod_jk.
    Revert,
    /// Head data only.
    Version,
    /// The properties as read at start.
    Dump,
}

impl Command {
    /// All of them with their words.
    pub const WORDS: [(&'static str, Self); 9] = [
        ("list", Self::List),
        ("show", Self::Show),
        ("edit", Self::Edit),
        ("update", Self::Update),
        ("reset", Self::Reset),
        ("recover", Self::Recover),
        ("revert", Self::Revert),
        ("version", Self::Version),
        ("dump", Self::Dump),
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, command)| *command == self).map_or("list", |(word, _)| word)
    }

    /// It is refused in read-only mode (the form too, which leads to nothing then).
    pub fn needs_write(self) -> bool {
        matches!(self, Self::Edit | Self::Update | Self::Reset | Self::Recover | Self::Revert)
    }

    /// It changes something.
    pub fn changes(self) -> bool {
        matches!(self, Self::Update | Self::Reset | Self::Recover | Self::Revert)
    }

    /// It is about one worker.
    pub fn needs_worker(self) -> bool {
        matches!(self, Self::Show | Self::Edit | Self::Update | Self::Reset | Self::Recover)
    }
}

/// A format of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// A page.
    Html,
    /// XML.
    Xml,
    /// One line for each object.
    Txt,
    /// Java properties.
    Prop,
    /// JSON; not in mod_jk.
    Json,
    /// Metrics for Prometheus; not in mod_jk.
    Prometheus,
}

impl Format {
    /// All of them with their words.
    pub const WORDS: [(&'static str, Self); 6] = [
        ("html", Self::Html),
        ("xml", Self::Xml),
        ("txt", Self::Txt),
        ("prop", Self::Prop),
        ("json", Self::Json),
        ("prometheus", Self::Prometheus),
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, format)| *format == self).map_or("html", |(word, _)| word)
    }
}

/// What is hidden (`opt`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hide(pub u32);

impl Hide {
    /// Members of balancers.
    pub const MEMBERS: u32 = 1;
    /// URI maps.
    pub const MAPS: u32 = 2;
    /// The legend of the page.
    pub const LEGEND: u32 = 4;
    /// Balancers in a list.
    pub const BALANCERS: u32 = 8;
    /// AJP workers in a list.
    pub const WORKERS: u32 = 16;
    /// Nothing is hidden: the request is read-only.
    pub const READ_ONLY: u32 = 32;
    /// Configuration of balancers on the page.
    pub const BALANCER_CONF: u32 = 64;
    /// Summary of balancers on the page.
    pub const BALANCER_SUMMARY: u32 = 128;
    /// Configuration of AJP workers on the page.
    pub const WORKER_CONF: u32 = 256;

    /// That bit is set.
    pub fn has(self, bit: u32) -> bool {
        self.0 & bit != 0
    }
}

/// The query could not be read: a broken escape, a NUL byte, or octets that are no UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadQuery {
    /// Name of the parameter.
    pub name: String,
}

impl fmt::Display for BadQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Error during parsing of URI")
    }
}

/// The parameters of a request: names are unique.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// The parameters of a query string, and of the body of a form; those of the body count more.
    ///
    /// # Errors
    /// See [`BadQuery`].
    pub fn parse(query: &[u8], body: &[u8]) -> Result<Self, BadQuery> {
        let mut parsed = Self::default();
        for piece in query.split(|b| *b == b'&').chain(body.split(|b| *b == b'&')) {
            let Some(at) = memchr::memchr(b'=', piece) else { continue };
            let (name, value) =
                (piece.get(..at).unwrap_or_default(), piece.get(at + 1..).unwrap_or_default());
            let Ok(name) = std::str::from_utf8(name) else { continue };
            let value = decode(value).ok_or_else(|| BadQuery { name: name.to_owned() })?;
            parsed.set(name, value);
        }
        Ok(parsed)
    }

    /// The parameters in these pairs.
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        let mut query = Self::default();
        for (name, value) in pairs {
            query.set(name, (*value).to_owned());
        }
        query
    }

    fn set(&mut self, name: &str, value: String) {
        match self.pairs.iter_mut().find(|(other, _)| other == name) {
            Some(pair) => pair.1 = value,
            None => self.pairs.push((name.to_owned(), value)),
        }
    }

    /// The value of that parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// All parameters in the order of their first appearance.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The command; `list` without one.
    pub fn command(&self) -> Option<Command> {
        keyword(self.get("cmd"), &Command::WORDS, Command::List)
    }

    /// The format; `html` without one.
    pub fn format(&self) -> Option<Format> {
        keyword(self.get("mime"), &Format::WORDS, Format::Html)
    }

    /// The command to go back to after a change; `list` unless a known one is given that changes nothing.
    pub fn from(&self) -> Command {
        let from = keyword(self.get("from"), &Command::WORDS, Command::List);
        from.filter(|command| !command.changes()).unwrap_or(Command::List)
    }

    /// The bits of `opt`; a value that is no number hides nothing.
    pub fn hide(&self) -> Hide {
        Hide(self.get("opt").and_then(|value| value.trim().parse().ok()).unwrap_or(0))
    }

    /// Seconds between automatic refreshes, 1 to a day; `None`: off.
    pub fn refresh(&self) -> Option<u32> {
        let seconds: u32 = self.get("re")?.trim().parse().ok()?;
        (seconds > 0).then(|| seconds.min(86_400))
    }
}

/// No value: the default; an unknown one: `None`.
fn keyword<T: Copy>(value: Option<&str>, words: &[(&str, T)], default: T) -> Option<T> {
    match value {
        None => Some(default),
        Some(value) => words.iter().find(|(word, _)| *word == value).map(|(_, found)| *found),
    }
}

/// A value with its escapes resolved.
fn decode(value: &[u8]) -> Option<String> {
    let mut out = Vec::with_capacity(value.len());
    let mut octets = value.iter();
    while let Some(&octet) = octets.next() {
        out.push(match octet {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (digit(*octets.next()?)?, digit(*octets.next()?)?);
                let octet = high << 4 | low;
                if octet == 0 {
                    return None;
                }
                octet
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

fn digit(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        _ => None,
    }
}

/// `value` as a value of a query string: everything but letters, digits and `-._~` is escaped.
pub fn encode(value: &str, out: &mut String) {
    for octet in value.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            out.push(char::from(octet));
        } else {
            out.push('%');
            for half in [octet >> 4, octet & 15] {
                out.push(char::from_digit(u32::from(half), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Query {
        Query::parse(text.as_bytes(), b"").unwrap()
    }

    #[test]
    fn values_are_decoded_and_names_are_not() {
        let query = parse("w=a%2Bb+c%26d&%77=x&flag&sw=&cmd=show&w2=%C3%A9&&=z");
        assert_eq!(query.get("w"), Some("a+b c&d"));
        assert_eq!(query.get("%77"), Some("x"));
        assert_eq!(query.get("flag"), None);
        assert_eq!(query.get("sw"), Some(""));
        assert_eq!(query.get("w2"), Some("é"));
        assert_eq!(query.command(), Some(Command::Show));
    }

    #[test]
    fn the_last_of_equal_names_counts() {
        assert_eq!(parse("w=a&w=b&cmd=list&cmd=dump").command(), Some(Command::Dump));
        let query = Query::parse(b"cmd=list&w=a", b"cmd=update&vwa=s").unwrap();
        assert_eq!((query.command(), query.get("w")), (Some(Command::Update), Some("a")));
    }

    #[test]
    fn nothing_is_masked() {
        assert_eq!(parse("sw=n%3F*&vwc=%3C%22%3E%27").get("vwc"), Some("<\">'"));
        assert_eq!(parse("sw=n?*").get("sw"), Some("n?*"));
    }

    #[test]
    fn broken_values_are_refused() {
        for text in ["w=%zz", "w=%4", "w=%", "w=a%00b", "w=%ff%fe", "a=1&w=%C3"] {
            let bad = Query::parse(text.as_bytes(), b"").unwrap_err();
            assert_eq!(
                (bad.name.as_str(), bad.to_string().as_str()),
                ("w", "Error during parsing of URI"),
                "{text}"
            );
        }
    }

    #[test]
    fn keywords_are_exact() {
        assert_eq!(parse("").command(), Some(Command::List));
        assert_eq!(parse("cmd=LIST").command(), None);
        assert_eq!(parse("cmd=").command(), None);
        assert_eq!(parse("cmd=refresh").command(), None);
        assert_eq!(parse("mime=json").format(), Some(Format::Json));
        assert_eq!(parse("mime=text").format(), None);
        for (word, command) in Command::WORDS {
            assert_eq!(command.word(), word);
        }
    }

    #[test]
    fn numbers_that_are_none_are_off() {
        assert_eq!(parse("re=10").refresh(), Some(10));
        assert_eq!(parse("re=999999999").refresh(), Some(86_400));
        for text in ["re=0", "re=-3", "re=x", "re="] {
            assert_eq!(parse(text).refresh(), None, "{text}");
        }
        assert!(parse("opt=33").hide().has(Hide::READ_ONLY));
        assert_eq!(parse("opt=x").hide(), Hide(0));
    }

    #[test]
    fn one_comes_back_to_a_page_that_shows() {
        assert_eq!(parse("from=show").from(), Command::Show);
        assert_eq!(parse("from=reset").from(), Command::List);
        assert_eq!(parse("from=javascript:x").from(), Command::List);
    }

    #[test]
    fn encoding_and_decoding_are_inverse() {
        let text: String = (1u8..128).map(char::from).chain("éß한%%%".chars()).collect();
        let mut encoded = String::new();
        encode(&text, &mut encoded);
        assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)));
        assert_eq!(decode(encoded.as_bytes()).as_deref(), Some(text.as_str()));
    }
}
