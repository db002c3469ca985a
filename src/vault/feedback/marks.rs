//! What of a build a record may name: looked up in its files once, when feedback comes.

use crate::catalogue::Build;
use crate::catalogue::feedback::{Mark, MarkKind};
use crate::content::{FileBytes, Reader};
use crate::error::Result;
use crate::feedback::{FINGERPRINT_END, fingerprint};
use crate::manifest::{Content, Entry, EntryKind};
use crate::vault::Vault;
use object::File as Executable;
use object::read::{Object, ReadCache};
use serde::Deserialize;
use std::collections::BTreeSet;

/// How deep files are looked for: an application of macOS has its data in the fifth folder.
const MAX_DEPTH: usize = 6;

/// The most entries that are looked at by name, and the most files that are looked into.
const MAX_ENTRIES: usize = 50_000;
const MAX_FILES: usize = 500;

/// The most bytes of a small text that are read.
const MAX_TEXT_LEN: u64 = 64 << 10;

/// Executables are not smaller.
const MIN_PROGRAM_LEN: u64 = 1024;

/// The stamp that is packaged with a build.
pub(super) const STAMP_FILE: &str = "gamevault.json";

/// Extensions of executables and libraries.
const PROGRAMS: [&str; 9] = ["exe", "dll", "so", "dylib", "x86_64", "x86_32", "x86", "arm64", "nro"];

/// Extensions of what games keep their assets in.
const PACKS: [&str; 8] = ["pck", "pak", "utoc", "ucas", "wad", "unity3d", "apk", "ipa"];

/// What a `gamevault.json` says.
#[derive(Debug, Deserialize)]
struct Stamp {
    stamp: String,
}

impl Vault {
    /// Returns the marks of a build.
    ///
    /// # Errors
    /// `Corrupt` if its manifest is damaged; a file that cannot be read has no mark.
    pub(super) fn marks_of(&self, build: &Build) -> Result<BTreeSet<Mark>> {
        let mut search = Search { reader: self.reader(), marks: BTreeSet::new(), entries: 0, files: 0 };
        let mut open = vec![(build.root.id, 0)];
        while let Some((directory, depth)) = open.pop() {
            let mut below = Vec::new();
            self.reader().for_each_entry(directory, &mut |entry| {
                search.entries += 1;
                match &entry.kind {
                    EntryKind::Directory(directory) if depth < MAX_DEPTH => below.push((directory.id, depth + 1)),
                    EntryKind::File(content) if search.files < MAX_FILES => search.file(entry, content),
                    _ => {}
                }
                Ok(())
            })?;
            if search.entries > MAX_ENTRIES {
                break;
            }
            open.extend(below);
        }
        Ok(search.marks)
    }
}

struct Search<'a> {
    reader: &'a Reader,
    marks: BTreeSet<Mark>,
    entries: usize,
    files: usize,
}

impl Search<'_> {
    fn file(&mut self, entry: &Entry, content: &Content) {
        let name = String::from_utf8_lossy(entry.name.as_bytes()).to_lowercase();
        let extension = name.rsplit_once('.').map(|(_, extension)| extension);
        let is_program = content.size >= MIN_PROGRAM_LEN
            && match extension {
                Some(extension) => PROGRAMS.contains(&extension),
                None => entry.attributes.mode & 0o111 != 0,
            };
        let is_pack = extension.is_some_and(|extension| PACKS.contains(&extension));
        let found = match name.as_str() {
            STAMP_FILE => self.stamp(content),
            "boot.config" => self.guid(content),
            _ if is_program || is_pack => self.executable(content, is_program),
            _ => return,
        };
        self.files += 1;
        if let Err(error) = found {
            tracing::warn!(%name, %error, "a file of a build tells nothing of it");
        }
    }

    fn stamp(&mut self, content: &Content) -> Result<()> {
        if let Ok(Stamp { stamp }) = serde_json::from_slice(&self.text(content)?) {
            self.marks.insert((MarkKind::Stamp, stamp.to_lowercase()));
        }
        Ok(())
    }

    /// Unity writes `build-guid=` and 32 hex digits.
    fn guid(&mut self, content: &Content) -> Result<()> {
        let text = self.text(content)?;
        let text = String::from_utf8_lossy(&text);
        let guid = text.lines().find_map(|line| line.trim().strip_prefix("build-guid="));
        if let Some(guid) = guid.map(str::trim).filter(|guid| !guid.is_empty()) {
            self.marks.insert((MarkKind::Guid, guid.to_lowercase()));
        }
        Ok(())
    }

    fn executable(&mut self, content: &Content, is_program: bool) -> Result<()> {
        let end = content.size.min(FINGERPRINT_END as u64);
        let (mut first, mut last) = (vec![0; end as usize], vec![0; end as usize]);
        self.reader.read_at(content, 0, &mut first)?;
        self.reader.read_at(content, content.size - end, &mut last)?;
        self.marks.insert((MarkKind::Fingerprint, fingerprint(content.size, &first, &last)));
        if is_program {
            self.marks.extend(self.debug_ids(content).into_iter().map(|id| (MarkKind::DebugId, id)));
        }
        Ok(())
    }

    /// Returns the ids by which crash reports name an executable, as tools write them: hex digits without hyphens.
    fn debug_ids(&self, content: &Content) -> Vec<String> {
        let cache = ReadCache::new(FileBytes::new(self.reader, *content));
        let Ok(file) = Executable::parse(&cache) else { return Vec::new() };
        let mut ids = Vec::new();
        if let Ok(Some(id)) = file.build_id() {
            ids.push(data_encoding::HEXLOWER.encode(id));
            ids.extend(as_guid(id));
        }
        if let Ok(Some(uuid)) = file.mach_uuid() {
            ids.push(data_encoding::HEXLOWER.encode(&uuid));
        }
        if let Ok(Some(pdb)) = file.pdb_info() {
            let guid = as_guid(&pdb.guid()).expect("it has 16 bytes");
            ids.push(format!("{guid}{:x}", pdb.age()));
            ids.push(guid);
        }
        ids
    }

    fn text(&self, content: &Content) -> Result<Vec<u8>> {
        let mut text = vec![0; content.size.min(MAX_TEXT_LEN) as usize];
        self.reader.read_at(content, 0, &mut text)?;
        Ok(text)
    }
}

/// Returns the first 16 bytes as crash reporters write them: the first three fields of a GUID are little-endian.
fn as_guid(bytes: &[u8]) -> Option<String> {
    let mut guid: [u8; 16] = bytes.get(..16)?.try_into().expect("it has that length");
    guid[..4].reverse();
    guid[4..6].reverse();
    guid[6..8].reverse();
    Some(data_encoding::HEXLOWER.encode(&guid))
}
