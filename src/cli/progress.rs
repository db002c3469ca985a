//! Runs long work and shows how far it is on standard error, while the work itself knows nothing of either.

use super::interrupt::Interrupts;
use super::meter::{Expected, Measure, Meter};
use super::output::{Failure, SCHEMA};
use super::text;
use gamevault::error::Result;
use gamevault::progress::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How often the work is looked at: a Ctrl-C and a bar must not feel late.
const TICK: Duration = Duration::from_millis(100);

/// A line of JSON comes at the first tick and at every so many after it, about half a second.
const TICKS_PER_LINE: u32 = 5;

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Display {
    /// Not at all.
    Nothing,
    /// As a bar that is gone at the end.
    Bar,
    /// As lines of JSON.
    Json,
}

/// Runs `job` and shows its progress; the first Ctrl-C cancels it, the second ends the program.
///
/// # Errors
/// Those of the job; `Interrupted` after a Ctrl-C.
pub fn run<T>(
    name: &'static str,
    expected: Expected,
    display: Display,
    job: impl FnOnce(&Progress) -> Result<T>,
) -> std::result::Result<T, Failure> {
    let interrupts = Interrupts::install();
    let progress = Progress::new();
    let result = std::thread::scope(|scope| {
        // Dropping the sender ends the watcher, also when the job panics.
        let (_running, stopped) = channel::<()>();
        let progress = &progress;
        scope.spawn(move || watch(View::new(name, expected, display), progress, &interrupts, &stopped));
        job(progress)
    });
    Ok(result?)
}

fn watch(mut view: View, progress: &Progress, interrupts: &Interrupts, stopped: &Receiver<()>) {
    let mut cancelled = false;
    for tick in 1.. {
        let running = matches!(stopped.recv_timeout(TICK), Err(RecvTimeoutError::Timeout));
        if !running {
            break;
        }
        if interrupts.requested() && !cancelled {
            cancelled = true;
            progress.cancel();
            view.note("stopping (Ctrl-C again ends at once)");
        }
        view.show(progress, tick);
    }
    view.finish(progress);
}

/// One progress on standard error.
struct View {
    name: &'static str,
    display: Display,
    meter: Meter,
    bar: ProgressBar,
}

/// One line of `--progress=json`.
#[derive(Serialize)]
struct Line {
    schema: u32,
    work: &'static str,
    done: bool,
    #[serde(flatten)]
    measure: Measure,
}

impl View {
    fn new(name: &'static str, expected: Expected, display: Display) -> View {
        let target = match display {
            Display::Bar => ProgressDrawTarget::stderr(),
            Display::Nothing | Display::Json => ProgressDrawTarget::hidden(),
        };
        let meter = Meter::new(expected, Instant::now());
        let template = if meter.knows_size() { "{prefix} [{bar:24}] {wide_msg}" } else { "{prefix} {wide_msg}" };
        let style = ProgressStyle::with_template(template).expect("the template is well-formed");
        let bar = ProgressBar::with_draw_target(Some(0), target).with_style(style.progress_chars("=> "));
        bar.set_prefix(name);
        View { name, display, meter, bar }
    }

    fn show(&mut self, progress: &Progress, tick: u32) {
        let measure = self.meter.measure(progress.read(), Instant::now());
        match self.display {
            Display::Nothing => {}
            Display::Bar => {
                self.bar.set_length(measure.reading.bytes_total);
                self.bar.set_position(measure.reading.bytes_done);
                self.bar.set_message(sentence(&measure, self.meter.knows_size()));
            }
            Display::Json if tick % TICKS_PER_LINE == 1 => self.print_line(measure, false),
            Display::Json => {}
        }
    }

    fn note(&self, note: &str) {
        match self.display {
            Display::Bar => self.bar.println(note),
            Display::Nothing => eprintln!("gamevault: {note}"),
            // Every line is an object there; the end of the work says the same.
            Display::Json => {}
        }
    }

    fn finish(&mut self, progress: &Progress) {
        self.bar.finish_and_clear();
        if self.display == Display::Json {
            let measure = self.meter.measure(progress.read(), Instant::now());
            self.print_line(measure, true);
        }
    }

    fn print_line(&self, measure: Measure, done: bool) {
        let line = Line { schema: SCHEMA, work: self.name, done, measure };
        eprintln!("{}", serde_json::to_string(&line).expect("a line holds only numbers and names"));
    }
}

fn sentence(measure: &Measure, knows_size: bool) -> String {
    let reading = &measure.reading;
    let rate = format!("{}/s", text::size(measure.bytes_per_second));
    let (bytes, files) = (text::size(reading.bytes_done), text::grouped(reading.files_done));
    if !knows_size {
        return format!("{bytes}, {files} files, {rate}");
    }
    let (all_bytes, all_files) = (text::size(reading.bytes_total), text::count(reading.files_total, "file"));
    let left = measure.eta_seconds.map(|seconds| format!(", {} left", text::duration(Duration::from_secs(seconds))));
    format!("{bytes} of {all_bytes}, {files} of {all_files}, {rate}{}", left.unwrap_or_default())
}
