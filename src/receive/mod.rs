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
mod server;
mod session;

use crate::error::{Error, Result};
use parking_lot::Mutex;
use server::Server;
use session::OpenSession;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

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
    /// Nothing after the end.
    server: Option<Server>,
    address: SocketAddr,
}

/// What all requests have in common.
struct Shared {
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
        let asked = options.address;
        let shared = Arc::new(Shared { options, open: Mutex::default(), ended: AtomicU64::new(0) });
        let (server, address) = Server::start(asked, shared.clone())?;
        Ok(Receiver { shared, server: Some(server), address })
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
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
        // Whoever still sends is not listened to any more when the sessions end.
        drop(self.server.take());
        self.shared.end_where(|_| true);
    }
}

impl Shared {
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
