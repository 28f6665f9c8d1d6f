//! Requests to a worker of type `status`: from httpd's request to the engine's and back.
//!
//! The engine decides what is shown, refused or changed; this brings it the picture of all workers and applies its plans.

mod apply;
mod keep;
mod keep_file;
mod maps;
mod open;
mod picture;

use std::sync::Arc;

use apply::Fate;
pub use apply::end_drains;
pub use keep::{Keeping, Note, bring_back, file as keep_file, restore};
pub use keep_file::KeepFile;
pub use maps::label;
pub use open::unprotected;

use super::config::Live;
use super::joblog::Level;
use super::mapping::Maps;
use super::runtime::StatusWorker;
use super::{map_hook, messages};
use crate::engine::config::indicators::Indicator;
use crate::engine::status::answer::{self, Answer, LONGEST_BODY};
use crate::engine::status::brief;
use crate::engine::status::csrf::{SECRET, Signals};
use crate::engine::text::Escaped;
use crate::ffi::Verdict;
use crate::ffi::request::{BodyReader, Read, Request};
use crate::ffi::response::{Response, Then};

/// What status workers know beside the workers.
#[derive(Debug)]
pub struct Facts {
    /// For the tokens of forms; the same in all processes.
    pub secret: [u8; SECRET],
    /// When the server was started, seconds since 1970.
    pub started: u64,
    /// The properties as read, with masked secrets.
    pub properties: Vec<(String, String)>,
    /// All servers, the main one first, with their rules.
    pub sites: Vec<(String, Option<Arc<Maps>>)>,
    /// Where changes are kept beyond the end of the server.
    pub keep: Option<KeepFile>,
    /// Status workers that anybody may use to change settings, as far as the directives tell.
    pub open: Vec<String>,
}

/// Answers a request to a status worker.
pub(super) fn serve(request: Request<'_>, live: &Live, worker: &StatusWorker) -> Verdict {
    request.note(c"JK_WORKER_TYPE", c"status");
    let Some(facts) = live.generation.facts.get() else { return Verdict::Status(500) };
    let text = |octets: &'_ [u8]| String::from_utf8_lossy(octets).into_owned();
    let (method, path) = (text(request.method()), text(request.uri().unwrap_or_default()));
    let header = |name| {
        let value = request.headers().and_then(|headers| headers.get(name));
        value.map(|value| std::str::from_utf8(value).unwrap_or_default())
    };
    let content_type = header(c"Content-Type");
    let mut body = Vec::new();
    if answer::wants_body(&method, &path, content_type)
        && let Err(verdict) = read_body(request, &mut body)
    {
        return verdict;
    }
    let user = user(request, live);
    let client = text(request.client_address().unwrap_or_default());
    let asked = answer::Request {
        method: &method,
        path: &path,
        query: request.query().unwrap_or_default(),
        content_type,
        body: &body,
        accept_language: header(c"Accept-Language"),
        user: user.as_deref(),
        client: &client,
        signals: Signals {
            host: header(c"Host"),
            origin: header(c"Origin"),
            referer: header(c"Referer"),
            fetch_site: header(c"Sec-Fetch-Site"),
            user_agent: header(c"User-Agent"),
            token: header(c"X-JK-Token"),
            ..Signals::default()
        },
    };
    live.generation.sync();
    let mut view = picture::view(request, live, facts);
    view.open = facts.open.contains(&worker.name);
    let desk =
        answer::Worker { name: &worker.name, status: &worker.settings, secret: &facts.secret, view: &view };
    let response = match answer::answer(desk, &asked) {
        Answer::Ready(response) => response,
        Answer::Apply(pending) => match apply::apply(&live.generation, &pending.plan) {
            Ok(fate) => {
                for line in pending.plan.audit(pending.actor) {
                    log(request, live, Level::Info, messages::SETTING_CHANGED, &line);
                }
                if let Fate::Unsaved(why) = &fate {
                    log(request, live, Level::Error, messages::KEPT_UNWRITTEN, why);
                }
                pending.done(fate == Fate::Saved)
            }
            Err(why) => pending.failed(&why),
        },
    };
    if let Some(refusal) = &response.log {
        let line = format!(
            "status worker {}: {} {} from {client}: {refusal}",
            worker.name,
            Escaped(method.as_bytes()),
            Escaped(request.unparsed_uri())
        );
        log(request, live, Level::Warn, messages::STATUS_REFUSED, &line);
    }
    send(request, &response);
    Verdict::Ok
}

/// The block for the page of mod_status.
pub(super) fn server_status(request: Request<'_>, short: bool) -> String {
    let Some(live) = map_hook::live(request) else { return String::new() };
    let Some(facts) = live.generation.facts.get() else { return String::new() };
    live.generation.sync();
    let view = picture::view(request, live, facts);
    if short { brief::lines(&view) } else { brief::table(&view) }
}

fn log(request: Request<'_>, live: &Live, level: Level, message: messages::Message, text: &str) {
    live.log.request(request, level, message, format_args!("{text}"));
}

/// The user that httpd has authenticated, or what the variable says.
fn user(request: Request<'_>, live: &Live) -> Option<String> {
    let named = request.env(live.name(Indicator::RemoteUser)).filter(|name| !name.is_empty());
    let user = named.or(request.user()).filter(|user| !user.is_empty())?;
    Some(String::from_utf8_lossy(user).into_owned())
}

/// Reads the whole body.
fn read_body(request: Request<'_>, body: &mut Vec<u8>) -> Result<(), Verdict> {
    let mut reader = BodyReader::new(request);
    let mut buffer = [0; 8192];
    loop {
        match reader.read(&mut buffer, true) {
            Read::Data(count) => body.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Read::End => return Ok(()),
            Read::WouldBlock => {}
            Read::Answered => return Err(Verdict::Ok),
            Read::Gone => return Err(Verdict::Status(400)),
            Read::Status(status) => return Err(Verdict::Status(status)),
        }
        if body.len() > LONGEST_BODY {
            request.close_after();
            return Err(Verdict::Status(413));
        }
    }
}

fn send(request: Request<'_>, response: &answer::Response) {
    let mut out = Response::new(request);
    let pool = request.pool();
    out.forget_file_facts();
    out.set_status(response.status);
    out.set_content_type(pool.text(response.content_type.as_bytes()));
    if let Some(headers) = out.headers() {
        for (name, value) in &response.headers {
            headers.add(pool.text(name.as_bytes()), pool.text(value.as_bytes()));
        }
    }
    out.set_content_length(u64::try_from(response.body.len()).unwrap_or(0));
    // A client that is gone misses nothing that would have to be undone.
    let body: &[&[u8]] = if request.head_only() { &[] } else { &[response.body.as_bytes()] };
    out.write(body, Then::End);
}
