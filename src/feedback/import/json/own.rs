//! GameVault's own records: one JSON object a line, see [`FeedbackRecord`].

use crate::catalogue::feedback::FeedbackRecord;
use crate::error::Result;
use crate::feedback::import::fields::tidy;
use crate::feedback::import::{Rejected, Sink, next_line};
use std::io::BufRead;

/// The source of records that name none.
const SOURCE: &str = "gamevault";

/// Reads all records of `input`.
pub(in crate::feedback::import) fn read(input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<()> {
    let mut line = Vec::new();
    let mut number = 0;
    while let Some(fits) = next_line(input, &mut line)? {
        number += 1;
        if !fits {
            sink.reject(Rejected::new(number, "the line is too long", &line))?;
            continue;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match serde_json::from_slice::<FeedbackRecord>(&line) {
            Ok(mut record) => {
                if record.source.is_empty() {
                    record.source = SOURCE.into();
                }
                tidy(&mut record);
                sink.record(record)?;
            }
            Err(error) => sink.reject(Rejected::new(number, error.to_string(), &line))?,
        }
    }
    Ok(())
}
