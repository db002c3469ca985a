//! `gamevault status`: tells how the vault stands.

use super::Outcome;
use crate::cli::build_view::BuildView;
use crate::cli::context::Context;
use crate::cli::sessions::{self, Session};
use crate::cli::table::Fields;
use crate::cli::text;
use clap::Args;
use gamevault::Vault;
use gamevault::catalogue::Build;
use gamevault::disk::Space;
use gamevault::error::Result;
use gamevault::vault::{MountRecord, Passthrough};
use serde_json::{Value, json};
use std::time::SystemTime;

/// Show where the vault is, how much room is left, what is mounted and being copied.
#[derive(Debug, Args)]
pub struct Status {}

struct State {
    space: Space,
    build_count: usize,
    newest: Option<Build>,
    mounts: Vec<MountRecord>,
    sessions: Vec<Session>,
}

/// Runs the command.
pub fn run(_arguments: &Status, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let state = read(&vault)?;
    let data = data(&vault, &state)?;
    Ok(context.answer(&data, || fields(&vault, &state).to_string()))
}

fn read(vault: &Vault) -> Result<State> {
    let mut builds = vault.builds()?;
    Ok(State {
        space: vault.space()?,
        build_count: builds.len(),
        newest: builds.pop(),
        mounts: vault.mounts()?,
        sessions: sessions::list(vault)?,
    })
}

fn data(vault: &Vault, state: &State) -> Result<Value> {
    let milestones = vault.milestones()?;
    let mounts: Vec<Value> = state.mounts.iter().map(mount_data).collect();
    Ok(json!({
        "vault": vault.dir().to_string_lossy(),
        "space": state.space,
        "builds": state.build_count,
        "newest": state.newest.as_ref().map(|build| BuildView::new(build, &milestones)),
        "mounts": mounts,
        "sessions": state.sessions,
    }))
}

fn mount_data(mount: &MountRecord) -> Value {
    json!({
        "path": mount.path.to_string_lossy(),
        "pid": mount.pid,
        "since": text::utc_time(mount.since),
        "passthrough": mount.passthrough,
    })
}

fn fields(vault: &Vault, state: &State) -> Fields {
    let now = SystemTime::now();
    let mut fields = Fields::default();
    fields.add("vault", vault.dir().display());
    let Space { total, available } = state.space;
    fields.add("space", format!("{} free of {}", text::size(available), text::size(total)));
    fields.add("builds", text::grouped(state.build_count as u64));
    if let Some(newest) = &state.newest {
        fields.add("newest", format!("{} ({})", newest.id, text::ago(newest.created, now)));
    }
    for mount in &state.mounts {
        let since = text::ago(mount.since, now);
        fields.add("mounted", format!("{} (process {}, {since})", mount.path.display(), mount.pid));
        match &mount.passthrough {
            Passthrough::Off => {}
            Passthrough::On => fields.add("passthrough", "on: the kernel reads large files from hot copies"),
            Passthrough::Refused(why) => fields.add("passthrough", format!("refused: {why}")),
        }
    }
    if state.mounts.is_empty() {
        fields.add("mounted", "nowhere");
    }
    for session in &state.sessions {
        fields.add("session", describe(session));
        for doubt in session.doubts() {
            fields.add("doubt", doubt);
        }
    }
    fields
}

/// Returns the session's name with those of its status's values that say something in a line.
fn describe(session: &Session) -> String {
    let Some(status) = &session.status else { return session.name.clone() };
    let mut parts = Vec::new();
    parts.extend(status["state"].as_str().map(str::to_owned));
    parts.extend(status["files"].as_u64().map(|files| text::count(files, "file")));
    parts.extend(status["bytes"].as_u64().map(text::size));
    parts.extend(session.waits_for());
    match parts.is_empty() {
        true => session.name.clone(),
        false => format!("{} ({})", session.name, parts.join(", ")),
    }
}
