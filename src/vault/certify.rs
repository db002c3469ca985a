//! Certificates: what a milestone's build was when every byte of it was read, so that it can be told years later.
//!
//! The hashes of files that were read go to a file of the vault, a batch at a time, so that an interrupted reading goes on
//! where it was.

use super::Vault;
use super::tree_hash::{Anew, Folder, Found, Stored, TreeHash, hash_tree};
use crate::catalogue::{Build, Certificate, Milestone};
use crate::disk::{Disk, DiskFile};
use crate::error::{Error, ErrorKind, Result};
use crate::id::ChunkId;
use crate::manifest::Timestamp;
use crate::name::RefName;
use crate::progress::Progress;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The form of certificates that is written.
const FORM: u32 = 1;

/// Where interrupted readings are kept in a vault.
const FOLDER: &str = "certify";

/// An interrupted reading goes on for a day: a certificate says when everything was read.
const MAX_AGE_SECS: i64 = 24 * 3600;

/// What comparing a folder or a build with a certificate told.
#[derive(Debug, Clone, serde::Serialize)]
pub struct CertificateCheck {
    /// Everything is as it was.
    pub holds: bool,
    /// Sentences on what is not; empty when everything is.
    pub differences: Vec<String>,
}

impl Certificate {
    /// Compares the certificate with a folder, reading all of it; modes and times do not count.
    ///
    /// # Errors
    /// `Io` or `Denied` for what cannot be read; `Interrupted`.
    pub fn check_folder(&self, folder: &Path, progress: &Progress) -> Result<CertificateCheck> {
        progress.add_total(self.files, self.bytes);
        Ok(self.compare(&hash_tree(&Folder(folder.into()), &mut Anew, progress)?))
    }

    fn compare(&self, found: &TreeHash) -> CertificateCheck {
        let mut differences = Vec::new();
        for (what, wanted, is) in [
            ("files", self.files, found.files),
            ("folders", self.directories, found.directories),
            ("links", self.symlinks, found.symlinks),
            ("bytes", self.bytes, found.bytes),
        ] {
            if wanted != is {
                differences.push(format!("{is} {what} instead of {wanted}"));
            }
        }
        if self.content_hash != found.hash && differences.is_empty() {
            differences.push("as many files and bytes, but names or bytes are other ones".into());
        }
        CertificateCheck { holds: self.content_hash == found.hash, differences }
    }
}

impl Vault {
    /// Reads back all bytes of the build that the milestone `name` marks, and keeps a certificate of it.
    ///
    /// A reading that was interrupted within the last day goes on.
    ///
    /// # Errors
    /// `NotFound` if there is no such milestone; `Corrupt` with the file and its chunk if a byte is damaged; `Interrupted`.
    pub fn verify_milestone(&self, name: &RefName, progress: &Progress) -> Result<Milestone> {
        let milestone = self.milestone(name)?;
        let build = self.build_by_number(milestone.build)?;
        let build = build.ok_or_else(|| Error::not_found(format!("build {} is gone", milestone.build)))?;
        progress.add_total(build.root.totals.files, build.root.totals.bytes);
        let mut notes = Notes::open(&self.disk, &build)?;
        let stored = Stored { reader: self.reader(), root: build.root.id };
        let found = hash_tree(&stored, &mut notes, progress)?;
        let certified = self.certify_milestone(&Certificate {
            certificate: FORM,
            vault: self.id().to_string(),
            milestone: milestone.name.clone(),
            build: build.number,
            build_id: build.id.clone(),
            published: build.created,
            merkle_root: build.root.id,
            content_hash: found.hash,
            files: found.files,
            directories: found.directories,
            symlinks: found.symlinks,
            bytes: found.bytes,
            verified: Timestamp::now(),
            tool: concat!("gamevault ", env!("CARGO_PKG_VERSION")).into(),
            annotations_hash: milestone.annotations_hash(),
        })?;
        notes.remove()?;
        Ok(certified)
    }

    /// Compares a certificate with the build that it is of, reading all of it.
    ///
    /// # Errors
    /// `NotFound` if the vault does not have the build; as [`Vault::verify_milestone`].
    pub fn check_certificate(&self, certificate: &Certificate, progress: &Progress) -> Result<CertificateCheck> {
        let build = self.build_by_number(certificate.build)?;
        if build.is_none_or(|build| build.root.id != certificate.merkle_root) {
            let message = format!("the vault has no build with the Merkle root {}", certificate.merkle_root);
            return Err(Error::not_found(message).with_hint("name the folder that is to be checked, too"));
        }
        progress.add_total(certificate.files, certificate.bytes);
        let stored = Stored { reader: self.reader(), root: certificate.merkle_root };
        Ok(certificate.compare(&hash_tree(&stored, &mut Anew, progress)?))
    }
}

/// The hashes of files that were read, as a file of the vault.
///
/// ```text
/// OFFSET SIZE MEANING
/// 0      32   the root of the build's manifest
/// 32     8    when it was begun, in seconds since 1970
/// then for each batch:
/// 0      4    the number n of files
/// 4      32 n the hashes of their bytes, in the order of the tree
/// +      32   the BLAKE3 hash of these two
/// ```
struct Notes {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    end: u64,
    known: std::vec::IntoIter<ChunkId>,
}

impl Notes {
    const HEAD_LEN: u64 = 40;

    fn open(disk: &Arc<dyn Disk>, build: &Build) -> Result<Notes> {
        let path = Path::new(FOLDER).join(build.number.to_string());
        disk.create_dir(Path::new(FOLDER))?;
        if let Some(notes) = Notes::of_earlier(disk, &path, build)? {
            return Ok(notes);
        }
        match disk.remove(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = disk.create(&path)?;
        let head = [&build.root.id.0[..], &Timestamp::now().secs.to_le_bytes()].concat();
        file.write_all_at(&head, 0)?;
        Ok(Notes { disk: disk.clone(), path, file, end: Notes::HEAD_LEN, known: Vec::new().into_iter() })
    }

    /// Returns what an earlier reading of the same build left, as far as it is sound; `None` if there is nothing of use.
    fn of_earlier(disk: &Arc<dyn Disk>, path: &Path, build: &Build) -> Result<Option<Notes>> {
        let file = match disk.open_writable(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut bytes = vec![0; file.len()? as usize];
        let len = file.read_at(&mut bytes, 0)?;
        bytes.truncate(len);
        let Some((head, mut rest)) = bytes.split_at_checked(Notes::HEAD_LEN as usize) else { return Ok(None) };
        let begun = i64::from_le_bytes(head[32..].try_into().expect("8 of 40 bytes"));
        let age = Timestamp::now().secs.saturating_sub(begun);
        if head[..32] != build.root.id.0 || !(0..MAX_AGE_SECS).contains(&age) {
            return Ok(None);
        }
        let (mut known, mut end) = (Vec::new(), Notes::HEAD_LEN);
        while let Some((batch, after)) = sound_batch(rest) {
            known.extend(batch);
            end += (rest.len() - after.len()) as u64;
            rest = after;
        }
        Ok(Some(Notes { disk: disk.clone(), path: path.into(), file, end, known: known.into_iter() }))
    }

    fn remove(self) -> Result<()> {
        drop(self.file);
        self.disk.remove(&self.path)
    }
}

/// Returns the hashes of the batch with which `bytes` start, and what follows; `None` if it was not written whole.
fn sound_batch(bytes: &[u8]) -> Option<(Vec<ChunkId>, &[u8])> {
    let count = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let len = count.checked_mul(ChunkId::LEN)?.checked_add(4)?;
    let (batch, after) = bytes.split_at_checked(len)?;
    let (sum, after) = after.split_at_checked(ChunkId::LEN)?;
    let hashes = batch[4..].chunks_exact(ChunkId::LEN).map(ChunkId::from_slice).collect::<Result<Vec<_>>>().ok()?;
    (ChunkId::of(batch).0 == sum).then_some((hashes, after))
}

impl Found for Notes {
    fn next(&mut self) -> Option<ChunkId> {
        self.known.next()
    }

    fn keep(&mut self, hashes: &[ChunkId]) -> Result<()> {
        let mut batch = (hashes.len() as u32).to_le_bytes().to_vec();
        hashes.iter().for_each(|hash| batch.extend_from_slice(&hash.0));
        let sum = ChunkId::of(&batch);
        batch.extend_from_slice(&sum.0);
        self.file.write_all_at(&batch, self.end)?;
        self.end += batch.len() as u64;
        Ok(())
    }
}
