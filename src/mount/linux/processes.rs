//! The processes that write to the mount: what program each runs, whether it is being killed, and how it ended.
//!
//! The kernel tells the number of the thread that makes a request. While that thread closes its files at its end it still
//! exists, and `/proc` tells whether a signal ended it. A pidfd tells the same of the whole process after it has ended
//! (since Linux 6.15; older ones only tell that it ended).

use super::pidfd::PidFd;
use crate::tree::{Caller, Ending};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// The most threads that are remembered; beyond it the ones that have ended are forgotten.
const MAX_THREADS: usize = 256;

/// The most ends that are remembered; whoever asks for one does so soon after.
const MAX_ENDINGS: usize = 4096;

/// How much of what happened to processes is taken note of at once.
const MAX_HAPPENED: usize = 64;

/// More than `/proc/PID/stat` ever has.
const MAX_STAT_LEN: usize = 1024;

/// A thread that is ended by a signal has this flag: `PF_SIGNALED` in `include/linux/sched.h`, set by `get_signal`.
const PF_SIGNALED: u64 = 0x400;

/// The version of Linux from which on a pidfd tells how its process ended.
const ENDS_ARE_TOLD_FROM: (u32, u32) = (6, 15);

/// Where flags and exit code stand in `/proc/PID/stat`, counted after the name; see proc(5), fields 9 and 52.
const FLAGS: usize = 6;
const EXIT_CODE: usize = 49;

/// The part of an exit code that names the signal, see wait(2).
const SIGNAL_MASK: u64 = 0x7f;

/// The threads that have written, by their numbers.
pub(in crate::mount) struct Processes {
    ends_are_told: bool,
    threads: Mutex<HashMap<u32, Arc<Thread>>>,
    watched: Mutex<HashMap<u32, PidFd>>,
    /// How those ended that were watched.
    endings: Mutex<HashMap<u32, Ending>>,
    /// Knows when something happened to one that is watched; `None` when the system has no room for it.
    ends: Option<Epoll>,
}

struct Thread {
    caller: Caller,
    /// Its `stat`, kept open: a question costs one read.
    stat: File,
}

impl Processes {
    /// Starts with none.
    pub(in crate::mount) fn new() -> Processes {
        let release = nix::sys::utsname::uname().map(|name| name.release().to_string_lossy().into_owned());
        let ends_are_told = release.is_ok_and(|release| version_of(&release) >= ENDS_ARE_TOLD_FROM);
        let ends = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).ok();
        let ends_are_told = ends_are_told && ends.is_some();
        Processes {
            ends_are_told,
            threads: Mutex::default(),
            watched: Mutex::default(),
            endings: Mutex::default(),
            ends,
        }
    }

    /// Tells whether the system says how a process ended that is no child.
    pub(in crate::mount) fn ends_are_told(&self) -> bool {
        self.ends_are_told
    }

    /// Returns who makes a request as thread `tid`.
    pub(in crate::mount) fn caller(&self, tid: u32) -> Caller {
        if let Some(thread) = self.threads.lock().get(&tid) {
            return thread.caller;
        }
        self.meet(tid).map_or(Caller::UNKNOWN, |thread| thread.caller)
    }

    /// Returns who is being killed while it makes a request as thread `tid`; `None` if it is not.
    pub(in crate::mount) fn killed(&self, tid: u32) -> Option<Caller> {
        let known = self.threads.lock().get(&tid).cloned()?;
        let (thread, stat) = match known.read_stat() {
            Some(stat) => (known, stat),
            // It has ended, and the number is another one's by now.
            None => {
                self.threads.lock().remove(&tid);
                let thread = self.meet(tid)?;
                let stat = thread.read_stat()?;
                (thread, stat)
            }
        };
        is_killed(&stat).then_some(thread.caller)
    }

    /// Returns what can be read from when [`Processes::ended`] may have something to tell.
    pub(in crate::mount) fn ends(&self) -> Option<BorrowedFd<'_>> {
        self.ends.as_ref().map(|ends| ends.0.as_fd())
    }

    /// Returns which of the processes have ended since the last call, and how.
    pub(in crate::mount) fn ended(&self) -> Vec<(u32, Ending)> {
        let mut watched = self.watched.lock();
        // Before they are asked: what happens after that is told again.
        let mut happened = [EpollEvent::empty(); MAX_HAPPENED];
        let mut is_full = |ends: &Epoll| ends.wait(&mut happened, EpollTimeout::ZERO) == Ok(MAX_HAPPENED);
        while self.ends.as_ref().is_some_and(&mut is_full) {}
        let ended: Vec<(u32, Ending)> =
            watched.iter().filter_map(|(&process, pidfd)| Some((process, pidfd.ending()?))).collect();
        let mut endings = self.endings.lock();
        if endings.len() + ended.len() > MAX_ENDINGS {
            endings.clear();
        }
        for &(process, ending) in &ended {
            watched.remove(&process);
            endings.insert(process, ending);
        }
        drop(endings);
        if !ended.is_empty() {
            let mut threads = self.threads.lock();
            threads.retain(|_, thread| ended.iter().all(|(process, _)| *process != thread.caller.process));
        }
        ended
    }

    /// Returns how a process ended that has written; `None` while that is not known yet.
    pub(in crate::mount) fn ending(&self, process: u32) -> Option<Ending> {
        let watched = self.watched.lock();
        let Some(pidfd) = watched.get(&process) else {
            return Some(self.endings.lock().get(&process).copied().unwrap_or(Ending::Unknown));
        };
        pidfd.ending().or_else(|| {
            // Its parent has not heard of its end yet, and may never ask.
            let stat = std::fs::read(format!("/proc/{process}/stat")).ok()?;
            stat_fields(&stat).first().is_some_and(|state| state == b"Z").then(|| match is_killed(&stat) {
                true => Ending::Killed,
                false => Ending::Unknown,
            })
        })
    }

    fn meet(&self, tid: u32) -> Option<Arc<Thread>> {
        // The thread's own file: that of the process would add up all its threads at each read.
        let stat = File::open(format!("/proc/{tid}/task/{tid}/stat")).ok()?;
        let process = process_of(tid)?;
        let program = std::fs::read(format!("/proc/{process}/comm")).ok()?;
        let is_watched = self.watch(process);
        let caller = Caller::new(process, program.trim_ascii_end(), is_watched);
        let mut threads = self.threads.lock();
        if threads.len() >= MAX_THREADS {
            threads.retain(|_, thread| thread.read_stat().is_some());
        }
        let thread = Arc::new(Thread { caller, stat });
        threads.insert(tid, thread.clone());
        Some(thread)
    }

    fn watch(&self, process: u32) -> bool {
        let mut watched = self.watched.lock();
        if watched.contains_key(&process) {
            return true;
        }
        match self.open_watched(process) {
            Ok(pidfd) => {
                // The number may have been another one's.
                self.endings.lock().remove(&process);
                watched.insert(process, pidfd);
                true
            }
            Err(error) => {
                tracing::debug!(%error, process, "the end of a process cannot be watched");
                false
            }
        }
    }

    fn open_watched(&self, process: u32) -> std::io::Result<PidFd> {
        let pidfd = PidFd::open(process)?;
        let ends = self.ends.as_ref().ok_or(Errno::EMFILE)?;
        // Told once for each change: a process whose parent does not ask how it ended would be told of for ever.
        ends.add(&pidfd, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, process.into()))?;
        Ok(pidfd)
    }
}

impl Thread {
    /// Returns what the system says of the thread; `None` when it has ended.
    fn read_stat(&self) -> Option<Vec<u8>> {
        let mut stat = vec![0; MAX_STAT_LEN];
        let len = self.stat.read_at(&mut stat, 0).ok()?;
        stat.truncate(len);
        (len > 0).then_some(stat)
    }
}

/// Returns the first two numbers of a release of Linux.
fn version_of(release: &str) -> (u32, u32) {
    let mut numbers = release.split(['.', '-']).map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Returns the process of a thread.
pub(super) fn process_of(tid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{tid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()
}

/// Returns the names of the program's file, of the process and of the thread, as far as they may be seen.
pub(in crate::mount) fn names(tid: u32) -> Vec<String> {
    let comm = |thread: u32| std::fs::read_to_string(format!("/proc/{thread}/comm")).ok();
    let program = std::fs::read_link(format!("/proc/{tid}/exe")).ok();
    let program =
        program.as_deref().and_then(std::path::Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let process = process_of(tid).filter(|&process| process != tid).and_then(comm);
    [program, process, comm(tid)].into_iter().flatten().map(|name| name.trim_end().to_owned()).collect()
}

/// Returns the file names of the words of a command line: `kioslave5 thumbnail.so thumbnail …`.
pub(in crate::mount) fn command_line(tid: u32) -> String {
    let line = std::fs::read(format!("/proc/{tid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line);
    let words = line.split('\0').filter(|word| !word.is_empty());
    words.map(|word| word.rsplit('/').next().unwrap_or(word)).collect::<Vec<_>>().join(" ")
}

/// Returns the fields of a `stat` that follow the name, the first of which is the state.
pub(super) fn stat_fields(stat: &[u8]) -> Vec<&[u8]> {
    // The name of the program, in brackets, may hold anything, also brackets.
    let Some(at) = stat.iter().rposition(|&byte| byte == b')') else { return Vec::new() };
    stat[at + 1..].trim_ascii().split(|&byte| byte == b' ').collect()
}

/// Tells whether a thread's `stat` says that a signal ends it.
///
/// All other threads of a process that ends by itself get the flag, too; the exit code tells them apart. It is 0 both for
/// success and where it may not be seen: then the flag decides, for a copy that is wrongly in doubt does less harm.
fn is_killed(stat: &[u8]) -> bool {
    let fields = stat_fields(stat);
    let number = |index: usize| -> u64 {
        let digits = fields.get(index).and_then(|field| std::str::from_utf8(field).ok());
        digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
    };
    let (flags, exit_code) = (number(FLAGS), number(EXIT_CODE));
    flags & PF_SIGNALED != 0 && (exit_code == 0 || exit_code & SIGNAL_MASK != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn stat(name: &str, flags: u64, exit_code: u64) -> Vec<u8> {
        let fields: Vec<String> = (0..=EXIT_CODE)
            .map(|index| match index {
                0 => "S".into(),
                FLAGS => flags.to_string(),
                EXIT_CODE => exit_code.to_string(),
                index => index.to_string(),
            })
            .collect();
        format!("123 ({name}) {}\n", fields.join(" ")).into_bytes()
    }

    #[test]
    fn a_signal_is_told_from_an_end_by_itself() {
        assert!(is_killed(&stat("cp", 0x404, 9)));
        assert!(is_killed(&stat("a) S (b", 0x404, 2)));
        assert!(is_killed(&stat("cp", 0x404, 0)), "the exit code may not be seen");
        assert!(!is_killed(&stat("rclone", 0x404, 0x100)), "another thread ended the process");
        assert!(!is_killed(&stat("cp", 0x4, 0x100)));
        assert!(!is_killed(&stat("cp", 0x400_000, 0)));
        assert!(!is_killed(b""));
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(version_of("6.18.44-generic") >= ENDS_ARE_TOLD_FROM);
        assert!(version_of("7.0-rc1") >= ENDS_ARE_TOLD_FROM);
        assert!(version_of("6.6.30") < ENDS_ARE_TOLD_FROM);
        assert!(version_of("strange") < ENDS_ARE_TOLD_FROM);
    }

    #[test]
    fn this_process_is_known_and_lives() {
        let processes = Processes::new();
        let tid = nix::unistd::gettid().as_raw() as u32;
        let caller = processes.caller(tid);
        assert_eq!(caller.process, std::process::id());
        assert!(!caller.program().is_empty());
        assert_eq!(processes.killed(tid), None);
        assert_eq!(processes.caller(u32::MAX), Caller::UNKNOWN);
    }

    #[test]
    fn the_end_of_a_child_is_told_once() {
        for (line, ending) in
            [("exit 0", Ending::Exited(0)), ("exit 3", Ending::Exited(3)), ("kill -9 $$", Ending::Killed)]
        {
            let processes = Processes::new();
            let mut child = std::process::Command::new("sh")
                .args(["-c", &format!("echo; read go; {line}")])
                .stdin(std::process::Stdio::piped())
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            // Before it says something it may still be a copy of this process.
            child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
            let caller = processes.caller(child.id());
            assert_eq!((caller.process, caller.program().as_str()), (child.id(), "sh"));
            assert!(processes.ended().is_empty());
            drop(child.stdin.take());
            child.wait().unwrap();
            let ended = processes.ended();
            // A kernel that does not tell how is none of this program's doing.
            assert!(ended == [(child.id(), ending)] || ended == [(child.id(), Ending::Unknown)], "{line}: {ended:?}");
            assert!(processes.ended().is_empty());
        }
    }
}
