//! `gamevault workspace`: makes, lists, compares, keeps and removes writable views of builds.

use super::Outcome;
use super::snapshot::parse_meta;
use crate::cli::build_view::BuildView;
use crate::cli::changes_view;
use crate::cli::context::Context;
use crate::cli::table::{Align, Table};
use crate::cli::text;
use crate::cli::workspaces::{self, Workspaces};
use clap::{Args, Subcommand};
use gamevault::catalogue::BuildInfo;
use gamevault::compare::ChangeKind;
use gamevault::error::{Error, ErrorKind, Result};
use gamevault::ingest::session::{Changes, Status};
use gamevault::name::RefName;
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;
use std::time::SystemTime;

/// Work in writable views of builds.
///
/// A workspace has all files of a build or milestone at once, whatever its size, and takes changes of its own; the build
/// stays as it is. It stands in `workspaces` of a mount, and stays until it is removed.
#[derive(Debug, Subcommand)]
pub enum Workspace {
    Create(Create),
    List(List),
    Diff(Diff),
    Keep(Keep),
    Remove(Remove),
}

/// Make a workspace from a build.
#[derive(Debug, Args)]
pub struct Create {
    /// The workspace's name.
    #[arg(value_name = "NAME")]
    name: RefName,

    /// The build: an id, a number, a label, a milestone, `latest` or `latest~2`.
    #[arg(value_name = "BUILD")]
    build: String,
}

/// List all workspaces.
#[derive(Debug, Args)]
pub struct List {}

/// List the files that differ from the build that the workspace was made from, or that was kept of it last.
#[derive(Debug, Args)]
pub struct Diff {
    /// The workspace.
    #[arg(value_name = "NAME")]
    name: RefName,

    /// End with exit code 9 when something differs.
    #[arg(long)]
    exit_code: bool,
}

/// Make a build of a workspace as it is; the workspace goes on.
#[derive(Debug, Args)]
pub struct Keep {
    /// The workspace.
    #[arg(value_name = "NAME")]
    name: RefName,

    /// Id of the build. Default: the build's number.
    #[arg(long)]
    id: Option<RefName>,

    /// A name for people, such as a version.
    #[arg(long)]
    label: Option<String>,

    /// A sentence on what the build is.
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,

    /// A word to find it by; may be given again.
    #[arg(long = "tag", value_name = "WORD")]
    tags: Vec<String>,

    /// Something else to remember; may be given again.
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_meta)]
    meta: Vec<(String, String)>,
}

/// Remove a workspace; the builds that were kept of it stay.
#[derive(Debug, Args)]
pub struct Remove {
    /// The workspace.
    #[arg(value_name = "NAME")]
    name: RefName,

    /// Remove it though it has changes that were not kept.
    #[arg(long)]
    force: bool,
}

/// A workspace as scripts see it.
#[derive(Debug, Serialize)]
struct View {
    name: String,
    base: Option<String>,
    /// The last build that was kept of it.
    kept: Option<String>,
    /// In UTC, as RFC 3339 writes it.
    created: String,
    /// Paths that differ from the base.
    changes: u64,
    /// Size of the files that were added or modified.
    changed_bytes: u64,
    /// Its folder, when a mount is running.
    path: Option<PathBuf>,
}

impl View {
    fn new(status: &Status, changes: &Changes, path: Option<PathBuf>) -> View {
        let is_new = |kind| matches!(kind, ChangeKind::Added | ChangeKind::Modified | ChangeKind::TypeChanged);
        let new = changes.changes.iter().filter(|change| is_new(change.kind));
        View {
            name: status.name.clone(),
            base: status.base.clone(),
            kept: status.kept.clone(),
            created: text::utc_time(status.created),
            changes: changes.changes.len() as u64,
            changed_bytes: new.filter_map(|change| change.new_size).sum(),
            path,
        }
    }
}

/// Runs the command.
pub fn run(arguments: Workspace, context: &Context) -> Outcome {
    match arguments {
        Workspace::Create(arguments) => create(&arguments, context),
        Workspace::List(arguments) => list(&arguments, context),
        Workspace::Diff(arguments) => differences(&arguments, context),
        Workspace::Keep(arguments) => keep(arguments, context),
        Workspace::Remove(arguments) => remove(&arguments, context),
    }
}

fn create(arguments: &Create, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let build = vault.build(&arguments.build)?;
    let workspace = Workspaces::of(&vault)?.create(&arguments.name, &build)?;
    let path = workspace.path().map(ToOwned::to_owned);
    let data = json!({ "name": arguments.name, "base": build.id, "path": path });
    Ok(context.done(&data, || {
        let place = match &path {
            Some(path) => path.display().to_string(),
            None => format!("mount the vault to work in it, in workspaces/{}", arguments.name),
        };
        format!("workspace {} starts from build {}: {place}\n", arguments.name, build.id)
    }))
}

fn list(_arguments: &List, context: &Context) -> Outcome {
    let all = Workspaces::of(&context.open_vault()?)?.list()?;
    let view = |one: &workspaces::Workspace| {
        let status = one.status()?;
        let view = View::new(&status, &one.changes()?, one.path().map(ToOwned::to_owned));
        Ok((status, view))
    };
    let views = all.iter().map(view).collect::<Result<Vec<(Status, View)>>>()?;
    let data: Vec<&View> = views.iter().map(|(_, view)| view).collect();
    Ok(context.answer(&data, || {
        if context.quiet() {
            return data.iter().map(|view| format!("{}\n", view.name)).collect();
        }
        let mut table = Table::new([
            ("NAME", Align::Left),
            ("BASE", Align::Left),
            ("MADE", Align::Left),
            ("CHANGES", Align::Right),
            ("BYTES", Align::Right),
            ("PATH", Align::Left),
        ]);
        for (status, view) in &views {
            table.add([
                view.name.clone(),
                view.base.clone().unwrap_or_default(),
                text::ago(status.created, SystemTime::now()),
                text::grouped(view.changes),
                text::size(view.changed_bytes),
                view.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
            ]);
        }
        match views.is_empty() {
            true => "no workspaces: make one with `gamevault workspace create NAME BUILD`\n".to_owned(),
            false => table.to_string(),
        }
    }))
}

fn differences(arguments: &Diff, context: &Context) -> Outcome {
    let changes = Workspaces::of(&context.open_vault()?)?.get(&arguments.name)?.changes()?;
    let base = changes.base.as_deref().unwrap_or("nothing");
    Ok(changes_view::answer(base, &changes.name, &changes.changes, arguments.exit_code, context))
}

fn keep(arguments: Keep, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let Keep { name, id, label, message, tags, meta } = arguments;
    if let Some(id) = &id
        && vault.builds()?.iter().any(|build| build.id.folded() == id.folded())
    {
        let error = Error::new(ErrorKind::Exists, format!("a build with the id {id} exists already"));
        return Err(error.with_hint("choose another id, or leave it out to get the next number").into());
    }
    let describe = |info: &mut BuildInfo| {
        info.label = label.or(info.label.take());
        info.message = message.or(info.message.take());
        // What a keep that failed left of them is there already.
        info.tags.extend(tags.into_iter().filter(|tag| !info.tags.contains(tag)).collect::<Vec<_>>());
        info.meta.extend(meta);
    };
    let kept = Workspaces::of(&vault)?.get(&name)?.keep(id.as_ref(), describe)?;
    let view = BuildView::new(&vault.build(&kept)?, &vault.milestones()?);
    Ok(context.answer(&view, || match context.quiet() {
        true => format!("{}\n", view.id),
        false => {
            let (files, size) = (text::count(view.files, "file"), text::size(view.bytes));
            format!("kept {name} as build {}: {files}, {size} ({} new)\n", view.id, text::size(view.stored_bytes))
        }
    }))
}

fn remove(arguments: &Remove, context: &Context) -> Outcome {
    let name = &arguments.name;
    let all = Workspaces::of(&context.open_vault()?)?;
    let workspace = all.get(name)?;
    if !arguments.force {
        let count = workspace.changes()?.changes.len() as u64;
        if count > 0 {
            let message = format!("workspace {name} has {} that were not kept", text::count(count, "change"));
            let hint = format!("see `gamevault workspace diff {name}`; keep them, or remove it with --force");
            return Err(Error::new(ErrorKind::NotEmpty, message).with_hint(hint).into());
        }
    }
    all.remove(&workspace)?;
    Ok(context.done(&json!({ "removed": name }), || format!("removed the workspace {name}\n")))
}
