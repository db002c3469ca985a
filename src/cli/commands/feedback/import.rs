//! `gamevault feedback import`: files of feedback come into the vault.

use super::Outcome;
use crate::cli::commands::snapshot::parse_meta;
use crate::cli::context::Context;
use crate::cli::feedback_filter::kinds;
use crate::cli::feedback_view::{line, links};
use crate::cli::meter::Expected;
use crate::cli::text;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use gamevault::Vault;
use gamevault::catalogue::feedback::FeedbackKind;
use gamevault::error::Result;
use gamevault::feedback::import::{Field, Format, Mapping};
use gamevault::name::RefName;
use gamevault::vault::{ImportOptions, ImportReport};
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;

/// Import feedback, and link each record to the build that it is about.
///
/// What was imported before is not taken again, so a sheet or an export that has grown can be imported as it is. Players get
/// pseudonyms. The files are kept with the records; what is damaged in them is told, and kept in rejected.jsonl.
#[derive(Debug, Args)]
pub struct Import {
    /// The files: tables, exports of Sentry, Steam, Discord and many more (docs/feedback.md), pictures, logs, and folders of them.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// The build of all records that say nothing better: an id, a number, a label, a milestone, `latest`.
    #[arg(long, value_name = "BUILD")]
    build: Option<String>,

    /// Keep players under the names that the files give them.
    #[arg(long)]
    keep_names: bool,

    /// Show what would be imported, and keep nothing.
    #[arg(long)]
    dry_run: bool,

    /// The form of the files, when it is not told by their names and first bytes.
    #[arg(long, value_name = "FORM", value_parser = formats())]
    format: Option<Format>,

    #[command(flatten)]
    table: TableOptions,
}

/// How the columns of tables are to be taken. What is not said is told from the table.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tables")]
struct TableOptions {
    /// What a column tells: `time=Zeitstempel`, `text="What went wrong?"`; may be given again.
    #[arg(long, value_name = "FIELD=COLUMN", value_parser = parse_column)]
    map: Vec<(String, Field)>,

    /// A column with several words, and what separates them: `topics=;`. They become tags.
    #[arg(long, value_name = "COLUMN=SEPARATOR", value_parser = parse_meta)]
    split: Vec<(String, String)>,

    /// What separates columns.
    #[arg(long, value_name = "CHARACTER")]
    delimiter: Option<char>,

    /// The encoding: utf-8, utf-16le, windows-1252.
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,

    /// How times are written: `%d.%m.%Y %H:%M`.
    #[arg(long, value_name = "FORMAT")]
    date_format: Option<String>,

    /// The time zone of times that say none: `Europe/Berlin`.
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,

    /// The best rating, where 1 is the worst; 5, if it is not given.
    #[arg(long, value_name = "NUMBER")]
    rating_max: Option<f64>,

    /// The kind of records that say none.
    #[arg(long, value_name = "KIND", value_parser = kinds())]
    kind: Option<FeedbackKind>,

    /// Take the columns as this mapping says, which was kept before; options beside it count more.
    #[arg(long, value_name = "NAME")]
    mapping: Option<RefName>,

    /// Keep these options as a mapping of this name.
    #[arg(long, value_name = "NAME")]
    save_mapping: Option<RefName>,
}

impl TableOptions {
    fn mapping(&self, vault: &Vault) -> Result<Mapping> {
        let mut mapping = match &self.mapping {
            Some(name) => vault.mapping(name)?,
            None => Mapping::default(),
        };
        mapping.columns.extend(self.map.iter().cloned());
        mapping.split.extend(self.split.iter().cloned());
        mapping.delimiter = self.delimiter.or(mapping.delimiter);
        mapping.encoding = self.encoding.clone().or(mapping.encoding);
        mapping.date_format = self.date_format.clone().or(mapping.date_format);
        mapping.zone = self.zone.clone().or(mapping.zone);
        mapping.rating_max = self.rating_max.or(mapping.rating_max);
        mapping.kind = self.kind.or(mapping.kind);
        if let Some(name) = &self.save_mapping {
            vault.save_mapping(name, &mapping)?;
        }
        Ok(mapping)
    }
}

fn formats() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::code))
        .map(|code| Format::ALL.into_iter().find(|format| format.code() == code).expect("it is one of these values"))
}

fn parse_column(text: &str) -> std::result::Result<(String, Field), String> {
    let (field, column) = text.split_once('=').ok_or("write it as FIELD=COLUMN")?;
    let known = Field::ALL.iter().find(|(_, name)| *name == field.trim());
    let names = || Field::ALL.map(|(_, name)| name).join(", ");
    let (field, _) = known.ok_or_else(|| format!("\"{field}\" is none of {}", names()))?;
    Ok((column.to_owned(), *field))
}

/// Runs the command.
pub fn run(arguments: &Import, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let build = arguments.build.as_deref().map(|build| vault.build(build)).transpose()?;
    let options = ImportOptions {
        format: arguments.format,
        build: build.map(|build| build.number),
        keep_names: arguments.keep_names,
        dry_run: arguments.dry_run,
        mapping: arguments.table.mapping(&vault)?,
    };
    let report = context
        .work("import", Expected::Unknown, |progress| vault.import_feedback(&arguments.files, &options, progress))?;
    context.warn_all(&report.warnings);
    let formats: Vec<&str> = report.formats.iter().map(|format| format.code()).collect();
    let data = json!({
        "dry_run": arguments.dry_run, "batch": report.batch, "formats": formats, "added": report.added,
        "updated": report.updated, "unchanged": report.unchanged, "rejected": report.rejected, "links": report.links,
        "first": report.first, "first_rejected": report.first_rejected, "bytes_stored": report.stored_bytes,
    });
    Ok(context.done(&data, || describe(&report, arguments.dry_run)))
}

fn describe(report: &ImportReport, is_dry_run: bool) -> String {
    let would = if is_dry_run { "would import" } else { "imported" };
    let mut said = format!("{would} {}", text::count(report.added, "new record"));
    for (count, what) in
        [(report.updated, "changed"), (report.unchanged, "known already"), (report.rejected, "rejected")]
    {
        if count > 0 {
            write!(said, ", {} {what}", text::grouped(count)).expect("a string takes everything");
        }
    }
    said.push('\n');
    if report.added + report.updated > 0 {
        writeln!(said, "{}", links(&report.links)).expect("a string takes everything");
    }
    if is_dry_run {
        for record in &report.first {
            writeln!(said, "  {:<8} {}", record.kind.code(), line(record)).expect("a string takes everything");
        }
    }
    for rejected in &report.first_rejected {
        writeln!(said, "  rejected {}: {}", rejected.number, rejected.reason).expect("a string takes everything");
    }
    said
}
