//! Opens compressed streams, so that a changed one can be stored as a difference of what it says, not of how it looks.
//!
//! One changed byte changes everything behind it in a compressed stream, and a delta finds nothing. Opened, a piece of
//! the stream is a recipe (how to make the very bytes again) and its plain text, which deltas well against the plain
//! text of the older stream. Every recipe is proved when it is made, by re-creating and comparing.
//!
//! What a delta of the plain text is, where bases come from and what is stored at last is the store's affair.
//!
//! A recipe:
//!
//! | offset | size | meaning                                                     |
//! |--------|------|-------------------------------------------------------------|
//! | 0      | 1    | kind of stream                                              |
//! | 1      | 8    | start of the BLAKE3 of kind, body and plain text            |
//! | 9      | rest | body, told where the kind is parsed                         |

mod deflate;
mod fields;
mod form;
mod gzip;
mod inflate;
mod jpeg;
mod lz4;
mod png;

use crate::error::{Error, Result};
use cpu_time::ThreadTime;
use fields::{Fields, put_bytes};
use std::ops::Range;
use std::time::Duration;

pub use super::MAX_PLAIN_LEN;
pub use form::{BaseText, Form, Reading, stored};
pub use lz4::Block as Lz4Block;

/// Plain bytes a second under which re-creating is slow: reading such a file through is felt.
pub const SLOW_BYTES_PER_SECOND: u64 = 20_000_000;

/// Bytes of a recipe before its body.
const HEAD_LEN: usize = 9;

/// How a stream is opened, with what its container knows of it.
#[derive(Debug, Clone, Copy)]
pub enum Opener<'a> {
    /// A run of whole LZ4 blocks.
    Lz4 {
        /// The blocks, in order; together all the bytes.
        blocks: &'a [Lz4Block],
    },
    /// One raw deflate stream, as an entry of a zip.
    Deflate,
    /// One gzip member.
    Gzip,
    /// A whole PNG picture, in one piece: slow to re-create where it was written at level 9.
    Png,
    /// A whole JPEG picture, in one piece and without plain text: slow, and always smaller by about a fifth.
    Jpeg,
}

/// What worked last in a file, to be tried first; a new one for every file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hint {
    encoder: Option<u8>,
}

/// A piece of a stream, opened; pieces lie one behind the other and make the whole stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where the piece lies in the stream.
    pub stored: Range<usize>,
    /// What it says; for a segment of a deflate stream after up to 32 KiB that it may refer to, which the piece before
    /// ends with.
    pub plain: Vec<u8>,
    /// How its bytes are made again from `plain`.
    pub recipe: Vec<u8>,
    /// What re-creating took when it was proved.
    pub recreate_time: Duration,
}

/// Why a stream stays closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// The bytes are not of the format.
    NotThisFormat,
    /// Nothing known makes the same bytes again.
    NotExact,
    /// Re-creating is slow and does not save enough for that.
    TooSlow,
    /// The plain text is longer than what is opened.
    TooLarge,
    /// Recipe and delta are hardly smaller than the stream.
    NotSmaller,
}

impl Refusal {
    /// Returns the stable name of the reason, by which it is counted.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::NotThisFormat => "opened-not-this-format",
            Refusal::NotExact => "opened-not-exact",
            Refusal::TooSlow => "opened-too-slow",
            Refusal::TooLarge => "opened-too-large",
            Refusal::NotSmaller => "opened-not-smaller",
        }
    }
}

impl Piece {
    /// Returns the plain bytes that are re-created in a second; the stored ones where there is no plain text.
    pub fn bytes_per_second(&self) -> u64 {
        let len = if self.plain.is_empty() { self.stored.len() } else { self.plain.len() };
        (len as f64 / self.recreate_time.as_secs_f64().max(1e-9)) as u64
    }
}

/// Decides whether a stream is worth opening, given the bytes that it takes otherwise, and those that its pieces take with
/// their recipes and deltas.
///
/// # Errors
/// `NotSmaller` unless these are less than 60 % of `closed_len`; `TooSlow` if re-creating is slow and they are more than a
/// quarter.
pub fn weigh(pieces: &[Piece], closed_len: usize, opened_len: usize) -> std::result::Result<(), Refusal> {
    if opened_len * 10 >= closed_len * 6 {
        return Err(Refusal::NotSmaller);
    }
    let plain_len: usize = pieces.iter().map(|piece| piece.plain.len()).sum();
    let time: Duration = pieces.iter().map(|piece| piece.recreate_time).sum();
    let is_slow = (plain_len as f64) < time.as_secs_f64() * SLOW_BYTES_PER_SECOND as f64;
    match is_slow && opened_len * 4 > closed_len {
        true => Err(Refusal::TooSlow),
        false => Ok(()),
    }
}

/// Opens a stream: pieces that together are all of `stored`, each proved by re-creating it.
///
/// # Errors
/// Why the stream stays closed; after `NotExact` nothing else of the same file is worth trying.
pub fn open(opener: Opener<'_>, stored: &[u8], hint: &mut Hint) -> std::result::Result<Vec<Piece>, Refusal> {
    match opener {
        Opener::Lz4 { blocks } => {
            let plain = lz4::plain(blocks, stored)?;
            // All blocks of a bundle are written at one level: without a search half the time is saved.
            if let Some(body) = lz4::likely_recipe(blocks, hint)
                && let Ok(piece) = prove(Kind::Lz4, 0..stored.len(), stored, plain.clone(), &body)
            {
                return Ok(vec![piece]);
            }
            let body = lz4::recipe(blocks, stored, &plain, hint)?;
            Ok(vec![prove(Kind::Lz4, 0..stored.len(), stored, plain, &body)?])
        }
        Opener::Deflate => open_deflate(stored, 0, 0),
        Opener::Gzip => open_deflate(stored, gzip::header_len(stored)?, gzip::TRAILER_LEN),
        Opener::Png => {
            let (plain, body) = png::recipe(stored)?;
            Ok(vec![prove(Kind::Png, 0..stored.len(), stored, plain, &body)?])
        }
        Opener::Jpeg => Ok(vec![prove(Kind::Jpeg, 0..stored.len(), stored, Vec::new(), &jpeg::recipe(stored)?)?]),
    }
}

/// Opens the deflate stream between `lead_len` and `tail_len` other bytes.
fn open_deflate(stored: &[u8], lead_len: usize, tail_len: usize) -> std::result::Result<Vec<Piece>, Refusal> {
    let inflated = inflate::inflate(&stored[lead_len..])?;
    // Another member behind the first would be kept in the recipe as it is.
    if inflated.stored_len.map(|len| lead_len + len + tail_len) != Some(stored.len()) {
        return Err(Refusal::NotThisFormat);
    }
    let segments = deflate::segments(stored, lead_len, &inflated, deflate::SEGMENT_LEN)?;
    segments.into_iter().map(|it| prove(Kind::Deflate, it.stored, stored, it.plain, &it.body)).collect()
}

/// Returns what a stream says, to be the base of a delta: decoding alone, nothing is re-created.
///
/// A deflate stream may be cut off behind any byte and gives what it says up to there.
///
/// # Errors
/// `NotThisFormat` if the bytes do not decode, `TooLarge` if they decode to more than is opened.
pub fn plain(opener: Opener<'_>, stored: &[u8]) -> std::result::Result<Vec<u8>, Refusal> {
    match opener {
        Opener::Lz4 { blocks } => lz4::plain(blocks, stored),
        Opener::Deflate => Ok(inflate::inflate(stored)?.plain),
        Opener::Gzip => Ok(inflate::inflate(&stored[gzip::header_len(stored)?..])?.plain),
        Opener::Png => png::plain(stored),
        Opener::Jpeg => Ok(Vec::new()),
    }
}

/// Checks that `plain` is the text that the recipe was proved with.
///
/// # Errors
/// `Corrupt` if it is another one.
pub fn check_text(recipe: &[u8], plain: &[u8]) -> Result<()> {
    let mut fields = Fields::new(recipe);
    let kind = Kind::from_number(fields.byte()?)?;
    match fields.take(HEAD_LEN - 1)? == check_of(kind, fields.rest(), plain) {
        true => Ok(()),
        false => Err(Error::corrupt("an opened chunk: recipe and plain text do not belong together")),
    }
}

/// Makes the bytes of a piece again from its recipe and its plain text.
///
/// The recipe is checked against both before anything is decoded by it.
///
/// # Errors
/// `Corrupt` if recipe and text are not the ones that were proved, or do not make `stored_len` bytes.
pub fn recreate(recipe: &[u8], plain: &[u8], stored_len: usize) -> Result<Vec<u8>> {
    if plain.len() > MAX_PLAIN_LEN || stored_len > MAX_PLAIN_LEN {
        return Err(Error::corrupt(format!("an opened chunk claims {stored_len} bytes, more than any has")));
    }
    check_text(recipe, plain)?;
    let mut fields = Fields::new(recipe);
    let kind = Kind::from_number(fields.byte()?)?;
    fields.take(HEAD_LEN - 1)?;
    let body = fields.rest();
    let stored = recreate_body(kind, body, plain, stored_len)?;
    if stored.len() != stored_len {
        return Err(Error::corrupt(format!("{} bytes came out where {stored_len} are expected", stored.len())));
    }
    Ok(stored)
}

/// What is stored of an opened chunk: the recipe, then the delta of its plain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload<'a> {
    /// How the bytes are made again.
    pub recipe: &'a [u8],
    /// Bytes of the plain text, which the delta must come out at.
    pub plain_len: usize,
    /// The plain text as a delta to that of the bases.
    pub delta: &'a [u8],
}

impl<'a> Payload<'a> {
    /// Returns the payload's bytes: length of the recipe, recipe, plain length, delta to the end.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.recipe.len() + self.delta.len() + 10);
        put_bytes(&mut out, self.recipe);
        fields::put_number(&mut out, self.plain_len as u64);
        out.extend_from_slice(self.delta);
        out
    }

    /// Splits a payload into its parts.
    ///
    /// # Errors
    /// `Corrupt` if it ends too soon or claims more plain bytes than any chunk has.
    pub fn decode(bytes: &'a [u8]) -> Result<Payload<'a>> {
        let mut fields = Fields::new(bytes);
        let recipe = fields.bytes()?;
        let plain_len = fields.len()?;
        if plain_len > MAX_PLAIN_LEN {
            return Err(Error::corrupt(format!("an opened chunk claims {plain_len} plain bytes, more than any has")));
        }
        Ok(Payload { recipe, plain_len, delta: fields.rest() })
    }
}

/// The kinds of recipes; the numbers stand in packs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Lz4 = 1,
    Deflate = 2,
    Png = 3,
    Jpeg = 4,
}

impl Kind {
    fn from_number(number: u8) -> Result<Kind> {
        match number {
            1 => Ok(Kind::Lz4),
            2 => Ok(Kind::Deflate),
            3 => Ok(Kind::Png),
            4 => Ok(Kind::Jpeg),
            _ => Err(Error::corrupt(format!("the kind {number} of opened streams is unknown to this version"))),
        }
    }
}

/// Makes the recipe around `body` and re-creates the piece by it, as a reader will.
fn prove(
    kind: Kind,
    range: Range<usize>,
    stream: &[u8],
    plain: Vec<u8>,
    body: &[u8],
) -> std::result::Result<Piece, Refusal> {
    let stored = &stream[range.clone()];
    if stored.len() > MAX_PLAIN_LEN || plain.len() > MAX_PLAIN_LEN {
        return Err(Refusal::TooLarge);
    }
    let mut recipe = Vec::with_capacity(HEAD_LEN + body.len());
    recipe.push(kind as u8);
    recipe.extend_from_slice(&check_of(kind, body, &plain));
    recipe.extend_from_slice(body);
    // Of this thread alone: what else the machine does must not decide how a chunk is stored.
    let start = ThreadTime::now();
    match recreate(&recipe, &plain, stored.len()) {
        Ok(again) if again == stored => Ok(Piece { stored: range, plain, recipe, recreate_time: start.elapsed() }),
        _ => Err(Refusal::NotExact),
    }
}

/// Returns what ties a recipe to its plain text: the decoders below are other people's, and damage must not reach them.
fn check_of(kind: Kind, body: &[u8], plain: &[u8]) -> [u8; HEAD_LEN - 1] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[kind as u8]).update(body).update(plain);
    let mut check = [0; HEAD_LEN - 1];
    hasher.finalize_xof().fill(&mut check);
    check
}

fn recreate_body(kind: Kind, body: &[u8], plain: &[u8], stored_len: usize) -> Result<Vec<u8>> {
    match kind {
        Kind::Lz4 => lz4::recreate(body, plain, stored_len),
        Kind::Deflate => deflate::recreate(body, plain, stored_len),
        Kind::Png => png::recreate(body, plain, stored_len),
        Kind::Jpeg => jpeg::recreate(body, stored_len),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// A JPEG picture, made by ImageMagick: `convert -size 96x64 plasma:tan-navy -quality 85 picture.jpg`.
    pub(super) const PICTURE: &[u8] =
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/containers/picture.jpg"));

    /// Words by chance, the same every time; about a third of it remains when it is compressed.
    pub(super) fn text(len: usize) -> Vec<u8> {
        let mut random = Random(len as u64);
        let mut text = Vec::with_capacity(len + 16);
        while text.len() < len {
            let word = random.below(500) * 7_919;
            text.extend_from_slice(format!("{word:x} ").as_bytes());
            if random.below(9) == 0 {
                text.push(random.below(256) as u8);
            }
        }
        text.truncate(len);
        text
    }

    /// Bytes that do not shrink, the same every time.
    pub(super) fn noise(len: usize) -> Vec<u8> {
        let mut random = Random(len as u64);
        (0..len).map(|_| random.below(256) as u8).collect()
    }

    /// A PNG picture of soft shades, and its rows.
    pub(super) fn picture(channels: usize, idat_len: usize) -> (Vec<u8>, Vec<u8>) {
        let (width, height) = (100, 90);
        let row_len = width * channels + 1;
        let grain = noise(row_len * height);
        let rows: Vec<u8> = (0..row_len * height)
            .map(|at| match at % row_len {
                0 => 0,
                x => ((x / channels + at / row_len * 2) as u8).wrapping_add(grain[at] % 4),
            })
            .collect();
        let mut stored = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut chunk = |kind: &[u8; 4], data: &[u8]| {
            stored.extend_from_slice(&(data.len() as u32).to_be_bytes());
            stored.extend_from_slice(kind);
            stored.extend_from_slice(data);
            stored.extend_from_slice(b"crc!");
        };
        chunk(b"IHDR", &[0, 0, 0, width as u8, 0, 0, 0, height as u8, 8, channels as u8 - 1, 0, 0, 0]);
        chunk(b"tEXt", b"Author\0nobody");
        for part in miniz_oxide::deflate::compress_to_vec_zlib(&rows, 6).chunks(idat_len) {
            chunk(b"IDAT", part);
        }
        chunk(b"IEND", b"");
        (stored, rows)
    }

    struct Random(u64);

    impl Random {
        fn below(&mut self, end: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % end
        }
    }

    /// Changes, cuts or lengthens some bytes.
    fn mutate(bytes: &[u8], random: &mut Random) -> Vec<u8> {
        let mut out = bytes.to_vec();
        for _ in 0..=random.below(3) {
            let at = random.below(out.len() as u64 + 1) as usize;
            match random.below(8) {
                0 => out.truncate(at),
                1 => out.splice(at..at, [random.below(256) as u8; 3]).for_each(drop),
                _ if at < out.len() => out[at] ^= 1 << random.below(8),
                _ => {}
            }
        }
        out
    }

    fn assert_damage_is_found(piece: &Piece, rounds: u32) {
        let mut random = Random(11);
        for _ in 0..rounds {
            let recipe = mutate(&piece.recipe, &mut random);
            let plain = if random.below(2) == 0 { mutate(&piece.plain, &mut random) } else { piece.plain.clone() };
            if recipe == piece.recipe && plain == piece.plain {
                continue;
            }
            assert_eq!(recreate(&recipe, &plain, piece.stored.len()).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }

    /// Mutates a recipe's body behind its check, as no damage can.
    fn assert_forgeries_end(kind: Kind, piece: &Piece, rounds: u32) {
        let mut random = Random(14);
        for _ in 0..rounds {
            let body = mutate(&piece.recipe[HEAD_LEN..], &mut random);
            match recreate_body(kind, &body, &piece.plain, piece.stored.len()) {
                Ok(stored) => assert!(stored.len() <= MAX_PLAIN_LEN),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt),
            }
        }
    }

    #[test]
    fn damaged_lz4_is_an_error() {
        let text = text(3_000);
        let stored = ::lz4::block::compress(&text, None, false).unwrap();
        let block = Lz4Block { stored_len: stored.len() as u32, plain_len: 3_000, is_compressed: true };
        let pieces = open(Opener::Lz4 { blocks: &[block] }, &stored, &mut Hint::default()).unwrap();
        assert_damage_is_found(&pieces[0], 100_000);
        let mut random = Random(12);
        for _ in 0..100_000 {
            let hostile = mutate(&stored, &mut random);
            let block = Lz4Block { stored_len: hostile.len() as u32, ..block };
            let plain_len = plain(Opener::Lz4 { blocks: &[block] }, &hostile).map(|plain| plain.len());
            assert!(matches!(plain_len, Ok(3_000) | Err(Refusal::NotThisFormat)));
        }
    }

    #[test]
    fn damaged_deflate_is_an_error() {
        let text = text(3_000);
        let stored = miniz_oxide::deflate::compress_to_vec(&text, 6);
        let pieces = open(Opener::Deflate, &stored, &mut Hint::default()).unwrap();
        assert_damage_is_found(&pieces[0], 100_000);
        assert_forgeries_end(Kind::Deflate, &pieces[0], 1_000);
        let mut random = Random(13);
        let mut opened = 0;
        for _ in 0..1_000 {
            let hostile = mutate(&stored, &mut random);
            if let Ok(pieces) = open(Opener::Deflate, &hostile, &mut Hint::default()) {
                assert!(recreate(&pieces[0].recipe, &pieces[0].plain, hostile.len()).unwrap() == hostile);
                opened += 1;
            }
        }
        assert!(opened > 0, "no mutation left a stream");
    }

    #[test]
    fn damaged_png_is_an_error() {
        let (stored, _) = picture(3, 500);
        let pieces = open(Opener::Png, &stored, &mut Hint::default()).unwrap();
        assert_damage_is_found(&pieces[0], 30_000);
        assert_forgeries_end(Kind::Png, &pieces[0], 300);
        let mut random = Random(15);
        for _ in 0..300 {
            let hostile = mutate(&stored, &mut random);
            if let Ok(pieces) = open(Opener::Png, &hostile, &mut Hint::default()) {
                assert!(recreate(&pieces[0].recipe, &pieces[0].plain, hostile.len()).unwrap() == hostile);
            }
        }
    }

    #[test]
    fn damaged_jpeg_is_an_error() {
        let pieces = open(Opener::Jpeg, PICTURE, &mut Hint::default()).unwrap();
        assert_damage_is_found(&pieces[0], 100_000);
        assert_forgeries_end(Kind::Jpeg, &pieces[0], 300);
        let mut random = Random(16);
        for _ in 0..300 {
            let hostile = mutate(PICTURE, &mut random);
            if let Ok(pieces) = open(Opener::Jpeg, &hostile, &mut Hint::default()) {
                assert!(recreate(&pieces[0].recipe, &[], hostile.len()).unwrap() == hostile);
            }
        }
    }

    #[test]
    fn lengths_beyond_a_chunk_are_corrupt() {
        let too_long = MAX_PLAIN_LEN + 1;
        assert_eq!(recreate(&[1; 20], &[], too_long).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(recreate(&[1; 20], &vec![0; too_long], 1).unwrap_err().kind(), ErrorKind::Corrupt);
        let payload = Payload { recipe: &[], plain_len: too_long, delta: &[] }.encode();
        assert_eq!(Payload::decode(&payload).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn payloads_come_back() {
        let payload = Payload { recipe: b"recipe", plain_len: 70_000, delta: b"delta" };
        let bytes = payload.encode();
        assert_eq!(Payload::decode(&bytes).unwrap(), payload);
        for len in 0..10 {
            assert_eq!(Payload::decode(&bytes[..len.min(9)]).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }

    #[test]
    fn pieces_are_weighed_by_size_then_by_speed() {
        let pieces = |millis| {
            let recreate_time = Duration::from_millis(millis);
            [Piece { stored: 0..0, plain: vec![0; 1 << 20], recipe: vec![0; 100], recreate_time }]
        };
        assert_eq!(weigh(&pieces(10), 1_000, 599), Ok(()));
        assert_eq!(weigh(&pieces(10), 1_000, 600), Err(Refusal::NotSmaller));
        assert_eq!(weigh(&pieces(100), 1_000, 599), Err(Refusal::TooSlow));
        assert_eq!(weigh(&pieces(100), 1_000, 250), Ok(()));
    }
}
