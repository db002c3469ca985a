//! Ctrl-C: the first asks for a clean end, the second ends the program at once.
//!
//! Work looks at a flag ([`Interrupts`]), because it stops between files. A mount waits for days, so it is told
//! ([`on_signal`]).

use super::exit::Exit;
#[cfg(unix)]
use gamevault::error::Error;
use gamevault::error::Result;
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

/// Calls `stop` at the first SIGINT, SIGTERM or SIGHUP, and ends the process at the second.
///
/// # Errors
/// `Io` if the signals cannot be watched.
#[cfg(unix)]
pub fn on_signal(stop: impl FnOnce() + Send + 'static) -> Result<()> {
    use signal_hook::consts::SIGHUP;
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|error| Error::io("watch the signals of", "this process", error))?;
    std::thread::spawn(move || {
        let mut signals = signals.forever();
        signals.next();
        // Stopping may take long, and the second signal must not wait for it.
        std::thread::spawn(stop);
        signals.next();
        signal_hook::low_level::exit(Exit::Interrupted as i32);
    });
    Ok(())
}

/// Calls `stop` at the first Ctrl-C, and ends the process at the second.
///
/// # Errors
/// None: a signal that cannot be watched ends the process as ever.
#[cfg(not(unix))]
pub fn on_signal(stop: impl FnOnce() + Send + 'static) -> Result<()> {
    /// How often it is looked whether it has come: no call here waits for it.
    const POLL: std::time::Duration = std::time::Duration::from_millis(200);
    let interrupts = Interrupts::install();
    std::thread::spawn(move || {
        while !interrupts.requested() {
            std::thread::sleep(POLL);
        }
        stop();
    });
    Ok(())
}
