//! A request held in memory, for tests and benches.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of this file")]

use mod_jk_rs::engine::request::{Request, RequestBody, RequestHead, Tls, WorkerFacts};

/// A request held in memory.
#[derive(Debug, Clone)]
pub struct Sample {
    pub head: RequestHead<'static>,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Request for Sample {
    fn head(&self) -> RequestHead<'_> {
        self.head
    }

    fn each_header(&self, sink: &mut dyn FnMut(&[u8], &[u8])) {
        self.headers.iter().for_each(|(name, value)| sink(name, value));
    }

    fn each_attribute(&self, sink: &mut dyn FnMut(&[u8], &[u8])) {
        self.attributes.iter().for_each(|(name, value)| sink(name, value));
    }
}

/// The request line and connection data of the captured requests.
pub const LOCAL: RequestHead<'static> = RequestHead {
    method: b"GET",
    protocol: b"HTTP/1.1",
    uri: b"/hello.jsp",
    query: None,
    remote_addr: Some(b"127.0.0.1"),
    remote_host: None,
    remote_port: Some(b"49776"),
    local_addr: Some(b"127.0.0.1"),
    server_name: b"127.0.0.1",
    server_port: 20320,
    secure: false,
    remote_user: None,
    auth_type: None,
    tls: Tls { certificate: None, cipher: None, session: None, key_size: None, protocol: None },
    body: RequestBody::None,
};

/// The worker of the captured requests.
pub const FACTS: WorkerFacts<'static> =
    WorkerFacts { secret: Some(b"s3cret"), route: None, activation: b"ACT" };

/// `head` with headers given as text.
pub fn sample(head: RequestHead<'static>, headers: &[(&str, &str)]) -> Sample {
    let owned = |(name, value): &(&str, &str)| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    Sample { head, headers: headers.iter().map(owned).collect(), attributes: Vec::new() }
}

/// What a browser sends: `count` headers (8 to 30), about 60 octets each.
pub fn browser(count: usize) -> Sample {
    let usual = [
        ("Host", "www.example.org"),
        ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
        ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("Accept-Language", "en-US,en;q=0.5"),
        ("Accept-Encoding", "gzip, deflate, br, zstd"),
        ("Connection", "keep-alive"),
        ("Cookie", "JSESSIONID=5F1C8E0A9B3D4C7E8F6A2B1C0D9E8F7A.node1; theme=dark"),
        ("Upgrade-Insecure-Requests", "1"),
    ];
    let mut sample = sample(LOCAL, &usual);
    for index in usual.len()..count {
        let name = format!("X-Application-Header-{index:02}");
        sample
            .headers
            .push((name.into_bytes(), b"some value of the usual length, forty-odd octets".to_vec()));
    }
    sample
}
