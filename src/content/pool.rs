//! Threads that read ahead.
//!
//! The queue is bounded: what finds no room in it is left to the readers, who are never made to wait here. A task that
//! panics ends alone.

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{Builder, JoinHandle};

/// Most threads; decoding takes as long as several of them find something to do.
const MAX_THREADS: usize = 4;

/// Tasks that wait.
const QUEUE_LEN: usize = 256;

type Task = Box<dyn FnOnce() + Send>;

/// The threads, which start with the first task and end with the pool.
#[derive(Default)]
pub(super) struct Pool {
    running: Mutex<Option<Running>>,
}

struct Running {
    queue: Sender<Task>,
    waiting: Receiver<Task>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Lets a thread do `task` soon; tells whether there was room for it.
    pub(super) fn start(&self, task: impl FnOnce() + Send + 'static) -> bool {
        let mut running = self.running.lock();
        let running = running.get_or_insert_with(Running::new);
        // Where no thread could be started nobody takes tasks, and the queue is as good as full.
        match running.queue.try_send(Box::new(task)) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }
}

impl Running {
    fn new() -> Running {
        let (queue, tasks) = bounded::<Task>(QUEUE_LEN);
        let count = std::thread::available_parallelism().map_or(2, usize::from).min(MAX_THREADS);
        let thread = |_| {
            let tasks = tasks.clone();
            let work = move || {
                for task in tasks {
                    // It holds nothing but placeholders, which its unwinding gives back.
                    if catch_unwind(AssertUnwindSafe(task)).is_err() {
                        tracing::error!("reading ahead panicked; whoever asks for these bytes is told what is wrong");
                    }
                }
            };
            Builder::new().name("read-ahead".into()).spawn(work).ok()
        };
        let threads = (0..count).filter_map(thread).collect();
        Running { queue, waiting: tasks, threads }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let Some(Running { queue, waiting, threads }) = self.running.get_mut().take() else { return };
        drop(queue);
        // What has not begun is of no use any more.
        waiting.try_iter().for_each(drop);
        threads.into_iter().for_each(|thread| drop(thread.join()));
    }
}
