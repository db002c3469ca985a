//! `gamevault engine`: tells what is known of an engine's project.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::table::{Align, Table};
use clap::{Args, Subcommand};
use gamevault::disk::host;
use gamevault::engines::{Class, Project};
use gamevault::error::{Error, Result};
use serde_json::json;
use std::fs::FileType;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of a project's file that are looked at for the version.
const MAX_VERSION_FILE_LEN: u64 = 1 << 20;

/// Look at a project of Unity, Unreal or Godot.
#[derive(Debug, Subcommand)]
pub enum Engine {
    Detect(Detect),
}

/// Tell which engine a folder is a project of, and what in it is source.
///
/// Shows each entry of the folder with its class: source is kept in builds; cache, which the engine makes again, is kept
/// by `snapshot --keep-caches`; never belongs to one user or one run. Needs no vault.
#[derive(Debug, Args)]
pub struct Detect {
    /// The root of the project.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Runs the command.
pub fn run(arguments: &Engine, context: &Context) -> Outcome {
    match arguments {
        Engine::Detect(arguments) => detect(arguments, context),
    }
}

fn detect(arguments: &Detect, context: &Context) -> Outcome {
    let dir = &arguments.dir;
    let names = names_in(dir)?;
    let has_file = |path: &str| dir.join(path).is_file();
    let Some(project) = Project::detect(names.iter().map(|(name, _)| name.as_slice()), has_file) else {
        let error = Error::not_found(format!("{} is no project of Unity, Unreal or Godot", dir.display()));
        return Err(error
            .with_hint("give the folder that has ProjectSettings, a .uproject file or project.godot")
            .into());
    };
    let version = version(&dir.join(project.version_file()), &project);
    let classes: Vec<(String, Class)> = names
        .iter()
        .map(|(name, kind)| {
            let slash = if kind.is_dir() { "/" } else { "" };
            // As a snapshot does: a link counts as the directory that it may lead to.
            let class = project.class(&[name], !kind.is_file());
            (format!("{}{slash}", String::from_utf8_lossy(name)), class)
        })
        .collect();
    let entries: Vec<_> = classes.iter().map(|(name, class)| json!({"name": name, "class": class.code()})).collect();
    let data = json!({
        "engine": project.engine.code(), "version": version, "may_be_packaged": project.may_be_packaged, "entries": entries,
    });
    Ok(context.answer(&data, || describe(&project, version.as_deref(), &classes)))
}

/// Returns the names in `dir` in their order, and what they are.
fn names_in(dir: &Path) -> Result<Vec<(Vec<u8>, FileType)>> {
    let fail = |error| Error::io("list", dir, error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        // A name that cannot be in a build is in no class.
        if let Ok(name) = host::file_name_of(&entry.file_name()) {
            names.push((name.as_bytes().to_vec(), entry.file_type().map_err(fail)?));
        }
    }
    names.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(names)
}

/// Reads the version; a file that says none, or cannot be read, is no failure.
fn version(path: &Path, project: &Project) -> Option<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(MAX_VERSION_FILE_LEN).read_to_end(&mut bytes).ok()?;
    project.engine.version(&String::from_utf8_lossy(&bytes))
}

fn describe(project: &Project, version: Option<&str>, classes: &[(String, Class)]) -> String {
    let version = version.map(|version| format!(" {version}")).unwrap_or_default();
    let kind = if project.may_be_packaged { ", perhaps a packaged game: all of it is source" } else { "" };
    let mut table = Table::new([("CLASS", Align::Left), ("ENTRY", Align::Left)]);
    for (name, class) in classes {
        table.add([class.code().to_owned(), name.clone()]);
    }
    format!("{}{version} project{kind}\n{table}", project.engine)
}
