//! Mapping rules as the status worker shows them.

use std::borrow::Cow;

use super::Facts;
use crate::engine::route::extensions::{FailStatus, MemberState};
use crate::engine::route::rules::{Kind, RuleSpec, Source};
use crate::engine::status::view::Map;
use crate::ffi::server::Server;

/// Longest name of a server that is shown, in octets.
const LONGEST: usize = 80;

/// How the status page calls a server: `name:port`, or `name [address:port]` for a virtual host.
pub fn label(server: Server<'_>) -> String {
    let name = String::from_utf8_lossy(server.name().unwrap_or_default());
    let label = match server.address() {
        Some((host, port)) if server.is_virtual() => {
            format!("{name} [{}:{port}]", String::from_utf8_lossy(host))
        }
        _ if server.port() > 0 => format!("{name}:{}", server.port()),
        _ => name.into_owned(),
    };
    if label.len() > LONGEST { "XXX".to_owned() } else { label }
}

/// The rules of all servers.
pub(super) fn all(facts: &Facts) -> Vec<(&str, Vec<RuleSpec>)> {
    let sites = facts.sites.iter();
    sites.filter_map(|(label, maps)| Some((label.as_str(), maps.as_ref()?.rules()))).collect()
}

/// The rules that lead to a worker, or keep paths from it.
pub(super) fn of(rules: &[(&str, Vec<RuleSpec>)], worker: &str) -> Vec<Map> {
    let concerned = |rule: &&RuleSpec| &*rule.worker == worker.as_bytes() || &*rule.worker == b"*";
    rules
        .iter()
        .flat_map(|(server, rules)| rules.iter().filter(concerned).map(|rule| shown(server, rule)))
        .collect()
}

fn shown(server: &str, rule: &RuleSpec) -> Map {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let before = match rule.kind {
        Kind::Exclusion if rule.disabled => "Disabled Unmount ",
        Kind::Exclusion => "Unmount ",
        Kind::Mount if rule.disabled => "Disabled ",
        Kind::Mount => "",
    };
    let kind =
        if rule.pattern.iter().any(|octet| matches!(octet, b'*' | b'?')) { "Wildchar" } else { "Exact" };
    let extensions = &rule.extensions;
    let members = |wanted: MemberState| {
        let named = extensions.activations.iter().filter(|(_, state)| *state == wanted);
        named.map(|(name, _)| String::from_utf8_lossy(name)).collect::<Vec<Cow<'_, str>>>().join(",")
    };
    let status = |code: &FailStatus| format!("{}{}", if code.soft { "-" } else { "" }, code.status);
    let codes = extensions.fail_on_status.as_deref().unwrap_or_default();
    Map {
        server: server.to_owned(),
        uri: text(&rule.pattern),
        kind: format!("{before}{kind}"),
        source: match rule.source {
            Source::MountFile => "uriworkermap",
            Source::Directive => "JkMount",
            Source::WorkerDef => "worker definition",
        }
        .to_owned(),
        reply_timeout: extensions.reply_timeout,
        sticky_ignore: extensions.sticky_ignore,
        stateless: extensions.stateless,
        fail_on_status: codes.iter().map(status).collect::<Vec<_>>().join(","),
        active: members(MemberState::Active),
        disabled: members(MemberState::Disabled),
        stopped: members(MemberState::Stopped),
        use_server_errors: extensions.use_server_errors.unwrap_or(0),
    }
}
