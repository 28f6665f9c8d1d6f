//! What any backend protocol must know of HTTP header fields: which octets they may hold and which of them belong to one
//! connection only.
//!
//! Names are compared without regard to case. No allocation. Sources: RFC 9110 sections 5.1, 5.5, 5.6.2 and 7.6.1.

/// Most options a message may list in its Connection headers; real ones list up to three. The cap keeps the filter linear.
pub const MAX_CONNECTION_OPTIONS: usize = 64;
/// Most Connection headers of a response that name further headers; a backend has no reason for a second one.
const MAX_NAMING: usize = 4;

/// `name` equals `lower`, which must be written in lower case, whatever the case of `name`.
///
/// Compares words of eight octets where there are as many; `lower` is a constant at every call, so a comparison is a
/// handful of instructions.
#[inline(always)]
pub(crate) fn same<const N: usize>(name: &[u8], lower: &[u8; N]) -> bool {
    let Ok(name) = <&[u8; N]>::try_from(name) else { return false };
    let (words, tail) = name.as_chunks::<8>();
    let (lower_words, lower_tail) = lower.as_chunks::<8>();
    let mut difference = 0;
    for (word, lower) in words.iter().zip(lower_words) {
        difference |= word_difference(word, lower);
    }
    // The odd octets again as a part of the last eight or four.
    if let (Some(last), Some(lower)) = (name.last_chunk::<8>(), lower.last_chunk::<8>()) {
        difference |= word_difference(last, lower);
    } else if let (Some(name), Some(lower)) = (ends(name), ends(lower)) {
        difference |= word_difference(&name, &lower);
    } else {
        for (&octet, &lower) in tail.iter().zip(lower_tail) {
            difference |= word_difference(&[octet; 8], &[lower; 8]);
        }
    }
    difference == 0
}

/// The first four octets and the last four, which may overlap.
#[inline(always)]
fn ends(text: &[u8]) -> Option<[u8; 8]> {
    let (&[a, b, c, d], &[e, f, g, h]) = (text.first_chunk::<4>()?, text.last_chunk::<4>()?);
    Some([a, b, c, d, e, f, g, h])
}

#[inline(always)]
fn word_difference(word: &[u8; 8], lower: &[u8; 8]) -> u64 {
    let (word, lower) = (u64::from_le_bytes(*word), u64::from_le_bytes(*lower));
    // Only letters have bit 0x40 set among the octets of header names; for them, and only for them, fold the case.
    (word | ((lower & 0x4040_4040_4040_4040) >> 1)) ^ lower
}

/// A token of RFC 9110 section 5.6.2: at least one octet, no separators, no controls, no octets from 0x80 on.
#[inline]
pub fn is_token(text: &[u8]) -> bool {
    // Names are made of letters, digits and dashes; only the others need the table.
    let usual = every(text, |octet| {
        ((octet | 0x20).wrapping_sub(b'a') < 26) | (octet.wrapping_sub(b'0') < 10) | (octet == b'-')
    });
    !text.is_empty() && (usual || text.iter().all(|&octet| is_token_octet(octet)))
}

/// The octet may stand in a token.
#[inline]
pub fn is_token_octet(octet: u8) -> bool {
    TOKEN[usize::from(octet)]
}

/// No control octet in `value` except horizontal tabs: no line can be broken and no string cut by it. Octets from 0x80 on
/// are allowed.
#[inline]
pub fn is_clean(value: &[u8]) -> bool {
    // Tabs are rare: leave them to the slow look.
    every(value, |octet| (octet >= 0x20) & (octet != 0x7f)) || value.iter().all(|&octet| !is_control(octet))
}

/// Nothing outside `0x20` to `0x7e`, tabs and octets from 0x80 on; the first octet that is.
pub fn first_control(value: &[u8]) -> Option<u8> {
    value.iter().copied().find(|&octet| is_control(octet))
}

/// There are capital letters in `text`.
#[inline]
pub(crate) fn has_capitals(text: &[u8]) -> bool {
    !every(text, |octet| octet.wrapping_sub(b'A') >= 26)
}

/// `value` without the blanks and tabs around it.
#[inline]
pub fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Lengths and first letters of some names, for a first look: most names of most messages are none of them, and are told
/// apart here by one look at a table.
pub(crate) struct Glance([u32; 32]);

impl Glance {
    /// Of names that begin with a letter and are shorter than 32 octets.
    pub(crate) const fn of(names: &[&[u8]]) -> Self {
        let mut table = [0; 32];
        let mut index = 0;
        while index < names.len() {
            table[names[index].len()] |= 1 << (names[index][0] & 0x1f);
            index += 1;
        }
        Self(table)
    }

    /// Never false for one of the names, whatever its case.
    #[inline(always)]
    pub(crate) fn may_hold(&self, name: &[u8]) -> bool {
        // The low five bits of a letter are its place in the alphabet.
        match (self.0.get(name.len()), name.first()) {
            (Some(letters), Some(first)) => letters >> (first & 0x1f) & 1 != 0,
            _ => false,
        }
    }
}

/// A header of either direction that describes one connection and must not be passed on.
#[inline]
fn is_hop_by_hop(name: &[u8]) -> bool {
    match name.len() {
        2 => same(name, b"te"),
        7 => same(name, b"upgrade") || same(name, b"trailer"),
        10 => same(name, b"connection") || same(name, b"keep-alive"),
        14 => same(name, b"http2-settings"),
        16 => same(name, b"proxy-connection"),
        17 => same(name, b"transfer-encoding"),
        _ => false,
    }
}

/// A request header that is never passed to a backend. Beside the hop-by-hop ones: Expect is answered by httpd, `Proxy`
/// would become the environment variable `HTTP_PROXY` of a program behind the backend, and Proxy-Authorization was meant
/// for a proxy in front of it.
#[inline]
pub fn is_request_hop(name: &[u8]) -> bool {
    match name.len() {
        5 => same(name, b"proxy"),
        6 => same(name, b"expect"),
        19 => same(name, b"proxy-authorization"),
        _ => is_hop_by_hop(name),
    }
}

/// A response header that is never passed to a client.
#[inline]
pub fn is_response_hop(name: &[u8]) -> bool {
    match name.len() {
        18 => same(name, b"proxy-authenticate"),
        _ => is_hop_by_hop(name),
    }
}

/// A header that a Connection header cannot remove: without them the message would mean something else, or say who it is
/// from to nobody.
#[inline]
pub fn is_protected(name: &[u8]) -> bool {
    match name.len() {
        4 => same(name, b"host") || same(name, b"date"),
        6 => same(name, b"cookie"),
        12 => same(name, b"content-type"),
        13 => same(name, b"authorization"),
        14 => same(name, b"content-length"),
        _ => false,
    }
}

/// A Connection header that is not a list of tokens, or lists too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadConnection;

/// The options of a Connection value. Empty list elements are skipped (RFC 9110 section 5.6.1.2).
pub fn connection_options(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&octet| octet == b',').map(trim).filter(|option| !option.is_empty())
}

/// Whether a Connection value names headers that would be passed on otherwise. The usual values do not, and are
/// recognised at a glance.
///
/// # Errors
/// The value is no list of at most [`MAX_CONNECTION_OPTIONS`] tokens.
#[inline]
pub fn connection_names_others(value: &[u8]) -> Result<bool, BadConnection> {
    if same(value, b"keep-alive") || same(value, b"close") {
        return Ok(false);
    }
    scan_options(value)
}

fn scan_options(value: &[u8]) -> Result<bool, BadConnection> {
    let mut others = false;
    for (index, option) in connection_options(value).enumerate() {
        if index >= MAX_CONNECTION_OPTIONS || !is_token(option) {
            return Err(BadConnection);
        }
        others |= names_other(option);
    }
    Ok(others)
}

fn names_other(option: &[u8]) -> bool {
    !(same(option, b"close") || is_request_hop(option) || is_protected(option))
}

/// The headers named by the Connection headers of a request, copied because a request shows its headers one by one.
#[derive(Debug)]
pub(crate) struct Listed {
    text: [u8; Self::ROOM],
    used: usize,
    options: usize,
}

impl Listed {
    /// Octets for all names with one separator each; real lists take a few dozen.
    const ROOM: usize = 512;

    pub(crate) fn new() -> Self {
        Self { text: [0; Self::ROOM], used: 0, options: 0 }
    }

    /// Adds what one Connection value lists.
    pub(crate) fn add(&mut self, value: &[u8]) -> Result<(), BadConnection> {
        for option in connection_options(value) {
            self.options += 1;
            if self.options > MAX_CONNECTION_OPTIONS || !is_token(option) {
                return Err(BadConnection);
            }
            if names_other(option) {
                let place = self.text.get_mut(self.used..).unwrap_or_default();
                let place = place.get_mut(..=option.len()).ok_or(BadConnection)?;
                if let Some((separator, text)) = place.split_last_mut() {
                    text.copy_from_slice(option);
                    *separator = b',';
                }
                self.used += option.len() + 1;
            }
        }
        Ok(())
    }

    pub(crate) fn contains(&self, name: &[u8]) -> bool {
        !is_protected(name) && lists(self.text.get(..self.used).unwrap_or_default(), name)
    }
}

/// Values of Connection headers of a response that name headers which would be passed on otherwise.
#[derive(Debug, Clone, Default)]
pub(crate) struct Naming<'a> {
    values: [&'a [u8]; MAX_NAMING],
    used: usize,
}

impl<'a> Naming<'a> {
    /// Takes note of a trimmed Connection value.
    pub(crate) fn add(&mut self, value: &'a [u8]) -> Result<(), BadConnection> {
        if connection_names_others(value)? {
            *self.values.get_mut(self.used).ok_or(BadConnection)? = value;
            self.used += 1;
        }
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.used == 0
    }

    pub(crate) fn contains(&self, name: &[u8]) -> bool {
        self.used > 0 && !is_protected(name) && self.values.iter().any(|value| lists(value, name))
    }
}

/// The Connection value `value` lists `name`.
pub(crate) fn lists(value: &[u8], name: &[u8]) -> bool {
    connection_options(value).any(|option| option.eq_ignore_ascii_case(name))
}

#[inline]
fn is_control(octet: u8) -> bool {
    (octet < 0x20) & (octet != b'\t') | (octet == 0x7f)
}

/// `good` holds for every octet. Works on blocks that the compiler checks with a few vector instructions each; a text of up
/// to 32 octets is two blocks, its beginning and its end, which may overlap. `good` should have no branches.
#[inline(always)]
pub(crate) fn every(text: &[u8], good: impl Fn(u8) -> bool + Copy) -> bool {
    if let (Some(first), Some(last)) = (text.first_chunk::<16>(), text.last_chunk::<16>()) {
        if text.len() > 32 {
            let (blocks, _) = text.as_chunks::<16>();
            return blocks.iter().all(|block| block_is(block, good)) && block_is(last, good);
        }
        return block_is(first, good) & block_is(last, good);
    }
    if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        return block_is(first, good) & block_is(last, good);
    }
    if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        return block_is(first, good) & block_is(last, good);
    }
    text.iter().all(|&octet| good(octet))
}

#[inline(always)]
fn block_is<const N: usize>(block: &[u8; N], good: impl Fn(u8) -> bool) -> bool {
    let mut bad = 0;
    for &octet in block {
        bad |= u8::from(!good(octet));
    }
    bad == 0
}

static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut octet = b'0';
    while octet <= b'z' {
        table[octet as usize] = octet.is_ascii_alphanumeric();
        octet += 1;
    }
    let marks = b"!#$%&'*+-.^_`|~";
    let mut index = 0;
    while index < marks.len() {
        table[marks[index] as usize] = true;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_without_case_and_without_false_friends() {
        assert!(same(b"HTTP2-Settings", b"http2-settings"));
        assert!(same(b"tE", b"te"));
        // Octets that differ from a dash or a digit by the case bit only.
        assert!(!same(b"keep\x0dalive", b"keep-alive"));
        assert!(!same(b"http\x122-settings", b"http2-settings"));
        assert!(!same(b"http\x12-settings", b"http2-settings"));
        assert!(!same(b"t", b"te"));
        for octet in 0..=255u8 {
            assert_eq!(same(&[octet], b"e"), octet == b'e' || octet == b'E', "{octet:#x}");
        }
    }

    #[test]
    fn tokens_are_those_of_the_rfc() {
        let allowed: Vec<u8> = (0..=255u8).filter(|&octet| is_token_octet(octet)).collect();
        let expected: Vec<u8> = (0..=255u8)
            .filter(|&octet| octet.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&octet))
            .collect();
        assert_eq!(allowed, expected);
        assert!(!is_token(b""));
        for length in 1..70 {
            for place in 0..length {
                let mut name = vec![b'x'; length];
                assert!(is_token(&name));
                name[place] = b' ';
                assert!(!is_token(&name), "{place} of {length}");
                name[place] = b'~';
                assert!(is_token(&name), "{place} of {length}");
            }
        }
    }

    #[test]
    fn every_control_is_found_at_every_place_of_every_length() {
        for length in 1..70 {
            for place in 0..length {
                for octet in 0..=255u8 {
                    let mut value = vec![b'x'; length];
                    value[place] = octet;
                    let bad = (octet < 0x20 && octet != b'\t') || octet == 0x7f;
                    assert_eq!(is_clean(&value), !bad, "{octet:#x} at {place} of {length}");
                    assert_eq!(first_control(&value), bad.then_some(octet));
                }
            }
        }
        assert!(is_clean(b""));
    }

    #[test]
    fn the_usual_connection_values_name_nothing_else() {
        for value in
            [&b"keep-alive"[..], b"Keep-Alive", b"close", b"Upgrade, HTTP2-Settings", b"", b" ,close, "]
        {
            assert_eq!(connection_names_others(value), Ok(false), "{value:?}");
        }
        assert_eq!(connection_names_others(b"close, X-A"), Ok(true));
        assert_eq!(connection_names_others(b"Authorization, cookie"), Ok(false));
        assert_eq!(connection_names_others(b"a b"), Err(BadConnection));
        assert_eq!(connection_names_others(b"\"x\""), Err(BadConnection));
        assert_eq!(connection_names_others("a,".repeat(65).as_bytes()), Err(BadConnection));
        assert_eq!(connection_names_others("a,".repeat(64).as_bytes()), Ok(true));
    }

    #[test]
    fn a_glance_misses_no_name() {
        let names: [&[u8]; 3] = [b"te", b"Transfer-Encoding", b"connection"];
        let glance = Glance::of(&names);
        for name in names {
            assert!(
                glance.may_hold(&name.to_ascii_uppercase()) && glance.may_hold(&name.to_ascii_lowercase())
            );
        }
        assert!(!glance.may_hold(b"") && !glance.may_hold(b"x-request1") && !glance.may_hold(&[b't'; 99]));
    }

    #[test]
    fn copied_names_are_found_and_bounded() {
        let mut listed = Listed::new();
        listed.add(b"close, X-A , x-bee").unwrap();
        listed.add(b"X-C, Host").unwrap();
        assert!(listed.contains(b"x-a") && listed.contains(b"X-BEE") && listed.contains(b"X-c"));
        assert!(!listed.contains(b"X") && !listed.contains(b"Host") && !listed.contains(b"Close2"));
        assert_eq!(listed.add("y".repeat(512).as_bytes()), Err(BadConnection));
    }

    #[test]
    fn capitals_are_found_at_both_ends_of_the_alphabet() {
        assert!(has_capitals(b"text/htmL") && has_capitals(b"A") && has_capitals(b"text/Zzzzzzzzzzzzzzzzz"));
        assert!(!has_capitals(b"") && !has_capitals(b"text/html; charset=@[`{\xc1"));
    }

    #[test]
    fn only_blanks_and_tabs_are_trimmed() {
        assert_eq!(trim(b" \t a b\t "), b"a b");
        assert_eq!(trim(b" \t "), b"");
        assert_eq!(trim(b"\na\n"), b"\na\n");
    }
}
