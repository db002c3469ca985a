//! Crashes by tools that are not Sentry: Backtrace, and Unity Cloud Diagnostics.

use crate::catalogue::feedback::{FeedbackKind, FeedbackRecord};
use crate::feedback::import::fields::{add_fields, at, first_text, set_place, set_time, text};
use crate::feedback::import::signature::signature;
use serde_json::{Map, Value};

type Made = Result<Option<FeedbackRecord>, String>;

/// Makes a record of a report of Backtrace.
pub(super) fn backtrace(value: &Value, _: &Map<String, Value>) -> Made {
    let mut record = FeedbackRecord::new(FeedbackKind::Crash, "backtrace");
    record.source_id = Some(first_text(value, &["uuid", "_rxid", "rxid"]).ok_or("it has no uuid and no _rxid")?);
    set_time(&mut record, value, &["timestamp", "attributes.timestamp"]);
    // Keys have dots in them, so they are no paths.
    let attributes = at(value, "attributes").unwrap_or(value);
    let attribute = |name: &str| attributes.get(name).and_then(crate::feedback::import::fields::plain);
    record.clues.version = attribute("application.version").or_else(|| attribute("version"));
    record.clues.guid = attribute("application.guid").or_else(|| attribute("build.guid"));
    record.clues.stamp = attribute("gamevault.stamp");
    record.platform = attribute("uname.sysname");
    record.os = match (attribute("uname.sysname"), attribute("uname.version")) {
        (Some(name), Some(version)) => Some(format!("{name} {version}")),
        (name, _) => name,
    };
    record.device = attribute("device.model").or_else(|| attribute("cpu.brand"));
    record.player = attribute("guid").or_else(|| attribute("user.id"));
    let message = attribute("error.message").unwrap_or_default();
    let kind = text(value, "classifiers.0").or_else(|| {
        at(value, "classifiers").and_then(Value::as_array)?.first().and_then(crate::feedback::import::fields::plain)
    });
    let kind = kind.or_else(|| attribute("error.type")).unwrap_or_else(|| "crash".into());
    let thread = text(value, "mainThread");
    let threads = at(value, "threads").and_then(Value::as_object);
    let main = threads.and_then(|threads| match thread {
        Some(name) => threads.get(&name),
        None => threads.values().find(|thread| at(thread, "fault").and_then(Value::as_bool) == Some(true)),
    });
    record.stack = main.map(|thread| stack(thread, "stack")).unwrap_or_default();
    record.title = Some(format!("{kind}: {message}").trim_end_matches([':', ' ']).to_owned());
    record.signature = Some(signature(&kind, &message, &record.stack));
    set_place(&mut record, attributes);
    add_fields(&mut record, "", attributes);
    if let Some(annotations) = at(value, "annotations") {
        set_place(&mut record, annotations);
        add_fields(&mut record, "annotations", annotations);
    }
    Ok(Some(record))
}

/// Makes a record of a report of Unity Cloud Diagnostics.
pub(super) fn unity(value: &Value, _: &Map<String, Value>) -> Made {
    let said = first_text(value, &["exceptionMessage", "message", "summary", "description"]);
    let trace = first_text(value, &["stackTrace", "stacktrace", "stack_trace"]);
    if said.is_none() && trace.is_none() {
        return Err("it has no message and no stack trace".into());
    }
    let mut record = FeedbackRecord::new(FeedbackKind::Crash, "unity-diagnostics");
    record.source_id = first_text(value, &["reportId", "id", "identifier", "eventUUID"]);
    set_time(&mut record, value, &["timestamp", "eventTimestamp", "createdAt", "time"]);
    record.clues.guid = first_text(value, &["buildGUID", "buildGUUID", "build_guid", "metadata.buildGUID"]);
    record.clues.version = first_text(value, &["appVersion", "clientVersion", "application_version", "bundleVersion"]);
    record.platform = first_text(value, &["platform", "operatingSystem", "device.os"]);
    record.os = first_text(value, &["operatingSystem", "device.os"]);
    record.device = first_text(value, &["deviceModel", "device.model"]);
    record.player = first_text(value, &["userID", "userId", "deviceId"]);
    record.session = first_text(value, &["sessionID", "sessionId"]);
    let kind = first_text(value, &["exceptionName", "exceptionType", "type"]).unwrap_or_else(|| "Exception".into());
    let said = said.unwrap_or_default();
    record.stack = trace
        .iter()
        .flat_map(|trace| trace.lines())
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    record.title = Some(format!("{kind}: {said}").trim_end_matches([':', ' ']).to_owned());
    record.signature = Some(signature(&kind, &said, &record.stack));
    for place in ["metadata", "customMetadata", "eventParams"] {
        if let Some(place) = at(value, place) {
            set_place(&mut record, place);
            add_fields(&mut record, "", place);
        }
    }
    Ok(Some(record))
}

/// Returns the frames of a thread, the innermost first.
fn stack(thread: &Value, key: &str) -> Vec<String> {
    let frames = at(thread, key).and_then(Value::as_array);
    let frame = |frame: &Value| {
        let function = first_text(frame, &["funcName", "function", "address"])?;
        let place = first_text(frame, &["sourceCode", "library", "file"]);
        let line = text(frame, "line").map(|line| format!(":{line}")).unwrap_or_default();
        Some(place.map_or(function.clone(), |place| format!("{function} ({place}{line})")))
    };
    frames.into_iter().flatten().filter_map(frame).collect()
}
