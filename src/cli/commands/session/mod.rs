//! `gamevault session`: adds, collects, records, lists, shows and exports playtests.

mod collect;

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::locate;
use crate::cli::meter::Expected;
use crate::cli::playtest_view::{PlaytestView, length};
use crate::cli::table::{Align, Table};
use crate::cli::text;
use clap::{Args, Subcommand};
use gamevault::Vault;
use gamevault::catalogue::{Build, Playtest};
use gamevault::error::Result;
use gamevault::id::ChunkId;
use gamevault::manifest::EntryKind;
use gamevault::vault::RestoreOptions;
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;

/// Keep and look at playtests: what programs wrote that `gamevault play` ran, or that recorded themselves.
#[derive(Debug, Subcommand)]
pub enum Session {
    Add(Add),
    Collect(collect::Collect),
    Record(collect::Record),
    List(List),
    Show(Show),
    Export(Export),
}

/// Keep a folder in which a play was recorded.
///
/// `session.json` in it tells the build, by stamp, id or version, and who played when; `events.jsonl` what happened, `saves/` what
/// was saved. All of it is found by `gamevault feedback search`, and shown in /feedback/BUILD/sessions of a mount.
#[derive(Debug, Args)]
pub struct Add {
    /// The folder.
    #[arg(value_name = "DIR")]
    dir: PathBuf,

    /// The build that was played: an id, a number, a label, a milestone, `latest` or `latest~2`.
    #[arg(long, value_name = "BUILD")]
    build: Option<String>,
}

/// List the playtests of a build, or of all, the oldest first.
#[derive(Debug, Args)]
pub struct List {
    /// The build: an id, a number, a label, a milestone, `latest` or `latest~2`.
    #[arg(value_name = "BUILD")]
    build: Option<String>,
}

/// Show a playtest and the files that it has.
#[derive(Debug, Args)]
pub struct Show {
    /// The playtest's id, or the start of it.
    #[arg(value_name = "ID")]
    id: String,
}

/// Write the files of a playtest to a folder.
#[derive(Debug, Args)]
pub struct Export {
    /// The playtest's id, or the start of it.
    #[arg(value_name = "ID")]
    id: String,

    /// The folder, which must be missing or empty.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// A file of a playtest.
#[derive(Serialize)]
struct FileView {
    path: String,
    size: u64,
}

/// Runs the command.
pub fn run(arguments: &Session, context: &Context) -> Outcome {
    match arguments {
        Session::Add(arguments) => add(arguments, context),
        Session::Collect(arguments) => collect::collect(arguments, context),
        Session::Record(arguments) => collect::record(arguments, context),
        Session::List(arguments) => list(arguments, context),
        Session::Show(arguments) => show(arguments, context),
        Session::Export(arguments) => export(arguments, context),
    }
}

fn add(arguments: &Add, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let build = arguments.build.as_deref().map(|build| vault.build(build)).transpose()?;
    let playtest = context
        .work("session", Expected::Unknown, |progress| vault.add_session(&arguments.dir, build.as_ref(), progress))?;
    let view = PlaytestView::new(&playtest, build_of(&playtest, &vault.builds()?));
    Ok(context.answer(&view, || match context.quiet() {
        true => format!("{}\n", view.id),
        false => format!("playtest {} of build {}: {}\n", view.id, view.build_name(), text::count(view.files, "file")),
    }))
}

fn list(arguments: &List, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let builds = vault.builds()?;
    let only = arguments.build.as_deref().map(|build| vault.build(build)).transpose()?;
    let mut playtests = vault.playtests()?;
    playtests.retain(|playtest| only.as_ref().is_none_or(|build| build.number == playtest.build));
    let views: Vec<PlaytestView> = playtests.iter().map(|one| PlaytestView::new(one, build_of(one, &builds))).collect();
    Ok(context.answer(&views, || {
        if context.quiet() {
            return views.iter().map(|view| format!("{}\n", view.id)).collect();
        }
        let mut table = Table::new([
            ("ID", Align::Left),
            ("BUILD", Align::Left),
            ("STARTED", Align::Left),
            ("LENGTH", Align::Right),
            ("END", Align::Left),
            ("FILES", Align::Right),
            ("BYTES", Align::Right),
        ]);
        for (view, playtest) in views.iter().zip(&playtests) {
            table.add([
                view.id.clone(),
                view.build_name(),
                text::local_time(playtest.started),
                text::duration(length(playtest)),
                view.exit.to_owned(),
                text::grouped(view.files),
                text::size(view.bytes),
            ]);
        }
        match views.is_empty() {
            true => "no playtests: make one with `gamevault play BUILD -- CMD`\n".to_owned(),
            false => table.to_string(),
        }
    }))
}

fn show(arguments: &Show, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let playtest = vault.playtest(&arguments.id)?;
    let view = PlaytestView::new(&playtest, build_of(&playtest, &vault.builds()?));
    let files = files_of(&vault, &playtest)?;
    Ok(context.answer(&json!({ "playtest": view, "files": files }), || {
        let mut table = Table::new([("SIZE", Align::Right), ("PATH", Align::Left)]);
        files.iter().for_each(|file| table.add([text::size(file.size), file.path.clone()]));
        format!("{}\n{table}", view.fields(&playtest))
    }))
}

fn export(arguments: &Export, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let playtest = vault.playtest(&arguments.id)?;
    let dest = locate::absolute(arguments.dir.clone());
    let totals = playtest.root.totals;
    let expected = Expected::About { files: totals.files, bytes: totals.bytes };
    let options = RestoreOptions::default();
    let report =
        context.work("export", expected, |progress| vault.export_playtest(&playtest, &dest, &options, progress))?;
    context.warn_all(&report.warnings);
    let data = json!({ "playtest": playtest.id, "dest": dest.to_string_lossy(), "files": report.files, "bytes": report.bytes });
    Ok(context.done(&data, || {
        let (files, size) = (text::count(report.files, "file"), text::size(report.bytes));
        format!("exported {} to {}: {files}, {size}\n", playtest.id, dest.display())
    }))
}

fn build_of<'a>(playtest: &Playtest, builds: &'a [Build]) -> Option<&'a Build> {
    builds.iter().find(|build| build.number == playtest.build)
}

fn files_of(vault: &Vault, playtest: &Playtest) -> Result<Vec<FileView>> {
    let mut files = Vec::new();
    let mut open: Vec<(String, ChunkId)> = vec![(String::new(), playtest.root.id)];
    while let Some((prefix, directory)) = open.pop() {
        vault.reader().for_each_entry(directory, &mut |entry| {
            let path = format!("{prefix}{}", entry.name);
            match &entry.kind {
                EntryKind::Directory(below) => open.push((format!("{path}/"), below.id)),
                EntryKind::File(content) => files.push(FileView { path, size: content.size }),
                EntryKind::Symlink(target) => files.push(FileView { path, size: target.len() as u64 }),
            }
            Ok(())
        })?;
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}
