//! `gamevault snapshot`: makes a build of a folder.

use super::Outcome;
use crate::cli::build_view::BuildView;
use crate::cli::context::Context;
use crate::cli::environment::{self, Surroundings};
use crate::cli::exit::Exit;
use crate::cli::locate;
use crate::cli::meter::Expected;
use crate::cli::output::{Answer, Failure};
use crate::cli::text;
use clap::Args;
use gamevault::Vault;
use gamevault::catalogue::{Build, BuildInfo};
use gamevault::engines::{Class, Engine};
use gamevault::error::{Error, ErrorKind, Result};
use gamevault::name::RefName;
use gamevault::vault::{SnapshotOptions, SnapshotReport};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Entries left out of engine projects that are named; the rest is counted.
const NAMED_LEFT_OUT: usize = 8;

/// Make a build of a folder.
///
/// Unchanged files are not read again. An interrupted snapshot goes on where it stopped. What the environment says of
/// version control and continuous integration is recorded with the build; options win over it.
///
/// In the projects of Unity, Unreal and Godot the caches that the engine makes again are left out, unless vault.toml
/// says caches = "keep" under [engines]; so are files of one user or one run, such as Temp and .git. A line with ! in
/// .gamevaultignore (!Library/) takes something in.
#[derive(Debug, Args)]
pub struct Snapshot {
    /// The folder.
    #[arg(value_name = "DIR")]
    dir: PathBuf,

    /// Id of the build. Default: $GAMEVAULT_BUILD_ID, else the build's number.
    #[arg(long)]
    id: Option<RefName>,

    /// A name for people, such as a version.
    #[arg(long)]
    label: Option<String>,

    /// The target platform.
    #[arg(long)]
    platform: Option<String>,

    /// The build that this one was made from.
    #[arg(long, value_name = "BUILD")]
    base: Option<String>,

    /// A sentence on what the build is.
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,

    /// A word to find it by; may be given again.
    #[arg(long = "tag", value_name = "WORD")]
    tags: Vec<String>,

    /// Something else to remember; may be given again.
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_meta)]
    meta: Vec<(String, String)>,

    /// Leave out what matches (gitignore syntax); may be given again.
    #[arg(long, value_name = "PATTERN")]
    ignore: Vec<String>,

    /// Keep the caches of Unity, Unreal and Godot projects (Library, Intermediate, .godot, …).
    #[arg(long)]
    keep_caches: bool,

    /// Make no build when nothing differs from the latest one.
    #[arg(long)]
    skip_if_unchanged: bool,

    /// Likewise, and end with exit code 10.
    #[arg(long)]
    fail_if_unchanged: bool,

    /// Read every file, though its size and times are those of the last snapshot.
    #[arg(long)]
    read_all: bool,
}

/// Takes `KEY=VALUE` apart.
pub(super) fn parse_meta(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("it must be KEY=VALUE".to_owned()),
    }
}

/// Runs the command.
pub fn run(arguments: Snapshot, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let source = locate::absolute(arguments.dir.clone());
    let fail_if_unchanged = arguments.fail_if_unchanged;
    let builds = vault.builds()?;
    let options = options(arguments, &source, &builds, &vault, context)?;
    let expected = expected(&builds, &options.info);
    let report = context.work("snapshot", expected, |progress| vault.snapshot(&source, &options, progress))?;
    context.warn_all(&report.warnings);
    tell_github(&report, context);
    let answer = answer(&report, &vault, context)?;
    Ok(match report.changed_while_read.len() {
        0 if !report.created && fail_if_unchanged => answer.with_exit(Exit::Unchanged),
        0 => answer,
        count => answer.with_failure(incomplete(&report, count)),
    })
}

fn options(
    arguments: Snapshot,
    source: &Path,
    builds: &[Build],
    vault: &Vault,
    context: &Context,
) -> Result<SnapshotOptions> {
    let found = environment::describe(source, context.variables(), builds);
    context.warn_all(&found.warnings);
    let base = arguments.base.as_deref().map(|base| vault.build(base)).transpose()?;
    let id = match (arguments.id, &found.id) {
        (None, Some(id)) => Some(RefName::new(id.as_str()).map_err(|error| error.context("GAMEVAULT_BUILD_ID"))?),
        (given, _) => given,
    };
    let Surroundings { mut meta, vcs, ci, .. } = found;
    meta.extend(arguments.meta);
    let info = BuildInfo {
        label: arguments.label,
        platform: arguments.platform,
        message: arguments.message,
        tags: arguments.tags,
        meta,
        base: base.map(|base| base.number),
        vcs,
        ci,
        host: environment::host_name(context.variables()),
        source: Some(source.display().to_string()),
        tool: Some(format!("gamevault {}", env!("CARGO_PKG_VERSION"))),
        // Known when the folder was read.
        left_out: Vec::new(),
    };
    let skip_if_unchanged = arguments.skip_if_unchanged || arguments.fail_if_unchanged;
    let Snapshot { ignore, keep_caches, read_all, .. } = arguments;
    Ok(SnapshotOptions { id, info, ignore, keep_caches, skip_if_unchanged, read_all })
}

/// Takes the size of the last build of the same source for that of this one.
fn expected(builds: &[Build], info: &BuildInfo) -> Expected {
    match builds.iter().rev().find(|build| build.info.source == info.source) {
        Some(Build { root, .. }) => Expected::About { files: root.totals.files, bytes: root.totals.bytes },
        None => Expected::Unknown,
    }
}

fn answer(report: &SnapshotReport, vault: &Vault, context: &Context) -> Result<Answer> {
    let view = BuildView::new(&report.build, &vault.milestones()?);
    let data = json!({
        "build": view, "created": report.created, "files": report.files, "files_unchanged": report.files_unchanged,
        "bytes_read": report.bytes_read, "bytes_stored": report.bytes_stored,
        "changed_while_read": report.changed_while_read, "left_out": report.left_out,
        "left_out_count": report.left_out_count,
    });
    Ok(context.answer(&data, || match context.quiet() {
        true => format!("{}\n", view.id),
        false => describe(report),
    }))
}

fn describe(report: &SnapshotReport) -> String {
    let id = &report.build.id;
    if !report.created {
        return format!("nothing changed since build {id}; no build was made\n");
    }
    let totals = &report.build.root.totals;
    let content = format!("{}, {}", text::count(totals.files, "file"), text::size(totals.bytes));
    let (read, stored) = (text::size(report.bytes_read), text::size(report.bytes_stored));
    let unchanged = text::grouped(report.files_unchanged);
    let left_out = left_out(report);
    format!("build {id}: {content} ({unchanged} unchanged, {read} read, {stored} stored)\n{left_out}")
}

/// Says what is not in the build because of what it is in an engine's project; nothing if there is nothing to say.
fn left_out(report: &SnapshotReport) -> String {
    let is_found = |engine: &&Engine| report.left_out.iter().any(|left_out| left_out.engine == engine.code());
    let engines: Vec<String> = Engine::ALL.iter().filter(is_found).map(Engine::to_string).collect();
    if engines.is_empty() {
        return String::new();
    }
    let named: Vec<&str> = report.left_out.iter().take(NAMED_LEFT_OUT).map(|left_out| left_out.path.as_str()).collect();
    let more = match report.left_out_count.saturating_sub(named.len() as u64) {
        0 => String::new(),
        more => format!(" and {} more", text::grouped(more)),
    };
    let has_cache = report.left_out.iter().any(|left_out| left_out.class == Class::Cache.code());
    let hint = if has_cache { "; --keep-caches keeps caches" } else { "" };
    let count = text::count(report.left_out_count, "item");
    format!("left out of {}: {count} ({}{more}){hint}\n", engines.join(" and "), named.join(", "))
}

fn incomplete(report: &SnapshotReport, count: usize) -> Failure {
    let files = text::count(count as u64, "file");
    let names = report.changed_while_read.join(", ");
    let message = format!("build {} is incomplete: {files} changed while being read: {names}", report.build.id);
    Failure::new(Exit::Incomplete, ErrorKind::Incomplete.code(), message)
        .with_hint("take the snapshot again when nothing writes to the folder")
}

/// Gives the id to the later steps of a GitHub Actions job.
fn tell_github(report: &SnapshotReport, context: &Context) {
    let Some(path) = context.variable("GITHUB_OUTPUT").filter(|_| context.variable("GITHUB_ACTIONS").is_some()) else {
        return;
    };
    let append = || {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path)?;
        writeln!(file, "build_id={}", report.build.id)
    };
    if let Err(error) = append() {
        context.warn(Error::io("write build_id to $GITHUB_OUTPUT at", path, error).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meta_is_cut_at_the_first_equals_sign() {
        assert_eq!(parse_meta("args=-a=1"), Ok(("args".into(), "-a=1".into())));
        assert_eq!(parse_meta("empty="), Ok(("empty".into(), String::new())));
        assert!(parse_meta("=x").is_err() && parse_meta("x").is_err());
    }
}
