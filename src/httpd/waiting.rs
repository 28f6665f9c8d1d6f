//! Whether requests may wait without a thread, decided at start, and what the administrator is told about it.

use super::config::{Async, Raw};
use super::joblog::{JobLog, Level};
use super::messages;
use super::module::Jk;
use crate::ffi::park::Support;
use crate::ffi::pool::Pool;
use crate::ffi::server::{Server, Startup};
use crate::transport::epoll::descriptor_limit;

/// The newest httpd 2.4 this was tested with. What it relies on is behaviour of httpd, not a promise.
const NEWEST_TESTED: i32 = 71;
/// Descriptors of a request that waits: client, backend, bell. A quarter is left for everything else.
const DESCRIPTORS: u64 = 4;
/// Limit when there is no limit of descriptors, and the largest default.
const MOST: usize = 100_000;

/// `JkAsyncLimit`, or its default.
pub(super) fn limit(main: Server<'_>) -> usize {
    let given = main.config::<Jk>().and_then(|conf| conf.raw.async_limit);
    let fitting = descriptor_limit().and_then(|limit| usize::try_from(limit / DESCRIPTORS).ok());
    given.unwrap_or_else(|| fitting.unwrap_or(MOST).min(MOST))
}

/// Fewest threads in a process with `Auto`. httpd 2.4.71 may serve one connection twice when a process is told to end in which
/// every thread has been handed a connection that it has not taken up yet; that was seen with 4 threads and never with 8.
const LEAST_THREADS: usize = 8;

/// It is known to work here.
pub(super) fn is_known(support: Support, (major, minor, patch): (i32, i32, i32)) -> bool {
    support == Support::Full && (major, minor) == (2, 4) && patch <= NEWEST_TESTED
}

/// `JkAsync`, or its default.
fn mode(raw: &Raw) -> Async {
    raw.async_mode.unwrap_or(Async::Auto)
}

/// Requests of a server with these settings may wait without a thread.
pub(super) fn wanted(raw: &Raw, support: Support, known: bool, threads: usize) -> bool {
    match mode(raw) {
        Async::Auto => known && threads >= LEAST_THREADS,
        Async::On => support != Support::None,
        Async::Off => false,
    }
}

/// One line at start: what the settings mean, or why nothing comes of them.
pub(super) fn advise(startup: &Startup<'_>, main: Server<'_>, log: &JobLog, support: Support, known: bool) {
    let modes = |wanted: Async| {
        main.all().filter_map(|server| server.config::<Jk>()).any(|conf| mode(&conf.raw) == wanted)
    };
    let Some(conf) = main.config::<Jk>() else { return };
    let threads = startup.threads_per_child();
    let mut confs = main.all().filter_map(|server| server.config::<Jk>());
    let any = confs.any(|it| wanted(&it.raw, support, known, threads));
    if known && threads < LEAST_THREADS && modes(Async::Auto) {
        let text = format_args!(
            "requests that wait hold a thread: JkAsync Auto needs {LEAST_THREADS} threads in each process, ThreadsPerChild is {threads}"
        );
        log.server(main, "POST_CONFIG", Level::Info, messages::FEW_THREADS, text);
    }
    if any {
        let limit = limit(main);
        let descriptors = descriptor_limit().map_or_else(|| "any number of".to_owned(), |it| it.to_string());
        log.server(
            main,
            "POST_CONFIG",
            Level::Info,
            messages::WAITING,
            format_args!(
                "requests that wait hold no thread: up to {limit} in each process (JkAsyncLimit); httpd accepts about \
                 {threads} + idle threads x AsyncRequestWorkerFactor connections in each process ({} with the factor 2); \
                 a process may open {descriptors} descriptors, and a waiting request takes 3",
                threads.saturating_mul(3)
            ),
        );
    } else if support == Support::None && (modes(Async::On) || conf.raw.async_limit.is_some()) {
        let text = "this MPM ties a thread to each request, so requests that wait hold theirs (JkAsync needs the MPM event)";
        log.server(main, "POST_CONFIG", Level::Warn, messages::NO_WAITING, format_args!("{text}"));
    } else if support != Support::None && !known && modes(Async::Auto) {
        let (major, minor, patch) = startup.httpd_version();
        log.server(
            main,
            "POST_CONFIG",
            Level::Info,
            messages::NO_WAITING,
            format_args!(
                "requests that wait hold a thread: httpd {major}.{minor}.{patch} has not been tested with JkAsync (2.4.63 to \
                 2.4.{NEWEST_TESTED} have); JkAsync On tries it all the same"
            ),
        );
    }
}

/// A child begins.
pub(super) fn begin(main: Server<'_>, pool: Pool<'static>) {
    let lives =
        || main.all().filter_map(|server| server.config::<Jk>()).filter_map(|conf| conf.live.as_ref());
    let Some(live) = lives().find(|live| live.park) else { return };
    if let Err(error) = live.parking.begin(pool) {
        let text = format!("requests that wait hold a thread: {error}");
        live.log.server(main, "CHILD_INIT", Level::Error, messages::NO_WAITING, format_args!("{text}"));
    }
}
