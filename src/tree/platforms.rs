//! `/platforms`: what is set for each target platform, ready for diff tools.
//!
//! `<target>` is of the newest build that has the target, `<target>@<build>` of any; plain targets alone are listed. In each
//! only `effective.ini` is listed, so that `diff -r` and its kin find between two of them nothing but settings that differ:
//! `effective.json`, which says where values come from, and `files`, where the files themselves are, differ by their nature
//! and are reached by their names.

use super::Tree;
use super::made::{Draft, Subject};
use super::root::{Folder, PLATFORMS};
use super::types::{Attr, DirEntry, DirSink, Looking};
use crate::catalogue::Build;
use crate::compare::find;
use crate::error::{Error, ErrorKind, Result};
use crate::platform::{Target, show};
use crate::vault::Platforms as Reader;
use std::sync::OnceLock;

/// Stands first in `effective.ini`, the same in all.
const HEADER: &str = "; Values alone, to compare. Beside this file, reached by name though not listed: effective.json, with the places\n\
                      ; that values come from, and files, the folder of the files themselves.\n";

/// The folder.
#[derive(Default)]
pub(super) struct Platforms(OnceLock<Reader>);

impl Platforms {
    fn reader(&self, tree: &Tree) -> &Reader {
        self.0.get_or_init(|| tree.vault.platforms())
    }
}

impl Folder for Platforms {
    fn name(&self) -> &'static str {
        "platforms"
    }

    fn lookup(&self, tree: &Tree, name: &[u8]) -> Result<Option<Attr>> {
        let Ok(text) = std::str::from_utf8(name) else { return Ok(None) };
        let (target, reference) = text.split_once('@').map_or((text, None), |(name, build)| (name, Some(build)));
        let Ok(target) = Target::new(target) else { return Ok(None) };
        let tell = |build: &Build| tree.made.tell(subject(text, &target, build), Looking::Counted);
        let Some(reference) = reference else {
            let view = tree.view()?;
            let builds: Vec<&Build> = view.builds_after(0).map(|build| &**build).collect();
            return Ok(self.reader(tree).newest(builds.into_iter())?.get(&target).map(|build| tell(build)));
        };
        match tree.vault.build(reference) {
            Ok(build) => Ok(self.reader(tree).targets(&build)?.contains(&target).then(|| tell(&build))),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Invalid) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn list(&self, tree: &Tree, after: u64, looking: Looking, sink: DirSink<'_>) -> Result<()> {
        let view = tree.view()?;
        let builds: Vec<&Build> = view.builds_after(0).map(|build| &**build).collect();
        let newest = self.reader(tree).newest(builds.into_iter())?;
        let mut targets: Vec<_> = newest.iter().map(|(target, build)| (cookie(target), target, build)).collect();
        targets.sort_by_key(|(cookie, ..)| *cookie);
        for (cookie, target, build) in targets.into_iter().filter(|(cookie, ..)| *cookie > after) {
            let name = target.to_string();
            let attr = tree.made.tell(subject(&name, target, build), looking);
            if !sink(DirEntry { name: name.as_bytes(), attr, cookie }) {
                tree.untold(attr.node, looking);
                break;
            }
        }
        Ok(())
    }

    fn make(&self, tree: &Tree, of: &str) -> Result<Draft> {
        let gone = || Error::not_found(format!("target and build {of} are not there any more"));
        let view = tree.view()?;
        let (target, number) = of.split_once('@').ok_or_else(gone)?;
        let build = number.parse().ok().and_then(|number| view.numbered(number)).ok_or_else(gone)?;
        let effective = self.reader(tree).effective(build, &Target::new(target)?)?;
        let mut draft = Draft::default();
        for path in &effective.files {
            let parts: Vec<&str> = path.split('/').collect();
            if let Some(entry) = find(tree.vault.reader(), build.root.id, &parts)? {
                draft.add_stored(format!("files/{path}").as_bytes(), &entry);
            }
        }
        let of_json = effective.clone();
        draft.add_text(b"effective.json", move || Ok(show::json(&of_json).into_bytes()));
        draft.add_text(b"effective.ini", move || Ok(format!("{HEADER}{}", show::ini(&effective)).into_bytes()));
        draft.hide(b"effective.json");
        draft.hide(b"files");
        Ok(draft)
    }
}

fn subject(name: &str, target: &Target, build: &Build) -> Subject {
    let of = format!("{target}@{}", build.number);
    Subject { folder: PLATFORMS, name: name.as_bytes().to_vec(), of, mtime: build.created }
}

/// Returns where a target stands in the list: the same whatever other targets there are.
fn cookie(target: &Target) -> u64 {
    let hash = blake3::hash(target.to_string().as_bytes());
    u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("8 of 32 bytes")) >> 1 | 1
}
