//! What is stored of chunks, in every encoding; and that whatever is encoded comes back.

use super::{Checker, Outcome, Target, containers, numbered, outcome_of};
use gamevault::codec::dictionary::{self, Dictionary};
use gamevault::codec::filter::{FilterEncoder, Place};
use gamevault::codec::opened::{self, BaseText, Form, Hint, Lz4Block, Opener, Payload, Reading};
use gamevault::codec::{Encoder, Encoding, MAX_PLAIN_LEN, byte_delta, decode, prefix};
use gamevault::lens::shape;
use std::sync::LazyLock;

/// Memory follows what a chunk claims, up to the bound; what decodes it may need as much again.
pub const CHUNKS: Target = Target { name: "chunks", memory: (64, 3 * MAX_PLAIN_LEN), start: chunks };
/// The coefficients of a picture of one colour take as much as those of any other of its size, which 24 million pixels bound.
pub const OPENED: Target = Target { name: "opened", memory: (1024, 256 << 20), start: opened_chunks };
pub const ENCODERS: Target = Target { name: "encoders", memory: (64, 48 << 20), start: encoders };

/// Bytes of a recipe before its body: its kind, and the check of body and text.
const RECIPE_HEAD_LEN: usize = 9;

/// Kinds of recipes.
const DEFLATE: u8 = 2;
const PNG: u8 = 3;

/// What differences are to.
static BASE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let words = (0..400u32).flat_map(|n| format!("{} the same words {n} again, ", n * n % 97).into_bytes());
    words.collect()
});

/// A text that is alike to the base.
fn alike() -> Vec<u8> {
    let mut plain = BASE.clone();
    plain.splice(700..900, b"something else".iter().copied());
    plain[3000] ^= 1;
    plain.extend_from_slice(b"and more");
    plain
}

/// Pixels of 24 bits that change slowly, behind the head of a bitmap.
pub(super) fn bitmap() -> Vec<u8> {
    let (width, height) = (48u32, 40u32);
    let mut file = b"BM".to_vec();
    for number in [54 + width * height * 3, 0, 54, 40, width, height, 1 | 24 << 16, 0, 0, 0, 0, 0, 0] {
        file.extend(number.to_le_bytes());
    }
    file.extend((0..width * height).flat_map(|n| [(n % width) as u8, (n / width) as u8, (n / 7) as u8]));
    file
}

/// A sound of 16 bits.
pub(super) fn wave() -> Vec<u8> {
    let samples: Vec<u8> = (0..3000i32).flat_map(|n| ((n * n / 50 % 4000 + n % 3) as i16).to_le_bytes()).collect();
    let mut file = b"RIFF".to_vec();
    file.extend((36 + samples.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data");
    file.extend((samples.len() as u32).to_le_bytes());
    file.extend(samples);
    file
}

/// The head of a texture of BC1 and its blocks.
pub(super) fn texture() -> Vec<u8> {
    let mut file = b"DDS ".to_vec();
    let mut head = [0u32; 31];
    (head[0], head[1], head[2], head[3], head[6]) = (124, 0x21007, 64, 64, 1);
    (head[18], head[19], head[20]) = (32, 4, u32::from_le_bytes(*b"DXT1"));
    file.extend(head.iter().flat_map(|number| number.to_le_bytes()));
    file.extend((0..64 * 64 / 16u32).flat_map(|n| [n, 0x1122_3344 ^ (n & 3)]).flat_map(u32::to_le_bytes));
    file
}

/// The first byte says the encoding, the next three how long the chunk is said to be.
fn chunks() -> Checker {
    let plain = alike();
    let training: Vec<Vec<u8>> = (0..200).map(|n| BASE[n * 20..n * 20 + 600].to_vec()).collect();
    let slices: Vec<&[u8]> = training.iter().map(Vec::as_slice).collect();
    let trained = dictionary::train(&slices, 4 << 10).unwrap();
    let dictionary = Dictionary::new(&trained, 3).unwrap();
    let mut samples = Vec::new();
    let mut add = |encoding: Encoding, stored: &[u8], plain_len: usize| {
        let len = (plain_len as u32).to_le_bytes();
        samples.push([&[encoding as u8], &len[..3], stored].concat());
    };
    add(Encoding::Raw, &plain[..50], 50);
    add(Encoding::Zstd, Encoder::default().encode(&plain, None).1, plain.len());
    add(Encoding::Prefix, prefix::Prefix::new(3).encode(&BASE, &plain, plain.len()).unwrap(), plain.len());
    add(Encoding::Differences, byte_delta::ByteDelta::new(3).encode(&BASE, &plain, plain.len()).unwrap(), plain.len());
    add(Encoding::Dictionary, &dictionary.encode(&plain[..500], 500).unwrap(), 500);
    for (name, file) in [("a.bmp", bitmap()), ("a.wav", wave()), ("a.dds", texture())] {
        let place = shape::shape(&file, name.as_bytes()).map(|shape| Place { shape, offset: 0 });
        assert!(place.is_some(), "{name} has a shape");
        if let Some(stored) = FilterEncoder::new(3).encode(&file, place, file.len()) {
            add(Encoding::Filtered, stored, file.len());
        }
    }
    let records: Vec<u8> =
        (0..500u32).flat_map(|n| [n * 3, 7, n / 9, 0xffff_0000 + n]).flat_map(u32::to_le_bytes).collect();
    if let Some(stored) = FilterEncoder::new(3).encode(&records, None, records.len()) {
        add(Encoding::Filtered, stored, records.len());
    }
    Checker::new(samples, move |input| {
        let Some((&[number, a, b, c], stored)) = input.split_first_chunk() else { return Outcome::Refused };
        let Ok(encoding) = Encoding::from_number(number % 7) else { return Outcome::Refused };
        // Longer than any may be, too.
        let claimed = u32::from_le_bytes([a, b, c, 0]) as usize * if a == 0xff { 64 } else { 1 };
        let decoded = match encoding {
            Encoding::Dictionary => dictionary.decode(stored, claimed),
            encoding => decode(encoding, stored, &BASE, claimed),
        };
        assert!(decoded.as_ref().is_ok_and(|plain| plain.len() == claimed) || decoded.is_err());
        outcome_of(&decoded)
    })
}

/// Returns what is opened of a stream, as it is stored, with the length of the stream.
fn stored_of(opener: Opener<'_>, stream: &[u8]) -> Vec<Vec<u8>> {
    let pieces = opened::open(opener, stream, &mut Hint::default()).unwrap_or_default();
    let stored = pieces.iter().map(|piece| {
        let base = BaseText { reading: Reading::Each(Vec::new()), window: 0..BASE.len() };
        let payload = Payload { recipe: &piece.recipe, plain_len: piece.plain.len(), delta: &piece.plain };
        let len = (piece.stored.len() as u32).to_le_bytes();
        [&[0], &len[..3], &opened::stored(&base, Encoding::Raw, &payload)].concat()
    });
    stored.collect()
}

/// Streams that can be opened, with how.
pub(super) fn streams() -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    for (name, bytes) in containers() {
        match name.as_str() {
            "picture.png" => found.push((2, bytes)),
            "picture.jpg" => found.push((3, bytes)),
            _ => {
                let parts = gamevault::lens::parts(&bytes[..], bytes.len() as u64, name.as_bytes()).unwrap();
                for part in parts.into_iter().flat_map(|found| found.parts) {
                    let range = part.offset as usize..(part.offset + part.len) as usize;
                    match part.coding {
                        gamevault::lens::Coding::Deflate { .. } => found.push((0, bytes[range].to_vec())),
                        gamevault::lens::Coding::Lz4 { .. } => found.push((4, bytes[range].to_vec())),
                        _ => {}
                    }
                }
            }
        }
    }
    let gzip: Vec<Vec<u8>> = found
        .iter()
        .filter(|(kind, _)| *kind == 0)
        .map(|(_, deflate)| [b"\x1f\x8b\x08\0\0\0\0\0\0\x03".as_slice(), deflate, &[0; 8]].concat())
        .collect();
    found.extend(gzip.into_iter().map(|stream| (1, stream)));
    found.retain(|(_, stream)| stream.len() < 64 << 10);
    found
}

/// The first byte says whether the check of the recipe is made to fit again, the next three how long the piece is said to be.
fn opened_chunks() -> Checker {
    let mut samples = Vec::new();
    for (kind, stream) in streams() {
        match kind {
            0 => samples.extend(stored_of(Opener::Deflate, &stream)),
            1 => samples.extend(stored_of(Opener::Gzip, &stream)),
            2 => samples.extend(stored_of(Opener::Png, &stream)),
            3 => samples.extend(stored_of(Opener::Jpeg, &stream)),
            _ => {
                let plain_len = (0..64 << 10).find(|&plain_len| {
                    let blocks = [block(&stream, plain_len)];
                    opened::plain(Opener::Lz4 { blocks: &blocks }, &stream).is_ok()
                });
                let blocks = plain_len.map(|plain_len| [block(&stream, plain_len)]);
                samples
                    .extend(blocks.into_iter().flat_map(|blocks| stored_of(Opener::Lz4 { blocks: &blocks }, &stream)));
            }
        }
    }
    samples.dedup();
    assert!(samples.len() >= 4, "{} samples were opened", samples.len());
    let sealed: Vec<Vec<u8>> = samples.iter().map(|sample| [&[1], &sample[1..]].concat()).collect();
    samples.extend(sealed);
    Checker::new(samples, |input| {
        let Some((&[seal, a, b, c], stored)) = input.split_first_chunk() else { return Outcome::Refused };
        let claimed = u32::from_le_bytes([a, b, c, 0]) as usize;
        let form = Form::parse(stored);
        let Ok(found) = &form else { return outcome_of(&form) };
        let decoded = match seal & 1 {
            1 => recreate_sealed(found, stored, claimed),
            _ => found.bytes(&BASE, claimed),
        };
        assert!(decoded.as_ref().is_ok_and(|bytes| bytes.len() == claimed) || decoded.is_err());
        outcome_of(&decoded)
    })
}

fn block(stream: &[u8], plain_len: u32) -> Lz4Block {
    Lz4Block { stored_len: stream.len() as u32, plain_len, is_compressed: true }
}

/// Re-creates a piece by its recipe after the check of that was made to fit: what only other people's decoders then refuse.
fn recreate_sealed(form: &Form<'_>, stored: &[u8], claimed: usize) -> gamevault::Result<Vec<u8>> {
    let Some(payload) = payload_of(form, stored) else { return form.bytes(&BASE, claimed) };
    let text = payload.delta;
    let mut recipe = payload.recipe.to_vec();
    // What makes deflate streams again writes empty blocks for ever if a recipe was made for that: the check, which damage does
    // not pass, is all that stands before it.
    if recipe.len() < RECIPE_HEAD_LEN || matches!(recipe[0], DEFLATE | PNG) {
        return form.bytes(&BASE, claimed);
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&recipe[..1]).update(&recipe[RECIPE_HEAD_LEN..]).update(text);
    hasher.finalize_xof().fill(&mut recipe[1..RECIPE_HEAD_LEN]);
    opened::recreate(&recipe, text, claimed)
}

/// Returns the payload of a form whose text is stored as it is and that has no bases, as those of the samples.
fn payload_of<'a>(form: &Form<'_>, stored: &'a [u8]) -> Option<Payload<'a>> {
    let head = opened::stored(&form.base, Encoding::Raw, &Payload { recipe: &[], plain_len: 0, delta: &[] });
    Payload::decode(stored.get(head.len() - 2..)?).ok()
}

/// The first byte says what the file is called: whatever is encoded with what its head promises comes back.
fn encoders() -> Checker {
    const NAMES: [&str; 6] = ["a.bmp", "a.wav", "a.dds", "a.tga", "a.txt", "a.bin"];
    let samples = numbered([bitmap(), wave(), texture(), bitmap()[12..].to_vec(), BASE.clone(), alike()]);
    let (mut encoder, mut filters) = (Encoder::default(), FilterEncoder::new(3));
    let mut delta = byte_delta::ByteDelta::new(3);
    Checker::new(samples, move |input| {
        let Some((&name, plain)) = input.split_first() else { return Outcome::Refused };
        let name = NAMES[usize::from(name) % NAMES.len()];
        let place = shape::shape(plain, name.as_bytes()).map(|shape| Place { shape, offset: 0 });
        let (encoding, stored) = encoder.encode(plain, place);
        assert!(decode(encoding, stored, &[], plain.len()).unwrap() == plain, "{encoding:?} changes bytes");
        if let Some(stored) = filters.encode(plain, place, usize::MAX) {
            let back = decode(Encoding::Filtered, stored, &[], plain.len()).unwrap();
            assert!(back == plain, "a filter changes bytes");
        }
        if let Some(stored) = delta.encode(&BASE, plain, usize::MAX) {
            assert!(byte_delta::decode(&BASE, stored, plain.len()).unwrap() == plain, "a difference changes bytes");
        }
        if place.is_some() { Outcome::Decoded } else { Outcome::Refused }
    })
}
