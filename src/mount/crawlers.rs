//! Programs that go over everything, such as thumbnailers, indexers and virus scanners: known by their names.
//!
//! What they read is not worth being kept, or read ahead of them. A process is looked at when it reads for the first
//! time, and again after a moment, since it may have become another program, or its number another process's. In between
//! knowing it costs one look into a table of fixed size.

use super::activity::CrawlerActivity;
use super::system::processes::{command_line, names};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// Threads that are remembered at once; two that share a place take turns.
const KNOWN_COUNT: usize = 256;

/// For how many seconds they are.
const KNOWN_SECONDS: u64 = 2;

/// Crawlers of different names that are counted; further ones are treated as crawlers, and not told apart.
const MAX_SEEN: usize = 64;

/// The longest name that Linux keeps of a thread: `TASK_COMM_LEN` in `include/linux/sched.h`, less its end.
const MAX_COMM_LEN: usize = 15;

const SECOND_BITS: u32 = 24;
const VERDICT_BITS: u32 = 8;

/// The crawlers that read from one mount.
pub(super) struct Crawlers {
    patterns: Vec<String>,
    started: Instant,
    /// From the lowest bits: 0 or the index of a crawler in `seen` and 1 (8 bits), the second of the look, the thread.
    known: [AtomicU64; KNOWN_COUNT],
    seen: [Seen; MAX_SEEN],
}

#[derive(Default)]
struct Seen {
    name: OnceLock<String>,
    reads: AtomicU64,
    bytes: AtomicU64,
}

/// One that reads, by its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Crawler(u8);

impl Crawlers {
    /// Knows the programs that match `patterns`, in which `*` stands for anything.
    ///
    /// One with a space is compared with the file names of all words of the command line, any other with the names of
    /// thread, process and program.
    pub(super) fn new(patterns: &[String]) -> Crawlers {
        Crawlers {
            patterns: patterns.iter().map(|pattern| pattern.to_lowercase()).collect(),
            started: Instant::now(),
            known: [const { AtomicU64::new(0) }; KNOWN_COUNT],
            seen: std::array::from_fn(|_| Seen::default()),
        }
    }

    /// Returns which crawler thread `tid` belongs to; `None` if it is none, or of a process that cannot be seen.
    pub(super) fn of(&self, tid: u32) -> Option<Crawler> {
        if tid == 0 || self.patterns.is_empty() {
            return None;
        }
        let place = &self.known[tid as usize % KNOWN_COUNT];
        let second = self.started.elapsed().as_secs() & ((1 << SECOND_BITS) - 1);
        let known = place.load(Relaxed);
        let age = second.wrapping_sub((known >> VERDICT_BITS) & ((1 << SECOND_BITS) - 1));
        let verdict = if known >> (VERDICT_BITS + SECOND_BITS) == u64::from(tid) && age < KNOWN_SECONDS {
            known & ((1 << VERDICT_BITS) - 1)
        } else {
            let verdict = self.look(tid).map_or(0, |crawler| u64::from(crawler.0) + 1);
            place.store((u64::from(tid) << SECOND_BITS | second) << VERDICT_BITS | verdict, Relaxed);
            verdict
        };
        verdict.checked_sub(1).map(|index| Crawler(index as u8))
    }

    /// Counts a read.
    pub(super) fn count(&self, crawler: Crawler, bytes: u64) {
        let seen = &self.seen[usize::from(crawler.0)];
        seen.reads.fetch_add(1, Relaxed);
        seen.bytes.fetch_add(bytes, Relaxed);
    }

    /// Returns those that have read.
    pub(super) fn activity(&self) -> Vec<CrawlerActivity> {
        let of = |seen: &Seen| {
            let name = seen.name.get()?.clone();
            Some(CrawlerActivity { name, reads: seen.reads.load(Relaxed), bytes: seen.bytes.load(Relaxed) })
        };
        self.seen.iter().map_while(of).collect()
    }

    fn look(&self, tid: u32) -> Option<Crawler> {
        let names = names(tid);
        let is_crawler = |name: &String| self.patterns.iter().any(|pattern| is_named(pattern, name));
        let found = names.iter().find(|name| is_crawler(name)).cloned();
        let name = found.or_else(|| {
            // Read for few programs only, so not before it is needed.
            let words = self.patterns.iter().filter(|pattern| pattern.contains(' '));
            let line = words.clone().next().map(|_| command_line(tid))?;
            words.clone().any(|pattern| matches(pattern.as_bytes(), line.to_lowercase().as_bytes())).then_some(line)
        })?;
        let index = self.seen.iter().position(|seen| *seen.name.get_or_init(|| name.clone()) == name);
        Some(Crawler(index.unwrap_or(MAX_SEEN - 1) as u8))
    }
}

/// Tells whether `pattern` stands for `name`, which may be cut off.
fn is_named(pattern: &str, name: &str) -> bool {
    let name = name.to_lowercase();
    let is_cut = name.len() == MAX_COMM_LEN && pattern.len() > MAX_COMM_LEN;
    matches(pattern.as_bytes(), name.as_bytes())
        || is_cut && !pattern.contains('*') && pattern.as_bytes().starts_with(name.as_bytes())
}

/// Tells whether `pattern`, in which `*` stands for any bytes, stands for all of `text`.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let mut pieces = pattern.split(|&byte| byte == b'*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces.filter(|piece| !piece.is_empty()) {
        let Some(at) = rest.windows(piece.len()).position(|window| window == piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, expected) in [
            ("tumblerd", "tumblerd", true),
            ("tumblerd", "tumblerd2", false),
            ("gnome-thumbnail*", "gnome-thumbnail", true),
            ("gnome-thumbnail*", "gnome-thumbnailer-x", true),
            ("*scan*er", "clamscan-helper", true),
            ("*scan*er", "scanr", false),
            ("a*a", "a", false),
            ("a*bc*bc", "abc", false),
            ("*", "", true),
            ("kioslave* thumbnail.so*", "kioslave5 thumbnail.so thumbnail local:/tmp/x", true),
            ("kioslave* thumbnail.so*", "kioslave5 file.so file local:/tmp/x", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_name_that_the_system_cut_off_is_known() {
        assert!(is_named("tracker-miner-fs-3", "tracker-miner-f"));
        assert!(is_named("searchindexer.exe", "SearchIndexer.exe"));
        assert!(!is_named("tracker-miner-fs-3", "tracker-miner"));
        assert!(!is_named("cat", "cat-like-program"));
    }

    /// Runs a program under another name until it is told to end; it has become that program when this returns.
    fn run_as(name: &str, dir: &Path) -> Child {
        let path = dir.join(name);
        std::os::unix::fs::symlink("/bin/sh", &path).unwrap();
        let child = Command::new(&path).args(["-c", "read go"]).stdin(Stdio::piped()).spawn().unwrap();
        while fs::read_to_string(format!("/proc/{}/comm", child.id())).unwrap().trim_end() != name {
            std::thread::yield_now();
        }
        child
    }

    #[test]
    fn processes_are_known_by_their_names_and_counted_together() {
        let dir = tempfile::tempdir().unwrap();
        let crawlers = Crawlers::new(&["Thumb*".into()]);
        let mut children =
            vec![run_as("thumber", dir.path()), run_as("player", dir.path()), run_as("thumb2", dir.path())];
        let found: Vec<_> = children.iter().map(|child| crawlers.of(child.id())).collect();
        assert_eq!(found, [Some(Crawler(0)), None, Some(Crawler(1))]);
        assert_eq!(crawlers.of(children[0].id()), Some(Crawler(0)), "from the table");
        assert_eq!(crawlers.of(std::process::id()), None);
        assert_eq!(crawlers.of(0), None);
        crawlers.count(Crawler(1), 100);
        crawlers.count(Crawler(1), 50);
        let told: Vec<_> = crawlers.activity().into_iter().map(|one| (one.name, one.reads, one.bytes)).collect();
        assert_eq!(told, [("thumber".into(), 0, 0), ("thumb2".into(), 2, 150)]);
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
