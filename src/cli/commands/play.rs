//! `gamevault play`: runs a program on a workspace of a build, and keeps what it wrote.

use super::Outcome;
use crate::cli::child::{self, Program};
use crate::cli::context::Context;
use crate::cli::earlier_play::EarlierPlay;
use crate::cli::environment;
use crate::cli::output::{Answer, Failure};
use crate::cli::playtest_files::{self, CACHES};
use crate::cli::playtest_view::PlaytestView;
use crate::cli::room::Room;
use crate::cli::text;
use crate::cli::workspaces::{Workspace, Workspaces};
use clap::Args;
use gamevault::Vault;
use gamevault::catalogue::{Build, PlayEnding, Playtest};
use gamevault::error::{Error, ErrorKind, Result};
use gamevault::manifest::Timestamp;
use gamevault::name::RefName;
use gamevault::progress::Progress;
use gamevault::vault::{Play as Played, PlayStart};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// The folders of a user's profile below a home, by the variables that name them.
const HOME: [(&str, &str); 4] =
    [("HOME", ""), ("XDG_CONFIG_HOME", ".config"), ("XDG_DATA_HOME", ".local/share"), ("XDG_CACHE_HOME", ".cache")];

/// Run a program on a writable view of a build, and keep what it wrote as a playtest.
///
/// The program starts in the build's folder and may write there; the build stays as it is. It finds the build's id in
/// GAMEVAULT_BUILD_ID, and in GAMEVAULT_SESSION_DIR a folder for what it wants to tell: session.json, events.jsonl,
/// saves/, screens/, log.txt, crash/. All of that is kept, and shown in feedback/<build>/sessions/ of a mount.
///
/// With --json, what the program prints goes to standard error.
///
/// Ends with the program's exit code, or 128 and the number of the signal that ended it. What keeps the program from
/// starting is told by the exit codes of every command.
#[derive(Debug, Args)]
pub struct Play {
    /// The build: an id, a number, a label, a milestone, `latest` or `latest~2`.
    #[arg(value_name = "BUILD", required_unless_present = "from")]
    build: Option<String>,

    /// Start where this playtest ended: on its build, with the files that it had changed there and its home; the program finds all
    /// of the playtest's files in the folder GAMEVAULT_FROM_SESSION. Without CMD, its program is run again.
    #[arg(long, value_name = "SESSION")]
    from: Option<String>,

    /// Play in this workspace, which is made from the build when it is not there, and stays.
    #[arg(long, value_name = "NAME")]
    workspace: Option<RefName>,

    /// Give the program a home of its own, so that what it saves in the user's profile is kept, too.
    #[arg(long)]
    home: bool,

    /// The program and its arguments; a relative path, as ./Game.x86_64, is that of a file of the build.
    #[arg(value_name = "CMD", last = true, required_unless_present = "from")]
    command: Vec<OsString>,
}

/// Runs the command.
pub fn run(arguments: &Play, context: &Context) -> Outcome {
    let vault = Arc::new(context.open_vault()?);
    let plan = Plan::of(arguments, &vault)?;
    let waiting = vault.interrupted_plays()?.len() as u64;
    if waiting > 0 {
        let plays = text::count(waiting, "play");
        context.warn(format!("{plays} cut off before the end: `gamevault resume` keeps what was written"));
    }
    let room = Room::of(&vault)?;
    let outcome = in_room(arguments, &plan, &vault, &room, context);
    if let Err(error) = room.leave(&vault) {
        context.warn(format!("the mount that was made for the play is left: {error}"));
    }
    outcome
}

/// What is played.
struct Plan {
    build: Build,
    command: Vec<OsString>,
    earlier: Option<EarlierPlay>,
}

impl Plan {
    fn of(arguments: &Play, vault: &Vault) -> Result<Plan> {
        let build = arguments.build.as_deref().map(|build| vault.build(build)).transpose()?;
        let Some(from) = &arguments.from else {
            let build = build.expect("the arguments have a build or a playtest");
            return Ok(Plan { build, command: arguments.command.clone(), earlier: None });
        };
        let playtest = vault.playtest(from)?;
        let build = build.map_or_else(|| vault.build(&playtest.build.to_string()), Ok)?;
        let mut command = arguments.command.clone();
        if command.is_empty() {
            command.extend(playtest.command.iter().map(OsString::from));
        }
        if command.is_empty() {
            return Err(Error::invalid(format!("nothing tells which program was run in playtest {}", playtest.id))
                .with_hint(format!("name it: gamevault play --from {} -- ./Game", playtest.id)));
        }
        Ok(Plan { build, command, earlier: Some(EarlierPlay::export(vault, &playtest)?) })
    }
}

fn in_room(arguments: &Play, plan: &Plan, vault: &Vault, room: &Room, context: &Context) -> Outcome {
    let build = &plan.build;
    let id = vault.new_play_id()?;
    let workspaces = Workspaces::in_mount(room.root());
    let workspace = enter(arguments, &workspaces, plan, &id)?;
    let setting = Setting { arguments, plan, vault, workspace: &workspace, json: context.json() };
    let host = environment::host_name(context.variables());
    let (play, program) = setting.begin(id, room.own_mount(), host).inspect_err(|_| {
        // Nothing was written, so nothing is lost.
        if arguments.workspace.is_none() {
            let _ = workspaces.remove(&workspace);
        }
    })?;
    let ending = program.wait().map_err(|error| Error::io("wait for", &play.start().command[0], error))?;
    let playtest = keep(vault, build, &play, Some(&workspace), Timestamp::now(), ending).map_err(|error| {
        let hint = "all that was written is still there: `gamevault resume` tries again";
        Failure::from(error).with_hint(hint)
    })?;
    if arguments.workspace.is_none() {
        workspaces.remove(&workspace)?;
    }
    let view = PlaytestView::new(&playtest, Some(build));
    let answer = match (context.json(), context.quiet()) {
        (true, _) => Answer::json(&view),
        (_, true) => Answer::nothing(),
        _ => {
            let content = format!("{}, {}", text::count(view.files, "file"), text::size(view.bytes));
            Answer::aside(format!("kept playtest {} of build {}: {content}\n", view.id, build.id))
        }
    };
    Ok(answer.with_code(code_of(ending)))
}

/// What is played, and where.
struct Setting<'a> {
    arguments: &'a Play,
    plan: &'a Plan,
    vault: &'a Vault,
    workspace: &'a Workspace,
    /// Whether standard output is for the answer alone.
    json: bool,
}

impl Setting<'_> {
    /// Writes down that the play begins, and starts the program.
    fn begin(&self, id: RefName, own_mount: Option<&Path>, host: Option<String>) -> Result<(Played, Program)> {
        let Setting { arguments, plan, vault, workspace, .. } = self;
        if let Some(earlier) = &plan.earlier {
            earlier.restore_files(workspace.path().expect("it was made in a mount"))?;
        }
        let start = PlayStart {
            build: plan.build.number,
            command: plan.command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
            workspace: arguments.workspace.clone().map_or_else(|| temporary(&id), Ok)?,
            workspace_stays: arguments.workspace.is_some(),
            changed_before: playtest_files::changed_before(workspace)?,
            own_mount: own_mount.map(Path::to_owned),
            host,
            started: Timestamp::now(),
        };
        let play = vault.start_play(id, start)?;
        match self.start(&play) {
            Ok(program) => Ok((play, program)),
            Err(error) => {
                vault.remove_play(&play)?;
                Err(error)
            }
        }
    }

    fn start(&self, play: &Played) -> Result<Program> {
        let Setting { arguments, plan, workspace, .. } = self;
        let folder = workspace.path().expect("it was made in a mount");
        let program = PathBuf::from(&plan.command[0]);
        let is_path = program.components().count() > 1 || program.is_absolute();
        let mut command = Command::new(if is_path { folder.join(&program) } else { program.clone() });
        command.args(&plan.command[1..]).current_dir(folder);
        command.env("GAMEVAULT_BUILD_ID", plan.build.id.as_str()).env("GAMEVAULT_SESSION_DIR", play.session_dir());
        if self.json {
            command.stdout(std::io::stderr());
        }
        if let Some(earlier) = &plan.earlier {
            command.env("GAMEVAULT_FROM_SESSION", earlier.path());
        }
        let earlier_home = plan.earlier.as_ref().filter(|earlier| earlier.has_home());
        if arguments.home || earlier_home.is_some() {
            let home = play.session_dir().join(playtest_files::HOME);
            std::fs::create_dir(&home).map_err(|error| Error::io("make the folder", &home, error))?;
            if let Some(earlier) = earlier_home {
                earlier.restore_home(&home)?;
            }
            command
                .envs(HOME.map(|(name, below)| (name, if below.is_empty() { home.clone() } else { home.join(below) })));
        }
        Program::start(&mut command).map_err(|error| {
            let hint = match error.kind() {
                std::io::ErrorKind::NotFound if !is_path && folder.join(&program).is_file() => {
                    format!("a file of the build is named by its path: ./{}", program.display())
                }
                std::io::ErrorKind::NotFound => {
                    "name a program of the build by its path in it, as ./Game.x86_64, or one that is installed"
                        .to_owned()
                }
                _ => "the file must be a program for this system, with the right to be executed".to_owned(),
            };
            Error::io("start", &program, error).with_hint(hint)
        })
    }
}

/// Returns the exit code that tells how the program ended, as shells do.
fn code_of(ending: PlayEnding) -> u8 {
    let code = match ending {
        PlayEnding::Exited(code) => code,
        PlayEnding::Signal(signal) => 128 + signal,
        PlayEnding::Crashed | PlayEnding::Unseen => 1,
    };
    // Of a larger one all systems but Windows keep the lowest byte alone.
    (code & 0xff) as u8
}

fn temporary(id: &RefName) -> Result<RefName> {
    RefName::new(format!("play-{id}"))
}

/// Finds or makes the workspace to play in.
fn enter(arguments: &Play, workspaces: &Workspaces, plan: &Plan, id: &RefName) -> Result<Workspace> {
    let build = &plan.build;
    let Some(name) = &arguments.workspace else { return workspaces.create(&temporary(id)?, build) };
    let Some(found) = workspaces.find(name) else { return workspaces.create(name, build) };
    if let Some(earlier) = &plan.earlier {
        let error = Error::new(ErrorKind::Exists, format!("workspace {name} has files of its own"));
        return Err(error.with_hint(format!("playtest {} starts in a new one: choose another name", earlier.id())));
    }
    match found.status()?.base {
        Some(base) if base == build.id.as_str() => Ok(found),
        base => {
            let base = base.unwrap_or_else(|| "no build".to_owned());
            let error =
                Error::new(ErrorKind::Exists, format!("workspace {name} starts from {base}, not from {}", build.id));
            Err(error.with_hint(format!("play {base}, or choose another name for the workspace")))
        }
    }
}

/// Makes a playtest of a play that ended.
///
/// # Errors
/// Those of reading and storing; the play stays then, with all that was written.
pub(super) fn keep(
    vault: &Vault,
    build: &Build,
    play: &Played,
    workspace: Option<&Workspace>,
    ended: Timestamp,
    ending: PlayEnding,
) -> Result<Playtest> {
    let removed = match workspace {
        Some(workspace) => {
            if let Some(folder) = workspace.path() {
                child::settle(folder);
            }
            playtest_files::gather(play, workspace)?
        }
        None => Vec::new(),
    };
    playtest_files::describe(play, build, ended, ending, &removed)?;
    vault.finish_play(play, ended, ending, &CACHES.map(String::from), &Progress::new())
}
