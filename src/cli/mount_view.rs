//! What a mount does, as people read it.

use super::table::{Align, Fields, Table};
use super::text;
use gamevault::mount::{Activity, CrawlerActivity, OpActivity, Rates, WarmUpActivity};
use gamevault::store::ReadCounts;

/// Adds what a mount does to its fields.
pub fn add_activity(fields: &mut Fields, activity: &Activity) {
    let Activity { requests, waiting, stuck, crawlers, reads, warm_up, .. } = activity;
    if requests.is_empty() {
        fields.add("requests", "none yet");
        return;
    }
    let mut table = Table::new([
        ("REQUEST", Align::Left),
        ("PER SECOND", Align::Right),
        ("TOTAL", Align::Right),
        ("ERRORS", Align::Right),
        ("BYTES", Align::Right),
        ("P50", Align::Right),
        ("P99", Align::Right),
    ]);
    for OpActivity { op, recent, total } in requests {
        // What is being done now says more than what once was.
        let shown = if recent.count > 0 { recent } else { total };
        table.add([
            op.clone(),
            unless_zero(recent.count, || format!("{:.1}", recent.per_second)),
            text::grouped(total.count),
            unless_zero(total.errors, || text::grouped(total.errors)),
            unless_zero(total.bytes, || text::size(total.bytes)),
            latency(shown, |rates| rates.p50_us),
            latency(shown, |rates| rates.p99_us),
        ]);
    }
    fields.add("requests", table.to_string().trim_end());
    let ReadCounts { cache_hits, cache_misses, pack_bytes, decoded_bytes, ahead_chunks, ahead_used, .. } = *reads;
    let asked = (cache_hits + cache_misses).max(1);
    let hits =
        format!("{} of {} found decoded", text::grouped(cache_hits), text::count(cache_hits + cache_misses, "chunk"));
    fields.add("cache", format!("{hits} ({} %)", cache_hits * 100 / asked));
    fields.add("read", format!("{} from packs, decoded to {}", text::size(pack_bytes), text::size(decoded_bytes)));
    fields.add("ahead", format!("{} of {} used", text::grouped(ahead_used), text::count(ahead_chunks, "chunk")));
    if let Some(warm_up) = warm_up.filter(|&warm_up| warm_up != WarmUpActivity::default()) {
        fields.add("warm-up", warmed_up(&warm_up));
    }
    for CrawlerActivity { name, reads, bytes } in crawlers {
        fields.add("crawler", format!("{name} ({}, {})", text::count(*reads, "read"), text::size(*bytes)));
    }
    if *waiting > 0 {
        let stuck = match stuck {
            0 => String::new(),
            stuck => format!(", {stuck} of them for longer than the deadline"),
        };
        fields.add("in work", format!("{}{stuck}", text::count(*waiting as u64, "request")));
    }
}

fn warmed_up(warm_up: &WarmUpActivity) -> String {
    let WarmUpActivity { recording, recorded, warmed, diverged, ready, late, strange, .. } = *warm_up;
    let starts = format!("{} recorded", text::count(recorded, "start"));
    let now = unless_zero(recording, || format!(", {} being recorded", text::grouped(recording)));
    let read = format!("{} of {} ready", text::grouped(ready), text::count(ready + late + strange, "piece"));
    let given_up = unless_zero(diverged, || format!(", {} given up", text::grouped(diverged)));
    let of = unless_zero(warmed, || format!("; {} warmed up: {read}{given_up}", text::count(warmed, "program")));
    format!("{starts}{now}{of}")
}

fn unless_zero(number: u64, text: impl FnOnce() -> String) -> String {
    if number == 0 { String::new() } else { text() }
}

fn latency(rates: &Rates, percentile: impl FnOnce(&Rates) -> Option<f64>) -> String {
    percentile(rates).map_or_else(String::new, |micros| match micros {
        0.0..1000.0 => format!("{micros:.1} µs"),
        1000.0..1_000_000.0 => format!("{:.1} ms", micros / 1e3),
        _ => format!("{:.1} s", micros / 1e6),
    })
}
