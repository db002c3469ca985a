//! Sentry: events as its SDKs send them and its API exports them, and envelopes (develop.sentry.dev).

use crate::catalogue::feedback::{Attachment, FeedbackKind, FeedbackRecord};
use crate::error::Result;
use crate::feedback::import::fields::{add_fields, at, first_text, set_place, set_time, text, texts, tidy};
use crate::feedback::import::signature::signature;
use crate::feedback::import::{MAX_ATTACHMENT_LEN, MAX_LINE_LEN, Rejected, Sink, failure, next_line};
use serde_json::{Map, Value};
use std::io::{BufRead, Read};

/// Makes a record of an event.
pub(super) fn event(value: &Value, _: &Map<String, Value>) -> std::result::Result<Option<FeedbackRecord>, String> {
    let id = first_text(value, &["event_id", "eventID", "id"]).ok_or("it has no event_id")?;
    let exceptions = at(value, "exception.values").or(at(value, "exception")).and_then(Value::as_array);
    // The one that was not handled is the last.
    let exception = exceptions.and_then(|values| values.last());
    let level = text(value, "level").unwrap_or_default();
    let is_crash = exception.is_some() || level == "fatal" || at(value, "threads.values").is_some();
    let user_report = at(value, "contexts.feedback");
    let kind = match (user_report, is_crash) {
        (Some(_), _) => FeedbackKind::Bug,
        (None, true) => FeedbackKind::Crash,
        (None, false) => FeedbackKind::Bug,
    };
    let mut record = FeedbackRecord::new(kind, "sentry");
    record.source_id = Some(id);
    set_time(&mut record, value, &["timestamp", "dateCreated", "datetime", "received"]);
    let tags = tags(value);
    let tag = |name: &str| tags.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let release = first_text(value, &["release.version", "release"]).or_else(|| tag("release"));
    record.clues.version = match (release, text(value, "dist").or_else(|| tag("dist"))) {
        // The build behind the plus is known to `Knowledge`.
        (Some(release), Some(dist)) if !release.contains('+') => Some(format!("{release}+{dist}")),
        (release, _) => release,
    };
    record.clues.stamp = tag("gamevault.stamp").or_else(|| text(value, "contexts.gamevault.stamp"));
    record.clues.guid = tag("build_guid").or_else(|| text(value, "contexts.unity.build_guid"));
    record.clues.channel = text(value, "environment").or_else(|| tag("environment"));
    let images = at(value, "debug_meta.images").and_then(Value::as_array);
    let debug_id = |image: &Value| first_text(image, &["debug_id", "code_id", "uuid"]);
    record.clues.debug_ids = images.into_iter().flatten().filter_map(debug_id).map(|id| hex(&id)).collect();
    record.player = first_text(value, &["user.id", "user.username", "user.email"]);
    record.os = match (text(value, "contexts.os.name"), text(value, "contexts.os.version")) {
        (Some(name), Some(version)) => Some(format!("{name} {version}")),
        (name, _) => name.or_else(|| tag("os")),
    };
    record.platform = text(value, "contexts.os.name").or_else(|| tag("os.name"));
    record.device = first_text(value, &["contexts.device.model", "contexts.device.name", "contexts.gpu.name"]);
    record.severity = Some(level).filter(|level| !level.is_empty());
    record.session = tag("session").or_else(|| text(value, "contexts.trace.trace_id"));
    let message = first_text(value, &["logentry.formatted", "message.formatted", "message", "logentry.message"]);
    match exception {
        Some(exception) => {
            let kind = text(exception, "type").unwrap_or_else(|| "crash".into());
            let said = text(exception, "value").unwrap_or_default();
            record.title = Some(format!("{kind}: {said}").trim_end_matches([':', ' ']).to_owned());
            record.stack = frames(exception);
            record.signature = Some(signature(&kind, &said, &record.stack));
            record.text = message.unwrap_or_default();
        }
        None => {
            record.title = text(value, "title");
            record.text = user_report.and_then(|report| text(report, "message")).or(message).unwrap_or_default();
            if kind == FeedbackKind::Crash {
                record.signature = Some(signature("crash", &record.text, &[]));
            }
        }
    }
    for place in ["extra", "contexts.game", "contexts.app"] {
        if let Some(place) = at(value, place) {
            set_place(&mut record, place);
            add_fields(&mut record, "", place);
        }
    }
    record.place.level = record.place.level.or_else(|| tag("level").or_else(|| tag("scene")));
    for (key, value) in tags {
        record.fields.insert(key, value);
    }
    record.tags = texts(value, "fingerprint").into_iter().filter(|word| !word.contains("default")).collect();
    Ok(Some(record))
}

/// Tags are an object, or an array of pairs or of objects.
fn tags(value: &Value) -> Vec<(String, String)> {
    let plain = crate::feedback::import::fields::plain;
    match at(value, "tags") {
        Some(Value::Object(tags)) => {
            tags.iter().filter_map(|(key, value)| Some((key.clone(), plain(value)?))).collect()
        }
        Some(Value::Array(tags)) => {
            let pair = |tag: &Value| match tag {
                Value::Array(pair) => Some((plain(pair.first()?)?, plain(pair.get(1)?)?)),
                tag => Some((text(tag, "key")?, text(tag, "value")?)),
            };
            tags.iter().filter_map(pair).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the frames, the innermost first; Sentry has it last.
fn frames(exception: &Value) -> Vec<String> {
    let frames = at(exception, "stacktrace.frames").and_then(Value::as_array);
    let frame = |frame: &Value| {
        let function = first_text(frame, &["function", "symbol", "instruction_addr"])?;
        let place = first_text(frame, &["filename", "abs_path", "module", "package"]);
        let line = text(frame, "lineno").map(|line| format!(":{line}")).unwrap_or_default();
        Some(place.map_or(function.clone(), |place| format!("{function} ({place}{line})")))
    };
    frames.into_iter().flatten().rev().filter_map(frame).collect()
}

fn hex(id: &str) -> String {
    id.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_lowercase()
}

/// Reads an envelope: a line of headers, and items, each a line of headers and a payload.
pub(in crate::feedback::import) fn read_envelope(input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<()> {
    let mut line = Vec::new();
    next_line(input, &mut line)?;
    let header: Value = serde_json::from_slice(&line).unwrap_or(Value::Null);
    let mut record = None;
    let mut attachments = Vec::new();
    let mut number = 1;
    while next_line(input, &mut line)?.is_some() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        number += 1;
        let Ok(item) = serde_json::from_slice::<Value>(&line) else {
            sink.reject(Rejected::new(number, "it is no header of an item", &line))?;
            break;
        };
        let kind = text(&item, "type").unwrap_or_default();
        let len = at(&item, "length").and_then(Value::as_u64);
        if kind == "attachment" {
            let name = text(&item, "filename").unwrap_or_else(|| "attachment".into());
            let mut payload = Read::take(&mut *input, len.unwrap_or(0));
            let path = sink.attach(&name, &mut payload)?;
            // What is too long to be kept is passed over.
            std::io::copy(&mut payload, &mut std::io::sink()).map_err(failure)?;
            let media_type = text(&item, "content_type");
            attachments.push(Attachment { name, path, media_type, url: None });
            continue;
        }
        let mut payload = Vec::new();
        match len {
            Some(len) if len <= MAX_LINE_LEN as u64 => {
                let read = Read::take(&mut *input, len).read_to_end(&mut payload).map_err(failure)?;
                if (read as u64) < len {
                    sink.reject(Rejected::new(number, format!("the item \"{kind}\" is cut"), &payload))?;
                    break;
                }
            }
            Some(len) => {
                sink.reject(Rejected::new(number, format!("the item \"{kind}\" has {len} bytes"), b""))?;
                std::io::copy(&mut Read::take(&mut *input, len), &mut std::io::sink()).map_err(failure)?;
                continue;
            }
            None => drop(next_line(input, &mut payload)?),
        }
        if !matches!(kind.as_str(), "event" | "feedback" | "transaction" | "user_report") || kind == "transaction" {
            continue;
        }
        match serde_json::from_slice::<Value>(&payload) {
            Ok(mut value) => {
                if let (Some(object), Some(id)) = (value.as_object_mut(), at(&header, "event_id")) {
                    object.entry("event_id").or_insert_with(|| id.clone());
                }
                match event(&value, &Map::new()) {
                    Ok(found) => record = record.or(found),
                    Err(reason) => sink.reject(Rejected::new(number, reason, &payload))?,
                }
            }
            Err(error) => sink.reject(Rejected::new(number, error.to_string(), &payload))?,
        }
    }
    // An envelope may hold a dump alone.
    if record.is_none() && !attachments.is_empty() {
        let mut bare = FeedbackRecord::new(FeedbackKind::Crash, "sentry");
        bare.source_id = text(&header, "event_id");
        record = Some(bare);
    }
    if let Some(mut record) = record {
        record.attachments = attachments;
        tidy(&mut record);
        sink.record(record)?;
    }
    Ok(())
}

const _: () = assert!(MAX_ATTACHMENT_LEN >= MAX_LINE_LEN as u64);
