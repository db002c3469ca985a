//! Where the projects of a tree are, and which of their files hold settings.

use super::cache::Cache;
use super::engine::{self, Merge, Rules};
use super::formats::{Format, Parsed, join};
use super::{Effective, FileId, Item, MAX_FILE_LEN, MAX_FILES, Source, Target};
use crate::engines::Project;
use crate::error::Result;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// How far below the root a project is looked for.
const MAX_PROJECT_DEPTH: usize = 3;

/// The most folders that are looked into for projects, and again for the files of each.
const MAX_FOLDERS: usize = 4000;

/// The most projects of one tree.
const MAX_PROJECTS: usize = 16;

/// The most bytes of settings in one tree.
const MAX_BYTES: u64 = 256 << 20;

/// The most targets of one tree.
const MAX_TARGETS: usize = 256;

/// What the files of settings of a tree are: trees with the same have the same settings.
pub(super) type Fingerprint = [u8; 32];

/// The projects of a tree, with the files that hold their settings.
pub struct Layout {
    projects: Vec<Configured>,
    /// The files of all projects.
    files: FoundFiles,
    fingerprint: Fingerprint,
}

/// A project and how its settings are laid over each other.
struct Configured {
    /// The path of its root, empty or ending with `/`.
    root: String,
    /// Stands before all its keys, where there are several projects.
    prefix: String,
    rules: Box<dyn Rules>,
}

/// Files by their paths, and what was left out.
#[derive(Default)]
pub(super) struct FoundFiles {
    by_path: BTreeMap<Arc<str>, FileId>,
    bytes: u64,
    warnings: Vec<String>,
}

/// Looks for the files of a project.
pub(super) struct Finder<'a> {
    source: &'a dyn Source,
    root: &'a str,
    found: &'a mut FoundFiles,
    folders: usize,
}

impl Finder<'_> {
    /// Returns what is in a folder of the project; nothing if it is not there.
    pub(super) fn list(&mut self, path: &str) -> Result<Vec<Item>> {
        self.folders += 1;
        if self.folders > MAX_FOLDERS {
            self.found.warn(format!("more than {MAX_FOLDERS} folders: settings are not looked for in the others"));
            return Ok(Vec::new());
        }
        self.source.list(format!("{}{path}", self.root).trim_end_matches('/'))
    }

    /// Returns the names of the folders in a folder of the project.
    pub(super) fn folders_in(&mut self, path: &str) -> Result<Vec<String>> {
        Ok(self.list(path)?.into_iter().filter(|item| item.file.is_none()).map(|item| item.name).collect())
    }

    /// Takes the files in `folder` whose names `is_taken` says; returns these.
    pub(super) fn take(&mut self, folder: &str, is_taken: impl Fn(&str) -> bool) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for item in self.list(folder)? {
            let Some(file) = item.file.filter(|_| is_taken(&item.name)) else { continue };
            let path = join_path(folder, &item.name);
            if self.found.add(format!("{}{path}", self.root), file) {
                names.push(item.name);
            }
        }
        Ok(names)
    }
}

/// Returns the path of `name` in `folder`; the root's is empty.
pub(super) fn join_path(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

impl FoundFiles {
    fn add(&mut self, path: String, file: FileId) -> bool {
        if file.size > MAX_FILE_LEN {
            self.warn(format!("{path} has {} bytes: only files up to {MAX_FILE_LEN} are read as settings", file.size));
            return false;
        }
        if self.by_path.len() >= MAX_FILES || self.bytes + file.size > MAX_BYTES {
            self.warn(format!(
                "more than {MAX_FILES} files of settings, or {MAX_BYTES} bytes: the others are left out"
            ));
            return false;
        }
        if self.by_path.insert(path.into(), file).is_none() {
            self.bytes += file.size;
        }
        true
    }

    fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

/// The files of one project, read where they are asked for.
pub(super) struct Files<'a> {
    source: &'a dyn Source,
    cache: &'a Cache,
    found: &'a FoundFiles,
    root: &'a str,
    /// What files that were read had to say.
    warnings: Mutex<BTreeSet<String>>,
}

impl Files<'_> {
    /// Returns the paths of the project's files, in their order, that start with `prefix`.
    pub(super) fn below<'s>(&'s self, prefix: &str) -> impl Iterator<Item = &'s str> + use<'s> {
        let start: Arc<str> = format!("{}{prefix}", self.root).into();
        let files = self.found.by_path.range(start.clone()..).map(|(path, _)| path);
        files.take_while(move |path| path.starts_with(&*start)).map(|path| &path[self.root.len()..])
    }

    /// Returns what the file at `path` says, with its path in the tree; `None` if there is no such file.
    pub(super) fn parsed(&self, path: &str, format: Format) -> Result<Option<(Arc<str>, Arc<Parsed>)>> {
        let whole = format!("{}{path}", self.root);
        let Some((whole, &file)) = self.found.by_path.get_key_value(whole.as_str()) else { return Ok(None) };
        let parsed = self.cache.parsed(self.source, whole, file, format)?;
        let warnings = match &*parsed {
            Parsed::Flat(flat) => &flat.warnings,
            Parsed::Unreal(file) => &file.warnings,
            Parsed::Unity(file) => &file.warnings,
        };
        let mut all = self.warnings.lock();
        all.extend(warnings.iter().map(|warning| format!("{whole} {warning}")));
        Ok(Some((whole.clone(), parsed)))
    }
}

impl Layout {
    /// Looks for the projects in a tree, and for their files of settings. Reads little more than names.
    ///
    /// # Errors
    /// Those of reading the tree.
    pub fn discover(source: &dyn Source) -> Result<Layout> {
        let mut files = FoundFiles::default();
        let mut projects = Vec::new();
        for (root, rules) in find_projects(source, &mut files)? {
            let mut finder = Finder { source, root: &root, found: &mut files, folders: 0 };
            rules.find(&mut finder)?;
            projects.push(Configured { prefix: String::new(), root, rules });
        }
        let roots: BTreeSet<String> = projects.iter().map(|project| project.root.clone()).collect();
        if roots.len() > 1 {
            projects.iter_mut().for_each(|project| project.prefix = project.root.trim_end_matches('/').to_owned());
        }
        let mut hasher = blake3::Hasher::new();
        for (path, file) in &files.by_path {
            hasher.update(&(path.len() as u64).to_le_bytes()).update(path.as_bytes()).update(&file.id.0);
        }
        for project in &projects {
            hasher.update(project.root.as_bytes()).update(b"\n").update(project.rules.name().as_bytes());
        }
        for warning in &files.warnings {
            hasher.update(warning.as_bytes());
        }
        Ok(Layout { projects, files, fingerprint: *hasher.finalize().as_bytes() })
    }

    /// Returns the paths of the projects' roots, with what each is: an engine's name or `declared`.
    pub fn projects(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.projects.iter().map(|project| (project.root.trim_end_matches('/'), project.rules.name()))
    }

    /// Returns the targets that the projects name, in their order.
    ///
    /// # Errors
    /// Those of reading the tree.
    pub fn targets(&self, source: &dyn Source, cache: &Cache) -> Result<Vec<Target>> {
        let mut targets = BTreeSet::new();
        for project in &self.projects {
            targets.extend(project.rules.targets(&self.files_of(project, source, cache))?);
        }
        Ok(targets.into_iter().take(MAX_TARGETS).collect())
    }

    /// Returns all that is set for `target`, which the projects need not name.
    ///
    /// # Errors
    /// Those of reading the tree.
    pub fn effective(&self, source: &dyn Source, cache: &Cache, target: &Target) -> Result<Arc<Effective>> {
        cache.effective(self.fingerprint, target, || self.merge(source, cache, target))
    }

    fn merge(&self, source: &dyn Source, cache: &Cache, target: &Target) -> Result<Effective> {
        let mut all = Effective {
            target: target.clone(),
            settings: Vec::new(),
            files: Vec::new(),
            warnings: self.files.warnings.clone(),
        };
        for project in &self.projects {
            let files = self.files_of(project, source, cache);
            let mut merge = Merge::default();
            project.rules.merge(&files, target, &mut merge)?;
            all.warnings.extend(files.warnings.into_inner());
            all.warnings.append(&mut merge.warnings);
            all.files.append(&mut merge.files);
            all.settings.extend(merge.into_settings().map(|mut setting| {
                if !project.prefix.is_empty() {
                    setting.key = join(&project.prefix, &setting.key).into();
                }
                setting
            }));
        }
        // Declared rules may say again what the engine's files do: these come last, and count.
        all.settings.sort_by(|a, b| a.key.cmp(&b.key));
        all.settings.reverse();
        all.settings.dedup_by(|a, b| a.key == b.key);
        all.settings.reverse();
        let mut seen = BTreeSet::new();
        all.files.retain(|file| seen.insert(file.clone()));
        Ok(all)
    }

    fn files_of<'a>(&'a self, project: &'a Configured, source: &'a dyn Source, cache: &'a Cache) -> Files<'a> {
        Files { source, cache, found: &self.files, root: &project.root, warnings: Mutex::default() }
    }
}

/// Finds the roots of projects, from the root of the tree down; below a project no other is looked for.
fn find_projects(source: &dyn Source, files: &mut FoundFiles) -> Result<Vec<(String, Box<dyn Rules>)>> {
    let mut projects: Vec<(String, Box<dyn Rules>)> = Vec::new();
    let mut open = VecDeque::from([(String::new(), 0)]);
    let mut folders = 0;
    while let Some((root, depth)) = open.pop_front() {
        folders += 1;
        if folders > MAX_FOLDERS || projects.len() >= MAX_PROJECTS {
            files.warn("too many folders: projects are not looked for in the others".to_owned());
            break;
        }
        let items = source.list(root.trim_end_matches('/'))?;
        let has_file = |path: &str| is_file(source, &format!("{root}{path}")).unwrap_or(false);
        let detected = Project::detect(items.iter().map(|item| item.name.as_bytes()), has_file);
        let declared = items.iter().find(|item| item.name == engine::RULES_FILE).and_then(|item| item.file);
        if let Some(project) = &detected {
            projects.push((root.clone(), engine::of(project.engine)));
        }
        if let Some(file) = declared {
            let path = format!("{root}{}", engine::RULES_FILE);
            if files.add(path.clone(), file) {
                match engine::declared(&source.read(&path)?) {
                    Ok(Some(rules)) => projects.push((root.clone(), rules)),
                    Ok(None) => {}
                    Err(why) => files.warn(format!("{path}: {why}")),
                }
            }
        }
        if detected.is_none() && depth < MAX_PROJECT_DEPTH {
            let below = items.into_iter().filter(|item| item.file.is_none() && !item.name.starts_with('.'));
            open.extend(below.map(|item| (format!("{root}{}/", item.name), depth + 1)));
        }
    }
    Ok(projects)
}

fn is_file(source: &dyn Source, path: &str) -> Result<bool> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    Ok(source.list(folder)?.iter().any(|item| item.name == name && item.file.is_some()))
}
