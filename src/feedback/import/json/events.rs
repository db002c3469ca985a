//! What games tell of themselves: Unity Analytics, GameAnalytics, PlayFab.

use crate::catalogue::feedback::{FeedbackKind, FeedbackRecord, Outcome};
use crate::feedback::import::fields::{add_fields, at, first_text, number, outcome, set_place, set_time, text};
use crate::feedback::import::signature::signature;
use serde_json::{Map, Value};

type Made = Result<Option<FeedbackRecord>, String>;

/// Makes a record of an event of Unity Analytics.
pub(super) fn unity(value: &Value, _: &Map<String, Value>) -> Made {
    let name = text(value, "eventName").ok_or("it has no eventName")?;
    let kind = if name == "sessionEnd" || name == "gameEnded" { FeedbackKind::Session } else { FeedbackKind::Event };
    let mut record = FeedbackRecord::new(kind, "unity-analytics");
    record.source_id = first_text(value, &["eventUUID", "eventUuid"]);
    set_time(&mut record, value, &["eventTimestamp", "timestamp"]);
    let parameters = at(value, "eventParams").unwrap_or(value);
    let either = |name: &str| text(value, name).or_else(|| text(parameters, name));
    record.clues.version = either("clientVersion");
    record.clues.guid = either("buildGUUID").or_else(|| either("buildGUID"));
    record.platform = either("platform");
    record.os = either("osVersion").or_else(|| either("operatingSystemVersion"));
    record.device = either("deviceModel");
    record.player = either("userID").or_else(|| either("userId"));
    record.session = either("sessionID").or_else(|| either("sessionId"));
    record.outcome = outcome(&name);
    record.event = Some(name);
    set_place(&mut record, parameters);
    add_fields(&mut record, "", parameters);
    Ok(Some(record))
}

/// Makes a record of an event of GameAnalytics' raw export: what the server adds, and what the game said in `data`.
pub(super) fn gameanalytics(value: &Value, _: &Map<String, Value>) -> Made {
    let data = at(value, "data").unwrap_or(value);
    let category = text(data, "category").ok_or("it has no category")?;
    let kind = match category.as_str() {
        "session_end" => FeedbackKind::Session,
        "error" => FeedbackKind::Crash,
        _ => FeedbackKind::Event,
    };
    let mut record = FeedbackRecord::new(kind, "gameanalytics");
    set_time(&mut record, data, &["client_ts"]);
    if record.time.is_none() {
        set_time(&mut record, value, &["arrival_ts", "server_ts"]);
    }
    record.clues.version = text(data, "build");
    record.platform = text(data, "platform");
    record.os = text(data, "os_version");
    record.device = text(data, "device");
    record.player = first_text(data, &["user_id", "custom_user_id"]);
    record.session = text(data, "session_id");
    let name = match category.as_str() {
        "progression" => {
            let parts = ["progression_01", "progression_02", "progression_03"];
            let place: Vec<String> = parts.iter().filter_map(|part| text(data, part)).collect();
            record.place.level = Some(place.join(":")).filter(|level| !level.is_empty());
            text(data, "event_id").unwrap_or_else(|| "progression".into())
        }
        _ => text(data, "event_id").unwrap_or_else(|| category.clone()),
    };
    record.outcome = outcome(&name);
    // "Start:world01:level02" is the event, its places the level.
    if record.place.level.is_none() && category == "progression" {
        record.place.level = name.split_once(':').map(|(_, place)| place.to_owned());
    }
    match kind {
        FeedbackKind::Session => {
            record.seconds = number(data, "length");
            record.outcome = Some(Outcome::Quit);
        }
        FeedbackKind::Crash => {
            let message = text(data, "message").unwrap_or_default();
            let severity = text(data, "severity").unwrap_or_else(|| "error".into());
            // What is worth less than an error is no crash.
            if !matches!(severity.as_str(), "error" | "critical") {
                record.kind = FeedbackKind::Event;
            } else {
                record.signature = Some(signature(&severity, &message, &[]));
            }
            record.text = message;
            record.severity = Some(severity);
        }
        _ => {}
    }
    record.event = Some(name);
    let fields =
        ["score", "attempt_num", "value", "session_num", "engine_version", "sdk_version", "amount", "country_code"];
    for field in fields {
        if let Some(text) = text(data, field).or_else(|| text(value, field)) {
            record.fields.insert(field.into(), text);
        }
    }
    if let Some(custom) = at(data, "custom_fields") {
        set_place(&mut record, custom);
        add_fields(&mut record, "", custom);
    }
    Ok(Some(record))
}

/// Makes a record of an event of PlayFab's PlayStream.
pub(super) fn playfab(value: &Value, _: &Map<String, Value>) -> Made {
    let name = first_text(value, &["EventName", "FullName.Name"]).ok_or("it has no EventName")?;
    let mut record = FeedbackRecord::new(FeedbackKind::Event, "playfab");
    record.source_id = first_text(value, &["EventId", "Id"]);
    set_time(&mut record, value, &["Timestamp", "OriginTimestamp", "EventTimestamp"]);
    record.player = first_text(value, &["EntityId", "Entity.Id", "EntityLineage.master_player_account"]);
    let body = ["Body", "EventData", "Payload"].into_iter().find_map(|key| at(value, key)).unwrap_or(value);
    record.clues.version = first_text(body, &["ClientVersion", "BuildVersion", "GameVersion", "version", "build"]);
    record.clues.stamp = first_text(body, &["gamevault_stamp", "stamp"]);
    record.platform = first_text(body, &["Platform", "platform", "DeviceOS"]);
    record.session = first_text(body, &["SessionId", "ClientSessionID"]);
    record.seconds = first_text(body, &["SessionLengthSeconds", "Duration"]).and_then(|text| text.parse().ok());
    if name.to_lowercase().contains("session_end") || name.to_lowercase().contains("sessionend") {
        record.kind = FeedbackKind::Session;
    }
    record.outcome = outcome(&name);
    record.event = Some(name);
    if let Some(space) = text(value, "EventNamespace") {
        record.fields.insert("namespace".into(), space);
    }
    set_place(&mut record, body);
    add_fields(&mut record, "", body);
    Ok(Some(record))
}
