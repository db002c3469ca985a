//! The processes that write to a session: what their tools are known to do, and how they ended.
//!
//! The mount says who opens a file to write it, and where the system tells, how a process ended. A copy that was killed
//! between two files leaves only whole files behind; that it did not come to its end is all that gives it away.

use super::op::NodeNumber;
use std::collections::BTreeMap;

/// What is known of a program that copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tool {
    /// It sets the time of every file that it has written, whatever its options.
    sets_times: bool,
    /// It runs for one copy and then ends, with an error when something is missing.
    ends: bool,
    /// It compares all that is there with its source, and copies what differs.
    compares: bool,
}

/// The programs, by their names in lower case; `None` for any other.
fn tool(program: &str) -> Option<Tool> {
    let tool = |sets_times, ends, compares| Some(Tool { sets_times, ends, compares });
    match program {
        "rsync" | "rclone" => tool(true, true, true),
        "tar" | "bsdtar" | "unzip" | "7z" | "7za" | "7zr" | "7zz" | "mv" | "ditto" => tool(true, true, false),
        "cp" | "dd" | "install" | "scp" => tool(false, true, false),
        "thunar" | "pcmanfm" | "gio" | "nautilus" | "nemo" | "caja" | "dolphin" => tool(true, false, false),
        kio if kio.starts_with("kio") => tool(true, false, false),
        _ => None,
    }
}

/// The most bytes of a tool's name; those of Linux have no more.
const MAX_NAME_LEN: usize = 15;

/// A process of the host that asks for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Caller {
    /// The system's number of the process; 0 when it is not known.
    pub process: u32,
    /// The session will be told when the process ends.
    pub is_watched: bool,
    name: [u8; MAX_NAME_LEN],
    name_len: u8,
}

impl Caller {
    /// Somebody.
    pub const UNKNOWN: Caller = Caller { process: 0, is_watched: false, name: [0; MAX_NAME_LEN], name_len: 0 };

    /// Makes a caller of a process's number and the name of its program, of which the first 15 bytes are kept.
    pub fn new(process: u32, program: &[u8], is_watched: bool) -> Caller {
        let mut caller = Caller { process, is_watched, ..Caller::UNKNOWN };
        let len = program.len().min(MAX_NAME_LEN);
        caller.name[..len].copy_from_slice(&program[..len]);
        caller.name_len = len as u8;
        caller
    }

    /// Returns the name of the program.
    pub fn program(&self) -> String {
        crate::name::show(&self.name[..usize::from(self.name_len)])
    }

    /// Tells whether the program sets the time of every file that it has written.
    pub(super) fn sets_times(&self) -> bool {
        self.tool().is_some_and(|tool| tool.sets_times)
    }

    /// Tells whether the program runs for one copy and writes every file itself: its end, which is watched, tells how the
    /// copy went.
    pub fn is_one_copy(&self) -> bool {
        self.is_watched && self.tool().is_some_and(|tool| tool.ends)
    }

    fn tool(&self) -> Option<Tool> {
        tool(&self.program().to_ascii_lowercase())
    }
}

impl std::fmt::Display for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name_len {
            0 => write!(f, "process {}", self.process),
            _ => write!(f, "{} (process {})", self.program(), self.process),
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this status; 0 is success.
    Exited(u8),
    /// By a signal, or what else a system kills with.
    Killed,
    /// The system does not tell.
    Unknown,
}

#[derive(Debug)]
struct Writer {
    caller: Caller,
    /// Files that it opened to write.
    files: u64,
    /// Its place in the order of all writers.
    order: u64,
    /// The file that it opened last.
    last: NodeNumber,
}

#[derive(Debug)]
struct BadEnd {
    files: u64,
    order: u64,
    why: String,
}

/// The processes that wrote to one session.
#[derive(Debug, Default)]
pub(super) struct Writers {
    running: BTreeMap<u32, Writer>,
    bad_ends: Vec<BadEnd>,
    next_order: u64,
}

impl Writers {
    /// Takes note that `caller` opened a file to write it; `true` when [`Writers::remembrance`] changed.
    pub(super) fn opened(&mut self, caller: Caller, file: NodeNumber) -> bool {
        let was_copying = self.running.get(&caller.process).is_some_and(|writer| writer.caller.is_one_copy());
        let order = self.next_order;
        let writer =
            self.running.entry(caller.process).or_insert_with(|| Writer { caller, files: 0, order, last: file });
        // A shell opens the file, and then becomes the program that writes it.
        writer.caller = caller;
        writer.last = file;
        writer.files += 1;
        self.next_order += u64::from(writer.order == order);
        caller.is_one_copy() != was_copying
    }

    /// Takes note of the end of a process, which opened `last` last; `true` when it was a writer.
    pub(super) fn ended(&mut self, process: u32, ending: Ending, last: &str) -> bool {
        let Some(Writer { caller, files, order, .. }) = self.running.remove(&process) else { return false };
        let tool = caller.tool().filter(|tool| tool.ends);
        let why = match (ending, tool) {
            (Ending::Killed, Some(_)) => {
                format!("{caller} was killed while it wrote {last}, or soon after; what was to follow is missing")
            }
            (Ending::Exited(0), Some(tool)) => {
                // A copy that was done again makes up for the one that failed.
                self.bad_ends.retain(|bad| bad.order > order || !(tool.compares || files >= bad.files));
                return true;
            }
            (Ending::Exited(status), Some(_)) => {
                format!("{caller} ended with status {status}; not everything may have been copied")
            }
            // A shell or an editor lives longer than what it writes; what it has open at its end is known by the file.
            (_, None) | (Ending::Unknown, _) => return true,
        };
        self.bad_ends.push(BadEnd { files, order, why });
        true
    }

    /// Returns the file that a process opened last.
    pub(super) fn last_file(&self, process: u32) -> Option<NodeNumber> {
        self.running.get(&process).map(|writer| writer.last)
    }

    /// Returns what is to be written down for the case that nobody hears how the copies end that are running.
    pub(super) fn remembrance(&self) -> Option<String> {
        let copying = self.running().filter(Caller::is_one_copy);
        let copying = copying.map(|caller| format!("{caller} was still copying when the mount ended"));
        let whys: Vec<String> = self.complaint().into_iter().chain(copying).collect();
        (!whys.is_empty()).then(|| whys.join("; "))
    }

    /// Takes up what an earlier process of this program wrote down of a session that has so many `files` now.
    pub(super) fn remember(&mut self, why: String, files: u64) {
        self.bad_ends.push(BadEnd { files, order: self.next_order, why });
        self.next_order += 1;
    }

    /// Returns why the tree may not be whole, as far as the ends of its writers tell.
    pub(super) fn complaint(&self) -> Option<String> {
        let whys: Vec<&str> = self.bad_ends.iter().map(|bad| bad.why.as_str()).collect();
        (!whys.is_empty()).then(|| whys.join("; "))
    }

    /// Returns those who wrote and have not been seen to end.
    pub(super) fn running(&self) -> impl Iterator<Item = Caller> {
        self.running.values().map(|writer| writer.caller)
    }

    /// Returns a copy that has not ended: one whose program ends with it, and whose end would be told.
    pub(super) fn still_copying(&self) -> Option<Caller> {
        self.running().find(Caller::is_one_copy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(writers: &mut Writers, process: u32, program: &str, files: u64, ending: Ending) {
        for _ in 0..files {
            writers.opened(Caller::new(process, program.as_bytes(), true), 7);
        }
        assert!(writers.ended(process, ending, "level.pak"));
    }

    #[test]
    fn names_are_known_and_cut() {
        assert!(Caller::new(1, b"rsync", true).sets_times());
        assert!(Caller::new(1, b"Thunar", true).sets_times());
        assert!(Caller::new(1, b"kioworker", true).sets_times());
        assert!(!Caller::new(1, b"cp", true).sets_times());
        assert_eq!(Caller::new(7, b"a-very-long-name-of-a-tool", true).to_string(), "a-very-long-nam (process 7)");
        assert_eq!(Caller::UNKNOWN.to_string(), "process 0");
    }

    #[test]
    fn a_copy_is_waited_for_as_long_as_its_end_would_be_told() {
        for (program, is_watched, is_waited_for) in [
            ("cp", true, true),
            ("cp", false, false),
            ("rsync", true, true),
            ("nautilus", true, false),
            ("sh", true, false),
        ] {
            let mut writers = Writers::default();
            writers.opened(Caller::new(1, program.as_bytes(), is_watched), 7);
            assert_eq!(writers.still_copying().is_some(), is_waited_for, "{program}");
            assert_eq!(writers.remembrance().is_some(), is_waited_for, "{program}");
            writers.ended(1, Ending::Exited(0), "");
            assert_eq!(writers.still_copying(), None);
        }
    }

    #[test]
    fn a_copy_that_is_done_again_makes_up_for_a_killed_one() {
        let mut writers = Writers::default();
        run(&mut writers, 1, "cp", 5, Ending::Killed);
        assert!(
            writers.complaint().is_some_and(|why| why.contains("cp (process 1) was killed while it wrote level.pak"))
        );
        run(&mut writers, 2, "cp", 1, Ending::Exited(0));
        assert!(writers.complaint().is_some(), "one more file is not the whole copy");
        run(&mut writers, 3, "bash", 9, Ending::Exited(0));
        assert!(writers.complaint().is_some(), "a shell is no copy");
        run(&mut writers, 4, "cp", 6, Ending::Exited(0));
        assert_eq!(writers.complaint(), None);
        run(&mut writers, 5, "cp", 100, Ending::Killed);
        run(&mut writers, 6, "rsync", 1, Ending::Exited(0));
        assert_eq!(writers.complaint(), None);
    }

    #[test]
    fn a_copy_that_began_before_makes_up_for_nothing() {
        let mut writers = Writers::default();
        writers.opened(Caller::new(1, b"rsync", false), 7);
        run(&mut writers, 2, "cp", 1, Ending::Killed);
        assert!(writers.ended(1, Ending::Exited(0), ""));
        assert!(writers.complaint().is_some());
    }

    #[test]
    fn only_copiers_fail_by_their_status() {
        let mut writers = Writers::default();
        run(&mut writers, 1, "diff", 1, Ending::Exited(1));
        assert_eq!(writers.complaint(), None);
        assert!(!writers.ended(1, Ending::Killed, ""), "it is gone already");
        run(&mut writers, 2, "bash", 1, Ending::Killed);
        assert_eq!(writers.complaint(), None);
        run(&mut writers, 2, "cp", 1, Ending::Unknown);
        assert_eq!(writers.complaint(), None);
        run(&mut writers, 2, "cp", 1, Ending::Exited(1));
        assert!(writers.complaint().is_some_and(|why| why.contains("status 1")));
        let mut later = Writers::default();
        later.remember(writers.remembrance().unwrap(), 100);
        run(&mut later, 3, "cp", 99, Ending::Exited(0));
        assert!(later.complaint().is_some());
        run(&mut later, 4, "rsync", 1, Ending::Exited(0));
        assert_eq!(later.remembrance(), None);
    }
}
