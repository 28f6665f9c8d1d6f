//! What the allow-list asks about a case: its configuration, its path as httpd shows it, its answers, its outcome.

use crate::httpd_view::{self, EncodedSlashes};
use crate::recorder::Step;
use crate::run::{Difference, Pair};

impl Difference {
    pub fn theirs(&self) -> &str {
        self.theirs.as_deref().unwrap_or_default()
    }

    pub fn ours(&self) -> &str {
        self.ours.as_deref().unwrap_or_default()
    }

    /// Name of the request header it is about.
    pub fn request_header(&self) -> Option<&str> {
        self.field
            .strip_prefix("backend[")
            .and_then(|rest| rest.split_once("].header."))
            .map(|(_, name)| name)
    }
}

impl Pair<'_> {
    pub fn theirs(&self, field: &str) -> &str {
        self.theirs.get(field).map_or("", String::as_str)
    }

    pub fn ours(&self, field: &str) -> &str {
        self.ours.get(field).map_or("", String::as_str)
    }

    /// The lines of the main server and of the virtual host.
    pub fn conf(&self) -> String {
        format!("{}\n{}", self.world.main, self.world.conf_of(self.case))
    }

    /// The form of forwarding in force: the last one named, in the virtual host if there is any.
    pub fn form(&self) -> &str {
        let forms = ["ForwardURIProxy", "ForwardURICompat", "ForwardURIEscaped", "ForwardURICompatUnparsed"];
        let words = |conf: &'_ str| -> Option<&'static str> {
            let named = conf.split_whitespace().map(|word| word.trim_start_matches('+'));
            named.filter_map(|word| forms.into_iter().find(|form| *form == word)).next_back()
        };
        words(self.world.conf_of(self.case)).or_else(|| words(&self.world.main)).unwrap_or("ForwardURIProxy")
    }

    /// The mount files that concern the case.
    pub fn mount_files(&self) -> String {
        let conf = self.conf();
        let named = |name: &str| conf.split_whitespace().any(|word| word == name);
        self.world.files.iter().filter(|(name, _)| named(name)).map(|(_, content)| content.as_str()).collect()
    }

    /// A status can make an attempt fail.
    pub fn fails_on_status(&self) -> bool {
        let everything = [self.conf(), self.world.workers.clone(), self.mount_files()].concat();
        everything.contains("fail_on_status")
    }

    pub fn target(&self) -> String {
        crate::observe::latin(&self.case.target)
    }

    /// The path as httpd shows it to modules; empty when httpd refuses it.
    pub fn path(&self) -> Vec<u8> {
        let conf = self.conf();
        let slashes = if conf.contains("AllowEncodedSlashes On") {
            EncodedSlashes::On
        } else if conf.contains("NoDecode") {
            EncodedSlashes::NoDecode
        } else {
            EncodedSlashes::Off
        };
        let httpd =
            httpd_view::Httpd { merge_slashes: !conf.contains("MergeSlashes Off"), encoded_slashes: slashes };
        httpd_view::httpd_view(&self.case.target, httpd).unwrap_or_default()
    }

    /// All of the configuration that is not the workers'.
    pub fn everything(&self) -> String {
        self.conf() + &self.mount_files()
    }

    /// Where session ids of the request stand: its target and its cookies.
    pub fn session_texts(&self) -> impl Iterator<Item = String> {
        let cookies = self.case.headers.iter().filter(|(name, _)| name == "Cookie");
        let texts = std::iter::once(self.target()).chain(cookies.map(|(_, value)| value.clone()));
        texts.filter(|text| text.to_ascii_lowercase().contains("sessionid"))
    }

    /// A session id of the request has dots of its own, or blanks behind it.
    pub fn has_odd_session(&self) -> bool {
        self.session_texts().any(|text| {
            let values = text.split(['=', ';', ',', '/', '?']).any(|value| value.matches('.').count() > 1);
            values || text.contains(" ;") || text.contains(" ,")
        })
    }

    /// A balancer has it.
    pub fn is_balanced(&self) -> bool {
        self.conf().contains("type=lb")
    }

    /// Some member has a domain, by itself or by its route.
    pub fn has_domains(&self) -> bool {
        let dotted = |line: &str| line.split_once(".route=").is_some_and(|(_, route)| route.contains('.'));
        self.conf().contains(".domain=") || self.conf().lines().any(dotted)
    }

    /// Another member got the request.
    pub fn moved(&self) -> bool {
        self.is_balanced() && self.theirs("backend[0].worker") != self.ours("backend[0].worker")
    }

    /// The text is the route of the member that got the request last.
    pub fn is_route_of_last(&self, route: &str) -> bool {
        let wanted = format!("# worker.{}.route={route}", self.ours("log.last-member.name"));
        self.conf().lines().any(|line| line == wanted)
    }

    /// The module under test refused the URL.
    pub fn refused(&self) -> bool {
        self.ours("client.status") == "400" && self.ours("backend.exchanges") == "0"
    }

    /// The module under test blames the backend.
    pub fn bad_gateway(&self) -> bool {
        self.ours("client.status") == "502"
    }

    /// How many requests the backends got.
    pub fn forwarded(&self) -> (&str, &str) {
        (self.theirs("backend.exchanges"), self.ours("backend.exchanges"))
    }

    pub fn heads(&self) -> impl Iterator<Item = (u16, &Vec<(String, String)>)> {
        self.case.answers.iter().take(1).flatten().filter_map(|step| match step {
            Step::Head(status, _, headers) => Some((*status, headers)),
            _ => None,
        })
    }

    pub fn has_head(&self) -> bool {
        self.heads().next().is_some()
    }

    /// Status of the first answer, 0 without one.
    pub fn first_status(&self) -> u16 {
        self.heads().next().map_or(0, |(status, _)| status)
    }

    pub fn answers_with(&self, name: &str) -> bool {
        self.heads().any(|(_, headers)| headers.iter().any(|(header, _)| header == name))
    }

    /// Content-Length headers of the first answer.
    pub fn lengths(&self) -> usize {
        self.heads()
            .map(|(_, headers)| headers.iter().filter(|(name, _)| name == "Content-Length").count())
            .sum()
    }

    /// The first answer is not one that AJP allows.
    pub fn is_broken(&self) -> bool {
        let Some(first) = self.case.answers.first() else { return false };
        let heads = first.iter().filter(|step| matches!(step, Step::Head(..))).count();
        heads != 1 || first.iter().any(|step| matches!(step, Step::Raw(_) | Step::Close))
    }
}

pub fn is_name_note(field: &str) -> bool {
    matches!(field, "log.worker-name" | "log.first-worker-name")
}

pub fn is_slash(text: &[u8]) -> bool {
    matches!(text, b"%2F" | b"%2f")
}

pub fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|octet| *octet == b'/')
}

pub fn latin_octets(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

/// A path in the form of `ForwardURIProxy`.
pub fn proxy(path: &[u8]) -> String {
    let mut out = String::new();
    for octet in path {
        if octet.is_ascii_alphanumeric() || b"/~$-_.+!*'(),;:@&=".contains(octet) {
            out.push(char::from(*octet));
        } else {
            out += &format!("%{octet:02X}");
        }
    }
    out
}
