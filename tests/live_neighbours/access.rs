//! Who may ask: `<Location>` with passwords, addresses and other conditions of httpd, against every spelling of a path.

use crate::support::{Backend, client};

/// User `ann`, password `open`.
const USERS: &str = "ann:{SHA}X8fji//gDKRq3YkUVGSi6vdZ1cI=\n";
const ANN: (&str, &str) = ("Authorization", "Basic YW5uOm9wZW4=");
const WRONG: (&str, &str) = ("Authorization", "Basic YW5uOndyb25n");
const MODULES: [&str; 4] = ["authn_core", "authn_file", "auth_basic", "authz_user"];

/// Spellings of `/app/admin/x` or of something below it. What cannot be told apart by httpd and Tomcat may be refused at once,
/// but must never get past the password.
const SPELLINGS: [&str; 32] = [
    "/app/admin/x",
    "/app/admin",
    "/app/admin/",
    "/app//admin/x",
    "//app/admin/x",
    "/app///admin//x",
    "/app/./admin/x",
    "/./app/admin/x",
    "/app/y/../admin/x",
    "/app/y/z/../../admin/x",
    "/app/admin/../admin/x",
    "/app/%61dmin/x",
    "/app/%61%64%6d%69%6e/x",
    "/%61pp/admin/x",
    "/app/y/%2e%2e/admin/x",
    "/app/y/.%2e/admin/x",
    "/app/%2e/admin/x",
    "/app/admin;jsessionid=1/x",
    "/app;a=b/admin/x",
    "/app/;a/admin/x",
    "/;a/app/admin/x",
    "/app/admin/x;jsessionid=1",
    "/app/y/..;/admin/x",
    "/app/y/..;a=b/admin/x",
    "/app/.;/admin/x",
    "/app/admin%3bx/y",
    "/app/admin%2fx",
    "/app%2fadmin/x",
    "/app/admin\\x",
    "/app/admin%5cx",
    "/app/%2561dmin/../admin/x",
    "http://localhost/app/admin/x",
];

fn protected(backend: &Backend, more: &str) -> crate::support::Httpd {
    super::builder(
        backend,
        &MODULES,
        &format!(
            "{more}\n<Location /app/admin>\nAuthType Basic\nAuthName x\nAuthBasicProvider file\n\
             AuthUserFile conf/users\nRequire valid-user\n</Location>"
        ),
    )
    .file("conf/users", USERS)
    .start()
}

#[test]
fn no_spelling_of_a_path_gets_past_a_password() {
    for more in
        ["", "MergeSlashes Off", "AllowEncodedSlashes NoDecode", "JkOptions +ForwardURICompatUnparsed"]
    {
        let backend = Backend::start();
        let httpd = protected(&backend, more);
        let mut asked = 0;
        for path in SPELLINGS {
            for credentials in [&[][..], &[WRONG][..]] {
                let answer = client::request(httpd.port(), "GET", path, credentials, b"");
                // What is not /app/admin for httpd must not be so for Tomcat either: see below.
                if answer.status == 200 {
                    let uri = answer.fact("uri").unwrap_or_default();
                    assert!(!is_admin_for_tomcat(&uri), "{more}: {path} reached the backend as {uri}");
                } else {
                    assert!(
                        matches!(answer.status, 400 | 401 | 403 | 404),
                        "{more}: {path}: {}",
                        answer.status
                    );
                }
                asked += u32::from(answer.status == 401);
            }
        }
        assert!(asked >= 30, "{more}: only {asked} requests were asked for a password");
    }
}

/// Tomcat removes path parameters, decodes, merges slashes and resolves dots, in this order. It refuses encoded slashes and
/// backslashes.
fn is_admin_for_tomcat(uri: &str) -> bool {
    let mut decoded = Vec::new();
    for segment in uri.split('/') {
        let bare = segment.split(';').next().unwrap_or_default();
        let text = bare.replace("%61", "a").replace("%64", "d").replace("%6d", "m").replace("%69", "i");
        let text = text.replace("%6e", "n").replace("%2e", ".");
        decoded.extend(text.replace('\\', "/").split('/').map(str::to_owned).collect::<Vec<_>>());
    }
    let mut path: Vec<String> = Vec::new();
    for segment in decoded {
        match segment.as_str() {
            "" | "." => {}
            ".." => drop(path.pop()),
            _ => path.push(segment),
        }
    }
    path.len() > 1 && path[0] == "app" && path[1] == "admin"
}

#[test]
fn whoever_has_the_password_is_let_in_and_named() {
    let backend = Backend::start();
    let httpd = protected(&backend, "");
    for path in ["/app/admin/x", "/app//admin/x", "/app/y/../admin/x", "/app/%61dmin/x"] {
        let answer = client::request(httpd.port(), "GET", path, &[ANN], b"");
        assert_eq!((answer.status, answer.fact("uri").as_deref()), (200, Some("/app/admin/x")), "{path}");
        assert_eq!(answer.fact("remote_user").as_deref(), Some("ann"), "{path}");
        assert_eq!(answer.fact("auth_type").as_deref(), Some("Basic"), "{path}");
    }
    let answer = client::request(httpd.port(), "POST", "/app/admin/upload", &[], b"body");
    assert_eq!(answer.status, 401);
    assert!(answer.header("WWW-Authenticate").is_some_and(|value| value.starts_with("Basic")));
    // Unprotected paths beside it, one that only begins alike included.
    for path in ["/app/administrator", "/app/x", "/app/ADMIN/x"] {
        assert_eq!(client::get(httpd.port(), path).status, 200, "{path}");
    }
}

#[test]
fn conditions_of_httpd_guard_relayed_paths() {
    let backend = Backend::start();
    let httpd = super::front(
        &backend,
        &["access_compat"],
        "<Location /app/never>\nRequire all denied\n</Location>\n\
         <Location /app/elsewhere>\nRequire ip 192.0.2.0/24\n</Location>\n\
         <Location /app/here>\nRequire ip 127.0.0.1\n</Location>\n\
         <Location /app/old>\nOrder deny,allow\nDeny from all\n</Location>\n\
         <LocationMatch \"^/app/[0-9]+$\">\nRequire expr \"%{QUERY_STRING} =~ /pass=1/\"\n</LocationMatch>\n\
         <If \"%{REQUEST_METHOD} == 'DELETE'\">\nRequire all denied\n</If>\n\
         <Location /app/read>\n<LimitExcept GET>\nRequire all denied\n</LimitExcept>\n</Location>",
    );
    for (method, path, status) in [
        ("GET", "/app/never/x", 403),
        ("GET", "/app/a/../never", 403),
        ("GET", "/app/elsewhere", 403),
        ("GET", "/app/here", 200),
        ("GET", "/app/old/x", 403),
        ("GET", "/app/12", 403),
        ("GET", "/app/12?pass=1", 200),
        ("GET", "/app/12;v=1", 403),
        ("DELETE", "/app/x", 403),
        ("PUT", "/app/x", 200),
        ("GET", "/app/read", 200),
        ("HEAD", "/app/read", 200),
        ("POST", "/app/read", 403),
    ] {
        let before = backend.requests().len();
        let answer = client::request(httpd.port(), method, path, &[], b"");
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(backend.requests().len() - before, usize::from(status == 200), "{method} {path}");
    }
}
