//! `gamevault feedback suspect` and `fixed`: since when something shows, which change is behind it, and whether it is over.

use super::Outcome;
use crate::cli::commands::diff::write_page;
use crate::cli::context::Context;
use crate::cli::feedback_filter::FeedbackFilter;
use crate::cli::table::{Align, Table};
use crate::cli::text;
use clap::Args;
use gamevault::Vault;
use gamevault::catalogue::Build;
use gamevault::catalogue::feedback::FeedbackQuery;
use gamevault::error::{Error, Result};
use gamevault::feedback::suspect::{Onset, Suspicion};
use gamevault::feedback::{Among, Rate};
use gamevault::report::players::{not_enough, suspicion_page};
use gamevault::report::records::id_of;

use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;

/// Reasons that are shown of each file, and what is too little to be shown.
const MAX_REASONS: usize = 3;
const LITTLE: f64 = 0.2;

/// Show which change is behind what players complain of.
///
/// From all records of a tag, a crash signature, some words, or like one record: the first build that shows it, the last one
/// without it that was played enough, and the files that changed between them, those first that the records lead to. It says so
/// when there is not enough data.
#[derive(Debug, Args)]
pub struct Suspect {
    #[command(flatten)]
    symptom: Symptom,

    /// Show at most so many files; 0 shows all.
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: usize,

    /// Write a page for people to this file, with all files.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Show whether something that players complained of is over.
///
/// How many plays since then are without it, and how probable that is by chance.
#[derive(Debug, Args)]
pub struct Fixed {
    #[command(flatten)]
    symptom: Symptom,
}

/// What is complained of.
#[derive(Debug, Args)]
struct Symptom {
    /// Words that the records have.
    #[arg(value_name = "WORD")]
    words: Vec<String>,

    /// What this record complains of: its id, or the start of it.
    #[arg(long, value_name = "ID", conflicts_with = "words")]
    record: Option<String>,

    #[command(flatten)]
    filter: FeedbackFilter,
}

impl Symptom {
    fn query(&self, vault: &Vault) -> Result<FeedbackQuery> {
        let filter = self.filter.query(vault)?;
        if let Some(id) = &self.record {
            let alike = vault.alike(&vault.feedback_record(id)?)?;
            return Ok(FeedbackQuery { builds: filter.builds, ..alike });
        }
        let text = (!self.words.is_empty()).then(|| self.words.join(" "));
        let query = FeedbackQuery { text, ..filter };
        if query == (FeedbackQuery { builds: query.builds.clone(), ..FeedbackQuery::default() }) {
            return Err(Error::invalid("nothing says what is complained of")
                .with_hint("give words, --tag, --signature, or --record with the id of a record"));
        }
        Ok(query)
    }

    /// Returns what a page on it is called.
    fn title(&self) -> String {
        match &self.record {
            Some(id) => format!("What record {id} complains of"),
            None if self.words.is_empty() => format!("What has {}", self.filter.words()),
            None => format!("What says {}", self.words.join(" ")),
        }
    }
}

/// Runs `suspect`.
pub fn suspect(arguments: &Suspect, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let mut suspicion = vault.suspect(&arguments.symptom.query(&vault)?)?;
    let builds = vault.builds()?;
    if let Some(file) = &arguments.html {
        write_page(file, &suspicion_page(&arguments.symptom.title(), &suspicion, &builds))?;
    }
    let changed = suspicion.suspects.len();
    if arguments.limit > 0 {
        suspicion.suspects.truncate(arguments.limit);
    }
    Ok(context.answer(&suspicion, || {
        let mut out = String::new();
        match (&suspicion.onset, suspicion.not_enough) {
            (Some(onset), _) => {
                tell_onset(&mut out, onset, suspicion.among, &builds);
                tell_suspects(&mut out, &suspicion, changed);
            }
            (None, reason) => {
                let _ = writeln!(out, "{}", not_enough(reason));
            }
        }
        if let Some(file) = &arguments.html {
            let _ = writeln!(out, "written to {}", file.display());
        }
        out
    }))
}

fn tell_onset(out: &mut String, onset: &Onset, among: Among, builds: &[Build]) {
    let id = |build| id_of(build, builds);
    let _ = writeln!(out, "last build without it   {}  ({})", id(onset.last_without), rate(&onset.without, among));
    let _ = writeln!(out, "first build with it     {}  ({})", id(onset.first_with), rate(&onset.with, among));
    if let Some(last) = onset.last_with {
        let _ = writeln!(out, "last build with it      {}", id(last));
    }
    if onset.steps.len() > 1 {
        let _ = writeln!(out, "so few plays between them do not tell with which it began:");
        for step in &onset.steps {
            let _ = writeln!(out, "  {:>3.0} %  {} to {}", step.weight * 100.0, id(step.old), id(step.new));
        }
    }
}

fn tell_suspects(out: &mut String, suspicion: &Suspicion, changed: usize) {
    if suspicion.suspects.is_empty() {
        out.push_str("\nno file differs between these builds\n");
        return;
    }
    let _ = writeln!(out, "the records speak of    {}\n", suspicion.telling.join(", "));
    if !suspicion.names_files() {
        out.push_str("not enough data: the records name none of the files that changed there\n\n");
    }
    let mut table =
        Table::new([("SCORE", Align::Right), ("CHANGE", Align::Left), ("FILE", Align::Left), ("WHY", Align::Left)]);
    for suspect in &suspicion.suspects {
        let telling = suspect.reasons.iter().filter(|reason| reason.points.abs() > LITTLE).take(MAX_REASONS);
        let why: Vec<String> = telling.map(|reason| reason.kind.to_string()).collect();
        table.add([format!("{:.1}", suspect.score), suspect.kind.word().into(), suspect.path.clone(), why.join("; ")]);
    }
    out.push_str(&table.to_string());
    if suspicion.suspects.len() < changed {
        let _ = writeln!(
            out,
            "{} of {}; --limit shows more",
            suspicion.suspects.len(),
            text::count(changed as u64, "file")
        );
    }
    if !suspicion.commits.is_empty() {
        out.push_str("\ncommits between them\n");
        suspicion.commits.iter().for_each(|commit| out.push_str(&format!("  {commit}\n")));
    }
}

/// Runs `fixed`.
pub fn fixed(arguments: &Fixed, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let builds = vault.builds()?;
    let fixed = vault.is_fixed(&arguments.symptom.query(&vault)?)?;
    let data = fixed.as_ref().map(|fixed| json!({ "last_with_id": id_of(fixed.last_with, &builds), "fixed": fixed }));
    Ok(context.answer(&data, || {
        let Some(fixed) = &fixed else { return "no build that is there shows it\n".to_owned() };
        let last = id_of(fixed.last_with, &builds);
        let mut out = format!("last build with it   {last}  ({})\n", rate(&fixed.rate, fixed.among));
        let verdict = match (fixed.since, fixed.by_chance) {
            (0, _) => "nothing is known of later builds".to_owned(),
            (_, chance) => {
                let plays = text::count(fixed.since, unit(fixed.among));
                let word = if chance < 0.05 { "fixed" } else { "not enough data" };
                let builds = text::count(fixed.builds_since, "build");
                format!(
                    "{word}: not in {plays} of {builds} since; that is by chance in {:.1} % of cases",
                    chance * 100.0
                )
            }
        };
        let _ = writeln!(out, "{verdict}");
        out
    }))
}

fn unit(among: Among) -> &'static str {
    if among == Among::Sessions { "session" } else { "report" }
}

fn rate(rate: &Rate, among: Among) -> String {
    format!("{} in {}", text::grouped(rate.hits), text::count(rate.total, unit(among)))
}
