//! Readers of container formats: what a file is, and whether all of it is there.
//!
//! A copy that was killed leaves a file that looks finished, but a container says where its parts lie, so that its end can
//! be told from a cut. [`check`] reads the directory of a container and compares it with the length of the file. It reads
//! headers and directories only, whatever the size of the file; the bytes of the parts are not looked at.
//!
//! In doubt a verdict is [`Verdict::Unknown`]: a wrong `Torn` keeps somebody's work from being published, a wrong `Unknown`
//! merely leaves the decision to other signs. [`parts`] reads the same directories to say where the entries lie. Nothing here does I/O; the bytes come through [`ReadAt`].

mod elf;
mod glb;
mod id_software;
mod input;
mod nsp;
mod ogg;
mod parts;
mod pck;
mod pe;
mod png;
mod riff;
mod seven_zip;
pub mod shape;
mod tar;
mod unity_fs;
mod unreal_pak;
mod zip;

pub use parts::{Coding, Node, Part, Parts, parts};

use crate::error::{Error, Result};
use input::Input;
use std::fmt;

/// Bytes at the start of a file by which formats are told apart: the magic of tar stands last, and all of its header counts.
const HEAD_LEN: usize = tar::BLOCK_LEN;

/// Bytes that can be read at any place.
pub trait ReadAt {
    /// Reads up to `buf.len()` bytes at `offset`; 0 at the end.
    ///
    /// # Errors
    /// Those of the place where the bytes are.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize>;
}

impl<S: ReadAt + ?Sized> ReadAt for &S {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        (**self).read_at(buf, offset)
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }
}

/// A format that a lens can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// A zip archive, under whatever name: apk, aab, jar, docx, …
    Zip,
    /// A pack of Godot, alone; one behind a program counts as the program.
    GodotPck,
    /// A bundle of Unity.
    UnityFs,
    /// A pak of Unreal.
    UnrealPak,
    /// A PAK of Quake and its kin.
    QuakePak,
    /// A WAD of Doom.
    DoomWad,
    /// A PNG picture.
    Png,
    /// A program or library of Linux and others.
    Elf,
    /// A program or library of Windows.
    Pe,
    /// A RIFF file: WAV, AVI, WebP, …
    Riff,
    /// A binary glTF model.
    Glb,
    /// A 7z archive.
    SevenZip,
    /// An Ogg stream.
    Ogg,
    /// An archive of tar, not compressed.
    Tar,
    /// A package of the Switch, or a partition of its images.
    Nsp,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Zip => "zip archive",
            Format::GodotPck => "Godot pack",
            Format::UnityFs => "Unity bundle",
            Format::UnrealPak => "Unreal pak",
            Format::QuakePak => "Quake pak",
            Format::DoomWad => "Doom WAD",
            Format::Png => "PNG picture",
            Format::Elf => "ELF program",
            Format::Pe => "Windows program",
            Format::Riff => "RIFF file",
            Format::Glb => "glTF model",
            Format::SevenZip => "7z archive",
            Format::Ogg => "Ogg stream",
            Format::Tar => "tar archive",
            Format::Nsp => "Switch package",
        })
    }
}

impl Format {
    /// Tells the format from the first bytes of a file and, where these are not enough, from its `name`.
    fn of(head: &[u8], name: &[u8]) -> Option<Format> {
        const MAGICS: [(&[u8], Format); 14] = [
            (b"PK\x03\x04", Format::Zip),
            (b"PK\x05\x06", Format::Zip),
            (b"GDPC", Format::GodotPck),
            (b"UnityFS\0", Format::UnityFs),
            (b"IWAD", Format::DoomWad),
            (b"PWAD", Format::DoomWad),
            (b"\x89PNG\r\n\x1a\n", Format::Png),
            (b"\x7fELF", Format::Elf),
            (b"MZ", Format::Pe),
            (b"RIFF", Format::Riff),
            (b"glTF", Format::Glb),
            (b"7z\xbc\xaf\x27\x1c", Format::SevenZip),
            (b"PFS0", Format::Nsp),
            (b"HFS0", Format::Nsp),
        ];
        // First, as an archive begins with a path, which may be any of these.
        if tar::starts_with_header(head) {
            return Some(Format::Tar);
        }
        if let Some((_, format)) = MAGICS.iter().find(|(magic, _)| head.starts_with(magic)) {
            return Some(*format);
        }
        match head {
            [b'O', b'g', b'g', b'S', ..] => Some(Format::Ogg),
            // Packs of git begin with PACK, too, and the paks of Unreal with nothing that is theirs alone.
            [b'P', b'A', b'C', b'K', ..] => has_extension(name, &["pak"]).then_some(Format::QuakePak),
            _ => has_extension(name, &["pak"]).then_some(Format::UnrealPak),
        }
    }
}

/// What is known about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// No format was recognised, or this file of it says nothing about its end.
    Unknown,
    /// All that the container speaks of is inside the file.
    Whole(Format),
    /// A part that the container needs is beyond the end of the file.
    Torn {
        /// The format whose rules are broken.
        format: Format,
        /// What is missing, with offsets.
        reason: String,
    },
}

/// Why a lens cannot vouch for a file.
enum Flaw {
    /// Something is missing; the sentence says what, and where.
    Torn(String),
    /// The file is strange, or of a kind that is not read.
    Unknown,
    /// The bytes could not be had.
    Failed(Error),
}

impl From<Error> for Flaw {
    fn from(error: Error) -> Flaw {
        Flaw::Failed(error)
    }
}

type Parsed<T> = std::result::Result<T, Flaw>;

/// Says whether the file `name`, of `len` bytes, is whole.
///
/// The name is a hint for formats that are known by their end, which a torn file does not have. Reads the head and the
/// directory: a few KiB for most files, and never more than the directory has.
///
/// # Errors
/// Those of `source`.
pub fn check<S: ReadAt + ?Sized>(source: &S, len: u64, name: &[u8]) -> Result<Verdict> {
    let input = Input::new(&source, len);
    let Some(format) = recognise(&input, name)? else { return Ok(Verdict::Unknown) };
    let checked = match format {
        Format::Zip => zip::check(&input, name),
        Format::GodotPck => pck::check(&input),
        Format::UnityFs => unity_fs::check(&input),
        Format::UnrealPak => unreal_pak::check(&input),
        Format::QuakePak => id_software::check_pak(&input),
        Format::DoomWad => id_software::check_wad(&input),
        Format::Png => png::check(&input),
        Format::Elf => elf::check(&input).and_then(|end| pck::check_behind_program(&input, end)),
        Format::Pe => pe::check(&input).and_then(|end| pck::check_behind_program(&input, end)),
        Format::Riff => riff::check(&input),
        Format::Glb => glb::check(&input),
        Format::SevenZip => seven_zip::check(&input),
        Format::Ogg => ogg::check(&input),
        Format::Tar => tar::check(&input),
        Format::Nsp => nsp::check(&input),
    };
    match checked {
        Ok(()) => Ok(Verdict::Whole(format)),
        Err(Flaw::Torn(reason)) => Ok(Verdict::Torn { format, reason }),
        Err(Flaw::Unknown) => Ok(Verdict::Unknown),
        Err(Flaw::Failed(error)) => Err(error),
    }
}

fn recognise(input: &Input<'_>, name: &[u8]) -> Result<Option<Format>> {
    if is_one_of_many(name) {
        return Ok(None);
    }
    let mut head = [0; HEAD_LEN];
    let head_len = input.len().min(HEAD_LEN as u64) as usize;
    match input.read_into(0, &mut head[..head_len]) {
        Ok(()) => Ok(Format::of(&head[..head_len], name)),
        Err(Flaw::Failed(error)) => Err(error),
        // The source has fewer bytes than it was said to have; whoever said so finds out by itself.
        Err(Flaw::Torn(_) | Flaw::Unknown) => Ok(None),
    }
}

/// Tells whether a file is a volume (`Game.zip.001`): its container goes on in the next one.
fn is_one_of_many(name: &[u8]) -> bool {
    extension(name).is_some_and(|kind| kind.len() >= 2 && kind.iter().all(u8::is_ascii_digit))
}

fn extension(name: &[u8]) -> Option<&[u8]> {
    let dot = name.iter().rposition(|&byte| byte == b'.')?;
    Some(&name[dot + 1..])
}

fn has_extension(name: &[u8], kinds: &[&str]) -> bool {
    extension(name).is_some_and(|found| kinds.iter().any(|kind| found.eq_ignore_ascii_case(kind.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of a sample container; `tests/data/containers/make.py` says where each comes from.
    macro_rules! sample {
        ($name:literal) => {
            include_bytes!(concat!("../../tests/data/containers/", $name)).as_slice()
        };
    }
    pub(super) use sample;

    pub(super) fn verdict(name: &str, bytes: &[u8]) -> Verdict {
        check(bytes, bytes.len() as u64, name.as_bytes()).unwrap()
    }

    /// Returns why `bytes` are torn.
    pub(super) fn reason(name: &str, bytes: &[u8]) -> String {
        match verdict(name, bytes) {
            Verdict::Torn { reason, .. } => reason,
            other => panic!("{name} is not torn but {other:?}"),
        }
    }

    /// Checks that `bytes` are whole, and torn wherever they are cut; `magic_len` bytes are too few to be known.
    pub(super) fn assert_cuts_are_torn(format: Format, name: &str, bytes: &[u8], magic_len: usize) {
        assert_eq!(verdict(name, bytes), Verdict::Whole(format));
        for len in 0..bytes.len() {
            match verdict(name, &bytes[..len]) {
                Verdict::Torn { format: torn, .. } => assert_eq!(torn, format),
                verdict => assert!(verdict == Verdict::Unknown && len < magic_len.max(8), "{verdict:?} at {len}"),
            }
        }
    }

    #[test]
    fn files_of_no_known_format_are_unknown() {
        for bytes in [&b""[..], b"x", b"PK", b"\x89PN", b"#!/bin/sh\nexit 0\n", &[0; 5000]] {
            for name in ["a", "a.zip", "a.pak", "a.png", ""] {
                assert_eq!(verdict(name, bytes), Verdict::Unknown);
            }
        }
    }

    /// A file that became shorter after somebody asked for its length.
    #[test]
    fn a_source_with_fewer_bytes_than_said_is_never_whole() {
        let bytes = sample!("python.zip");
        let verdict = check(&bytes[..1000], bytes.len() as u64, b"a.zip").unwrap();
        assert!(matches!(verdict, Verdict::Torn { format: Format::Zip, .. }), "{verdict:?}");
        assert_eq!(check(&b""[..], 100, b"a.zip").unwrap(), Verdict::Unknown);
    }
}
