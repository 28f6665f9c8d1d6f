//! The texts of the page in English, Korean and Japanese.
//!
//! A missing text does not compile. Names of properties and words of the other formats stay as they are in every language,
//! so that one can look for them.

mod en;
mod ja;
mod ko;

pub use en::ENGLISH;
pub use ja::JAPANESE;
pub use ko::KOREAN;

use crate::engine::config::model::Activation;
use crate::engine::status::view::{Cause, State};

/// All texts in one language. `{}` is where a value goes.
#[derive(Debug)]
#[allow(missing_docs, reason = "each field is its English text")]
pub struct Texts {
    pub lang: &'static str,
    pub title: &'static str,
    pub read_only: &'static str,
    pub read_write: &'static str,
    pub skip: &'static str,
    pub overview: &'static str,
    pub dump: &'static str,
    pub version: &'static str,
    pub formats: &'static str,
    pub refresh_on: &'static str,
    pub refresh_off: &'static str,
    pub server_time: &'static str,
    pub balancers: &'static str,
    pub balancer: &'static str,
    pub members: &'static str,
    pub workers: &'static str,
    pub worker: &'static str,
    pub maps: &'static str,
    pub settings: &'static str,
    pub summary: &'static str,
    pub legend: &'static str,
    pub hide: &'static str,
    pub show: &'static str,
    pub edit: &'static str,
    pub reset: &'static str,
    pub recover: &'static str,
    pub activate: &'static str,
    pub drain: &'static str,
    pub stop: &'static str,
    pub update: &'static str,
    pub cancel: &'static str,
    pub edit_all: &'static str,
    pub state: &'static str,
    pub activation: &'static str,
    pub requests: &'static str,
    pub sessions: &'static str,
    pub errors: &'static str,
    pub load: &'static str,
    pub busy: &'static str,
    pub connections: &'static str,
    pub route: &'static str,
    pub actions: &'static str,
    pub good: &'static str,
    pub degraded: &'static str,
    pub bad: &'static str,
    pub last_reset: &'static str,
    pub seconds_ago: &'static str,
    pub retry_in: &'static str,
    pub since_first: &'static str,
    pub last_failure: &'static str,
    pub draining_until: &'static str,
    pub draining: &'static str,
    pub lost_sessions: &'static str,
    pub drift: &'static str,
    pub result_ok: &'static str,
    pub redirected: &'static str,
    pub result_error: &'static str,
    pub start_page: &'static str,
    pub nothing: &'static str,
    pub units: [&'static str; 4],
    pub unit_gap: &'static str,
    pub member: &'static str,
    pub counters: &'static str,
    pub members_settings: &'static str,
    pub latency: &'static str,
    pub average: &'static str,
    pub p95: &'static str,
    pub at_most: &'static str,
    pub waiting: &'static str,
    pub recent: &'static str,
    pub total: &'static str,
    pub client_errors: &'static str,
    pub timeouts: &'static str,
    pub sent: &'static str,
    pub received: &'static str,
    pub more: &'static str,
    pub probe_ok: &'static str,
    pub probe_failed: &'static str,
    pub warnings: &'static str,
    pub open: &'static str,
    pub all_down: &'static str,
    pub benched_disabled: &'static str,
    pub benched_stopped: &'static str,
    pub and_more: &'static str,
    pub live: &'static str,
    pub paused: &'static str,
    pub lost: &'static str,
    pub changed: &'static str,
    pub reload: &'static str,
    pub pause: &'static str,
    pub resume: &'static str,
    pub filter: &'static str,
    pub problems: &'static str,
    pub shown_of: &'static str,
    pub chart: &'static str,
    pub ask_drain: &'static str,
    pub ask_stop: &'static str,
    pub ask_reset: &'static str,
    pub yes: &'static str,
    pub no: &'static str,
    pub states: [&'static str; 7],
    pub activations: [&'static str; 3],
    pub causes: [&'static str; 8],
}

/// The language for a header `Accept-Language`: of those there are, the one with the greatest weight, the first of equals;
/// English when none is wanted. Source: RFC 9110 section 12.5.4.
pub fn choose(accept_language: Option<&str>) -> &'static Texts {
    let mut best: (&'static Texts, u32) = (&ENGLISH, 0);
    for item in accept_language.unwrap_or_default().split(',').take(20) {
        let mut parts = item.split(';').map(str::trim);
        let tag = parts.next().unwrap_or_default().to_ascii_lowercase();
        let texts = match tag.split('-').next() {
            Some("en") => &ENGLISH,
            Some("ko") => &KOREAN,
            Some("ja") => &JAPANESE,
            _ => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1000), thousandths);
        if let Some(weight) = weight.filter(|weight| *weight > best.1) {
            best = (texts, weight);
        }
    }
    best.0
}

/// `0.8` as 800; `None` for what is no weight.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let whole: u32 = whole.parse().ok().filter(|whole| *whole <= 1)?;
    let fraction: u32 = format!("{fraction:0<3}").parse().ok()?;
    Some((whole * 1000 + fraction).min(1000))
}

impl Texts {
    /// What a state means.
    pub fn state(&self, state: State) -> &'static str {
        let place = State::ALL.iter().position(|other| *other == state);
        place.and_then(|place| self.states.get(place)).copied().unwrap_or_default()
    }

    /// What an activation means.
    pub fn activation_words(&self, activation: Activation) -> &'static str {
        let place = Activation::WORDS.iter().position(|(_, other)| *other == activation);
        place.and_then(|place| self.activations.get(place)).copied().unwrap_or_default()
    }

    /// What a cause means.
    pub fn cause(&self, cause: Cause) -> &'static str {
        let place = Cause::ALL.iter().position(|other| *other == cause);
        place.and_then(|place| self.causes.get(place)).copied().unwrap_or_default()
    }
}

impl Texts {
    /// A time in its greatest whole unit: `45 s`, `12 min`, `3 h`, `2 d`.
    pub fn span(&self, seconds: u64) -> String {
        let [s, min, h, d] = self.units;
        let (count, unit) = match seconds {
            0..120 => (seconds, s),
            120..7_200 => (seconds / 60, min),
            7_200..172_800 => (seconds / 3_600, h),
            _ => (seconds / 86_400, d),
        };
        format!("{count}{}{unit}", self.unit_gap)
    }
}

/// The text with a value at its place.
pub fn fill(text: &str, value: impl std::fmt::Display) -> String {
    text.replacen("{}", &value.to_string(), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wanted_language() {
        for (header, lang) in [
            (None, "en"),
            (Some(""), "en"),
            (Some("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7"), "ko"),
            (Some("fr-FR, ja;q=0.5, en;q=0.4"), "ja"),
            (Some("en, ko"), "en"),
            (Some("ko;q=0, ja;q=0.001"), "ja"),
            (Some("ko;q=0"), "en"),
            (Some("ko;q=x,de"), "en"),
            (Some("KO"), "ko"),
            (Some("*"), "en"),
        ] {
            assert_eq!(choose(header).lang, lang, "{header:?}");
        }
    }

    #[test]
    fn times_have_one_unit() {
        for (seconds, text) in
            [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "119 min"), (7_200, "2 h")]
        {
            assert_eq!(ENGLISH.span(seconds), text);
        }
        assert_eq!(ENGLISH.span(172_800), "2 d");
        assert_eq!((KOREAN.span(61), JAPANESE.span(61)), ("61초".to_owned(), "61 秒".to_owned()));
    }

    #[test]
    fn values_have_their_place_in_every_language() {
        for texts in [&ENGLISH, &KOREAN, &JAPANESE] {
            for text in [
                texts.seconds_ago,
                texts.retry_in,
                texts.since_first,
                texts.draining_until,
                texts.lost_sessions,
                texts.all_down,
                texts.average,
                texts.p95,
                texts.at_most,
                texts.waiting,
                texts.recent,
                texts.total,
                texts.good,
                texts.degraded,
                texts.bad,
                texts.probe_ok,
                texts.probe_failed,
                texts.and_more,
                texts.lost,
                texts.ask_drain,
                texts.ask_stop,
                texts.ask_reset,
            ] {
                assert_eq!(text.matches("{}").count(), 1, "{text}");
                assert!(fill(text, 42).contains("42"));
            }
            for (text, count) in [
                (texts.benched_disabled, 2),
                (texts.benched_stopped, 2),
                (texts.shown_of, 2),
                (texts.chart, 3),
            ] {
                assert_eq!(text.matches("{}").count(), count, "{text}");
            }
            for state in State::ALL {
                assert!(!texts.state(state).is_empty());
            }
            for cause in Cause::ALL {
                assert!(!texts.cause(cause).is_empty());
            }
        }
    }
}
