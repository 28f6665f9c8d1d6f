//! `JkOptions`: the words, how they add up within a server, and how a virtual host inherits them.
//!
//! Source: `jk_set_options` and the merge of mod_jk. Within a server a minus wins over a plus whatever the order; a group
//! (URI form, address) keeps its last word. Unlike mod_jk, taking one address option back leaves the other alone, and the
//! address a virtual host chooses replaces the inherited one.

use super::nearest::nearest;
use crate::engine::route::forward::UriForm;

/// Bits of the options that can be switched on and off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(u16);

impl Flags {
    /// `ForwardDirectories`.
    pub const DIRECTORIES: Self = Self(1);
    /// `ForwardLocalAddress`.
    pub const LOCAL_ADDRESS: Self = Self(1 << 1);
    /// `ForwardPhysicalAddress`.
    pub const PHYSICAL_ADDRESS: Self = Self(1 << 2);
    /// `FlushPackets`.
    pub const FLUSH_PACKETS: Self = Self(1 << 3);
    /// `FlushHeader`.
    pub const FLUSH_HEADER: Self = Self(1 << 4);
    /// `DisableReuse`.
    pub const DISABLE_REUSE: Self = Self(1 << 5);
    /// `ForwardSSLCertChain`.
    pub const CERT_CHAIN: Self = Self(1 << 6);
    /// `ForwardKeySize`.
    pub const KEY_SIZE: Self = Self(1 << 7);
    /// `RejectUnsafeURI`.
    pub const REJECT_UNSAFE: Self = Self(1 << 8);

    const ADDRESSES: Self = Self(Self::LOCAL_ADDRESS.0 | Self::PHYSICAL_ADDRESS.0);

    /// All bits of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// What a word stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Form(UriForm),
    Flag(Flags),
    /// Accepted and ignored since mod_jk 1.2.44.
    Collapse,
}

/// All words; compared without case.
const WORDS: [(&str, Meaning); 16] = [
    ("ForwardURIProxy", Meaning::Form(UriForm::Proxy)),
    ("ForwardURICompat", Meaning::Form(UriForm::Compat)),
    ("ForwardURICompatUnparsed", Meaning::Form(UriForm::CompatUnparsed)),
    ("ForwardURIEscaped", Meaning::Form(UriForm::Escaped)),
    ("ForwardDirectories", Meaning::Flag(Flags::DIRECTORIES)),
    ("ForwardLocalAddress", Meaning::Flag(Flags::LOCAL_ADDRESS)),
    ("ForwardPhysicalAddress", Meaning::Flag(Flags::PHYSICAL_ADDRESS)),
    ("FlushPackets", Meaning::Flag(Flags::FLUSH_PACKETS)),
    ("FlushHeader", Meaning::Flag(Flags::FLUSH_HEADER)),
    ("DisableReuse", Meaning::Flag(Flags::DISABLE_REUSE)),
    ("ForwardSSLCertChain", Meaning::Flag(Flags::CERT_CHAIN)),
    ("ForwardKeySize", Meaning::Flag(Flags::KEY_SIZE)),
    ("RejectUnsafeURI", Meaning::Flag(Flags::REJECT_UNSAFE)),
    ("CollapseSlashesAll", Meaning::Collapse),
    ("CollapseSlashesNone", Meaning::Collapse),
    ("CollapseSlashesUnmount", Meaning::Collapse),
];

/// The options one server was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    plus: Flags,
    minus: Flags,
    form: Option<UriForm>,
}

/// The options in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effective {
    /// What is on.
    pub flags: Flags,
    /// How the path is forwarded.
    pub form: UriForm,
}

impl Effective {
    /// Something is on.
    pub const fn has(&self, flag: Flags) -> bool {
        self.flags.has(flag)
    }
}

impl Options {
    /// Takes the words of one `JkOptions` line. Returns remarks for the log.
    ///
    /// # Errors
    /// A message: an unknown word, a sign without a word, a URI form that is to be taken back.
    pub fn add(&mut self, line: &str) -> Result<Vec<String>, String> {
        let mut remarks = Vec::new();
        let mut next = *self;
        for word in words(line) {
            let (minus, name) = match word.as_bytes().first() {
                Some(b'-') => (true, word.get(1..).unwrap_or_default()),
                Some(b'+') => (false, word.get(1..).unwrap_or_default()),
                _ => (false, word),
            };
            if name.is_empty() {
                return Err(format!("JkOptions: '{word}' has no option behind the sign"));
            }
            if minus && name.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("ForwardURI")) {
                return Err(format!(
                    "JkOptions: '{word}' cannot be taken back; choose another ForwardURI option"
                ));
            }
            let Some((name, meaning)) = WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
            else {
                let hint = nearest(name, WORDS.iter().map(|(known, _)| *known))
                    .map_or_else(String::new, |known| format!("; did you mean {known}?"));
                return Err(format!("JkOptions: unknown option '{word}'{hint}"));
            };
            next.apply(*meaning, minus);
            match meaning {
                Meaning::Collapse if !minus => {
                    remarks.push(format!("JkOptions {name} has no effect: slashes are always collapsed"));
                }
                Meaning::Form(UriForm::Compat) => remarks.push(
                    "JkOptions ForwardURICompat would send decoded paths, which is not safe; \
                     ForwardURIProxy is used instead"
                        .to_owned(),
                ),
                _ => {}
            }
        }
        *self = next;
        Ok(remarks)
    }

    fn apply(&mut self, meaning: Meaning, minus: bool) {
        match (meaning, minus) {
            (Meaning::Form(form), _) => self.form = Some(form),
            (Meaning::Collapse, _) => {}
            (Meaning::Flag(flag), true) => self.minus = self.minus.with(flag),
            (Meaning::Flag(flag), false) if Flags::ADDRESSES.any(flag) => {
                self.plus = self.plus.without(Flags::ADDRESSES).with(flag);
            }
            (Meaning::Flag(flag), false) => self.plus = self.plus.with(flag),
        }
    }

    /// What is in force in the main server.
    pub fn effective(self) -> Effective {
        let flags = Flags::KEY_SIZE.with(self.plus).without(self.minus);
        Effective { flags, form: self.form.unwrap_or(UriForm::Proxy) }
    }

    /// What is in force in a virtual host with these options, `main` being in force in the main server.
    pub fn over(self, main: Effective) -> Effective {
        let inherited =
            if self.plus.any(Flags::ADDRESSES) { main.flags.without(Flags::ADDRESSES) } else { main.flags };
        let flags = inherited.with(self.plus).without(self.minus);
        Effective { flags, form: self.form.unwrap_or(main.form) }
    }
}

/// Words separated by blanks; quotes group.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line.trim_ascii();
    std::iter::from_fn(move || {
        rest = rest.trim_ascii_start();
        let first = rest.chars().next()?;
        let (word, behind) = match rest.strip_prefix(['"', '\'']) {
            Some(quoted) => quoted.split_once(first).unwrap_or((quoted, "")),
            None => rest.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((rest, "")),
        };
        rest = behind;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(lines: &[&str]) -> Options {
        let mut options = Options::default();
        for line in lines {
            options.add(line).unwrap();
        }
        options
    }

    #[test]
    fn defaults() {
        let effective = Options::default().effective();
        assert_eq!(effective.form, UriForm::Proxy);
        assert_eq!(effective.flags, Flags::KEY_SIZE);
    }

    #[test]
    fn words_in_any_case_with_and_without_sign() {
        let effective = options(&["+flushpackets FORWARDURIESCAPED", "ForwardDirectories"]).effective();
        assert!(effective.has(Flags::FLUSH_PACKETS) && effective.has(Flags::DIRECTORIES));
        assert_eq!(effective.form, UriForm::Escaped);
    }

    #[test]
    fn minus_wins_whatever_the_order() {
        assert!(!options(&["-FlushHeader", "+FlushHeader"]).effective().has(Flags::FLUSH_HEADER));
        assert!(!options(&["-ForwardKeySize"]).effective().has(Flags::KEY_SIZE));
    }

    #[test]
    fn groups_keep_the_last_word() {
        let effective =
            options(&["+ForwardURICompat +ForwardURIEscaped +ForwardLocalAddress +ForwardPhysicalAddress"])
                .effective();
        assert_eq!(effective.form, UriForm::Escaped);
        assert!(effective.has(Flags::PHYSICAL_ADDRESS) && !effective.has(Flags::LOCAL_ADDRESS));
    }

    #[test]
    fn taking_one_address_back_leaves_the_other() {
        let effective = options(&["+ForwardPhysicalAddress -ForwardLocalAddress"]).effective();
        assert!(effective.has(Flags::PHYSICAL_ADDRESS));
    }

    #[test]
    fn virtual_hosts_inherit_bit_by_bit() {
        let main =
            options(&["+ForwardLocalAddress +FlushPackets +ForwardURIEscaped -ForwardKeySize"]).effective();
        let host = options(&["+ForwardPhysicalAddress -FlushPackets +ForwardKeySize"]).over(main);
        assert!(host.has(Flags::PHYSICAL_ADDRESS) && !host.has(Flags::LOCAL_ADDRESS));
        assert!(!host.has(Flags::FLUSH_PACKETS));
        assert!(host.has(Flags::KEY_SIZE));
        assert_eq!(host.form, UriForm::Escaped);
        assert_eq!(options(&["ForwardURIProxy"]).over(main).form, UriForm::Proxy);
    }

    #[test]
    fn mistakes_are_named() {
        let mut options = Options::default();
        for (line, fragment) in [
            ("+Foo", "unknown option"),
            ("+ForwardSSLKeySize", "unknown option"),
            ("+FlushPacket", "did you mean FlushPackets"),
            ("+", "no option behind the sign"),
            ("-ForwardURIProxy", "cannot be taken back"),
            ("-ForwardURIFoo", "cannot be taken back"),
            ("\"+FlushPackets -FlushHeader\"", "unknown option"),
        ] {
            let error = options.add(line).unwrap_err();
            assert!(error.contains(fragment), "{line}: {error}");
        }
        assert_eq!(options, Options::default(), "a refused line changes nothing");
    }

    #[test]
    fn collapse_options_are_remarked_when_switched_on() {
        let mut options = Options::default();
        assert_eq!(options.add("CollapseSlashesNone").unwrap().len(), 1);
        assert_eq!(options.add("-CollapseSlashesNone").unwrap().len(), 0);
        assert_eq!(options.add("").unwrap().len(), 0);
    }
}
