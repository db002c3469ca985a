//! `gamevault platform`: tells what is set for target platforms, and how they differ.

use super::Outcome;
use super::diff::write_page;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::{Answer, Failure};
use crate::cli::platform_view::{self, DiffView, EffectiveView, HistoryView, ListView, MatrixView, TargetView};
use clap::{Args, Subcommand, ValueEnum};
use gamevault::Vault;
use gamevault::catalogue::Build;
use gamevault::error::{Error, Result};
use gamevault::platform::{Contrast, Matrix as Settings, Target, show};
use gamevault::report;
use gamevault::vault::Platforms;
use std::path::PathBuf;

/// Show what is set for each target platform, and how they differ.
///
/// Settings are read from the files of projects of Unreal, Unity and Godot, and from files that the project's gamevault.toml
/// names; they are laid over each other as the engine does. See docs/platform-settings.md.
///
/// TARGET is a platform, such as windows, android, switch or web, under any name that engines have for it, or a variant:
/// android+demo. Where a build is not named, it is the newest one that has the target. TARGET@BUILD names both.
///
/// A KEY may be the whole key, or its end after a /, in any case. Values of keys that look like secrets are masked.
#[derive(Debug, Subcommand)]
pub enum Platform {
    List(List),
    Show(Show),
    Diff(Diff),
    Matrix(Matrix),
    History(History),
}

/// List the targets that builds are configured for.
#[derive(Debug, Args)]
pub struct List {
    /// Only those of this build.
    #[arg(long, value_name = "BUILD")]
    build: Option<String>,
}

/// Show all that is set for a target, and where each value comes from.
///
/// With --quiet, the lines are those of effective.ini, which diff tools compare.
#[derive(Debug, Args)]
pub struct Show {
    /// The target; TARGET@BUILD in another build than the newest.
    #[arg(value_name = "TARGET")]
    target: String,

    /// Only these settings.
    #[arg(value_name = "KEY")]
    keys: Vec<String>,

    /// In this build.
    #[arg(long, value_name = "BUILD")]
    build: Option<String>,
}

/// Show the settings that differ between two targets, or between two builds of a target.
#[derive(Debug, Args)]
pub struct Diff {
    /// One target; TARGET@BUILD in another build than the newest.
    #[arg(value_name = "A")]
    a: String,

    /// The other one.
    #[arg(value_name = "B")]
    b: String,

    /// Both in this build.
    #[arg(long, value_name = "BUILD")]
    build: Option<String>,

    /// Also settings with the same value from different layers.
    #[arg(long)]
    layers: bool,

    /// End with exit code 9 when something differs.
    #[arg(long)]
    exit_code: bool,
}

/// Show the settings of several targets beside each other.
#[derive(Debug, Args)]
pub struct Matrix {
    /// The targets; all of the build when none is given.
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,

    /// In this build; the newest by default.
    #[arg(long, value_name = "BUILD", default_value = "latest")]
    build: String,

    /// Only settings of this kind; all but the common ones by default.
    #[arg(long, value_enum, value_name = "KIND")]
    kind: Vec<Kind>,

    /// Print comma-separated values.
    #[arg(long, conflicts_with = "json")]
    csv: bool,

    /// Also write them to a page for browsers, one file that needs no other.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// As `--kind` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// The same value for all, from the same layer.
    Common,
    /// The same value for all, from different layers.
    Layers,
    /// Set for some of the targets only.
    Only,
    /// Different values.
    Differs,
    /// Each kind.
    All,
}

/// Show in which builds a setting changed.
#[derive(Debug, Args)]
pub struct History {
    /// The setting.
    #[arg(value_name = "KEY")]
    key: String,

    /// Only for this target.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
}

/// Runs the command.
pub fn run(arguments: &Platform, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let look = Look { platforms: vault.platforms(), builds: vault.builds()?, vault: &vault, context };
    match arguments {
        Platform::List(arguments) => look.list(arguments),
        Platform::Show(arguments) => look.show(arguments),
        Platform::Diff(arguments) => look.diff(arguments),
        Platform::Matrix(arguments) => look.matrix(arguments),
        Platform::History(arguments) => look.history(arguments),
    }
}

/// What all of these commands look at.
struct Look<'a> {
    vault: &'a Vault,
    platforms: Platforms,
    builds: Vec<Build>,
    context: &'a Context,
}

impl Look<'_> {
    fn list(&self, arguments: &List) -> Outcome {
        let of_one = arguments.build.as_ref().map(|build| self.vault.build(build)).transpose()?;
        let found = match &of_one {
            Some(build) => self.platforms.newest([build].into_iter())?,
            None => self.platforms.newest(self.builds.iter())?,
        };
        let mut targets = Vec::new();
        for (target, build) in found {
            let effective = self.platforms.effective(build, &target)?;
            self.warn(&effective.warnings);
            targets.push(TargetView::new(&effective, build));
        }
        let view = ListView { targets };
        Ok(self.context.answer(&view, || view.text(self.context.quiet())))
    }

    fn show(&self, arguments: &Show) -> Outcome {
        let (target, build) = self.find(&arguments.target, arguments.build.as_deref())?;
        let effective = self.platforms.effective(&build, &target)?;
        self.warn(&effective.warnings);
        let is_asked = |key: &str| arguments.keys.iter().any(|asked| gamevault::platform::names(key, asked));
        let mut shown = (*effective).clone();
        if !arguments.keys.is_empty() {
            shown.settings.retain(|setting| is_asked(&setting.key));
            if shown.settings.is_empty() {
                let keys = arguments.keys.join(" or ");
                let error = Error::not_found(format!("{target} in build {} has no setting {keys}", build.id));
                return Err(error.with_hint(format!("`gamevault platform show {target}` lists all")).into());
            }
        }
        let view = EffectiveView::new(&shown, &build);
        Ok(self.context.answer(&view, || match self.context.quiet() {
            true => show::ini(&shown),
            false => platform_view::table(&shown),
        }))
    }

    fn diff(&self, arguments: &Diff) -> Outcome {
        let find = |name: &str| self.find(name, arguments.build.as_deref());
        let ((a, build_a), (b, build_b)) = (find(&arguments.a)?, find(&arguments.b)?);
        let effective = [self.platforms.effective(&build_a, &a)?, self.platforms.effective(&build_b, &b)?];
        effective.iter().for_each(|effective| self.warn(&effective.warnings));
        let mut matrix = Settings::new(&effective);
        let differs = matrix.count(Contrast::Differs) + matrix.count(Contrast::Only) > 0;
        let is_shown = |contrast| match contrast {
            Contrast::Common => false,
            Contrast::Layers => arguments.layers,
            Contrast::Only | Contrast::Differs => true,
        };
        matrix.rows.retain(|row| is_shown(row.contrast));
        let view = DiffView::new(&matrix, [&build_a, &build_b]);
        let answer = self.context.answer(&view, || view.text(self.context.quiet()));
        Ok(if arguments.exit_code && differs { answer.with_exit(Exit::Differences) } else { answer })
    }

    fn matrix(&self, arguments: &Matrix) -> Outcome {
        let build = self.vault.build(&arguments.build)?;
        let targets = match arguments.targets.as_slice() {
            [] => self.platforms.targets(&build)?,
            names => names.iter().map(|name| Target::new(name)).collect::<Result<_>>()?,
        };
        if targets.is_empty() {
            return Err(self.nothing_in(&build).into());
        }
        let effective = self.platforms.effective_all(&build, &targets)?;
        effective.iter().for_each(|effective| self.warn(&effective.warnings));
        let matrix = Settings::new(&effective);
        let is_shown = |contrast: Contrast| match arguments.kind.as_slice() {
            [] => contrast != Contrast::Common,
            kinds => kinds.iter().any(|kind| kind.is(contrast)),
        };
        let rows = || matrix.rows.iter().filter(|row| is_shown(row.contrast));
        if let Some(file) = &arguments.html {
            write_page(file, &report::platforms::page(&matrix, rows(), build.id.as_str()))?;
        }
        if arguments.csv {
            return Ok(Answer::text(show::csv(&matrix, rows())));
        }
        let view = MatrixView::new(&matrix, rows(), &build);
        Ok(self.context.answer(&view, || view.text(self.context.quiet())))
    }

    fn history(&self, arguments: &History) -> Outcome {
        let target = arguments.target.as_deref().map(Target::new).transpose()?;
        let changes = self.platforms.history(&self.builds, &arguments.key, target.as_ref())?;
        if changes.is_empty() {
            let error = Error::not_found(format!("no build has a setting {}", arguments.key));
            return Err(error.with_hint("`gamevault platform show TARGET` lists the settings of a target").into());
        }
        let view = HistoryView::new(&changes, &self.builds);
        Ok(self.context.answer(&view, || view.text()))
    }

    /// Returns the target and the build that `name` means: `TARGET`, or `TARGET@BUILD`.
    fn find(&self, name: &str, build: Option<&str>) -> std::result::Result<(Target, Build), Failure> {
        let (name, own_build) = name.split_once('@').map_or((name, None), |(name, build)| (name, Some(build)));
        let target = Target::new(name)?;
        let build = match own_build.or(build) {
            Some(reference) => self.vault.build(reference)?,
            None => match self.platforms.newest(self.builds.iter())?.remove(&target) {
                Some(build) => return Ok((target, build.clone())),
                None => self.vault.build("latest")?,
            },
        };
        if self.platforms.projects(&build)?.is_empty() {
            return Err(self.nothing_in(&build).into());
        }
        if !self.platforms.targets(&build)?.contains(&target) {
            let id = &build.id;
            self.context.warn(format!("build {id} does not name {target}: shown is what it sets for every target"));
        }
        Ok((target, build))
    }

    fn nothing_in(&self, build: &Build) -> Error {
        let error = Error::not_found(format!("no project was found in build {}", build.id));
        error.with_hint(
            "it is known by a .uproject file, ProjectSettings or project.godot, or declared in gamevault.toml",
        )
    }

    fn warn(&self, warnings: &[String]) {
        let mut all = self.context.take_warnings();
        all.extend(warnings.iter().filter(|warning| !all.contains(warning)).cloned().collect::<Vec<_>>());
        self.context.warn_all(&all);
    }
}

impl Kind {
    fn is(self, contrast: Contrast) -> bool {
        match self {
            Kind::All => true,
            Kind::Common => contrast == Contrast::Common,
            Kind::Layers => contrast == Contrast::Layers,
            Kind::Only => contrast == Contrast::Only,
            Kind::Differs => contrast == Contrast::Differs,
        }
    }
}
