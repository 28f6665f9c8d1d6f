//! From the configured endpoint of a backend to the socket addresses to try.
//!
//! Literals are parsed strictly: a host that looks like an IPv4 address must be a complete one of four decimal numbers,
//! because `inet_aton` also reads `127.1`, `0x7f000001` and octal numbers, and mod_jk took `999.1.1.1` unchecked
//! (`jk_resolve`). IPv4 addresses come first unless IPv6 is preferred, as the documentation of `prefer_ipv6` says;
//! within a family the order is the resolver's. The resolver may block for as long as the system's settings say.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most addresses of one backend that are kept; the rest of the resolver's answer is ignored.
pub const MAX_ADDRESSES: usize = 16;

/// Longest path of a UNIX socket, in octets (`sun_path` of Linux without its terminator).
pub const MAX_UNIX_PATH: usize = 107;

/// Where a backend listens, as configured.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A host and a port.
    Tcp {
        /// Name or literal; IPv6 literals with or without brackets.
        host: String,
        /// 1 to 65535.
        port: u16,
        /// Try the IPv6 addresses of the host first.
        prefer_ipv6: bool,
    },
    /// The path of a UNIX stream socket, absolute.
    Unix(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, .. } if host.contains(':') && !host.starts_with('[') => {
                write!(f, "[{host}]:{port}")
            }
            Self::Tcp { host, port, .. } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Why an endpoint has no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResolveError {
    /// The host is empty.
    EmptyHost,
    /// The port is 0.
    NoPort,
    /// The host looks like an IP address but is none.
    BadLiteral,
    /// The path is relative, too long or contains a NUL.
    BadPath,
    /// The resolver failed; its message.
    Lookup(String),
    /// The resolver knows the host but no address of it.
    NoAddress,
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyHost => f.write_str("the host is empty"),
            Self::NoPort => f.write_str("port 0 cannot be connected to"),
            Self::BadLiteral => f.write_str("not a valid IP address"),
            Self::BadPath => {
                write!(f, "the socket's path must be absolute and at most {MAX_UNIX_PATH} octets long")
            }
            Self::Lookup(message) => f.write_str(message),
            Self::NoAddress => f.write_str("the host has no address"),
        }
    }
}

impl std::error::Error for ResolveError {}

/// One place to connect to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SockAddr {
    /// TCP.
    Inet(SocketAddr),
    /// UNIX stream socket.
    Unix(PathBuf),
}

impl fmt::Display for SockAddr {
    /// `127.0.0.1:8009`, `[::1]:8009` or `unix:/path`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A socket address with its printed form, which every connection to it shares.
#[derive(Debug)]
pub struct Address {
    socket: SockAddr,
    label: Arc<str>,
}

impl Address {
    /// What to connect to.
    pub fn socket(&self) -> &SockAddr {
        &self.socket
    }

    /// `127.0.0.1:8009`, `[::1]:8009` or `unix:/path`.
    pub fn label(&self) -> &Arc<str> {
        &self.label
    }
}

/// The addresses of a backend in the order to try them; copies share one list.
#[derive(Debug, Clone)]
pub struct Addresses(Arc<List>);

#[derive(Debug)]
struct List {
    addresses: Box<[Address]>,
    /// Index of the address that was last connected to.
    last_good: AtomicUsize,
}

impl Addresses {
    /// Takes the addresses in this order, without duplicates and at most [`MAX_ADDRESSES`].
    pub fn new(candidates: impl IntoIterator<Item = SockAddr>) -> Self {
        let mut addresses: Vec<Address> = Vec::new();
        for socket in candidates {
            if addresses.len() < MAX_ADDRESSES && !addresses.iter().any(|known| known.socket == socket) {
                let label = Arc::from(socket.to_string());
                addresses.push(Address { socket, label });
            }
        }
        Self(Arc::new(List { addresses: addresses.into_boxed_slice(), last_good: AtomicUsize::new(0) }))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.addresses.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.0.addresses.is_empty()
    }

    /// All addresses in the configured order.
    pub fn iter(&self) -> impl Iterator<Item = &Address> {
        self.0.addresses.iter()
    }

    /// All addresses with their index, beginning with the one that last worked.
    pub fn from_last_good(&self) -> impl Iterator<Item = (usize, &Address)> {
        let count = self.len();
        let first = self.0.last_good.load(Ordering::Relaxed);
        self.0.addresses.iter().enumerate().cycle().skip(first).take(count)
    }

    /// Remembers that the address of this index worked. Racing callers are harmless: both addresses did work.
    pub fn worked(&self, index: usize) {
        // A store only for a change keeps the cache line shared between the threads.
        if index < self.len() && self.0.last_good.load(Ordering::Relaxed) != index {
            self.0.last_good.store(index, Ordering::Relaxed);
        }
    }

    /// Both name the same places in the same order.
    pub fn same_places(&self, other: &Self) -> bool {
        self.iter().map(Address::socket).eq(other.iter().map(Address::socket))
    }
}

impl fmt::Display for Addresses {
    /// The labels, separated by commas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, address) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(&address.label)?;
        }
        Ok(())
    }
}

/// Asks the system's resolver for the addresses of a host.
pub type Lookup = fn(&str, u16) -> std::io::Result<Vec<SocketAddr>>;

/// The system's resolver (`getaddrinfo`).
///
/// # Errors
/// Whatever the resolver says.
pub fn system_lookup(host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
    Ok((host, port).to_socket_addrs()?.collect())
}

/// Finds the addresses of an endpoint; may block in the resolver.
///
/// # Errors
/// See [`ResolveError`]; the result is never empty.
pub fn resolve(endpoint: &Endpoint) -> Result<Addresses, ResolveError> {
    resolve_with(endpoint, system_lookup)
}

/// [`resolve`] with another resolver.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_with(endpoint: &Endpoint, lookup: Lookup) -> Result<Addresses, ResolveError> {
    match endpoint {
        Endpoint::Tcp { port: 0, .. } => Err(ResolveError::NoPort),
        Endpoint::Tcp { host, port, prefer_ipv6 } => {
            let found = hosts(host, *port, *prefer_ipv6, lookup)?;
            Ok(Addresses::new(found.into_iter().map(SockAddr::Inet)))
        }
        Endpoint::Unix(path) => {
            check_path(path)?;
            Ok(Addresses::new([SockAddr::Unix(path.clone())]))
        }
    }
}

/// Finds the local address to bind to (property `source`): the first one, as for a backend.
///
/// # Errors
/// See [`ResolveError`]. mod_jk ignored a `source` it could not resolve; here it is a mistake to report.
pub fn resolve_source(host: &str, prefer_ipv6: bool) -> Result<IpAddr, ResolveError> {
    let found = hosts(host, 0, prefer_ipv6, system_lookup)?;
    found.first().map(SocketAddr::ip).ok_or(ResolveError::NoAddress)
}

/// The addresses of a host in the order to try them, never empty.
fn hosts(host: &str, port: u16, prefer_ipv6: bool, lookup: Lookup) -> Result<Vec<SocketAddr>, ResolveError> {
    if let Some(ip) = literal(host)? {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let mut found = lookup(unbracketed(host), port).map_err(|e| ResolveError::Lookup(e.to_string()))?;
    // A stable sort: the resolver's order (RFC 6724) stays within a family.
    found.sort_by_key(|address| address.is_ipv6() != prefer_ipv6);
    if found.is_empty() { Err(ResolveError::NoAddress) } else { Ok(found) }
}

fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

/// The address a literal stands for, or `None` for a name, which the resolver must be asked for.
fn literal(host: &str) -> Result<Option<IpAddr>, ResolveError> {
    if host.is_empty() {
        return Err(ResolveError::EmptyHost);
    }
    let inner = unbracketed(host);
    if inner.contains(':') || inner.len() != host.len() {
        // A scope (`fe80::1%eth0`) names an interface; only the resolver knows its number.
        if let Some((address, _)) = inner.split_once('%') {
            address.parse::<Ipv6Addr>().map_err(|_| ResolveError::BadLiteral)?;
            return Ok(None);
        }
        return inner.parse::<Ipv6Addr>().map(|ip| Some(ip.into())).map_err(|_| ResolveError::BadLiteral);
    }
    if ends_in_number(inner) {
        return inner.parse::<Ipv4Addr>().map(|ip| Some(ip.into())).map_err(|_| ResolveError::BadLiteral);
    }
    Ok(None)
}

/// The last label is a number, which no host name's is: the host is meant as an IPv4 address (the rule of the WHATWG
/// URL standard, "ends in a number checker").
fn ends_in_number(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or(host);
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    match hex {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => last.bytes().all(|b| b.is_ascii_digit()),
    }
}

fn check_path(path: &Path) -> Result<(), ResolveError> {
    let octets = path.as_os_str().as_bytes();
    if path.is_absolute() && octets.len() <= MAX_UNIX_PATH && !octets.contains(&0) {
        Ok(())
    } else {
        Err(ResolveError::BadPath)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, prefer_ipv6: bool) -> Endpoint {
        Endpoint::Tcp { host: host.into(), port: 8009, prefer_ipv6 }
    }

    fn mixed(_: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        let six = |last| SocketAddr::new(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).into(), port);
        let four = |last| SocketAddr::new(Ipv4Addr::new(192, 0, 2, last).into(), port);
        Ok(vec![six(1), four(1), six(1), six(2), four(2), four(1)])
    }

    fn only_four(_: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(vec![SocketAddr::from(([192, 0, 2, 1], port)), SocketAddr::from(([192, 0, 2, 2], port))])
    }

    fn refuses(host: &str, _: u16) -> std::io::Result<Vec<SocketAddr>> {
        Err(std::io::Error::other(format!("asked for {host}")))
    }

    #[test]
    fn ipv4_comes_first_unless_ipv6_is_preferred() {
        let first = |prefer| resolve_with(&tcp("app", prefer), mixed).unwrap().to_string();
        assert_eq!(first(false), "192.0.2.1:8009, 192.0.2.2:8009, [2001:db8::1]:8009, [2001:db8::2]:8009");
        assert_eq!(first(true), "[2001:db8::1]:8009, [2001:db8::2]:8009, 192.0.2.1:8009, 192.0.2.2:8009");
        assert_eq!(resolve_with(&tcp("app", true), only_four).unwrap().len(), 2);
    }

    #[test]
    fn literals_are_strict_and_not_looked_up() {
        for (host, label) in [
            ("127.0.0.1", "127.0.0.1:8009"),
            ("::1", "[::1]:8009"),
            ("[::1]", "[::1]:8009"),
            ("::ffff:192.0.2.1", "[::ffff:192.0.2.1]:8009"),
        ] {
            assert_eq!(resolve_with(&tcp(host, false), refuses).unwrap().to_string(), label);
        }
        for host in [
            "999.1.1.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "127.0.0.0x1",
            "127.0.0.01",
            "1.2.3.4.5",
            "127.0.0.1.",
            "1..2.3",
            ".",
            "app.",
            "host:8009",
            "[app]",
            "[127.0.0.1]",
            ":::",
            "[::1",
            "app%1:",
        ] {
            let expected = if host == "app." { None } else { Some(ResolveError::BadLiteral) };
            let got = resolve_with(&tcp(host, false), refuses).unwrap_err();
            assert_eq!(got, expected.unwrap_or(ResolveError::Lookup("asked for app.".into())), "{host}");
        }
    }

    #[test]
    fn names_and_scoped_addresses_go_to_the_resolver() {
        for host in ["app", "a.b.example", "1st", "10.0.0.1a", "fe80::1%eth0", "0xg"] {
            let asked = ResolveError::Lookup(format!("asked for {host}"));
            assert_eq!(resolve_with(&tcp(host, false), refuses).unwrap_err(), asked);
        }
        let asked = ResolveError::Lookup("asked for fe80::1%eth0".into());
        assert_eq!(resolve_with(&tcp("[fe80::1%eth0]", false), refuses).unwrap_err(), asked);
    }

    #[test]
    fn empty_answers_and_bad_endpoints_are_errors() {
        let nobody: Lookup = |_, _| Ok(Vec::new());
        assert_eq!(resolve_with(&tcp("app", false), nobody).unwrap_err(), ResolveError::NoAddress);
        assert_eq!(resolve(&tcp("", false)).unwrap_err(), ResolveError::EmptyHost);
        let portless = Endpoint::Tcp { host: "127.0.0.1".into(), port: 0, prefer_ipv6: false };
        assert_eq!(resolve(&portless).unwrap_err(), ResolveError::NoPort);
        assert_eq!(resolve_source("127.0.0.2", false), Ok(IpAddr::from([127, 0, 0, 2])));
        assert_eq!(resolve_source("127.2", false), Err(ResolveError::BadLiteral));
    }

    #[test]
    fn unix_paths_are_checked() {
        let path = |path: &str| resolve(&Endpoint::Unix(path.into()));
        assert_eq!(path("/run/tomcat.sock").unwrap().to_string(), "unix:/run/tomcat.sock");
        let longest = format!("/{}", "x".repeat(MAX_UNIX_PATH - 1));
        assert!(path(&longest).is_ok());
        for bad in ["", "run/tomcat.sock", "/a\0b", &format!("{longest}x")] {
            assert_eq!(path(bad).unwrap_err(), ResolveError::BadPath);
        }
    }

    #[test]
    fn the_list_is_capped_and_begins_with_the_last_good_one() {
        let many = (1..=100_u16).map(|port| SockAddr::Inet(SocketAddr::from(([127, 0, 0, 1], port))));
        let addresses = Addresses::new(many);
        assert_eq!(addresses.len(), MAX_ADDRESSES);
        addresses.worked(14);
        addresses.worked(99);
        let order: Vec<usize> = addresses.clone().from_last_good().map(|(index, _)| index).collect();
        assert_eq!(order.len(), MAX_ADDRESSES);
        assert_eq!(order[..4], [14, 15, 0, 1]);
        assert_eq!(Addresses::new([]).from_last_good().count(), 0);
    }

    #[test]
    fn endpoints_print_as_they_are_written() {
        assert_eq!(tcp("app", false).to_string(), "app:8009");
        assert_eq!(tcp("::1", false).to_string(), "[::1]:8009");
        assert_eq!(tcp("[::1]", false).to_string(), "[::1]:8009");
        assert_eq!(Endpoint::Unix("/run/x".into()).to_string(), "unix:/run/x");
    }
}
