//! Telling the kernel what it did not ask for: changes by other processes, and names that moved as a side effect.
//!
//! One thread does both, and sleeps while there is nothing to do: it wakes when the tree sends an event, when a process that
//! wrote ends, and when the catalogue's files change. The kernel holds locks of a directory while a handler runs in it, so an
//! event is never passed on by the handler's thread.

use super::idle::Uses;
use super::system::bell::Bell;
use super::system::news::News;
use super::system::processes::Processes;
use crate::tree::{Event, Tree};
use crate::vault::Vault;
use crossbeam_channel::{Receiver, Sender};
use fuser::{INodeNo, Notifier};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the catalogue is asked for changes while it may be changing: builds of other processes shall appear within a
/// second.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// How long it may be changing after its files were written to: what is written counts when it has been synced, of which
/// nothing is heard.
const SETTLING: Duration = Duration::from_secs(10);

/// How often it is asked while nothing is heard, for the disk that takes longer. A day of it is 40 ms of a core.
const SILENT_INTERVAL: Duration = Duration::from_secs(60);

/// What is heard of a catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nothing is heard there"))]
pub(super) enum Heard {
    /// Nothing that matters.
    Nothing,
    /// Its files were written to.
    Change,
    /// The folder is out of reach: nothing more will be heard.
    End,
}

/// What the thread is told.
enum Message {
    Event(Event),
    Stop,
}

/// The end of the way to the thread that others write to.
#[derive(Clone)]
pub(super) struct Outbox {
    sender: Sender<Message>,
    bell: Arc<Bell>,
}

/// The end of it that the thread reads from.
pub(super) struct Inbox {
    messages: Receiver<Message>,
    outbox: Outbox,
}

impl Inbox {
    /// Makes the way.
    pub(super) fn new() -> std::io::Result<Inbox> {
        let (sender, messages) = crossbeam_channel::unbounded();
        let bell = Arc::new(Bell::new()?);
        Ok(Inbox { messages, outbox: Outbox { sender, bell } })
    }

    /// Returns the other end.
    pub(super) fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }
}

impl Outbox {
    /// Passes an event on.
    pub(super) fn send(&self, event: Event) {
        self.tell(Message::Event(event));
    }

    fn tell(&self, message: Message) {
        // The receiver is gone only when the mount is.
        self.sender.send(message).ok();
        self.bell.ring();
    }
}

/// The running thread; it ends when this is dropped.
pub(super) struct Watcher {
    outbox: Outbox,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Starts the thread.
    pub(super) fn start(
        vault: Arc<Vault>,
        watched: Watched,
        notifier: Notifier,
        inbox: Inbox,
    ) -> std::io::Result<Watcher> {
        let outbox = inbox.outbox();
        let pace = Pace::new(&vault.catalogue_path());
        let watch = Watch { vault, watched, notifier, inbox, pace, foreign: None, has_failed: false };
        let thread = std::thread::Builder::new().name("mount-watch".into()).spawn(move || watch.run())?;
        Ok(Watcher { outbox, thread: Some(thread) })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.outbox.tell(Message::Stop);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// When the catalogue is to be asked.
struct Pace {
    /// `None` where nothing can be heard: it is asked all the time.
    news: Option<News>,
    asked: Instant,
    settled: Instant,
}

impl Pace {
    fn new(catalogue: &Path) -> Pace {
        let news = News::of(catalogue)
            .inspect_err(|error| tracing::info!(%error, "the catalogue is asked for changes all the time"));
        let now = Instant::now();
        // What came since the tree was made was not heard.
        Pace { news: news.ok(), asked: now, settled: now + SETTLING }
    }

    /// Tells whether it may be changing.
    fn is_settling(&self, now: Instant) -> bool {
        self.news.is_none() || now < self.settled
    }

    /// Returns when it is to be asked next.
    fn next(&self, now: Instant) -> Instant {
        self.asked + if self.is_settling(now) { POLL_INTERVAL } else { SILENT_INTERVAL }
    }

    /// Takes note of what was heard meanwhile.
    fn hear(&mut self, now: Instant) {
        match self.news.as_ref().map_or(Heard::Nothing, News::hear) {
            Heard::Nothing => {}
            Heard::Change => self.settled = now + SETTLING,
            Heard::End => self.news = None,
        }
    }
}

/// Who is told of what happens.
pub(super) struct Watched {
    /// Of builds of other processes, and of the ends of processes.
    pub(super) tree: Arc<Tree>,
    /// Tells which ended.
    pub(super) processes: Arc<Processes>,
    /// That others change the vault.
    pub(super) uses: Arc<Uses>,
}

/// What the thread works with.
struct Watch {
    vault: Arc<Vault>,
    watched: Watched,
    notifier: Notifier,
    inbox: Inbox,
    pace: Pace,
    /// What the catalogue was like when another process last changed it.
    foreign: Option<u64>,
    /// A vault that went away stays away for a while: one line in the log is enough.
    has_failed: bool,
}

impl Watch {
    fn run(mut self) {
        loop {
            self.sleep();
            // Before the messages: one that is sent now rings again.
            self.inbox.outbox.bell.silence();
            for message in self.inbox.messages.try_iter() {
                match message {
                    Message::Event(event) => notify(&self.notifier, &event),
                    Message::Stop => {
                        // A copy that has just ended must not be in doubt after the next mount.
                        self.tell_ended();
                        return;
                    }
                }
            }
            self.tell_ended();
            let now = Instant::now();
            self.pace.hear(now);
            if now >= self.pace.next(now) {
                self.pace.asked = now;
                self.ask();
            }
        }
    }

    /// Waits until there may be something to do.
    fn sleep(&self) {
        let now = Instant::now();
        // A millisecond more than what is left of it, or less than one would be none.
        let rest = self.pace.next(now).saturating_duration_since(now) + Duration::from_millis(1);
        let mut sources = vec![PollFd::new(self.inbox.outbox.bell.as_fd(), PollFlags::POLLIN)];
        sources.extend(self.watched.processes.ends().map(|ends| PollFd::new(ends, PollFlags::POLLIN)));
        // While it may be changing it is asked anyway; a snapshot writes to its files all the time.
        let news = self.pace.news.as_ref().filter(|_| !self.pace.is_settling(now));
        sources.extend(news.map(|news| PollFd::new(news.as_fd(), PollFlags::POLLIN)));
        match nix::poll::poll(&mut sources, PollTimeout::try_from(rest).unwrap_or(PollTimeout::MAX)) {
            Ok(_) | Err(Errno::EINTR) => {}
            // Short of memory: a pause, and once more.
            Err(_) => std::thread::sleep(POLL_INTERVAL),
        }
    }

    fn ask(&mut self) {
        let asked = self.watched.tree.poll_changes().and_then(|()| self.vault.foreign_generation());
        if let Err(error) = &asked
            && !self.has_failed
        {
            tracing::warn!(%error, "cannot look for new builds");
        }
        self.has_failed = asked.is_err();
        if let Ok(Some(foreign)) = asked
            && self.foreign.replace(foreign) != Some(foreign)
        {
            self.watched.uses.touched();
        }
    }

    fn tell_ended(&self) {
        for (process, ending) in self.watched.processes.ended() {
            self.watched.tree.process_ended(process, ending);
        }
    }
}

fn notify(notifier: &Notifier, event: &Event) {
    let told = match event {
        Event::Name { directory, name } => notifier.inval_entry(INodeNo(directory.0), OsStr::from_bytes(name)),
        Event::Node(node) => notifier.inval_inode(INodeNo(node.0), 0, 0),
    };
    if let Err(error) = told {
        // Not known to the kernel is the usual reason, and no harm.
        tracing::debug!(%error, ?event, "the kernel did not take an event");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_asked_often_only_while_it_may_be_changing() {
        let dir = tempfile::tempdir().unwrap();
        let catalogue = dir.path().join("catalogue.db");
        let mut pace = Pace::new(&catalogue);
        let start = pace.asked;
        assert_eq!(pace.next(start), start + POLL_INTERVAL);
        let later = start + SETTLING;
        pace.hear(later);
        assert_eq!(pace.next(later), start + SILENT_INTERVAL);
        std::fs::write(&catalogue, "x").unwrap();
        pace.hear(later);
        assert_eq!(pace.next(later), start + POLL_INTERVAL);
        // Where nothing can be heard it is asked as before.
        let deaf = Pace { news: None, asked: start, settled: start };
        assert_eq!(deaf.next(later), start + POLL_INTERVAL);
    }
}
