//! Unreal's layers of INI files (`Misc/ConfigCacheIni.cpp`, `Misc/ConfigHierarchy.h`: `GConfigLayers`).
//!
//! What the engine brings itself is no part of a project, so values that only the engine sets are not told. Layers of
//! users and of `Saved` are one machine's, and are left out.

use super::{Merge, Rules};
use crate::error::Result;
use crate::platform::formats::ini::Sign;
use crate::platform::formats::{Format, Parsed};
use crate::platform::layout::{Files, Finder, join_path};
use crate::platform::targets::{canonical, known, slug};
use crate::platform::{Origin, Target, Value};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

/// Platforms whose settings lie over those of another one, where the platform's own file does not say which.
const PARENTS: [(&str, &str); 6] = [
    ("linuxarm64", "linux"),
    ("tvos", "ios"),
    ("visionos", "ios"),
    ("xbox", "xboxcommon"),
    ("xboxone", "xboxcommon"),
    ("hololens", "windows"),
];

/// The most platforms that lie over each other.
const MAX_PARENTS: usize = 4;

/// The file in which a platform names the one below it.
const PLATFORM_INFO: &str = "DataDrivenPlatformInfo.ini";

#[derive(Default)]
pub(super) struct Unreal {
    spelling: OnceLock<HashMap<Arc<str>, Arc<str>>>,
}

/// One file of a layer.
struct Layer<'a> {
    path: &'a str,
    /// `Engine`, `Game`, `Input` and so on, as the file's name has it.
    category: &'a str,
    layer: &'static str,
}

impl Rules for Unreal {
    fn name(&self) -> &'static str {
        "unreal"
    }

    fn find(&self, finder: &mut Finder<'_>) -> Result<()> {
        finder.take("", |name| name.ends_with(".uproject"))?;
        finder.take("Config", is_ini)?;
        for folder in finder.folders_in("Config")? {
            match folder.eq_ignore_ascii_case("Custom") {
                true => find_customs(finder, &format!("Config/{folder}"))?,
                false => find_platform(finder, &format!("Config/{folder}"))?,
            }
        }
        for folder in finder.folders_in("Platforms")? {
            find_platform(finder, &format!("Platforms/{folder}/Config"))?;
        }
        Ok(())
    }

    fn targets(&self, files: &Files<'_>) -> Result<Vec<Target>> {
        let mut platforms: BTreeSet<String> = folders(files).map(|(_, platform)| platform).collect();
        // What is only shared by other platforms is none.
        platforms.remove("xboxcommon");
        for path in files.below("").filter(|path| path.ends_with(".uproject") && !path.contains('/')) {
            if let Some((_, parsed)) = files.parsed(path, Format::Json)?
                && let Parsed::Flat(flat) = &*parsed
            {
                let named = flat.entries.iter().filter(|entry| &*entry.key == "TargetPlatforms[]");
                platforms.extend(named.map(|entry| canonical(&entry.value)));
            }
        }
        if let Some((_, parsed)) = files.parsed("Config/DefaultEngine.ini", Format::UnrealIni)?
            && let Parsed::Unreal(file) = &*parsed
        {
            platforms.extend(file.lines.iter().filter_map(|line| platform_of_section(&line.key)).map(str::to_owned));
        }
        if platforms.is_empty() {
            // A project that names none is at least what its editor runs on most often.
            platforms.insert("windows".to_owned());
        }
        let customs: BTreeSet<&str> = files.below("Config/Custom/").filter_map(|path| path.split('/').nth(2)).collect();
        let variants = platforms.iter().flat_map(|platform| {
            let plain = Target::found(platform, None);
            plain.into_iter().chain(customs.iter().filter_map(|custom| Target::found(platform, Some(custom))))
        });
        Ok(variants.collect())
    }

    fn merge(&self, files: &Files<'_>, target: &Target, merge: &mut Merge) -> Result<()> {
        let spelling = match self.spelling.get() {
            Some(spelling) => spelling,
            None => {
                let spelling = spelling(files)?;
                self.spelling.get_or_init(|| spelling)
            }
        };
        let mut values: HashMap<Arc<str>, HashMap<Arc<str>, Vec<Value>>> = HashMap::new();
        for Layer { path, category, layer } in layers(files, target)? {
            let Some((file, parsed)) = files.parsed(path, Format::UnrealIni)? else { continue };
            let Parsed::Unreal(ini) = &*parsed else { continue };
            let layer: Arc<str> = layer.into();
            let category = values.entry(category.to_lowercase().into()).or_default();
            for line in &ini.lines {
                let values = category.entry(line.folded.clone()).or_default();
                let origin = || Origin { file: file.clone(), line: line.line, layer: layer.clone() };
                let value = || Value { text: line.value.clone(), origin: origin() };
                match line.sign {
                    Sign::Set => match values.last_mut() {
                        Some(last) => *last = value(),
                        None => values.push(value()),
                    },
                    Sign::AddNew if values.iter().any(|value| value.text == line.value) => {}
                    Sign::AddNew | Sign::Add => values.push(value()),
                    Sign::Remove => {
                        if let Some(index) = values.iter().position(|value| value.text == line.value) {
                            values.remove(index);
                        }
                    }
                    Sign::Clear => values.clear(),
                }
            }
            merge.files.push(file);
        }
        for (category, settings) in values {
            let category = spelling.get(&category).unwrap_or(&category);
            for (folded, values) in settings.into_iter().filter(|(_, values)| !values.is_empty()) {
                let key = spelling.get(&folded).unwrap_or(&folded);
                merge.set(format!("{category}/{key}"), values);
            }
        }
        Ok(())
    }
}

fn is_ini(name: &str) -> bool {
    name.len() > 4 && name.is_char_boundary(name.len() - 4) && name[name.len() - 4..].eq_ignore_ascii_case(".ini")
}

fn find_customs(finder: &mut Finder<'_>, folder: &str) -> Result<()> {
    for custom in finder.folders_in(folder)? {
        finder.take(&format!("{folder}/{custom}"), is_ini)?;
    }
    Ok(())
}

/// Takes the files of a folder that is of a platform: others, such as `Localization`, have no file that starts with the
/// folder's name.
fn find_platform(finder: &mut Finder<'_>, folder: &str) -> Result<()> {
    let platform = platform_folder(folder).to_lowercase();
    finder.take(folder, |name| is_ini(name) && is_of_platform(name, &platform))?;
    if finder.folders_in(folder)?.iter().any(|name| name == "Custom") {
        find_customs(finder, &join_path(folder, "Custom"))?;
    }
    Ok(())
}

/// Returns the platform's own name for itself in `Config/<P>` and `Platforms/<P>/Config`.
fn platform_folder(folder: &str) -> &str {
    folder.split('/').nth(1).unwrap_or_default()
}

fn is_of_platform(name: &str, platform: &str) -> bool {
    let name = name.to_lowercase();
    [platform, &format!("default{platform}"), &format!("generated{platform}")]
        .iter()
        .any(|start| name.starts_with(start))
        || name == PLATFORM_INFO.to_lowercase()
}

/// Returns the folders of platforms, with the one name of each platform.
fn folders<'a>(files: &'a Files<'_>) -> impl Iterator<Item = (&'a str, String)> {
    let mut last = "";
    files.below("Config/").chain(files.below("Platforms/")).filter_map(move |path| {
        let (folder, _) = path.rsplit_once('/')?;
        let depth = folder.split('/').count();
        let is_platform = match folder.starts_with("Config/") {
            true => depth == 2 && !platform_folder(folder).eq_ignore_ascii_case("Custom"),
            false => depth == 3,
        };
        let is_new = is_platform && folder != last;
        last = folder;
        is_new.then(|| (folder, canonical(platform_folder(folder))))
    })
}

/// Returns the layers of `target`, lowest first.
fn layers<'a>(files: &'a Files<'_>, target: &Target) -> Result<Vec<Layer<'a>>> {
    let mut layers = Vec::new();
    let is_variant = |name: &str| target.variant().is_some_and(|variant| slug(name) == variant);
    add(&mut layers, files, "Config", "Default", "project");
    add(&mut layers, files, "Config", "Generated", "generated");
    let customs: BTreeSet<&str> =
        files.below("Config/Custom/").filter_map(|path| path.rsplit_once('/')).map(|(folder, _)| folder).collect();
    let custom = customs.into_iter().find(|folder| is_variant(folder.rsplit('/').next().unwrap_or_default()));
    if let Some(folder) = custom {
        add(&mut layers, files, folder, "Default", "custom");
    }
    let chain = chain(files, target.platform())?;
    for (index, platform) in chain.iter().enumerate() {
        let layer = if index + 1 == chain.len() { "platform" } else { "parent platform" };
        for (folder, _) in folders(files).filter(|(_, name)| name == platform) {
            let name = platform_folder(folder);
            add(&mut layers, files, folder, name, layer);
            add(&mut layers, files, folder, &format!("Generated{name}"), "platform generated");
            let mut customs = files
                .below(&format!("{folder}/Custom/"))
                .filter_map(|path| path.rsplit_once('/'))
                .map(|(folder, _)| folder);
            if let Some(folder) = customs.find(|folder| is_variant(folder.rsplit('/').next().unwrap_or_default())) {
                add(&mut layers, files, folder, name, "platform custom");
            }
        }
    }
    Ok(layers)
}

/// Adds the files of `folder` itself whose names start with `start`.
fn add<'a>(layers: &mut Vec<Layer<'a>>, files: &'a Files<'_>, folder: &str, start: &str, layer: &'static str) {
    for path in files.below(&format!("{folder}/")) {
        let name = &path[folder.len() + 1..];
        if name.contains('/') || name.len() < start.len() + 4 || name.eq_ignore_ascii_case(PLATFORM_INFO) {
            continue;
        }
        if name.get(..start.len()).is_some_and(|first| first.eq_ignore_ascii_case(start)) {
            let category = &name[start.len()..name.len() - 4];
            layers.push(Layer { path, category, layer });
        }
    }
}

/// Returns `platform` after those that its settings lie over.
fn chain(files: &Files<'_>, platform: &str) -> Result<Vec<String>> {
    let mut chain = vec![platform.to_owned()];
    while chain.len() <= MAX_PARENTS {
        let last = &chain[chain.len() - 1];
        let declared = declared_parent(files, last)?;
        let built_in = || PARENTS.iter().find(|(name, _)| name == last).map(|(_, parent)| (*parent).to_owned());
        match declared.or_else(built_in) {
            Some(parent) if !chain.contains(&parent) => chain.push(parent),
            _ => break,
        }
    }
    chain.reverse();
    Ok(chain)
}

fn declared_parent(files: &Files<'_>, platform: &str) -> Result<Option<String>> {
    for (folder, _) in folders(files).filter(|(_, name)| name == platform) {
        let Some((_, parsed)) = files.parsed(&join_path(folder, PLATFORM_INFO), Format::UnrealIni)? else { continue };
        let Parsed::Unreal(ini) = &*parsed else { continue };
        if let Some(line) = ini.lines.iter().find(|line| &*line.folded == "[datadrivenplatforminfo]/iniparent") {
            return Ok(Some(canonical(&line.value)).filter(|parent| !parent.is_empty()));
        }
    }
    Ok(None)
}

/// Returns the platform that a section such as `[/Script/AndroidRuntimeSettings.AndroidRuntimeSettings]` is about.
fn platform_of_section(key: &str) -> Option<&'static str> {
    let module = key.strip_prefix("[/Script/")?.split('.').next()?;
    let name = module.strip_suffix("RuntimeSettings").or_else(|| module.strip_suffix("TargetPlatform"))?;
    known(name)
}

/// Returns how each key and category is written first, in the project's own files if it is there: the engine does not tell
/// them apart by case, and two platforms may write them each in its own way. What is all in lower case gives way.
fn spelling(files: &Files<'_>) -> Result<HashMap<Arc<str>, Arc<str>>> {
    let mut spelling: HashMap<Arc<str>, Arc<str>> = HashMap::new();
    let all = files.below("Config/Default").chain(files.below("Config/")).chain(files.below("Platforms/"));
    for path in all.filter(|path| is_ini(path)) {
        if let Some(category) = path.strip_prefix("Config/Default").filter(|rest| !rest.contains('/')) {
            let category = &category[..category.len() - 4];
            spelling.entry(category.to_lowercase().into()).or_insert_with(|| category.into());
        }
        let Some((_, parsed)) = files.parsed(path, Format::UnrealIni)? else { continue };
        let Parsed::Unreal(ini) = &*parsed else { continue };
        for line in ini.lines.iter().filter(|line| line.folded != line.key) {
            spelling.entry(line.folded.clone()).or_insert_with(|| line.key.clone());
        }
    }
    Ok(spelling)
}
