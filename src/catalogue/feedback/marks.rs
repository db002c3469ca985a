//! What of builds a record may name: stamps, ids of engines, fingerprints, ids of executables.

use super::{FeedbackIndex, IndexWriter};
use crate::error::Result;
use crate::id::BuildNumber;
use rusqlite::params;
use std::collections::{BTreeSet, HashMap};

/// Which sort of mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MarkKind {
    /// The stamp in a `gamevault.json`.
    Stamp = 1,
    /// The engine's id of the build.
    Guid = 2,
    /// The fingerprint of an executable or a pack.
    Fingerprint = 3,
    /// The debug id of an executable or a library.
    DebugId = 4,
}

/// One mark: its sort and its value, in lower case.
pub type Mark = (MarkKind, String);

impl FeedbackIndex {
    /// Returns the builds whose marks are known.
    pub fn marked_builds(&self) -> Result<BTreeSet<BuildNumber>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT build FROM marked")?;
            statement.query_map([], |row| Ok(BuildNumber(row.get::<_, i64>(0)? as u64)))?.collect()
        })
    }

    /// Returns all marks with the builds that have them, by number.
    pub fn marks(&self) -> Result<HashMap<Mark, Vec<BuildNumber>>> {
        let kinds = [MarkKind::Stamp, MarkKind::Guid, MarkKind::Fingerprint, MarkKind::DebugId];
        self.read(|connection| {
            let mut marks: HashMap<Mark, Vec<BuildNumber>> = HashMap::new();
            let mut statement =
                connection.prepare_cached("SELECT value, build FROM mark WHERE kind = ?1 ORDER BY build")?;
            for kind in kinds {
                let mut rows = statement.query([kind as i64])?;
                while let Some(row) = rows.next()? {
                    marks.entry((kind, row.get(0)?)).or_default().push(BuildNumber(row.get::<_, i64>(1)? as u64));
                }
            }
            Ok(marks)
        })
    }
}

impl IndexWriter<'_> {
    /// Keeps the marks of a build, which never change.
    ///
    /// # Errors
    /// Those of the database.
    pub fn set_marks(&mut self, build: BuildNumber, marks: &BTreeSet<Mark>) -> Result<()> {
        self.run(|connection| {
            let mut add =
                connection.prepare_cached("INSERT OR IGNORE INTO mark (kind, value, build) VALUES (?1, ?2, ?3)")?;
            for (kind, value) in marks {
                add.execute(params![*kind as i64, value, build.0 as i64])?;
            }
            connection.execute("INSERT OR IGNORE INTO marked (build) VALUES (?1)", [build.0 as i64])
        })
        .map(drop)
    }
}
