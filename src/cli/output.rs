//! What a command prints at its end: the answer or the failure, as text or as one JSON object.
//!
//! The object is `{schema, ok, data | error{code, message, hint}, warnings[]}` on one line. When work was done and
//! found something wrong (a file that changed while it was read, a damaged pack), `data` stands beside `error`.

use super::context::Context;
use super::exit::Exit;
use gamevault::error::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::Write;
use std::process::ExitCode;

/// The version of the JSON object's shape.
pub const SCHEMA: u32 = 1;

/// What a command has to say when it did its work.
pub struct Answer {
    body: Body,
    exit: ExitCode,
    failure: Option<Failure>,
}

enum Body {
    Nothing,
    /// For people, where standard output is not this program's own.
    Aside(String),
    Text(String),
    Json(Value),
}

impl Answer {
    /// Makes an answer for scripts.
    pub fn json(data: &impl Serialize) -> Answer {
        Answer::new(Body::Json(to_json(data)))
    }

    /// Makes an answer for people; it ends with a newline or is empty.
    pub fn text(text: String) -> Answer {
        Answer::new(Body::Text(text))
    }

    /// Makes an answer for people that goes to standard error, beside the output of a program that this one ran.
    pub fn aside(text: String) -> Answer {
        Answer::new(Body::Aside(text))
    }

    /// Makes the answer of a command that has printed all it has to say.
    pub fn nothing() -> Answer {
        Answer::new(Body::Nothing)
    }

    fn new(body: Body) -> Answer {
        Answer { body, exit: ExitCode::SUCCESS, failure: None }
    }

    /// Ends the program with `exit`, though nothing failed.
    pub fn with_exit(mut self, exit: Exit) -> Answer {
        self.exit = exit.into();
        self
    }

    /// Ends the program with the code of another program that this one ran.
    pub fn with_code(mut self, code: u8) -> Answer {
        self.exit = code.into();
        self
    }

    /// Says what the work found to be wrong, and ends the program with that failure's exit.
    pub fn with_failure(mut self, failure: Failure) -> Answer {
        self.exit = failure.exit.into();
        self.failure = Some(failure);
        self
    }
}

/// Why a command failed: what is printed, and the exit code.
#[derive(Debug, Clone)]
pub struct Failure {
    exit: Exit,
    report: FailureReport,
}

/// A failure as scripts read it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FailureReport {
    /// The stable name of the kind of failure.
    code: String,
    /// Object, place, fact.
    message: String,
    /// The way out, when one is known.
    hint: Option<String>,
}

impl Failure {
    /// Makes a failure from arguments that make no sense.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, "usage", message)
    }

    /// Makes a failure with a code that the library does not have.
    pub fn new(exit: Exit, code: &str, message: impl Into<String>) -> Failure {
        Failure { exit, report: FailureReport { code: code.to_owned(), message: message.into(), hint: None } }
    }

    /// Makes the failure that another process of this program reported.
    pub fn reported(exit: Exit, report: FailureReport) -> Failure {
        Failure { exit, report }
    }

    /// Adds the way out.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Failure {
        self.report.hint = Some(hint.into());
        self
    }

    /// Says how to go on with work that the user stopped, where running it again is not all there is to do.
    pub fn when_interrupted(self, hint: &str) -> Failure {
        if self.exit == Exit::Interrupted { self.with_hint(hint) } else { self }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let hint = error.hint().map(str::to_owned);
        let report = FailureReport { code: error.kind().code().to_owned(), message: error.to_string(), hint };
        Failure { exit: error.kind().into(), report }
    }
}

/// The one object that `--json` prints.
#[derive(Debug, Serialize, Deserialize)]
pub struct Envelope {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// Whether nothing went wrong.
    pub ok: bool,
    /// What was found or done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<FailureReport>,
    /// Sentences for the user.
    pub warnings: Vec<String>,
}

/// Prints what a command returned and says how the program ends.
pub fn finish(context: &Context, result: Result<Answer, Failure>) -> ExitCode {
    let answer = match result {
        Ok(answer) => answer,
        Err(failure) => {
            Answer::new(if context.json() { Body::Json(Value::Null) } else { Body::Nothing }).with_failure(failure)
        }
    };
    let exit = answer.exit;
    match print(context, answer) {
        Ok(()) => exit,
        // Whoever reads the output (head, less) has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => exit,
        Err(error) => {
            eprintln!("gamevault: cannot write to standard output: {error}");
            Exit::Failed.into()
        }
    }
}

/// Prints an answer now; a command that goes on after it returns [`Answer::nothing`] at its end.
pub fn print(context: &Context, answer: Answer) -> std::io::Result<()> {
    let warnings = context.take_warnings();
    let mut out = std::io::stdout().lock();
    match answer.body {
        Body::Nothing => print_asides(&warnings, answer.failure.as_ref()),
        Body::Aside(text) => {
            eprint!("{text}");
            print_asides(&warnings, answer.failure.as_ref());
        }
        Body::Text(text) => {
            out.write_all(text.as_bytes())?;
            out.flush()?;
            print_asides(&warnings, answer.failure.as_ref());
        }
        Body::Json(data) => {
            let data = (!data.is_null()).then_some(data);
            let error = answer.failure.map(|failure| failure.report);
            let envelope = Envelope { schema: SCHEMA, ok: error.is_none(), data, error, warnings };
            // Written as it stands, not by way of a `Value`, which would sort the fields by name.
            let line = serde_json::to_string(&envelope).expect("answers hold only values with string keys");
            writeln!(out, "{line}")?;
            out.flush()?;
        }
    }
    Ok(())
}

fn print_asides(warnings: &[String], failure: Option<&Failure>) {
    for warning in warnings {
        eprintln!("gamevault: warning: {warning}");
    }
    if let Some(Failure { report, .. }) = failure {
        eprintln!("gamevault: {}", report.message);
        if let Some(hint) = &report.hint {
            eprintln!("  hint: {hint}");
        }
    }
}

fn to_json(data: &impl Serialize) -> Value {
    serde_json::to_value(data).expect("answers hold only values with string keys")
}
