//! What lies where in a container: the places of its entries, as its directory gives them.
//!
//! [`parts`] is for cutting files where their content has its seams, and for opening what is compressed inside. It reads
//! headers and directories only. A directory that is broken, hostile, or beyond the bounds below gives nothing: the file
//! is then a row of bytes like any other.

use super::input::Input;
use super::{Flaw, Format, Parsed, ReadAt, elf, id_software, nsp, pck, pe, recognise, tar, unity_fs, unreal_pak, zip};
use crate::error::Result;

/// Entries beyond which a container is not read.
pub(super) const MAX_PARTS: usize = 4 << 20;

/// Bytes of names beyond which a container is not read: 64 an entry of the largest.
const MAX_NAMES_LEN: usize = 64 * MAX_PARTS;

/// The entries of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// What the container is; a pack behind a program counts as the program.
    pub format: Format,
    /// Byte ranges of the file, ascending, not overlapping, none empty. What lies between them is headers, padding, and
    /// the directory.
    pub parts: Vec<Part>,
    /// The files inside a container whose parts are blocks of one long text, by places in that text.
    pub nodes: Vec<Node>,
}

/// The bytes of an entry as they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The path inside the container; empty for a block of a bundle.
    pub name: Box<[u8]>,
    /// Where the bytes start in the file.
    pub offset: u64,
    /// How many bytes are stored.
    pub len: u64,
    /// What the bytes are.
    pub coding: Coding,
}

/// How the bytes of a part stand for those of its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// As they are.
    Stored,
    /// One raw deflate stream (RFC 1951).
    Deflate {
        /// Bytes of the text, as the directory says.
        plain_len: u64,
    },
    /// One block of LZ4, that needs no other.
    Lz4 {
        /// Bytes of the text, as the directory says.
        plain_len: u32,
    },
    /// Compressed or encrypted in a way that is not read here.
    Opaque,
}

/// A file inside the text that all blocks of a bundle make together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its path inside the bundle.
    pub name: Box<[u8]>,
    /// Where it starts in the text.
    pub plain_offset: u64,
    /// Its bytes.
    pub len: u64,
}

/// Returns the entries of the container `name`, of `len` bytes; `None` if it is none that is read, or does not hold
/// together.
///
/// Takes at most some 128 bytes of memory an entry.
///
/// # Errors
/// Those of `source`.
pub fn parts<S: ReadAt + ?Sized>(source: &S, len: u64, name: &[u8]) -> Result<Option<Parts>> {
    let input = Input::new(&source, len);
    let Some(format) = recognise(&input, name)? else { return Ok(None) };
    let mut found = Found::default();
    let read = match format {
        Format::Zip => zip::find_parts(&input, &mut found),
        Format::GodotPck => pck::find_parts(&input, &mut found),
        Format::UnityFs => unity_fs::find_parts(&input, &mut found),
        Format::QuakePak => id_software::find_pak_parts(&input, &mut found),
        Format::DoomWad => id_software::find_wad_parts(&input, &mut found),
        Format::Elf => elf::check(&input).and_then(|_| pck::find_parts_behind_program(&input, &mut found)),
        Format::Pe => pe::check(&input).and_then(|_| pck::find_parts_behind_program(&input, &mut found)),
        Format::UnrealPak => unreal_pak::find_parts(&input, &mut found),
        Format::Tar => tar::find_parts(&input, &mut found),
        Format::Nsp => nsp::find_parts(&input, &mut found),
        Format::Png | Format::Riff | Format::Glb | Format::SevenZip | Format::Ogg => {
            return Ok(None);
        }
    };
    match read.and_then(|()| found.in_order(&input)) {
        Ok(parts) if parts.is_empty() => Ok(None),
        Ok(parts) => Ok(Some(Parts { format, parts, nodes: found.nodes })),
        Err(Flaw::Torn(_) | Flaw::Unknown) => Ok(None),
        Err(Flaw::Failed(error)) => Err(error),
    }
}

/// What a directory gave so far.
#[derive(Default)]
pub(super) struct Found {
    parts: Vec<Part>,
    nodes: Vec<Node>,
    names_len: usize,
}

impl Found {
    /// Takes note of a part; empty ones are left out.
    pub(super) fn part(&mut self, name: &[u8], offset: u64, len: u64, coding: Coding) -> Parsed<()> {
        if len == 0 {
            return Ok(());
        }
        let name = self.name(name)?;
        self.parts.push(Part { name, offset, len, coding });
        Ok(())
    }

    /// Takes note of a file inside the text.
    pub(super) fn node(&mut self, name: &[u8], plain_offset: u64, len: u64) -> Parsed<()> {
        let name = self.name(name)?;
        self.nodes.push(Node { name, plain_offset, len });
        Ok(())
    }

    fn name(&mut self, name: &[u8]) -> Parsed<Box<[u8]>> {
        self.names_len += name.len();
        match self.parts.len() + self.nodes.len() < MAX_PARTS && self.names_len <= MAX_NAMES_LEN {
            true => Ok(name.into()),
            false => Err(Flaw::Unknown),
        }
    }

    /// Lets parts be changed in the order of their offsets, before they are checked.
    pub(super) fn sorted(&mut self) -> &mut [Part] {
        self.parts.sort_by_key(|part| part.offset);
        &mut self.parts
    }

    /// Returns the parts in ascending order, if they lie inside the file, and side by side.
    fn in_order(&mut self, input: &Input<'_>) -> Parsed<Vec<Part>> {
        self.parts.sort_by_key(|part| (part.offset, part.len));
        // Packers let entries that are equal share their bytes.
        self.parts.dedup_by_key(|part| (part.offset, part.len));
        let are_inside = self.parts.iter().all(|part| input.holds(part.offset, part.len));
        let are_apart = || self.parts.windows(2).all(|pair| pair[0].offset + pair[0].len <= pair[1].offset);
        match are_inside && are_apart() {
            true => Ok(std::mem::take(&mut self.parts)),
            false => Err(Flaw::Unknown),
        }
    }
}
