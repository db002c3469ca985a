//! `gamevault milestone`: gives builds names that stay.

mod certificate;
mod look;
mod notes;

use super::Outcome;
use super::snapshot::parse_meta;
use crate::cli::build_view::MilestoneView;
use crate::cli::context::Context;
use clap::{Args, Subcommand};
use gamevault::name::RefName;
use gamevault::vault::Annotation;
use serde_json::json;
use std::path::PathBuf;

/// Mark builds with names that stay.
#[derive(Debug, Subcommand)]
pub enum Milestone {
    Set(Set),
    List(look::List),
    Show(look::Show),
    Note(notes::Note),
    Tag(Tag),
    Rename(Rename),
    Remove(Remove),
    Protect(Protect),
    Verify(certificate::Verify),
    Check(certificate::Check),
}

/// Mark a build with a name, read all of it back, and keep a certificate of that.
///
/// For a milestone that marks the build already, what is given is changed and the rest stays.
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

    /// What sort of milestone it is: first-playable, vertical-slice, alpha, beta, gold, release or any other; told by the
    /// name when it is not given.
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,

    /// A word to find it by; may be given again.
    #[arg(long = "tag", value_name = "WORD")]
    tags: Vec<String>,

    /// Free metadata; may be given again, and an empty value takes it away.
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_meta)]
    meta: Vec<(String, String)>,

    /// A file with notes in Markdown; `-` reads them from standard input.
    #[arg(long, value_name = "FILE")]
    notes: Option<PathBuf>,

    /// Keep it from being moved, renamed and removed.
    #[arg(long)]
    protect: bool,

    /// Move the name when it marks another build; the milestone remembers that one.
    #[arg(long = "move")]
    move_existing: bool,

    /// Do not read the build back.
    #[arg(long)]
    no_verify: bool,
}

/// Add words to find a milestone by, or take them away.
#[derive(Debug, Args)]
pub struct Tag {
    /// The milestone's name.
    #[arg(value_name = "NAME")]
    name: RefName,

    /// The words.
    #[arg(value_name = "WORD", required = true)]
    words: Vec<String>,

    /// Take them away.
    #[arg(long)]
    remove: bool,
}

/// Give a milestone another name.
#[derive(Debug, Args)]
pub struct Rename {
    /// The milestone's name.
    #[arg(value_name = "NAME")]
    name: RefName,

    /// Its new name.
    #[arg(value_name = "NEW")]
    new_name: RefName,
}

/// Remove a milestone; the build stays.
#[derive(Debug, Args)]
pub struct Remove {
    /// The milestone's name.
    #[arg(value_name = "NAME")]
    name: RefName,
}

/// Keep a milestone from being moved, renamed and removed.
#[derive(Debug, Args)]
pub struct Protect {
    /// The milestone's name.
    #[arg(value_name = "NAME")]
    name: RefName,

    /// End the protection.
    #[arg(long)]
    off: bool,
}

/// Runs the command.
pub fn run(arguments: Milestone, context: &Context) -> Outcome {
    match arguments {
        Milestone::Set(arguments) => set(arguments, context),
        Milestone::List(arguments) => look::list(&arguments, context),
        Milestone::Show(arguments) => look::show(&arguments, context),
        Milestone::Note(arguments) => notes::note(&arguments, context),
        Milestone::Tag(arguments) => tag(arguments, context),
        Milestone::Rename(arguments) => rename(&arguments, context),
        Milestone::Remove(arguments) => remove(&arguments, context),
        Milestone::Protect(arguments) => protect(&arguments, context),
        Milestone::Verify(arguments) => certificate::verify(&arguments, context),
        Milestone::Check(arguments) => certificate::check(&arguments, context),
    }
}

fn set(arguments: Set, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let build = vault.build(&arguments.build)?;
    let Set { name, message, kind, tags, meta, protect, move_existing, .. } = arguments;
    let notes = arguments.notes.as_deref().map(notes::read).transpose()?;
    let annotation =
        Annotation { message, kind, tags, meta: meta.into_iter().collect(), notes, ..Annotation::default() };
    let mut milestone = vault.set_milestone(&name, &build, &annotation, move_existing)?;
    if !arguments.no_verify {
        milestone = certificate::read_back(&vault, &name, context)?;
    }
    if protect {
        milestone = vault.protect_milestone(&name, true)?;
    }
    let view = MilestoneView::new(&milestone, Some(&build));
    Ok(context.done(&view, || {
        let verified = milestone.certificate.as_ref().map(|found| format!("; {}", certificate::sentence(found)));
        format!("milestone {} marks build {}{}\n", view.name, view.build_name(), verified.unwrap_or_default())
    }))
}

fn tag(arguments: Tag, context: &Context) -> Outcome {
    let Tag { name, words, remove } = arguments;
    let annotation = match remove {
        true => Annotation { remove_tags: words, ..Annotation::default() },
        false => Annotation { tags: words, ..Annotation::default() },
    };
    let milestone = context.open_vault()?.annotate_milestone(&name, &annotation)?;
    Ok(context.done(&MilestoneView::new(&milestone, None), || {
        format!("milestone {} has the tags: {}\n", milestone.name, milestone.tags.join(", "))
    }))
}

fn rename(arguments: &Rename, context: &Context) -> Outcome {
    let milestone = context.open_vault()?.rename_milestone(&arguments.name, &arguments.new_name)?;
    Ok(context.done(&MilestoneView::new(&milestone, None), || {
        format!("milestone {} is called {} now\n", arguments.name, milestone.name)
    }))
}

fn remove(arguments: &Remove, context: &Context) -> Outcome {
    context.open_vault()?.remove_milestone(&arguments.name)?;
    let data = json!({ "removed": arguments.name });
    Ok(context.done(&data, || format!("removed the milestone {}; its build stays\n", arguments.name)))
}

fn protect(arguments: &Protect, context: &Context) -> Outcome {
    let milestone = context.open_vault()?.protect_milestone(&arguments.name, !arguments.off)?;
    Ok(context.done(&MilestoneView::new(&milestone, None), || {
        let not = if arguments.off { "not " } else { "" };
        format!("milestone {} is {not}protected\n", milestone.name)
    }))
}
