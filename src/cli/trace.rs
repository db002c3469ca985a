//! Writes the spans of a process to a file that Chrome and Perfetto show as a timeline: one event for each span that has
//! ended, in the Trace Event Format, as a JSON array.
//!
//! The last bracket is written when the trace is finished. Without it, as after a SIGKILL, the viewers take the file all
//! the same.

use gamevault::error::{Error, Result};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::cell::Cell;
use std::fmt::Debug;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// How old the file may be, so that somebody can look into it while the process runs.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

thread_local! {
    /// The number of this thread in the trace; 0 as long as it has none.
    static THREAD: Cell<u64> = const { Cell::new(0) };
}

/// A trace that is being written; finished when it is dropped.
pub struct Trace {
    shared: Arc<Shared>,
}

/// What sees the spans.
pub struct TraceLayer {
    shared: Arc<Shared>,
}

struct Shared {
    start: Instant,
    threads: AtomicU64,
    /// `None` when the trace is finished, or its file cannot be written any more.
    out: Mutex<Option<Out>>,
}

struct Out {
    file: BufWriter<File>,
    is_empty: bool,
    flushed: Instant,
}

/// What is known of a span that has not ended.
struct Began {
    at: Instant,
    fields: Fields,
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Trace {
    /// Begins a trace in a new file, over whatever is there.
    pub fn create(path: &Path) -> Result<Trace> {
        let file = File::create(path).map_err(|error| Error::io("write the trace", path, error))?;
        let out = Out { file: BufWriter::new(file), is_empty: true, flushed: Instant::now() };
        let (start, threads) = (Instant::now(), AtomicU64::new(0));
        Ok(Trace { shared: Arc::new(Shared { start, threads, out: Mutex::new(Some(out)) }) })
    }

    /// Returns what has to see the spans.
    pub fn layer(&self) -> TraceLayer {
        TraceLayer { shared: self.shared.clone() }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        if let Some(mut out) = self.shared.out.lock().take() {
            let end: &[u8] = if out.is_empty { b"[]\n" } else { b"\n]\n" };
            let ended = out.file.write_all(end).and_then(|()| out.file.flush());
            if let Err(error) = ended {
                tracing::warn!(%error, "the trace has no end");
            }
        }
    }
}

impl Shared {
    fn write(&self, event: &Value) {
        let mut guard = self.out.lock();
        let Some(out) = &mut *guard else { return };
        if let Err(error) = out.write(event) {
            // Logged without the lock: the log may be traced, too.
            *guard = None;
            drop(guard);
            tracing::warn!(%error, "the trace ends here");
        }
    }

    /// Returns the number of this thread; a new one is introduced by its name.
    fn thread(&self) -> u64 {
        if THREAD.get() == 0 {
            THREAD.set(self.threads.fetch_add(1, Relaxed) + 1);
            let current = std::thread::current();
            let name = current.name().unwrap_or("unnamed");
            let (pid, tid) = (std::process::id(), THREAD.get());
            self.write(&json!({ "ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": { "name": name } }));
        }
        THREAD.get()
    }
}

impl Out {
    fn write(&mut self, event: &Value) -> std::io::Result<()> {
        self.file.write_all(if self.is_empty { b"[\n" } else { b",\n" })?;
        self.is_empty = false;
        serde_json::to_writer(&mut self.file, event)?;
        if self.flushed.elapsed() > FLUSH_INTERVAL {
            self.flushed = Instant::now();
            self.file.flush()?;
        }
        Ok(())
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for TraceLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(Began { at: Instant::now(), fields });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(began) = span.extensions_mut().get_mut::<Began>() {
            values.record(&mut began.fields);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(Began { at, fields: Fields(mut fields) }) = span.extensions_mut().remove::<Began>() else { return };
        let micros = |duration: Duration| duration.as_nanos() as f64 / 1000.0;
        // A span that stands for calls of many kinds is shown by the name of its own.
        let name = fields.remove("op").unwrap_or_else(|| span.name().into());
        self.shared.write(&json!({
            "ph": "X",
            "name": name,
            "cat": span.name(),
            "pid": std::process::id(),
            "tid": self.shared.thread(),
            "ts": micros(at - self.shared.start),
            "dur": micros(at.elapsed()),
            "args": fields,
        }));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().into(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().into(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::prelude::*;

    fn events(path: &Path) -> Vec<Value> {
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn spans_become_events_with_what_is_known_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace.json");
        let trace = Trace::create(&path).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(trace.layer()), || {
            let outer =
                tracing::info_span!("tree", op = "read", offset = 7u64, result = tracing::field::Empty).entered();
            tracing::info_span!("say \"a\\b\"").in_scope(|| std::thread::sleep(Duration::from_millis(3)));
            outer.record("result", -5i64);
        });
        drop(trace);
        let events = events(&path);
        assert_eq!(events.len(), 3, "{events:?}");
        assert_eq!((&events[0]["ph"], &events[0]["name"]), (&json!("M"), &json!("thread_name")));
        assert_eq!((&events[1]["ph"], &events[1]["name"]), (&json!("X"), &json!("say \"a\\b\"")));
        assert_eq!((&events[2]["name"], &events[2]["cat"]), (&json!("read"), &json!("tree")));
        assert_eq!(events[2]["args"], json!({ "offset": 7, "result": -5 }));
        assert!(events[1]["dur"].as_f64().unwrap() >= 3000.0);
        assert!(events[2]["dur"].as_f64() >= events[1]["dur"].as_f64());
        assert!(events[2]["ts"].as_f64() <= events[1]["ts"].as_f64());
    }

    #[test]
    fn a_trace_of_nothing_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace.json");
        drop(Trace::create(&path).unwrap());
        assert!(events(&path).is_empty());
    }
}
