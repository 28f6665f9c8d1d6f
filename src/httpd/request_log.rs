//! `JkRequestLogFormat`: one line for each request that reached a worker, or should have.

use super::joblog::Level;
use super::map_hook::{Target, live};
use super::module::Jk;
use crate::engine::config::request_log::{Part, Token};
use crate::ffi::request::Request;
use crate::ffi::server::Server;

/// The log_transaction hook. `request` is the one the client made; an internal redirect may have answered it.
pub fn log(request: Request<'_>) {
    let Some(live) = live(request) else { return };
    let Some(parts) = &live.request_log else { return };
    if request.noted(c"JK_REQUEST_DURATION").is_none() && request.noted(c"JK_WORKER_NAME").is_none() {
        return;
    }
    let mut line = Vec::new();
    for part in parts {
        match part {
            Part::Text(text) => line.extend_from_slice(text.as_bytes()),
            Part::Value(token) => push(request, *token, &mut line),
        }
    }
    live.log.line(request.server(), Level::Info, &line);
}

fn push(request: Request<'_>, token: Token, line: &mut Vec<u8>) {
    let last = request.last();
    // What was processed anew has its notes at the request that did it.
    let late = request.slot::<Jk>().is_some_and(|slot| slot.target == Target::Late);
    let noted = |name| if late { last.noted(name) } else { request.noted(name) };
    let server: Server<'_> = request.server();
    let number = |line: &mut Vec<u8>, value: i64| line.extend_from_slice(value.to_string().as_bytes());
    let text = match token {
        Token::Worker => noted(c"JK_WORKER_NAME"),
        Token::Route => noted(c"JK_WORKER_ROUTE"),
        Token::Duration => noted(c"JK_REQUEST_DURATION"),
        Token::RequestLine => Some(request.logged_line()),
        Token::Path => request.uri(),
        Token::Query => {
            if let Some(query) = request.query() {
                line.push(b'?');
                line.extend_from_slice(query);
            }
            return;
        }
        Token::Status => match last.status() {
            0 => None,
            status => return number(line, status.into()),
        },
        Token::Bytes | Token::BytesOrZero => match last.body_sent() {
            Some(sent) => return number(line, sent),
            None if token == Token::BytesOrZero => return line.push(b'0'),
            None => None,
        },
        Token::Protocol => Some(request.protocol()),
        Token::Method => Some(request.method()),
        Token::Port => return number(line, request.configured_port().into()),
        Token::ServerName => server.name(),
        Token::CanonicalName => Some(request.server_name()),
    };
    line.extend_from_slice(text.filter(|text| !text.is_empty()).unwrap_or(b"-"));
}
