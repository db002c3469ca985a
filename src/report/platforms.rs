//! What is set for target platforms, beside each other: the matrix of settings.

use super::html::{Html, escape};
use super::page::{Figure, Page, Tone, figures, pill};
use super::table::{Cell, Side, Table};
use super::text;
use crate::platform::{Contrast, Matrix, Row, Setting};

/// Returns the page of a matrix with those of its rows that are to be shown; `build` names what it is of.
///
/// What is secret is masked.
pub fn page<'a>(matrix: &Matrix<'_>, rows: impl Iterator<Item = &'a Row<'a>>, build: &str) -> String {
    let targets: Vec<String> = matrix.targets.iter().map(|target| target.to_string()).collect();
    let mut page = Page::new("Settings of platforms", Html::text(&format!("build {build}: {}", targets.join(", "))));
    let figure = |contrast: Contrast| Figure {
        label: words(contrast).to_owned(),
        value: text::grouped(matrix.count(contrast) as u64),
        note: String::new(),
        tone: tone(contrast),
    };
    page.push(&figures(&Contrast::ALL.map(figure)));
    let heads = targets.into_iter().map(|target| (target, Side::Left));
    let mut table = Table::with_columns([("Setting", Side::Left), ("Kind", Side::Left)], heads);
    for row in rows {
        let mut cells = vec![Cell::path(row.key), Cell::html(pill(row.contrast.code(), tone(row.contrast)))];
        cells.extend(row.cells.iter().map(|cell| cell.map_or_else(|| Cell::text(""), value)));
        table.add_of(words(row.contrast), tone(row.contrast), &cells);
    }
    let note = "A value tells its file, line and layer when the pointer rests on it.";
    page.section_with_note("Settings", note, &table.finish());
    page.finish()
}

fn value(setting: &Setting) -> Cell {
    let origin = setting.values.last().map(|value| &value.origin);
    let place = origin.map_or_else(String::new, |origin| format!("{}:{} ({})", origin.file, origin.line, origin.layer));
    Cell::html(Html::raw(format!("<span title=\"{}\">{}</span>", escape(&place), escape(&setting.shown()))))
}

fn words(contrast: Contrast) -> &'static str {
    match contrast {
        Contrast::Common => "the same",
        Contrast::Layers => "the same from different layers",
        Contrast::Only => "not for all",
        Contrast::Differs => "different",
    }
}

fn tone(contrast: Contrast) -> Tone {
    match contrast {
        Contrast::Common => Tone::Plain,
        Contrast::Layers => Tone::Moved,
        Contrast::Only => Tone::Added,
        Contrast::Differs => Tone::Modified,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{Effective, Origin, Target, Value};
    use std::sync::Arc;

    #[test]
    fn values_stand_under_their_targets_with_secrets_masked() {
        let effective = |target: &str, texts: [&str; 2]| {
            let setting = |(key, text): (&str, &str)| Setting {
                key: key.into(),
                values: vec![Value {
                    text: text.into(),
                    origin: Origin { file: "<a>.ini".into(), line: 3, layer: "platform".into() },
                }],
            };
            let settings = ["a/b", "a/password"].into_iter().zip(texts).map(setting).collect();
            let target = Target::new(target).expect("it is a name");
            Arc::new(Effective { target, settings, files: Vec::new(), warnings: Vec::new() })
        };
        let both = [effective("switch", ["<1>", "hunter2"]), effective("ps5", ["2", "hunter3"])];
        let matrix = Matrix::new(&both);
        let page = page(&matrix, matrix.rows.iter(), "42");
        assert!(page.contains("<span title=\"&lt;a&gt;.ini:3 (platform)\">&lt;1&gt;</span>"), "{page}");
        assert!(page.contains("build 42: switch, ps5") && page.contains(crate::secret::MASK));
        assert!(!page.contains("hunter"), "{page}");
    }
}
