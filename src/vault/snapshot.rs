//! A folder of the host becomes a build.

use super::Vault;
use crate::catalogue::{Build, BuildInfo, Completeness, LeftOut};
use crate::error::{Error, ErrorKind, Result};
use crate::ingest::directory::{EarlierTree, IngestedTree, Source, ingest_directory, ingest_single_file, names_at_top};
use crate::ingest::{Draft, Replaces, publish};
use crate::name::{FileName, RefName};
use crate::progress::Progress;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The newest builds that are looked at for the one that came before.
const MAX_EARLIER_BUILDS: u64 = 16;

/// Names at the top of a folder by which it is known.
const MAX_NAMES: usize = 1000;

/// How a snapshot is made.
#[derive(Debug, Clone, Default)]
pub struct SnapshotOptions {
    /// Id of the build; made from its number when absent.
    pub id: Option<RefName>,
    /// Label, platform, message, tags and whatever else is known of the build.
    pub info: BuildInfo,
    /// Ignore patterns beside those in `.gamevaultignore` files, in gitignore syntax.
    pub ignore: Vec<String>,
    /// Keep the caches of engine projects, whatever the vault's config says.
    pub keep_caches: bool,
    /// Make no build when the folder is the same as the newest build.
    pub skip_if_unchanged: bool,
    /// Read every file, though its size, times and inode are those of the last snapshot.
    pub read_all: bool,
}

/// What a snapshot did.
#[derive(Debug, Clone, serde::Serialize)]
pub struct SnapshotReport {
    /// The build; the newest one when nothing changed and none was made.
    pub build: Build,
    /// Whether a build was made.
    pub created: bool,
    /// Files in the build.
    pub files: u64,
    /// Files that were not read because nothing about them had changed.
    pub files_unchanged: u64,
    /// Bytes read from the source.
    pub bytes_read: u64,
    /// Bytes that new chunks took in the store.
    pub bytes_stored: u64,
    /// Files that kept changing while they were read, or could not be read.
    pub changed_while_read: Vec<String>,
    /// The first of the entries that were left out of engine projects.
    pub left_out: Vec<LeftOut>,
    /// All of them; a directory counts as one.
    pub left_out_count: u64,
    /// Sentences for the user: what was left out, which links lead nowhere.
    pub warnings: Vec<String>,
}

impl Vault {
    /// Stores the folder (or the single file) `source` and publishes it as a build.
    ///
    /// Files that look as they did at the last snapshot of the folder are not read. A snapshot that was stopped goes on
    /// where it was. Caches of engine projects stay out unless they are asked for, and so do files of one user or one run;
    /// the build's record names them. When files changed while they were read the build is published as `Incomplete`, and names them.
    ///
    /// # Errors
    /// `NotFound` if there is no `source`, `Exists` if the id is taken, `Invalid` for a bad ignore pattern,
    /// `Interrupted` when `progress` says so, `NoSpace` or `Io` from the disk. Nothing is published then.
    pub fn snapshot(&self, source: &Path, options: &SnapshotOptions, progress: &Progress) -> Result<SnapshotReport> {
        if let Some(id) = &options.id
            && self.store().catalogue().build_by_id(id)?.is_some()
        {
            // Said before the work, and again by the transaction that publishes.
            return Err(Error::new(ErrorKind::Exists, format!("a build with the id {id} exists already"))
                .with_hint("choose another id, or leave it out to get the next number"));
        }
        let path = source.canonicalize().map_err(|error| Error::io("find", source, error))?;
        self.refuse_own_folders(&path)?;
        let _writing = self.store().begin_writing()?;
        let earlier = self.earlier_tree(&path)?;
        let (tree, single_file) = match path.is_dir() {
            true => {
                let excluded = self.excluded_folders()?;
                let keep_caches = options.keep_caches || self.config.keeps_caches();
                let SnapshotOptions { ignore, read_all, .. } = options;
                let read_all = *read_all;
                let source = Source { path: &path, excluded: &excluded, ignore, keep_caches, read_all, earlier };
                (ingest_directory(self.store(), &source, progress)?, None)
            }
            false => {
                let (tree, name) = ingest_single_file(self.store(), &path, &earlier, progress)?;
                (tree, Some(name))
            }
        };
        let newest = self.store().catalogue().build_from_latest(0)?;
        let report = match newest.filter(|newest| newest.root == tree.root && newest.attributes == tree.attributes) {
            Some(newest) if options.skip_if_unchanged => report(newest, false, tree),
            _ => report(self.publish_tree(&tree, single_file, options)?, true, tree),
        };
        // An empty log opens faster; that it cannot be emptied while somebody reads is no failure.
        let _ = self.store().catalogue().checkpoint();
        Ok(report)
    }

    fn publish_tree(
        &self,
        tree: &IngestedTree,
        single_file: Option<String>,
        options: &SnapshotOptions,
    ) -> Result<Build> {
        let completeness = match tree.incomplete.is_empty() {
            true => Completeness::Verified,
            false => Completeness::Incomplete,
        };
        let draft = Draft {
            id: options.id.clone(),
            root: tree.root,
            attributes: tree.attributes,
            single_file,
            completeness,
            changed_while_read: tree.incomplete.clone(),
            ticket: tree.ticket,
            stored_bytes: tree.stored_bytes,
            info: BuildInfo { left_out: tree.left_out.clone(), ..options.info.clone() },
            milestone: None,
            replaces: Replaces::Nothing,
        };
        Ok(publish(self.store(), draft)?.0)
    }

    /// Returns the build that most likely came before what is in `path`: of the newest ones, the first with most of the
    /// same names at its top.
    fn earlier_tree(&self, path: &Path) -> Result<EarlierTree<'_>> {
        let names: HashSet<FileName> = names_at_top(path).into_iter().take(MAX_NAMES).collect();
        let mut best = (0, None);
        for back in 0..MAX_EARLIER_BUILDS {
            let Some(build) = self.store().catalogue().build_from_latest(back)? else { break };
            let mut shared = 0;
            // A build that cannot be read is none to be compared with.
            let _ = self.reader().for_each_entry(build.root.id, &mut |entry| {
                shared += usize::from(names.contains(&entry.name));
                Ok(())
            });
            if shared > best.0 {
                best = (shared, Some(build.root.id));
            }
            if shared == names.len() {
                break;
            }
        }
        Ok(EarlierTree { reader: self.reader(), root: best.1 })
    }

    fn refuse_own_folders(&self, path: &Path) -> Result<()> {
        let own = self.dir().canonicalize().unwrap_or_else(|_| self.dir().into());
        if path.starts_with(&own) {
            return Err(Error::invalid(format!("{} is the vault itself, or lies in it", path.display()))
                .with_hint("give the folder of the game"));
        }
        Ok(())
    }

    /// Returns the folders that no snapshot enters: they would hold the vault in itself.
    fn excluded_folders(&self) -> Result<Vec<PathBuf>> {
        let mut excluded = vec![self.dir().canonicalize().unwrap_or_else(|_| self.dir().into())];
        excluded.extend(self.mounts()?.into_iter().map(|mount| mount.path));
        Ok(excluded)
    }
}

fn report(build: Build, created: bool, tree: IngestedTree) -> SnapshotReport {
    SnapshotReport {
        files: build.root.totals.files,
        build,
        created,
        files_unchanged: tree.files_unchanged,
        bytes_read: tree.bytes_read,
        bytes_stored: tree.stored_bytes,
        changed_while_read: tree.incomplete,
        left_out: tree.left_out,
        left_out_count: tree.left_out_count,
        warnings: tree.warnings,
    }
}
