//! What people wrote: BetaHub, reviews on Steam, exports of Discord, issues on GitHub.

use crate::catalogue::feedback::{Attachment, FeedbackKind, FeedbackRecord};
use crate::feedback::import::fields::{at, first_text, number, set_time, text, texts, time};
use crate::feedback::import::media_type;
use serde_json::{Map, Value};

type Made = Result<Option<FeedbackRecord>, String>;

/// Makes a record of an issue or a suggestion of BetaHub.
pub(super) fn betahub(value: &Value, _: &Map<String, Value>) -> Made {
    let id = text(value, "id").ok_or("it has no id")?;
    let is_bug = at(value, "steps_to_reproduce").is_some() || at(value, "priority").is_some();
    let kind = if is_bug { FeedbackKind::Bug } else { FeedbackKind::Comment };
    let mut record = FeedbackRecord::new(kind, "betahub");
    record.source_id = Some(id);
    set_time(&mut record, value, &["created_at"]);
    record.clues.version = first_text(value, &["release_label", "release.label", "release"]);
    record.player = first_text(value, &["reported_by.id", "reported_by.name", "reported_by", "reporter.name", "email"]);
    record.title = text(value, "title");
    record.text = text(value, "description").unwrap_or_default();
    for (number, step) in steps(value).into_iter().enumerate() {
        record.text.push_str(&format!("\n{}. {step}", number + 1));
    }
    record.severity = text(value, "priority");
    record.status = text(value, "status");
    let tag = |tag: &Value| text(tag, "name").or_else(|| crate::feedback::import::fields::plain(tag));
    record.tags = at(value, "tags").and_then(Value::as_array).into_iter().flatten().filter_map(tag).collect();
    record.platform = first_text(value, &["custom.platform", "platform"]);
    if let Some(custom) = at(value, "custom").or(at(value, "custom_fields")) {
        crate::feedback::import::fields::set_place(&mut record, custom);
        crate::feedback::import::fields::add_fields(&mut record, "", custom);
    }
    for list in ["screenshots", "log_files", "video_clips"] {
        for file in at(value, list).and_then(Value::as_array).into_iter().flatten() {
            record.attachments.extend(named_file(file, &["filename", "name"], &["url", "image_url", "file_url"]));
        }
    }
    Ok(Some(record))
}

/// Steps are an array of texts or of objects.
fn steps(value: &Value) -> Vec<String> {
    let step =
        |step: &Value| first_text(step, &["step", "text"]).or_else(|| crate::feedback::import::fields::plain(step));
    at(value, "steps_to_reproduce").and_then(Value::as_array).into_iter().flatten().filter_map(step).collect()
}

/// Makes a record of a review on Steam.
pub(super) fn steam(value: &Value, _: &Map<String, Value>) -> Made {
    let mut record = FeedbackRecord::new(FeedbackKind::Review, "steam");
    record.source_id = Some(text(value, "recommendationid").ok_or("it has no recommendationid")?);
    set_time(&mut record, value, &["timestamp_created", "timestamp_updated"]);
    record.player = text(value, "author.steamid");
    record.text = text(value, "review").unwrap_or_default();
    record.lang = text(value, "language");
    record.rating = at(value, "voted_up").and_then(Value::as_bool).map(f64::from);
    // The author says how long he played before he wrote, in minutes.
    record.seconds = number(value, "author.playtime_at_review").map(|minutes| minutes * 60.0);
    if at(value, "primarily_steam_deck").and_then(Value::as_bool) == Some(true) {
        record.platform = Some("linux".into());
        record.device = Some("Steam Deck".into());
    }
    for flag in ["written_during_early_access", "received_for_free", "refunded"] {
        if at(value, flag).and_then(Value::as_bool) == Some(true) {
            record.tags.push(flag.replace('_', "-"));
        }
    }
    for field in ["votes_up", "votes_funny", "comment_count", "author.playtime_forever", "timestamp_updated"] {
        if let Some(text) = text(value, field) {
            record.fields.insert(field.into(), text);
        }
    }
    Ok(Some(record))
}

/// Makes a record of a message that DiscordChatExporter wrote; what the system says is nothing that anybody said.
pub(super) fn discord(value: &Value, beside: &Map<String, Value>) -> Made {
    let id = text(value, "id").ok_or("it has no id")?;
    let kind = text(value, "type").unwrap_or_default();
    if !matches!(kind.as_str(), "" | "Default" | "Reply" | "0" | "19") {
        return Ok(None);
    }
    let said = text(value, "content").unwrap_or_default();
    let files = at(value, "attachments").and_then(Value::as_array);
    if said.is_empty() && files.is_none_or(Vec::is_empty) {
        return Ok(None);
    }
    let mut record = FeedbackRecord::new(FeedbackKind::Comment, "discord");
    record.source_id = Some(id);
    set_time(&mut record, value, &["timestamp"]);
    record.player = first_text(value, &["author.id", "author.name"]);
    record.text = said;
    record.reply_to = text(value, "reference.messageId");
    let channel = beside.get("channel");
    if let Some(name) = channel.and_then(|channel| text(channel, "name")) {
        record.clues.version = version_in(&name);
        record.fields.insert("channel".into(), name);
    }
    let edited = at(value, "timestampEdited").and_then(time);
    if let Some((edited, _)) = edited {
        record.fields.insert("edited".into(), edited.to_string());
    }
    let reactions = at(value, "reactions").and_then(Value::as_array);
    for reaction in reactions.into_iter().flatten() {
        if let (Some(name), Some(count)) = (text(reaction, "emoji.name"), text(reaction, "count")) {
            record.fields.insert(format!("reaction {name}"), count);
        }
    }
    for file in files.into_iter().flatten() {
        record.attachments.extend(named_file(file, &["fileName"], &["url"]));
    }
    Ok(Some(record))
}

/// Returns the version in the name of a channel, `playtest-0.7`.
fn version_in(name: &str) -> Option<String> {
    let words = name.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '.'));
    let is_version = |word: &&str| {
        let digits = word.trim_start_matches(['v', 'V']);
        digits.contains('.')
            && digits.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    words.into_iter().find(is_version).map(str::to_owned)
}

/// Makes a record of an issue on GitHub.
pub(super) fn github(value: &Value, _: &Map<String, Value>) -> Made {
    let id = first_text(value, &["html_url", "url", "id"]).ok_or("it has no url and no id")?;
    if at(value, "pull_request").is_some() {
        return Ok(None);
    }
    let label = |label: &Value| text(label, "name").or_else(|| crate::feedback::import::fields::plain(label));
    let labels: Vec<String> =
        at(value, "labels").and_then(Value::as_array).into_iter().flatten().filter_map(label).collect();
    let is_bug = labels.iter().any(|label| label.to_lowercase().contains("bug"));
    let mut record = FeedbackRecord::new(if is_bug { FeedbackKind::Bug } else { FeedbackKind::Comment }, "github");
    record.source_id = Some(id);
    set_time(&mut record, value, &["created_at", "createdAt"]);
    record.player = first_text(value, &["user.login", "author.login"]);
    record.title = text(value, "title");
    record.text = text(value, "body").unwrap_or_default();
    record.status = text(value, "state");
    // "version: 0.7", "affects 0.7.3": a label that has one tells it.
    record.clues.version = labels
        .iter()
        .find_map(|label| version_in(label))
        .or_else(|| text(value, "milestone.title").and_then(|title| version_in(&title)));
    record.tags = labels;
    record.tags.extend(texts(value, "tags"));
    Ok(Some(record))
}

/// Makes an attachment that the source has elsewhere.
fn named_file(file: &Value, names: &[&str], urls: &[&str]) -> Option<Attachment> {
    let url = first_text(file, urls)
        .or_else(|| crate::feedback::import::fields::plain(file).filter(|text| text.starts_with("http")));
    let name = first_text(file, names).or_else(|| url.as_deref()?.rsplit('/').next().map(str::to_owned))?;
    let name = crate::name::safe(name.split('?').next().unwrap_or_default());
    Some(Attachment { media_type: media_type(&name).map(str::to_owned), name, path: None, url })
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn names_of_channels_tell_versions() {
        for (name, version) in [
            ("playtest-0.7", Some("0.7")),
            ("v1.2.3-feedback", Some("v1.2.3")),
            ("general", None),
            ("top-10", None),
            ("a.b", None),
        ] {
            assert_eq!(version_in(name).as_deref(), version, "{name}");
        }
    }
}
