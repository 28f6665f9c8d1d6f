//! The pages below `/demo/`, to see the module work without a Tomcat: a greeting, the request as the backend got it, and a
//! session counter. Everything that comes from the request is escaped.

use std::collections::HashMap;
use std::fmt::Write;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Mutex;

use crate::request::Request;

/// Most sessions kept; a demonstration needs no more, and nobody can fill the memory.
const SESSIONS: usize = 10_000;

/// A page and its status.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) html: String,
    pub(crate) cookie: Option<String>,
}

/// Session id to number of visits.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, u64>>);

impl Sessions {
    /// Counts a visit; returns id, count and whether the session is new.
    fn visit(&self, id: Option<&str>) -> (String, u64, bool) {
        let mut sessions = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((id, count)) = id.and_then(|id| Some((id, sessions.get_mut(id)?))) {
            *count += 1;
            return (id.to_owned(), *count, false);
        }
        if sessions.len() >= SESSIONS {
            sessions.clear();
        }
        // A fresh hasher has random keys: good enough for a counter that protects nothing.
        let id = format!("{:016X}", RandomState::new().build_hasher().finish());
        sessions.insert(id.clone(), 1);
        (id, 1, true)
    }
}

/// The page for a request.
pub(crate) fn page(request: &Request<'_>, sessions: &Sessions, route: Option<&str>) -> Page {
    let path = String::from_utf8_lossy(request.uri);
    let mut cookie = None;
    let (status, title, content) = match path.rsplit_once("/demo") {
        Some((_, "" | "/")) => (200, "It works", HELLO.to_owned()),
        Some((_, "/hello")) => {
            (200, "Hello", "<p>Hello from the other side of the AJP connection.</p>".to_owned())
        }
        Some((_, "/request")) => (200, "Your request", facts(request)),
        Some((_, "/session")) => {
            let (id, count, new) = sessions.visit(session_id(request).as_deref());
            if new {
                let suffix = route.map(|route| format!(".{route}")).unwrap_or_default();
                cookie = Some(format!("JSESSIONID={id}{suffix}; Path=/; HttpOnly; SameSite=Lax"));
            }
            (200, "Session", format!("<p>This is visit <strong>{count}</strong> of session {id}.</p>"))
        }
        _ => (404, "Not found", format!("<p>There is no {}.</p>", escaped(request.uri))),
    };
    let member = route
        .map(|route| format!(" It is member <em>{}</em>.", escaped(route.as_bytes())))
        .unwrap_or_default();
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"UTF-8\"><title>{title}</title><style>{STYLE}</style>\
         </head><body><h1>{title}</h1>\n{content}\n<footer>This page comes from <code>ajp_backend</code>, the built-in \
         backend of mod_jk_rs for trials and benchmarks, not from Tomcat.{member}</footer></body></html>\n"
    );
    Page { status, html, cookie }
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:50em;margin:3em auto;padding:0 1em;color:#222}\
    td,th{text-align:left;vertical-align:top;padding:.2em 1em .2em 0;overflow-wrap:anywhere}\
    footer{margin-top:3em;color:#666;font-size:.9em}";

const HELLO: &str = "<p>httpd mapped this URL to a worker, and the worker answered over AJP/1.3.</p>\n<ul>\
    <li><a href=\"/demo/hello\">A greeting</a></li>\
    <li><a href=\"/demo/request\">Your request as the backend got it</a></li>\
    <li><a href=\"/demo/session\">A session counter</a> (load it again)</li></ul>";

/// The id in the session cookie, without the route.
fn session_id(request: &Request<'_>) -> Option<String> {
    let cookies = std::str::from_utf8(request.cookie?).ok()?;
    let value = cookies.split(';').find_map(|pair| pair.trim().strip_prefix("JSESSIONID="))?;
    value.split('.').next().map(str::to_owned)
}

fn facts(request: &Request<'_>) -> String {
    let mut rows = String::from("<table>");
    let mut row = |name: &[u8], value: &[u8]| {
        // Writing to a String cannot fail.
        let _ = write!(rows, "<tr><th>{}</th><td>{}</td></tr>", escaped(name), escaped(value));
    };
    row(b"path", request.uri);
    row(b"query", request.query.unwrap_or(b"(none)"));
    row(b"client", request.remote_addr);
    row(b"user", request.remote_user.unwrap_or(b"(none)"));
    row(b"secure", if request.secure { b"yes" } else { b"no" });
    // The packet was parsed before, so the walk cannot fail half-way.
    let _ = request.each_header(|name, value| row(name, value));
    for (name, value) in &request.attributes {
        row(name, value);
    }
    rows.push_str("</table>");
    rows
}

fn escaped(text: &[u8]) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in String::from_utf8_lossy(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
