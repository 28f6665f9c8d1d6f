//! The cookie with which a balancer itself keeps a client at its member (`set_session_cookie`).
//!
//! For applications without sessions: the value is `.` and the route, which [`super::session`] reads back as a session id.
//! To be written once the member that answers is known, so that a client never gets the cookie of one that failed.
//! Source: `set_session_cookie` in jk_lb_worker.c of mod_jk; RFC 6265 section 4.1.

use super::Why;
use crate::engine::config::model::Lb;
use crate::engine::route::extensions::Extensions;

/// How the cookie of a request looks, whichever member answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteCookie<'a> {
    name: &'a [u8],
    path: &'a [u8],
}

impl<'a> RouteCookie<'a> {
    /// What a balancer is told to set, changed by the rule that matched; `None`: nothing, also when [`unnamed`] holds.
    pub fn of(lb: &'a Lb, rule: Option<&'a Extensions>) -> Option<Self> {
        if !asked(lb, rule) || unnamed(lb, rule) {
            return None;
        }
        let path = rule.and_then(|rule| rule.session_cookie_path.as_deref());
        Some(Self {
            name: super::session::Names::of(lb, rule).cookie,
            path: path.unwrap_or(lb.session_cookie_path.as_bytes()),
        })
    }

    /// The client has to be told: the balancer has other members, and the client did not come for this one.
    pub fn is_due(why: Why, members: usize) -> bool {
        members > 1 && why != Why::Sticky
    }

    /// Writes the value of a `Set-Cookie` header to `out`, which is emptied first. `route`: that of the member that
    /// answers. `secure`: the request came by TLS.
    pub fn write(&self, route: &[u8], secure: bool, out: &mut Vec<u8>) {
        out.clear();
        for part in [self.name, b"=.", route] {
            out.extend_from_slice(part);
        }
        if !self.path.is_empty() {
            out.extend_from_slice(b";PATH=");
            out.extend_from_slice(self.path);
        }
        out.extend_from_slice(b";HttpOnly");
        if secure {
            out.extend_from_slice(b";Secure");
        }
    }
}

/// The rule asks for a cookie but nobody has named it, so that it would replace the session cookie of Tomcat. To be reported
/// at start; of the balancer's own properties this is an error.
pub fn unnamed(lb: &Lb, rule: Option<&Extensions>) -> bool {
    let named = lb.session_cookie_configured || rule.is_some_and(|rule| rule.session_cookie.is_some());
    asked(lb, rule) && !named
}

fn asked(lb: &Lb, rule: Option<&Extensions>) -> bool {
    rule.and_then(|rule| rule.set_session_cookie).unwrap_or(lb.set_session_cookie)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::balance::lb_testing::balancer;

    fn header(lines: &str, rule: &[u8], secure: bool) -> Option<String> {
        let lb = balancer(lines);
        let (rule, complaints) = Extensions::parse(rule);
        assert_eq!(complaints, []);
        let cookie = RouteCookie::of(&lb, Some(&rule))?;
        let mut out = b"left over".to_vec();
        cookie.write(b"n1", secure, &mut out);
        Some(out.escape_ascii().to_string())
    }

    #[test]
    fn the_header() {
        let on = "worker.l.set_session_cookie=1\nworker.l.session_cookie=RT\n";
        let is = |text: &str| Some(text.to_owned());
        assert_eq!(header("", b"", false), None);
        assert_eq!(header(on, b"", false), is("RT=.n1;PATH=/;HttpOnly"));
        assert_eq!(header(on, b"", true), is("RT=.n1;PATH=/;HttpOnly;Secure"));
        let path = format!("{on}worker.l.session_cookie_path=/app\n");
        assert_eq!(header(&path, b"", true), is("RT=.n1;PATH=/app;HttpOnly;Secure"));
        // Rules change everything.
        assert_eq!(header(on, b"session_cookie=EXT", false), is("EXT=.n1;PATH=/;HttpOnly"));
        assert_eq!(header(&path, b"session_cookie_path=/ext", false), is("RT=.n1;PATH=/ext;HttpOnly"));
        assert_eq!(header(on, b"set_session_cookie=0", false), None);
        assert_eq!(header("", b"set_session_cookie=1;session_cookie=E", false), is("E=.n1;PATH=/;HttpOnly"));
        let named = "worker.l.session_cookie=RT\n";
        assert_eq!(header(named, b"set_session_cookie=1", false), is("RT=.n1;PATH=/;HttpOnly"));
    }

    #[test]
    fn without_a_path_none_is_named() {
        let cookie = RouteCookie { name: b"RT", path: b"" };
        let mut out = Vec::new();
        cookie.write(b"n1", false, &mut out);
        assert_eq!(out, b"RT=.n1;HttpOnly");
    }

    #[test]
    fn the_cookie_of_tomcat_is_not_replaced_by_accident() {
        assert_eq!(header("", b"set_session_cookie=1", false), None);
        let named = header("worker.l.session_cookie=JSESSIONID\n", b"set_session_cookie=1", false);
        assert_eq!(named.as_deref(), Some("JSESSIONID=.n1;PATH=/;HttpOnly"));
        let (lb, rule) = (balancer(""), Extensions::parse(b"set_session_cookie=1").0);
        assert!(unnamed(&lb, Some(&rule)));
        assert!(!unnamed(&lb, None));
        let rule = Extensions::parse(b"set_session_cookie=1;session_cookie=X").0;
        assert!(!unnamed(&lb, Some(&rule)));
    }

    #[test]
    fn only_who_moves_is_told() {
        assert!(!RouteCookie::is_due(Why::Sticky, 3));
        for why in [Why::Method, Why::OnlyOne, Why::Redirect, Why::Domain, Why::Turn, Why::StandIn] {
            assert!(RouteCookie::is_due(why, 2), "{why:?}");
            assert!(!RouteCookie::is_due(why, 1), "{why:?}");
        }
        assert!(!RouteCookie::is_due(Why::Single, 1));
    }

    #[test]
    fn what_is_set_is_understood_when_it_comes_back() {
        use crate::engine::balance::session::{Names, Sessions};
        let names = Names { cookie: b"RT", path: b";x" };
        let sessions = Sessions::find(None, b"/", [&b"a=b; RT=.n1; c=d"[..]], &names);
        assert_eq!(sessions.ids(), [b".n1"]);
    }
}
