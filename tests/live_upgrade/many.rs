//! Many silent connections on few threads.

use crate::builder;
use crate::support::websocket::{Switcher, WebSocket};
use crate::support::{Mpm, client};

/// 300 WebSockets on five threads: the server goes on serving files, and each of them answers when it is spoken to.
#[test]
fn silent_connections_hold_no_thread() {
    let backend = Switcher::echo();
    let httpd = builder(Mpm::Event, backend.worker("w", ""), true).start();
    let mut sockets: Vec<_> =
        (0..300).map(|n| WebSocket::connect(httpd.port(), &format!("/app/{n}"))).collect();
    for _ in 0..20 {
        assert_eq!(client::get(httpd.port(), "/file.txt").text(), "from disk\n");
    }
    for round in 0..2 {
        for (n, socket) in sockets.iter_mut().enumerate() {
            assert_eq!(socket.echo(&format!("{round} {n}")), format!("{round} {n}"));
        }
    }
    assert_eq!(client::get(httpd.port(), "/file.txt").status, 200);
    httpd.assert_no_errors(&[]);
}
