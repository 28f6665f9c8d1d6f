//! Together with other modules of httpd: server-side includes, authentication, compression, mod_proxy.

use crate::case::{World, answer, get, plain};

pub fn worlds() -> Vec<World> {
    vec![includes(), users()]
}

fn includes() -> World {
    let mut world = World::new("includes");
    world.modules = vec!["include", "deflate", "filter"];
    world.file("htdocs/page.shtml", "before <!--#include virtual=\"/app/part?x=1\" --> after\n");
    world.file(
        "htdocs/two.shtml",
        "<!--#include virtual=\"/app/a\" -->|<!--#include virtual=\"/app/b\" -->\n",
    );
    world.file("htdocs/file.shtml", "<!--#include file=\"static.txt\" -->\n");
    let vhost = world.vhost("JkMount /app/* w1\nAddType text/html .shtml\nAddOutputFilter INCLUDES .shtml\n<Directory \"@ROOT@\">\nOptions +Includes\n</Directory>");
    for target in ["/page.shtml", "/two.shtml", "/file.shtml"] {
        world.add(get(vhost, target).answer(plain("included")));
        world.add(get(vhost, target).method("HEAD").answer(plain("included")));
        world.add(get(vhost, target).answer(answer(404, &[], "missing part")));
        world.add(get(vhost, target).answer(answer(
            200,
            &[("X-Part", "1"), ("Set-Cookie", "a=b")],
            "included",
        )));
    }
    let deflate = world.vhost("JkMount /app/* w1\nAddOutputFilterByType DEFLATE text/plain");
    let text = "compressible ".repeat(20);
    world.add(get(deflate, "/app/x").header("Accept-Encoding", "gzip").answer(plain(&text)));
    world.add(get(deflate, "/app/x").answer(plain(&text)));
    world.add(get(deflate, "/app/x").header("Accept-Encoding", "gzip").answer(answer(
        200,
        &[("Content-Type", "TEXT/Plain;x=y")],
        &text,
    )));
    world
}

fn users() -> World {
    let mut world = World::new("users");
    world.modules = vec!["authn_core", "authn_file", "auth_basic", "authz_user"];
    // alice, with the password "wonder".
    world.file("conf/users", "alice:{SHA}w3QkzGJswDXW5OKZHAJw0FELjfM=\n");
    let vhost = world.vhost(
        "JkMount /* w1\n<Location /locked>\nAuthType Basic\nAuthName area\nAuthBasicProvider file\n\
         AuthUserFile \"@ROOT@/conf/users\"\nRequire valid-user\n</Location>",
    );
    for header in ["Basic YWxpY2U6d29uZGVy", "Basic YWxpY2U6d3Jvbmc=", "Bearer x"] {
        world.add(get(vhost, "/locked/x").header("Authorization", header));
        world.add(get(vhost, "/open").header("Authorization", header));
    }
    world.add(get(vhost, "/locked;p/x"));
    world.add(get(vhost, "/locked/x").method("POST").body("abc"));
    let replaced = world.vhost("JkMount /* w1\nSetEnv JK_REMOTE_USER \"\"\nSetEnv JK_AUTH_TYPE \"\"");
    world.add(get(replaced, "/x").header("Authorization", "Basic YWxpY2U6d29uZGVy"));
    world
}
