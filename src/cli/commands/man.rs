//! `gamevault man`: prints the manual page, or writes one for each command.

use super::Outcome;
use crate::cli::arguments::Arguments;
use crate::cli::context::Context;
use crate::cli::text;
use clap::{Args, CommandFactory};
use gamevault::error::{Error, Result};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Print the manual page.
#[derive(Debug, Args)]
pub struct Man {
    /// Write the pages of all commands to this folder instead.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs the command.
pub fn run(arguments: &Man, context: &Context) -> Outcome {
    match &arguments.out {
        Some(dir) => write_pages(dir, context),
        None => print_page(context),
    }
}

fn print_page(context: &Context) -> Outcome {
    let mut page = Vec::new();
    let man = clap_mangen::Man::new(Arguments::command());
    man.render(&mut page).map_err(|error| Error::io("write", "the manual page", error))?;
    let page = String::from_utf8_lossy(&page).into_owned();
    let data = json!({ "page": page });
    Ok(context.answer(&data, || page))
}

fn write_pages(dir: &Path, context: &Context) -> Outcome {
    std::fs::create_dir_all(dir).map_err(|error| Error::io("make the folder", dir, error))?;
    clap_mangen::generate_to(Arguments::command(), dir).map_err(|error| Error::io("write pages to", dir, error))?;
    let pages = names_in(dir)?;
    let data = json!({ "dir": dir.to_string_lossy(), "pages": pages });
    Ok(context.done(&data, || format!("wrote {} to {}\n", text::count(pages.len() as u64, "page"), dir.display())))
}

fn names_in(dir: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(dir).map_err(|error| Error::io("list", dir, error))?;
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.starts_with("gamevault") && name.ends_with(".1"));
    names.sort();
    Ok(names)
}
