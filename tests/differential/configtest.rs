//! Which configurations are accepted: by the configuration test (`httpd -t`), and by a start.

use crate::report::Report;
use crate::support::Httpd;
use crate::support::httpd::original_mod_jk;

/// A configuration and, where the modules do not agree about it, the row that says why.
struct Row {
    /// Lines of the main server; a line `workers: x` belongs to the workers file, `file: x` to conf/mounts.
    conf: &'static str,
    differs: Option<&'static str>,
    /// Is started too: the configuration test of mod_jk does not look at the workers.
    start: bool,
}

const fn same(conf: &'static str) -> Row {
    Row { conf, differs: None, start: false }
}

const fn differs(conf: &'static str, row: &'static str) -> Row {
    Row { conf, differs: Some(row), start: false }
}

const fn starting(row: Row) -> Row {
    Row { start: true, ..row }
}

const ROWS: &[Row] = &[
    same("JkMount /a"),
    same("JkUnMount /a"),
    same("<Location /a>\nJkMount /b w1\n</Location>"),
    same("<Location /a>\nJkMount w1\n</Location>"),
    same("JkMount a w1"),
    same("JkMount *.jsp w1"),
    same("JkMount !/a w1"),
    same("JkMount /a w1 x"),
    same("<LocationMatch \"^/a\">\nJkMount w1\n</LocationMatch>"),
    same("<LocationMatch \"/a\">\nJkMount w1\n</LocationMatch>"),
    same("<Files foo>\nJkMount w1\n</Files>"),
    same("<If \"true\">\nJkMount w1\n</If>"),
    differs("<Directory /srv/foo>\nJkMount w1\n</Directory>", "DIFF-mount-directory"),
    same("JkMount /a nosuch"),
    differs("JkMount /a w11", "DIFF-unknown-worker"),
    differs("JkMount /a unlisted\nworkers: worker.unlisted.port=1", "DIFF-unknown-worker"),
    starting(same("JkMount /a nosuch\n# started")),
    same("JkMountCopy Yes"),
    same("JkMountCopy On"),
    same("JkMountCopy All"),
    same("<VirtualHost *:1>\nJkMountCopy All\n</VirtualHost>"),
    same("<VirtualHost *:1>\nJkMountCopy on\n</VirtualHost>"),
    same("<VirtualHost *:1>\nJkWorkersFile conf/workers.properties\n</VirtualHost>"),
    same("JkWorkersFile conf/workers.properties"),
    same("JkWorkersFile conf/missing"),
    differs("workers: worker.w1.foo=1", "DIFF-checked-workers"),
    differs("workers: worker.w1.type=foo", "DIFF-checked-workers"),
    differs("workers: worker.w1.mount=m/*", "DIFF-checked-workers"),
    same("workers: worker.list=l\nworkers: worker.l.type=lb\nworkers: worker.l.balance_workers=w1,w2"),
    differs("workers: worker.list=l\nworkers: worker.l.type=lb", "DIFF-checked-workers"),
    differs(
        "workers: worker.list=l\nworkers: worker.l.type=lb\nworkers: worker.l.balance_workers=w1,k\nworkers: worker.k.type=lb\nworkers: worker.k.balance_workers=w1",
        "DIFF-members",
    ),
    differs(
        "workers: worker.list=l\nworkers: worker.l.type=lb\nworkers: worker.l.balance_workers=w1,w2\nworkers: worker.l.set_session_cookie=1",
        "DIFF-own-cookie",
    ),
    same(
        "workers: worker.list=l\nworkers: worker.l.type=lb\nworkers: worker.l.balance_workers=w1,w2\nworkers: worker.l.set_session_cookie=1\nworkers: worker.l.session_cookie=R",
    ),
    same("workers: no equals sign"),
    same("JkMountFile conf/missing"),
    same("JkMountFile conf"),
    same("JkMountFile conf/mounts\nfile: /a/*=w1"),
    differs("JkMountFile conf/mounts\nfile: !-/a/*=w1", "DIFF-bad-mount-file"),
    same("JkMountFile conf/mounts\nfile: /a/*=nosuch"),
    differs("JkMountFile conf/mounts\nfile: /a/*=w11", "DIFF-unknown-worker"),
    differs("JkMountFileReload abc", "DIFF-numbers"),
    differs("JkMountFileReload -5", "DIFF-numbers"),
    same("JkMountFileReload 0"),
    same("<VirtualHost *:1>\nJkWatchdogInterval 5\n</VirtualHost>"),
    same("<VirtualHost *:1>\nJkShmFile x\n</VirtualHost>"),
    same("<VirtualHost *:1>\nJkShmSize 100\n</VirtualHost>"),
    same("JkWatchdogInterval 5"),
    same("JkWatchdogInterval abc"),
    same("JkShmSize 1"),
    differs("JkLogLevel verbose", "DIFF-log-level"),
    same("JkLogLevel DEBUG"),
    same("JkLogLevel emerg"),
    same("JkLogFile \"\""),
    same("JkLogFile logs/other.log"),
    same("JkLogFile nodir/x.log"),
    starting(same("JkLogFile nodir/x.log\n# started")),
    same("JkStripSession Maybe"),
    same("JkStripSession on ;sid"),
    same("JkStripSession Off"),
    differs("JkRequestLogFormat \"%w %Z\"", "DIFF-request-log-format"),
    differs("JkRequestLogFormat \"%w %%\"", "DIFF-request-log-format"),
    same("JkRequestLogFormat \"%w %U %s\""),
    same("JkLogStampFormat \"%H:%M:%S.%Q \""),
    same("JkOptions +Foo"),
    same("JkOptions +ForwardSSLKeySize"),
    same("JkOptions +"),
    same("JkOptions \"+FlushPackets -FlushHeader\""),
    same("JkOptions -ForwardURIProxy"),
    same("JkOptions -ForwardURIFoo"),
    same("JkOptions"),
    same("JkOptions +flushpackets"),
    same("JkOptions -CollapseSlashesNone"),
    same("JkOptions CollapseSlashesNone"),
    same("JkExtractSSL maybe"),
    same("JkExtractSSL off"),
    same("JkWorkerProperty worker.w1.foo"),
    same("JkWorkerProperty worker.w1.foo=1"),
    same("JkWorkerProperty"),
    same("JkWorkerProperty foo=1"),
    same("<VirtualHost *:1>\nJkWorkerProperty a=b\n</VirtualHost>"),
    same("JkEnvVar A B C"),
    same("JkEnvVar A"),
    differs("JkEnvVar javax.servlet.include.servlet_path /WEB-INF/web.xml", "DIFF-reserved-attributes"),
    same("<Location /a>\nJkEnvVar A\n</Location>"),
    same("<Location /a>\nJkMountFile conf/mounts\n</Location>\nfile: /a=w1"),
    same("JkWorkerIndicator"),
    same("JkHTTPSIndicator A"),
    same("JkAutoAlias /nowhere"),
    same("JkUnknown On"),
];

/// Rows of docs/differences.md that are named here.
pub fn rows() -> impl Iterator<Item = &'static str> {
    ROWS.iter().filter_map(|row| row.differs)
}

/// Asks both modules about every configuration.
pub fn run(report: &mut Report) {
    let outcomes = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| ROWS.iter().map(|row| outcome(row, true)).collect::<Vec<_>>());
        let ours: Vec<_> = ROWS.iter().map(|row| outcome(row, false)).collect();
        theirs.join().expect("the run with mod_jk failed").into_iter().zip(ours)
    });
    for (row, (theirs, ours)) in ROWS.iter().zip(outcomes) {
        report.configuration(row.conf, theirs, ours, row.differs);
    }
}

fn outcome(row: &Row, original: bool) -> &'static str {
    let mut conf = String::new();
    let mut workers =
        "worker.list=w1\nworker.w1.type=ajp13\nworker.w1.port=1\nworker.w1.host=127.0.0.1\n".to_owned();
    let mut builder = Httpd::builder();
    for line in row.conf.lines() {
        if let Some(line) = line.strip_prefix("workers: ") {
            workers += &format!("{line}\n");
        } else if let Some(line) = line.strip_prefix("file: ") {
            builder = builder.file("conf/mounts", format!("{line}\n"));
        } else {
            conf += &format!("{line}\n");
        }
    }
    builder = builder.workers(workers).conf(conf).allow_log("[emerg]").allow_log(":emerg]");
    if original {
        builder = builder.module(original_mod_jk());
    }
    let mut httpd = builder.prepare();
    let good = if row.start { httpd.launch().is_ok() } else { httpd.configtest().0 };
    if good { "accepted" } else { "refused" }
}
