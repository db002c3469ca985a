//! What programs read first of builds: kept when a mount has seen it, found for the next time.
//!
//! The catalogue holds few of them, each a [`Start`] packed by zstd in bounded room. A program's start of one build serves
//! for later builds too, where most of its paths are still there.

use super::Vault;
use crate::catalogue::{Build, EndOfStart};
use crate::error::{Error, Result};
use crate::id::BuildNumber;
use crate::manifest::Start;

/// The most starts of a vault.
pub const MAX_STARTS: usize = 64;

/// The most bytes of a start in the catalogue.
const MAX_PACKED_LEN: usize = 64 << 10;

/// The most bytes of a start before it is packed: paths of usual length for all its files, several times over.
const MAX_PLAIN_LEN: usize = 4 << 20;

/// Starts of a program that are looked at: those of other projects may come before the one that fits.
const MAX_LOOKED_AT: usize = 8;

/// A start is for a build when this many of its first files, or at least half of them, are there.
const PROBE_FILES: usize = 32;

/// How paths and numbers are packed: off the way of requests, but often for nothing.
const LEVEL: i32 = 3;

impl Vault {
    /// Makes room for starts, unless there is.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub fn prepare_starts(&self) -> Result<()> {
        self.store().catalogue().prepare_starts()
    }

    /// Returns what `program` read first of `build`, or of the newest build before it that has most of the same files; and
    /// which build that was.
    ///
    /// # Errors
    /// Those of the catalogue; `Corrupt` if a manifest is damaged.
    pub fn start_of(&self, program: &str, build: &Build) -> Result<Option<(BuildNumber, Start)>> {
        for (number, packed) in self.store().catalogue().starts(program, build.number, MAX_LOOKED_AT)? {
            let start = unpack(&packed)?;
            if number == build.number || self.has_files_of(build, &start)? {
                return Ok(Some((number, start)));
            }
        }
        Ok(None)
    }

    /// Keeps what `program` read first of a build, if that is given, and counts the use of the start of another one or of the
    /// same.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub fn end_start(
        &self,
        program: &str,
        start: Option<(BuildNumber, &Start)>,
        used: Option<BuildNumber>,
    ) -> Result<()> {
        let packed = start.map(|(build, start)| Ok((build, pack(start)?))).transpose()?;
        let kept = packed.as_ref().map(|(build, packed)| (*build, &packed[..]));
        self.store().catalogue().end_start(EndOfStart { program, kept, used }, MAX_STARTS)
    }

    fn has_files_of(&self, build: &Build, start: &Start) -> Result<bool> {
        let probe = &start.files[..start.files.len().min(PROBE_FILES)];
        let mut found = 0;
        for path in probe {
            found += usize::from(self.reader().file_at(build.root.id, path)?.is_some());
        }
        Ok(found * 2 >= probe.len())
    }
}

/// Packs a start, or as much of its beginning as there is room for.
fn pack(start: &Start) -> Result<Vec<u8>> {
    let mut count = start.runs.len();
    loop {
        let plain = start.shortened(count).encode();
        let packed = zstd::bulk::compress(&plain, LEVEL)
            .map_err(|error| Error::invalid(format!("what a program read cannot be packed: {error}")))?;
        if packed.len() <= MAX_PACKED_LEN && plain.len() <= MAX_PLAIN_LEN {
            return Ok(packed);
        }
        count /= 2;
    }
}

fn unpack(packed: &[u8]) -> Result<Start> {
    let plain = zstd::bulk::decompress(packed, MAX_PLAIN_LEN)
        .map_err(|error| Error::corrupt(format!("what a program read cannot be unpacked: {error}")))?;
    Start::decode(&plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::PieceRun;

    #[test]
    fn a_start_is_cut_to_its_room() {
        let path = |n: u32| blake3::hash(&n.to_le_bytes()).to_hex().as_bytes().into();
        let files: Vec<Box<[u8]>> = (0..4096).map(path).collect();
        let runs = (0..4096).map(|file| PieceRun { file, first: 0, count: 1 }).collect();
        let start = Start { files, runs };
        let packed = pack(&start).unwrap();
        assert!(packed.len() <= MAX_PACKED_LEN);
        let back = unpack(&packed).unwrap();
        assert!(back.runs.len() >= 1024 && back.runs.len() < 4096, "{}", back.runs.len());
        assert_eq!(back, start.shortened(back.runs.len()));
        let small = start.shortened(100);
        assert_eq!(unpack(&pack(&small).unwrap()).unwrap(), small);
    }
}
