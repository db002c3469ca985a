//! `gamevault milestone note`: what people write down about a milestone.

use crate::cli::build_view::MilestoneView;
use crate::cli::commands::Outcome;
use crate::cli::context::Context;
use clap::Args;
use gamevault::error::{Error, Result};
use gamevault::name::RefName;
use gamevault::vault::Annotation;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

/// Show or write the notes of a milestone, in Markdown.
///
/// Through a mount they are the file `/milestones/NAME/.gamevault/notes.md`, for any editor.
#[derive(Debug, Args)]
pub struct Note {
    /// The milestone's name.
    #[arg(value_name = "NAME")]
    name: RefName,

    /// The notes; without them and without --file they are shown.
    #[arg(value_name = "TEXT", conflicts_with = "file")]
    text: Option<String>,

    /// A file with the notes; `-` reads them from standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Put them behind what is there.
    #[arg(long)]
    append: bool,
}

/// Runs the command.
pub fn note(arguments: &Note, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let new = match (&arguments.text, &arguments.file) {
        (Some(text), _) => Some(format!("{}\n", text.trim_end())),
        (None, Some(file)) => Some(read(file)?),
        (None, None) => None,
    };
    let old = vault.milestone(&arguments.name)?;
    let Some(new) = new else {
        let view = MilestoneView::new(&old, None);
        return Ok(context.answer(&view, || old.notes.clone().unwrap_or_default()));
    };
    let notes = match (arguments.append, old.notes) {
        (true, Some(old)) => format!("{}\n\n{new}", old.trim_end()),
        _ => new,
    };
    let annotation = Annotation { notes: Some(notes), ..Annotation::default() };
    let milestone = vault.annotate_milestone(&arguments.name, &annotation)?;
    let view = MilestoneView::new(&milestone, None);
    Ok(context.done(&view, || match milestone.notes {
        Some(_) => format!("wrote the notes of milestone {}\n", milestone.name),
        None => format!("milestone {} has no notes any more\n", milestone.name),
    }))
}

/// Reads a text from a file, or from standard input when it is called `-`.
pub(super) fn read(file: &Path) -> Result<String> {
    if file != Path::new("-") {
        return std::fs::read_to_string(file).map_err(|error| Error::io("read", file, error));
    }
    let mut input = std::io::stdin();
    if input.is_terminal() {
        return Err(Error::invalid("there is nothing on standard input").with_hint("name a file, or pipe the text in"));
    }
    let mut text = String::new();
    input.read_to_string(&mut text).map_err(|error| Error::io("read", Path::new("standard input"), error))?;
    Ok(text)
}
