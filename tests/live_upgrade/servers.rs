//! Tomcat's WebSocket examples behind its HTTP connector.

use std::io::{Read, Write};

use crate::support::certificate::Certificate;
use crate::support::websocket::{
    ACCEPT, BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Tls, WebSocket, wish,
};
use crate::support::{Httpd, Tomcat, pattern, ports};

fn talk<S: Read + Write>(socket: &mut WebSocket<S>) {
    assert_eq!(
        (socket.status(), socket.header("Sec-WebSocket-Accept")),
        (101, Some(ACCEPT)),
        "{}",
        socket.head
    );
    for text in ["hello", "gr\u{fc}\u{df}e", &"long ".repeat(1000)] {
        assert_eq!(socket.echo(text), text);
    }
    socket.send(true, BINARY, &pattern(5000));
    assert!(socket.message().data == pattern(5000));
    socket.send(false, TEXT, b"in ");
    socket.send(true, CONTINUATION, b"pieces");
    assert_eq!(socket.message().data, b"in pieces");
    socket.send(true, PING, b"?");
    assert_eq!(socket.receive().opcode, PONG);
    socket.send(true, CLOSE, &[3, 232]);
    assert_eq!(socket.receive().opcode, CLOSE);
    assert_eq!(socket.rest().unwrap(), b"");
}

#[test]
fn the_echo_examples_of_tomcat() {
    let tomcat = Tomcat::builder().http().route("n1").start();
    let workers = format!(
        "worker.list=b\nworker.b.type=lb\nworker.b.balance_workers=t\nworker.t.type=http\nworker.t.host=127.0.0.1\n\
         worker.t.port={}\nworker.t.route=n1\n",
        tomcat.http_port().unwrap()
    );
    let (certificate, port) = (Certificate::new(), ports::free_port());
    for parked in ["JkAsync Off", "JkAsync On\nJkAsyncDelay 0"] {
        let httpd = Httpd::builder()
            .modules(&["ssl"])
            .workers(&workers)
            .conf(format!(
                "{parked}\nJkMount /* b\nListen 127.0.0.1:{port}\n<VirtualHost 127.0.0.1:{port}>\n{}JkMount /* b\n\
                 </VirtualHost>",
                certificate.directives()
            ))
            .start();
        for example in ["echoAnnotation", "echoProgrammatic", "echoStreamAnnotation"] {
            let path = format!("/examples/websocket/{example}");
            talk(&mut WebSocket::connect(httpd.port(), &path));
            talk(&mut WebSocket::on(Tls::connect(port), wish(&path, "").as_bytes()));
        }
        httpd.assert_no_errors(&[]);
    }
}
