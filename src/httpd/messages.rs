//! The numbered messages of the log: what each means and what to do about it. `docs/messages.md` is made from this table.

use crate::engine::error::{Cause, ClientFault, Failure, Stage};
use crate::engine::exchange::LinkError;
use crate::engine::tls::Fault;

/// A documented message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// Stable number, `JK` and four digits.
    pub id: &'static str,
    /// When it is written.
    pub meaning: &'static str,
    /// What the administrator can do.
    pub advice: &'static str,
}

macro_rules! messages {
    ($($name:ident = $id:literal, $meaning:literal, $advice:literal;)*) => {
        $(
            #[doc = $meaning]
            pub const $name: Message = Message { id: $id, meaning: $meaning, advice: $advice };
        )*
        /// All messages in order of their numbers.
        pub const ALL: &[Message] = &[$($name),*];
    };
}

messages! {
    CONFIG_ERROR = "JK0001", "The configuration has an error; the line names file, line and cause.",
        "Correct the line it names; `apachectl configtest` shows all errors at once.";
    CONFIG_WARNING = "JK0002", "The configuration is usable, but something in it is odd, deprecated or without effect.",
        "Follow the advice in the message.";
    KEPT_WORKERS = "JK0003",
        "A restart found errors in the workers; the server goes on with the workers it had before.",
        "Correct the errors listed in the lines before it and restart gracefully again.";
    LOG_UNUSABLE = "JK0004", "A log file could not be opened or a log program not started.",
        "Check that the directory exists and that httpd may write there.";
    STARTED = "JK0005", "The module is ready; the line shows version, workers and rules.", "Nothing.";
    LOG_DEFAULT = "JK0006", "No JkLogFile is set, so logs/mod_jk.log below ServerRoot is used.",
        "Set JkLogFile to a file, a pipe, or error_log.";
    UNRESOLVED = "JK0008", "The host name of a worker has no address at start; it is looked up again when it is needed.",
        "Check the name and the DNS; an address instead of a name does not depend on DNS.";
    MOUNTS_RELOADED = "JK0009", "The mount file has changed and its new rules are in force in this process.", "Nothing.";
    MOUNTS_KEPT = "JK0010", "The mount file has changed and cannot be used; the rules stay as they were.",
        "Correct the line it names; the file is read again when it changes.";
    NO_WATCHDOG = "JK0011", "The maintenance thread of a child could not be started; maintenance is not done.",
        "Check the limits on threads and memory.";
    NO_MEMORY = "JK0012", "The memory that the processes of the server share could not be made; the server does not start.",
        "Check the path of JkShmFile, that its directory exists and is writable for the user who starts httpd, and limits on memory.";
    WAITING = "JK0013", "At start: how many requests can wait without a thread, and what limits it.",
        "Compare with the number of requests that wait at one time; see docs/async.md.";
    NO_WAITING = "JK0014", "Requests that wait hold a thread each: the MPM cannot wait for them, the version of httpd is not known to work, or the thread that does could not be started.",
        "Use the MPM event; JkAsync On tries with a version that is not known.";
    PARKING_FULL = "JK0015", "As many requests wait without a thread as JkAsyncLimit allows; further ones hold a thread. Told once in each process.",
        "Raise JkAsyncLimit together with the number of descriptors that httpd may open (ulimit -n), or find out why so many requests wait.";
    BAD_PATH = "JK0101", "The path of a request is refused with 400 before it is mapped or forwarded.",
        "Usually an attack or a broken client; the message says what is wrong with the path.";
    NO_WORKER = "JK0102", "A request was mapped to a worker that does not exist and is answered with 500.",
        "Correct the worker name in JkMount or JK_WORKER_NAME, add it to worker.list, or remove the mount; JK0002 names its line at the start.";
    NO_TARGET = "JK0103",
        "The handler jakarta-servlet was set for a request that no mount and no JK_WORKER_NAME gives a worker; answered with 500, never with the file.",
        "Set JK_WORKER_NAME where the handler is set, or add a JkMount.";
    BAD_FRAMING = "JK0104", "The framing of the request body is refused: Transfer-Encoding or Content-Length is not acceptable.",
        "Usually an attack or a broken client.";
    LATE_NO_JK = "JK0105", "The variable no-jk was set too late: the URL had been mapped, so no file is served either.",
        "Set no-jk before mapping: SetEnvIf, BrowserMatch or RewriteRule at server level.";
    NOT_MAPPED = "JK0106", "Debug: why a request is not forwarded.", "Nothing.";
    BAD_TIMEOUT = "JK0107", "JK_REPLY_TIMEOUT is not a number and is ignored.", "Set it to milliseconds, 0 for no limit.";
    CONNECT_FAILED = "JK0201", "No connection to the backend could be opened.",
        "Check that the backend runs, that its connector listens at this address, and that no firewall is in between.";
    POOL_EXHAUSTED = "JK0202", "All connections of the worker's pool were in use until connection_acquire_timeout was over.",
        "Raise connection_pool_size, or find out why the backend is slow.";
    PING_FAILED = "JK0203", "A CPing was not answered with a CPong in time, or the probe of an HTTP worker (ping_uri) not with a wanted status.",
        "The backend hangs or is overloaded, or the port does not speak the protocol of the worker; compare ping_timeout, connect_timeout and prepost_timeout with its pauses.";
    SEND_FAILED = "JK0204", "Sending the request to the backend failed.",
        "The backend closed the connection or does not read; see its log.";
    REPLY_TIMEOUT = "JK0205", "The backend did not answer within reply_timeout.",
        "Find out why the application is slow, or raise reply_timeout for this worker.";
    REPLY_LOST = "JK0206", "The backend closed the connection before its response was complete.",
        "See the backend's log: it may have been restarted, or over AJP a response header may be larger than its packetSize.";
    PROTOCOL = "JK0207", "The backend sent something that is not valid in the protocol of the worker, AJP/1.3 or HTTP/1.",
        "Check that the port is that of a connector for the worker's type, and over AJP that packetSize and max_packet_size agree.";
    UNSENDABLE = "JK0208", "The request cannot be expressed in the protocol of the worker.",
        "If it is too large for AJP, raise max_packet_size here and packetSize at the backend together.";
    CLIENT_BODY = "JK0209", "The body of the request could not be read from the client.",
        "A client that is slow, gone or broken, or a limit such as LimitRequestBody.";
    CLIENT_GONE = "JK0210", "The client closed its connection before the response was delivered.",
        "Usually a user who did not want to wait.";
    FAIL_STATUS = "JK0211", "The backend answered with a status that fail_on_status lists.",
        "See the backend's log.";
    FORBIDDEN = "JK0212",
        "The backend's connector itself answered 403: the secret is wrong or missing, or it does not allow one of the request attributes.",
        "Compare worker.NAME.secret with the secret of the AJP connector, and allowedRequestAttributesPattern with the attributes that are sent.";
    SURPLUS = "JK0213", "The backend's response head holds more than the headers it announces.",
        "A defect of the backend; the rest is ignored.";
    SERVED = "JK0214", "Debug: a request was served.", "Nothing.";
    REPLACED = "JK0215", "Debug: the backend's answer was replaced by httpd's own page (use_server_errors).", "Nothing.";
    BUSY = "JK0216", "A request was refused because busy_limit requests are in work on the worker already.",
        "Raise busy_limit, or find out why the backend is slow.";
    QUEUE = "JK0217", "A request found max_in_flight requests in work and the queue full, or waited in it for queue_timeout.",
        "The backend is too slow for the load: see what it does, add members, or raise max_in_flight up to its maxThreads, queue_size and queue_timeout.";
    NO_MEMBER = "JK0218", "No member of a balancer could take a request; the line shows their states.",
        "See the earlier lines about each member; members that are disabled or stopped take no new requests.";
    FORCED = "JK0219", "The member that has the session of a request can not be used, and sticky_session_force allows no other.",
        "Bring the member back, or set sticky_session_force to false if sessions are replicated or may be lost.";
    BUDGET = "JK0220", "So many requests have failed over lately that retry_budget allows no more; the request fails.",
        "Most backends fail: look at their logs. retry_budget protects the rest from doubled load.";
    MEMBER_DOWN = "JK0221", "A member of a balancer is out of service.",
        "Look at that backend; the line says whether it is probed or tried again after recover_time.";
    MEMBER_UP = "JK0222", "A member of a balancer is back in service.", "Nothing.";
    PROBES = "JK0223", "Debug: this process probes members that can not be reached from now on.", "Nothing.";
    SESSIONS_MOVED = "JK0224", "The member that has the session of a request can not be used, so the request goes to another one; told once in each process while that lasts.",
        "Nothing, if sessions are replicated or stored outside of the members; otherwise users begin a new session.";
    STATUS_REFUSED = "JK0226", "A status worker has refused a request; the line says why.",
        "Usually a mistyped parameter, a user without the right, or a page of another site that tried to change something.";
    SETTING_CHANGED = "JK0227", "Somebody has changed something at run time; the line says who, from where, what, the old and the new value.",
        "Nothing. Without persist=file changes end when the server stops: put lasting ones into workers.properties as well.";
    STATUS_OPEN = "JK0228", "A status worker can change settings, and nothing in the configuration limits who may use it.",
        "Put Require lines around its URL (Require local, Require ip, Require user), or set read_only or user of the worker.";
    PANIC = "JK0299", "The module caught a defect of its own; the request was answered with 500.",
        "Please report it with the lines before it.";
    KEPT_CHANGES = "JK0300", "Settings that were changed at run time are in force again after a start (persist=file); the line names the file.",
        "Nothing. The status worker shows them (api/v1/changes), and cmd=revert ends them.";
    KEPT_DAMAGED = "JK0301", "The file of changes (persist_file) is damaged, or of another version. It was renamed, and the server runs with what is configured.",
        "Make the changes again, or correct the renamed file, put it back and start httpd again.";
    KEPT_DROPPED = "JK0302", "A setting that was changed at run time has its configured value again: the configuration of that property was edited, or the worker is gone.",
        "Nothing, if that was intended; otherwise make the change again.";
    KEPT_UNREADABLE = "JK0303", "The file of changes (persist_file) can not be used: a link, another owner, writable by others, or not readable. The server runs with what is configured.",
        "Put a plain file of the user of httpd's children with mode 600 there, or remove what is there.";
    KEPT_UNWRITTEN = "JK0304", "The file of changes (persist_file) can not be written. Changes are in force all the same and would be lost when httpd stops.",
        "Check the directory: the user of httpd's children (User) must be able to write there. It is tried again every few seconds.";
    KEPT_WRITTEN = "JK0305", "The file of changes (persist_file) could be written again.", "Nothing.";
    NO_BELL = "JK0330", "A request cannot give its thread back, usually because the process has no descriptor left; it holds its thread. Told once in each process.",
        "Raise the number of descriptors that httpd may open (ulimit -n), or lower JkAsyncLimit; see docs/async.md.";
    FEW_THREADS = "JK0331", "At start: JkAsync is Auto, and ThreadsPerChild is too small for it, so requests that wait hold a thread each.",
        "Set ThreadsPerChild to 8 or more. JkAsync On does with fewer; docs/async.md says what may happen then.";
    TLS_FAILED = "JK0340", "TLS with the backend of a worker of type https failed; the line says why.",
        "Compare the certificate of the backend with host, tls_name and tls_ca of the worker.";
    TUNNEL = "JK0360", "Debug: a connection that had left HTTP (a WebSocket) has ended; the line says why, and how much went either way.",
        "Nothing. If it says that it was silent for tunnel_timeout, the application should send pings more often than that.";
}

/// How the line about a caught panic begins; it goes to httpd's error log only.
pub const PANIC_LINE: &str = "JK0299: mod_jk_rs caught a defect of its own";

/// The message for a failed attempt.
pub fn of_failure(failure: &Failure) -> Message {
    match (failure.cause, failure.stage) {
        (Cause::Client(ClientFault::Gone), _) => CLIENT_GONE,
        (Cause::Client(_), _) => CLIENT_BODY,
        (Cause::Encode(_), _) => UNSENDABLE,
        (Cause::PoolExhausted, _) => POOL_EXHAUSTED,
        (Cause::Busy, _) => BUSY,
        (Cause::QueueFull | Cause::QueueTime { .. }, _) => QUEUE,
        (Cause::NoMember, _) => NO_MEMBER,
        (Cause::ForcedAway, _) => FORCED,
        (Cause::OverBudget, _) => BUDGET,
        (Cause::FailStatus(_), _) => FAIL_STATUS,
        (Cause::ProbeStatus(_), _) | (_, Stage::Ping) => PING_FAILED,
        (Cause::Protocol(_), _) => PROTOCOL,
        (Cause::Link(LinkError::Tls(fault)), _) if fault != Fault::Truncated => TLS_FAILED,
        (_, Stage::Prepare | Stage::Acquire | Stage::Connect) => CONNECT_FAILED,
        (Cause::Silent { .. } | Cause::Link(LinkError::TimedOut), Stage::Wait | Stage::Body) => REPLY_TIMEOUT,
        (_, Stage::Send) => SEND_FAILED,
        (Cause::Cut | Cause::Link(_), Stage::Wait | Stage::Body) => REPLY_LOST,
    }
}

/// The table as Markdown.
pub fn markdown() -> String {
    let mut text = String::from("| Id | Meaning | What to do |\n|---|---|---|\n");
    for message in ALL {
        text.push_str(&format!("| {} | {} | {} |\n", message.id, message.meaning, message.advice));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_in_order() {
        assert!(ALL.windows(2).all(|pair| pair[0].id < pair[1].id));
    }

    #[test]
    fn every_failure_of_the_backend_has_its_number() {
        let refused = Failure::early(Cause::Link(LinkError::Refused), Stage::Connect);
        assert_eq!(of_failure(&refused), CONNECT_FAILED);
        let silent = Failure { sent: true, ..Failure::early(Cause::Silent { limit_ms: 5 }, Stage::Wait) };
        assert_eq!(of_failure(&silent), REPLY_TIMEOUT);
        assert_eq!(of_failure(&Failure::early(Cause::Silent { limit_ms: 5 }, Stage::Ping)), PING_FAILED);
        assert_eq!(of_failure(&Failure::early(Cause::Cut, Stage::Body)), REPLY_LOST);
    }
}
