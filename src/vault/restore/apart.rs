//! Names of one folder that this system takes for one: all but the first are written in another way.

use crate::name::{FileName, fold};
use std::collections::HashSet;

/// The names that are taken in a folder.
pub(super) struct Taken {
    /// Whether the system takes names for one that differ in case or form.
    folds: bool,
    names: HashSet<String>,
}

impl Taken {
    /// Starts with none.
    pub(super) fn new(folds: bool) -> Taken {
        Taken { folds, names: HashSet::new() }
    }

    /// Takes `name`, or, when it is taken, one that starts with escapes as for what Windows cannot have; returns that one.
    pub(super) fn other_name(&mut self, name: &FileName) -> Option<FileName> {
        if !self.folds || self.names.insert(fold(name.as_bytes())?) {
            return None;
        }
        let bytes = name.as_bytes();
        (1..=bytes.len()).find_map(|count| {
            let escaped: String = bytes[..count].iter().map(|byte| format!("%{byte:02X}")).collect();
            let other = FileName::new([escaped.as_bytes(), &bytes[count..]].concat()).ok()?;
            self.names.insert(fold(other.as_bytes())?).then_some(other)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_the_first_get_a_name_of_their_own() {
        let mut taken = Taken::new(true);
        let mut written =
            |name: &str| taken.other_name(&FileName::new(name.as_bytes()).unwrap()).map(|name| name.to_string());
        assert_eq!(written("WALL.png"), None);
        assert_eq!(written("Wall.png").unwrap(), "%57all.png");
        assert_eq!(written("wall.png").unwrap(), "%77all.png");
        assert_eq!(written("wALL.png").unwrap(), "%77%41LL.png");
        assert_eq!(written("stone"), None);
        let mut exact = Taken::new(false);
        assert!(["a", "A"].iter().all(|name| exact.other_name(&FileName::new(name.as_bytes()).unwrap()).is_none()));
    }
}
