//! Targets and their settings as they are shown; what is secret in values is masked.

use super::table::{Align, Table};
use super::text;
use gamevault::catalogue::Build;
use gamevault::platform::{Contrast, Effective, Matrix, Row, Setting, Value};
use gamevault::secret;
use gamevault::vault::SettingChange;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The longest value in a table; in lists and JSON values are whole.
const MAX_SHOWN: usize = 40;

/// The targets of builds.
#[derive(Serialize)]
pub struct ListView {
    pub targets: Vec<TargetView>,
}

/// A target of a build.
#[derive(Serialize)]
pub struct TargetView {
    pub target: String,
    pub family: &'static str,
    pub build: u64,
    pub build_id: String,
    pub settings: usize,
    /// The files that were laid over each other, lowest first.
    pub files: Vec<String>,
}

impl TargetView {
    pub fn new(effective: &Effective, build: &Build) -> TargetView {
        TargetView {
            target: effective.target.to_string(),
            family: effective.target.family().code(),
            build: build.number.0,
            build_id: build.id.to_string(),
            settings: effective.settings.len(),
            files: effective.files.iter().map(|file| file.to_string()).collect(),
        }
    }
}

impl ListView {
    pub fn text(&self, quiet: bool) -> String {
        if quiet {
            return self.targets.iter().map(|target| format!("{}\n", target.target)).collect();
        }
        if self.targets.is_empty() {
            return "no build is configured for a platform\n".to_owned();
        }
        let columns = [
            ("TARGET", Align::Left),
            ("FAMILY", Align::Left),
            ("SETTINGS", Align::Right),
            ("FILES", Align::Right),
            ("BUILD", Align::Left),
        ];
        let mut table = Table::new(columns);
        for TargetView { target, family, build_id, settings, files, .. } in &self.targets {
            let counts = [*settings, files.len()].map(|count| text::grouped(count as u64));
            let [settings, files] = counts;
            table.add([target.clone(), (*family).to_owned(), settings, files, build_id.clone()]);
        }
        table.to_string()
    }
}

/// All that is set for a target.
#[derive(Serialize)]
pub struct EffectiveView<'a> {
    #[serde(flatten)]
    target: TargetView,
    #[serde(rename = "effective", serialize_with = "by_key")]
    settings: &'a [Setting],
}

impl<'a> EffectiveView<'a> {
    pub fn new(effective: &'a Effective, build: &Build) -> EffectiveView<'a> {
        EffectiveView { target: TargetView::new(effective, build), settings: &effective.settings }
    }
}

fn by_key<S: Serializer>(settings: &&[Setting], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(settings.iter().map(|setting| (&*setting.key, setting)))
}

/// Returns the settings of a target for people.
pub fn table(effective: &Effective) -> String {
    let columns = [("KEY", Align::Left), ("VALUE", Align::Left), ("LAYER", Align::Left), ("WHERE", Align::Left)];
    let mut table = Table::new(columns);
    for setting in &effective.settings {
        for (index, value) in setting.values.iter().enumerate() {
            let key = if index == 0 { setting.key.to_string() } else { String::new() };
            table.add([
                shortened(&key, 2 * MAX_SHOWN),
                short(setting, value),
                value.origin.layer.to_string(),
                place(value),
            ]);
        }
    }
    table.to_string()
}

fn short(setting: &Setting, value: &Value) -> String {
    shortened(&secret::shown(&setting.key, &value.text), MAX_SHOWN)
}

fn place(value: &Value) -> String {
    format!("{}:{}", value.origin.file, value.origin.line)
}

/// Returns `text` without signs that would break the line, or steer a terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Returns `text` in one line of at most `max` characters.
fn shortened(text: &str, max: usize) -> String {
    let line = one_line(text);
    match line.chars().count() > max {
        true => line.chars().take(max - 1).chain(['…']).collect(),
        false => line,
    }
}

/// Two targets, and the settings that differ between them.
#[derive(Serialize)]
pub struct DiffView<'a> {
    a: SideView,
    b: SideView,
    settings: Vec<RowView<'a>>,
}

#[derive(Serialize)]
struct SideView {
    target: String,
    build: u64,
    build_id: String,
}

/// A setting of several targets.
#[derive(Serialize)]
struct RowView<'a> {
    key: &'a str,
    kind: &'static str,
    /// By target, or `a` and `b` where two builds are compared.
    values: BTreeMap<String, &'a Setting>,
    #[serde(skip)]
    cells: Vec<Option<&'a Setting>>,
}

impl<'a> RowView<'a> {
    fn new(row: &Row<'a>, names: &[String]) -> RowView<'a> {
        let set = names.iter().zip(&row.cells).filter_map(|(name, cell)| Some((name.clone(), (*cell)?)));
        RowView { key: row.key, kind: row.contrast.code(), values: set.collect(), cells: row.cells.clone() }
    }
}

impl<'a> DiffView<'a> {
    pub fn new(matrix: &Matrix<'a>, builds: [&Build; 2]) -> DiffView<'a> {
        let side = |index: usize| SideView {
            target: matrix.targets[index].to_string(),
            build: builds[index].number.0,
            build_id: builds[index].id.to_string(),
        };
        let names = ["a", "b"].map(str::to_owned);
        let settings = matrix.rows.iter().map(|row| RowView::new(row, &names)).collect();
        DiffView { a: side(0), b: side(1), settings }
    }

    pub fn text(&self, quiet: bool) -> String {
        if quiet {
            return self.settings.iter().map(|row| format!("{}\n", one_line(row.key))).collect();
        }
        let same_build = self.a.build == self.b.build;
        let name = |side: &SideView| match same_build {
            true => side.target.clone(),
            false => format!("{}@{}", side.target, side.build_id),
        };
        let names = [name(&self.a), name(&self.b)];
        let width = names.iter().map(String::len).max().unwrap_or_default();
        let mut out = String::new();
        for row in &self.settings {
            writeln!(out, "{}", one_line(row.key)).expect("strings take all");
            for (name, cell) in names.iter().zip(&row.cells) {
                let Some(setting) = cell else {
                    writeln!(out, "  {name:<width$}  (not set)").expect("strings take all");
                    continue;
                };
                let origin = setting.values.last().map(|value| format!("  ({}, {})", value.origin.layer, place(value)));
                let value = one_line(&setting.shown());
                writeln!(out, "  {name:<width$}  {value}{}", origin.unwrap_or_default()).expect("strings take all");
            }
        }
        let count = text::count(self.settings.len() as u64, "different setting");
        match self.settings.is_empty() {
            true => format!("{} and {} do not differ\n", names[0], names[1]),
            false => format!("{out}{count}\n"),
        }
    }
}

/// Targets beside each other.
#[derive(Serialize)]
pub struct MatrixView<'a> {
    build: u64,
    build_id: String,
    targets: Vec<String>,
    /// How many settings there are of each kind, shown or not.
    counts: BTreeMap<&'static str, usize>,
    settings: Vec<RowView<'a>>,
}

impl<'a> MatrixView<'a> {
    pub fn new<'r>(matrix: &'r Matrix<'a>, rows: impl Iterator<Item = &'r Row<'a>>, build: &Build) -> MatrixView<'a>
    where
        'a: 'r,
    {
        let targets: Vec<String> = matrix.targets.iter().map(|target| target.to_string()).collect();
        MatrixView {
            build: build.number.0,
            build_id: build.id.to_string(),
            counts: Contrast::ALL.map(|contrast| (contrast.code(), matrix.count(contrast))).into(),
            settings: rows.map(|row| RowView::new(row, &targets)).collect(),
            targets,
        }
    }

    pub fn text(&self, quiet: bool) -> String {
        if quiet {
            return self.settings.iter().map(|row| format!("{}\n", one_line(row.key))).collect();
        }
        let names = ["KIND", "KEY"].into_iter().chain(self.targets.iter().map(String::as_str));
        let shown = |setting: &Setting| shortened(&setting.shown(), MAX_SHOWN);
        let cells = |row: &RowView<'_>| -> Vec<String> {
            let values = row.cells.iter().map(|cell| cell.map_or("-".to_owned(), shown));
            [row.kind.to_owned(), shortened(row.key, 2 * MAX_SHOWN)].into_iter().chain(values).collect()
        };
        let rows: Vec<Vec<String>> =
            std::iter::once(names.map(str::to_owned).collect()).chain(self.settings.iter().map(cells)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let widths: Vec<usize> = (0..self.targets.len() + 2).map(width).collect();
        let mut out = String::new();
        for row in &rows {
            let line: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            writeln!(out, "{}", line.join("  ").trim_end()).expect("strings take all");
        }
        let counts = |name| text::grouped(self.counts[name] as u64);
        let [common, layers, only, differs] = ["common", "layers", "only", "differs"].map(counts);
        out + &format!(
            "{common} common, {layers} the same from different layers, {only} not for all, {differs} differ\n"
        )
    }
}

/// How settings changed over builds.
#[derive(Serialize)]
pub struct HistoryView {
    changes: Vec<ChangeView>,
}

#[derive(Serialize)]
struct ChangeView {
    build: u64,
    build_id: String,
    created: String,
    target: String,
    key: String,
    before: Option<Setting>,
    after: Option<Setting>,
    #[serde(skip)]
    local_time: String,
}

impl HistoryView {
    pub fn new(changes: &[SettingChange], builds: &[Build]) -> HistoryView {
        let by_number: BTreeMap<u64, &Build> = builds.iter().map(|build| (build.number.0, build)).collect();
        let view = |change: &SettingChange| {
            let build = by_number.get(&change.build.0)?;
            Some(ChangeView {
                build: build.number.0,
                build_id: build.id.to_string(),
                created: text::utc_time(build.created),
                local_time: text::local_time(build.created),
                target: change.target.to_string(),
                key: change.key.to_string(),
                before: change.before.clone(),
                after: change.after.clone(),
            })
        };
        HistoryView { changes: changes.iter().filter_map(view).collect() }
    }

    pub fn text(&self) -> String {
        let columns = [
            ("BUILD", Align::Left),
            ("CREATED", Align::Left),
            ("TARGET", Align::Left),
            ("BEFORE", Align::Left),
            ("AFTER", Align::Left),
            ("WHERE", Align::Left),
            ("KEY", Align::Left),
        ];
        let mut table = Table::new(columns);
        let shown = |setting: &Option<Setting>| match setting {
            Some(setting) => shortened(&setting.shown(), MAX_SHOWN),
            None => "-".to_owned(),
        };
        for change in &self.changes {
            let origin = change.after.as_ref().and_then(|setting| setting.values.last()).map(place).unwrap_or_default();
            table.add([
                change.build_id.clone(),
                change.local_time.clone(),
                change.target.clone(),
                shown(&change.before),
                shown(&change.after),
                origin,
                one_line(&change.key),
            ]);
        }
        table.to_string()
    }
}
