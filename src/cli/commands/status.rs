//! `gamevault status`: tells how the vault stands.

use super::Outcome;
use crate::cli::build_view::BuildView;
use crate::cli::context::Context;
use crate::cli::mount_view;
use crate::cli::sessions::{self, Session};
use crate::cli::table::Fields;
use crate::cli::text;
use clap::Args;
use gamevault::Vault;
use gamevault::catalogue::Build;
use gamevault::disk::Space;
use gamevault::error::Result;
use gamevault::mount::Activity;
use gamevault::vault::{LastOptimize, MountRecord, Passthrough, Scrub};
use serde_json::{Value, json};
use std::time::SystemTime;

/// Show where the vault is, how much room is left, what is mounted and being copied.
#[derive(Debug, Args)]
pub struct Status {}

struct State {
    space: Space,
    build_count: usize,
    newest: Option<Build>,
    mounts: Vec<(MountRecord, Option<Activity>)>,
    sessions: Vec<Session>,
    optimize: Optimize,
    scrub: Option<Scrub>,
}

/// What is known of making older builds smaller.
struct Optimize {
    is_running: bool,
    when_idle: bool,
    last: Option<LastOptimize>,
}

/// Runs the command.
pub fn run(_arguments: &Status, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let state = read(&vault, context)?;
    let data = data(&vault, &state)?;
    Ok(context.answer(&data, || fields(&vault, &state).to_string()))
}

fn read(vault: &Vault, context: &Context) -> Result<State> {
    let mut builds = vault.builds()?;
    let mounts = vault.mounts()?.into_iter().map(|mount| {
        let activity = gamevault::mount::activity(&mount).unwrap_or_else(|error| {
            context.warn(format!("{error}"));
            None
        });
        (mount, activity)
    });
    Ok(State {
        space: vault.space()?,
        build_count: builds.len(),
        newest: builds.pop(),
        mounts: mounts.collect(),
        sessions: sessions::list(vault)?,
        optimize: Optimize {
            is_running: vault.is_being_optimized()?,
            when_idle: vault.idle_rules().is_some(),
            last: vault.last_optimize()?,
        },
        scrub: vault.last_scrub()?,
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
        "optimize": {
            "running": state.optimize.is_running,
            "when_idle": state.optimize.when_idle,
            "last": state.optimize.last.as_ref().map(last_data),
        },
        "scrub": state.scrub.as_ref().map(scrub_data),
    }))
}

fn last_data(last: &LastOptimize) -> Value {
    json!({
        "ended": text::utc_time(last.ended),
        "is_complete": last.is_complete,
        "squeeze": last.squeeze,
        "chunks_looked_at": last.chunks_looked_at,
        "bytes_gained": last.bytes_gained,
        "bytes_gained_in_all": last.bytes_gained_in_all,
    })
}

fn scrub_data(scrub: &Scrub) -> Value {
    json!({
        "started": scrub.started.map(text::utc_time),
        "ended": scrub.ended.map(text::utc_time),
        "packs": scrub.packs,
        "bytes": scrub.bytes,
        "healed": scrub.healed,
        "protected": scrub.protected,
        "problems": scrub.problems,
    })
}

fn mount_data((mount, activity): &(MountRecord, Option<Activity>)) -> Value {
    json!({
        "path": mount.path.to_string_lossy(),
        "pid": mount.pid,
        "since": text::utc_time(mount.since),
        "passthrough": mount.passthrough,
        "activity": activity,
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
    for (mount, activity) in &state.mounts {
        let since = text::ago(mount.since, now);
        fields.add("mounted", format!("{} (process {}, {since})", mount.path.display(), mount.pid));
        match &mount.passthrough {
            Passthrough::Off => {}
            Passthrough::On => fields.add("passthrough", "on: the kernel reads large files from hot copies"),
            Passthrough::Refused(why) => fields.add("passthrough", format!("refused: {why}")),
        }
        if let Some(activity) = activity {
            mount_view::add_activity(&mut fields, activity);
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
    fields.add("optimize", optimize_line(&state.optimize, now));
    if let Some(scrub) = &state.scrub {
        fields.add("scrub", scrub_line(scrub, now));
        scrub.problems.iter().for_each(|problem| fields.add("damage", problem));
    }
    fields
}

/// Tells when all packs were last looked at, and what was found.
fn scrub_line(scrub: &Scrub, now: SystemTime) -> String {
    let when = match (scrub.ended, scrub.started) {
        (Some(ended), _) => format!("all packs looked at {}", text::ago(ended, now)),
        (None, Some(started)) => {
            format!("begun {}, {} so far", text::ago(started, now), text::count(scrub.packs, "pack"))
        }
        (None, None) => "not yet".to_owned(),
    };
    let healed = if scrub.healed > 0 { format!(", {} healed", scrub.healed) } else { String::new() };
    let damaged = if scrub.problems.is_empty() { "" } else { ", NOT all could be healed" };
    format!("{when}{healed}{damaged}")
}

/// Tells when older builds were last made smaller, by how much, and whether there is more to do.
fn optimize_line(optimize: &Optimize, now: SystemTime) -> String {
    let last = optimize.last.as_ref().map(|last| {
        let (when, gained) = (text::ago(last.ended, now), text::size(last.bytes_gained_in_all));
        let rest = if last.is_complete { "all looked at" } else { "not all looked at yet" };
        format!("{when}, {gained} gained so far, {rest}")
    });
    match (optimize.is_running, last) {
        (true, Some(last)) => format!("running (last {last})"),
        (true, None) => "running".to_owned(),
        (false, Some(last)) => last,
        (false, None) if optimize.when_idle => "not yet; a mount does it when it is idle".to_owned(),
        (false, None) => "not yet".to_owned(),
    }
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
