//! `gamevault stats`: tells what the vault or some builds hold, what that costs, and where the bytes are.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::meter::Expected;
use crate::cli::output::Failure;
use crate::cli::table::{Align, Fields, Table};
use crate::cli::text;
use clap::{Args, ValueEnum};
use gamevault::Vault;
use gamevault::error::Result;
use gamevault::vault::{Explanation, Grouping, Stats as Sums, StatsOptions, StatsRow, VaultStats};

/// Show how much the vault or some builds hold, how much room that takes, and where.
///
/// LOGICAL are the bytes of all files as they were, UNIQUE those of each distinct piece (chunk) once, STORED what these
/// take on the disk after compression, with their headers.
///
/// A chunk that several files share counts once, where it was first seen: in the oldest build that has it, and in that
/// build at the first file, where a folder's own files come before its subfolders, both by name. So a build takes what it
/// added to those before it.
///
/// Rows in parentheses are what the vault needs besides the files of its builds. "refused" counts what was tried in vain
/// to store chunks in fewer bytes since the catalogue was made or repaired.
#[derive(Debug, Args)]
pub struct Stats {
    /// Only what these builds added to those before them; the whole vault when none is given.
    #[arg(value_name = "BUILD")]
    builds: Vec<String>,

    /// What the rows stand for.
    #[arg(long, value_enum, default_value = "technique")]
    by: By,

    /// Explain the size of one build, the newest unless another is given: what it has more than the one before it, what each build
    /// of the vault has alone, and what forgetting it would free.
    #[arg(long, conflicts_with_all = ["by", "depth"])]
    explain: bool,

    /// How many levels of folders have rows of their own, with --by folder; 1 when it is not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    depth: Option<u16>,
}

/// As `--by` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// Builds, in their order.
    Build,
    /// Folders with all below them; "." has the files beside them.
    Folder,
    /// Extensions of files, in lower case.
    Type,
    /// Ways in which chunks are stored.
    Technique,
}

/// Runs the command.
pub fn run(arguments: &Stats, context: &Context) -> Outcome {
    if arguments.depth.is_some() && arguments.by != By::Folder {
        return Err(Failure::usage("--depth counts levels of folders").with_hint("add --by folder"));
    }
    let vault = context.open_vault()?;
    if arguments.explain {
        return explain(arguments, &vault, context);
    }
    let builds = arguments.builds.iter().map(|build| Ok(vault.build(build)?.number)).collect::<Result<_>>()?;
    let by = match arguments.by {
        By::Build => Grouping::Build,
        By::Folder => Grouping::Folder,
        By::Type => Grouping::Type,
        By::Technique => Grouping::Technique,
    };
    let options = StatsOptions { builds, by, depth: arguments.depth.unwrap_or(1).into() };
    let sums = context.work("stats", Expected::Unknown, |progress| vault.stats(&options, progress))?;
    if sums.missing_chunks > 0 {
        let missing = text::count(sums.missing_chunks, "chunk");
        context
            .warn(format!("{missing} of these builds are in no pack: `gamevault verify` tells which files they touch"));
    }
    Ok(context.answer(&sums, || format!("{}\n{}", fields(&sums), table(&sums))))
}

fn explain(arguments: &Stats, vault: &Vault, context: &Context) -> Outcome {
    let name = match &arguments.builds[..] {
        [] => "latest",
        [build] => build,
        _ => {
            return Err(
                Failure::usage("--explain takes one build").with_hint("`gamevault diff A B --stat` compares two")
            );
        }
    };
    let build = vault.build(name)?;
    let found = context.work("stats", Expected::Unknown, |progress| vault.explain(&build, progress))?;
    Ok(context.answer(&found, || explained(&found)))
}

fn explained(found: &Explanation) -> String {
    let mut out = match &found.before {
        Some(before) => format!(
            "{} has {}, {} against {before}\n",
            found.build,
            text::size(found.bytes),
            text::growth(found.growth)
        ),
        None => format!("{} has {}; it is the first build\n", found.build, text::size(found.bytes)),
    };
    for (heading, sums) in [("CLASS", &found.classes), ("FOLDER", &found.folders)] {
        let mut table = Table::new([
            (heading, Align::Left),
            ("FILES", Align::Right),
            ("GROWTH", Align::Right),
            ("CHANGED", Align::Right),
            ("STORED", Align::Right),
        ]);
        for sum in sums {
            let (changed, stored) = (text::size(sum.changed_bytes), text::size(sum.stored_bytes));
            table.add([sum.name.clone(), text::grouped(sum.changes), text::growth(sum.growth), changed, stored]);
        }
        if !sums.is_empty() {
            out += &format!("\n{table}");
        }
    }
    let mut files = Table::new([("FILE", Align::Left), ("GROWTH", Align::Right), ("CHANGED", Align::Right)]);
    for file in &found.files {
        files.add([file.path.clone(), text::growth(file.growth), text::size(file.changed_bytes)]);
    }
    if !found.files.is_empty() {
        out += &format!("\n{files}");
    }
    let mut builds = Table::new([
        ("BUILD", Align::Left),
        ("SIZE", Align::Right),
        ("ALONE", Align::Right),
        ("STORED", Align::Right),
        ("NEEDED", Align::Right),
        ("FREED", Align::Right),
    ]);
    for one in &found.builds {
        builds.add([
            one.build.clone(),
            text::size(one.bytes),
            text::size(one.unique_bytes),
            text::size(one.unique_stored_bytes),
            text::size(one.needed_bytes),
            text::size(one.freed_bytes),
        ]);
    }
    out + &format!(
        "\n{builds}ALONE: in no other build. NEEDED: others are stored as differences to it. FREED: what forgetting would free.\n"
    )
}

fn fields(sums: &Sums) -> Fields {
    let mut fields = Fields::default();
    fields.add("builds", text::grouped(sums.builds));
    fields.add_some("milestones", sums.vault.as_ref().map(|vault| text::grouped(vault.milestones)));
    fields.add("files", format!("{} (in each build)", text::grouped(sums.files)));
    fields.add("logical", format!("{} (each build, as it was)", text::size(sums.logical_bytes)));
    fields.add("unique", format!("{} (each chunk once)", text::size(sums.unique_bytes)));
    let stored = match &sums.vault {
        Some(vault) => format!("on disk, {} of it the catalogue", text::size(vault.catalogue_bytes)),
        None => "in packs".to_owned(),
    };
    fields.add("stored", format!("{} ({stored})", text::size(sums.stored_bytes)));
    fields.add("ratio", format!("{:.2} (logical to stored)", sums.ratio));
    fields.add("chunks", text::grouped(sums.chunks));
    fields.add_some("packs", sums.vault.as_ref().map(|vault| text::grouped(vault.packs)));
    fields.add_some("refused", sums.vault.as_ref().and_then(refused));
    fields
}

/// Returns a line for each reason; `None` when nothing was refused.
fn refused(vault: &VaultStats) -> Option<String> {
    let line = |reason: &str, count, bytes| format!("{reason} {} ({})", text::grouped(count), text::size(bytes));
    let lines: Vec<String> = vault.refused.iter().map(|one| line(&one.reason, one.count, one.bytes)).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn table(sums: &Sums) -> Table {
    let heading = match sums.by {
        Grouping::Build => "BUILD",
        Grouping::Folder => "FOLDER",
        Grouping::Type => "TYPE",
        Grouping::Technique => "TECHNIQUE",
    };
    let mut table = Table::new([
        (heading, Align::Left),
        ("FILES", Align::Right),
        ("LOGICAL", Align::Right),
        ("UNIQUE", Align::Right),
        ("STORED", Align::Right),
        ("SHARE", Align::Right),
        ("RATIO", Align::Right),
        ("WHAT", Align::Left),
    ]);
    sums.rows.iter().for_each(|row| table.add(cells(row, sums.stored_bytes)));
    table
}

fn cells(row: &StatsRow, all_stored: u64) -> [String; 8] {
    let share = row.stored_bytes as f64 * 100.0 / all_stored.max(1) as f64;
    [
        row.name.clone(),
        row.files.map(text::grouped).unwrap_or_default(),
        row.logical_bytes.map(text::size).unwrap_or_default(),
        text::size(row.unique_bytes),
        text::size(row.stored_bytes),
        format!("{share:.1} %"),
        row.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
        row.about.unwrap_or_default().to_owned(),
    ]
}
