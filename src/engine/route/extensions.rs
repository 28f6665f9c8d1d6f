//! Rule extensions: the `;name=value` parts behind a worker name in `JkMount`, the mount file and the worker variable.
//!
//! Names are case-sensitive, blanks around names and values are dropped, empty parts are skipped. Whatever is wrong is
//! reported and never stops the rule from working. Numbers are read as C's `atoi` reads them. Sources: "Rule Extensions" in
//! the uriworkermap reference of the Tomcat Connectors; `parse_rule_extensions` of mod_jk.

use std::fmt;

use crate::engine::config::model::Activation;

/// What a request changes in the behaviour of its worker when the rule that matched it says so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extensions {
    /// `reply_timeout`: longest wait for each packet of the answer, in milliseconds; 0 = no limit; `None` = the worker's.
    pub reply_timeout: Option<u32>,
    /// `sticky_ignore`: pay no heed to the session's route (balancer).
    pub sticky_ignore: bool,
    /// `stateless`: do not count the request as a new session (balancer).
    pub stateless: bool,
    /// `use_server_errors`: replace answers from this status on (400 to 599) by httpd's error page; `None` = never.
    pub use_server_errors: Option<u16>,
    /// `fail_on_status`: takes the place of the worker's list.
    pub fail_on_status: Option<Vec<FailStatus>>,
    /// `active`, `disabled` and `stopped`: members and their activation for this rule, each member once.
    pub activations: Vec<(Box<[u8]>, MemberState)>,
    /// `session_cookie`: name of the session cookie.
    pub session_cookie: Option<Box<[u8]>>,
    /// `session_path`: name of the path parameter with the session id, without the `;` before it.
    pub session_path: Option<Box<[u8]>>,
    /// `set_session_cookie`: the balancer sets a cookie of its own.
    pub set_session_cookie: Option<bool>,
    /// `session_cookie_path`: path of that cookie.
    pub session_cookie_path: Option<Box<[u8]>>,
    /// `path`: what the backend has in place of the fixed part of the pattern.
    pub path: Option<Box<[u8]>>,
}

/// An entry of `fail_on_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailStatus {
    /// The status.
    pub status: u16,
    /// Fail the request but do not put the worker into error state (written with a minus sign).
    pub soft: bool,
}

/// Activation of a balancer's member, as far as a rule can set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberState {
    /// Takes any request.
    Active,
    /// Takes requests of its sessions only.
    Disabled,
    /// Takes none.
    Stopped,
}

impl MemberState {
    /// The activation of the same name.
    pub fn activation(self) -> Activation {
        match self {
            Self::Active => Activation::Active,
            Self::Disabled => Activation::Disabled,
            Self::Stopped => Activation::Stopped,
        }
    }
}

/// Something odd in the extensions of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Complaint {
    /// No such extension; ignored.
    Unknown(Box<[u8]>),
    /// The text is not a plain number; read as far as it is one, else as 0.
    NotANumber(&'static str, Box<[u8]>),
    /// The number makes no sense for this extension, which is ignored.
    OutOfRange(&'static str, Box<[u8]>),
    /// Given before; the first one stays.
    Repeated(&'static str),
    /// The member is named in several of `active`, `disabled`, `stopped`; the last of these, in this order, counts.
    MemberRepeated(Box<[u8]>),
    /// The extension needs a value and has none; ignored.
    Empty(&'static str),
    /// Not about extensions: the pattern begins with a wildcard and is taken as if a `/` stood before it.
    SlashAdded,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "unknown rule extension '{}' is ignored", name.escape_ascii()),
            Self::NotANumber(name, text) => {
                write!(f, "value '{}' of rule extension {name} is not a plain number", text.escape_ascii())
            }
            Self::OutOfRange(name, text) => {
                write!(
                    f,
                    "value '{}' of rule extension {name} is out of range, it is ignored",
                    text.escape_ascii()
                )
            }
            Self::Repeated(name) => write!(f, "rule extension {name} is given again, the first one stays"),
            Self::MemberRepeated(name) => {
                write!(
                    f,
                    "member '{}' is given several activations, the last one counts",
                    name.escape_ascii()
                )
            }
            Self::Empty(name) => write!(f, "rule extension {name} has no value and is ignored"),
            Self::SlashAdded => {
                f.write_str("pattern begins with a wildcard, it is read as if a '/' stood before it")
            }
        }
    }
}

impl Extensions {
    /// Reads the text behind the first `;` of a worker specification.
    pub fn parse(text: &[u8]) -> (Self, Vec<Complaint>) {
        let mut reader = Reader::default();
        let mut parts = text.split(|&octet| octet == b';');
        while let Some(part) = parts.next() {
            let part = part.trim_ascii();
            if part.is_empty() {
                continue;
            }
            let (name, value) = match memchr::memchr(b'=', part).and_then(|at| part.split_at_checked(at)) {
                Some((name, value)) => (name.trim_ascii(), value.get(1..).unwrap_or_default().trim_ascii()),
                None => (part, &b""[..]),
            };
            if name == b"session_path" && value.is_empty() {
                // `session_path=;sid`: the documented form of the name begins with the separator.
                reader.name("session_path", parts.next().unwrap_or_default().trim_ascii());
            } else {
                reader.take(name, value);
            }
        }
        reader.finish()
    }

    /// The extensions in use that mean something for a balancer only.
    pub fn balancer_only(&self) -> Vec<&'static str> {
        let state = |state| self.activations.iter().any(|&(_, other)| other == state);
        [
            ("sticky_ignore", self.sticky_ignore),
            ("stateless", self.stateless),
            ("active", state(MemberState::Active)),
            ("disabled", state(MemberState::Disabled)),
            ("stopped", state(MemberState::Stopped)),
            ("session_cookie", self.session_cookie.is_some()),
            ("session_path", self.session_path.is_some()),
            ("set_session_cookie", self.set_session_cookie.is_some()),
            ("session_cookie_path", self.session_cookie_path.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, used)| used.then_some(name))
        .collect()
    }
}

#[derive(Default)]
struct Reader<'a> {
    read: Extensions,
    complaints: Vec<Complaint>,
    active: Option<&'a [u8]>,
    disabled: Option<&'a [u8]>,
    stopped: Option<&'a [u8]>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, name: &[u8], value: &'a [u8]) {
        match name {
            b"reply_timeout" => {
                // A negative number means: not set.
                let number = self.number("reply_timeout", value);
                self.read.reply_timeout = u32::try_from(number).ok();
            }
            b"sticky_ignore" => self.read.sticky_ignore = self.number("sticky_ignore", value) != 0,
            b"stateless" => self.read.stateless = self.number("stateless", value) != 0,
            b"use_server_errors" => {
                let number = self.number("use_server_errors", value);
                match u16::try_from(number) {
                    Ok(0) => self.read.use_server_errors = None,
                    Ok(status @ 400..=599) => self.read.use_server_errors = Some(status),
                    // A lower limit would replace good answers by an error page.
                    _ => self.complaints.push(Complaint::OutOfRange("use_server_errors", value.into())),
                }
            }
            b"fail_on_status" => self.fail_on_status(value),
            b"active" => once(&mut self.active, "active", value, &mut self.complaints),
            b"disabled" => once(&mut self.disabled, "disabled", value, &mut self.complaints),
            b"stopped" => once(&mut self.stopped, "stopped", value, &mut self.complaints),
            b"session_cookie" => self.name("session_cookie", value),
            b"session_path" => self.name("session_path", value),
            b"session_cookie_path" => self.name("session_cookie_path", value),
            b"path" => self.name("path", value),
            b"set_session_cookie" => {
                let wanted = self.number("set_session_cookie", value) != 0;
                // The first value that switches it on stays.
                if self.read.set_session_cookie == Some(true) {
                    self.complaints.push(Complaint::Repeated("set_session_cookie"));
                } else {
                    self.read.set_session_cookie = Some(wanted);
                }
            }
            _ => self.complaints.push(Complaint::Unknown(name.into())),
        }
    }

    fn name(&mut self, name: &'static str, value: &[u8]) {
        if value.is_empty() {
            return self.complaints.push(Complaint::Empty(name));
        }
        let field = match name {
            "session_cookie" => &mut self.read.session_cookie,
            "session_path" => &mut self.read.session_path,
            "path" => &mut self.read.path,
            _ => &mut self.read.session_cookie_path,
        };
        once(field, name, value.into(), &mut self.complaints);
    }

    fn number(&mut self, name: &'static str, text: &[u8]) -> i32 {
        let (number, whole) = atoi(text);
        if !whole {
            self.complaints.push(Complaint::NotANumber(name, text.into()));
        }
        number
    }

    fn fail_on_status(&mut self, value: &[u8]) {
        const NAME: &str = "fail_on_status";
        let mut list = Vec::new();
        for item in items(value) {
            let number = self.number(NAME, item);
            match u16::try_from(number.unsigned_abs()) {
                Ok(status @ 100..=999) => list.push(FailStatus { status, soft: number < 0 }),
                _ => self.complaints.push(Complaint::OutOfRange(NAME, item.into())),
            }
        }
        if value.is_empty() {
            self.complaints.push(Complaint::Empty(NAME));
        } else {
            once(&mut self.read.fail_on_status, NAME, list, &mut self.complaints);
        }
    }

    fn finish(mut self) -> (Extensions, Vec<Complaint>) {
        let lists = [
            (self.active, MemberState::Active),
            (self.disabled, MemberState::Disabled),
            (self.stopped, MemberState::Stopped),
        ];
        for (list, state) in lists {
            for member in items(list.unwrap_or_default()) {
                let known = self.read.activations.iter_mut().find(|(name, _)| name.as_ref() == member);
                if let Some((_, earlier)) = known {
                    *earlier = state;
                    self.complaints.push(Complaint::MemberRepeated(member.into()));
                } else {
                    self.read.activations.push((member.into(), state));
                }
            }
        }
        (self.read, self.complaints)
    }
}

/// Fills an empty field; a second value is refused.
fn once<T>(field: &mut Option<T>, name: &'static str, value: T, complaints: &mut Vec<Complaint>) {
    if field.is_some() {
        complaints.push(Complaint::Repeated(name));
    } else {
        *field = Some(value);
    }
}

/// The items of a list separated by commas or blanks.
fn items(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&octet| octet == b',' || octet.is_ascii_whitespace()).filter(|item| !item.is_empty())
}

/// The number at the start of the text, 0 if there is none, limited to its type; and whether it was the whole text.
fn atoi(text: &[u8]) -> (i32, bool) {
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    let count = digits.iter().take_while(|octet| octet.is_ascii_digit()).count();
    let mut number = 0_i32;
    for digit in digits.iter().take(count) {
        let digit = i32::from(digit.wrapping_sub(b'0'));
        let digit = if negative { -digit } else { digit };
        number = number.saturating_mul(10).saturating_add(digit);
    }
    (number, count > 0 && count == digits.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (Extensions, Vec<Complaint>) {
        Extensions::parse(text.as_bytes())
    }

    #[test]
    fn every_extension_is_read() {
        let (read, complaints) = parse(
            "reply_timeout=500;sticky_ignore=1;stateless=1;use_server_errors=500;fail_on_status=503,-404 500;\
             active=a;disabled=b,c;stopped=d;session_cookie=SID;session_path=sid;set_session_cookie=1;\
             session_cookie_path=/x;path=/new",
        );
        assert_eq!(complaints, []);
        let hard = |status| FailStatus { status, soft: false };
        let want = Extensions {
            reply_timeout: Some(500),
            sticky_ignore: true,
            stateless: true,
            use_server_errors: Some(500),
            fail_on_status: Some(vec![hard(503), FailStatus { status: 404, soft: true }, hard(500)]),
            activations: vec![
                ((*b"a").into(), MemberState::Active),
                ((*b"b").into(), MemberState::Disabled),
                ((*b"c").into(), MemberState::Disabled),
                ((*b"d").into(), MemberState::Stopped),
            ],
            session_cookie: Some((*b"SID").into()),
            session_path: Some((*b"sid").into()),
            set_session_cookie: Some(true),
            session_cookie_path: Some((*b"/x").into()),
            path: Some((*b"/new").into()),
        };
        assert_eq!(read, want);
        assert_eq!(read.balancer_only().len(), 9);
        assert!(
            parse("reply_timeout=1;use_server_errors=400;fail_on_status=500").0.balancer_only().is_empty()
        );
    }

    #[test]
    fn empty_parts_and_blanks_are_skipped() {
        let (read, complaints) = parse(";; reply_timeout = 7 ;;");
        assert_eq!((read.reply_timeout, complaints.len()), (Some(7), 0));
        assert_eq!(parse(""), (Extensions::default(), vec![]));
    }

    #[test]
    fn repetitions() {
        assert_eq!(parse("reply_timeout=1;reply_timeout=2").0.reply_timeout, Some(2));
        assert_eq!(parse("reply_timeout=1;reply_timeout=-1").0.reply_timeout, None);
        assert_eq!(parse("use_server_errors=500;use_server_errors=0").0.use_server_errors, None);
        let (read, complaints) =
            parse("session_cookie=A;session_cookie=B;set_session_cookie=0;set_session_cookie=1");
        assert_eq!(read.session_cookie.as_deref(), Some(&b"A"[..]));
        assert_eq!(read.set_session_cookie, Some(true));
        assert_eq!(complaints, [Complaint::Repeated("session_cookie")]);
        let (read, complaints) = parse("stopped=a;active=a");
        assert_eq!(read.activations, [((*b"a").into(), MemberState::Stopped)]);
        assert_eq!(complaints, [Complaint::MemberRepeated((*b"a").into())]);
    }

    #[test]
    fn the_session_path_may_be_written_with_its_semicolon() {
        for text in
            ["session_path=;sid", "session_path=sid", "session_path= ; sid", "stateless=0;session_path=;sid;"]
        {
            let (read, complaints) = parse(text);
            assert_eq!(read.session_path.as_deref(), Some(&b"sid"[..]), "{text}");
            assert_eq!(complaints, [], "{text}");
        }
        assert_eq!(parse("session_path=").1, [Complaint::Empty("session_path")]);
    }

    #[test]
    fn oddities_are_reported() {
        for (text, want) in [
            ("foo=1", Complaint::Unknown((*b"foo").into())),
            ("Stateless=1", Complaint::Unknown((*b"Stateless").into())),
            ("reply_timeout=10s", Complaint::NotANumber("reply_timeout", (*b"10s").into())),
            ("use_server_errors=200", Complaint::OutOfRange("use_server_errors", (*b"200").into())),
            ("use_server_errors=-1", Complaint::OutOfRange("use_server_errors", (*b"-1").into())),
            (
                "use_server_errors=99999999999",
                Complaint::OutOfRange("use_server_errors", (*b"99999999999").into()),
            ),
            ("fail_on_status=7", Complaint::OutOfRange("fail_on_status", (*b"7").into())),
        ] {
            assert_eq!(parse(text).1, [want], "{text}");
        }
        assert_eq!(parse("reply_timeout=10s").0.reply_timeout, Some(10));
        assert_eq!(parse("use_server_errors=200").0.use_server_errors, None);
    }
}
