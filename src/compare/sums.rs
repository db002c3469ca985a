//! Changes in groups: by kind, by class of asset, by folder.

use super::{ChangeKind, Class, Difference};
use serde::Serialize;
use std::collections::BTreeMap;

/// Groups beyond which the rest is one: names are people's.
const MAX_GROUPS: usize = 1_000;

/// Where the rest counts, and what lies in no folder.
const OTHERS: &str = "(others)";
const NO_FOLDER: &str = ".";

/// Several changes, added up. Folders of their own are not counted: what is in them is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// What the changes have in common.
    pub name: String,
    /// How many they are.
    pub changes: u64,
    /// Bytes of the files in the older build.
    pub old_bytes: u64,
    /// Bytes of the files in the newer build.
    pub new_bytes: u64,
    /// By how many bytes the newer build is larger for them.
    pub growth: i64,
    /// See [`Difference::changed_bytes`].
    pub changed_bytes: u64,
    /// See [`Difference::stored_bytes`].
    pub stored_bytes: u64,
}

impl Sum {
    /// Adds up `changes`.
    pub fn of<'a>(name: &str, changes: impl IntoIterator<Item = &'a Difference>) -> Sum {
        let mut sum = Sum { name: name.to_owned(), ..Sum::default() };
        changes.into_iter().for_each(|difference| sum.add(difference));
        sum
    }

    fn add(&mut self, difference: &Difference) {
        self.changes += 1;
        self.old_bytes += difference.change.old_size.unwrap_or(0);
        self.new_bytes += difference.change.new_size.unwrap_or(0);
        self.growth += difference.growth();
        self.changed_bytes += difference.changed_bytes;
        self.stored_bytes += difference.stored_bytes;
    }
}

/// Returns a sum for each kind of change that there is, folders included.
pub fn by_kind(changes: &[Difference]) -> Vec<(ChangeKind, Sum)> {
    let sum = |kind: ChangeKind| (kind, Sum::of(kind.word(), changes.iter().filter(|one| one.change.kind == kind)));
    ChangeKind::ALL.into_iter().map(sum).filter(|(_, sum)| sum.changes > 0).collect()
}

/// Returns a sum for each class of asset that there is, that with most changed bytes first.
pub fn by_class(changes: &[Difference]) -> Vec<(Class, Sum)> {
    let mut sums: BTreeMap<Class, Sum> = BTreeMap::new();
    for difference in changes.iter().filter(|one| !one.is_folder()) {
        let class = difference.class;
        sums.entry(class).or_insert_with(|| Sum { name: class.word().to_owned(), ..Sum::default() }).add(difference);
    }
    let mut sums: Vec<(Class, Sum)> = sums.into_iter().collect();
    sums.sort_by(|a, b| order(&a.1, &b.1));
    sums
}

/// Returns a sum for each folder down to `depth` levels, that with most changed bytes first.
pub fn by_folder(changes: &[Difference], depth: usize) -> Vec<Sum> {
    let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
    for difference in changes.iter().filter(|one| !one.is_folder()) {
        let mut name = folder(&difference.change.path, depth);
        if sums.len() >= MAX_GROUPS && !sums.contains_key(name) {
            name = OTHERS;
        }
        sums.entry(name).or_insert_with(|| Sum { name: name.to_owned(), ..Sum::default() }).add(difference);
    }
    let mut sums: Vec<Sum> = sums.into_values().collect();
    sums.sort_by(order);
    sums
}

/// Orders sums by what is changed, most first.
pub(super) fn order(a: &Sum, b: &Sum) -> std::cmp::Ordering {
    let weight = |sum: &Sum| (sum.changed_bytes, sum.growth.unsigned_abs(), sum.changes);
    weight(b).cmp(&weight(a)).then_with(|| a.name.cmp(&b.name))
}

fn folder(path: &str, depth: usize) -> &str {
    let end = path.match_indices('/').map(|(at, _)| at).take(depth).last();
    end.map_or(NO_FOLDER, |end| &path[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_cut_at_their_level() {
        let cut = |depth| ["a", "a/b", "a/b/c/d"].map(|path| folder(path, depth));
        assert_eq!(cut(1), [".", "a", "a"]);
        assert_eq!(cut(2), [".", "a", "a/b"]);
        assert_eq!(folder("a/b", 0), ".");
    }
}
