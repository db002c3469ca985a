//! Targets beside each other: which settings are the same, which differ, and where.

use super::{Effective, Setting, Target};
use std::sync::Arc;

/// How the targets' values of one setting stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Contrast {
    /// The same value everywhere, from the same layer.
    Common,
    /// The same value everywhere, but not from the same layer.
    Layers,
    /// Not everywhere, and the same value where it is set.
    Only,
    /// Different values.
    Differs,
}

impl Contrast {
    /// All of them.
    pub const ALL: [Contrast; 4] = [Contrast::Common, Contrast::Layers, Contrast::Only, Contrast::Differs];

    /// Returns the name in JSON, CSV and arguments.
    pub fn code(self) -> &'static str {
        match self {
            Contrast::Common => "common",
            Contrast::Layers => "layers",
            Contrast::Only => "only",
            Contrast::Differs => "differs",
        }
    }
}

/// One setting for all targets.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// Its key.
    pub key: &'a Arc<str>,
    /// What each target has, in the order of the matrix's targets.
    pub cells: Vec<Option<&'a Setting>>,
    /// How these stand to each other.
    pub contrast: Contrast,
}

/// All settings of some targets.
#[derive(Debug)]
pub struct Matrix<'a> {
    /// The targets, as they were given.
    pub targets: Vec<&'a Target>,
    /// The settings in the order of their keys.
    pub rows: Vec<Row<'a>>,
}

impl<'a> Matrix<'a> {
    /// Lays the settings of targets beside each other.
    pub fn new(effective: &'a [Arc<Effective>]) -> Matrix<'a> {
        let mut next: Vec<_> = effective.iter().map(|target| target.settings.iter().peekable()).collect();
        let mut rows = Vec::new();
        while let Some(key) = next.iter_mut().filter_map(|settings| settings.peek().map(|setting| &setting.key)).min() {
            let cells: Vec<_> =
                next.iter_mut().map(|settings| settings.next_if(|setting| setting.key == *key)).collect();
            rows.push(Row { key, contrast: contrast(&cells), cells });
        }
        Matrix { targets: effective.iter().map(|effective| &effective.target).collect(), rows }
    }

    /// Returns how many rows are of a kind.
    pub fn count(&self, contrast: Contrast) -> usize {
        self.rows.iter().filter(|row| row.contrast == contrast).count()
    }
}

fn contrast(cells: &[Option<&Setting>]) -> Contrast {
    let mut set = cells.iter().flatten();
    let Some(first) = set.next() else { return Contrast::Common };
    let layers = |setting: &Setting| setting.values.iter().map(|value| value.origin.layer.clone()).collect::<Vec<_>>();
    let is_same_layer = |other: &Setting| {
        other.values.iter().zip(&first.values).all(|(a, b)| Arc::ptr_eq(&a.origin.layer, &b.origin.layer))
            || layers(other) == layers(first)
    };
    if !set.clone().all(|other| other.is_same_value(first)) {
        Contrast::Differs
    } else if cells.iter().any(Option::is_none) {
        Contrast::Only
    } else if set.all(|other| is_same_layer(other)) {
        Contrast::Common
    } else {
        Contrast::Layers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{Origin, Value};

    fn effective(target: &str, settings: &[(&str, &str, &str)]) -> Arc<Effective> {
        let setting = |&(key, text, layer): &(&str, &str, &str)| Setting {
            key: key.into(),
            values: vec![Value {
                text: text.into(),
                origin: Origin { file: "f".into(), line: 1, layer: layer.into() },
            }],
        };
        Arc::new(Effective {
            target: Target::new(target).unwrap(),
            settings: settings.iter().map(setting).collect(),
            files: Vec::new(),
            warnings: Vec::new(),
        })
    }

    #[test]
    fn settings_are_told_apart_by_how_targets_differ() {
        let targets = [
            effective("switch", &[("a", "1", "p"), ("b", "1", "p"), ("c", "1", "p"), ("d", "1", "p")]),
            effective("ps5", &[("a", "1", "p"), ("b", "2", "p"), ("c", "1", "q"), ("e", "1", "p")]),
        ];
        let matrix = Matrix::new(&targets);
        let rows: Vec<_> = matrix.rows.iter().map(|row| (&**row.key, row.contrast)).collect();
        let expected = [
            ("a", Contrast::Common),
            ("b", Contrast::Differs),
            ("c", Contrast::Layers),
            ("d", Contrast::Only),
            ("e", Contrast::Only),
        ];
        assert_eq!(rows, expected);
        assert_eq!((matrix.count(Contrast::Only), matrix.targets[1].to_string().as_str()), (2, "ps5"));
    }
}
