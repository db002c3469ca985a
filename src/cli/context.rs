//! What every command needs: the global options, the environment, the vault, a place for warnings.

use super::arguments::{Global, ProgressStyle};
use super::environment::Variables;
use super::locate;
use super::meter::Expected;
use super::output::{Answer, Failure};
use super::progress;
use gamevault::Vault;
use gamevault::error::Result;
use gamevault::progress::Progress;
use serde::Serialize;
use std::cell::RefCell;
use std::io::IsTerminal;
use std::path::PathBuf;

/// The surroundings of one command.
pub struct Context {
    global: Global,
    variables: Variables,
    warnings: RefCell<Vec<String>>,
}

impl Context {
    /// Reads the process's environment, once and for all commands.
    pub fn new(global: Global) -> Context {
        // Names and values that are not Unicode are nothing that this program looks for.
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Context { global, variables: variables.collect(), warnings: RefCell::default() }
    }

    /// Tells whether the answer is to be JSON.
    pub fn json(&self) -> bool {
        self.global.json
    }

    /// Tells whether only what was asked for is to be printed.
    pub fn quiet(&self) -> bool {
        self.global.quiet
    }

    /// Returns the environment.
    pub fn variables(&self) -> &Variables {
        &self.variables
    }

    /// Returns the value of one environment variable, `None` when it is unset or empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Remembers a sentence that the user should see beside the answer.
    pub fn warn(&self, warning: impl Into<String>) {
        self.warnings.borrow_mut().push(warning.into());
    }

    /// Remembers several warnings.
    pub fn warn_all(&self, warnings: &[String]) {
        self.warnings.borrow_mut().extend_from_slice(warnings);
    }

    /// Returns the warnings so far, and forgets them.
    pub fn take_warnings(&self) -> Vec<String> {
        self.warnings.take()
    }

    /// Returns the directory that --vault or the environment names, whether it is a vault or not.
    pub fn named_vault(&self) -> Option<PathBuf> {
        self.global.vault.clone()
    }

    /// Returns the directory of the vault to use.
    ///
    /// # Errors
    /// `NotFound` with all places that were looked at.
    pub fn locate_vault(&self) -> Result<PathBuf> {
        let current = std::env::current_dir().ok();
        locate::locate(self.named_vault(), current.as_deref(), locate::default_vault(&self.variables), &Vault::is_vault)
    }

    /// Opens the vault to use.
    pub fn open_vault(&self) -> Result<Vault> {
        Vault::open(&self.locate_vault()?)
    }

    /// Makes the answer to a question: `data` for scripts, or `text` for people.
    pub fn answer(&self, data: &impl Serialize, text: impl FnOnce() -> String) -> Answer {
        match self.json() {
            true => Answer::json(data),
            false => Answer::text(text()),
        }
    }

    /// Makes the answer to an order: like [`Context::answer`], but `--quiet` leaves the text out.
    pub fn done(&self, data: &impl Serialize, text: impl FnOnce() -> String) -> Answer {
        self.answer(data, || if self.quiet() { String::new() } else { text() })
    }

    /// Runs `job`, shows its progress as the user wants it, and stops it at the first Ctrl-C.
    pub fn work<T>(
        &self,
        name: &'static str,
        expected: Expected,
        job: impl FnOnce(&Progress) -> Result<T>,
    ) -> std::result::Result<T, Failure> {
        progress::run(name, expected, self.progress_display(), job)
    }

    fn progress_display(&self) -> progress::Display {
        match self.global.progress {
            _ if self.quiet() => progress::Display::Nothing,
            ProgressStyle::Json => progress::Display::Json,
            ProgressStyle::Auto if std::io::stderr().is_terminal() => progress::Display::Bar,
            ProgressStyle::Auto | ProgressStyle::None => progress::Display::Nothing,
        }
    }
}
