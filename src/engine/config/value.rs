//! The types of property values: integer, boolean, keyword, list and host.
//!
//! Pure functions from text to value. Numbers, booleans and keywords follow mod_jk 1.2.51 (`jk_map_get_int`,
//! `jk_get_bool_code`), which takes a default for what it does not understand; unlike mod_jk these functions say so, and
//! the caller decides what to report. Hosts are checked strictly: mod_jk reads `999.1.1.1` as 255.255.255.255.

// Only the plain address types of `core`; nothing here can reach a socket or a resolver.
use core::net::{Ipv4Addr, Ipv6Addr};

/// Why a text is not an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadInteger {
    /// It does not begin with a digit (after an optional sign).
    NoDigits,
    /// The number, with its suffix, does not fit into 32 bits with sign.
    OutOfRange,
}

/// A decimal integer with optional sign and suffix `k`, `K` (times 1024), `m` or `M` (times 1048576) right after the
/// digits, and the text behind it that was not used.
///
/// # Errors
/// See [`BadInteger`].
pub fn integer(text: &str) -> Result<(i32, &str), BadInteger> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = unsigned.split_at_checked(digits).ok_or(BadInteger::NoDigits)?;
    if digits.is_empty() {
        return Err(BadInteger::NoDigits);
    }
    let (factor, rest) = match rest.as_bytes().first() {
        Some(b'k' | b'K') => (1024, rest.get(1..)),
        Some(b'm' | b'M') => (1024 * 1024, rest.get(1..)),
        _ => (1, Some(rest)),
    };
    let magnitude: i64 = digits.parse().map_err(|_| BadInteger::OutOfRange)?;
    let signed = if text.starts_with('-') { -magnitude } else { magnitude };
    let number = signed.checked_mul(factor).and_then(|n| i32::try_from(n).ok());
    Ok((number.ok_or(BadInteger::OutOfRange)?, rest.unwrap_or_default()))
}

/// A boolean: false is `off`, `0` or anything beginning with `f` or `n`; true is `on`, `1` or anything beginning with `t`
/// or `y`; case does not count. `None` for anything else.
pub fn boolean(text: &str) -> Option<bool> {
    let first = text.as_bytes().first().map(u8::to_ascii_lowercase);
    if text.eq_ignore_ascii_case("off") || text == "0" || matches!(first, Some(b'f' | b'n')) {
        Some(false)
    } else if text.eq_ignore_ascii_case("on") || text == "1" || matches!(first, Some(b't' | b'y')) {
        Some(true)
    } else {
        None
    }
}

/// A keyword that was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyword<T> {
    /// What it stands for.
    pub value: T,
    /// The full word that was assumed.
    pub word: &'static str,
    /// The text is that word, a beginning of it, a longer form of it, or its number.
    pub sure: bool,
}

/// A word of `words`, known by its first letter or by its position (`0` is the first); case does not count. `None` when no
/// word matches. Only the first character counts, as in mod_jk.
pub fn keyword<T: Copy>(text: &str, words: &[(&'static str, T)]) -> Option<Keyword<T>> {
    let first = text.chars().next()?.to_ascii_lowercase();
    if let Some(number) = first.to_digit(10) {
        let (word, value) = words.get(usize::try_from(number).ok()?)?;
        return Some(Keyword { value: *value, word, sure: text.len() == 1 });
    }
    let (word, value) = words
        .iter()
        .find(|(word, _)| word.chars().next().is_some_and(|c| c.to_ascii_lowercase() == first))?;
    let (text, full) = (text.to_ascii_lowercase(), word.to_ascii_lowercase());
    let sure = full.starts_with(&text) || text.starts_with(&full);
    Some(Keyword { value: *value, word, sure })
}

/// The items of a list: separated by spaces, tabs and commas in any mixture.
pub fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '\t', ',']).filter(|item| !item.is_empty())
}

/// Why a text does not name a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadHost {
    /// Only digits and dots, but not an IPv4 address.
    Ipv4,
    /// Colons or brackets, but not an IPv6 address.
    Ipv6,
    /// A character that no host name has, or nothing at all.
    Name,
    /// Longer than [`LONGEST_HOST`].
    Length,
    /// The part after the colon is not a port from 1 to 65535.
    Port,
    /// The path of a UNIX socket is not absolute.
    Path,
    /// The path of a UNIX socket does not fit into a socket address.
    PathLength,
}

impl std::fmt::Display for BadHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "not an IPv4 address",
            Self::Ipv6 => "not an IPv6 address",
            Self::Name => "not a host name",
            Self::Length => "longer than 255 bytes",
            Self::Port => "the port after the colon is not a number from 1 to 65535",
            Self::Path => "the path after 'unix:' must begin with '/'",
            Self::PathLength => "the path after 'unix:' is longer than 107 bytes",
        })
    }
}

/// Longest host name, in bytes (RFC 1035 section 2.3.4).
pub const LONGEST_HOST: usize = 255;
/// Longest path of a UNIX socket, in bytes: `sun_path` of Linux without the closing NUL.
pub const LONGEST_SOCKET_PATH: usize = 107;

/// The value of the property `host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host<'a> {
    /// Name or address, without brackets, and the port if one was given.
    Tcp(&'a str, Option<u16>),
    /// Absolute path of a UNIX socket.
    Unix(&'a str),
}

/// A host as `name`, `1.2.3.4`, `::1`, `[::1]`, any of these but the bare IPv6 one with `:port`, or `unix:/path`.
///
/// # Errors
/// See [`BadHost`].
pub fn host(text: &str) -> Result<Host<'_>, BadHost> {
    if let Some(path) = text.strip_prefix("unix:") {
        return match path.len() {
            _ if !path.starts_with('/') => Err(BadHost::Path),
            ..=LONGEST_SOCKET_PATH => Ok(Host::Unix(path)),
            _ => Err(BadHost::PathLength),
        };
    }
    if let Some(inner) = text.strip_prefix('[') {
        let (address, rest) = inner.split_once(']').ok_or(BadHost::Ipv6)?;
        let address = ipv6(address)?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok(Host::Tcp(address, Some(port_number(port)?))),
            None if rest.is_empty() => Ok(Host::Tcp(address, None)),
            None => Err(BadHost::Ipv6),
        };
    }
    match text.split_once(':') {
        None => Ok(Host::Tcp(name(text)?, None)),
        Some((_, rest)) if rest.contains(':') => Ok(Host::Tcp(ipv6(text)?, None)),
        Some((host, port)) => Ok(Host::Tcp(name(host)?, Some(port_number(port)?))),
    }
}

/// A name or address without port, as for the property `source`.
///
/// # Errors
/// See [`BadHost`].
pub fn plain_host(text: &str) -> Result<&str, BadHost> {
    match host(text)? {
        Host::Tcp(host, None) => Ok(host),
        Host::Tcp(_, Some(_)) | Host::Unix(_) => Err(BadHost::Name),
    }
}

/// The host is this machine: `localhost`, a name below it, or a loopback address.
pub fn is_loopback(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") {
        return true;
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return address.is_loopback();
    }
    let without_zone = host.split_once('%').map_or(host, |(address, _)| address);
    without_zone.parse::<Ipv6Addr>().is_ok_and(|address| match address.to_ipv4_mapped() {
        Some(mapped) => mapped.is_loopback(),
        None => address.is_loopback(),
    })
}

fn port_number(text: &str) -> Result<u16, BadHost> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(BadHost::Port);
    }
    text.parse().ok().filter(|port| *port != 0).ok_or(BadHost::Port)
}

fn ipv6(text: &str) -> Result<&str, BadHost> {
    // The zone (`fe80::1%eth0`) is the resolver's business.
    let (address, zone) = text.split_once('%').map_or((text, "x"), |(address, zone)| (address, zone));
    let zone_fits = (1..=64).contains(&zone.len()) && zone.bytes().all(|b| b.is_ascii_graphic());
    if address.parse::<Ipv6Addr>().is_ok() && zone_fits { Ok(text) } else { Err(BadHost::Ipv6) }
}

fn name(text: &str) -> Result<&str, BadHost> {
    if text.len() > LONGEST_HOST {
        return Err(BadHost::Length);
    }
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return if text.parse::<Ipv4Addr>().is_ok() { Ok(text) } else { Err(BadHost::Ipv4) };
    }
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if text.is_empty() || text.starts_with('.') || !text.bytes().all(fits) {
        return Err(BadHost::Name);
    }
    Ok(text)
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;
