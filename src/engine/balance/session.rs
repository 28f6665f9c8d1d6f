//! The session ids of a request: from `JK_ROUTE`, the path or the cookies.
//!
//! Finds what the client says, decides nothing: whether a route exists is the business of the choice. Case-sensitive, linear
//! in the octets looked at, no allocation: all results borrow from the request. Sources: `get_sessionid`, `get_path_param`
//! and `get_cookie` of mod_jk's jk_lb_worker.c; RFC 3986 section 3.3 (path parameters); RFC 6265 section 4.2.1 (cookies).

use memchr::memmem;

use crate::engine::config::model::Lb;
use crate::engine::headers::every;
use crate::engine::route::extensions::Extensions;

/// Most ids of a request that are looked at. Honest clients send one or two; a hostile one must not make the choice dear.
pub const MOST: usize = 8;

/// Where session ids are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names<'a> {
    /// Name of the cookie.
    pub cookie: &'a [u8],
    /// Name of the path parameter, with or without the `;` before it.
    pub path: &'a [u8],
}

impl<'a> Names<'a> {
    /// The names of a balancer, replaced by those of the rule that matched.
    pub fn of(lb: &'a Lb, rule: Option<&'a Extensions>) -> Self {
        let cookie = rule.and_then(|rule| rule.session_cookie.as_deref());
        let path = rule.and_then(|rule| rule.session_path.as_deref());
        Self {
            cookie: cookie.unwrap_or(lb.session_cookie.as_bytes()),
            path: path.unwrap_or(lb.session_path.as_bytes()),
        }
    }
}

/// What the ids of a request were found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Carrier {
    /// Nothing: the request has no session.
    #[default]
    None,
    /// The variable `JK_ROUTE`, which names a route and stands for no session.
    Route,
    /// A path parameter.
    Path,
    /// One or several cookies.
    Cookie,
}

/// The session ids of a request, or the route that stands for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sessions<'r> {
    ids: [&'r [u8]; MOST],
    count: usize,
    carrier: Carrier,
}

impl<'r> Sessions<'r> {
    /// Looks for them. `route` is the value of `JK_ROUTE`; when it is not empty nothing else counts. `uri` is the path as it
    /// is forwarded, encoded and without query. `cookies` are the values of all `Cookie` headers in their order; they are
    /// not looked at when the path has an id.
    pub fn find(
        route: Option<&'r [u8]>,
        uri: &'r [u8],
        cookies: impl IntoIterator<Item = &'r [u8]>,
        names: &Names<'_>,
    ) -> Self {
        let mut found = Self::default();
        found.look(route, uri, cookies, names);
        found
    }

    /// As [`Sessions::find`], into a value that is empty.
    pub fn look(
        &mut self,
        route: Option<&'r [u8]>,
        uri: &'r [u8],
        cookies: impl IntoIterator<Item = &'r [u8]>,
        names: &Names<'_>,
    ) {
        if let Some(route) = route.filter(|route| !route.is_empty()) {
            return self.add(route, Carrier::Route);
        }
        self.add_path(uri, names.path);
        if self.count == 0 {
            for header in cookies {
                self.add_cookies(header, names.cookie);
            }
        }
    }

    /// The session ids in the order they count; none when a route was given. None of them is empty.
    pub fn ids(&self) -> &[&'r [u8]] {
        if self.carrier == Carrier::Route { &[] } else { self.ids.get(..self.count).unwrap_or_default() }
    }

    /// The value of `JK_ROUTE`: the route itself, not an id that ends with one.
    pub fn route(&self) -> Option<&'r [u8]> {
        self.ids.first().copied().filter(|_| self.carrier == Carrier::Route)
    }

    /// What they were found in.
    pub fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// The request has neither a session id nor a route.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn add(&mut self, id: &'r [u8], carrier: Carrier) {
        if let Some(place) = self.ids.get_mut(self.count) {
            *place = id;
            self.count += 1;
            self.carrier = carrier;
        }
    }

    /// Path parameters may stand behind each segment; a value ends where the next parameter or segment begins.
    fn add_path(&mut self, uri: &'r [u8], name: &[u8]) {
        let name = name.strip_prefix(b";").unwrap_or(name);
        if name.is_empty() {
            return;
        }
        // Most paths have no parameters, which a look at many octets at once tells.
        if every(uri, |octet| octet != b';') {
            return;
        }
        let mut rest = until(uri, memchr::memchr(b'?', uri));
        while let Some(at) = memchr::memchr(b';', rest) {
            rest = rest.get(at + 1..).unwrap_or_default();
            if let Some(value) = rest.strip_prefix(name).and_then(|value| value.strip_prefix(b"=")) {
                let value = until(value, memchr::memchr2(b';', b'/', value));
                if !value.is_empty() {
                    self.add(value, Carrier::Path);
                }
            }
        }
    }

    /// `name=value` at the beginning, or behind a separator or white space; the value ends at the next separator, white space
    /// around it and quotes that enclose it do not belong to it.
    fn add_cookies(&mut self, header: &'r [u8], name: &[u8]) {
        if name.is_empty() {
            return;
        }
        let mut searched = 0;
        // Often it is the only cookie, and a search would have to be prepared.
        let next = |rest: &[u8]| if rest.starts_with(name) { Some(0) } else { memmem::find(rest, name) };
        // What is not longer than the name has no room for a value.
        let long = |rest: &&[u8]| rest.len() > name.len();
        while let Some(at) = header.get(searched..).filter(long).and_then(next) {
            let (start, end) = (searched + at, searched + at + name.len());
            searched = end;
            let before = start.checked_sub(1).and_then(|before| header.get(before));
            if before.is_some_and(|octet| !matches!(octet, b';' | b',') && !is_blank(*octet)) {
                continue;
            }
            let rest = header.get(end..).unwrap_or_default();
            let skipped = rest.iter().take_while(|octet| is_blank(**octet)).count();
            let Some(value) = rest.get(skipped..).and_then(|rest| rest.strip_prefix(b"=")) else { continue };
            let ends = |octet| (octet == b';') | (octet == b',');
            let value = if every(value, |octet| !ends(octet)) {
                value
            } else {
                until(value, memchr::memchr2(b';', b',', value))
            };
            searched = end + skipped + 1 + value.len();
            let value = unquoted(trim(value));
            if !value.is_empty() {
                self.add(value, Carrier::Cookie);
            }
        }
    }
}

/// The text before `end`, all of it when there is none.
fn until(text: &[u8], end: Option<usize>) -> &[u8] {
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// White space as C's `isspace` sees it.
fn is_blank(octet: u8) -> bool {
    octet.is_ascii_whitespace() || octet == b'\x0b'
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [blank, rest @ ..] = text
        && is_blank(*blank)
    {
        text = rest;
    }
    while let [rest @ .., blank] = text
        && is_blank(*blank)
    {
        text = rest;
    }
    text
}

fn unquoted(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).map_or(text, trim)
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
