//! Real servers: the HTTP and HTTPS connectors of Tomcat, Jetty, Node.js, and Python's `http.server`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::authority::{Authority, Valid};
use crate::support::certificate::{Certificate, curl};
use crate::support::digest::sha256_hex;
use crate::support::tempdir::TempDir;
use crate::support::{Client, Ended, Httpd, Tomcat, client, pattern, ports, process, wait_until};

/// What docs/http-workers.md tells administrators to put into server.xml.
const VALVE: &str = r#"<Valve className="org.apache.catalina.valves.RemoteIpValve"
       remoteIpHeader="X-Forwarded-For" protocolHeader="X-Forwarded-Proto"
       hostHeader="X-Forwarded-Host" portHeader="X-Forwarded-Port"/>"#;

/// The same for what httpd knows of the TLS of its clients.
const SSL_VALVE: &str = r#"<Valve className="org.apache.catalina.valves.SSLValve"/>"#;

#[test]
fn the_lines_for_tomcat_are_those_of_the_documentation() {
    let text = include_str!("../../docs/http-workers.md");
    for line in VALVE.lines().chain([SSL_VALVE]) {
        assert!(text.contains(line.trim()), "{line}");
    }
}

#[test]
fn tomcat_serves_over_http_what_it_serves_over_ajp() {
    let tomcat = Tomcat::builder().http().without_examples().route("n1").engine(VALVE).start();
    serves_all(&format!("worker.t.type=http\nworker.t.port={}\n", tomcat.http_port().unwrap()));
}

#[test]
fn tomcat_serves_over_https_what_it_serves_over_ajp() {
    let authority = Authority::new();
    let issued = authority.issue(&["tomcat.example.org"], Valid::Now);
    // What docs/http-workers.md says.
    let trust = authority.file().with_file_name("trust.p12");
    let made = Command::new("keytool")
        .args(["-importcert", "-noprompt", "-alias", "ca", "-storetype", "PKCS12", "-storepass", "changeit"])
        .arg("-file")
        .arg(authority.file())
        .arg("-keystore")
        .arg(&trust)
        .output()
        .expect("run keytool, which comes with Java");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    let port = ports::free_port();
    let connector = format!(
        r#"<Connector protocol="HTTP/1.1" address="127.0.0.1" port="{port}" SSLEnabled="true" scheme="https" secure="true">
           <SSLHostConfig certificateVerification="required" truststoreFile="{}"
             truststorePassword="changeit" truststoreType="PKCS12">
             <Certificate certificateFile="{}" certificateKeyFile="{}" type="EC"/>
           </SSLHostConfig>
           </Connector>"#,
        trust.display(),
        issued.certificate.display(),
        issued.key.display()
    );
    let tomcat = Tomcat::builder().without_examples().route("n1").engine(VALVE).service(&connector).start();
    let own = authority.issue(&["httpd.example.org"], Valid::Now).properties();
    let mut lines = format!(
        "worker.t.type=https\nworker.t.port={port}\nworker.t.tls_name=tomcat.example.org\nworker.t.tls_ca={}\n",
        authority.file().display()
    );
    own.lines().for_each(|line| lines.push_str(&format!("worker.t.{line}\n")));
    serves_all(&lines);
    drop(tomcat);
}

/// What Tomcat serves through a worker `t` with these lines.
fn serves_all(lines: &str) {
    let workers = format!(
        "worker.list=b\nworker.b.type=lb\nworker.b.balance_workers=t\nworker.t.host=127.0.0.1\n{lines}\
         worker.t.route=n1\nworker.t.ping_uri=/logo.txt\nworker.t.ping_mode=A\n"
    );
    let conf =
        "JkMount /* b\nSetEnvIf Request_URI /echo HTTPS=on JK_REMOTE_ADDR=203.0.113.9 JK_LOCAL_PORT=443";
    let httpd = Httpd::builder().workers(workers).conf(conf).start();
    let mut client = Client::connect(httpd.port());

    let echo = client.request("GET", "/echo.jsp?a=b", &[("Host", "shop.example.org")], b"");
    let fact = |name: &str| echo.fact(name).unwrap_or_default();
    assert_eq!(echo.status, 200, "{}", httpd.jk_log());
    for (name, wanted) in [
        ("remote_addr", "203.0.113.9"),
        ("scheme", "https"),
        ("is_ssl", "true"),
        ("server_name", "shop.example.org"),
        ("query", "a=b"),
        ("header.x-jk-route", "n1"),
    ] {
        assert_eq!(fact(name), wanted, "{name}: {}", echo.text());
    }
    assert_eq!(fact("server_port"), "443", "{}", echo.text());

    let session = client.get("/session.jsp");
    let cookie = session.header("Set-Cookie").unwrap().split(';').next().unwrap().to_owned();
    assert!(cookie.ends_with(".n1"), "{cookie}");
    assert_eq!(client.request("GET", "/session.jsp", &[("Cookie", &cookie)], b"").status, 200);

    for (path, ended) in
        [("/big.jsp?octets=5000000", Ended::Length), ("/big.jsp?octets=700000&length=0", Ended::Chunked)]
    {
        let big = client.get(path);
        assert!(
            big.status == 200 && big.body == pattern(big.body.len()) && big.body.len() >= 700_000,
            "{path}"
        );
        assert_eq!(big.ended, ended, "{path}");
    }
    let upload = pattern(3_000_000);
    let answer = client.request("POST", "/upload.jsp", &[], &upload);
    assert!(answer.text().contains(&sha256_hex(&upload)), "{}", answer.text());
    client.send("POST /upload.jsp HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for piece in upload.chunks(50_000) {
        client.send_chunk(piece);
    }
    client.send_chunk(b"");
    let answer = client.read_response();
    assert!(answer.text().contains(&sha256_hex(&upload)), "{}", answer.text());

    let head = client.request("HEAD", "/logo.txt", &[], b"");
    assert_eq!((head.status, head.header("Content-Length")), (200, Some("12")));
    let part = client.request("GET", "/logo.txt", &[("Range", "bytes=5-10")], b"");
    assert_eq!((part.status, part.text()), (206, "Tomcat".to_owned()));
    let tag = head.header("ETag").unwrap().to_owned();
    assert_eq!(client.request("GET", "/logo.txt", &[("If-None-Match", &tag)], b"").status, 304);
    assert_eq!(client.get("/nothing").status, 404);
    httpd.assert_no_errors(&[]);
}

#[test]
fn an_application_in_tomcat_sees_the_tls_of_the_client() {
    let tomcat = Tomcat::builder().http().without_examples().engine(VALVE).engine(SSL_VALVE).start();
    let (server, authority) = (Certificate::new(), Authority::new());
    let user = authority.issue(&["user.example.org"], Valid::Now);
    let workers = format!(
        "worker.list=t\nworker.t.type=http\nworker.t.host=127.0.0.1\nworker.t.port={}\n",
        tomcat.http_port().unwrap()
    );
    let port = ports::free_port();
    let conf = format!(
        "Listen 127.0.0.1:{port}\n<VirtualHost 127.0.0.1:{port}>\nServerName localhost\nJkMount /* t\n{}\
         SSLOptions +StdEnvVars +ExportCertData\nSSLVerifyClient optional\nSSLCACertificateFile {}\n</VirtualHost>",
        server.directives(),
        authority.file().display()
    );
    let httpd = Httpd::builder().modules(&["ssl"]).workers(workers).conf(conf).start();
    let (certificate, key) = (user.certificate.display().to_string(), user.key.display().to_string());
    let ask = |attribute: &str, shown: bool| {
        let url = format!("https://localhost:{port}/echo.jsp?attribute={attribute}");
        let own = ["--cert", &certificate, "--key", &key, &url];
        let page = curl(if shown { &own } else { &own[4..] });
        assert_eq!(page.exit, 0, "{}", page.complaint);
        let text = page.text();
        let line = text.lines().find_map(|line| line.strip_prefix("wanted=")).unwrap_or("").to_owned();
        assert!(text.contains("is_ssl=true") && text.contains(&format!("server_port={port}")), "{text}");
        line
    };
    let known = ask("jakarta.servlet.request.X509Certificate", true);
    assert!(known.starts_with("[Ljava.security.cert.X509Certificate"), "{known}");
    assert_eq!(ask("jakarta.servlet.request.X509Certificate", false), "null");
    let suite = ask("jakarta.servlet.request.cipher_suite", true);
    assert!(suite.contains("AES") || suite.contains("CHACHA"), "{suite}");
    assert!(ask("jakarta.servlet.request.key_size", true).parse::<u32>().is_ok_and(|bits| bits >= 128));
    assert_ne!(ask("jakarta.servlet.request.ssl_session_id", true), "");
    httpd.assert_no_errors(&[]);
}

/// A server in JavaScript: chunked answers, an echo, a stream of events.
const NODE: &str = r#"
const http = require('http');
const port = Number(process.argv[2]);
http.createServer((request, response) => {
  if (request.url === '/app/events') {
    response.writeHead(200, {'Content-Type': 'text/event-stream'});
    let number = 0;
    const next = () => {
      response.write(`data: ${++number}\n\n`);
      if (number < 5) setTimeout(next, 100); else response.end();
    };
    return next();
  }
  response.writeHead(200, {'Content-Type': 'application/octet-stream', 'X-For': request.headers['x-forwarded-for']});
  request.pipe(response);
}).listen(port, '127.0.0.1');
"#;

#[test]
fn node_serves_streams() {
    let directory = TempDir::new("node");
    let program = directory.write("server.js", NODE);
    let port = ports::free_port();
    let mut command = Command::new("node");
    command.arg(program).arg(port.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut node = process::spawn(command, libc::SIGKILL).expect("start node: install nodejs");
    wait_until("node listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let workers = format!("worker.list=w\nworker.w.type=http\nworker.w.host=127.0.0.1:{port}\n");
    let httpd = Httpd::builder().workers(workers).conf("JkMount /app/* w").start();
    let mut client = Client::connect(httpd.port());
    for octets in [0, 1, 100_000, 3_000_000] {
        let body = pattern(octets);
        let answer = client.request("POST", "/app/echo", &[], &body);
        assert!(answer.status == 200 && answer.body == body, "{octets}");
        assert_eq!(answer.header("X-For"), Some("127.0.0.1"));
    }
    let begun = std::time::Instant::now();
    let (mut first, mut text) = (None, Vec::new());
    let mut stream = TcpStream::connect(("127.0.0.1", httpd.port())).unwrap();
    stream.set_read_timeout(Some(crate::support::PATIENCE)).unwrap();
    stream.write_all(b"GET /app/events HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    let mut some = [0; 1024];
    loop {
        let octets = stream.read(&mut some).unwrap();
        if octets == 0 {
            break;
        }
        text.extend_from_slice(&some[..octets]);
        if String::from_utf8_lossy(&text).contains("data: 1") {
            first.get_or_insert_with(|| begun.elapsed());
        }
    }
    let (text, whole) = (String::from_utf8_lossy(&text).into_owned(), begun.elapsed());
    assert!(text.contains("data: 5"), "{text}");
    // The later events are made 400 ms after the first one.
    assert!(
        whole - first.expect("the first event") >= std::time::Duration::from_millis(200),
        "{first:?} {whole:?}"
    );
    process::stop(&mut node, libc::SIGTERM, crate::support::PATIENCE);
    httpd.assert_no_errors(&[]);
}

#[test]
fn clients_with_http_2_reach_http_backends() {
    let backend = crate::backend::HttpBackend::start(|asked, stream| {
        crate::backend::say(stream, "200 OK", "", &asked.body)
    });
    let httpd = Httpd::builder()
        .modules(&["http2"])
        .workers(backend.worker("w", ""))
        .conf("JkMount /app/* w\nProtocols h2c http/1.1\nH2Direct on")
        .start();
    let directory = TempDir::new("h2");
    let body = directory.write("body", pattern(300_000));
    let (url, data) = (format!("http://127.0.0.1:{}/app/x", httpd.port()), format!("@{}", body.display()));
    let page = curl(&["--http2-prior-knowledge", "--data-binary", &data, &url]);
    assert_eq!((page.exit, page.summary.as_str()), (0, "2 200"), "{}", page.complaint);
    assert!(page.body == pattern(300_000));
    let asked = backend.last();
    assert!(asked.line.ends_with("HTTP/1.1") && asked.header("X-Forwarded-Proto") == ["http"], "{asked:?}");
    httpd.assert_no_errors(&[]);
}

/// Jetty 9 as Debian packages it, with one page.
#[test]
fn jetty_serves() {
    let home =
        std::env::var_os("JETTY_HOME").map_or_else(|| PathBuf::from("/usr/share/jetty9"), PathBuf::from);
    assert!(home.join("start.jar").is_file(), "no Jetty in {}: install jetty9", home.display());
    let base = TempDir::new("jetty");
    base.write("webapps/app/file.txt", pattern(200_000));
    let port = ports::free_port();
    base.write(
        "start.ini",
        format!("--module=http\n--module=deploy\njetty.http.host=127.0.0.1\njetty.http.port={port}\n"),
    );
    let mut command = Command::new(crate::support::tomcat::java());
    command.args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    command.arg("-jar").arg(home.join("start.jar"));
    command
        .arg(format!("jetty.home={}", home.display()))
        .arg(format!("jetty.base={}", base.path().display()));
    let log = std::fs::File::create(base.path().join("log")).unwrap();
    command.current_dir(base.path()).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    let mut jetty = process::spawn(command, libc::SIGKILL).expect("start java");
    let served = || {
        TcpStream::connect(("127.0.0.1", port)).is_ok() && client::get(port, "/app/file.txt").status == 200
    };
    let up = crate::support::poll(std::time::Duration::from_secs(120), served);
    assert!(up, "Jetty did not start: {}", base.read("log"));
    let workers = format!(
        "worker.list=w\nworker.w.type=http\nworker.w.host=127.0.0.1:{port}\nworker.w.ping_uri=/app/file.txt\n\
         worker.w.ping_mode=A\n"
    );
    let httpd = Httpd::builder().workers(workers).conf("JkMount /app/* w").start();
    let mut client = Client::connect(httpd.port());
    for _ in 0..3 {
        let file = client.get("/app/file.txt");
        assert!(file.status == 200 && file.body == pattern(200_000));
    }
    let part = client.request("GET", "/app/file.txt", &[("Range", "bytes=5-10")], b"");
    assert_eq!((part.status, part.body), (206, pattern(11)[5..].to_vec()));
    assert_eq!(client.get("/app/none").status, 404);
    process::stop(&mut jetty, libc::SIGTERM, crate::support::PATIENCE);
    httpd.assert_no_errors(&[]);
}

#[test]
fn a_server_of_http_1_0_closes_behind_each_answer() {
    let directory = TempDir::new("python");
    directory.write("app/file.txt", pattern(300_000));
    let port = ports::free_port();
    let mut command = Command::new("python3");
    command.args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()]);
    command.current_dir(directory.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut python = process::spawn(command, libc::SIGKILL).expect("start python3");
    wait_until("python listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let workers = format!(
        "worker.list=w\nworker.w.type=http\nworker.w.host=127.0.0.1\nworker.w.port={port}\nworker.w.ping_uri=/app/\n\
         worker.w.ping_mode=C\n"
    );
    let httpd = Httpd::builder().workers(workers).conf("JkMount /app/* w").start();
    for _ in 0..3 {
        let file = client::get(httpd.port(), "/app/file.txt");
        assert!(file.status == 200 && file.body == pattern(300_000));
    }
    assert_eq!(client::request(httpd.port(), "HEAD", "/app/file.txt", &[], b"").status, 200);
    assert_eq!(client::get(httpd.port(), "/app/none").status, 404);
    assert_eq!(client::request(httpd.port(), "POST", "/app/file.txt", &[], b"x").status, 501);
    process::stop(&mut python, libc::SIGTERM, crate::support::PATIENCE);
    httpd.assert_no_errors(&[]);
}
