//! `gamevault feedback list` and `search`: which records there are.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::feedback_filter::FeedbackFilter;
use crate::cli::feedback_view::table;
use crate::cli::text;
use clap::Args;
use gamevault::catalogue::feedback::FeedbackQuery;
use gamevault::report::records::RecordView;
use serde_json::json;

/// List records, the last imported first.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    shown: Shown,
}

/// Find records by words.
///
/// All words must be there; `"a phrase"`, `begin*`, and `or` between two of them narrow and widen that. Titles,
/// texts, answers, tags and levels are searched.
#[derive(Debug, Args)]
pub struct Search {
    /// The words.
    #[arg(value_name = "WORD", required = true)]
    words: Vec<String>,

    /// Without this word; may be given again.
    #[arg(long, value_name = "WORD")]
    without: Vec<String>,

    #[command(flatten)]
    shown: Shown,
}

/// Which records, and how many.
#[derive(Debug, Args)]
struct Shown {
    #[command(flatten)]
    filter: FeedbackFilter,

    /// Show at most so many; 0 shows all.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

/// Runs `list`.
pub fn list(arguments: &List, context: &Context) -> Outcome {
    show(None, &arguments.shown, context)
}

/// Runs `search`.
pub fn search(arguments: &Search, context: &Context) -> Outcome {
    let without = arguments.without.iter().map(|word| format!("-{word}"));
    let text: Vec<String> = arguments.words.iter().cloned().chain(without).collect();
    show(Some(text.join(" ")), &arguments.shown, context)
}

fn show(text: Option<String>, shown: &Shown, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let limit = (shown.limit > 0).then_some(shown.limit);
    let query = FeedbackQuery { text, limit, ..shown.filter.query(&vault)? };
    let index = vault.feedback()?;
    let found = index.search(&query)?;
    let total = match limit {
        Some(limit) if found.len() == limit => index.count(&query)?,
        _ => found.len() as u64,
    };
    let builds = vault.builds()?;
    let views: Vec<RecordView> = found.iter().map(|found| RecordView::new(found, &builds)).collect();
    let data = json!({ "total": total, "records": views });
    Ok(context.answer(&data, || {
        if context.quiet() {
            return views.iter().map(|view| format!("{}\n", view.id)).collect();
        }
        match views.len() as u64 {
            0 => "nothing was found\n".to_owned(),
            shown if shown < total => {
                format!("{}{} of {}; --limit shows more\n", table(&views), shown, text::count(total, "record"))
            }
            _ => table(&views).to_string(),
        }
    }))
}
