//! What does an event cost the thread of the game that records it?
//!
//! The same event of 116 bytes through the library, through stdio with a buffer of 64 KiB, and by write(2) with O_APPEND, in
//! alternation: in bursts, and at the pace of a game of 60 frames a second that records 1,000 events a second, where the
//! processor's caches are cold each time. With one thread and with four. Each call is timed by itself; what the clock
//! costs is measured and told, and not taken off. Lines are ways; `worst frame` is what all calls of one frame took.

use gamevault_rec::ffi::{gv_counters, gv_counts, gv_event, gv_session, gv_session_begin, gv_session_end};
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const NAME: &CStr = c"player_moved";
const FIELDS: &CStr =
    c"{\"level\":\"L3\",\"x\":123.456,\"y\":7.25,\"z\":-88.5,\"hp\":77,\"gold\":1204,\"tool\":\"oil lamps\"}";
const LINE: &CStr = c"{\"t\":12.345,\"ev\":\"player_moved\",\"level\":\"L3\",\"x\":123.456,\"y\":7.25,\"z\":-88.5,\"hp\":77,\"gold\":1204,\"tool\":\"oil lamps\"}\n";

/// A burst of all threads fits into the ring.
const BURST: usize = 1000;
const BURSTS: usize = 300;
const PAUSE: Duration = Duration::from_millis(25);

const FRAME: Duration = Duration::from_nanos(16_666_667);
/// Three quarters of a minute: within, the system writes the pages of the ring to the disk, and the next to write one waits a
/// little.
const FRAMES: usize = 2700;
/// In a frame, by all threads: a little more than 1,000 a second.
const PER_FRAME: usize = 17;

/// A megabyte, as the library's.
const RING_WORDS: u64 = 1 << 17;

const STDIO_LEN: usize = 64 << 10;

/// Makes a way that records below a folder.
type Make = fn(&Path) -> Box<dyn Way>;

/// A way to record.
trait Way: Sync {
    fn name(&self) -> &'static str;
    fn event(&self);
    /// Returns how many were lost.
    fn end(&self) -> u64;
}

struct Library(*mut gv_session);

// SAFETY: a session is for all threads.
unsafe impl Sync for Library {}

impl Library {
    fn new(place: &Path) -> Library {
        let spool = CString::new(place.as_os_str().as_bytes()).expect("a path has no NUL");
        // SAFETY: strings that end in NUL.
        let session = unsafe { gv_session_begin(spool.as_ptr(), c"42".as_ptr(), std::ptr::null()) };
        assert!(!session.is_null(), "a session can be begun");
        Library(session)
    }
}

impl Way for Library {
    fn name(&self) -> &'static str {
        "gv_event"
    }

    fn event(&self) {
        // SAFETY: the session was begun, the strings end in NUL.
        unsafe { gv_event(self.0, NAME.as_ptr(), FIELDS.as_ptr()) };
    }

    fn end(&self) -> u64 {
        let mut counts = gv_counts::default();
        // SAFETY: as above; the counts have their room.
        unsafe {
            assert_eq!(gv_session_end(self.0, 0), 0, "the session ends");
            gv_counters(self.0, &mut counts);
        }
        counts.dropped
    }
}

/// The limit: the bytes are copied into memory, and forgotten.
struct Memory {
    ring: Vec<AtomicU64>,
    next: AtomicUsize,
}

impl Memory {
    fn new() -> Memory {
        Memory { ring: (0..RING_WORDS).map(AtomicU64::new).collect(), next: AtomicUsize::new(0) }
    }
}

impl Way for Memory {
    fn name(&self) -> &'static str {
        "memory alone"
    }

    fn event(&self) {
        let (words, _) = LINE.to_bytes().as_chunks::<8>();
        let next = self.next.fetch_add(words.len(), Ordering::Relaxed);
        for (place, word) in words.iter().enumerate() {
            self.ring[(next + place) % self.ring.len()].store(u64::from_le_bytes(*word), Ordering::Relaxed);
        }
    }

    fn end(&self) -> u64 {
        0
    }
}

struct Stdio(*mut libc::FILE);

// SAFETY: C's streams lock themselves.
unsafe impl Sync for Stdio {}

impl Stdio {
    fn new(place: &Path) -> Stdio {
        let path = CString::new(place.join("stdio").as_os_str().as_bytes()).expect("a path has no NUL");
        // SAFETY: strings that end in NUL; a stream without a buffer of ours.
        let stream = unsafe { libc::fopen(path.as_ptr(), c"a".as_ptr()) };
        assert!(!stream.is_null(), "a file can be made");
        // SAFETY: the stream was just opened.
        unsafe { libc::setvbuf(stream, std::ptr::null_mut(), libc::_IOFBF, STDIO_LEN) };
        Stdio(stream)
    }
}

impl Way for Stdio {
    fn name(&self) -> &'static str {
        "stdio, 64 KiB"
    }

    fn event(&self) {
        // SAFETY: the stream is open, the string ends in NUL.
        unsafe { libc::fputs(LINE.as_ptr(), self.0) };
    }

    fn end(&self) -> u64 {
        // SAFETY: nobody uses it any more.
        unsafe { libc::fclose(self.0) };
        0
    }
}

struct Append(File);

impl Append {
    fn new(place: &Path) -> Append {
        Append(File::options().append(true).create(true).open(place.join("append")).expect("a file can be made"))
    }
}

impl Way for Append {
    fn name(&self) -> &'static str {
        "write O_APPEND"
    }

    fn event(&self) {
        (&self.0).write_all(LINE.to_bytes()).expect("a file can be written");
    }

    fn end(&self) -> u64 {
        0
    }
}

/// What each call took in nanoseconds, a list for each burst or frame of each thread.
type Rounds = Vec<Vec<u32>>;

/// Runs `rounds` of `each` events in each thread, beginning together, `every` so often.
fn run(
    way: &dyn Way,
    threads: usize,
    rounds: usize,
    each: &(dyn Fn(usize) -> usize + Sync),
    every: Duration,
) -> Rounds {
    let barrier = Barrier::new(threads);
    let work = |thread: usize| {
        // The thread's own list is made before anything is timed.
        let mut times: Rounds = (0..rounds).map(|_| Vec::with_capacity(each(thread))).collect();
        barrier.wait();
        let start = Instant::now();
        for (round, times) in times.iter_mut().enumerate() {
            for _ in 0..each(thread) {
                let before = Instant::now();
                way.event();
                times.push(before.elapsed().as_nanos() as u32);
            }
            std::thread::sleep((start + every * (round as u32 + 1)).saturating_duration_since(Instant::now()));
        }
        times
    };
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        handles.into_iter().flat_map(|handle| handle.join().expect("no thread panics")).collect()
    })
}

/// Returns the processor time of this process.
fn cpu() -> Duration {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: the call fills it.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

fn report(way: &dyn Way, threads: usize, times: &Rounds, cpu: Duration, lost: u64) {
    let mut all: Vec<u32> = times.iter().flatten().copied().collect();
    all.sort_unstable();
    let mean = all.iter().map(|time| u64::from(*time)).sum::<u64>() as f64 / all.len() as f64 / 1e3;
    let at = |part: f64| f64::from(all[((all.len() - 1) as f64 * part) as usize]) / 1e3;
    let worst_round = times.iter().map(|times| times.iter().map(|time| u64::from(*time)).sum::<u64>()).max();
    println!(
        "| {} | {threads} | {mean:.3} | {:.2} | {:.2} | {:.0} | {:.0} | {:.2} | {lost} |",
        way.name(),
        at(0.5),
        at(0.99),
        at(1.0),
        worst_round.expect("there are rounds") as f64 / 1e3,
        cpu.as_secs_f64(),
    );
}

fn clock_cost() -> f64 {
    const LOOKS: u32 = 1_000_000;
    let start = Instant::now();
    (0..LOOKS).for_each(|_| {
        std::hint::black_box(Instant::now());
    });
    start.elapsed().as_nanos() as f64 / f64::from(LOOKS)
}

fn main() {
    assert_eq!(LINE.to_bytes().len(), 116, "the length that is named above");
    println!("a look at the clock: {:.0} ns, one in each time", clock_cost());
    let header = "| way | threads | mean µs | median | p99 | worst | worst frame or burst | CPU s | lost |\n|---|---|---|---|---|---|---|---|---|";
    let in_frame =
        |threads: usize| move |thread: usize| PER_FRAME / threads + usize::from(thread < PER_FRAME % threads);
    for (title, is_burst) in [("bursts", true), ("60 frames a second, 1,020 events a second", false)] {
        println!("\n{title}\n\n{header}");
        for threads in [1, 4] {
            let place = tempfile::tempdir().expect("there is a folder for temporary files");
            // Each is made when its turn comes: the library has a thread.
            let ways: [Make; 4] = [
                |_| Box::new(Memory::new()),
                |place| Box::new(Library::new(&place.join("spool"))),
                |place| Box::new(Stdio::new(place)),
                |place| Box::new(Append::new(place)),
            ];
            for make in ways {
                let way = make(place.path());
                let before = cpu();
                let times = match is_burst {
                    true => run(&*way, threads, BURSTS, &|_| BURST, PAUSE),
                    false => run(&*way, threads, FRAMES, &in_frame(threads), FRAME),
                };
                let spent = cpu() - before;
                report(&*way, threads, &times, spent, way.end());
            }
        }
    }
}
