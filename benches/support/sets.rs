//! Sets of versions: a project as it was at some points of its life, one folder a point.

use super::files;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Projects that change a little from state to state, of which the sums are told. Left out are what nothing can make
/// smaller (encrypted files, whole bundles in LZMA) and what hides the others by its size or its ease (Blender's files).
const ITERATING: [&str; 16] = [
    "apk",
    "ogg",
    "pak_5pct",
    "pak_5pct_reord",
    "save_sqlite",
    "sobuild",
    "tex_dds",
    "tex_png",
    "tex_psd",
    "tex_tga",
    "tex_tgarle",
    "unity_lz4",
    "wav",
    "xcf",
    "zip_5pct",
    "zip_5pct_reord",
];

/// The versions of one project, the oldest first.
pub struct Set {
    pub name: String,
    pub versions: Vec<PathBuf>,
}

impl Set {
    pub fn is_iterating(&self) -> bool {
        ITERATING.contains(&self.name.as_str())
    }
}

/// The sets in the folders that `GAMEVAULT_SETS` names (several are parted by `:`), all or those named on the command line.
pub fn sets() -> Vec<Set> {
    let roots =
        std::env::var_os("GAMEVAULT_SETS").expect("GAMEVAULT_SETS names a folder of sets, each one of versions");
    let names: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let mut sets = Vec::new();
    for root in std::env::split_paths(&roots) {
        for set in folders(&root) {
            let name = set.file_name().expect("a folder below another has a name").to_string_lossy().into_owned();
            if names.is_empty() || names.contains(&name) {
                match files(&set).1 {
                    0 => eprintln!("{name} is empty and left out"),
                    _ => sets.push(Set { name, versions: folders(&set) }),
                }
            }
        }
    }
    assert!(!sets.is_empty(), "there is no set of such a name in {}", roots.display());
    sets
}

/// The folders in a folder, by name.
pub fn folders(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).unwrap_or_else(|error| panic!("{} cannot be listed: {error}", root.display()));
    let paths = entries.map(|entry| entry.expect("the folder can be listed").path());
    let mut folders: Vec<PathBuf> = paths.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// The hashes of a version's files by their paths, to tell what has changed in the next one.
#[derive(Default)]
pub struct Hashes(HashMap<PathBuf, blake3::Hash>);

impl Hashes {
    /// Takes the hashes of `version` in place of those of the version before; returns the bytes of all its files, and of
    /// those that are new or have another content.
    pub fn step(&mut self, version: &Path) -> (u64, u64) {
        let (paths, bytes) = files(version);
        let mut changed = 0;
        let mut hashes = HashMap::new();
        for path in paths {
            let name = path.strip_prefix(version).expect("it was found below").to_path_buf();
            let plain = fs::read(&path).expect("the file can be read");
            let hash = blake3::hash(&plain);
            if self.0.get(&name) != Some(&hash) {
                changed += plain.len() as u64;
            }
            hashes.insert(name, hash);
        }
        self.0 = hashes;
        (bytes, changed)
    }
}
