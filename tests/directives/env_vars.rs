//! JkEnvVar.

use crate::effect::{attribute, covers, judge, told, vhost};
use crate::support::{Backend, ForwardRequest, Httpd};

/// The attributes that JkEnvVar sent, in order.
fn sent(request: &ForwardRequest) -> Vec<(&str, &str)> {
    let own = |name: &str| !name.starts_with("AJP_") && name != "JK_LB_ACTIVATION";
    request.attributes.iter().map(|(n, v)| (n.as_str(), v.as_str())).filter(|(name, _)| own(name)).collect()
}

#[test]
fn variables_are_sent_in_order_with_their_defaults() {
    covers!("JkEnvVar");
    let backend = Backend::start();
    let conf = [
        "JkMountCopy All\nJkMount /* w\n",
        "JkEnvVar PLAIN\nJkEnvVar MISSING\nJkEnvVar DEFAULTED main\nJkEnvVar EMPTY\nJkEnvVar Again one\n",
        "JkEnvVar AGAIN two\nJkEnvVar LOST \"\"\nJkEnvVar REMOTE_ADDR\nJkEnvVar REQUEST_METHOD\n",
        "SetEnv PLAIN value\nSetEnv EMPTY \"\"\nSetEnv UNNAMED x\n",
        &vhost("inherits", ""),
        &vhost("merges", "JkEnvVar OWN own\nJkEnvVar defaulted vhost\nJkEnvVar PLAIN default"),
    ];
    let httpd = Httpd::builder().workers(backend.worker("w")).conf(conf.concat()).start();
    let request = told(&httpd, &backend, "inherits", "/x");
    let wanted = [
        ("PLAIN", "value"),
        ("DEFAULTED", "main"),
        ("EMPTY", ""),
        ("Again", "two"),
        ("REMOTE_ADDR", "127.0.0.1"),
    ];
    assert_eq!(sent(&request), wanted);
    assert_eq!(attribute(&request, "UNNAMED"), None);
    let request = told(&httpd, &backend, "merges", "/x");
    let wanted = [
        ("OWN", "own"),
        ("defaulted", "vhost"),
        ("PLAIN", "value"),
        ("EMPTY", ""),
        ("Again", "two"),
        ("REMOTE_ADDR", "127.0.0.1"),
    ];
    assert_eq!(sent(&request), wanted);
}

#[test]
fn mistakes_and_reserved_names_are_refused() {
    covers!("JkEnvVar");
    let httpd = Httpd::builder().prepare();
    judge(
        &httpd,
        &[
            ("JkEnvVar", "JkEnvVar takes 1 or 2 argument(s)"),
            ("JkEnvVar A B C", "JkEnvVar takes 1 or 2 argument(s)"),
            ("JkEnvVar \"\"", "JkEnvVar takes 1 or 2 argument(s)"),
            ("JkEnvVar javax.servlet.include.path_info", "would decide which file the backend serves"),
            ("JkEnvVar jakarta.servlet.forward.request_uri x", "would decide which file the backend serves"),
            ("JkEnvVar ajp_remote_port", "the module sends this attribute itself"),
            ("JkEnvVar JK_LB_ACTIVATION", "the module sends this attribute itself"),
            ("<Location /x>\nJkEnvVar A\n</Location>", "not allowed"),
        ],
    );
}
