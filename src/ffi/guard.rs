//! The panic boundary: every callback from C runs inside [`guard`].
//!
//! A panic that reached C would abort the child and with it every request of its threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

static PANICS: AtomicU64 = AtomicU64::new(0);

/// Panics caught in this process.
pub fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

/// Has panics reported in one line on standard error, which is httpd's error log.
///
/// `prefix` is what the administrator can look up. Installed each time the module is loaded.
pub fn report_panics(prefix: &'static str) {
    std::panic::set_hook(Box::new(move |info| {
        use std::io::Write as _;
        let payload = info.payload();
        let text = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        let place = info.location().map_or_else(String::new, ToString::to_string);
        let line = format!("{prefix}: {} at {place}\n", text.escape_debug());
        let _ = std::io::stderr().write_all(line.as_bytes());
    }));
}

/// Runs `body`; a panic is counted and answered with `fallback`, the value that is harmless for this hook.
///
/// The hook of [`report_panics`] has written a line about it.
pub fn guard<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    // What a panicking callback leaves behind is request state that dies with the request, or statistics.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(_) => {
            PANICS.fetch_add(1, Ordering::Relaxed);
            fallback
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_the_fallback_and_is_counted() {
        let before = panics();
        assert_eq!(guard(7, || 3), 3);
        assert_eq!(guard(7, || -> i32 { panic!("on purpose") }), 7);
        assert_eq!(panics(), before + 1);
    }
}
