//! One request to a status worker from end to end: the way the upper layers use everything else here.
//!
//! [`answer`] either has the whole response, or a plan that the caller applies (all of it or nothing, after resolving
//! [`Plan::addresses`]) before it asks [`Pending::done`] or [`Pending::failed`] for the response. Nothing is written to the
//! log here: [`Response::log`] says what was refused, [`Plan::audit`] what was changed.

use super::api::{self, Call, Outcome, Problem};
use super::change::{Actor, Plan};
use super::command::{self, Action, Mode, Refusal, Subject};
use super::csrf::{self, Bearer, Signals};
use super::html::{self, Frame, texts};
use super::page::{Content, Page};
use super::query::{Command, Format, Query};
use super::view::View;
use super::{json, metrics, prop, txt, xml};
use crate::engine::config::model::Status;

/// A request, as httpd has it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method in capitals.
    pub method: &'a str,
    /// The path, decoded and in normal form.
    pub path: &'a str,
    /// The query string as received.
    pub query: &'a [u8],
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// The body, at most [`LONGEST_BODY`] bytes; empty unless [`wants_body`].
    pub body: &'a [u8],
    /// `Accept-Language`, also in `signals`.
    pub accept_language: Option<&'a str>,
    /// The user as authenticated by httpd, or the variable `JK_REMOTE_USER`.
    pub user: Option<&'a str>,
    /// The address of the client.
    pub client: &'a str,
    /// Where the request comes from; the methods, the kind of body and a form's token are filled in here.
    pub signals: Signals<'a>,
}

/// The status worker that answers.
#[derive(Debug, Clone, Copy)]
pub struct Worker<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its settings.
    pub status: &'a Status,
    /// The secret for tokens.
    pub secret: &'a [u8; csrf::SECRET],
    /// The workers at this moment.
    pub view: &'a View,
}

/// Longest body that is read, in bytes; a longer one is answered with 413.
pub const LONGEST_BODY: usize = super::query::LONGEST_BODY;

/// A response. `Cache-Control`, `Pragma` and the headers of security are in `headers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// The other headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body; leave it out for HEAD.
    pub body: String,
    /// A refusal, for a warning in the log.
    pub log: Option<String>,
}

/// What a request leads to.
#[derive(Debug)]
pub enum Answer<'a> {
    /// Send this.
    Ready(Response),
    /// Apply [`Pending::plan`] first.
    Apply(Box<Pending<'a>>),
}

/// A request whose changes are to be applied.
#[derive(Debug)]
pub struct Pending<'a> {
    /// The changes.
    pub plan: Plan,
    /// Who wants them, for [`Plan::audit`].
    pub actor: Actor<'a>,
    worker: Worker<'a>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Page { query: Query, mode: Mode, texts: &'static texts::Texts, posted: bool },
    Api,
}

/// The body of such a request must be read: a form, or a call of the API.
pub fn wants_body(method: &str, path: &str, content_type: Option<&str>) -> bool {
    match method {
        "POST" | "PATCH" => api::path_of(path).is_some() || is_form(content_type),
        _ => false,
    }
}

fn is_form(content_type: Option<&str>) -> bool {
    let kind = content_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// What a request leads to.
pub fn answer<'a>(worker: Worker<'a>, request: &Request<'a>) -> Answer<'a> {
    let actor = Actor { worker: worker.name, user: request.user, client: request.client };
    match api::path_of(request.path) {
        Some(path) => call(worker, request, actor, path),
        None => page(worker, request, actor),
    }
}

fn bearer<'a>(worker: &Worker<'a>, user: Option<&'a str>) -> Bearer<'a> {
    Bearer { secret: worker.secret, worker: worker.name, user, now: worker.view.clock.unix }
}

fn signals<'a>(request: &Request<'a>, token: Option<&'a str>) -> Signals<'a> {
    Signals {
        writing_method: matches!(request.method, "POST" | "PATCH" | "PUT" | "DELETE"),
        json: api::is_json(request.content_type),
        token: token.or(request.signals.token),
        accept_language: request.accept_language.or(request.signals.accept_language),
        ..request.signals
    }
}

/// A page or one of the formats for scripts.
fn page<'a>(worker: Worker<'a>, request: &Request<'a>, actor: Actor<'a>) -> Answer<'a> {
    let texts = texts::choose(request.accept_language);
    let posted = request.method == "POST";
    let body = if posted && is_form(request.content_type) { request.body } else { b"" };
    let parsed = Query::parse(request.query, body);
    let bad_query = parsed.is_err();
    let query = parsed.unwrap_or_default();
    let mut mode = command::mode(worker.status, &query);
    // HEAD promises to change nothing.
    mode.read_only |= request.method == "HEAD";
    let render = |content: Content<'_>| {
        let token = if mode.read_only { String::new() } else { bearer(&worker, request.user).token() };
        document(&worker, &query, mode, texts, &token, content)
    };
    let refuse = |refusal: Refusal| Answer::Ready(render(Content::Refused(&refusal)));
    let scraped = request.path.ends_with("/metrics");
    if scraped && !matches!(request.method, "GET" | "HEAD") {
        let mut response = plain(405, TEXT, "metrics are read with GET\n".to_owned(), worker.status);
        response.headers.push(("Allow", "GET, HEAD".to_owned()));
        return Answer::Ready(response);
    }
    if !matches!(request.method, "GET" | "HEAD" | "POST") {
        let mut response = render(Content::Refused(&Refusal::BadCommand));
        response.status = 405;
        response.headers.push(("Allow", "GET, HEAD, POST".to_owned()));
        return Answer::Ready(response);
    }
    if !command::allowed(worker.status, request.user) {
        return refuse(Refusal::AccessDenied);
    }
    if bad_query {
        return refuse(Refusal::BadQuery);
    }
    match query.get("res") {
        Some("css") => return Answer::Ready(resource("text/css; charset=utf-8", html::CSS)),
        Some("js") => return Answer::Ready(resource("text/javascript; charset=utf-8", html::JS)),
        _ => {}
    }
    if scraped {
        let body = metrics::render(worker.view, worker.status);
        return Answer::Ready(plain(200, metrics::CONTENT_TYPE, body, worker.status));
    }
    if query.command().is_some_and(Command::changes) && !mode.read_only {
        let signals = signals(request, query.get("token"));
        if let Err(refusal) = csrf::check(&signals, &bearer(&worker, request.user)) {
            return refuse(refusal);
        }
    }
    match command::decide(worker.view, mode, &query) {
        Err(refusal) => refuse(refusal),
        Ok(Action::Show(command, subject)) => Answer::Ready(render(Content::Shown(command, subject))),
        Ok(Action::Apply(plan)) => {
            let kind = Kind::Page { query, mode, texts, posted };
            Answer::Apply(Box::new(Pending { plan, actor, worker, kind }))
        }
    }
}

fn call<'a>(worker: Worker<'a>, request: &Request<'a>, actor: Actor<'a>, path: &str) -> Answer<'a> {
    let status = worker.status;
    if !command::allowed(status, request.user) {
        return Answer::Ready(problem(&Refusal::AccessDenied.into(), status));
    }
    if !matches!(request.method, "GET" | "HEAD") {
        let signals = signals(request, None);
        if let Err(refusal) = csrf::check(&signals, &bearer(&worker, request.user)) {
            return Answer::Ready(problem(&refusal.into(), status));
        }
    }
    let Ok(query) = Query::parse(request.query, b"") else {
        return Answer::Ready(problem(&Refusal::BadQuery.into(), status));
    };
    let deadline = query.get("deadline");
    let (method, content_type, body) = (request.method, request.content_type, request.body);
    let call = Call { method, path, deadline, content_type, body };
    match api::decide(worker.view, status, call) {
        Err(found) => Answer::Ready(problem(&found, status)),
        Ok(Outcome::Json(value)) => Answer::Ready(plain(200, JSON, json::text(&value), status)),
        Ok(Outcome::OpenApi) => {
            Answer::Ready(plain(200, "application/yaml; charset=utf-8", api::OPENAPI.to_owned(), status))
        }
        Ok(Outcome::Apply(plan)) => Answer::Apply(Box::new(Pending { plan, actor, worker, kind: Kind::Api })),
    }
}

impl Pending<'_> {
    /// The response after all changes were applied. `kept`: they outlive the server.
    pub fn done(self, kept: bool) -> Response {
        let status = self.worker.status;
        match self.kind {
            Kind::Api => {
                plain(200, JSON, json::text(&json::applied(&self.plan, self.worker.view, kept)), status)
            }
            Kind::Page { query, mode, texts, posted } => {
                let mut response = document(&self.worker, &query, mode, texts, "", Content::Done);
                // After a form the browser goes back by itself, so loading again does not repeat the change.
                if posted && mode.format == Format::Html && query.get("token").is_some() {
                    response.status = 303;
                    response.headers.push(("Location", html::back(&query)));
                }
                response
            }
        }
    }

    /// The response when nothing was applied: an address does not resolve, or the workers have changed meanwhile.
    pub fn failed(self, why: &str) -> Response {
        let refusal = Refusal::Failed(why.to_owned());
        match self.kind {
            Kind::Api => problem(&refusal.into(), self.worker.status),
            Kind::Page { query, mode, texts, .. } => {
                document(&self.worker, &query, mode, texts, "", Content::Refused(&refusal))
            }
        }
    }
}

const JSON: &str = "application/json; charset=utf-8";

/// A page in its format.
fn document(
    worker: &Worker<'_>,
    query: &Query,
    mode: Mode,
    texts: &'static texts::Texts,
    token: &str,
    content: Content<'_>,
) -> Response {
    let page = Page { view: worker.view, status: worker.status, hide: query.hide(), content };
    let (content_type, body) = match mode.format {
        Format::Html => {
            let frame = Frame { page, query, texts, token, read_only: mode.read_only };
            let live = query.get("res") == Some("live") && matches!(content, Content::Shown(..));
            ("text/html; charset=utf-8", if live { html::live(&frame) } else { html::render(&frame) })
        }
        Format::Xml => ("text/xml; charset=utf-8", xml::render(&page)),
        Format::Txt => (TEXT, txt::render(&page)),
        Format::Prop => (TEXT, prop::render(&page)),
        Format::Json => (JSON, json::render(&page)),
        Format::Prometheus => match content {
            Content::Shown(Command::List, Subject::All) => {
                (metrics::CONTENT_TYPE, metrics::render(worker.view, worker.status))
            }
            _ => (TEXT, txt::render(&page)),
        },
    };
    let (status, log) = match content {
        Content::Refused(refusal) => (refusal.http_status(), Some(refusal.to_string())),
        Content::Shown(..) | Content::Done => (200, None),
    };
    Response { log, ..plain(status, content_type, body, worker.status) }
}

const TEXT: &str = "text/plain; charset=utf-8";

fn problem(problem: &Problem, status: &Status) -> Response {
    let mut response =
        plain(problem.status, "application/problem+json; charset=utf-8", problem.document(), status);
    if !problem.allow.is_empty() {
        response.headers.push(("Allow", problem.allow.clone()));
    }
    response.log = Some(problem.detail.clone());
    response
}

/// A part of the page that never changes while the module runs.
fn resource(content_type: &'static str, body: &str) -> Response {
    let headers = vec![
        ("Cache-Control", "private, max-age=3600".to_owned()),
        ("X-Content-Type-Options", "nosniff".to_owned()),
    ];
    Response { status: 200, content_type, headers, body: body.to_owned(), log: None }
}

fn plain(status: u16, content_type: &'static str, body: String, settings: &Status) -> Response {
    let headers = vec![
        ("Cache-Control", "no-cache".to_owned()),
        ("Pragma", "no-cache".to_owned()),
        ("Content-Security-Policy", policy(&settings.css)),
        ("X-Content-Type-Options", "nosniff".to_owned()),
        ("X-Frame-Options", "DENY".to_owned()),
        ("Referrer-Policy", "same-origin".to_owned()),
        ("Vary", "Accept-Language".to_owned()),
    ];
    Response { status, content_type, headers, body, log: None }
}

/// Nothing inline, nothing from elsewhere but the administrator's style sheet.
fn policy(css: &str) -> String {
    let mut elsewhere = "";
    if css.starts_with("https://") || css.starts_with("http://") {
        let end = css.match_indices('/').nth(2).map_or(css.len(), |(at, _)| at);
        elsewhere = css.get(..end).unwrap_or_default();
    }
    // What could end the directive is not repeated.
    let safe = |octet: u8| octet.is_ascii_alphanumeric() || b".:-/[]".contains(&octet);
    let (blank, elsewhere) =
        if elsewhere.bytes().all(safe) && !elsewhere.is_empty() { (" ", elsewhere) } else { ("", "") };
    format!(
        "default-src 'none'; style-src 'self'{blank}{elsewhere}; script-src 'self'; connect-src 'self'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'"
    )
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
