//! Sockets: what only shows from inside.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use super::*;

#[test]
fn a_socket_connected_to_itself_is_refused() {
    for local in ["127.0.0.1:0", "[::1]:0"] {
        let any = RawAddress::inet(&local.parse().unwrap());
        let fd = open(any.family()).unwrap();
        // SAFETY: the address is valid for the length passed.
        if unsafe { libc::bind(fd.as_raw_fd(), any.pointer(), any.length()) } != 0 {
            continue; // no IPv6 here
        }
        let own = local_address(&fd).unwrap();
        assert_ne!(own.inet_parts().unwrap().0, 0);
        assert_eq!(connect_inet(&fd, &own, Some(Duration::from_secs(9))), Err(LinkError::Refused));
    }
}

#[test]
fn kernel_times_saturate() {
    let parts = |micros| (timeval(micros).tv_sec, timeval(micros).tv_usec);
    assert_eq!(parts(1), (0, 1));
    assert_eq!(parts(2_000_003), (2, 3));
    assert_eq!(parts(u64::MAX).0, i64::try_from(u64::MAX / 1_000_000).unwrap());
}

#[test]
fn errors_that_matter_have_names() {
    assert_eq!(failure(libc::EPIPE), LinkError::Reset);
    assert_eq!(failure(libc::ETIMEDOUT), LinkError::TimedOut);
    assert_eq!(failure(libc::EHOSTUNREACH), LinkError::Os(libc::EHOSTUNREACH));
}
