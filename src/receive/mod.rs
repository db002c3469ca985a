//! Recording over HTTP, for games that cannot write a folder: in browsers, on phones and consoles.
//!
//! What comes in is written into a spool folder, in the same form as the library for games writes it (`docs/recording.md`), so that
//! [`crate::vault::Vault::collect_sessions`] takes both.
//!
//! ```text
//! POST /sessions                 an object for session.json   ──▶ {"id": …}
//! POST /sessions/<id>/events     JSON Lines                   ──▶ {"accepted": n, "rejected": n}
//! POST /sessions/<id>/log        text
//! PUT  /sessions/<id>/<folder>/<name>   a file; the folder is saves, screens, crash or attached
//! POST /sessions/<id>/end        {"exit": "clean"}
//! ```

mod request;
mod session;

use crate::error::{Error, Result};
use parking_lot::Mutex;
use session::OpenSession;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tiny_http::Server;

/// Threads that answer.
const THREADS: usize = 4;

/// Sessions that may be open at once.
const MAX_OPEN: usize = 1_000;

/// How a receiver works.
#[derive(Debug, Clone)]
pub struct ReceiverOptions {
    /// Where it listens.
    pub address: SocketAddr,
    /// What every request must carry: `Authorization: Bearer TOKEN`.
    pub token: String,
    /// The folder for sessions; it is made.
    pub spool: PathBuf,
    /// The build that is played, for games that do not say it.
    pub build: Option<String>,
    /// A session of which nothing was heard for so long is over.
    pub silence: Duration,
}

/// A running receiver; it ends when this is dropped, and all open sessions with it.
pub struct Receiver {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What the threads have in common.
struct Shared {
    server: Server,
    options: ReceiverOptions,
    open: Mutex<HashMap<String, Arc<Mutex<OpenSession>>>>,
    ended: AtomicU64,
}

impl Receiver {
    /// Starts to listen.
    ///
    /// # Errors
    /// `Invalid` for an empty token; `Io` if nobody can listen there.
    pub fn start(options: ReceiverOptions) -> Result<Receiver> {
        if options.token.is_empty() {
            return Err(
                Error::invalid("the token for recording is empty").with_hint("give one, or none to have it made")
            );
        }
        let server = Server::http(options.address).map_err(|error| {
            Error::io("listen on", Path::new(&options.address.to_string()), std::io::Error::other(error))
                .with_hint("choose another port: --listen 127.0.0.1:0 takes a free one")
        })?;
        let shared = Arc::new(Shared { server, options, open: Mutex::default(), ended: AtomicU64::new(0) });
        let threads = (0..THREADS).map(|number| {
            let shared = shared.clone();
            std::thread::Builder::new().name(format!("receive-{number}")).spawn(move || shared.run())
        });
        let threads: std::io::Result<Vec<_>> = threads.collect();
        let threads = threads.map_err(|error| Error::io("start a thread of", Path::new("the receiver"), error))?;
        Ok(Receiver { shared, threads })
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.server.server_addr().to_ip().unwrap_or(self.shared.options.address)
    }

    /// Returns how many sessions have ended since the start.
    pub fn ended(&self) -> u64 {
        self.shared.ended.load(Relaxed)
    }

    /// Returns how many sessions are open.
    pub fn open(&self) -> usize {
        self.shared.open.lock().len()
    }

    /// Ends the sessions of which nothing was heard for too long.
    pub fn end_silent(&self) {
        let Some(before) = Instant::now().checked_sub(self.shared.options.silence) else { return };
        self.shared.end_where(|session| session.last_heard() <= before);
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        for _ in &self.threads {
            self.shared.server.unblock();
        }
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
        self.shared.end_where(|_| true);
    }
}

impl Shared {
    fn run(&self) {
        // An error is `unblock`, or that of one connection.
        while let Ok(request) = self.server.recv() {
            self.answer(request);
        }
    }

    fn end_where(&self, is_over: impl Fn(&OpenSession) -> bool) {
        let mut over = Vec::new();
        self.open.lock().retain(|_, session| {
            let ends = is_over(&session.lock());
            if ends {
                over.push(session.clone());
            }
            !ends
        });
        for session in over {
            self.end(&session, "killed");
        }
    }

    fn end(&self, session: &Mutex<OpenSession>, exit: &str) {
        match session.lock().end(exit) {
            Ok(()) => drop(self.ended.fetch_add(1, Relaxed)),
            // Its folder stays as it is, and is taken for a crash later.
            Err(error) => tracing::warn!(%error, "a session cannot be ended"),
        }
    }
}
