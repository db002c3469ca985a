//! Unity's project settings and build profiles (Unity's manual; `BuildTarget` and `BuildTargetGroup` of the scripting
//! reference).
//!
//! One file has the values of all platforms, told apart in four ways: by the start of a key, by a mapping whose keys are
//! platforms, by a list whose elements name theirs, and by the quality level that a platform starts with.

use super::{Merge, Rules};
use crate::error::Result;
use crate::platform::formats::unity_yaml::{Data, Node, UnityFile, parse_mapping};
use crate::platform::formats::{Format, Parsed, join};
use crate::platform::layout::{Files, Finder, join_path};
use crate::platform::targets::{canonical, known, slug};
use crate::platform::{Family, MAX_DEPTH, Origin, Target, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

const SETTINGS: &str = "ProjectSettings";
const PROFILES: &str = "Build Profiles";

/// How deep in `Assets` build profiles are looked for; the editor makes `Assets/Settings/Build Profiles`.
const PROFILE_DEPTH: usize = 3;

/// What keys that belong to one platform start with.
const PREFIXES: [(&str, &str); 17] = [
    ("Android", "android"),
    ("android", "android"),
    ("iOS", "ios"),
    ("iPhone", "ios"),
    ("tvOS", "tvos"),
    ("visionOS", "visionos"),
    ("VisionOS", "visionos"),
    ("macOS", "macos"),
    ("switch", "switch"),
    ("ps4", "ps4"),
    ("ps5", "ps5"),
    ("XboxOne", "xboxone"),
    ("xboxOne", "xboxone"),
    ("metro", "uwp"),
    ("webGL", "web"),
    ("psp2", "psp2"),
    ("n3ds", "n3ds"),
];

/// `BuildTargetGroup`, as the keys of old mappings have it.
const GROUPS: [(&str, &str); 19] = [
    ("1", "Standalone"),
    ("4", "ios"),
    ("7", "android"),
    ("13", "web"),
    ("14", "uwp"),
    ("17", "tizen"),
    ("18", "psp2"),
    ("19", "ps4"),
    ("21", "xboxone"),
    ("23", "n3ds"),
    ("24", "wiiu"),
    ("25", "tvos"),
    ("27", "switch"),
    ("28", "lumin"),
    ("29", "stadia"),
    ("31", "xbox"),
    ("32", "xboxone"),
    ("33", "ps5"),
    ("36", "visionos"),
];

/// `BuildTarget`, as build profiles have it.
const BUILD_TARGETS: [(&str, &str); 17] = [
    ("2", "macos"),
    ("5", "windows"),
    ("9", "ios"),
    ("13", "android"),
    ("19", "windows"),
    ("20", "web"),
    ("21", "uwp"),
    ("24", "linux"),
    ("31", "ps4"),
    ("33", "xboxone"),
    ("37", "tvos"),
    ("38", "switch"),
    ("42", "xbox"),
    ("43", "xboxone"),
    ("44", "ps5"),
    ("47", "visionos"),
    ("48", "switch2"),
];

/// Names that stand for no single platform of this program's, and are keys of mappings nevertheless.
const OTHER_NAMES: [&str; 12] = [
    "Standalone",
    "Server",
    "Tizen",
    "PSP2",
    "N3DS",
    "Nintendo 3DS",
    "WiiU",
    "Lumin",
    "Stadia",
    "CloudRendering",
    "EmbeddedLinux",
    "QNX",
];

pub(super) struct Unity;

impl Rules for Unity {
    fn name(&self) -> &'static str {
        "unity"
    }

    fn find(&self, finder: &mut Finder<'_>) -> Result<()> {
        finder.take(SETTINGS, |name| name.ends_with(".asset"))?;
        let mut open = vec![("Assets".to_owned(), 0)];
        while let Some((folder, depth)) = open.pop() {
            for name in finder.folders_in(&folder)? {
                let below = join_path(&folder, &name);
                if name == PROFILES {
                    finder.take(&below, |name| name.ends_with(".asset"))?;
                } else if depth + 1 < PROFILE_DEPTH {
                    open.push((below, depth + 1));
                }
            }
        }
        Ok(())
    }

    fn targets(&self, files: &Files<'_>) -> Result<Vec<Target>> {
        let mut platforms: BTreeSet<String> = ["windows", "linux", "macos"].map(str::to_owned).into();
        let mut targets = Vec::new();
        for (_, parsed) in read(files, files.below("ProjectSettings/ProjectSettings.asset"))? {
            let body = file(&parsed).documents.first().map(|document| &document.body);
            // What every new project has for all platforms tells nothing; these are written for those that are used.
            for key in ["applicationIdentifier", "scriptingBackend", "scriptingDefineSymbols"] {
                let named = body.and_then(|body| body.get(key)).map_or(&[][..], Node::entries);
                let used = named.iter().filter(|(_, value)| !value.text().is_empty());
                platforms.extend(used.filter_map(|(name, _)| platform_of(name)).map(str::to_owned));
            }
        }
        for (path, profile) in profiles(files)? {
            if let Some(platform) = profile_platform(file(&profile)) {
                platforms.insert(platform.to_owned());
                targets.extend(Target::found(platform, Some(profile_name(path))));
            }
        }
        targets.extend(platforms.iter().filter_map(|platform| Target::found(platform, None)));
        Ok(targets)
    }

    fn merge(&self, files: &Files<'_>, target: &Target, merge: &mut Merge) -> Result<()> {
        for path in files.below("ProjectSettings/") {
            let Some((path, parsed)) = files.parsed(path, Format::UnityYaml)? else { continue };
            merge.files.push(path.clone());
            let mut seen = BTreeSet::new();
            for document in &file(&parsed).documents {
                let is_new = seen.insert(&document.class);
                let class = if is_new { document.class.clone() } else { format!("{}&{}", document.class, document.id) };
                let mut writer = Writer { target, file: &path, layer: "project", merge };
                match document.class.as_str() {
                    "QualitySettings" => writer.quality(&document.body),
                    _ => writer.settings(&class, &document.body),
                }
            }
        }
        let Some(variant) = target.variant() else { return Ok(()) };
        for (path, parsed) in profiles(files)? {
            if profile_platform(file(&parsed)) == Some(target.platform()) && slug(profile_name(path)) == variant {
                let Some((path, _)) = files.parsed(path, Format::UnityYaml)? else { continue };
                merge.files.push(path.clone());
                Writer { target, file: &path, layer: "profile", merge }.profile(file(&parsed));
            }
        }
        Ok(())
    }
}

type ReadFile<'a> = (&'a str, Arc<Parsed>);

fn read<'a>(files: &Files<'_>, paths: impl Iterator<Item = &'a str>) -> Result<Vec<ReadFile<'a>>> {
    let mut all = Vec::new();
    for path in paths {
        all.extend(files.parsed(path, Format::UnityYaml)?.map(|(_, parsed)| (path, parsed)));
    }
    Ok(all)
}

fn profiles<'a>(files: &'a Files<'_>) -> Result<Vec<ReadFile<'a>>> {
    read(files, files.below("Assets/"))
}

fn file(parsed: &Parsed) -> &UnityFile {
    static NONE: UnityFile = UnityFile { documents: Vec::new(), warnings: Vec::new() };
    match parsed {
        Parsed::Unity(file) => file,
        _ => &NONE,
    }
}

fn profile_name(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(".asset").unwrap_or(name)
}

fn profile_body(file: &UnityFile) -> Option<&Node> {
    file.documents.iter().map(|document| &document.body).find(|body| body.get("m_BuildTarget").is_some())
}

fn profile_platform(file: &UnityFile) -> Option<&'static str> {
    let number = profile_body(file)?.get("m_BuildTarget")?.text();
    BUILD_TARGETS.iter().find(|(known, _)| *known == number).map(|(_, platform)| *platform)
}

/// Returns the one platform that a key of a mapping is; `None` for those that are of several or of none.
fn platform_of(name: &str) -> Option<&'static str> {
    known(name).or_else(|| {
        let group = GROUPS.iter().find(|(number, _)| *number == name).map(|(_, platform)| *platform)?;
        (group != "Standalone").then_some(group)
    })
}

/// How well a name fits a platform: wholly, or as a name of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Group,
    Exact,
}

fn fit(name: &str, target: &Target) -> Option<Fit> {
    let group = GROUPS.iter().find(|(number, _)| *number == name).map_or(name, |(_, platform)| *platform);
    if group == "Standalone" {
        let is_standalone = target.family() == Family::Pc && target.platform() != "uwp";
        return is_standalone.then_some(Fit::Group);
    }
    (canonical(group) == target.platform()).then_some(Fit::Exact)
}

fn is_platform(name: &str) -> bool {
    known(name).is_some() || OTHER_NAMES.contains(&name)
}

/// Tells whether the keys of a mapping are platforms.
fn is_by_platform(entries: &[(String, Node)]) -> bool {
    let all = |is: fn(&str) -> bool| entries.iter().all(|(name, _)| is(name));
    !entries.is_empty() && (all(is_platform) || all(|name| GROUPS.iter().any(|(number, _)| *number == name)))
}

/// Returns the platform that a key belongs to by its start.
fn owner(key: &str) -> Option<&'static str> {
    let owns =
        |prefix: &str| key.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()));
    PREFIXES.iter().find(|(prefix, _)| owns(prefix)).map(|(_, platform)| *platform)
}

/// Writes what holds for one target.
struct Writer<'a> {
    target: &'a Target,
    file: &'a Arc<str>,
    layer: &'static str,
    merge: &'a mut Merge,
}

impl Writer<'_> {
    /// Writes an object of settings, of whatever class.
    fn settings(&mut self, key: &str, body: &Node) {
        for (name, node) in body.entries() {
            if owner(name).is_none_or(|owner| owner == self.target.platform()) {
                self.node(&join(key, name), node, 0);
            }
        }
        if body.entries().is_empty() {
            self.node(key, body, 0);
        }
    }

    fn node(&mut self, key: &str, node: &Node, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        match &node.data {
            Data::Text(text) => self.set(key, vec![(text, node.line)]),
            Data::Map(entries) if is_by_platform(entries) => {
                let fitting = entries.iter().filter_map(|(name, node)| Some((fit(name, self.target)?, node)));
                if let Some((fit, node)) = fitting.max_by_key(|(fit, _)| *fit) {
                    self.in_layer(layer_of(fit), |writer| writer.node(key, node, depth + 1));
                }
            }
            Data::Map(entries) => entries.iter().for_each(|(name, node)| self.node(&join(key, name), node, depth + 1)),
            Data::List(elements) if elements.iter().any(|element| element.get("m_BuildTarget").is_some()) => {
                self.by_build_target(key, elements, depth);
            }
            Data::List(elements) if elements.iter().all(|element| matches!(element.data, Data::Text(_))) => {
                self.set(key, elements.iter().map(|element| (element.text(), element.line)).collect());
            }
            Data::List(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    self.node(&format!("{key}[{index}]"), element, depth + 1);
                }
            }
        }
    }

    /// Writes the elements of a list that are the target's: those of its own name go before those of its group, and an
    /// element without a name is for all that have none.
    fn by_build_target(&mut self, key: &str, elements: &[Node], depth: usize) {
        let name = |element: &Node| element.get("m_BuildTarget").map_or("", Node::text).to_owned();
        for wanted in [Some(Fit::Exact), Some(Fit::Group), None] {
            let is_wanted = |element: &&Node| match wanted {
                None => name(element).is_empty(),
                fitting => fit(&name(element), self.target) == fitting,
            };
            let found: Vec<&Node> = elements.iter().filter(is_wanted).collect();
            if found.is_empty() {
                continue;
            }
            for (index, element) in found.iter().enumerate() {
                let key = if found.len() == 1 { key.to_owned() } else { format!("{key}[{index}]") };
                let layer = wanted.map_or(self.layer, layer_of);
                for (field, node) in element.entries().iter().filter(|(field, _)| field != "m_BuildTarget") {
                    self.in_layer(layer, |writer| writer.node(&join(&key, field), node, depth + 1));
                }
            }
            return;
        }
    }

    /// Writes the quality level that the target starts with, and the names of those that it has.
    fn quality(&mut self, body: &Node) {
        let levels = body.get("m_QualitySettings").map_or(&[][..], Node::elements);
        let defaults = body.get("m_PerPlatformDefaultQuality").map_or(&[][..], Node::entries);
        let own = defaults
            .iter()
            .filter_map(|(name, node)| Some((fit(name, self.target)?, node)))
            .max_by_key(|(fit, _)| *fit);
        let (layer, index) = match (own, body.get("m_CurrentQuality")) {
            (Some((fit, node)), _) => (layer_of(fit), Some(node)),
            (None, current) => (self.layer, current),
        };
        let is_left_out = |level: &Node| {
            let platforms = level.get("excludedTargetPlatforms").map_or(&[][..], Node::elements);
            platforms.iter().any(|platform| fit(platform.text(), self.target).is_some())
        };
        let names: Vec<_> =
            levels.iter().filter(|level| !is_left_out(level)).filter_map(|level| level.get("name")).collect();
        self.set("QualitySettings/levels", names.iter().map(|name| (name.text(), name.line)).collect());
        if let Some(index) = index {
            let level = index.text().parse().ok().and_then(|index: usize| levels.get(index));
            self.in_layer(layer, |writer| {
                let name = level.and_then(|level| level.get("name")).map_or(index.text(), Node::text);
                writer.set("QualitySettings/default", vec![(name, index.line)]);
                for (field, node) in level.map_or(&[][..], Node::entries).iter().filter(|(field, _)| field != "name") {
                    writer.node(&format!("QualitySettings/level/{field}"), node, 0);
                }
            });
        }
        let known = ["m_QualitySettings", "m_PerPlatformDefaultQuality", "m_CurrentQuality"];
        for (name, node) in body.entries().iter().filter(|(name, _)| !known.contains(&name.as_str())) {
            self.node(&format!("QualitySettings/{name}"), node, 0);
        }
    }

    /// Writes a build profile: its copy of the player's settings is instead of the project's, the rest beside them.
    fn profile(&mut self, file: &UnityFile) {
        let Some(body) = profile_body(file) else { return };
        let has = |key: &str| body.get(key).is_some_and(|node| node.text() == "1");
        for (name, node) in body.entries() {
            match name.as_str() {
                "m_PlayerSettingsYaml" => self.player_settings(node),
                "m_Scenes" if has("m_OverrideGlobalSceneList") || has("m_OverrideGlobalScenes") => {
                    self.merge.remove_below("EditorBuildSettings/m_Scenes");
                    self.node("EditorBuildSettings/m_Scenes", node, 0);
                }
                // References to objects by number, which change without a reason.
                "m_PlatformBuildProfile"
                | "m_Script"
                | "m_GameObject"
                | "m_CorrespondingSourceObject"
                | "m_PrefabInstance"
                | "m_PrefabAsset" => {}
                "references" => {
                    for reference in node.get("RefIds").map_or(&[][..], Node::elements) {
                        if let Some(data) = reference.get("data") {
                            self.node("BuildProfile/platform", data, 0);
                        }
                    }
                }
                _ => self.node(&join("BuildProfile", name), node, 0),
            }
        }
    }

    fn player_settings(&mut self, node: &Node) {
        let lines = node.get("m_Settings").map_or(&[][..], Node::elements);
        let lines: Vec<(u32, &str)> = lines
            .iter()
            .filter_map(|line| line.get("line"))
            .map(|line| {
                (line.line, line.text().strip_prefix("| ").unwrap_or_else(|| line.text().trim_start_matches('|')))
            })
            .collect();
        if lines.is_empty() {
            return;
        }
        let copy = parse_mapping(lines);
        self.merge.remove_below("PlayerSettings/");
        self.settings("PlayerSettings", copy.get("PlayerSettings").unwrap_or(&copy));
    }

    fn in_layer(&mut self, layer: &'static str, write: impl FnOnce(&mut Writer<'_>)) {
        let layer = if self.layer == "profile" { self.layer } else { layer };
        write(&mut Writer { target: self.target, file: self.file, layer, merge: self.merge });
    }

    fn set(&mut self, key: &str, values: Vec<(impl AsRef<str>, u32)>) {
        let layer: Arc<str> = self.layer.into();
        let value = |(text, line): (_, u32)| {
            let text: &str = AsRef::as_ref(&text);
            Value { text: text.into(), origin: Origin { file: self.file.clone(), line, layer: layer.clone() } }
        };
        let values = values.into_iter().map(|(text, line)| value((text.as_ref().to_owned(), line))).collect();
        self.merge.set(key, values);
    }
}

fn layer_of(fit: Fit) -> &'static str {
    match fit {
        Fit::Exact => "platform",
        Fit::Group => "platform group",
    }
}
