//! Cases as data: a world is one configuration of httpd, mostly with many virtual hosts, and the requests sent to it.

use crate::recorder::{Answer, Step};

/// The main server instead of a virtual host; only in worlds without virtual hosts.
pub const MAIN: usize = usize::MAX;

/// How the body of a request is sent.
#[derive(Debug, Clone)]
pub enum Body {
    /// None, and no header about it.
    None,
    /// With Content-Length.
    Length(Vec<u8>),
    /// In chunks of these octets.
    Chunked(Vec<Vec<u8>>),
}

/// A request, and what the backend answers.
#[derive(Debug, Clone)]
pub struct Case {
    /// Place of its virtual host, or [`MAIN`].
    pub vhost: usize,
    /// Method.
    pub method: String,
    /// Request target as sent.
    pub target: Vec<u8>,
    /// `HTTP/1.1`.
    pub version: &'static str,
    /// Headers beside Host, X-Case and those of the body.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Body,
    /// Answers by exchange, the last one for all that follow; none: [`plain`].
    pub answers: Vec<Answer>,
    /// Sent on a connection of its own, and a second request follows on it, to see whether the connection is in step.
    pub followed: bool,
    /// One of the modules leaves the client waiting for more; it need not wait long.
    pub hurried: bool,
}

/// A GET of a target, see [`crate::row::target`].
pub fn get(vhost: usize, target: &str) -> Case {
    Case {
        vhost,
        method: "GET".into(),
        target: crate::row::target(target),
        version: "HTTP/1.1",
        headers: Vec::new(),
        body: Body::None,
        answers: Vec::new(),
        followed: false,
        hurried: false,
    }
}

impl Case {
    /// With another method.
    pub fn method(mut self, method: &str) -> Self {
        self.method = method.into();
        self
    }

    /// With another header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With a body of known length.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Length(body.into());
        self
    }

    /// With a chunked body.
    pub fn chunked(mut self, chunks: &[&[u8]]) -> Self {
        self.body = Body::Chunked(chunks.iter().map(|chunk| chunk.to_vec()).collect());
        self
    }

    /// With an answer; may be repeated.
    pub fn answer(mut self, answer: Answer) -> Self {
        self.answers.push(answer);
        self
    }

    /// In HTTP/1.0.
    pub fn http10(mut self) -> Self {
        self.version = "HTTP/1.0";
        self
    }

    /// See [`Case::followed`].
    pub fn followed(mut self) -> Self {
        self.followed = true;
        self
    }

    /// See [`Case::hurried`].
    pub fn hurried(mut self, hurried: bool) -> Self {
        self.hurried = hurried;
        self
    }

    /// Octets of the request.
    pub fn raw(&self, number: usize, host: &str) -> Vec<u8> {
        let mut raw =
            [self.method.as_bytes(), b" ", &self.target, b" ", self.version.as_bytes(), b"\r\n"].concat();
        let mut header = |name: &str, value: &str| {
            raw.extend_from_slice(name.as_bytes());
            raw.extend_from_slice(b": ");
            // As ISO-8859-1, so that any octet can be written.
            raw.extend(value.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')));
            raw.extend_from_slice(b"\r\n");
        };
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            header("Host", host);
        }
        header("X-Case", &number.to_string());
        for (name, value) in &self.headers {
            header(name, value);
        }
        match &self.body {
            Body::None => raw.extend_from_slice(b"\r\n"),
            Body::Length(body) => {
                header("Content-Length", &body.len().to_string());
                raw.extend_from_slice(b"\r\n");
                raw.extend_from_slice(body);
            }
            Body::Chunked(chunks) => {
                header("Transfer-Encoding", "chunked");
                raw.extend_from_slice(b"\r\n");
                for chunk in chunks {
                    raw.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    raw.extend_from_slice(chunk);
                    raw.extend_from_slice(b"\r\n");
                }
                raw.extend_from_slice(b"0\r\n\r\n");
            }
        }
        raw
    }
}

/// A configuration and its cases.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Shown in reports.
    pub name: String,
    /// Lines of the main server.
    pub main: String,
    /// Lines of the virtual hosts; each gets its `ServerName`, see [`host_name`].
    pub vhosts: Vec<String>,
    /// Lines for the workers beside those that make w1 to w6, `refused` included.
    pub workers: String,
    /// Files below the server root.
    pub files: Vec<(String, String)>,
    /// Modules of httpd to load.
    pub modules: Vec<&'static str>,
    /// The requests.
    pub cases: Vec<Case>,
    /// The cases were made by the generator.
    pub generated: bool,
}

impl World {
    /// An empty world.
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Adds lines to the main server.
    pub fn main(&mut self, conf: &str) {
        self.main.push_str(conf);
        self.main.push('\n');
    }

    /// Adds a virtual host; its place.
    pub fn vhost(&mut self, conf: &str) -> usize {
        self.vhosts.push(conf.to_owned());
        self.vhosts.len() - 1
    }

    /// Adds a file.
    pub fn file(&mut self, name: &str, content: &str) {
        self.files.push((name.into(), content.into()));
    }

    /// Adds a case.
    pub fn add(&mut self, case: Case) {
        self.cases.push(case);
    }

    /// Adds a virtual host and plain GETs of it.
    pub fn gets(&mut self, conf: &str, targets: &[&str]) -> usize {
        let vhost = self.vhost(conf);
        for target in targets {
            self.add(get(vhost, target));
        }
        vhost
    }

    /// The configuration a case concerns.
    pub fn conf_of(&self, case: &Case) -> &str {
        self.vhosts.get(case.vhost).map_or(&self.main, |conf| conf)
    }
}

/// `ServerName` of the virtual host at a place.
pub fn host_name(vhost: usize) -> String {
    if vhost == MAIN { "localhost".into() } else { format!("v{vhost}.test") }
}

/// Reads the body and answers 200 with a text.
pub fn plain(text: &str) -> Answer {
    answer(200, &[("Content-Type", "text/plain")], text)
}

/// Reads the body and answers without a Content-Length header of the backend.
pub fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut steps = vec![Step::ReadAll, head(status, None, headers)];
    if !body.is_empty() {
        steps.push(Step::Body(body.as_bytes().to_vec()));
    }
    steps.push(Step::End(true));
    steps
}

/// A Send Headers step; no reason is sent as the null string.
pub fn head(status: u16, reason: Option<&'static str>, headers: &[(&str, &str)]) -> Step {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Step::Head(status, reason, headers)
}
