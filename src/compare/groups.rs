//! Folders in which changes lie, so that as many are told apart as can be shown, and the heaviest best.
//!
//! All changes are one group first. Then the heaviest group that can be is taken apart, into the folders below it and the files
//! beside these, as long as there are not too many groups: so a game that lies deep in folders of a package is told by its
//! own folders, and one large folder does not stand as one beside many small ones.

use super::{Difference, Sum};
use std::collections::BTreeMap;

/// Some changes with a common folder, or one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group<'a> {
    /// The path of the folder without a slash at its end, or of the file; empty for the root.
    pub path: &'a str,
    /// Whether it is one file.
    pub is_file: bool,
    /// The changes.
    pub changes: Vec<&'a Difference>,
}

/// Returns at most `most` groups of folders; with `into_files`, folders are taken apart into files as well.
pub fn groups(changes: &[Difference], most: usize, into_files: bool) -> Vec<Group<'_>> {
    let mut root = Folder { path: "", ..Folder::default() };
    for difference in changes.iter().filter(|one| !one.is_folder()) {
        root.add(difference);
    }
    let mut open = vec![root];
    let mut done = Vec::new();
    loop {
        let room = most.saturating_sub(open.len() + done.len());
        let fits = |folder: &Folder<'_>| folder.parts(into_files) > 0 && folder.parts(into_files) <= room + 1;
        let heaviest = (0..open.len()).filter(|&index| fits(&open[index])).max_by_key(|&index| open[index].weight);
        let Some(heaviest) = heaviest else { break };
        let folder = open.swap_remove(heaviest);
        open.extend(folder.below.into_values());
        match into_files {
            true => done.extend(folder.direct.into_iter().map(|one| Group {
                path: one.change.path.as_str(),
                is_file: true,
                changes: vec![one],
            })),
            false if !folder.direct.is_empty() => {
                done.push(Group { path: folder.path, is_file: false, changes: folder.direct });
            }
            false => {}
        }
    }
    done.extend(open.into_iter().filter(|folder| folder.count > 0).map(|folder| {
        let path = folder.path;
        let mut changes = Vec::with_capacity(folder.count);
        let mut rest = vec![folder];
        while let Some(folder) = rest.pop() {
            changes.extend(folder.direct);
            rest.extend(folder.below.into_values());
        }
        Group { path, is_file: false, changes }
    }));
    done
}

/// Returns a sum for each of at most `most` groups of folders, that with most changed bytes first.
pub fn by_weight(changes: &[Difference], most: usize) -> Vec<Sum> {
    let sum = |group: Group<'_>| Sum::of(if group.path.is_empty() { "." } else { group.path }, group.changes);
    let mut sums: Vec<Sum> = groups(changes, most, false).into_iter().map(sum).collect();
    sums.sort_by(super::sums::order);
    sums
}

#[derive(Default)]
struct Folder<'a> {
    path: &'a str,
    weight: u64,
    count: usize,
    direct: Vec<&'a Difference>,
    below: BTreeMap<&'a str, Folder<'a>>,
}

impl<'a> Folder<'a> {
    fn add(&mut self, difference: &'a Difference) {
        let path = difference.change.path.as_str();
        let weight = difference.changed_bytes.max(difference.growth().unsigned_abs()).saturating_add(1);
        let mut folder = self;
        let mut start = 0;
        loop {
            folder.weight = folder.weight.saturating_add(weight);
            folder.count += 1;
            let Some(len) = path[start..].find('/') else { break };
            let end = start + len;
            folder = folder.below.entry(&path[start..end]).or_default();
            folder.path = &path[..end];
            start = end + 1;
        }
        folder.direct.push(difference);
    }

    /// Returns into how many groups it falls; none for what cannot be taken apart.
    fn parts(&self, into_files: bool) -> usize {
        match into_files {
            true => self.below.len() + self.direct.len(),
            false if self.below.is_empty() => 0,
            false => self.below.len() + usize::from(!self.direct.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Change, ChangeKind, Class};

    fn added(path: &str, size: u64) -> Difference {
        let change =
            Change { path: path.into(), kind: ChangeKind::Added, from: None, old_size: None, new_size: Some(size) };
        Difference { change, class: Class::of(path), changed_bytes: size, stored_bytes: 0, old: None, new: None }
    }

    fn paths<'a>(groups: &[Group<'a>]) -> Vec<&'a str> {
        let mut paths: Vec<&str> = groups.iter().map(|group| group.path).collect();
        paths.sort_unstable();
        paths
    }

    #[test]
    fn deep_folders_are_taken_apart_as_far_as_there_is_room() {
        let changes = [
            added("usr/share/game/levels/1", 100),
            added("usr/share/game/levels/2", 100),
            added("usr/share/game/sound/a/1", 50),
            added("usr/share/game/sound/b/2", 40),
            added("usr/share/game/readme", 1),
        ];
        let of = |most, into_files| groups(&changes, most, into_files);
        assert_eq!(paths(&of(1, false)), ["usr/share/game"]);
        assert_eq!(paths(&of(3, false)), ["usr/share/game", "usr/share/game/levels", "usr/share/game/sound"]);
        assert_eq!(of(10, false).len(), 4);
        assert_eq!(of(10, true).iter().filter(|group| group.is_file).count(), 5);
        for most in 1..8 {
            for into_files in [true, false] {
                let groups = of(most, into_files);
                assert!(groups.len() <= most);
                assert_eq!(groups.iter().map(|group| group.changes.len()).sum::<usize>(), changes.len());
            }
        }
        let sums = by_weight(&changes, 3);
        assert_eq!((sums[0].name.as_str(), sums[0].changed_bytes), ("usr/share/game/levels", 200));
        assert!(groups(&[], 5, true).is_empty());
    }
}
