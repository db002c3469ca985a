//! Ctrl-C: the first asks the work to stop where it can go on later, the second ends the program at once.

use super::exit::Exit;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Tells whether the user asked to stop.
pub struct Interrupts {
    requested: Arc<AtomicBool>,
}

impl Interrupts {
    /// Takes over SIGINT and SIGTERM for the rest of the process.
    pub fn install() -> Interrupts {
        let requested = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // The order matters: the shutdown must look at the flag before the same signal raises it.
            let armed = flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, requested.clone())
                .and_then(|_| flag::register(signal, requested.clone()));
            if let Err(error) = armed {
                // Then the signal ends the program as ever, and the next run goes on from what was stored.
                tracing::warn!(signal, %error, "a signal cannot be handled");
            }
        }
        Interrupts { requested }
    }

    /// Tells whether the first signal has come.
    pub fn requested(&self) -> bool {
        self.requested.load(Relaxed)
    }
}
