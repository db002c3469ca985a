//! `gamevault resume`: finishes what killed processes left.

use super::Outcome;
use super::play::keep;
use crate::cli::context::Context;
use crate::cli::playtest_files::last_write;
use crate::cli::playtest_view::PlaytestView;
use crate::cli::room::Room;
use crate::cli::workspaces::Workspaces;
use clap::Args;
use gamevault::catalogue::PlayEnding;
use gamevault::error::{Error, Result};
use gamevault::vault::Play;
use gamevault::{ErrorKind, Vault};
use std::sync::Arc;

/// Keep what was written by programs whose `gamevault play` was killed.
///
/// Sessions and workspaces need no such thing: they are in the next mount, as they were.
#[derive(Debug, Args)]
pub struct Resume {}

/// Runs the command.
pub fn run(_arguments: &Resume, context: &Context) -> Outcome {
    let vault = Arc::new(context.open_vault()?);
    let plays = vault.interrupted_plays()?;
    let views = match plays.is_empty() {
        true => Vec::new(),
        false => {
            plays.iter().filter_map(|play| play.start().own_mount.as_deref()).for_each(Room::clear_left_over);
            let room = Room::of(&vault)?;
            let kept = plays.iter().map(|play| finish(&vault, play, &room)).collect::<Result<Vec<_>>>();
            room.leave(&vault)?;
            kept?
        }
    };
    Ok(context.done(&views, || match views.is_empty() {
        true => "nothing to resume: no play was cut off\n".to_owned(),
        false => {
            let line = |view: &PlaytestView| format!("kept playtest {} of build {}\n", view.id, view.build_name());
            views.iter().map(line).collect()
        }
    }))
}

fn finish(vault: &Vault, play: &Play, room: &Room) -> Result<PlaytestView> {
    let start = play.start();
    let build = vault.build_by_number(start.build)?;
    let build =
        build.ok_or_else(|| Error::not_found(format!("build {} of play {} is gone", start.build, play.id())))?;
    let workspaces = Workspaces::in_mount(room.root());
    let workspace = workspaces.find(&start.workspace);
    let ended = last_write(play.session_dir(), start.started);
    let playtest = match keep(vault, &build, play, workspace.as_ref(), ended, PlayEnding::Unseen) {
        // It was killed between the last two steps: the playtest is there, the folder is still to go.
        Err(error) if error.kind() == ErrorKind::Exists => {
            let kept = vault.playtest(play.id().as_str())?;
            vault.remove_play(play)?;
            kept
        }
        kept => kept?,
    };
    if let Some(workspace) = workspace.filter(|_| !start.workspace_stays) {
        workspaces.remove(&workspace)?;
    }
    Ok(PlaytestView::new(&playtest, Some(&build)))
}
