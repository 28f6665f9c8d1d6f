//! Real servers: the HTTP connector of Tomcat, and Python's `http.server`.

use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::support::digest::sha256_hex;
use crate::support::tempdir::TempDir;
use crate::support::{Client, Ended, Httpd, Tomcat, client, pattern, ports, process, wait_until};

/// What docs/workers.md tells administrators to put into server.xml.
const VALVE: &str = r#"<Valve className="org.apache.catalina.valves.RemoteIpValve"
       remoteIpHeader="X-Forwarded-For" protocolHeader="X-Forwarded-Proto"
       hostHeader="X-Forwarded-Host" portHeader="X-Forwarded-Port"/>"#;

#[test]
fn the_lines_for_tomcat_are_those_of_the_documentation() {
    let text = include_str!("../../docs/workers.md");
    for line in VALVE.lines() {
        assert!(text.contains(line.trim()), "{line}");
    }
}

#[test]
fn tomcat_serves_over_http_what_it_serves_over_ajp() {
    let tomcat = Tomcat::builder().http().without_examples().route("n1").engine(VALVE).start();
    let workers = format!(
        "worker.list=b\nworker.b.type=lb\nworker.b.balance_workers=t\nworker.t.type=http\nworker.t.host=127.0.0.1\n\
         worker.t.port={}\nworker.t.route=n1\nworker.t.ping_uri=/logo.txt\nworker.t.ping_mode=A\n",
        tomcat.http_port().unwrap()
    );
    let conf =
        "JkMount /* b\nSetEnvIf Request_URI /echo HTTPS=on JK_REMOTE_ADDR=203.0.113.9 JK_LOCAL_PORT=443";
    let httpd = Httpd::builder().workers(workers).conf(conf).start();
    let mut client = Client::connect(httpd.port());

    let echo = client.request("GET", "/echo.jsp?a=b", &[("Host", "shop.example.org")], b"");
    let fact = |name: &str| echo.fact(name).unwrap_or_default();
    assert_eq!(echo.status, 200);
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
