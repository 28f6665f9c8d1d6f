//! Status workers that can change settings and that anybody may use, as far as the configuration tells.
//!
//! httpd decides about access when a request comes. At start there are only the directives: a URL counts as protected when
//! one of the sections that cover it has a directive that limits access. It is better to miss a case than to warn of a good
//! configuration, so sections with patterns count when in doubt, and virtual hosts are not told apart.

use crate::engine::config::model::{Kind, WorkerSet};
use crate::engine::route::rules::{Kind as RuleKind, RuleSpec};
use crate::ffi::server::Directive;

/// The rules that lead to a status worker that changes settings without a list of users, at URLs that nothing protects:
/// worker and pattern.
pub fn unprotected(
    directives: &[Directive],
    workers: &WorkerSet,
    rules: &[RuleSpec],
) -> Vec<(String, String)> {
    let limits: Vec<&Directive> = directives.iter().filter(|directive| limits_access(directive)).collect();
    let mut found = Vec::new();
    for rule in rules.iter().filter(|rule| rule.kind == RuleKind::Mount && !rule.disabled) {
        let name = String::from_utf8_lossy(&rule.worker);
        let open = workers.get(&name).is_some_and(|worker| match &worker.kind {
            Kind::Status(status) => !status.read_only && status.user.is_empty(),
            Kind::Ajp13(_) | Kind::Lb(_) => false,
        });
        let path = path_of(&rule.pattern);
        if open && workers.is_listed(&name) && !limits.iter().any(|limit| covers(limit, &path)) {
            let row = (name.into_owned(), String::from_utf8_lossy(&rule.pattern).into_owned());
            if !found.contains(&row) {
                found.push(row);
            }
        }
    }
    found
}

/// A path that the pattern covers, the one that sections are most likely to miss: `/jkstatus*` also leads to `/jkstatusx`,
/// which is no part of `<Location /jkstatus>`.
fn path_of(pattern: &[u8]) -> String {
    let end = pattern.iter().position(|octet| matches!(octet, b'*' | b'?'));
    let mut path =
        String::from_utf8_lossy(pattern.get(..end.unwrap_or(pattern.len())).unwrap_or_default()).into_owned();
    if end.is_some() {
        path.push('x');
    }
    path
}

fn limits_access(directive: &Directive) -> bool {
    let is = |name: &str| directive.name.eq_ignore_ascii_case(name);
    let arguments = directive.arguments.trim().to_ascii_lowercase();
    match () {
        () if is("Require") => !arguments.starts_with("all granted"),
        () if is("Deny") || is("AuthType") => true,
        () => false,
    }
}

/// A section around the directive covers URLs that begin so.
fn covers(directive: &Directive, path: &str) -> bool {
    let urls = directive
        .sections
        .iter()
        .filter(|(name, _)| name.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("<Location")));
    let mut seen = false;
    let all = urls.into_iter().all(|(name, arguments)| {
        seen = true;
        let arguments = arguments.trim().trim_end_matches('>').trim();
        let (is_pattern, arguments) = match arguments.strip_prefix('~') {
            Some(rest) => (true, rest.trim()),
            None => (name.eq_ignore_ascii_case("<LocationMatch"), arguments),
        };
        let written = arguments.trim_matches('"');
        if is_pattern || written.contains(['*', '?', '[']) {
            // When in doubt: the first part of the path is in it.
            let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
            return written.contains(first);
        }
        let written = written.trim_end_matches('/');
        path.trim_end_matches('/') == written
            || path.strip_prefix(written).is_some_and(|rest| rest.starts_with('/'))
    });
    seen && all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directive(sections: &[(&str, &str)], name: &str, arguments: &str) -> Directive {
        let sections = sections.iter().map(|(name, args)| ((*name).into(), (*args).into())).collect();
        Directive { sections, name: name.into(), arguments: arguments.into() }
    }

    #[test]
    fn what_limits_access() {
        for (name, arguments, limits) in [
            ("Require", "local", true),
            ("require", "ip 10.0.0.0/8", true),
            ("Require", "all denied", true),
            ("Require", "all granted", false),
            ("Allow", "from all", false),
            ("Deny", "from all", true),
            ("AuthType", "Basic", true),
            ("Header", "set X y", false),
        ] {
            assert_eq!(limits_access(&directive(&[], name, arguments)), limits, "{name} {arguments}");
        }
    }

    #[test]
    fn a_wildcard_leads_further_than_a_section() {
        let limit = directive(&[("<Location", "/jkstatus>")], "Require", "local");
        for (pattern, covered) in
            [("/jkstatus", true), ("/jkstatus/*", true), ("/jkstatus*", false), ("/*", false)]
        {
            assert_eq!(covers(&limit, &path_of(pattern.as_bytes())), covered, "{pattern}");
        }
    }

    #[test]
    fn what_covers_a_url() {
        for (section, arguments, covered) in [
            ("<Location", "/jkstatus>", true),
            ("<Location", "\"/jkstatus/\">", true),
            ("<Location", "/>", true),
            ("<Location", "/jk>", false),
            ("<Location", "/jkstatus/metrics>", false),
            ("<Location", "/jkst*>", false),
            ("<Location", "/*status*>", false),
            ("<LocationMatch", "\"^/(jkstatus|server-status)\">", true),
            ("<Location", "~ \"^/jkstatus\">", true),
            ("<Directory", "/>", false),
        ] {
            let limit = directive(&[("<VirtualHost", "*:80>"), (section, arguments)], "Require", "local");
            assert_eq!(covers(&limit, "/jkstatus/"), covered, "{section} {arguments}");
        }
        assert!(
            !covers(&directive(&[], "Require", "local"), "/jkstatus/"),
            "outside of sections it means nothing"
        );
    }
}
