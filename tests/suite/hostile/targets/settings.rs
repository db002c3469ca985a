//! Files of settings, one by one and as the projects of engines.

use super::{Checker, DATA, Outcome, Target, numbered};
use gamevault::error::{Error, Result};
use gamevault::id::ChunkId;
use gamevault::platform::{self, Cache, FileId, Item, Layout, Matrix, Source, Target as Platform, show};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

pub const SETTINGS: Target = Target { name: "settings", memory: (32 << 10, 1 << 20), start: settings };
pub const PROJECTS: Target = Target { name: "projects", memory: (32 << 10, 8 << 20), start: projects };

/// Projects that are told with one cache: the files that were not changed are read once for all of them.
const TOLD_A_CACHE: u64 = 100;

/// A file for each format, with what it is called.
const FILES: [(&str, &str); 9] = [
    ("a.json", "{\"a\":{\"b\":[1,true,null,\"x\"]},// why\n\"c\":1.5e3,\"d\":\"\\u00e4\"}"),
    ("a.yaml", "a: &x\n  b: [1, two, {c: d}]\ne: *x\nf: |\n  text\n  more\n"),
    ("a.toml", "[a]\nb = 1\nc = \"x\"\n[[d]]\ne = 2026-05-01T10:00:00Z\nf.g = [1, 2]\n"),
    ("a.xml", "<?xml version=\"1.0\"?><a b=\"c\"><d>e &amp; f</d><d/><!-- g --><![CDATA[h]]></a>"),
    (
        "a.plist",
        "<plist><dict><key>a</key><string>b</string><key>c</key><array><true/><integer>3</integer></array></dict></plist>",
    ),
    ("a.ini", "; why\n[section]\nkey = value\n+list=1\nother: \"quoted\"\n"),
    ("a.properties", "a=b\\\n  c\nd\\ e : f\\u00e4\n! why\n"),
    (".env", "A=1\nexport B=\"x $A\"\n# why\nC='y'\n"),
    (
        "a.godot",
        "config_version=5\n[application]\nconfig/name=\"x\"\nlist=PackedStringArray(\"a\", \"b\")\nd={\n\"e\": Vector2(1, 2)\n}\n",
    ),
];

/// The first byte says what the file is called.
fn settings() -> Checker {
    let samples = numbered(FILES.map(|(_, text)| text.as_bytes().to_vec()));
    Checker::new(samples, |input| {
        let Some((&file, bytes)) = input.split_first() else { return Outcome::Refused };
        let (name, _) = FILES[usize::from(file) % FILES.len()];
        let flat = platform::settings(name, bytes).expect("the name tells a format");
        let said: usize = flat.entries.iter().map(|entry| entry.key.len()).sum();
        assert!(said <= (16 << 10) + bytes.len() * 8192, "keys of {said} bytes come of {}", bytes.len());
        if flat.warnings.is_empty() { Outcome::Decoded } else { Outcome::Refused }
    })
}

/// A project in memory.
struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    fn read_from(project: &Path) -> Files {
        let mut files = BTreeMap::new();
        let mut open = vec![(project.to_path_buf(), String::new())];
        while let Some((folder, path)) = open.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let path = format!("{path}{}", entry.file_name().to_str().unwrap());
                match entry.file_type().unwrap().is_dir() {
                    true => open.push((entry.path(), format!("{path}/"))),
                    false => drop(files.insert(path, fs::read(entry.path()).unwrap())),
                }
            }
        }
        Files(files)
    }
}

impl Source for Files {
    fn list(&self, path: &str) -> Result<Vec<Item>> {
        let folder = if path.is_empty() { String::new() } else { format!("{path}/") };
        let mut folders = BTreeSet::new();
        let mut items = Vec::new();
        for (path, bytes) in self.0.range(folder.clone()..).take_while(|(path, _)| path.starts_with(&folder)) {
            match path[folder.len()..].split_once('/') {
                Some((name, _)) => drop(folders.insert(name.to_owned())),
                None => {
                    let file = Some(FileId { id: ChunkId::of(bytes), size: bytes.len() as u64 });
                    items.push(Item { name: path[folder.len()..].to_owned(), file });
                }
            }
        }
        items.extend(folders.into_iter().map(|name| Item { name, file: None }));
        Ok(items)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or_else(|| Error::not_found(path.to_owned()))
    }
}

/// The first byte says the project, the second which of its files the rest is put in place of.
fn projects() -> Checker {
    const PROJECTS: [&str; 5] = ["unreal", "unity", "godot3", "godot4", "declared"];
    let mut projects = PROJECTS.map(|project| Files::read_from(&DATA.join("platforms").join(project)));
    let mut samples = Vec::new();
    for (number, project) in projects.iter().enumerate() {
        let files = project.0.values().enumerate().filter(|(_, bytes)| bytes.len() < 16 << 10);
        samples.extend(files.map(|(file, bytes)| [&[number as u8, file as u8], &bytes[..]].concat()));
    }
    let (mut cache, mut told) = (Cache::default(), 0);
    Checker::new(samples, move |input| {
        told += 1;
        if told % TOLD_A_CACHE == 0 {
            cache = Cache::default();
        }
        let Some((&[project, file], bytes)) = input.split_first_chunk() else { return Outcome::Refused };
        let source = &mut projects[usize::from(project) % PROJECTS.len()];
        let path = source.0.keys().nth(usize::from(file) % source.0.len()).unwrap().clone();
        let before = source.0.insert(path.clone(), bytes.to_vec()).unwrap();
        let outcome = tell(source, &cache);
        source.0.insert(path, before);
        outcome
    })
}

/// Tells all settings of a project, in all forms.
fn tell(source: &Files, cache: &Cache) -> Outcome {
    let layout = Layout::discover(source).unwrap();
    let mut targets = layout.targets(source, cache).unwrap();
    targets.truncate(2);
    targets.push(Platform::new("windows").unwrap());
    let all: Vec<_> = targets.iter().map(|target| layout.effective(source, cache, target).unwrap()).collect();
    for effective in &all {
        assert!(effective.settings.is_sorted_by(|a, b| a.key < b.key), "each key once, in their order");
        serde_json::from_str::<serde_json::Value>(&show::json(effective)).unwrap();
        let values: usize = effective.settings.iter().map(|setting| setting.values.len()).sum();
        assert_eq!(show::ini(effective).lines().count(), values);
    }
    show::csv(&Matrix::new(&all), Matrix::new(&all).rows.iter());
    if all.iter().all(|effective| !effective.settings.is_empty()) { Outcome::Decoded } else { Outcome::Refused }
}
