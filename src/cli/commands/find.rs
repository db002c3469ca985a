//! `gamevault find`: tells which files match a pattern, and which builds have them.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::ranges;
use crate::cli::selection::Selection;
use crate::cli::table::{Align, Table};
use crate::cli::text;
use clap::Args;
use gamevault::error::Error;
use gamevault::name::RefName;
use gamevault::vault::{FoundPath, PathGlob};

/// Find files and folders by their names, in all builds.
///
/// The pattern is as in .gitignore: `*.pak` is a name in any folder, `data/*.pak` a path, `**` stands for any folders, a
/// `/` at the end for folders alone. SIZE is that in the newest build with the path. With --quiet, the paths alone.
#[derive(Debug, Args)]
pub struct Find {
    /// The pattern; quote it, or the shell reads it first.
    #[arg(value_name = "GLOB")]
    glob: String,

    /// Only in this build.
    #[arg(long, value_name = "BUILD", conflicts_with_all = ["milestone", "platform", "tag", "since"])]
    build: Option<String>,

    /// Only in the build that this milestone marks.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["platform", "tag", "since"])]
    milestone: Option<RefName>,

    #[command(flatten)]
    selection: Selection,
}

/// Runs the command.
pub fn run(arguments: &Find, context: &Context) -> Outcome {
    let glob = PathGlob::new(&arguments.glob)?;
    let vault = context.open_vault()?;
    let builds = match (&arguments.build, &arguments.milestone) {
        (Some(build), _) => vec![vault.build(build)?],
        (None, Some(name)) => {
            let milestone = vault.milestone(name)?;
            let gone =
                || Error::not_found(format!("milestone {name} marks build {}, which is gone", milestone.build.0));
            vec![vault.build_by_number(milestone.build)?.ok_or_else(gone)?]
        }
        (None, None) => arguments.selection.of(vault.builds()?),
    };
    let found = vault.find_paths(&builds, &glob)?;
    Ok(context.answer(&found, || {
        if context.quiet() {
            return found.iter().map(|found| format!("{}\n", found.path)).collect();
        }
        if found.is_empty() {
            return format!("nothing matches {} in {}\n", arguments.glob, text::count(builds.len() as u64, "build"));
        }
        table(&found, builds.len() > 1).to_string()
    }))
}

fn table(found: &[FoundPath], shows_builds: bool) -> Table {
    let mut table = Table::new([
        ("BUILDS", Align::Left),
        ("VERSIONS", Align::Right),
        ("SIZE", Align::Right),
        ("PATH", Align::Left),
    ]);
    for found in found {
        let (builds, versions) = match shows_builds {
            true => (ranges::joined(&found.builds), text::grouped(found.versions)),
            false => Default::default(),
        };
        table.add([builds, versions, found.size.map(text::size).unwrap_or_default(), found.path.clone()]);
    }
    table
}
