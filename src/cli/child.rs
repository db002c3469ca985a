//! Runs a program of the user's in the foreground: it gets standard input and output, and the signals that come here.

use gamevault::catalogue::PlayEnding;
use std::io;
use std::path::Path;
use std::process::{Child, Command};

/// A program that runs.
pub struct Program {
    child: Child,
    #[cfg(unix)]
    relay: signals::Relay,
}

impl Program {
    /// Starts the program.
    ///
    /// # Errors
    /// Those of the system.
    pub fn start(command: &mut Command) -> io::Result<Program> {
        // First: from now on no signal may end this process and leave the program alone.
        #[cfg(unix)]
        let mut relay = signals::Relay::new()?;
        let child = command.spawn()?;
        #[cfg(unix)]
        relay.start(child.id());
        Ok(Program {
            child,
            #[cfg(unix)]
            relay,
        })
    }

    /// Waits until the program ends.
    ///
    /// # Errors
    /// Those of the system.
    pub fn wait(mut self) -> io::Result<PlayEnding> {
        let status = self.child.wait()?;
        #[cfg(unix)]
        {
            use std::os::unix::process::ExitStatusExt;
            self.relay.end();
            if let Some(signal) = status.signal() {
                return Ok(PlayEnding::Signal(signal));
            }
        }
        Ok(status.code().map_or(PlayEnding::Unseen, PlayEnding::Exited))
    }
}

/// Makes what programs wrote through memory maps below `folder` reach its file system; the kernel would take its time.
pub fn settle(folder: &Path) {
    #[cfg(target_os = "linux")]
    if let Err(error) = std::fs::File::open(folder).and_then(|folder| Ok(nix::unistd::syncfs(folder)?)) {
        tracing::warn!(%error, folder = %folder.display(), "the last writes of a program may be missing");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = folder;
}

#[cfg(unix)]
mod signals {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    use signal_hook::iterator::{Handle, Signals};
    use std::io::{self, IsTerminal};
    use std::thread::JoinHandle;

    /// Passes signals of this process on to a program.
    pub struct Relay {
        handle: Handle,
        signals: Option<Signals>,
        thread: Option<JoinHandle<()>>,
    }

    impl Relay {
        /// Takes over the signals, which wait for the program.
        pub fn new() -> io::Result<Relay> {
            let signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2])?;
            Ok(Relay { handle: signals.handle(), signals: Some(signals), thread: None })
        }

        /// Passes signals to the process `id` from now on.
        pub fn start(&mut self, id: u32) {
            let (Some(mut signals), Ok(id)) = (self.signals.take(), i32::try_from(id)) else { return };
            // What is typed at a terminal the kernel sends to the program, too.
            let at_terminal = io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal();
            self.thread = Some(std::thread::spawn(move || {
                for signal in signals.forever().filter(|signal| !(at_terminal && [SIGINT, SIGQUIT].contains(signal))) {
                    if let Ok(signal) = Signal::try_from(signal) {
                        // A program that is gone needs none.
                        let _ = kill(Pid::from_raw(id), signal);
                    }
                }
            }));
        }

        /// Passes no more signals on.
        pub fn end(&mut self) {
            self.handle.close();
            if let Some(thread) = self.thread.take() {
                // It only passes signals, and has nothing to say at its end.
                let _ = thread.join();
            }
        }
    }
}
