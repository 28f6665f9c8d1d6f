//! The directives: one entry each, with where it may stand, its arguments, its documentation and what it does.
//!
//! Adding a directive is one entry of [`TABLE`] and one function; httpd's command table and the documentation follow.

mod forwarding;
mod logging;
mod mounts;
mod waiting;
mod workers;

use super::config::{Located, ServerConf};
use crate::engine::config::diagnostic::Origin;
use crate::engine::config::indicators::Indicator;
use crate::engine::text::Escaped;
use crate::ffi::command::{Command, Directive, Place, Split};

/// A directive.
pub struct Def {
    command: Directive,
    /// Fewest and most words; ignored for raw lines.
    words: (usize, usize),
    /// Only in the main server.
    global: bool,
    /// Default as shown to administrators.
    default: &'static str,
    /// One sentence for administrators.
    doc: &'static str,
    apply: Apply,
}

type Apply = fn(&Line<'_>, &mut ServerConf) -> Result<(), String>;

/// A directive as written.
struct Line<'c> {
    words: &'c [&'c [u8]],
    origin: Origin,
    section: Option<(&'c [u8], &'c [u8])>,
}

/// An entry for the main server and virtual hosts; the methods make the exceptions.
const fn def(
    name: &'static std::ffi::CStr,
    words: (usize, usize),
    default: &'static str,
    usage: &'static std::ffi::CStr,
    doc: &'static str,
    apply: Apply,
) -> Def {
    Def {
        command: Directive { name, place: Place::Server, split: Split::Words, usage },
        words,
        global: false,
        default,
        doc,
        apply,
    }
}

impl Def {
    const fn global(mut self) -> Self {
        self.global = true;
        self
    }

    const fn raw(mut self) -> Self {
        self.command.split = Split::Raw;
        self
    }

    const fn in_sections(mut self) -> Self {
        self.command.place = Place::Section;
        self
    }
}

/// An entry that names a variable.
macro_rules! indicator {
    ($name:literal, $default:literal, $indicator:ident, $doc:literal) => {
        def($name, (1, 1), $default, c"the name of an environment variable", $doc, |line, conf| {
            forwarding::indicator(line, conf, Indicator::$indicator)
        })
    };
}

/// All directives.
pub static TABLE: [Def; 41] = [
    def(c"JkWorkersFile", (1, 1), "none", c"the file with the worker properties",
        "The file with the worker properties, relative to ServerRoot.", workers::workers_file).global(),
    def(c"JkWorkerProperty", (1, 1), "none", c"name=value, one line of a workers file",
        "One line of worker properties; may be repeated. Read before JkWorkersFile.", workers::worker_property).global().raw(),
    def(c"JkShmFile", (1, 1), "none", c"a file for shared memory",
        "A file for the memory that the processes share, relative to ServerRoot; the process id is added to its name. Not needed: without it the memory has no name.", workers::shm_file).global(),
    def(c"JkShmSize", (1, 1), "computed", c"a size in KiB", "Accepted and ignored: the size is computed.", workers::shm_size).global(),
    def(c"JkWatchdogInterval", (1, 1), "0", c"seconds",
        "Seconds between two looks of a maintenance thread in each child; 0: maintenance is done along with requests.", workers::watchdog).global(),
    def(c"JkMount", (1, 2), "none", c"a pattern and a worker; inside a section only the worker",
        "Sends the URLs that match the pattern to the worker. Inside <Location> the pattern is the section's own argument.", mounts::mount).in_sections(),
    def(c"JkUnMount", (1, 2), "none", c"a pattern and a worker, or * for all workers",
        "Takes the URLs that match the pattern away from the worker (`*`: from all).", mounts::unmount).in_sections(),
    def(c"JkMountCopy", (1, 1), "Off", c"On, Off, or All (main server only)",
        "On: the virtual host also uses the mounts of the main server. All, in the main server: every virtual host does that does not say Off.", mounts::mount_copy),
    def(c"JkMountFile", (1, 1), "none", c"a file with mount rules",
        "A file with mount rules (uriworkermap.properties), relative to ServerRoot. It is read again when it changes.", mounts::mount_file),
    def(c"JkMountFileReload", (1, 1), "60", c"seconds", "Seconds between two looks at JkMountFile; 0: it is not read again.", mounts::mount_file_reload),
    def(c"JkAutoAlias", (1, 1), "none", c"a directory",
        "URLs that no mount covers are served from this directory (Tomcat's webapps), WEB-INF and META-INF excepted. Relative to ServerRoot.", mounts::auto_alias),
    def(c"JkStripSession", (1, 2), "Off", c"On or Off, and the session identifier with its semicolon",
        "On: the session identifier (default `;jsessionid`) is removed from URLs that are served by httpd itself.", mounts::strip_session),
    def(c"JkLogFile", (1, 1), "logs/mod_jk.log", c"a file, |program, or error_log",
        "Where the log goes: a file relative to ServerRoot, a program after `|`, or `error_log` for httpd's ErrorLog.", logging::log_file),
    def(c"JkLogLevel", (1, 1), "info", c"trace, debug, info, warn, error or emerg", "Lines below this level are not written.", logging::log_level),
    def(c"JkLogStampFormat", (1, 1), "`[%a %b %d %H:%M:%S.%Q %Y] `", c"a strftime format",
        "How a line begins: a strftime format, with %Q for milliseconds and %q for microseconds.", logging::stamp_format),
    def(c"JkRequestLogFormat", (1, 1), "none", c"a format", "One line in the log for each forwarded request, made of text and %w %R %T %r %U %q %s %b %B %H %m %p %v %V.", logging::request_log),
    def(c"JkOptions", (0, 0), "+ForwardURIProxy +ForwardKeySize", c"options, each with + or -",
        "ForwardURIProxy, ForwardURICompat, ForwardURICompatUnparsed, ForwardURIEscaped, ForwardDirectories, ForwardLocalAddress, ForwardPhysicalAddress, FlushPackets, FlushHeader, DisableReuse, ForwardSSLCertChain, ForwardKeySize, RejectUnsafeURI.", forwarding::options).raw(),
    def(c"JkEnvVar", (1, 2), "none", c"the name of a variable, and its default",
        "Sends the environment variable to the backend as a request attribute.", forwarding::env_var),
    def(c"JkExtractSSL", (1, 1), "On", c"On or Off", "Off: the backend never learns of TLS.", forwarding::extract_ssl),
    def(c"JkTrace", (1, 1), "Off", c"On or Off",
        "On: requests get a step of their own in the trace that `traceparent` names, or a new trace; the note JK_TRACE_ID and the log name it. Off: `traceparent` and `tracestate` pass as they are.", forwarding::trace),
    def(c"JkAsync", (1, 1), "Auto", c"Auto, On or Off",
        "On: a request that waits for its backend or a slow client holds no thread (MPM event). Auto: on with the versions of httpd it was tested with, and 8 threads or more in each process.", waiting::mode),
    def(c"JkAsyncDelay", (1, 1), "50", c"milliseconds",
        "Milliseconds that a request waits with its thread before it gives it back, while less than half of the threads do so. Every one waits for 10 as long as most are over by then.", waiting::delay),
    def(c"JkAsyncLimit", (1, 1), "a quarter of the descriptors a process may open", c"a number of requests",
        "Requests that may wait without a thread in one process; more wait with one.", waiting::limit).global(),
    indicator!(c"JkWorkerIndicator", "JK_WORKER_NAME", Worker, "Variable that names the worker of a request that SetHandler jakarta-servlet gives to the module."),
    indicator!(c"JkRequestIdIndicator", "UNIQUE_ID", RequestId, "Variable with the request id shown in the log."),
    indicator!(c"JkRemoteAddrIndicator", "JK_REMOTE_ADDR", RemoteAddr, "Variable that replaces the client address."),
    indicator!(c"JkRemotePortIndicator", "JK_REMOTE_PORT", RemotePort, "Variable that replaces the client port."),
    indicator!(c"JkRemoteHostIndicator", "JK_REMOTE_HOST", RemoteHost, "Variable that replaces the client host name."),
    indicator!(c"JkRemoteUserIndicator", "JK_REMOTE_USER", RemoteUser, "Variable that replaces the user."),
    indicator!(c"JkAuthTypeIndicator", "JK_AUTH_TYPE", AuthType, "Variable that replaces the authentication scheme."),
    indicator!(c"JkLocalNameIndicator", "JK_LOCAL_NAME", LocalName, "Variable that replaces the server name."),
    indicator!(c"JkLocalPortIndicator", "JK_LOCAL_PORT", LocalPort, "Variable that replaces the server port (1 to 65535)."),
    indicator!(c"JkLocalAddrIndicator", "JK_LOCAL_ADDR", LocalAddr, "Variable that replaces the local address."),
    indicator!(c"JkIgnoreCLIndicator", "JK_IGNORE_CL", IgnoreContentLength, "Variable that, when set, has the body sent as one of unknown length (an input filter changes it)."),
    indicator!(c"JkHTTPSIndicator", "HTTPS", Https, "Variable that is `on` for a secure connection."),
    indicator!(c"JkSSLPROTOCOLIndicator", "SSL_PROTOCOL", SslProtocol, "Variable with the TLS version."),
    indicator!(c"JkCERTSIndicator", "SSL_CLIENT_CERT", Certs, "Variable with the client certificate."),
    indicator!(c"JkCIPHERIndicator", "SSL_CIPHER", Cipher, "Variable with the cipher suite."),
    indicator!(c"JkSESSIONIndicator", "SSL_SESSION_ID", Session, "Variable with the TLS session id."),
    indicator!(c"JkKEYSIZEIndicator", "SSL_CIPHER_USEKEYSIZE", KeySize, "Variable with the key size."),
    indicator!(c"JkCERTCHAINPrefix", "SSL_CLIENT_CERT_CHAIN_", CertChainPrefix, "Prefix of the variables with the certificate chain."),
];

/// The same for httpd.
pub static COMMANDS: [Directive; TABLE.len()] = {
    let mut commands = [TABLE[0].command; TABLE.len()];
    let mut i = 0;
    while i < TABLE.len() {
        commands[i] = TABLE[i].command;
        i += 1;
    }
    commands
};

/// Takes a directive into the record of its server.
///
/// # Errors
/// A message for the administrator.
pub fn apply(command: &Command<'_>, conf: &mut ServerConf) -> Result<(), String> {
    let Some(def) = TABLE.get(command.index) else { return Err("unknown directive".to_owned()) };
    let name = def.command.name.to_string_lossy();
    if def.global && conf.is_virtual {
        return Err(format!("{name} cannot stand in a <VirtualHost>; move it to the main server"));
    }
    let usage = def.command.usage.to_string_lossy();
    if def.command.split == Split::Words {
        let (least, most) = def.words;
        if command.words.len() < least || command.words.len() > most {
            let count = if least == most { least.to_string() } else { format!("{least} or {most}") };
            return Err(format!("{name} takes {count} argument(s): {usage}"));
        }
        if command.words.first().is_some_and(|word| word.is_empty()) {
            return Err(format!("{name} needs an argument: {usage}"));
        }
    }
    let (file, line) = command.position();
    let line = Line {
        words: &command.words,
        origin: Origin::new(String::from_utf8_lossy(file).into_owned(), line),
        section: command.section(),
    };
    (def.apply)(&line, conf)
}

/// The table as Markdown.
pub fn markdown() -> String {
    let mut text = String::from("| Directive | Where | Default | What it does |\n|---|---|---|---|\n");
    for def in &TABLE {
        let place = match (def.global, def.command.place) {
            (true, _) => "main server",
            (false, Place::Server) => "main server, virtual host",
            (false, Place::Section) => "main server, virtual host, `<Location>`",
        };
        let doc = def.doc.replace('|', "\\|").replace('<', "&lt;");
        let name = def.command.name.to_string_lossy();
        text.push_str(&format!("| `{name}` | {place} | {} | {doc} |\n", def.default));
    }
    text
}

impl Line<'_> {
    fn word(&self, index: usize) -> &[u8] {
        self.words.get(index).copied().unwrap_or_default()
    }

    fn text(&self, index: usize) -> String {
        String::from_utf8_lossy(self.word(index)).into_owned()
    }

    fn located(&self) -> Located<Vec<u8>> {
        Located { value: self.word(0).to_vec(), origin: self.origin.clone() }
    }

    /// On or Off.
    fn switch(&self, name: &str) -> Result<bool, String> {
        let word = self.word(0);
        if word.eq_ignore_ascii_case(b"On") {
            Ok(true)
        } else if word.eq_ignore_ascii_case(b"Off") {
            Ok(false)
        } else {
            Err(format!("{name} is On or Off, not \"{}\"", Escaped(word)))
        }
    }

    /// A plain number of seconds.
    fn seconds(&self, name: &str) -> Result<u32, String> {
        self.text(0)
            .parse()
            .map_err(|_| format!("{name} is a number of seconds, not \"{}\"", Escaped(self.word(0))))
    }
}
