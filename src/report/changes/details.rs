//! What changed inside of files: pictures side by side, lines, members, lengths of sounds.

use crate::compare::detail::{
    Detail, LineKind, Member, MembersChange, PictureChange, PictureFacts, SettingsChange, SoundFacts, TextChange,
};
use crate::compare::{Changes, Difference};
use crate::report::html::{Html, escape};
use crate::report::page::{Page, Tone, folded, pill};
use crate::report::table::{Cell, Side, Table};
use crate::report::text;
use data_encoding::BASE64;

/// Parts that are unfolded when there are no more than these.
const OPEN: usize = 4;

/// Adds a section for each sort of detail that there is.
pub(super) fn add_to(page: &mut Page, changes: &Changes) {
    let of_all = || changes.details.iter().map(|(&index, detail)| (&changes.diff.changes[index], detail));
    let mut pictures = Html::new();
    let mut texts = Vec::new();
    let mut containers = Vec::new();
    let mut sounds = Table::new([
        ("Sound", Side::Left),
        ("Before", Side::Right),
        ("After", Side::Right),
        ("Format before", Side::Left),
        ("Format after", Side::Left),
    ]);
    let mut unreadable = Table::new([("File", Side::Left), ("Why", Side::Left)]);
    for (one, detail) in of_all() {
        match detail {
            Detail::Picture(change) => pictures.push(&picture(one, change)),
            Detail::Text(change) => texts.push(text_change(one, change)),
            Detail::Settings(change) => texts.push(settings(one, change)),
            Detail::Members(change) => containers.push(members(one, change)),
            Detail::Sound(change) => {
                let length = |facts: &SoundFacts| Cell::sorted(Html::text(&length(facts)), facts.millis as i64);
                let format = |facts: &SoundFacts| Cell::text(&sound_format(facts));
                let (old, new) = (&change.old, &change.new);
                sounds.add(&[Cell::path(&one.change.path), length(old), length(new), format(old), format(new)]);
            }
            Detail::Unreadable { reason } => unreadable.add(&[Cell::path(&one.change.path), Cell::text(reason)]),
        }
    }
    page.section_with_note("Pictures", "Red is where pixels differ.", &pictures);
    page.section("Texts and settings", &all(&texts));
    page.section("Inside of containers", &all(&containers));
    page.section("Sounds", &sounds.finish());
    page.section_with_note("Unreadable", "`gamevault verify` tells more.", &unreadable.finish());
}

fn all(parts: &[(Html, Html)]) -> Html {
    let mut html = Html::new();
    for (heading, content) in parts {
        html.push(&folded(heading, content, parts.len() <= OPEN));
    }
    html
}

fn heading(one: &Difference, aside: &str) -> Html {
    Html::raw(format!("{} <span class=\"aside\">{}</span>", escape(&one.change.path), escape(aside)))
}

/// Returns a sentence on what happened to a picture.
pub(super) fn picture_words(change: &PictureChange) -> String {
    let facts = |facts: &PictureFacts| {
        let PictureFacts { format, width, height, color } = facts;
        format!("{width} × {height} {format} {color}")
    };
    let mut words = match change.old == change.new {
        true => facts(&change.new),
        false => format!("{} → {}", facts(&change.old), facts(&change.new)),
    };
    if let Some(pixels) = &change.pixels {
        let share = pixels.different as f64 * 100.0 / pixels.all.max(1) as f64;
        words += &match pixels.different {
            0 => ", no pixel differs".to_owned(),
            _ => format!(
                ", {share:.1} % of the pixels differ, {:.1} % so that it is seen",
                pixels.seen as f64 * 100.0 / pixels.all.max(1) as f64
            ),
        };
    }
    words
}

fn picture(one: &Difference, change: &PictureChange) -> Html {
    let mut html = Html::new();
    if let Some(views) = &change.views {
        html.push_raw("<div class=\"pictures\">");
        // The pixels of what is small are to be seen, not smoothed.
        let class = if change.new.width.max(change.new.height) <= 96 { " class=\"small\"" } else { "" };
        let shown =
            [("before", Some(&views.old)), ("after", Some(&views.new)), ("difference", views.difference.as_ref())];
        for (caption, bytes) in shown {
            if let Some(bytes) = bytes {
                let kind = if bytes.starts_with(b"\x89PNG") { "png" } else { "jpeg" };
                html.push_format(format_args!(
                    "<figure><img{class} loading=\"lazy\" alt=\"{caption}\" src=\"data:image/{kind};base64,{}\">\
                     <figcaption>{caption}</figcaption></figure>",
                    BASE64.encode(bytes)
                ));
            }
        }
        html.push_raw("</div>");
    }
    folded(&heading(one, &picture_words(change)), &html, change.views.is_some())
}

fn text_change(one: &Difference, change: &TextChange) -> (Html, Html) {
    let mut html = Html::raw("<pre>");
    for hunk in &change.hunks {
        html.push_format(format_args!("<span class=\"h\">{}</span>", escape(&hunk.heading())));
        for line in &hunk.lines {
            let class = match line.kind {
                LineKind::Same => "",
                LineKind::Added => " class=\"a\"",
                LineKind::Removed => " class=\"d\"",
            };
            html.push_format(format_args!("<span{class}>{}{}</span>", line.kind.sign(), escape(&line.text)));
        }
    }
    if change.is_cut {
        html.push_raw("<span class=\"h\">… and more</span>");
    }
    html.push_raw("</pre>");
    (heading(one, &format!("+{} −{} lines", change.added, change.removed)), html)
}

fn settings(one: &Difference, change: &SettingsChange) -> (Html, Html) {
    let mut table = Table::new([("Setting", Side::Left), ("Before", Side::Left), ("After", Side::Left)]);
    for setting in &change.settings {
        let value = |value: &Option<String>, tag: &str| match value {
            None => Cell::text("—"),
            Some(value) => Cell::path_html(Html::raw(format!("<{tag}>{}</{tag}>", escape(value)))),
        };
        table.add(&[Cell::path(&setting.key), value(&setting.old, "del"), value(&setting.new, "ins")]);
    }
    let mut html = table.finish();
    if change.count > change.settings.len() {
        let more = text::grouped((change.count - change.settings.len()) as u64);
        html.push_format(format_args!("<p class=\"plain\">and {more} more</p>"));
    }
    (heading(one, &text::count(change.count as u64, "setting")), html)
}

/// Returns a sentence on what happened in a container.
pub(super) fn members_words(change: &MembersChange) -> String {
    let MembersChange { format, members, added, removed, modified, .. } = change;
    let members = text::count(*members as u64, "member");
    format!("{format} of {members}: {added} added, {removed} removed, {modified} modified")
}

fn members(one: &Difference, change: &MembersChange) -> (Html, Html) {
    let mut table =
        Table::new([("Change", Side::Left), ("Member", Side::Left), ("Before", Side::Right), ("After", Side::Right)]);
    for member in &change.changes {
        let (word, tone) = match (&member.old, &member.new) {
            (None, _) => ("added", Tone::Added),
            (_, None) => ("removed", Tone::Removed),
            _ => ("modified", Tone::Modified),
        };
        let len = |member: Option<Member>| Cell::size(member.map(|member| member.plain_len.unwrap_or(member.len)));
        table.add_of(
            word,
            tone,
            &[Cell::html(pill(word, tone)), Cell::path(&member.name), len(member.old), len(member.new)],
        );
    }
    let mut html = table.finish();
    let more = (change.added + change.removed + change.modified).saturating_sub(change.changes.len());
    if more > 0 {
        html.push_format(format_args!("<p class=\"plain\">and {} more</p>", text::grouped(more as u64)));
    }
    (heading(one, &members_words(change)), html)
}

/// Returns how long a sound is: `1:05.250`.
pub(super) fn length(facts: &SoundFacts) -> String {
    let (seconds, millis) = (facts.millis / 1000, facts.millis % 1000);
    format!("{}:{:02}.{millis:03}", seconds / 60, seconds % 60)
}

/// Returns how a sound is written: `wav, 44100 Hz, 2 channels, 16 bit`.
pub(super) fn sound_format(facts: &SoundFacts) -> String {
    let mut words = vec![facts.format.clone()];
    words.extend(facts.sample_rate.map(|rate| format!("{rate} Hz")));
    words.extend(facts.channels.map(|channels| text::count(channels.into(), "channel")));
    words.extend(facts.bits.map(|bits| format!("{bits} bit")));
    words.extend(facts.kilobits.map(|kilobits| format!("{kilobits} kbit/s")));
    words.join(", ")
}
