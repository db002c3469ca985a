//! `gamevault milestone`: gives builds names that stay.

use super::Outcome;
use crate::cli::build_view::{BuildView, MilestoneView, joined};
use crate::cli::context::Context;
use crate::cli::table::{Align, Fields, Table};
use crate::cli::text;
use clap::{Args, Subcommand};
use gamevault::name::RefName;
use serde_json::json;

/// Mark builds with names that stay.
#[derive(Debug, Subcommand)]
pub enum Milestone {
    Set(Set),
    List(List),
    Show(Show),
    Remove(Remove),
}

/// Mark a build with a name.
#[derive(Debug, Args)]
pub struct Set {
    /// The milestone's name.
    #[arg(value_name = "NAME")]
    name: RefName,

    /// The build: an id, a number, a label, a milestone, `latest` or `latest~2`.
    #[arg(value_name = "BUILD")]
    build: String,

    /// A sentence on what it is.
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,

    /// A word to find it by; may be given again.
    #[arg(long = "tag", value_name = "WORD")]
    tags: Vec<String>,

    /// Move the name when it marks another build.
    #[arg(long = "move")]
    move_existing: bool,
}

/// List all milestones, the oldest first.
#[derive(Debug, Args)]
pub struct List {}

/// Show a milestone and the build it marks.
#[derive(Debug, Args)]
pub struct Show {
    /// The milestone's name.
    #[arg(value_name = "NAME")]
    name: RefName,
}

/// Remove a milestone; the build stays.
#[derive(Debug, Args)]
pub struct Remove {
    /// The milestone's name.
    #[arg(value_name = "NAME")]
    name: RefName,
}

/// Runs the command.
pub fn run(arguments: Milestone, context: &Context) -> Outcome {
    match arguments {
        Milestone::Set(arguments) => set(arguments, context),
        Milestone::List(arguments) => list(&arguments, context),
        Milestone::Show(arguments) => show(&arguments, context),
        Milestone::Remove(arguments) => remove(&arguments, context),
    }
}

fn set(arguments: Set, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let build = vault.build(&arguments.build)?;
    let Set { name, message, tags, move_existing, .. } = arguments;
    let milestone = vault.set_milestone(&name, &build, message, tags, move_existing)?;
    let view = MilestoneView::new(&milestone, Some(&build));
    Ok(context.done(&view, || format!("milestone {} marks build {}\n", view.name, view.build_name())))
}

fn list(_arguments: &List, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let (milestones, builds) = (vault.milestones()?, vault.builds()?);
    let build_of = |number| builds.iter().find(|build| build.number == number);
    let views: Vec<_> =
        milestones.iter().map(|milestone| MilestoneView::new(milestone, build_of(milestone.build))).collect();
    Ok(context.answer(&views, || {
        if context.quiet() {
            return views.iter().map(|view| format!("{}\n", view.name)).collect();
        }
        let mut table = Table::new([
            ("NAME", Align::Left),
            ("BUILD", Align::Left),
            ("TIME", Align::Left),
            ("TAGS", Align::Left),
            ("MESSAGE", Align::Left),
        ]);
        for (view, milestone) in views.iter().zip(&milestones) {
            let first_line = view.message.as_deref().and_then(|message| message.lines().next());
            table.add([
                view.name.clone(),
                view.build_name(),
                text::local_time(milestone.created),
                joined(&view.tags).unwrap_or_default(),
                first_line.unwrap_or_default().to_owned(),
            ]);
        }
        match views.is_empty() {
            true => "no milestones yet: set one with `gamevault milestone set NAME BUILD`\n".to_owned(),
            false => table.to_string(),
        }
    }))
}

fn show(arguments: &Show, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let milestone = vault.milestone(&arguments.name)?;
    let build = vault.build(&milestone.build.to_string())?;
    let view = MilestoneView::new(&milestone, Some(&build));
    let build_view = BuildView::new(&build, &vault.milestones()?);
    Ok(context.answer(&json!({ "milestone": view, "build": build_view }), || {
        let mut fields = Fields::default();
        fields.add("milestone", &view.name);
        fields.add("set", text::local_time(milestone.created));
        fields.add_some("tags", joined(&view.tags));
        fields.add_some("message", view.message.as_ref());
        format!("{fields}\n{}", build_view.fields(&build))
    }))
}

fn remove(arguments: &Remove, context: &Context) -> Outcome {
    context.open_vault()?.remove_milestone(&arguments.name)?;
    let data = json!({ "removed": arguments.name });
    Ok(context.done(&data, || format!("removed the milestone {}; its build stays\n", arguments.name)))
}
