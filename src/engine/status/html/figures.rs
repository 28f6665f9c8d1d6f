//! Numbers as people read them, and the figures that the script draws over time.
//!
//! An element with `data-n` owns a series: the attribute has requests, errors, requests in work and the sum of response times in
//! microseconds; `data-b` has the counts of the histogram of these times. The script takes differences of what it reads
//! every few seconds. Elements below it with `data-chart` and `data-now` are empty, and filled by the script.

use maud::{Markup, html};

use super::Frame;
use super::texts::fill;
use crate::engine::status::histogram::Snapshot;
use crate::engine::status::view::{AjpWorker, Balancer, Member};

/// Counters of one owner.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Series {
    pub requests: u64,
    pub errors: u64,
    pub busy: u64,
    pub times: Snapshot,
}

impl Series {
    pub(super) fn of_member(member: &Member) -> Self {
        let backend = &member.backend;
        Self {
            requests: backend.used,
            errors: member.errors,
            busy: backend.busy,
            times: backend.traffic.total,
        }
    }

    pub(super) fn of_worker(worker: &AjpWorker) -> Self {
        let backend = &worker.backend;
        Self {
            requests: backend.used,
            errors: worker.errors,
            busy: backend.busy,
            times: backend.traffic.total,
        }
    }

    pub(super) fn of_balancer(balancer: &Balancer) -> Self {
        let mut sum = Self { busy: balancer.busy, ..Self::default() };
        for member in &balancer.members {
            let one = Self::of_member(member);
            sum.requests = sum.requests.saturating_add(one.requests);
            sum.errors = sum.errors.saturating_add(one.errors);
            sum.times.micros = sum.times.micros.saturating_add(one.times.micros);
            for (bucket, more) in sum.times.buckets.iter_mut().zip(one.times.buckets) {
                *bucket = bucket.saturating_add(more);
            }
        }
        sum
    }

    /// The attribute `data-n`.
    pub(super) fn numbers(&self) -> String {
        format!("{} {} {} {}", self.requests, self.errors, self.busy, self.times.micros)
    }

    /// The attribute `data-b`: the counts up to the last one that is not 0.
    pub(super) fn buckets(&self) -> String {
        let used = self.times.buckets.iter().rposition(|count| *count > 0).map_or(0, |place| place + 1);
        let counts = self.times.buckets.iter().take(used);
        counts.map(u64::to_string).collect::<Vec<_>>().join(" ")
    }

    /// Average and 95th percentile since the start of the server, in words; empty before the first response.
    pub(super) fn times(&self, frame: &Frame<'_>) -> String {
        let texts = frame.texts;
        let Some(average) = self.times.micros.checked_div(self.times.count()) else {
            return "–".to_owned();
        };
        let mut text = fill(texts.average, duration(average));
        if let Some(most) = self.times.quantile(950) {
            text.push_str(" · ");
            text.push_str(&fill(texts.p95, duration(most)));
        }
        text
    }
}

/// The four figures of a balancer or an AJP worker, with the most requests in work at one time and the age of the counters
/// in seconds. The elements with `data-p` are what a live page replaces.
pub(super) fn tiles(frame: &Frame<'_>, series: &Series, most: u64, seconds: u64) -> Markup {
    let texts = frame.texts;
    let requests =
        format!("{} · {}", fill(texts.total, series.requests), per_second(series.requests, seconds));
    html! {
        div.tiles {
            (tile(texts.requests, "rate", "r", &requests))
            (tile(texts.errors, "errors", "e", &fill(texts.total, series.errors)))
            (tile(texts.latency, "time", "l", &series.times(frame)))
            div.tile {
                div.label { (texts.busy) }
                div.now data-p="b" { (series.busy) }
                div.total data-p="w" { (fill(texts.at_most, most)) }
                div.chart data-chart="busy" data-label=(texts.busy) {}
            }
        }
    }
}

fn tile(label: &str, kind: &str, part: &str, total: &str) -> Markup {
    html! {
        div.tile {
            div.label { (label) }
            div.now data-now=(kind) {}
            div.total data-p=(part) { (total) }
            div.chart data-chart=(kind) data-label=(label) {}
        }
    }
}

/// Microseconds with a unit.
pub(super) fn duration(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        10_000..1_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}

/// Per second with one decimal below 10; nothing can be said within the first second.
pub(super) fn per_second(count: u64, seconds: u64) -> String {
    match count.saturating_mul(10).checked_div(seconds) {
        None => "–/s".to_owned(),
        Some(tenths) if tenths < 100 => format!("{}.{}/s", tenths / 10, tenths % 10),
        Some(tenths) => format!("{}/s", tenths / 10),
    }
}

/// Bytes with a unit of 1024: below 973 as they are, then one decimal below 10 units.
pub(super) fn scaled(bytes: u64) -> String {
    if bytes < 973 {
        return bytes.to_string();
    }
    let mut tenths = u128::from(bytes) * 10;
    for unit in ["K", "M", "G", "T", "P", "E"] {
        tenths /= 1024;
        if tenths < 100 {
            return format!("{}.{}{unit}", tenths / 10, tenths % 10);
        }
        if tenths < 9730 || unit == "E" {
            return format!("{}{unit}", tenths / 10);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (bytes, text) in [
            (0, "0"),
            (972, "972"),
            (973, "0.9K"),
            (1024, "1.0K"),
            (10_240, "10K"),
            (999_999, "0.9M"),
            (5 << 30, "5.0G"),
            (u64::MAX, "15E"),
        ] {
            assert_eq!(scaled(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn rates_and_times() {
        assert_eq!(per_second(5, 0), "–/s");
        assert_eq!(per_second(5, 2), "2.5/s");
        assert_eq!(per_second(500, 2), "250/s");
        for (micros, text) in
            [(0, "0 µs"), (999, "999 µs"), (1_950, "1.9 ms"), (12_345, "12 ms"), (61_250_000, "61.2 s")]
        {
            assert_eq!(duration(micros), text);
        }
    }

    #[test]
    fn a_series_is_the_sum_of_the_members() {
        let view = crate::engine::status::sample::view();
        let mut balancer = view.balancers[0].clone();
        balancer.members[0].backend.traffic.total.buckets[2] = 3;
        balancer.members[1].backend.traffic.total.buckets[4] = 1;
        balancer.members[1].backend.traffic.total.micros = 70_000;
        let series = Series::of_balancer(&balancer);
        assert_eq!(series.numbers(), "2 1 0 70000");
        assert_eq!(series.buckets(), "0 0 3 0 1");
        assert_eq!(Series::default().buckets(), "");
    }
}
