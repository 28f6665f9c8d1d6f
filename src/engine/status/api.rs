//! The API of version 1: paths below `/api/v1`, requests and problems.
//!
//! Reading never changes anything; a change request becomes the same checked [`Plan`] as one of the page, so it is applied
//! completely or not at all. Errors are problem documents (RFC 9457). [`ENDPOINTS`] lists what there is, and
//! `docs/openapi.yaml` describes it; a test compares the two.

use serde_json::{Value, json};

use super::change::{Change, Plan};
use super::command::{self, Draft, Refusal, Subject};
use super::json;
use super::property::{Property, TABLE};
use super::revert;
use super::view::View;
use crate::engine::config::model::{Activation, Lock, Method, Status};

/// The description of the API, as the endpoint `openapi.yaml` serves it.
pub const OPENAPI: &str = include_str!("../../../docs/openapi.yaml");

/// Longest body of a request, in bytes.
pub const LONGEST_BODY: usize = 64 * 1024;

/// Longest deadline of a drain, in seconds: a week.
pub const LONGEST_DRAIN: u32 = 7 * 86_400;

/// Where the API begins in a path.
const ROOT: &str = "/api/v1";

/// What a path of the API stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Index,
    OpenApi,
    Workers,
    Worker,
    WorkerReset,
    Balancers,
    Balancer,
    BalancerReset,
    Members,
    Member,
    MemberReset,
    MemberRecover,
    MemberDrain,
    Changes,
}

/// A path of the API with its methods.
#[derive(Debug)]
pub struct Endpoint {
    /// The path below the mount; parts in braces are names.
    pub path: &'static str,
    /// The methods in capitals.
    pub methods: &'static [&'static str],
    kind: Kind,
}

const GET: &[&str] = &["GET"];
const GET_PATCH: &[&str] = &["GET", "PATCH"];
const GET_DELETE: &[&str] = &["GET", "DELETE"];
const POST: &[&str] = &["POST"];

const fn endpoint(path: &'static str, methods: &'static [&'static str], kind: Kind) -> Endpoint {
    Endpoint { path, methods, kind }
}

/// All of them.
pub const ENDPOINTS: [Endpoint; 14] = [
    endpoint("/api/v1", GET, Kind::Index),
    endpoint("/api/v1/openapi.yaml", GET, Kind::OpenApi),
    endpoint("/api/v1/workers", GET, Kind::Workers),
    endpoint("/api/v1/workers/{worker}", GET_PATCH, Kind::Worker),
    endpoint("/api/v1/workers/{worker}/reset", POST, Kind::WorkerReset),
    endpoint("/api/v1/balancers", GET, Kind::Balancers),
    endpoint("/api/v1/balancers/{balancer}", GET_PATCH, Kind::Balancer),
    endpoint("/api/v1/balancers/{balancer}/reset", POST, Kind::BalancerReset),
    endpoint("/api/v1/balancers/{balancer}/members", GET, Kind::Members),
    endpoint("/api/v1/balancers/{balancer}/members/{member}", GET_PATCH, Kind::Member),
    endpoint("/api/v1/balancers/{balancer}/members/{member}/reset", POST, Kind::MemberReset),
    endpoint("/api/v1/balancers/{balancer}/members/{member}/recover", POST, Kind::MemberRecover),
    endpoint("/api/v1/balancers/{balancer}/members/{member}/drain", POST, Kind::MemberDrain),
    endpoint("/api/v1/changes", GET_DELETE, Kind::Changes),
];

/// A request to the API.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The method; HEAD counts as GET.
    pub method: &'a str,
    /// The path from `/api/v1` on, decoded, as [`path_of`] finds it.
    pub path: &'a str,
    /// The parameter `deadline` of the query.
    pub deadline: Option<&'a str>,
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// What a call leads to.
#[derive(Debug)]
pub enum Outcome {
    /// Show this.
    Json(Value),
    /// The description of the API.
    OpenApi,
    /// Apply this, then answer with [`json::applied`].
    Apply(Plan),
}

/// A refused call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// A short word for programs.
    pub kind: &'static str,
    /// What is wrong.
    pub detail: String,
    /// The header `Allow` of status 405; empty: none.
    pub allow: String,
}

impl Problem {
    fn new(status: u16, kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: detail.into(), allow: String::new() }
    }

    /// As a document of type `application/problem+json`.
    pub fn document(&self) -> String {
        json::text(&json!({
            "type": format!("urn:mod-jk:problem:{}", self.kind),
            "title": self.kind.replace('-', " "),
            "status": self.status,
            "detail": self.detail,
        }))
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal {
            Refusal::AccessDenied => "access-denied",
            Refusal::CrossSite(_) => "cross-site-request",
            Refusal::ReadOnly => "read-only",
            Refusal::UnknownWorker | Refusal::UnknownMember | Refusal::NoMembers => "not-found",
            Refusal::NotRecoverable => "conflict",
            Refusal::Failed(_) => "not-applied",
            _ => "bad-request",
        };
        let status = if matches!(refusal, Refusal::NoMembers) { 404 } else { refusal.http_status() };
        Self::new(status, kind, refusal.to_string())
    }
}

/// The part of a request's path that belongs to the API; `None` for all other requests.
pub fn path_of(path: &str) -> Option<&str> {
    let mut from = 0;
    while let Some(at) = path.get(from..)?.find(ROOT) {
        let found = path.get(from + at..)?;
        let rest = found.get(ROOT.len()..)?;
        if rest.is_empty() || rest.starts_with('/') {
            return Some(found);
        }
        from += at + ROOT.len();
    }
    None
}

/// The names in a path that has the form of the template.
fn names<'a>(template: &str, path: &'a str) -> Option<Vec<&'a str>> {
    let mut found = Vec::new();
    let mut parts = path.strip_suffix('/').unwrap_or(path).split('/');
    for wanted in template.split('/') {
        let part = parts.next()?;
        if wanted.starts_with('{') {
            found.push(part);
        } else if wanted != part {
            return None;
        }
    }
    parts.next().is_none().then_some(found)
}

/// What a call leads to. Access and origin have been checked before.
///
/// # Errors
/// Why it is refused; nothing has been changed then.
pub fn decide(view: &View, status: &Status, call: Call<'_>) -> Result<Outcome, Problem> {
    let found = ENDPOINTS.iter().find_map(|endpoint| Some((endpoint, names(endpoint.path, call.path)?)));
    let (endpoint, names) =
        found.ok_or_else(|| Problem::new(404, "not-found", "there is no such path in the API"))?;
    let method = if call.method == "HEAD" { "GET" } else { call.method };
    if !endpoint.methods.contains(&method) {
        let mut problem = Problem::new(405, "method-not-allowed", "this path has other methods");
        problem.allow = endpoint.methods.join(", ");
        return Err(problem);
    }
    if method == "GET" {
        return read(view, status, endpoint.kind, &names);
    }
    if status.read_only {
        return Err(Refusal::ReadOnly.into());
    }
    if endpoint.kind == Kind::Changes {
        return Ok(Outcome::Apply(revert::plan(view, Subject::All)?));
    }
    let subject = subject(view, endpoint.kind, &names)?;
    let plan = match endpoint.kind {
        Kind::WorkerReset | Kind::BalancerReset | Kind::MemberReset => command::reset(subject),
        Kind::MemberRecover => command::recover(subject)?,
        Kind::MemberDrain => drain(view, subject, call.deadline, &object(call, true)?)?,
        _ => patch(view, subject, &object(call, false)?)?,
    };
    Ok(Outcome::Apply(plan))
}

/// What the names of a path stand for.
fn subject<'v>(view: &'v View, kind: Kind, names: &[&str]) -> Result<Subject<'v>, Problem> {
    let (first, member) = (names.first().copied().unwrap_or_default(), names.get(1).copied());
    let subject = command::find(view, first, member)?;
    let wants_worker = matches!(kind, Kind::Worker | Kind::WorkerReset);
    match subject {
        Subject::Worker(_) if wants_worker => Ok(subject),
        Subject::Balancer(_) | Subject::Member(..) if !wants_worker => Ok(subject),
        _ => Err(Refusal::UnknownWorker.into()),
    }
}

fn read(view: &View, status: &Status, kind: Kind, names: &[&str]) -> Result<Outcome, Problem> {
    let value = match kind {
        Kind::OpenApi => return Ok(Outcome::OpenApi),
        Kind::Index => {
            let paths: Vec<_> = ENDPOINTS.iter().map(|endpoint| endpoint.path).collect();
            json!({"server": json::server(view), "read_only": status.read_only, "paths": paths})
        }
        Kind::Changes => json::changes(view),
        Kind::Workers => {
            let all: Value = view.workers.iter().map(json::worker).collect();
            json!({"workers": all})
        }
        Kind::Balancers => {
            let all: Value =
                view.balancers.iter().map(|balancer| json::balancer(balancer, view, status)).collect();
            json!({"balancers": all})
        }
        _ => match subject(view, kind, names)? {
            Subject::Balancer(balancer) if kind == Kind::Members => {
                json!({"members": json::members(balancer, view, status)})
            }
            Subject::Balancer(balancer) => json::balancer(balancer, view, status),
            Subject::Member(balancer, member) => json::member(member, balancer, view, status),
            Subject::Worker(worker) => json::worker(worker),
            Subject::All | Subject::Nothing => return Err(Refusal::UnknownWorker.into()),
        },
    };
    Ok(Outcome::Json(value))
}

/// The body is declared as JSON.
pub fn is_json(content_type: Option<&str>) -> bool {
    let kind = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json") || kind.eq_ignore_ascii_case("application/merge-patch+json")
}

type Object = serde_json::Map<String, Value>;

/// The object in the body; with `optional` no body is an empty object.
fn object(call: Call<'_>, optional: bool) -> Result<Object, Problem> {
    if optional && call.body.is_empty() {
        return Ok(Object::new());
    }
    if !is_json(call.content_type) {
        return Err(Problem::new(415, "unsupported-media-type", "the body must be application/json"));
    }
    match serde_json::from_slice(call.body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Problem::new(400, "bad-request", "the body must be a JSON object")),
        Err(error) => Err(Problem::new(400, "bad-request", format!("the body is no JSON: {error}"))),
    }
}

/// Settings of the subject, all or none.
fn patch(view: &View, subject: Subject<'_>, wanted: &Object) -> Result<Plan, Problem> {
    let mut draft = Draft::default();
    for (name, value) in wanted {
        let known = if name == "weight" { "lbfactor" } else { name };
        let row = TABLE.iter().find(|row| row.name == known && command::fits(subject, row.scope));
        let Some(row) = row else {
            return Err(Problem::new(400, "unknown-property", format!("{name} cannot be set here")));
        };
        let text = text_of(row.property, value).ok_or_else(|| {
            let detail = format!("{name} must be {}, not {value}", row.accepts);
            Problem::new(400, "bad-value", detail)
        })?;
        draft.set(subject, row.property, &text, name).map_err(bad_value)?;
    }
    draft.finish(view).map_err(bad_value)
}

fn bad_value(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Twin(_) => Problem::new(409, "conflict", refusal.to_string()),
        _ => Problem { kind: "bad-value", ..refusal.into() },
    }
}

/// A value of the type that the description of the API has for the property, as text: what the page takes beside that
/// (positions in lists, beginnings of words, numbers in quotes) is refused here.
fn text_of(property: Property, value: &Value) -> Option<String> {
    let listed = |text: &str, mut words: std::slice::Iter<'_, &str>| {
        words.any(|word| *word == text || word.to_ascii_lowercase() == text).then(|| text.to_owned())
    };
    let printable = |text: &str| text.bytes().all(|octet| (b' '..=b'~').contains(&octet));
    match (property, value) {
        (Property::StickySession | Property::StickySessionForce, Value::Bool(on)) => Some(on.to_string()),
        (Property::Method, Value::String(text)) => listed(text, Method::WORDS.map(|(word, _)| word).iter()),
        (Property::Lock, Value::String(text)) => listed(text, Lock::WORDS.map(|(word, _)| word).iter()),
        (Property::Activation, Value::String(text)) => {
            listed(text, Activation::WORDS.map(|(word, _)| word).iter())
        }
        (Property::Route | Property::Redirect | Property::Domain | Property::Host, Value::String(text)) => {
            printable(text).then(|| text.clone())
        }
        (
            Property::StickySession
            | Property::StickySessionForce
            | Property::Method
            | Property::Lock
            | Property::Activation
            | Property::Route
            | Property::Redirect
            | Property::Domain
            | Property::Host,
            _,
        ) => None,
        (_, Value::Number(_)) => whole(value).map(|number| number.to_string()),
        _ => None,
    }
}

/// A whole number, which JSON may also write as 5.0.
fn whole(value: &Value) -> Option<i64> {
    if let Some(number) = value.as_i64() {
        return Some(number);
    }
    let number = value.as_f64()?;
    // Within this range each whole number has one representation and the text is exact.
    (number.fract() == 0.0 && number.abs() < 9e15).then(|| format!("{number:.0}").parse().ok())?
}

/// No new sessions, and nothing after the deadline.
fn drain(
    view: &View,
    subject: Subject<'_>,
    deadline: Option<&str>,
    wanted: &Object,
) -> Result<Plan, Problem> {
    if let Some(name) = wanted.keys().find(|name| *name != "deadline_seconds") {
        return Err(Problem::new(400, "unknown-property", format!("{name} is not known here")));
    }
    let seconds = |asked: Option<i64>| {
        let seconds = asked.and_then(|seconds| u32::try_from(seconds).ok());
        seconds.filter(|seconds| (1..=LONGEST_DRAIN).contains(seconds)).ok_or_else(|| {
            let detail = format!("the deadline must be a number from 1 to {LONGEST_DRAIN}");
            Problem::new(400, "bad-value", detail)
        })
    };
    // What is in the body counts more than what is in the query, which must be right all the same.
    let in_query = deadline.map(|text| seconds(text.parse().ok())).transpose()?;
    let deadline = match wanted.get("deadline_seconds") {
        None => in_query,
        Some(Value::Null) => None,
        Some(value) => Some(seconds(whole(value))?),
    };
    let (Subject::Member(_, member), Some(target)) = (subject, command::target(subject)) else {
        return Err(Refusal::UnknownMember.into());
    };
    if member.activation == Activation::Stopped {
        return Err(Problem::new(409, "conflict", "the member is stopped already"));
    }
    let mut draft = Draft::default();
    draft.push(Change::Drain { target, deadline });
    Ok(draft.finish(view)?)
}

#[cfg(test)]
#[path = "api_tests.rs"]
mod tests;
