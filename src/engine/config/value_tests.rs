//! Tests of the value types.

use super::*;

#[test]
fn integers() {
    for (text, number, rest) in [
        ("0", 0, ""),
        ("42", 42, ""),
        ("+7", 7, ""),
        ("-1", -1, ""),
        ("10k", 10_240, ""),
        ("10K", 10_240, ""),
        ("2m", 2_097_152, ""),
        ("2M", 2_097_152, ""),
        ("-2k", -2048, ""),
        ("10 k", 10, " k"),
        ("10ms", 10_485_760, "s"),
        ("0x10", 0, "x10"),
        ("1*2", 1, "*2"),
        ("2147483647", i32::MAX, ""),
        ("-2147483648", i32::MIN, ""),
    ] {
        assert_eq!(integer(text), Ok((number, rest)), "{text}");
    }
}

#[test]
fn texts_that_are_no_integer() {
    for text in ["", "abc", "-", "+", "k", "--1", "+-1", " 1", "\u{663}"] {
        assert_eq!(integer(text), Err(BadInteger::NoDigits), "{text}");
    }
    for text in ["2147483648", "-2147483649", "2048m", "99999999999999999999", "9223372036854775807m"] {
        assert_eq!(integer(text), Err(BadInteger::OutOfRange), "{text}");
    }
}

#[test]
fn booleans() {
    for text in ["off", "OFF", "0", "false", "F", "no", "nothing"] {
        assert_eq!(boolean(text), Some(false), "{text}");
    }
    for text in ["on", "On", "1", "true", "T", "yes", "y"] {
        assert_eq!(boolean(text), Some(true), "{text}");
    }
    for text in ["", "00", "10", "offline", "once", "2", "enabled"] {
        assert_eq!(boolean(text), None, "{text}");
    }
}

#[test]
fn keywords_count_by_their_first_character() {
    const WORDS: [(&str, u8); 3] = [("Active", 10), ("Disabled", 11), ("Stopped", 12)];
    for (text, value, sure) in [
        ("A", 10, true),
        ("active", 10, true),
        ("0", 10, true),
        ("dis", 11, true),
        ("1", 11, true),
        ("STOPPED", 12, true),
        ("stoppedx", 12, true),
        ("Actve", 10, false),
        ("alive", 10, false),
        ("2nd", 12, false),
    ] {
        let found = keyword(text, &WORDS).map(|k| (k.value, k.sure));
        assert_eq!(found, Some((value, sure)), "{text}");
    }
    for text in ["", "x", "3", "9", "-1"] {
        assert_eq!(keyword(text, &WORDS), None, "{text}");
    }
}

#[test]
fn lists() {
    assert_eq!(list("a, b\tc,,d ,").collect::<Vec<_>>(), ["a", "b", "c", "d"]);
    assert_eq!(list(" ,\t").count(), 0);
}

#[test]
fn hosts() {
    for (text, host_wanted, port) in [
        ("localhost", "localhost", None),
        ("tomcat_1.example.org.", "tomcat_1.example.org.", None),
        ("10.0.0.1", "10.0.0.1", None),
        ("::1", "::1", None),
        ("fe80::1%eth0", "fe80::1%eth0", None),
        ("[::1]", "::1", None),
        ("[::1]:8009", "::1", Some(8009)),
        ("tc:8010", "tc", Some(8010)),
        ("10.0.0.1:1", "10.0.0.1", Some(1)),
    ] {
        assert_eq!(host(text), Ok(Host::Tcp(host_wanted, port)), "{text}");
    }
    assert_eq!(host("unix:/run/tomcat.sock"), Ok(Host::Unix("/run/tomcat.sock")));
}

#[test]
fn texts_that_are_no_host() {
    let long_name = "a".repeat(256);
    let long_path = format!("unix:/{}", "a".repeat(107));
    for (text, why) in [
        ("999.1.1.1", BadHost::Ipv4),
        ("1.2.3", BadHost::Ipv4),
        ("1", BadHost::Ipv4),
        ("1::2::3", BadHost::Ipv6),
        ("[tomcat]", BadHost::Ipv6),
        ("[::1", BadHost::Ipv6),
        ("[::1]8009", BadHost::Ipv6),
        ("fe80::1%", BadHost::Ipv6),
        ("tc:", BadHost::Port),
        ("tc:0", BadHost::Port),
        ("tc:65536", BadHost::Port),
        ("tc:+80", BadHost::Port),
        ("[::1]:x", BadHost::Port),
        ("", BadHost::Name),
        (":80", BadHost::Name),
        ("a b", BadHost::Name),
        ("ajp://tc", BadHost::Port),
        ("$(HOST)", BadHost::Name),
        ("unix:run/tomcat.sock", BadHost::Path),
        (&long_path, BadHost::PathLength),
        (&long_name, BadHost::Length),
    ] {
        assert_eq!(host(text), Err(why), "{text}");
    }
    assert!(host(&"a".repeat(255)).is_ok());
    assert_eq!(plain_host("10.0.0.9"), Ok("10.0.0.9"));
    assert_eq!(plain_host("10.0.0.9:80"), Err(BadHost::Name));
    assert_eq!(plain_host("unix:/x"), Err(BadHost::Name));
}

#[test]
fn loopback() {
    for host in
        ["localhost", "LOCALHOST.", "tc.localhost", "127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"]
    {
        assert!(is_loopback(host), "{host}");
    }
    for host in ["10.0.0.1", "tomcat", "localhost.example.org", "::", "fe80::1%lo", "0.0.0.0"] {
        assert!(!is_loopback(host), "{host}");
    }
}
