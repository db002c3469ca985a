//! Telling the kernel what it did not ask for: changes by other processes, and names that moved as a side effect.
//!
//! One thread does both: it passes the tree's events on, and a few times a second it lets the tree look for changes, and
//! tells it which of the processes that wrote have ended. The
//! kernel holds locks of a directory while a handler runs in it, so an event is never passed on by the handler's thread.

use super::processes::Processes;
use crate::tree::{Event, Tree};
use crossbeam_channel::{Receiver, Sender, select};
use fuser::{INodeNo, Notifier};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the catalogue is asked for changes: builds of other processes shall appear within a second.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The running thread; it ends when this is dropped.
pub(super) struct Watcher {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Starts the thread.
    pub(super) fn start(
        tree: Arc<Tree>,
        processes: Arc<Processes>,
        notifier: Notifier,
        events: Receiver<Event>,
    ) -> std::io::Result<Watcher> {
        let (stop, stopped) = crossbeam_channel::bounded(0);
        let thread = std::thread::Builder::new().name("mount-watch".into()).spawn(move || {
            // A vault that went away stays away for a while: one line in the log is enough.
            let mut has_failed = false;
            loop {
                select! {
                    recv(stopped) -> _ => {
                        // A copy that has just ended must not be in doubt after the next mount.
                        tell_ended(&tree, &processes);
                        return;
                    }
                    recv(events) -> event => match event {
                        Ok(event) => notify(&notifier, &event),
                        Err(_) => return,
                    },
                    default(POLL_INTERVAL) => {
                        let polled = tree.poll_changes();
                        if let Err(error) = &polled
                            && !has_failed
                        {
                            tracing::warn!(%error, "cannot look for new builds");
                        }
                        has_failed = polled.is_err();
                        tell_ended(&tree, &processes);
                    }
                }
            }
        })?;
        Ok(Watcher { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn tell_ended(tree: &Tree, processes: &Processes) {
    for (process, ending) in processes.ended() {
        tree.process_ended(process, ending);
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
