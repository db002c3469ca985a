//! Projects of game engines: which of their files are source, and which the engine makes again.
//!
//! A folder is a project when it has the file that its engine opens. [`Project::class`] then tells every entry below it
//! apart: source is kept, caches are kept when somebody wants them, and what belongs to one user or one run never is.
//! Nothing outside a project is touched, and in doubt an entry is source: a cache in a build costs bytes, a source that is
//! missing costs work.
//!
//! The tables know names only; who walks a tree, of the host or of a session, asks from the root down and does not ask for
//! what is below an entry that it leaves out.

mod godot;
mod unity;
mod unreal;

use std::fmt;
use std::sync::Arc;

/// A game engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// Unity.
    Unity,
    /// Unreal Engine 4 and 5.
    Unreal,
    /// Godot 3 and 4.
    Godot,
}

impl Engine {
    /// All engines.
    pub const ALL: [Engine; 3] = [Engine::Unity, Engine::Unreal, Engine::Godot];

    /// Returns the name in records and JSON.
    pub fn code(self) -> &'static str {
        match self {
            Engine::Unity => "unity",
            Engine::Unreal => "unreal",
            Engine::Godot => "godot",
        }
    }

    /// Returns the engine's version as `text` says, which is the project's [`Project::version_file`].
    pub fn version(self, text: &str) -> Option<String> {
        match self {
            Engine::Unity => unity::version(text),
            Engine::Unreal => unreal::version(text),
            Engine::Godot => godot::version(text),
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Engine::Unity => "Unity",
            Engine::Unreal => "Unreal",
            Engine::Godot => "Godot",
        })
    }
}

/// What an entry of a project is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Somebody's work, or a directory that holds some.
    Source,
    /// Made from source by the engine or a tool, which make it again.
    Cache,
    /// Of one user, one machine or one run: lock files, logs, window layouts, the repository.
    Never,
}

impl Class {
    /// Returns the name in records and JSON.
    pub fn code(self) -> &'static str {
        match self {
            Class::Source => "source",
            Class::Cache => "cache",
            Class::Never => "never",
        }
    }
}

/// A directory in a project.
#[derive(Debug, Clone)]
pub struct InProject {
    project: Arc<Project>,
    /// The names from its root to here.
    path: Vec<Box<[u8]>>,
}

impl InProject {
    /// Enters a directory whose entries have `names`: the root of a project, or a place in the one `above`, if any.
    pub fn enter<'a>(
        names: impl IntoIterator<Item = &'a [u8]>,
        has_file: impl FnOnce(&str) -> bool,
        above: Option<InProject>,
    ) -> Option<InProject> {
        let found = Project::detect(names, has_file);
        found.map(|project| InProject { project: Arc::new(project), path: Vec::new() }).or(above)
    }

    /// Returns the place of the directory `name` in this one.
    pub fn below(&self, name: &[u8]) -> InProject {
        let mut below = self.clone();
        below.path.push(name.into());
        below
    }

    /// Tells what the entry `name` is.
    pub fn class(&self, name: &[u8], is_directory: bool) -> Class {
        let path: Vec<&[u8]> = self.path.iter().map(|name| &**name).chain([name]).collect();
        self.project.class(&path, is_directory)
    }

    /// Returns the engine's name in records.
    pub fn engine(&self) -> &'static str {
        self.project.engine.code()
    }
}

/// A project, known by the entries of its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The engine that opens it.
    pub engine: Engine,
    /// Nothing tells it from a game that was packaged in loose files, the project's file among them: all of it counts as
    /// source.
    pub may_be_packaged: bool,
    version_file: String,
}

impl Project {
    /// Tells whether the directory whose entries have `names` is the root of a project.
    ///
    /// Where names are not enough, `has_file` is asked whether there is a file at a path below the directory; it is not
    /// called for a directory that is no project by its names.
    pub fn detect<'a>(
        names: impl IntoIterator<Item = &'a [u8]>,
        has_file: impl FnOnce(&str) -> bool,
    ) -> Option<Project> {
        let (mut has_settings, mut unreal, mut godot) = (false, unreal::Names::default(), false);
        for name in names {
            has_settings |= name == unity::SETTINGS;
            godot |= name == godot::PROJECT_FILE.as_bytes();
            unreal.add(name);
        }
        let project = |engine, file: &str| Project { engine, may_be_packaged: false, version_file: file.to_owned() };
        if let Some(file) = &unreal.project_file {
            return Some(Project { may_be_packaged: unreal.may_be_packaged(), ..project(Engine::Unreal, file) });
        }
        if godot {
            return Some(project(Engine::Godot, godot::PROJECT_FILE));
        }
        (has_settings && has_file(unity::VERSION_FILE)).then(|| project(Engine::Unity, unity::VERSION_FILE))
    }

    /// Returns the path below the root of the file that names the engine's version.
    pub fn version_file(&self) -> &str {
        &self.version_file
    }

    /// Tells what the entry at `path` is, the names from the root of the project to it.
    ///
    /// It is about the entry alone: what is below an entry that is left out is not asked for. A link counts as what it
    /// would be a directory or a file for.
    pub fn class(&self, path: &[&[u8]], is_directory: bool) -> Class {
        if self.may_be_packaged {
            return Class::Source;
        }
        let class = match self.engine {
            Engine::Unity => unity::class(path, is_directory),
            Engine::Unreal => unreal::class(path, is_directory),
            Engine::Godot => godot::class(path, is_directory),
        };
        match class {
            Class::Source => path.last().map_or(Class::Source, |name| class_anywhere(name, is_directory)),
            class => class,
        }
    }
}

/// Tells what an entry of any project is, wherever it stands.
fn class_anywhere(name: &[u8], is_directory: bool) -> Class {
    match name {
        // In a worktree or a submodule it is a file.
        b".git" => Class::Never,
        b".svn" | b".hg" | b".plastic" | b".p4root" if is_directory => Class::Never,
        b".p4config" if !is_directory => Class::Never,
        b"node_modules" | b"__pycache__" | b".gradle" if is_directory => Class::Cache,
        _ => Class::Source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(names: &[&str], has_file: bool) -> Option<Project> {
        Project::detect(names.iter().map(|name| name.as_bytes()), |_| has_file)
    }

    pub(super) fn class_of(names: &[&str], path: &str) -> Class {
        let project = detect(names, true).expect("a project");
        let parts: Vec<&[u8]> = path.trim_end_matches('/').split('/').map(str::as_bytes).collect();
        project.class(&parts, path.ends_with('/'))
    }

    #[test]
    fn projects_are_known_by_the_file_that_the_engine_opens() {
        let engine = |names: &[&str], has_file| detect(names, has_file).map(|project| project.engine);
        assert_eq!(engine(&["Assets", "ProjectSettings"], true), Some(Engine::Unity));
        assert_eq!(engine(&["Assets", "ProjectSettings"], false), None);
        assert_eq!(engine(&["Content", "Game.uproject"], false), Some(Engine::Unreal));
        assert_eq!(engine(&["main.tscn", "project.godot"], false), Some(Engine::Godot));
        assert_eq!(engine(&["Game_Data", "Game.exe", "Library", "Binaries", ".uproject"], true), None);
    }

    #[test]
    fn names_alone_do_not_make_a_cache() {
        for names in [&["project.godot"][..], &["a.uproject", "Source"], &["ProjectSettings"]] {
            assert_eq!(class_of(names, "art/node_modules/"), Class::Cache);
            assert_eq!(class_of(names, "node_modules"), Class::Source, "a file");
            assert_eq!([class_of(names, ".git/"), class_of(names, "plugin/.git")], [Class::Never; 2]);
            assert_eq!([class_of(names, ".gitignore"), class_of(names, ".p4ignore")], [Class::Source; 2]);
            assert_eq!([class_of(names, "target/"), class_of(names, "art/Temp/")], [Class::Source; 2]);
        }
    }
}
