//! What administrators steer by environment variables, options and indicators.

use crate::case::{World, answer, get, plain};

pub fn worlds() -> Vec<World> {
    vec![variables(), env_vars(), options(), tls(), handlers(), properties(), logs()]
}

/// The variables that replace what httpd knows, under their own and under other names.
fn variables() -> World {
    let mut world = World::new("variables");
    let names = [
        ("JkRemoteAddrIndicator", "JK_REMOTE_ADDR", "192.0.2.7"),
        ("JkRemotePortIndicator", "JK_REMOTE_PORT", "4711"),
        ("JkRemoteHostIndicator", "JK_REMOTE_HOST", "client.example"),
        ("JkRemoteUserIndicator", "JK_REMOTE_USER", "alice"),
        ("JkAuthTypeIndicator", "JK_AUTH_TYPE", "Form"),
        ("JkLocalNameIndicator", "JK_LOCAL_NAME", "front.example"),
        ("JkLocalPortIndicator", "JK_LOCAL_PORT", "8443"),
        ("JkLocalAddrIndicator", "JK_LOCAL_ADDR", "192.0.2.9"),
    ];
    for (directive, name, value) in names {
        for value in [value, "", "0", "x y"] {
            world.gets(&format!("JkMount /* w1\nSetEnv {name} \"{value}\""), &["/v"]);
        }
        world.gets(
            &format!("JkMount /* w1\n{directive} OTHER\nSetEnv OTHER \"{value}\"\nSetEnv {name} wrong"),
            &["/v"],
        );
        let by_header = format!("JkMount /* w1\nSetEnvIf X-V (.+) {name}=$1");
        let vhost = world.vhost(&by_header);
        world.add(get(vhost, "/v").header("X-V", value));
        world.add(get(vhost, "/v"));
    }
    for port in ["70000", "65535", "1", "-1", "8080x", "abc"] {
        world.gets(&format!("JkMount /* w1\nSetEnv JK_LOCAL_PORT {port}"), &["/v"]);
    }
    // Inherited by virtual hosts, and with another name in the main server.
    world.main("JkRemoteUserIndicator MAIN_USER");
    world.gets("JkMount /* w1\nSetEnv MAIN_USER bob", &["/v"]);
    world.gets(
        "JkMount /* w1\nJkRemoteUserIndicator OWN_USER\nSetEnv MAIN_USER bob\nSetEnv OWN_USER carol",
        &["/v"],
    );
    world.gets("JkMount /* w1\nSetEnv JK_ROUTE node1", &["/v", "/v;jsessionid=x.node2"]);
    world.gets("JkMount /* w1\nSetEnv JK_ROUTE \"\"", &["/v"]);
    world.gets(
        "JkMount /* w1\nSetEnv JK_STICKY_IGNORE 1\nSetEnv JK_STATELESS 1\nSetEnv JK_REPLY_TIMEOUT 20000",
        &["/v"],
    );
    world.gets("JkMount /* w1\nUseCanonicalName On", &["/v"]);
    world.gets("JkMount /* w1\nUseCanonicalName On\nUseCanonicalPhysicalPort On", &["/v"]);
    world.gets("JkMount /* w1\nUseCanonicalPhysicalPort On", &["/v"]);
    let on = world.vhost("JkMount /* w1\nServerAlias *.alias.test");
    world.add(get(on, "/v").header("Host", "x.alias.test"));
    world.add(get(on, "/v").header("Host", "x.alias.test:81"));
    world
}

fn env_vars() -> World {
    let mut world = World::new("env-vars");
    world.main("JkEnvVar INHERITED from-main\nJkEnvVar REPLACED from-main");
    for conf in [
        "JkEnvVar A\nSetEnv A value",
        "JkEnvVar A\n",
        "JkEnvVar A default",
        "JkEnvVar A default\nSetEnv A value",
        "JkEnvVar A default\nSetEnv A \"\"",
        "JkEnvVar A \"\"",
        "JkEnvVar A \"two words\"",
        "JkEnvVar a one\nSetEnv A upper",
        "JkEnvVar A one\nJkEnvVar A two",
        "JkEnvVar A one\nJkEnvVar a two",
        "JkEnvVar A one\nJkEnvVar B two\nJkEnvVar A",
        "JkEnvVar B 2\nJkEnvVar A 1\nJkEnvVar C 3",
        "JkEnvVar REPLACED own",
        "JkEnvVar REPLACED\nSetEnv REPLACED set",
        "JkEnvVar REMOTE_ADDR\nJkEnvVar SERVER_NAME\nJkEnvVar SERVER_PORT\nJkEnvVar SERVER_ADDR\nJkEnvVar REMOTE_PORT",
        "JkEnvVar DOCUMENT_ROOT\nJkEnvVar SERVER_SOFTWARE\nJkEnvVar HTTP_HOST\nJkEnvVar HTTP_X_ONE\nJkEnvVar HTTP_AUTHORIZATION",
        "JkEnvVar REQUEST_METHOD\nJkEnvVar QUERY_STRING\nJkEnvVar REQUEST_URI\nJkEnvVar SCRIPT_NAME\nJkEnvVar PATH_INFO\nJkEnvVar SERVER_PROTOCOL\nJkEnvVar GATEWAY_INTERFACE",
        "JkEnvVar E\nSetEnvIf X-One (.*) E=$1",
        "JkEnvVar R\nRewriteEngine On\nRewriteRule ^ - [E=R:rewritten]",
        "JkEnvVar L\nSetEnvIf X-Latin (.*) L=$1",
    ] {
        let vhost = world.vhost(&format!("JkMount /* w1\n{conf}"));
        world.add(get(vhost, "/e").header("X-One", "1").header("X-Latin", "caf\u{e9}"));
        world.add(get(vhost, "/e?x=1"));
    }
    world
}

fn options() -> World {
    let mut world = World::new("options");
    world.main("JkOptions +FlushPackets +ForwardLocalAddress");
    for options in [
        "+ForwardLocalAddress",
        "+ForwardPhysicalAddress",
        "-ForwardLocalAddress",
        "-ForwardLocalAddress -ForwardPhysicalAddress",
        "+DisableReuse",
        "-FlushPackets",
        "+FlushHeader",
        "+FlushPackets +FlushHeader",
        "+RejectUnsafeURI",
        "-RejectUnsafeURI",
        "+ForwardDirectories",
        "+CollapseSlashesAll",
        "+CollapseSlashesNone",
        "+CollapseSlashesUnmount",
        "-CollapseSlashesNone",
        "+ForwardSSLCertChain",
        "-ForwardKeySize",
        "",
    ] {
        let vhost = world.vhost(&format!("JkMount /* w1\nJkOptions {options}"));
        world.add(get(vhost, "/o"));
        world.add(get(vhost, "/o//x"));
        world.add(get(vhost, "/o%25x"));
        world.add(get(vhost, "/o").answer(plain(&"long ".repeat(5000))));
    }
    for conf in [
        "JkOptions +ForwardLocalAddress\nJkOptions +ForwardPhysicalAddress",
        "JkOptions +ForwardPhysicalAddress\nJkOptions -ForwardLocalAddress",
        "JkOptions -DisableReuse\nJkOptions +DisableReuse",
        "JkOptions +DisableReuse\nJkOptions -DisableReuse",
    ] {
        world.gets(&format!("JkMount /* w1\n{conf}"), &["/o", "/o", "/o"]);
    }
    // The client's address by mod_remoteip.
    let remote = world.vhost("JkMount /* w1\nRemoteIPHeader X-Real\nJkOptions -ForwardLocalAddress");
    let physical = world.vhost(
        "JkMount /* w1\nRemoteIPHeader X-Real\nJkOptions +ForwardPhysicalAddress -ForwardLocalAddress",
    );
    for vhost in [remote, physical] {
        world.add(get(vhost, "/o").header("X-Real", "192.0.2.55"));
        world.add(get(vhost, "/o"));
    }
    world.modules = vec!["remoteip"];
    world
}

fn tls() -> World {
    let mut world = World::new("tls");
    let pem = "-----BEGIN CERTIFICATE-----MIIB-----END CERTIFICATE-----";
    let all = format!(
        "SetEnv SSL_PROTOCOL TLSv1.3\nSetEnv SSL_CIPHER TLS_AES_256_GCM_SHA384\nSetEnv SSL_SESSION_ID abcdef\n\
         SetEnv SSL_CIPHER_USEKEYSIZE 256\nSetEnv SSL_CLIENT_CERT \"{pem}\"\n\
         SetEnv SSL_CLIENT_CERT_CHAIN_0 \"{pem}0\"\nSetEnv SSL_CLIENT_CERT_CHAIN_1 \"{pem}1\""
    );
    for conf in [
        "SetEnv HTTPS on".to_owned(),
        "SetEnv HTTPS ON".to_owned(),
        "SetEnv HTTPS off".to_owned(),
        "SetEnv HTTPS yes".to_owned(),
        format!("SetEnv HTTPS on\n{all}"),
        format!("{all}\nSetEnv HTTPS off"),
        format!("SetEnv HTTPS on\n{all}\nJkExtractSSL Off"),
        format!("SetEnv HTTPS on\n{all}\nJkOptions +ForwardSSLCertChain"),
        format!("SetEnv HTTPS on\n{all}\nJkOptions -ForwardKeySize"),
        "SetEnv HTTPS on\nJkOptions +ForwardSSLCertChain\nSetEnv SSL_CLIENT_CERT leaf\nSetEnv SSL_CLIENT_CERT_CHAIN_1 one\nSetEnv SSL_CLIENT_CERT_CHAIN_0 zero".to_owned(),
        "SetEnv HTTPS on\nJkOptions +ForwardSSLCertChain\nSetEnv SSL_CLIENT_CERT_CHAIN_0 zero".to_owned(),
        "SetEnv HTTPS on\nSetEnv SSL_CIPHER \"\"\nSetEnv SSL_SESSION_ID \"\"\nSetEnv SSL_CLIENT_CERT \"\"\nSetEnv SSL_PROTOCOL \"\"".to_owned(),
        "SetEnv HTTPS on\nSetEnv SSL_CIPHER_USEKEYSIZE 128bit".to_owned(),
        "SetEnv HTTPS on\nSetEnv SSL_CIPHER_USEKEYSIZE none".to_owned(),
        "SetEnv HTTPS on\nSetEnv SSL_CIPHER_USEKEYSIZE 70000".to_owned(),
        "JkHTTPSIndicator SECURE\nSetEnv SECURE on\nSetEnv SSL_CIPHER c".to_owned(),
        "JkHTTPSIndicator SECURE\nSetEnv HTTPS on".to_owned(),
        "SetEnv HTTPS on\nJkSSLPROTOCOLIndicator P\nJkCERTSIndicator C\nJkCIPHERIndicator I\nJkSESSIONIndicator S\nJkKEYSIZEIndicator K\nJkCERTCHAINPrefix N_\nJkOptions +ForwardSSLCertChain\nSetEnv P TLSv1\nSetEnv C cert\nSetEnv I ciph\nSetEnv S sess\nSetEnv K 112\nSetEnv N_0 zero\nSetEnv N_1 one".to_owned(),
        format!("SetEnvIf X-Secure on HTTPS=on\n{all}"),
    ] {
        let vhost = world.vhost(&format!("JkMount /* w1\n{conf}"));
        world.add(get(vhost, "/s"));
        world.add(get(vhost, "/s").header("X-Secure", "on"));
    }
    world
}

/// Requests that come by SetHandler or are kept away by no-jk.
fn handlers() -> World {
    let mut world = World::new("handlers");
    let targets = [
        "/app/x",
        "/app/",
        "/app",
        "/app/static.txt",
        "/static.txt",
        "/other/x.jsp",
        "/",
        "/app/%20x",
        "/app/a;b=c/d",
        "/app/..;/app/x",
        "/app/x/..;/y",
        "/app/s/x",
        "/d/",
        "/sub",
    ];
    for conf in [
        "<Location /app>\nSetHandler jakarta-servlet\n</Location>\nSetEnv JK_WORKER_NAME w1",
        "<Location /app>\nSetHandler jakarta-servlet\nSetEnv JK_WORKER_NAME w2\n</Location>",
        "<Location /app>\nSetHandler jakarta-servlet\nSetEnv JK_WORKER_NAME nosuch\n</Location>",
        "<Location /app>\nSetHandler jakarta-servlet\n</Location>\nJkWorkerIndicator W\nSetEnv W w3\nSetEnv JK_WORKER_NAME w1",
        "<Location /app>\nSetHandler jakarta-servlet\n</Location>",
        "<FilesMatch \"\\.txt$\">\nSetHandler jakarta-servlet\n</FilesMatch>",
        "<FilesMatch \"\\.txt$\">\nSetHandler jakarta-servlet\n</FilesMatch>\nSetEnv JK_WORKER_NAME w1",
        "JkMount /app/* w1\n<Location /app>\nSetHandler jakarta-servlet\n</Location>\nSetEnv JK_WORKER_NAME w2",
        "JkMount /app/* w1\nJkUnMount /app/s/* w2\n<Location /app/s>\nSetHandler jakarta-servlet\nSetEnv JK_WORKER_NAME w2\n</Location>",
        "SetEnv JK_WORKER_NAME w1\nJkOptions +ForwardDirectories",
        "JkMount /* w1\nSetEnvIf Request_URI ^/app/ no-jk",
        "JkMount /* w1\nSetEnvIf Request_URI ^/app/ no-jk=0",
        "JkMount /* w1\nRewriteEngine On\nRewriteRule ^/app/ - [E=no-jk:1]",
        "JkMount /* w1\n<Location /app>\nSetEnv no-jk 1\n</Location>",
        "JkMount /* w1\n<Location /app>\nSetHandler server-nothing\n</Location>",
        "JkMount /* w1\n<Location /app>\nSetHandler None\n</Location>",
        "AddHandler jakarta-servlet .txt\nSetEnv JK_WORKER_NAME w2",
        "RewriteEngine On\nRewriteRule ^/app/(.*) - [H=jakarta-servlet,E=JK_WORKER_NAME:w3,PT]",
        "JkMount /app/* w1\nAlias /app \"@ROOT@/htdocs/d\"",
        "JkMount /app/* w1\nAlias /app \"@ROOT@/htdocs/d\"\nSetEnvIf Request_URI ^/app/ no-jk",
        "JkMount /app/* w1\nRewriteEngine On\nRewriteRule ^/other/(.*)$ /app/$1 [PT]",
        "JkMount /app/* w1\nRewriteEngine On\nRewriteRule ^/app/(.*)$ /static.txt [PT]",
        "JkMount /app/* w1\nRewriteEngine On\nRewriteRule ^/app/(.*)$ /elsewhere/$1 [R=302,L]",
        "JkMount /app/* w1\nRedirect /app/x http://elsewhere.test/y",
        "JkMount /app/* nosuch",
        "JkMount /app/* refused",
        "JkMount /app/* \"w1 ; use_server_errors=500\"",
        "JkMount /* w1\n<Location /app>\nRequire all denied\n</Location>",
        "JkMount /* w1\n<Location /app>\nHeader set X-Section yes\n</Location>\n<Directory \"@ROOT@\">\nHeader set X-Directory yes\n</Directory>",
    ] {
        world.gets(conf, &targets);
    }
    world
}

/// Worker properties with an effect that can be seen.
fn properties() -> World {
    let mut world = World::new("properties");
    world.workers = "worker.w2.fail_on_status=503,-404\nworker.w3.max_packet_size=16384\nworker.w4.retries=1\n\
        worker.w5.secret=s3cret\nworker.w6.route=node6\nworker.w6.recovery_options=4\nworker.refused.retries=1\n"
        .into();
    let vhost = world.vhost("JkMount /w2/* w2\nJkMount /w3/* w3\nJkMount /w4/* w4\nJkMount /w5/* w5\nJkMount /w6/* w6\nJkMount /r/* refused");
    for status in [200, 404, 500, 503] {
        for worker in ["w2", "w3", "w4"] {
            let text = answer(status, &[("Content-Type", "text/plain")], "page of the backend\n");
            world.add(get(vhost, &format!("/{worker}/x")).answer(text));
        }
    }
    for method in ["POST", "PATCH", "PUT", "HEAD", "DELETE"] {
        for status in [404, 503] {
            let text = answer(status, &[("Content-Type", "text/plain")], "page of the backend\n");
            let case = get(vhost, "/w2/x").method(method).answer(text);
            world.add(case.clone());
            world.add(case.body("abc"));
        }
    }
    for len in [7000, 7900] {
        world.add(get(vhost, "/w3/x").header("X-Long", &"l".repeat(len)));
    }
    let long = crate::support::pattern(40_000);
    world.add(get(vhost, "/w3/x").method("POST").body(long));
    for target in ["/w5/x", "/w6/x", "/w6/x;jsessionid=a.node6", "/r/x"] {
        world.add(get(vhost, target));
    }
    world.add(get(vhost, "/r/x").method("POST").body("lost").followed());
    let close = vec![crate::recorder::Step::Close];
    world.add(get(vhost, "/w4/x").answer(close.clone()));
    world.add(get(vhost, "/w1/x").answer(close.clone()));
    world.add(get(vhost, "/w2/x").answer(close.clone()));
    world.add(get(vhost, "/w2/x").answer(close.clone()).answer(plain("the second time\n")));
    world.add(
        get(vhost, "/w2/x")
            .method("POST")
            .body("once")
            .answer(close.clone())
            .answer(plain("the second time\n")),
    );
    world.add(get(vhost, "/w2/x").method("POST").body("once").answer(close));
    world
}

/// The request log.
fn logs() -> World {
    let mut world = World::new("request-log");
    for format in [
        "RL|%w %U %q %s %b %B %H %m %r",
        "RL|%v %V %T %R %w|",
        "RL|a\\tb\\nRL|c\\\\d %w",
        "RL|plain text",
        "RL|%w%w%s",
    ] {
        let vhost =
            world.vhost(&format!("JkMount /app/* w1\nJkMount /no/* nosuch\nJkRequestLogFormat \"{format}\""));
        for target in
            ["/app/x", "/app/x?q=1&r=2", "/app/a%20b;p=1/../c", "/static.txt", "/no/x", "/app/a%25b?%25"]
        {
            world.add(get(vhost, target));
        }
        world.add(get(vhost, "/app/x").method("HEAD"));
        world.add(get(vhost, "/app/x").method("POST").body("abc").answer(answer(404, &[], "")));
        world.add(get(vhost, "/app/x").http10());
    }
    world.gets("JkMount /app/* w1\nJkRequestLogFormat \"RL|%w %R\"\nSetEnv JK_ROUTE r1", &["/app/x"]);
    world
}
