//! Feedback in JSON: one object a record, in an array, in an array of an object, or one a line.

mod crashes;
mod elements;
mod events;
mod own;
mod people;
mod sentry;

pub(super) use own::read as read_own;
pub(super) use sentry::read_envelope;

use super::fields::{cut, tidy};
use super::{Format, MAX_REJECTED_LEN, Rejected, Sink, next_line};
use crate::catalogue::feedback::FeedbackRecord;
use crate::error::Result;
use serde_json::{Map, Value};
use std::io::BufRead;

/// Makes a record of an element, with what stands beside all elements; an error says why it is none, `None` that it is nothing
/// that anybody said.
type Make = fn(&Value, &Map<String, Value>) -> std::result::Result<Option<FeedbackRecord>, String>;

/// Reads all elements of `input`; `is_lines` says that each stands on a line of its own.
pub(super) fn read(format: Format, is_lines: bool, input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<()> {
    let (arrays, make): (&[&str], Make) = match format {
        Format::Sentry => (&["events", "data", "issues"], sentry::event),
        Format::Backtrace => (&["reports", "values", "response"], crashes::backtrace),
        Format::UnityDiagnostics => (&["reports", "exceptions", "results"], crashes::unity),
        Format::UnityAnalytics => (&["events", "eventList"], events::unity),
        Format::GameAnalytics => (&["events"], events::gameanalytics),
        Format::PlayFab => (&["events", "Events"], events::playfab),
        Format::BetaHub => (&["issues", "suggestions", "data"], people::betahub),
        Format::Steam => (&["reviews"], people::steam),
        Format::Discord => (&["messages"], people::discord),
        Format::GitHub => (&["items", "issues"], people::github),
        _ => unreachable!("the other formats are not read here"),
    };
    let mut take =
        |value: Value, beside: &Map<String, Value>, number: u64, sink: &mut dyn Sink| match make(&value, beside) {
            Ok(Some(mut record)) => {
                tidy(&mut record);
                sink.record(record)
            }
            Ok(None) => Ok(()),
            Err(reason) => sink.reject(Rejected::new(number, reason, shown(&value).as_bytes())),
        };
    if !is_lines {
        return elements::for_each(input, arrays, sink, &mut take);
    }
    // A damaged line is one record: where lines are elements, nothing is guessed from brackets.
    let (mut line, mut number) = (Vec::new(), 0);
    while let Some(fits) = next_line(input, &mut line)? {
        number += 1;
        if !fits {
            sink.reject(Rejected::new(number, "the line is too long", &line))?;
        } else if !line.iter().all(u8::is_ascii_whitespace) {
            match serde_json::from_slice(&line) {
                Ok(value) => take(value, &Map::new(), number, sink)?,
                Err(error) => sink.reject(Rejected::new(number, error.to_string(), &line))?,
            }
        }
    }
    Ok(())
}

fn shown(value: &Value) -> String {
    let mut text = value.to_string();
    cut(&mut text, MAX_REJECTED_LEN);
    text
}
