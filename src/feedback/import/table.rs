//! Tables: what forms and sheets export, and trackers that have no form of their own here.
//!
//! The first row names the columns, often by whole questions. Columns with a usual name are known; others are what the user maps
//! them to, or answers. Delimiter, encoding and the order of dates are told from the first rows, unless the user says them.

use super::fields::{MAX_SHORT_LEN, MAX_TEXT_LEN, cut, tidy, time_of};
use super::{FileInfo, Rejected, Sink, failure};
use crate::catalogue::feedback::{FeedbackKind, FeedbackRecord, Outcome};
use crate::error::{Error, Result};
use csv::{ByteRecord, ReaderBuilder};
use encoding_rs::Encoding;
use encoding_rs_io::DecodeReaderBytesBuilder;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Read};

/// Rows from which the order of dates is told.
const SAMPLE_ROWS: usize = 500;

/// Answers longer than this are what was said; shorter ones are fields.
const LONG_ANSWER: usize = 40;

/// The most columns that are read.
const MAX_COLUMNS: usize = 512;

/// Delimiters that are looked for.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// What a column tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// The source's id.
    Id,
    /// The kind: `bug`, `crash`.
    Kind,
    /// When.
    Time,
    /// The version or build.
    Version,
    /// The channel: a branch of a store.
    Channel,
    /// The platform.
    Platform,
    /// The system.
    Os,
    /// The machine.
    Device,
    /// Who.
    Player,
    /// The play.
    Session,
    /// The level.
    Level,
    /// The rating, from 1 to 5 or to what the mapping says.
    Rating,
    /// How bad.
    Severity,
    /// What became of it.
    Status,
    /// One line.
    Title,
    /// What was said.
    Text,
    /// The language.
    Lang,
    /// Words, several of them where the mapping splits the column.
    Tags,
    /// How far the player was.
    Progress,
    /// The name of an event.
    Event,
    /// How it ended.
    Outcome,
    /// The crash's signature.
    Signature,
    /// Nothing that is kept.
    Ignore,
}

impl Field {
    /// All fields with their names in commands.
    pub const ALL: [(Field, &'static str); 23] = [
        (Field::Id, "id"),
        (Field::Kind, "kind"),
        (Field::Time, "time"),
        (Field::Version, "version"),
        (Field::Channel, "channel"),
        (Field::Platform, "platform"),
        (Field::Os, "os"),
        (Field::Device, "device"),
        (Field::Player, "player"),
        (Field::Session, "session"),
        (Field::Level, "level"),
        (Field::Rating, "rating"),
        (Field::Severity, "severity"),
        (Field::Status, "status"),
        (Field::Title, "title"),
        (Field::Text, "text"),
        (Field::Lang, "lang"),
        (Field::Tags, "tags"),
        (Field::Progress, "progress"),
        (Field::Event, "event"),
        (Field::Outcome, "outcome"),
        (Field::Signature, "signature"),
        (Field::Ignore, "ignore"),
    ];

    /// Returns the field that columns of this name mostly are, in the languages that forms are mostly in.
    fn of_column(name: &str) -> Option<Field> {
        let folded = name.trim().trim_end_matches(['?', ':', '*']).trim().to_lowercase();
        Some(match folded.as_str() {
            "id" | "key" | "issue key" | "issue id" | "submission id" | "response id" | "recommendationid" => Field::Id,
            "kind" | "type" | "issue type" => Field::Kind,
            "timestamp" | "time" | "date" | "zeitstempel" | "horodateur" | "marca temporal" | "created"
            | "created at" | "created_at" | "submitted at" | "date submitted" | "datum" => Field::Time,
            "version" | "build" | "game version" | "build version" | "app version" | "release"
            | "affects version/s" | "affects version" | "version/build" => Field::Version,
            "platform" | "plattform" | "plateforme" => Field::Platform,
            "os" | "operating system" | "betriebssystem" => Field::Os,
            "device" | "gpu" | "hardware" => Field::Device,
            "player" | "name" | "username" | "user" | "nickname" | "e-mail" | "email" | "email address"
            | "e-mail-adresse" | "adresse e-mail" | "reporter" | "discord" | "discord name" | "author" | "steamid"
            | "user id" => Field::Player,
            "session" | "session id" => Field::Session,
            "level" | "map" | "scene" | "stage" => Field::Level,
            "rating" | "score" | "stars" | "bewertung" => Field::Rating,
            "severity" | "priority" => Field::Severity,
            "status" | "state" => Field::Status,
            "title" | "summary" | "subject" => Field::Title,
            "text" | "comment" | "comments" | "description" | "feedback" | "message" | "body" | "review"
            | "content" => Field::Text,
            "language" | "lang" => Field::Lang,
            "tags" | "labels" | "topics" | "category" | "categories" => Field::Tags,
            "event" | "event name" => Field::Event,
            "outcome" => Field::Outcome,
            "signature" => Field::Signature,
            _ => return None,
        })
    }
}

/// How the columns of a table are to be taken. What is not set is told from the table.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Mapping {
    /// Columns by name with what they tell.
    pub columns: Vec<(String, Field)>,
    /// Columns of several words, with what separates these.
    pub split: Vec<(String, String)>,
    /// What separates columns.
    pub delimiter: Option<char>,
    /// The encoding, by its label in the WHATWG's standard: `utf-8`, `windows-1252`.
    pub encoding: Option<String>,
    /// How times are written, as `strftime` has it: `%d.%m.%Y %H:%M`.
    pub date_format: Option<String>,
    /// The time zone of times that say none, by its IANA name: `Europe/Berlin`.
    pub zone: Option<String>,
    /// The best rating; 1 is the worst.
    pub rating_max: Option<f64>,
    /// The kind of records that say none.
    pub kind: Option<FeedbackKind>,
}

/// Reads a table.
pub(super) fn read(file: FileInfo<'_>, mapping: &Mapping, input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<()> {
    let decoded = decoded(file, mapping, input)?;
    let delimiter = match mapping.delimiter {
        Some(delimiter) => u8::try_from(delimiter).map_err(|_| {
            Error::invalid(format!("\"{delimiter}\" cannot separate columns: it is no character of ASCII"))
        })?,
        None => delimiter_of(file),
    };
    let mut reader = ReaderBuilder::new().flexible(true).has_headers(false).delimiter(delimiter).from_reader(decoded);
    let mut row = ByteRecord::new();
    if !reader.read_byte_record(&mut row).map_err(row_failure)? {
        return Ok(());
    }
    let header: Vec<String> = row.iter().take(MAX_COLUMNS).map(|name| shown(name).trim().to_owned()).collect();
    let mut table = Table::new(header, mapping)?;
    // The order of dates is told by many of them.
    let mut sample = Vec::new();
    while sample.len() < SAMPLE_ROWS && reader.read_byte_record(&mut row).map_err(row_failure)? {
        sample.push(row.clone());
    }
    if let Some(doubt) = table.learn_dates(&sample) {
        sink.note(doubt);
    }
    let mut number = 1;
    for row in &sample {
        number += 1;
        table.take(row, number, sink)?;
    }
    while reader.read_byte_record(&mut row).map_err(row_failure)? {
        number += 1;
        table.take(&row, number, sink)?;
    }
    Ok(())
}

fn row_failure(error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => failure(error),
        kind => Error::invalid(format!("the table cannot be read: {kind:?}")),
    }
}

/// Returns the bytes of a table in UTF-8.
fn decoded<'a>(file: FileInfo<'_>, mapping: &Mapping, input: &'a mut dyn BufRead) -> Result<impl Read + 'a> {
    let encoding = match &mapping.encoding {
        Some(label) => Some(Encoding::for_label(label.as_bytes()).ok_or_else(|| {
            Error::invalid(format!("no encoding is called \"{label}\""))
                .with_hint("utf-8, utf-16le and windows-1252 are the usual ones")
        })?),
        // What is no UTF-8 was written by a spreadsheet on Windows; the last character may be cut.
        None => match std::str::from_utf8(file.head) {
            Err(error) if error.error_len().is_some() => Some(encoding_rs::WINDOWS_1252),
            _ => None,
        },
    };
    // A mark of the byte order says more than either.
    Ok(DecodeReaderBytesBuilder::new().encoding(encoding).bom_override(true).build(input))
}

/// Returns what separates columns: what is most often outside of quotes in the first row.
fn delimiter_of(file: FileInfo<'_>) -> u8 {
    if file.name.to_lowercase().ends_with(".tsv") {
        return b'\t';
    }
    let mut counts = [0; DELIMITERS.len()];
    let mut is_quoted = false;
    // In UTF-16 every second byte is zero.
    for &byte in file.head.iter().filter(|byte| **byte != 0) {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\n' if !is_quoted => break,
            _ if is_quoted => {}
            byte => {
                if let Some(index) = DELIMITERS.iter().position(|&delimiter| delimiter == byte) {
                    counts[index] += 1;
                }
            }
        }
    }
    let most = (0..DELIMITERS.len()).rev().max_by_key(|&index| counts[index]).unwrap_or(0);
    DELIMITERS[most]
}

fn shown(bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    cut(&mut text, MAX_TEXT_LEN);
    text
}

/// In which order dates have their parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DateOrder {
    DayFirst,
    MonthFirst,
}

/// A table whose columns are known.
struct Table<'a> {
    mapping: &'a Mapping,
    header: Vec<String>,
    fields: Vec<Option<Field>>,
    splits: Vec<Option<&'a str>>,
    order: DateOrder,
    zone: Option<TimeZone>,
}

impl<'a> Table<'a> {
    fn new(header: Vec<String>, mapping: &'a Mapping) -> Result<Table<'a>> {
        let column = |wanted: &str| header.iter().position(|name| name.eq_ignore_ascii_case(wanted.trim()));
        let missing = |wanted: &str| {
            let named = header.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
            Error::invalid(format!("no column is called \"{wanted}\"")).with_hint(format!("the columns are {named}"))
        };
        let mut fields: Vec<Option<Field>> = header.iter().map(|name| Field::of_column(name)).collect();
        for (wanted, field) in &mapping.columns {
            fields[column(wanted).ok_or_else(|| missing(wanted))?] = Some(*field);
        }
        let mut splits = vec![None; header.len()];
        for (wanted, separator) in &mapping.split {
            let column = column(wanted).ok_or_else(|| missing(wanted))?;
            splits[column] = Some(separator.as_str());
            fields[column] = Some(Field::Tags);
        }
        let zone = match &mapping.zone {
            Some(name) => Some(TimeZone::get(name).map_err(|_| {
                Error::invalid(format!("no time zone is called \"{name}\""))
                    .with_hint("name it as in Europe/Berlin, or UTC")
            })?),
            None => None,
        };
        Ok(Table { mapping, header, fields, splits, order: DateOrder::MonthFirst, zone })
    }

    /// Tells the order of dates; returns a sentence when nothing tells it.
    fn learn_dates(&mut self, sample: &[ByteRecord]) -> Option<String> {
        let column = self.fields.iter().position(|field| *field == Some(Field::Time))?;
        let times = sample.iter().filter_map(|row| row.get(column)).map(shown);
        let dates: Vec<Parts> =
            times.filter(|text| time_of(text).is_none()).filter_map(|text| Parts::of(&text)).collect();
        let dates: Vec<&Parts> = dates.iter().filter(|parts| !parts.year_first).collect();
        let example = dates.first()?;
        self.order = match () {
            () if dates.iter().any(|parts| parts.numbers[0] > 12) => DateOrder::DayFirst,
            () if dates.iter().any(|parts| parts.numbers[1] > 12) => DateOrder::MonthFirst,
            // With points between them the day comes first, wherever that is usual.
            () if example.separator == '.' => DateOrder::DayFirst,
            () => {
                return self.mapping.date_format.is_none().then(|| {
                    format!(
                        "nothing tells whether {}/{} in \"{}\" is a day and a month or a month and a day: it is taken for a \
                         month and a day; say --date-format %d/%m/%Y if it is not",
                        example.numbers[0], example.numbers[1], self.header[column]
                    )
                });
            }
        };
        None
    }

    fn take(&self, row: &ByteRecord, number: u64, sink: &mut dyn Sink) -> Result<()> {
        if row.iter().all(|cell| cell.trim_ascii().is_empty()) {
            return Ok(());
        }
        if row.len() > self.header.len() && row.iter().skip(self.header.len()).any(|cell| !cell.trim_ascii().is_empty())
        {
            let reason = format!("it has {} columns, where the header has {}", row.len(), self.header.len());
            return sink.reject(Rejected::new(number, reason, row.as_slice()));
        }
        let mut record = FeedbackRecord::new(self.mapping.kind.unwrap_or(FeedbackKind::Comment), "csv");
        let mut has_kind = self.mapping.kind.is_some();
        let mut answers = String::new();
        for (column, cell) in row.iter().enumerate().take(self.header.len()) {
            let text = shown(cell);
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            match self.fields[column] {
                Some(Field::Kind) => has_kind |= set_kind(&mut record, text),
                Some(Field::Tags) => self.tags(&mut record, column, text),
                Some(field) => self.set(&mut record, field, text),
                None if text.chars().count() > LONG_ANSWER => {
                    answers.push_str(&format!("{}\n{text}\n\n", self.header[column]));
                }
                None => drop(record.fields.insert(self.header[column].clone(), text.to_owned())),
            }
        }
        let answers = answers.trim_end();
        if !has_kind && record.text.is_empty() && record.title.is_none() {
            record.kind = FeedbackKind::Survey;
        }
        if !answers.is_empty() {
            record.text =
                if record.text.is_empty() { answers.to_owned() } else { format!("{}\n\n{answers}", record.text) };
        }
        tidy(&mut record);
        sink.record(record)
    }

    fn tags(&self, record: &mut FeedbackRecord, column: usize, text: &str) {
        match self.splits[column] {
            Some(separator) => record.tags.extend(text.split(separator).map(str::to_owned)),
            None => record.tags.extend(text.split([';', ',']).map(str::to_owned)),
        }
    }

    fn set(&self, record: &mut FeedbackRecord, field: Field, text: &str) {
        let said = Some(text.to_owned());
        match field {
            Field::Id => record.source_id = said,
            Field::Time => match self.time(text) {
                Some((time, zone_known)) => {
                    record.time = Some(time);
                    record.zone_unknown = !zone_known;
                }
                // Kept as it is, for somebody may read it.
                None => drop(record.fields.insert("time".into(), text.into())),
            },
            Field::Version => record.clues.version = said,
            Field::Channel => record.clues.channel = said,
            Field::Platform => record.platform = said,
            Field::Os => record.os = said,
            Field::Device => record.device = said,
            Field::Player => record.player = said,
            Field::Session => record.session = said,
            Field::Level => record.place.level = said,
            Field::Rating => record.rating = self.rating(text),
            Field::Severity => record.severity = said,
            Field::Status => record.status = said,
            Field::Title => record.title = said,
            Field::Text if record.text.is_empty() => record.text = text.to_owned(),
            Field::Text => record.text = format!("{}\n\n{text}", record.text),
            Field::Lang => record.lang = said,
            Field::Progress => record.progress = said,
            Field::Event => record.event = said,
            Field::Outcome => {
                record.outcome = Outcome::ALL.into_iter().find(|one| one.code().eq_ignore_ascii_case(text))
            }
            Field::Signature => record.signature = said,
            Field::Kind | Field::Tags | Field::Ignore => {}
        }
    }

    /// Ratings begin at 1, and end at 5 unless the mapping says otherwise; `4/5` and `80 %` say it themselves.
    fn rating(&self, text: &str) -> Option<f64> {
        if let Some(percent) = text.strip_suffix('%') {
            return percent.trim().parse::<f64>().ok().map(|percent| percent / 100.0);
        }
        let (given, most) = match text.split_once('/') {
            Some((given, most)) => (given.trim(), most.trim().parse().ok()?),
            None => (text, self.mapping.rating_max.unwrap_or(5.0)),
        };
        let given: f64 = given.parse().ok()?;
        (most > 1.0).then(|| ((given - 1.0) / (most - 1.0)).clamp(0.0, 1.0))
    }

    fn time(&self, text: &str) -> Option<(Timestamp, bool)> {
        let in_zone = |civil: DateTime| {
            let zone = self.zone.clone().unwrap_or(TimeZone::UTC);
            Some((civil.to_zoned(zone).ok()?.timestamp(), self.zone.is_some()))
        };
        if let Some(format) = &self.mapping.date_format {
            let broken = strtime::parse(format, text).ok()?;
            return match broken.to_timestamp() {
                Ok(time) => Some((time, true)),
                Err(_) => {
                    in_zone(broken.to_datetime().or_else(|_| broken.to_date().map(|day| day.at(0, 0, 0, 0))).ok()?)
                }
            };
        }
        match time_of(text) {
            Some((time, true)) => Some((time, true)),
            Some((time, false)) => in_zone(time.to_zoned(TimeZone::UTC).datetime()),
            None => in_zone(Parts::of(text)?.in_order(self.order)?),
        }
    }
}

fn set_kind(record: &mut FeedbackRecord, text: &str) -> bool {
    let folded = text.to_lowercase();
    let known = FeedbackKind::ALL.into_iter().find(|kind| folded.contains(kind.code()));
    match known {
        Some(kind) => record.kind = kind,
        None => drop(record.fields.insert("kind".into(), text.chars().take(MAX_SHORT_LEN).collect())),
    }
    known.is_some()
}

/// A date as people write it, taken apart: `1/2/2026 3:04:05 PM`, `01.02.26 15:04`.
struct Parts {
    numbers: [i64; 3],
    separator: char,
    year_first: bool,
    time: (i8, i8, i8),
}

impl Parts {
    fn of(text: &str) -> Option<Parts> {
        let text = text.trim();
        let separator = text.chars().find(|letter| ['/', '.', '-'].contains(letter))?;
        let (day, clock) = text.split_once([' ', 'T']).unwrap_or((text, ""));
        let mut parts = day.trim_end_matches(',').split(separator).map(|part| part.parse::<i64>().ok());
        let numbers = [parts.next()??, parts.next()??, parts.next()??];
        if parts.next().is_some() || numbers.iter().any(|number| !(0..=9999).contains(number)) {
            return None;
        }
        let folded = clock.to_lowercase();
        let digits = folded
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .trim_end_matches(|letter: char| letter.is_alphabetic());
        let mut clock = digits.split(':').map(|part| part.parse::<f64>().ok());
        let mut next =
            || clock.next().flatten().filter(|number| (0.0..60.0).contains(number)).map_or(0, |number| number as i8);
        let (mut hour, minute, second) = (next(), next(), next());
        match () {
            () if folded.contains("pm") || folded.contains("p.m") => hour = hour % 12 + 12,
            () if folded.contains("am") || folded.contains("a.m") => hour %= 12,
            () => {}
        }
        Some(Parts { numbers, separator, year_first: numbers[0] > 31, time: (hour, minute, second) })
    }

    fn in_order(&self, order: DateOrder) -> Option<DateTime> {
        let [a, b, c] = self.numbers;
        let (year, month, day) = match (self.year_first, order) {
            (true, _) => (a, b, c),
            (false, DateOrder::DayFirst) => (c, b, a),
            (false, DateOrder::MonthFirst) => (c, a, b),
        };
        let year = if year < 100 { year + 2000 } else { year };
        let (hour, minute, second) = self.time;
        let (year, month, day) = (i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?);
        let day = jiff::civil::Date::new(year, month, day).ok()?;
        let time = jiff::civil::Time::new(hour, minute, second, 0).ok()?;
        Some(day.to_datetime(time))
    }
}
