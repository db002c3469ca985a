//! `gamevault milestone list` and `show`.

use crate::cli::build_view::{BuildView, MilestoneView, joined};
use crate::cli::commands::Outcome;
use crate::cli::context::Context;
use crate::cli::table::{Align, Fields, Table};
use crate::cli::text;
use clap::Args;
use gamevault::name::RefName;
use serde_json::json;
use std::collections::HashMap;

/// List all milestones in the order in which they were set.
#[derive(Debug, Args)]
pub struct List {
    /// Only those with this tag; of those given, any.
    #[arg(long = "tag", value_name = "WORD")]
    tags: Vec<String>,

    /// Only those of this kind.
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
}

/// Show a milestone and the build it marks.
#[derive(Debug, Args)]
pub struct Show {
    /// The milestone's name.
    #[arg(value_name = "NAME")]
    name: RefName,
}

/// Runs `list`.
pub fn list(arguments: &List, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let builds: HashMap<_, _> = vault.builds()?.into_iter().map(|build| (build.number, build)).collect();
    let mut feedback: HashMap<_, u64> = HashMap::new();
    for playtest in vault.playtests()? {
        *feedback.entry(playtest.build).or_default() += 1;
    }
    let mut milestones = vault.milestones()?;
    milestones.retain(|milestone| {
        let has_tag = arguments.tags.is_empty() || milestone.tags.iter().any(|tag| arguments.tags.contains(tag));
        has_tag && (arguments.kind.is_none() || arguments.kind == milestone.kind)
    });
    let view = |milestone| {
        let view = MilestoneView::new(milestone, builds.get(&milestone.build));
        MilestoneView { feedback: Some(feedback.get(&milestone.build).copied().unwrap_or(0)), ..view }
    };
    let views: Vec<_> = milestones.iter().map(view).collect();
    Ok(context.answer(&views, || {
        if context.quiet() {
            return views.iter().map(|view| format!("{}\n", view.name)).collect();
        }
        let mut table = Table::new([
            ("NAME", Align::Left),
            ("KIND", Align::Left),
            ("BUILD", Align::Left),
            ("SET", Align::Left),
            ("SIZE", Align::Right),
            ("FEEDBACK", Align::Right),
            ("STATE", Align::Left),
            ("TAGS", Align::Left),
            ("MESSAGE", Align::Left),
        ]);
        for (view, milestone) in views.iter().zip(&milestones) {
            let first_line = view.message.as_deref().and_then(|message| message.lines().next());
            table.add([
                view.name.clone(),
                view.kind.clone().unwrap_or_default(),
                view.build_name(),
                text::local_time(milestone.created),
                view.bytes.map(text::size).unwrap_or_default(),
                text::grouped(view.feedback.unwrap_or(0)),
                view.state(),
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

/// Runs `show`.
pub fn show(arguments: &Show, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let milestone = vault.milestone(&arguments.name)?;
    let build = vault.build(&milestone.build.to_string())?;
    let view = MilestoneView::new(&milestone, Some(&build));
    let build_view = BuildView::new(&build, &vault.milestones()?);
    Ok(context.answer(&json!({ "milestone": view, "build": build_view }), || {
        let mut fields = Fields::default();
        fields.add("milestone", &view.name);
        fields.add("set", text::local_time(milestone.created));
        fields.add_some("kind", view.kind.as_ref());
        fields.add_some("tags", joined(&view.tags));
        fields.add_some("message", view.message.as_ref());
        for (key, value) in &view.meta {
            fields.add(format!("meta {key}"), value);
        }
        fields.add_some("protected", milestone.protected.then_some("yes"));
        fields.add_some("certificate", milestone.certificate.as_ref().map(super::certificate::sentence));
        for earlier in &milestone.earlier {
            let (from, until) = (text::local_time(earlier.from), text::local_time(earlier.until));
            fields.add("before", format!("build {} from {from} until {until}", earlier.build));
        }
        let notes = milestone.notes.as_ref().map(|notes| format!("\n{}\n", notes.trim_end())).unwrap_or_default();
        format!("{fields}\n{}{notes}", build_view.fields(&build))
    }))
}
