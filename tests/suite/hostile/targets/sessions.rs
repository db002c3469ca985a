//! What a process that was killed leaves of its sessions: their journals.

use super::memory_disk::MemoryDisk;
use super::{Checker, Outcome, Target};
use gamevault::ErrorKind;
use gamevault::catalogue::Catalogue;
use gamevault::content::Reader;
use gamevault::disk::Disk;
use gamevault::ingest::session::{
    At, NewNode, ROOT, Replacing, SessionForm, SessionRules, Sessions, SetTime, for_each_root,
};
use gamevault::manifest::Timestamp;
use gamevault::name::RefName;
use gamevault::store::{CacheSizes, Store};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub const JOURNALS: Target = Target { name: "journals", memory: (256, 16 << 20), start: journals };

/// Bytes before the first record of a journal, and before each op.
const MARK_LEN: usize = 8;
const RECORD_HEADER_LEN: usize = 8;

/// A vault's store and reader, with its files in memory.
struct Place {
    disk: Arc<MemoryDisk>,
    store: Arc<Store>,
    reader: Arc<Reader>,
}

impl Place {
    fn new(root: &Path, catalogue: &Arc<Catalogue>) -> Place {
        let disk = Arc::new(MemoryDisk::new(root));
        let store = Arc::new(Store::new(disk.clone(), catalogue.clone(), &CacheSizes::OFF));
        Place { disk, reader: Arc::new(Reader::new(store.clone(), &CacheSizes::OFF)), store }
    }

    fn sessions(&self) -> Sessions {
        Sessions::open(self.store.clone(), self.reader.clone(), SessionRules::default()).unwrap()
    }

    /// Returns the folders of the sessions.
    fn folders(&self) -> Vec<PathBuf> {
        let names = self.disk.list(Path::new("spool")).unwrap();
        names.into_iter().map(|(name, _)| Path::new("spool").join(name)).collect()
    }
}

/// Makes sessions of all forms with ops of many kinds, and returns their journals.
fn sample_journals(place: &Place) -> Vec<Vec<u8>> {
    let sessions = place.sessions();
    for form in [SessionForm::Folder, SessionForm::Workspace, SessionForm::Inbox] {
        let session = sessions.create(RefName::new(format!("s{}", form as u8)).unwrap(), form, None).unwrap();
        let at = |directory, name: &'static str| At { directory, name: name.as_bytes() };
        let folder = session.create(at(ROOT, "data"), NewNode::Directory, 0o755).unwrap().node;
        let file = session.create(at(folder, "level.pak"), NewNode::File, 0o644).unwrap().node;
        session.open(file, true).unwrap();
        session.write(file, 0, b"some bytes").unwrap();
        session.create(at(ROOT, "link"), NewNode::Symlink(b"data/level.pak".as_slice().into()), 0o777).unwrap();
        session.set_xattr(file, b"user.a", b"value").unwrap();
        session.link(file, at(ROOT, "other")).unwrap();
        session.change(file, Some(0o600), Some(SetTime::To(Timestamp { secs: 5, nanos: 6 }))).unwrap();
        session.create(at(ROOT, "short lived"), NewNode::File, 0o600).unwrap();
        session.remove(at(ROOT, "short lived"), false).unwrap();
        session.rename(at(ROOT, "link"), at(folder, "link"), Replacing::Always).unwrap();
        session.set_info(session.info()).unwrap();
    }
    let journal = |folder: &PathBuf| place.disk.bytes(&folder.join("journal")).unwrap();
    place.folders().iter().map(journal).collect()
}

/// The first byte says whether the checksums are made to fit again.
fn journals() -> Checker {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = super::empty_catalogue(dir.path());
    let journals = sample_journals(&Place::new(dir.path(), &catalogue));
    let samples = journals.iter().flat_map(|journal| [0, 1].map(|seal| [&[seal], &journal[..]].concat())).collect();
    Checker::new(samples, move |input| {
        let Some((&seal, journal)) = input.split_first() else { return Outcome::Refused };
        let mut journal = journal.to_vec();
        if seal & 1 == 1 {
            seal_again(&mut journal);
        }
        let place = Place::new(dir.path(), &catalogue);
        place.disk.create_dir(Path::new("spool/0123/data")).unwrap();
        place.disk.put("spool/0123/lock", Vec::new());
        place.disk.put("spool/0123/journal", journal);
        let named = for_each_root(&*place.disk, &mut |_| Ok(()));
        assert!(named.as_ref().err().is_none_or(|error| error.kind() == ErrorKind::Corrupt), "{named:?}");
        let sessions = place.sessions();
        let opened = sessions.list().into_iter().chain(sessions.workspaces()).chain(sessions.inboxes());
        let mut outcome = Outcome::Refused;
        for session in opened {
            outcome = Outcome::Decoded;
            let _ = session.list(ROOT, 0, &mut |_, _| true);
            let _ = session.lookup(At { directory: ROOT, name: b"data" });
        }
        outcome
    })
}

/// Makes the checksums of all records fit to what they say.
fn seal_again(journal: &mut [u8]) {
    let mut at = MARK_LEN;
    while let Some(header) = journal.get(at..at + RECORD_HEADER_LEN) {
        let len = u32::from_le_bytes(header[..4].try_into().unwrap()) as usize;
        let start = at + RECORD_HEADER_LEN;
        let Some(op) = journal.get(start..start.saturating_add(len)) else { return };
        let hash = blake3::hash(op);
        journal[at + 4..start].copy_from_slice(&hash.as_bytes()[..4]);
        at = start + len;
    }
}
