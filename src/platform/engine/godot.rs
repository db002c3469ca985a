//! Godot's project settings with their overrides for features, and the options of export presets
//! (`core/project_settings.cpp` of 3, `core/config/project_settings.cpp` of 4; `platform/*/export`).

use super::{Merge, Rules};
use crate::error::Result;
use crate::platform::formats::{Entry, Flat, Format, Parsed};
use crate::platform::layout::{Files, Finder};
use crate::platform::targets::canonical;
use crate::platform::{Origin, Target, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const PROJECT: &str = "project.godot";
const OVERRIDE: &str = "override.cfg";
const PRESETS: &str = "export_presets.cfg";

/// Says how the project's file is written; the engine keeps it apart from the settings.
const VERSION: &str = "config_version";

/// The version of projects from Godot 4 on.
const VERSION_4: u32 = 5;

pub(super) struct Godot;

/// An export preset.
#[derive(Default)]
struct Preset {
    /// Its fields, without quotes.
    fields: BTreeMap<String, String>,
    entries: Vec<Entry>,
}

impl Preset {
    fn field(&self, key: &str) -> &str {
        self.fields.get(key).map_or("", String::as_str)
    }

    fn is_set(&self, key: &str) -> bool {
        self.field(key) == "true"
    }
}

impl Rules for Godot {
    fn name(&self) -> &'static str {
        "godot"
    }

    fn find(&self, finder: &mut Finder<'_>) -> Result<()> {
        finder.take("", |name| [PROJECT, OVERRIDE, PRESETS].contains(&name)).map(drop)
    }

    fn targets(&self, files: &Files<'_>) -> Result<Vec<Target>> {
        let mut targets: Vec<Target> = presets(files)?.into_iter().map(|(target, _)| target).collect();
        let Some((_, parsed)) = files.parsed(PROJECT, Format::Variants)? else { return Ok(targets) };
        for entry in entries(&parsed) {
            // Only features that are platforms: anybody may name one of his own.
            let features = entry.key.split('.').skip(1).filter_map(crate::platform::targets::known);
            targets.extend(features.filter_map(|platform| Target::found(platform, None)));
        }
        Ok(targets)
    }

    fn merge(&self, files: &Files<'_>, target: &Target, merge: &mut Merge) -> Result<()> {
        let preset = presets(files)?.into_iter().find(|(other, _)| other == target).map(|(_, preset)| preset);
        let project = files.parsed(PROJECT, Format::Variants)?;
        let is_4 = project.as_ref().is_some_and(|(_, parsed)| version(parsed) >= VERSION_4);
        let features = features(target.platform(), preset.as_ref(), is_4);
        // Each with the entries of its file: the engine reads both files as one, in this order.
        let mut properties = Properties::default();
        let override_file = files.parsed(OVERRIDE, Format::Variants)?;
        for ((file, parsed), layer) in
            project.iter().map(|read| (read, "project")).chain(override_file.iter().map(|read| (read, "override")))
        {
            merge.files.push(file.clone());
            for entry in entries(parsed) {
                properties.set(entry, file, layer);
            }
        }
        properties.merge(&features, is_4, merge);
        if let (Some(preset), Some((file, _))) = (preset, files.parsed(PRESETS, Format::Variants)?) {
            merge.files.push(file.clone());
            for entry in preset.entries {
                let origin = Origin { file: file.clone(), line: entry.line, layer: "preset".into() };
                merge.set(format!("export/{}", entry.key), vec![Value { text: entry.value, origin }]);
            }
        }
        Ok(())
    }
}

fn entries(parsed: &Parsed) -> &[Entry] {
    match parsed {
        Parsed::Flat(Flat { entries, .. }) => entries,
        _ => &[],
    }
}

fn version(project: &Parsed) -> u32 {
    let entry = entries(project).iter().find(|entry| &*entry.key == VERSION);
    entry.and_then(|entry| entry.value.parse().ok()).unwrap_or_default()
}

/// Properties as the engine keeps them: by name, each in the place where it came first.
#[derive(Default)]
struct Properties {
    values: BTreeMap<Arc<str>, Value>,
    /// For each plain name, the names with features in the order in which they were set.
    overrides: BTreeMap<String, Vec<Arc<str>>>,
}

impl Properties {
    fn set(&mut self, entry: &Entry, file: &Arc<str>, layer: &str) {
        if let Some((plain, _)) = entry.key.split_once('.') {
            self.overrides.entry(plain.to_owned()).or_default().push(entry.key.clone());
        }
        let origin = Origin { file: file.clone(), line: entry.line, layer: layer.into() };
        self.values.insert(entry.key.clone(), Value { text: entry.value.clone(), origin });
    }

    /// Gives each plain name the value that the engine answers with.
    fn merge(&self, features: &BTreeSet<String>, is_4: bool, merge: &mut Merge) {
        let is_met = |name: &&Arc<str>| name.split('.').skip(1).any(|feature| features.contains(feature.trim()));
        for (name, value) in self.values.iter().filter(|(name, _)| !name.contains('.') && &***name != VERSION) {
            merge.set(name.clone(), vec![value.clone()]);
        }
        for (plain, names) in &self.overrides {
            // Godot 4 takes the first that is met, Godot 3 the last.
            let found = if is_4 { names.iter().find(is_met) } else { names.iter().rfind(is_met) };
            let Some(name) = found else { continue };
            let mut value = self.values[name].clone();
            value.origin.layer = format!("{} feature", value.origin.layer).into();
            merge.set(plain.as_str(), vec![value]);
        }
    }
}

/// Returns the export presets with their targets: the first of a platform is the platform, others are variants.
fn presets(files: &Files<'_>) -> Result<Vec<(Target, Preset)>> {
    let Some((_, parsed)) = files.parsed(PRESETS, Format::Variants)? else { return Ok(Vec::new()) };
    let mut presets: BTreeMap<u32, Preset> = BTreeMap::new();
    for entry in entries(&parsed) {
        let Some((number, key)) = entry.key.strip_prefix("preset.").and_then(|rest| rest.split_once(['/', '.'])) else {
            continue;
        };
        let Ok(number) = number.parse() else { continue };
        let preset = presets.entry(number).or_default();
        // It is `name` or, of the section `preset.0.options`, `options/name`.
        preset.fields.insert(key.to_owned(), unquoted(&entry.value));
        preset.entries.push(Entry { key: key.into(), ..entry.clone() });
    }
    let mut targets = Vec::new();
    let mut platforms = BTreeSet::new();
    for preset in presets.into_values() {
        let platform = canonical(preset.field("platform"));
        let variant = (!platforms.insert(platform.clone())).then(|| preset.field("name"));
        targets.extend(Target::found(&platform, variant).map(|target| (target, preset)));
    }
    Ok(targets)
}

fn unquoted(value: &str) -> String {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value).to_owned()
}

/// Returns the features of an exported game, built for release.
fn features(platform: &str, preset: Option<&Preset>, is_4: bool) -> BTreeSet<String> {
    let mut features: BTreeSet<String> = ["release"].map(str::to_owned).into();
    features.insert(if is_4 { "template" } else { "standalone" }.to_owned());
    let mut add = |names: &[&str]| features.extend(names.iter().map(|name| (*name).to_owned()));
    add(match (platform, is_4) {
        ("windows", false) => &["Windows", "pc", "s3tc"],
        ("windows", true) => &["windows", "pc", "s3tc", "bptc"],
        ("linux", false) => &["X11", "pc", "s3tc"],
        ("linux", true) => &["linux", "linuxbsd", "pc", "s3tc", "bptc"],
        ("macos", false) => &["OSX", "pc", "s3tc"],
        ("macos", true) => &["macos", "pc", "s3tc", "bptc"],
        ("uwp", _) => &["UWP", "pc", "s3tc"],
        ("android", false) => &["Android", "mobile", "etc", "etc2"],
        ("android", true) => &["android", "mobile", "etc2", "astc"],
        ("ios", false) => &["iOS", "mobile", "etc", "etc2", "pvrtc"],
        ("ios", true) => &["ios", "mobile", "etc2", "astc"],
        ("web", false) => &["HTML5", "JavaScript", "web", "etc", "s3tc"],
        ("web", true) => &["web", "s3tc", "etc2"],
        _ => &[],
    });
    if !["windows", "linux", "macos", "uwp", "android", "ios", "web"].contains(&platform) {
        // Consoles come from others, who name the feature as the platform.
        features.insert(platform.to_owned());
    }
    add_architecture(&mut features, platform, preset, is_4);
    if is_4 && platform == "web" {
        let has_threads = preset.is_some_and(|preset| preset.is_set("options/variant/thread_support"));
        features.insert(if has_threads { "threads" } else { "nothreads" }.to_owned());
    }
    if is_4 {
        features.insert("single".to_owned());
    }
    let custom = preset.map_or("", |preset| preset.field("custom_features"));
    features.extend(custom.split(',').map(|feature| feature.trim().to_owned()).filter(|feature| !feature.is_empty()));
    features
}

fn add_architecture(features: &mut BTreeSet<String>, platform: &str, preset: Option<&Preset>, is_4: bool) {
    let field = |key| preset.map_or("", |preset| preset.field(key));
    let names: &[&str] = match platform {
        "web" if is_4 => &["32", "wasm32", "wasm"],
        "web" => &["32"],
        "android" | "ios" => {
            let is_32_only = field("options/architectures/arm64-v8a") == "false";
            if is_32_only { &["32", "arm32", "arm", "armeabi-v7a"] } else { &["64", "arm64", "arm", "arm64-v8a"] }
        }
        _ if field("options/binary_format/64_bits") == "false" => &["32", "x86_32", "x86"],
        _ => match field("options/binary_format/architecture") {
            "x86_32" => &["32", "x86_32", "x86"],
            "arm64" => &["64", "arm64", "arm"],
            "arm32" => &["32", "arm32", "arm"],
            _ => &["64", "x86_64", "x86"],
        },
    };
    features.extend(names.iter().map(|name| (*name).to_owned()));
}
