//! The differences that are meant, each with its row in docs/differences.md.
//!
//! An entry says for which differences of a case it answers. It must hold as little as possible: what both modules did is
//! looked at, not only what was asked. An entry that answers for nothing in a run is a failure, so this list cannot rot.

use crate::case::Body;
use crate::facts::{is_name_note, is_slash, latin_octets, proxy, segments};
use crate::observe::Observation;
use crate::recorder::Step;
use crate::run::{Difference, Pair};

/// An entry.
pub struct Allowed {
    /// For reports.
    pub id: &'static str,
    /// Row of docs/differences.md.
    pub row: &'static str,
    /// It answers for this difference.
    pub covers: fn(&Pair<'_>, &Difference) -> bool,
}

const fn entry(id: &'static str, row: &'static str, covers: fn(&Pair<'_>, &Difference) -> bool) -> Allowed {
    Allowed { id, row, covers }
}

/// All entries; the first that covers a difference answers for it.
pub const ALLOWED: &[Allowed] = &[
    // Requests that httpd makes for a part of a page.
    entry("sub-request-protocol", "DIFF-subrequest-protocol", |_, difference| {
        difference.field.ends_with(".protocol")
            && difference.theirs() == "INCLUDED"
            && difference.ours().starts_with("HTTP/")
    }),
    entry("sub-request-protocol-judged", "DIFF-subrequest-protocol", |_, difference| {
        difference.field.ends_with(".strict")
            && difference.theirs().contains("INCLUDED")
            && difference.ours() == "good"
    }),
    // Paths.
    entry("dot-parameters", "DIFF-dot-parameters", |pair, _| {
        pair.refused()
            && segments(&pair.path()).any(|segment| segment.starts_with(b".;") || segment.starts_with(b"..;"))
    }),
    entry("control-characters", "DIFF-control", |pair, _| {
        pair.refused() && pair.path().iter().any(|octet| *octet < 0x20 || *octet == 0x7f)
    }),
    entry("backslash", "DIFF-backslash", |pair, _| pair.refused() && pair.path().contains(&b'\\')),
    entry("overlong", "DIFF-overlong", |pair, _| {
        let overlong = |pair: &[u8]| matches!(pair, [0xc0 | 0xc1, 0x80..=0xff] | [0xe0, 0x80..=0x9f]);
        pair.refused() && pair.path().windows(2).any(overlong)
    }),
    entry("nodecode-refused", "DIFF-nodecode", |pair, _| {
        pair.refused() && pair.conf().contains("NoDecode") && pair.path().windows(3).any(is_slash)
    }),
    entry("nodecode-once", "DIFF-nodecode", |pair, difference| {
        pair.conf().contains("NoDecode")
            && difference.field.ends_with(".uri")
            && difference.theirs().replace("%252", "%2") == difference.ours()
    }),
    entry("reject-unsafe", "DIFF-reject-unsafe", |pair, _| {
        pair.refused() && pair.conf().contains("+RejectUnsafeURI") && pair.path().contains(&b'%')
    }),
    entry("long-path", "DIFF-long-path", |pair, _| {
        pair.path().len() > 4095
            && pair.theirs("client.status") == "403"
            && pair.ours("client.status") == "200"
    }),
    entry("compat-is-encoded", "DIFF-compat", |pair, difference| {
        pair.form() == "ForwardURICompat"
            && (difference.field.ends_with(".strict")
                || (difference.field.ends_with(".uri")
                    && proxy(&latin_octets(difference.theirs())) == difference.ours()))
    }),
    entry("unparsed-as-mapped", "DIFF-unparsed", |pair, difference| {
        let target = pair.case.target.split(|octet| *octet == b'?').next().unwrap_or_default();
        pair.form() == "ForwardURICompatUnparsed"
            && (difference.field.ends_with(".strict")
                || (difference.field.ends_with(".uri") && latin_octets(difference.theirs()) == target))
    }),
    entry("leading-wildcard", "DIFF-leading-wildcard", |pair, _| {
        pair.mount_files().contains("!*") && pair.ours("backend.exchanges") == "0"
    }),
    // Handlers.
    entry("handler-without-worker", "DIFF-no-worker", |pair, _| {
        let given = pair.conf().contains("jakarta-servlet") && !pair.conf().contains("JK_WORKER_NAME");
        given && pair.ours("client.status") == "500" && pair.forwarded() == ("0", "0")
    }),
    entry("handler-normal", "DIFF-handler-path", |pair, difference| {
        pair.conf().contains("SetHandler jakarta-servlet")
            && difference.field == "log.path"
            && pair.path().contains(&b';')
    }),
    entry("blanks-around-semicolon", "DIFF-blanks", |pair, _| {
        pair.conf().contains("w1 ;")
            && pair.theirs("client.status") == "500"
            && pair.ours("client.status") == "200"
    }),
    entry("probe-note", "DIFF-probe-note", |pair, difference| {
        pair.conf().contains("JkAutoAlias")
            && is_name_note(&difference.field)
            && pair.forwarded() == ("0", "0")
    }),
    entry("index-extensions", "DIFF-index-extensions", |pair, difference| {
        let shown = ["client.", "log.", "backend"].iter().any(|kind| difference.field.starts_with(kind));
        let rule = pair.conf().contains("use_server_errors") || pair.fails_on_status();
        let page = |body: &str| body.starts_with("httpd's page");
        shown
            && rule
            && pair.path().ends_with(b"/")
            && pair.forwarded().1 != "0"
            && page(pair.ours("client.body"))
            && !page(pair.theirs("client.body"))
    }),
    entry("session-name", "DIFF-session", |pair, _| {
        pair.conf().contains("JkStripSession") && pair.target().contains(";jsessionidfoo")
    }),
    entry("session-without-mapping", "DIFF-session", |pair, difference| {
        let stripping = pair.conf().contains("JkStripSession On") && pair.path().contains(&b';');
        let stripped =
            pair.forwarded() == ("0", "0") && pair.theirs("log.path").len() > pair.ours("log.path").len();
        stripping
            && stripped
            && (difference.field.starts_with("client.") || difference.field.starts_with("log."))
    }),
    // What the backend is told.
    entry("hop-by-hop", "DIFF-hop-by-hop", |pair, difference| {
        let Some(name) = difference.request_header() else { return false };
        let list = [
            "connection",
            "keep-alive",
            "proxy-connection",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "http2-settings",
        ];
        let named = pair.case.headers.iter().any(|(header, value)| {
            header.eq_ignore_ascii_case("connection")
                && value.split(',').any(|one| one.trim().eq_ignore_ascii_case(name))
        });
        difference.ours.is_none()
            && (list.contains(&name) || named)
            && pair.case.headers.iter().any(|(h, _)| h.eq_ignore_ascii_case(name))
    }),
    entry("proxy-headers", "DIFF-proxy-headers", |_, difference| {
        difference.ours.is_none()
            && matches!(difference.request_header(), Some("proxy" | "proxy-authorization"))
    }),
    entry("expect", "DIFF-expect", |_, difference| {
        difference.ours.is_none() && difference.request_header() == Some("expect")
    }),
    entry("header-codes", "DIFF-header-codes", |_, difference| {
        difference.field.ends_with(".strict")
            && difference.ours() == "good"
            && difference.theirs().to_ascii_lowercase().starts_with("header accept-")
    }),
    entry("large-head", "DIFF-431", |pair, _| {
        pair.theirs("client.status") == "413"
            && pair.ours("client.status") == "431"
            && pair.forwarded() == ("0", "0")
    }),
    entry("ignored-length", "DIFF-ignored-length", |pair, difference| {
        let ignoring = pair.conf().contains("JK_IGNORE_CL") || pair.conf().contains("NO_LENGTH");
        ignoring
            && (difference.request_header() == Some("transfer-encoding") && difference.ours() == "chunked"
                || difference.field.ends_with(".strict") && difference.ours() == "good")
    }),
    entry("local-port", "DIFF-local-port", |pair, difference| {
        pair.conf().contains("JK_LOCAL_PORT")
            && difference.field.ends_with(".server-port")
            && difference.ours() == "80"
    }),
    entry("remote-port", "DIFF-remote-port", |pair, difference| {
        let port = difference.field.ends_with("AJP_REMOTE_PORT") && difference.ours() == "@CLIENT-PORT@"
            || difference.field.ends_with(".strict") && difference.ours() == "good";
        pair.conf().contains("JK_REMOTE_PORT \"x y\"") && port
            // The original sends a null string, which the decoder does not take.
            || pair.conf().contains("JK_REMOTE_PORT \"\"") && pair.theirs("backend[0].undecodable").contains("null")
    }),
    entry("local-address", "DIFF-local-address", |pair, difference| {
        difference.field.ends_with("AJP_LOCAL_ADDR")
            && pair.conf().contains("JK_LOCAL_ADDR")
            && difference.theirs() == "127.0.0.1"
    }),
    entry("address-options", "DIFF-address-options", |pair, difference| {
        (difference.field.ends_with("AJP_REMOTE_PORT") || difference.field.ends_with("remote-addr"))
            && pair.conf().contains("PhysicalAddress")
    }),
    entry("certificate-chain", "DIFF-chain", |pair, difference| {
        difference.field.ends_with("attribute-0x07") && pair.conf().contains("ForwardSSLCertChain")
    }),
    entry("key-size", "DIFF-key-size", |pair, difference| {
        difference.field.ends_with("ssl-key-size")
            && difference.ours.is_none()
            && pair.conf().contains("USEKEYSIZE")
    }),
    // Bodies.
    entry("body-errors", "DIFF-body-errors", |pair, _| {
        pair.conf().contains("LimitRequestBody") && pair.ours("client.status") == "413"
    }),
    entry("unread-body", "DIFF-unread-body", |pair, difference| {
        !matches!(pair.case.body, Body::None)
            && (["client.stays-open", "client.header.connection"].contains(&difference.field.as_str())
                || difference.field.starts_with("next."))
            && pair.ours("client.stays-open") == "false"
            && pair.theirs("client.status") == pair.ours("client.status")
    }),
    // Balancers.
    entry("lb-retry-after", "DIFF-lb-status", |pair, difference| {
        difference.field == "client.header.retry-after"
            && difference.theirs.is_none()
            && pair.ours("client.status") == "503"
            && pair.is_balanced()
    }),
    entry("lb-rule-cookie", "DIFF-rule-cookie", |pair, difference| {
        difference.field == "client.header.set-cookie" && pair.conf().contains(";set_session_cookie=1")
    }),
    entry("lb-one-cookie", "DIFF-one-cookie", |pair, difference| {
        difference.field == "client.header.set-cookie"
            && difference.theirs().lines().count() == 2
            && difference.theirs().lines().last() == Some(difference.ours())
            && pair.ours("log.first-member.name") != pair.ours("log.last-member.name")
    }),
    entry("lb-note-activation", "DIFF-note-activation", |pair, difference| {
        difference.field.ends_with("-member.activation")
            && [";active=", ";disabled=", ";stopped="].iter().any(|option| pair.everything().contains(option))
    }),
    entry("lb-force", "DIFF-force", |pair, _| {
        pair.conf().contains("sticky_session_force=1")
            && pair.theirs("client.status") == "503"
            && pair.ours("client.status") == "200"
    }),
    entry("lb-sessions", "DIFF-sessions", |pair, _| pair.moved() && pair.has_odd_session()),
    entry("lb-several-sessions", "DIFF-several-sessions", |pair, _| {
        pair.moved() && pair.target().matches(";jsessionid=").count() > 1
    }),
    entry("lb-empty-session", "DIFF-empty-session", |pair, _| {
        let target = pair.target();
        let empty = target.ends_with(";jsessionid=") || target.contains(";jsessionid=/");
        pair.is_balanced() && empty && pair.session_texts().count() > 1
    }),
    entry("lb-route", "DIFF-route", |pair, difference| {
        let told = [".attribute-0x06", ".strict", "log.worker-route"];
        pair.is_balanced()
            && told.iter().any(|field| difference.field.ends_with(field))
            && (difference.field.ends_with(".strict") && difference.ours() == "good"
                || pair.is_route_of_last(difference.ours())
                || pair
                    .case
                    .headers
                    .iter()
                    .any(|(name, value)| name == "X-Route" && value == difference.ours())
                || difference.ours() == "-" && pair.forwarded() == ("0", "0"))
    }),
    entry("lb-route-octets", "DIFF-route", |pair, difference| {
        difference.field.ends_with("-member.transferred") && pair.is_balanced() && pair.has_domains()
    }),
    entry("lb-octets", "DIFF-octets", |pair, difference| {
        difference.field.ends_with("-member.read")
            && pair.is_balanced()
            && (pair.is_broken() || pair.fails_on_status())
    }),
    entry("lb-no-retry-of-post", "DIFF-lb-retry", |pair, _| {
        pair.is_balanced() && pair.case.method == "POST" && pair.forwarded() == ("2", "1")
    }),
    // Error pages.
    entry("error-document-body", "DIFF-error-document-body", |pair, _| {
        pair.conf().contains("ErrorDocument")
            && !matches!(pair.case.body, Body::None)
            && (pair.theirs("client.status").starts_with("none")
                || pair.ours("backend[0].header.content-length") == "0"
                    && pair.theirs("backend[0].header.content-length") != "0")
    }),
    entry("error-document-status", "DIFF-error-document", |pair, difference| {
        let status = |side: &Observation, field: &str| {
            side.get(field).and_then(|text| text.parse::<u16>().ok()).unwrap_or(0)
        };
        let kept = |field: &str| status(&pair.theirs, field) < 400 && status(&pair.ours, field) >= 400;
        let own = ["client.status", "client.reason", "log.status"].contains(&difference.field.as_str())
            && kept("client.status");
        let next = ["next.status", "next.reason"].contains(&difference.field.as_str()) && kept("next.status");
        // An error needs a body and may have headers that these statuses have not.
        let bodiless = matches!(pair.theirs("client.status"), "204" | "304")
            && difference.field.starts_with("client.")
            && kept("client.status");
        pair.conf().contains("ErrorDocument") && (own || next || bodiless)
    }),
    entry("include-note", "DIFF-include", |pair, difference| {
        pair.target().ends_with(".shtml")
            && (is_name_note(&difference.field)
                || difference.field == "client.body" && pair.first_status() >= 400)
    }),
    entry("authenticate", "DIFF-authenticate", |_, difference| {
        difference.field == "client.header.www-authenticate"
            && difference.ours().ends_with(difference.theirs())
    }),
    // What 1.2.50 does as well, unlike the 1.2.48 that Debian has.
    entry("head-errors", "VERSION-head-errors", |pair, difference| {
        pair.case.method == "HEAD"
            && pair.first_status() >= 400
            && (difference.field.starts_with("next.") && pair.theirs("next.status").starts_with("none")
                || difference.field.starts_with("backend")
                || difference.field.starts_with("log.")
                || difference.field.starts_with("client."))
    }),
    // Answers that are none.
    entry("interim-as-final", "DIFF-1xx", |pair, _| {
        (100..200).contains(&pair.first_status()) && pair.bad_gateway()
    }),
    entry("no-status", "DIFF-bad-status", |pair, _| {
        let status = pair.first_status();
        !(100..=999).contains(&status) && pair.has_head() && pair.bad_gateway()
    }),
    entry("two-lengths", "DIFF-length", |pair, _| {
        pair.lengths() > 0 && (pair.bad_gateway() || pair.ours("client.end") == "truncated")
    }),
    entry("free-retry", "DIFF-free-retry", |pair, difference| {
        difference.field.starts_with("backend")
            && matches!(pair.case.method.as_str(), "GET" | "HEAD")
            && matches!(pair.case.answers.first().map(Vec::as_slice), Some([Step::Close]))
            && pair.forwarded().0 < pair.forwarded().1
    }),
    entry("truncated", "DIFF-truncated", |pair, _| {
        pair.is_broken() && pair.ours("client.end") == "truncated"
    }),
    entry("no-retry-of-post", "DIFF-retry", |pair, difference| {
        let fewer = pair.forwarded() == ("2", "1");
        fewer
            && difference.field.starts_with("backend")
            && pair.fails_on_status()
            && pair.case.method != "GET"
    }),
    entry("no-retry", "DIFF-retry", |pair, difference| {
        let fewer = pair.forwarded().0 > pair.forwarded().1;
        pair.is_broken() && fewer && (difference.field.starts_with("backend") || pair.bad_gateway())
    }),
    entry("bad-gateway", "DIFF-502", |pair, _| {
        pair.bad_gateway()
            && matches!(pair.theirs("client.status"), "500" | "200")
            && pair.forwarded().1 == "1"
    }),
    // Heads of answers.
    entry("transfer-encoding", "DIFF-response-coding", |pair, _| pair.answers_with("Transfer-Encoding")),
    entry("response-hop", "DIFF-response-hop", |pair, difference| {
        let hop = ["connection", "keep-alive", "upgrade", "trailer", "proxy-authenticate", "x-named"];
        let sent = ["Connection", "Keep-Alive", "Upgrade", "Trailer", "Proxy-Authenticate"];
        let header = difference.field.strip_prefix("client.header.").is_some_and(|name| hop.contains(&name));
        let open = difference.field == "client.stays-open" && difference.ours() == "true";
        sent.iter().any(|name| pair.answers_with(name))
            && (header || open || difference.field.starts_with("next."))
    }),
    entry("last-modified", "DIFF-last-modified", |_, difference| {
        difference.field == "client.header.last-modified"
            && difference.ours.is_none()
            && difference.theirs() == "Thu, 01 Jan 1970 00:00:00 GMT"
    }),
    entry("reset-content", "DIFF-205", |pair, difference| {
        pair.first_status() == 205 && difference.field.starts_with("client.")
    }),
    entry("reason", "DIFF-reason", |pair, _| {
        pair.theirs("client.status") == "500" && pair.ours("client.status") == "299"
    }),
    entry("file-type", "DIFF-file-type", |pair, difference| {
        let described = [
            "client.header.content-type",
            "client.header.content-encoding",
            "client.header.content-language",
        ];
        described.contains(&difference.field.as_str())
            && difference.ours.is_none()
            && pair.forwarded().0 == pair.forwarded().1
    }),
    entry("framing", "DIFF-framing", |pair, difference| {
        let framing = ["client.framing", "client.header.content-length", "client.header.transfer-encoding"];
        framing.contains(&difference.field.as_str())
            && pair.theirs("client.end") == "complete"
            && pair.ours("client.end") == "complete"
            && pair.theirs("client.body") == pair.ours("client.body")
    }),
];
