//! What Unreal writes when it crashes: `CrashContext.runtime-xml`, beside a dump and a log.

use super::fields::{MAX_TEXT_LEN, tidy};
use super::signature::signature;
use super::{FileInfo, Rejected, Sink, failure};
use crate::catalogue::feedback::{FeedbackKind, FeedbackRecord};
use crate::error::Result;
use jiff::Timestamp;
use quick_xml::Reader;
use quick_xml::events::Event;
use std::collections::BTreeMap;
use std::io::{BufRead, Read};

/// The most bytes of a context that are read.
const MAX_LEN: u64 = 8 << 20;

/// Kinds of crashes that end no play.
const HARMLESS: [&str; 4] = ["Ensure", "Stall", "AbnormalShutdown", "Hang"];

/// Ticks of 100 ns from the year 1 to 1970.
const TICKS_TO_1970: i64 = 621_355_968_000_000_000;

/// Reads one context.
pub(super) fn read(file: FileInfo<'_>, input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<()> {
    let mut bytes = Vec::new();
    Read::take(&mut *input, MAX_LEN).read_to_end(&mut bytes).map_err(failure)?;
    let (values, damage) = values(&bytes);
    if let Some(damage) = damage {
        sink.reject(Rejected::new(1, damage, &bytes))?;
    }
    let get = |name: &str| values.get(name).filter(|value| !value.is_empty()).cloned();
    if get("CrashGUID").is_none() && get("ErrorMessage").is_none() && get("CallStack").is_none() {
        return sink.reject(Rejected::new(1, "it has no CrashGUID, no ErrorMessage and no CallStack", &bytes));
    }
    let crash_type = get("CrashType").unwrap_or_else(|| "Crash".into());
    let is_harmless = HARMLESS.iter().any(|harmless| crash_type.eq_ignore_ascii_case(harmless));
    let kind = if is_harmless { FeedbackKind::Event } else { FeedbackKind::Crash };
    let mut record = FeedbackRecord::new(kind, "unreal");
    record.source_id = get("CrashGUID");
    let ticks = get("TimeOfCrash").and_then(|ticks| ticks.parse::<i64>().ok());
    let time = ticks.and_then(|ticks| Timestamp::from_microsecond(ticks.checked_sub(TICKS_TO_1970)? / 10).ok());
    record.time = time.or(file.modified);
    record.clues.version = get("BuildVersion")
        .filter(|version| Some(version) != get("EngineVersion").as_ref())
        .or_else(|| get("AppVersion"));
    record.clues.stamp = get("GameVaultStamp");
    record.platform = get("PlatformName").or_else(|| get("PlatformFullName"));
    record.os = get("Misc.OSVersionMajor");
    record.device = get("Misc.PrimaryGPUBrand").or_else(|| get("Misc.CPUBrand"));
    record.player = get("LoginId").or_else(|| get("MachineId")).or_else(|| get("EpicAccountId"));
    record.text = get("UserDescription").unwrap_or_default();
    record.place.level = get("LevelName").or_else(|| get("MapName"));
    let message = get("ErrorMessage").unwrap_or_default();
    let stack = get("CallStack").unwrap_or_default();
    record.stack = stack.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
    let named = message.lines().next().unwrap_or_default().trim().to_owned();
    record.title = Some(if named.is_empty() { crash_type.clone() } else { named });
    match is_harmless {
        true => record.event = Some(crash_type),
        false => record.signature = Some(signature(&crash_type, &message, &record.stack)),
    }
    for field in [
        "EngineVersion",
        "BuildConfiguration",
        "GameName",
        "EngineMode",
        "Misc.CPUBrand",
        "Misc.PrimaryGPUBrand",
        "MemoryStats.bIsOOM",
    ] {
        if let Some(value) = get(field) {
            record.fields.insert(field.into(), value);
        }
    }
    tidy(&mut record);
    sink.record(record)
}

/// Returns the texts of all elements, the first of each name, and what is damaged.
fn values(bytes: &[u8]) -> (BTreeMap<String, String>, Option<String>) {
    let mut values = BTreeMap::new();
    let decoded = String::from_utf8_lossy(bytes);
    let mut reader = Reader::from_str(&decoded);
    let (mut name, mut text) = (String::new(), String::new());
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                name = start.name().as_ref().to_owned();
                text.clear();
            }
            Ok(Event::Text(part)) => text.push_str(&part),
            Ok(Event::CData(part)) => text.push_str(&part),
            Ok(Event::GeneralRef(part)) => text.push_str(&resolved(&part)),
            Ok(Event::End(_)) => {
                if !name.is_empty() && text.len() <= MAX_TEXT_LEN {
                    values.entry(std::mem::take(&mut name)).or_insert_with(|| text.trim().to_owned());
                }
                text.clear();
            }
            Ok(Event::Eof) => return (values, None),
            Ok(_) => {}
            Err(error) => return (values, Some(format!("the XML is damaged: {error}"))),
        }
    }
}

/// Returns what an entity stands for; itself, if nobody knows it.
fn resolved(name: &str) -> String {
    match quick_xml::escape::resolve_predefined_entity(name) {
        Some(text) => text.to_owned(),
        None => {
            let digits = name.strip_prefix("#x").map(|hex| u32::from_str_radix(hex, 16));
            let number = digits.or_else(|| name.strip_prefix('#').map(str::parse));
            let letter = number.and_then(std::result::Result::ok).and_then(char::from_u32);
            letter.map_or_else(|| format!("&{name};"), |letter| letter.to_string())
        }
    }
}
