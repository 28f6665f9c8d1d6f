//! Configurations and requests made at random, from small alphabets in which rules and paths meet often.
//!
//! The same seed makes the same worlds. Only what both modules accept is made: a configuration that one of them refuses is
//! a case for `configtest`.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::case::{Case, World, answer, get};

/// Requests to one httpd.
const PER_WORLD: u64 = 640;

/// Virtual hosts of one httpd, each a configuration of its own.
const VHOSTS: usize = 6;

/// A seed that is different each time.
pub fn seed_of_the_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs() % 1_000_000)
}

/// As many worlds as so many requests need.
pub fn worlds(seed: u64, requests: u64) -> Vec<World> {
    let count = requests.div_ceil(PER_WORLD);
    (0..count)
        .map(|index| {
            world(
                &mut Random::of_world(seed, index),
                seed,
                index,
                PER_WORLD.min(requests - index * PER_WORLD),
            )
        })
        .collect()
}

fn world(random: &mut Random, seed: u64, index: u64, requests: u64) -> World {
    let mut world = World::new(&format!("generated-{seed}-{index}"));
    world.generated = true;
    for name in ["static.txt", "a/s.txt", "a/b/index.html", "b/x.jsp", "s/x.txt"] {
        world.file(&format!("htdocs/{name}"), &format!("file {name}\n"));
    }
    let mut main = rules(random, 3);
    if random.chance(3) {
        main.push("JkMountCopy All".into());
    }
    main.extend(options(random));
    if random.chance(2) {
        let file = mount_file(random);
        world.file("conf/main.properties", &file);
        main.push("JkMountFile conf/main.properties".into());
    }
    world.main(&main.join("\n"));
    for place in 0..VHOSTS {
        let count = random.below(6);
        let mut conf = rules(random, count);
        conf.extend(options(random));
        if random.chance(3) {
            let copy = random.of(&["On", "Off"]);
            conf.push(format!("JkMountCopy {copy}"));
        }
        if random.chance(2) {
            let file = mount_file(random);
            world.file(&format!("conf/v{place}.properties"), &file);
            conf.push(format!("JkMountFile conf/v{place}.properties"));
        }
        world.vhost(&conf.join("\n"));
    }
    for _ in 0..requests {
        let case = request(random);
        world.add(case);
    }
    world
}

fn pattern(random: &mut Random) -> String {
    const WHOLE: [&str; 12] =
        ["/*", "/**", "/a", "/a/*", "/a|/*", "/*.jsp", "/?*", "/a/*/x", "/*/s/*", "/a/b/*", "/*b", "/s|/*"];
    if random.chance(2) {
        return random.of(&WHOLE).to_owned();
    }
    let mut text = String::new();
    for _ in 0..=random.below(3) {
        text.push('/');
        text += random.of(&["a", "b", "s", "x.jsp", "*", "?", "a*", "*.txt", "static", ""]);
    }
    text
}

fn rules(random: &mut Random, count: usize) -> Vec<String> {
    let mut rules = Vec::new();
    for _ in 0..count {
        let pattern = pattern(random);
        if random.chance(4) {
            rules.push(format!("JkUnMount \"{pattern}\" {}", random.of(&["w1", "w2", "w3", "*"])));
        } else {
            let extension = random.of(&[
                "",
                "",
                "",
                ";reply_timeout=9000",
                ";use_server_errors=500",
                ";fail_on_status=404",
            ]);
            rules.push(format!("JkMount \"{pattern}\" \"{}{extension}\"", random.of(&["w1", "w2", "w3"])));
        }
    }
    rules
}

fn mount_file(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..=random.below(5) {
        let sign = random.of(&["", "", "", "!", "-", "-!"]);
        let worker = if sign.ends_with('!') {
            random.of(&["w1", "w2", "w3", "*"])
        } else {
            random.of(&["w1", "w2", "w3"])
        };
        let extension = if sign.is_empty() { random.of(&["", "", ";use_server_errors=404"]) } else { "" };
        let tail = random.of(&["", "", " # comment", "  "]);
        text += &format!("{sign}{}={worker}{extension}{tail}\n", pattern(random));
    }
    text
}

fn options(random: &mut Random) -> Vec<String> {
    let mut lines = Vec::new();
    let mut some = |random: &mut Random, odds, choices: &[&'static str]| {
        if random.chance(odds) {
            lines.push(random.of(choices).to_owned());
        }
    };
    some(
        random,
        3,
        &[
            "JkOptions +ForwardURIProxy",
            "JkOptions +ForwardURIEscaped",
            "JkOptions +ForwardURICompatUnparsed",
            "JkOptions +ForwardURICompat",
        ],
    );
    some(
        random,
        4,
        &[
            "JkOptions +ForwardLocalAddress",
            "JkOptions +DisableReuse",
            "JkOptions +FlushPackets",
            "JkOptions +FlushHeader",
            "JkOptions +FlushPackets -FlushHeader",
        ],
    );
    some(random, 4, &["JkStripSession On", "JkStripSession On ;sid", "JkStripSession Off"]);
    some(
        random,
        4,
        &["JkEnvVar E default", "JkEnvVar E", "JkEnvVar E default\nSetEnv E set", "JkEnvVar HTTP_HOST"],
    );
    some(
        random,
        4,
        &[
            "SetEnv JK_REMOTE_USER alice",
            "SetEnv JK_LOCAL_NAME front",
            "SetEnv JK_ROUTE r1",
            "SetEnv JK_REMOTE_ADDR 192.0.2.1",
            "SetEnv HTTPS on",
        ],
    );
    some(
        random,
        5,
        &[
            "AllowEncodedSlashes On",
            "MergeSlashes Off",
            "SetEnvIf Request_URI /s/ no-jk",
            "DirectoryIndex x.jsp index.html",
            "ErrorDocument 404 /a/error",
        ],
    );
    lines
}

fn path(random: &mut Random) -> String {
    const CLEAN: [&str; 9] = ["a", "b", "s", "x.jsp", "static", "x.txt", "static.txt", "A", "ab"];
    const DIRTY: [&str; 30] = [
        "",
        ".",
        "..",
        "..;",
        ".;x",
        "a;jsessionid=1",
        "b;x=1;y",
        ";p",
        "%61",
        "%2e%2e",
        "%2E",
        "%2F",
        "%5C",
        "a%25b",
        "a%20b",
        "%C3%A9",
        "%3B",
        "x%3By",
        "..%3B",
        "%00",
        "%zz",
        "%0a",
        "a:b@c",
        "[x]",
        "~a",
        "a+b",
        "s.txt;sid=2",
        "\\",
        "x.jsp;jsessionid=A.r1",
        "%2561",
    ];
    let mut text = String::new();
    for _ in 0..=random.below(4) {
        text.push('/');
        text += if random.chance(4) { random.of(&DIRTY) } else { random.of(&CLEAN) };
    }
    if random.chance(5) {
        text.push('/');
    }
    if random.chance(4) {
        text += random.of(&["?", "?q=1", "?a=b&c=%20", "?x=/../;y", "?%zz"]);
    }
    text
}

fn request(random: &mut Random) -> Case {
    let path = path(random);
    let mut case = get(random.below(VHOSTS), &path);
    if random.chance(5) {
        case = case.method(random.of(&["HEAD", "PUT", "DELETE", "OPTIONS", "PROPFIND", "PATCH", "FOO"]));
    }
    for _ in 0..random.below(3) {
        let header = random.of(&[
            ("Accept", "*/*"),
            ("Accept-Encoding", "gzip"),
            ("Cookie", "JSESSIONID=A.r1"),
            ("Authorization", "Basic dTpw"),
            ("X-Odd", " a  b "),
            ("x-latin", "\u{e9}"),
            ("TE", "trailers"),
            ("User-Agent", "generated"),
            ("Referer", "http://x/"),
            ("Pragma", "no-cache"),
            ("X-Empty", ""),
            ("Connection", "keep-alive"),
            ("Upgrade", "x"),
        ]);
        case = case.header(header.0, header.1);
    }
    match random.below(6) {
        0 => {
            let body = crate::support::pattern(random.of(&[1, 10, 500, 8186, 8187, 20_000]));
            case = case.body(body);
            if case.method == "GET" {
                case = case.method("POST");
            }
        }
        1 => {
            let body = crate::support::pattern(random.of(&[1, 10, 9000]));
            let chunks: Vec<&[u8]> = body.chunks(random.of(&[7, 1000, 8192])).collect();
            case = case.chunked(&chunks);
            if case.method == "GET" {
                case = case.method("POST");
            }
        }
        _ => {}
    }
    if random.chance(3) {
        let status = random.of(&[200, 200, 201, 204, 301, 302, 304, 401, 403, 404, 409, 500, 503]);
        let mut headers =
            vec![("Content-Type", random.of(&["text/plain", "Text/HTML;charset=x", "application/json"]))];
        for _ in 0..random.below(3) {
            headers.push(random.of(&[
                ("Set-Cookie", "a=b; Path=/"),
                ("Location", "/a/b"),
                ("X-Answer", "1"),
                ("Cache-Control", "no-store"),
                ("ETag", "\"e\""),
                ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
                ("Content-Language", "de"),
            ]));
        }
        let body = random.of(&["", "body\n", "a longer body of the answer\n"]);
        case = case.answer(answer(status, &headers, body));
    }
    case
}

/// A small generator (SplitMix64).
pub struct Random(u64);

impl Random {
    /// The stream of one of the worlds of a seed.
    pub fn of_world(seed: u64, index: u64) -> Self {
        // Mixed, or the streams of neighbouring seeds would overlap.
        Self(Self(seed).next() ^ Self(!index).next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `limit`, or 0.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap_or(0)
    }

    /// One of so many times.
    pub fn chance(&mut self, odds: usize) -> bool {
        self.below(odds) == 0
    }

    pub fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}
