//! How engines lay the settings of a project over each other, each in its own file, and how a project declares it itself.

mod declared;
mod godot;
mod unity;
mod unreal;

use super::formats::Flat;
use super::layout::{Files, Finder};
use super::{Origin, Setting, Target, Value};
use crate::engines::Engine;
use crate::error::Result;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

pub(super) use declared::{RULES_FILE, declared};

/// What an engine knows of the settings of a project.
pub(super) trait Rules: Send + Sync {
    /// Returns the engine's name in JSON, or `declared`.
    fn name(&self) -> &'static str;

    /// Looks for all files that hold settings, of whatever target.
    fn find(&self, finder: &mut Finder<'_>) -> Result<()>;

    /// Returns the targets that the project names.
    fn targets(&self, files: &Files<'_>) -> Result<Vec<Target>>;

    /// Lays the settings for `target` over each other.
    fn merge(&self, files: &Files<'_>, target: &Target, merge: &mut Merge) -> Result<()>;
}

/// Returns what is known of an engine.
pub(super) fn of(engine: Engine) -> Box<dyn Rules> {
    match engine {
        Engine::Unreal => Box::new(unreal::Unreal::default()),
        Engine::Unity => Box::new(unity::Unity),
        Engine::Godot => Box::new(godot::Godot),
    }
}

/// Settings that are being laid over each other, lowest first.
#[derive(Default)]
pub(super) struct Merge {
    settings: BTreeMap<Arc<str>, Vec<Value>>,
    /// The files that had a part.
    pub files: Vec<Arc<str>>,
    pub warnings: Vec<String>,
}

impl Merge {
    /// Sets the values of a key, whatever they were.
    pub(super) fn set(&mut self, key: impl Into<Arc<str>>, values: Vec<Value>) {
        self.settings.insert(key.into(), values);
    }

    /// Removes all settings whose keys start with `prefix`.
    pub(super) fn remove_below(&mut self, prefix: &str) {
        let from = (std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded);
        let keys: Vec<Arc<str>> = self.settings.range::<str, _>(from).map(|(key, _)| key.clone()).collect();
        for key in keys.into_iter().take_while(|key| key.starts_with(prefix)) {
            self.settings.remove(&key);
        }
    }

    /// Lays a file over what is there; `prefix` stands before its keys. A list takes the place of a list.
    pub(super) fn add_flat(&mut self, prefix: &str, file: &Arc<str>, layer: &Arc<str>, flat: &Flat) {
        self.files.push(file.clone());
        let mut started = HashSet::new();
        for entry in &flat.entries {
            let origin = Origin { file: file.clone(), line: entry.line, layer: layer.clone() };
            let value = Value { text: entry.value.clone(), origin };
            // What is left of a longer list of structures would belong to nothing.
            if let Some((list, _)) = entry.key.split_once("[0]")
                && started.insert(list)
            {
                self.remove_below(&super::formats::join(prefix, &format!("{list}[")));
            }
            let Some(list) = entry.key.strip_suffix("[]") else {
                self.settings.insert(super::formats::join(prefix, &entry.key).into(), vec![value]);
                continue;
            };
            let key: Arc<str> = super::formats::join(prefix, list).into();
            let is_first = started.insert(list);
            match self.settings.get_mut(&key).filter(|_| !is_first) {
                Some(values) => values.push(value),
                None => drop(self.settings.insert(key, vec![value])),
            }
        }
    }

    /// Returns the settings in the order of their keys.
    pub(super) fn into_settings(self) -> impl Iterator<Item = Setting> {
        self.settings.into_iter().map(|(key, values)| Setting { key, values })
    }
}
