//! A chunk as copies out of a base chunk, corrections of single words in them, and what is new.
//!
//! After bsdiff (Percival, "Naive differences of executable code", 2003), in linear time: positions where eight bytes
//! are equal come from a hash table over the base, each is extended both ways over bytes that differ as long as most
//! are equal, and what lies between is stored as it is. Code whose addresses moved, records and save games differ from
//! their base in single words, so the difference is stored as corrections: how far to the next byte that differs, and
//! what to add to the 32-bit word there. The same few numbers are added again and again (all calls over an inserted
//! function move by its length), so a number is a place in a list of recent ones where it can be. Data in which most
//! bytes differ (samples, pixels) stores the difference of every byte instead.
//!
//! | part | meaning |
//! |---|---|
//! | kind | 1 byte: 0 corrections, 1 the difference of every byte |
//! | control | for each copy: literals before it, bytes copied, place in the base from the end of the last copy (zigzag) |
//! | literals | those before the copies, then those after the last |
//! | gaps | kind 0: bytes from the end of the last corrected word to the next, a byte each, 255 and a varint from 255 on |
//! | tokens | kind 0: for each word the place of its number in a ring of 255, or 255 for a new one, which enters the ring |
//! | values | kind 0: the new numbers, all their first bytes, all their second ones, third, fourth |
//! | bytes | kind 1: what to add to each byte, literals with 0 |
//!
//! All but the kind are streams: a varint `2 * len + is_zstd`, if zstd a varint with the length of the frame without its
//! header, and the bytes. Numbers are varints of seven bits a byte, the lowest first, but for values: 32 bits.

use super::{MAX_PLAIN_LEN, frame};
use crate::error::{Error, Result};
use std::cell::RefCell;
use zstd::zstd_safe::{self, CCtx, DCtx};

/// Bytes of an anchor.
const ANCHOR: usize = 8;

/// The table of anchors has at most this many bits; 2 MiB stay in the cache of a core.
const MAX_TABLE_BITS: u32 = 19;

/// Equal bytes that a new alignment must begin with.
const MIN_EXACT: usize = 14;

/// How far the balance of equal against unequal bytes may fall before an extension ends.
const SLACK: i32 = 12;

/// Bytes after which an extension ends that has not come to a new best: without a bound, data that goes up and down
/// would be read to its end from each anchor.
const MAX_DECLINE: usize = 256;

/// Numbers that a token can name; the token of this value says that a new one follows.
const RECENT: usize = 255;

/// From this byte on a gap is continued by a varint.
const LONG_GAP: u8 = u8::MAX;

/// Zero bytes behind the plain bytes, so that the word at the last of them is whole.
const PAD: usize = 3;

/// New numbers from which on it is tried whether to store the difference of every byte takes less.
const MIN_NEW_VALUES: usize = 128;

/// Bytes after which a chunk that found nearly nothing in its base is given up.
const TRIAL_LEN: usize = 16 << 10;

/// Streams shorter than this do not shrink.
const MIN_PACKED: usize = 16;

/// By how much the zstd level of gaps and tokens is higher than that of the rest: at level 6 they take 11 % less than
/// at level 3, since moved code moves in the same pattern in many places, and they are short.
const PATTERN_LEVELS: i32 = 3;

const CORRECTIONS: u8 = 0;
const EVERY_BYTE: u8 = 1;

/// Makes differences; keeps its working memory, so one serves a thread for all its chunks.
pub struct ByteDelta {
    streams: StreamWriter,
    table: Vec<u32>,
    control: Vec<u8>,
    literals: Vec<u8>,
    gaps: Vec<u8>,
    tokens: Vec<u8>,
    values: Vec<u8>,
    /// The plain bytes as the copies alone give them.
    guess: Vec<u8>,
    scratch: Vec<u8>,
    out: Vec<u8>,
}

impl ByteDelta {
    /// Returns an encoder whose streams are of zstd level `level`, of which 3 is for ingest and up to 19 for idle time.
    pub fn new(level: i32) -> ByteDelta {
        ByteDelta {
            streams: StreamWriter { context: CCtx::create(), level, packed: Vec::new() },
            table: Vec::new(),
            control: Vec::new(),
            literals: Vec::new(),
            gaps: Vec::new(),
            tokens: Vec::new(),
            values: Vec::new(),
            scratch: Vec::new(),
            guess: Vec::new(),
            out: Vec::new(),
        }
    }

    /// Returns `plain` as a difference to `base` of less than `limit` bytes, or `None` if it takes more.
    pub fn encode(&mut self, base: &[u8], plain: &[u8], limit: usize) -> Option<&[u8]> {
        let is_sized = |len: usize| (ANCHOR..=MAX_PLAIN_LEN).contains(&len);
        if !is_sized(base.len()) || !is_sized(plain.len()) || !self.align(base, plain) {
            return None;
        }
        self.correct(plain);
        let ByteDelta { streams, control, literals, gaps, tokens, values, guess, out, .. } = self;
        out.clear();
        out.push(CORRECTIONS);
        streams.write(control, 0, out);
        streams.write(literals, 0, out);
        streams.write(gaps, PATTERN_LEVELS, out);
        streams.write(tokens, PATTERN_LEVELS, out);
        streams.write(values, 0, out);
        // Numbers that do not come back: perhaps most bytes differ.
        if values.len() > MIN_NEW_VALUES * 4 && values.len() > tokens.len() * 2 {
            guess.truncate(plain.len());
            guess.iter_mut().zip(plain).for_each(|(guess, &byte)| *guess = byte.wrapping_sub(*guess));
            let corrected_len = out.len();
            out.push(EVERY_BYTE);
            streams.write(control, 0, out);
            streams.write(literals, 0, out);
            streams.write(guess, 0, out);
            if out.len() - corrected_len < corrected_len {
                out.drain(..corrected_len);
            } else {
                out.truncate(corrected_len);
            }
        }
        (out.len() < limit).then_some(&out[..])
    }

    /// Finds the copies: fills control, literals and guess. Returns false when the base is of no use.
    fn align(&mut self, base: &[u8], plain: &[u8]) -> bool {
        self.control.clear();
        self.literals.clear();
        self.guess.clear();
        self.guess.reserve(plain.len() + PAD);
        let bits = base.len().next_power_of_two().trailing_zeros().clamp(8, MAX_TABLE_BITS);
        let shift = 64 - bits;
        self.table.clear();
        self.table.resize(1 << bits, 0);
        // Of a base that is longer than half the table every second place will do: copies are extended both ways.
        let step = 1 + usize::from(base.len() > 1 << (MAX_TABLE_BITS - 1));
        let slot = |word: u64| (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> shift) as usize;
        for at in (0..=base.len() - ANCHOR).step_by(step) {
            self.table[slot(word(base, at))] = at as u32 + 1;
        }
        // `done` bytes of plain are written, the last copy ended at `base_end`.
        let (mut done, mut base_end, mut at, mut copied) = (0, 0, 0, 0);
        while at + ANCHOR <= plain.len() {
            let anchor = word(plain, at);
            let straight = base_end + (at - done);
            let found = if straight + ANCHOR <= base.len() && word(base, straight) == anchor {
                straight
            } else {
                let entry = self.table[slot(anchor)] as usize;
                if entry == 0
                    || word(base, entry - 1) != anchor
                    || equal_len(&base[entry - 1..], &plain[at..]) < MIN_EXACT
                {
                    at += 1 + ((at - done) >> 8).min(8);
                    if at - copied > TRIAL_LEN && copied < at / 32 {
                        return false;
                    }
                    continue;
                }
                entry - 1
            };
            let back = extend_back(&base[..found], &plain[done..at]);
            let forth = extend(&base[found..], &plain[at..]);
            let (start, from, len) = (at - back, found - back, back + forth);
            write_varint(&mut self.control, (start - done) as u64);
            write_varint(&mut self.control, len as u64);
            let jump = from as i64 - base_end as i64;
            write_varint(&mut self.control, ((jump << 1) ^ (jump >> 63)) as u64);
            self.literals.extend_from_slice(&plain[done..start]);
            self.guess.extend_from_slice(&plain[done..start]);
            self.guess.extend_from_slice(&base[from..from + len]);
            (done, base_end, at) = (start + len, from + len, start + len);
            copied += len;
        }
        self.literals.extend_from_slice(&plain[done..]);
        self.guess.extend_from_slice(&plain[done..]);
        copied >= plain.len() / 32
    }

    /// Finds what to add to the words of the guess: fills gaps, tokens and values.
    fn correct(&mut self, plain: &[u8]) {
        self.gaps.clear();
        self.tokens.clear();
        self.values.clear();
        self.guess.resize(plain.len() + PAD, 0);
        let mut recent = Recent::default();
        let (mut at, mut after) = (0, 0);
        loop {
            at += equal_len(&self.guess[at..plain.len()], &plain[at..]);
            if at == plain.len() {
                break;
            }
            let value = padded_word(plain, at).wrapping_sub(half(&self.guess, at));
            write_gap(&mut self.gaps, at - after);
            match recent.token(value) {
                Some(token) => self.tokens.push(token),
                None => {
                    self.tokens.push(RECENT as u8);
                    self.values.extend_from_slice(&value.to_le_bytes());
                    recent.add(value);
                }
            }
            at = (at + 4).min(plain.len());
            after = at;
        }
        planes(&mut self.values, &mut self.scratch);
    }
}

/// Returns the `plain_len` bytes of which `delta` is the difference to `base`.
///
/// # Errors
/// `Corrupt` if the difference does not decode to exactly that many bytes.
pub fn decode(base: &[u8], delta: &[u8], plain_len: usize) -> Result<Vec<u8>> {
    thread_local! {
        // Only working memory: nothing of one call reaches the next.
        static DECODER: RefCell<Decoder> = RefCell::new(Decoder::default());
    }
    if plain_len > MAX_PLAIN_LEN {
        return Err(Error::corrupt(format!("a chunk claims {plain_len} bytes, more than any has")));
    }
    DECODER
        .with(|decoder| decoder.borrow_mut().decode(base, delta, plain_len))
        .ok_or_else(|| Error::corrupt(format!("a difference does not give the {plain_len} bytes of its chunk")))
}

/// The streams of one difference.
struct Decoder {
    streams: StreamReader,
    control: Vec<u8>,
    literals: Vec<u8>,
    gaps: Vec<u8>,
    tokens: Vec<u8>,
    values: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Decoder {
        let empty = Vec::new;
        Decoder {
            streams: StreamReader { context: DCtx::create(), scratch: empty() },
            control: empty(),
            literals: empty(),
            gaps: empty(),
            tokens: empty(),
            values: empty(),
        }
    }
}

impl Decoder {
    fn decode(&mut self, base: &[u8], delta: &[u8], plain_len: usize) -> Option<Vec<u8>> {
        let (&kind, mut rest) = delta.split_first()?;
        let streams = &mut self.streams;
        streams.read(&mut rest, &mut self.control, plain_len)?;
        streams.read(&mut rest, &mut self.literals, plain_len)?;
        match kind {
            CORRECTIONS => {
                streams.read(&mut rest, &mut self.gaps, plain_len)?;
                streams.read(&mut rest, &mut self.tokens, plain_len)?;
                streams.read(&mut rest, &mut self.values, plain_len)?;
            }
            EVERY_BYTE => streams.read(&mut rest, &mut self.values, plain_len)?,
            _ => return None,
        }
        if !rest.is_empty() {
            return None;
        }
        let mut plain = self.copy(base, plain_len)?;
        if kind == CORRECTIONS {
            plain.resize(plain_len + PAD, 0);
            self.correct(&mut plain, plain_len)?;
            plain.truncate(plain_len);
        } else {
            if self.values.len() != plain_len {
                return None;
            }
            plain.iter_mut().zip(&self.values).for_each(|(byte, &more)| *byte = byte.wrapping_add(more));
        }
        Some(plain)
    }

    /// Returns the literals and copies in their order.
    fn copy(&self, base: &[u8], plain_len: usize) -> Option<Vec<u8>> {
        let mut plain = Vec::with_capacity(plain_len + PAD);
        let (mut control, mut literals, mut base_end) = (&self.control[..], &self.literals[..], 0usize);
        while !control.is_empty() {
            let literal_len = usize::try_from(read_varint(&mut control)?).ok()?;
            let len = usize::try_from(read_varint(&mut control)?).ok()?;
            let jump = read_varint(&mut control)?;
            let jump = (jump >> 1) as i64 ^ -((jump & 1) as i64);
            let (new, after) = literals.split_at_checked(literal_len)?;
            let from = base_end.checked_add_signed(isize::try_from(jump).ok()?)?;
            base_end = from.checked_add(len)?;
            let old = base.get(from..base_end)?;
            if new.len() + old.len() > plain_len - plain.len() {
                return None;
            }
            plain.extend_from_slice(new);
            plain.extend_from_slice(old);
            literals = after;
        }
        plain.extend_from_slice(literals);
        (plain.len() == plain_len).then_some(plain)
    }

    /// Adds to the words of `plain`, behind which lie [`PAD`] zero bytes.
    fn correct(&self, plain: &mut [u8], plain_len: usize) -> Option<()> {
        let count = self.values.len() / 4;
        let mut gaps = &self.gaps[..];
        let mut recent = Recent::default();
        let (mut at, mut new) = (0usize, 0);
        for &token in &self.tokens {
            let gap = match read_byte(&mut gaps)? {
                LONG_GAP => usize::try_from(read_varint(&mut gaps)?).ok()?.checked_add(usize::from(LONG_GAP))?,
                short => usize::from(short),
            };
            at = at.checked_add(gap)?;
            if at >= plain_len {
                return None;
            }
            let number = if usize::from(token) < RECENT {
                recent.numbers[usize::from(token)]
            } else {
                if new >= count {
                    return None;
                }
                let number = u32::from_le_bytes([0, 1, 2, 3].map(|plane| self.values[plane * count + new]));
                new += 1;
                recent.add(number);
                number
            };
            let sum = half(plain, at).wrapping_add(number);
            plain[at..at + 4].copy_from_slice(&sum.to_le_bytes());
            at += 4;
        }
        (gaps.is_empty() && new * 4 == self.values.len()).then_some(())
    }
}

/// Writes streams.
struct StreamWriter {
    context: CCtx<'static>,
    level: i32,
    packed: Vec<u8>,
}

impl StreamWriter {
    /// Appends a stream of the bytes `plain`, packed with some levels more than usual.
    fn write(&mut self, plain: &[u8], levels: i32, out: &mut Vec<u8>) {
        self.packed.clear();
        self.packed.reserve(zstd_safe::compress_bound(plain.len()));
        let stripped = match plain.len() {
            ..MIN_PACKED => None,
            _ => match self.context.compress(&mut self.packed, plain, self.level + levels) {
                Ok(_) => frame::strip_header(&self.packed).filter(|stripped| stripped.len() < plain.len()),
                Err(_) => None,
            },
        };
        write_varint(out, plain.len() as u64 * 2 + u64::from(stripped.is_some()));
        if let Some(stripped) = stripped {
            write_varint(out, stripped.len() as u64);
        }
        out.extend_from_slice(stripped.unwrap_or(plain));
    }
}

/// Reads streams.
struct StreamReader {
    context: DCtx<'static>,
    scratch: Vec<u8>,
}

impl StreamReader {
    /// Reads a stream of at most `max_len` bytes from the front of `bytes`.
    fn read(&mut self, bytes: &mut &[u8], plain: &mut Vec<u8>, max_len: usize) -> Option<()> {
        let head = read_varint(bytes)?;
        let len = usize::try_from(head / 2).ok().filter(|&len| len <= max_len)?;
        let is_zstd = head % 2 == 1;
        let stored_len = if is_zstd { usize::try_from(read_varint(bytes)?).ok()? } else { len };
        let (stored, rest) = bytes.split_at_checked(stored_len)?;
        *bytes = rest;
        plain.clear();
        if is_zstd {
            let StreamReader { context, scratch } = self;
            frame::decode_stripped(stored, plain, len, scratch, |plain, frame| context.decompress(plain, frame)).ok()
        } else {
            plain.extend_from_slice(stored);
            Some(())
        }
    }
}

/// The numbers that were added last, in a ring.
struct Recent {
    numbers: [u32; RECENT],
    next: usize,
    /// Where in the ring a number with this hash was put last.
    places: [u8; 1 << Recent::HASH_BITS],
}

impl Default for Recent {
    fn default() -> Recent {
        Recent { numbers: [0; RECENT], next: 0, places: [0; 1 << Recent::HASH_BITS] }
    }
}

impl Recent {
    const HASH_BITS: u32 = 11;

    fn token(&self, number: u32) -> Option<u8> {
        let place = self.places[Recent::hash(number)];
        (self.numbers[usize::from(place)] == number).then_some(place)
    }

    fn add(&mut self, number: u32) {
        self.numbers[self.next] = number;
        self.places[Recent::hash(number)] = self.next as u8;
        self.next = (self.next + 1) % RECENT;
    }

    fn hash(number: u32) -> usize {
        (number.wrapping_mul(0x9e37_79b1) >> (32 - Recent::HASH_BITS)) as usize
    }
}

/// Puts the first bytes of all words first, then the second ones, and so on.
fn planes(words: &mut Vec<u8>, scratch: &mut Vec<u8>) {
    scratch.clear();
    for plane in 0..4 {
        scratch.extend(words.iter().skip(plane).step_by(4));
    }
    std::mem::swap(words, scratch);
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn half(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn padded_word(bytes: &[u8], at: usize) -> u32 {
    if at + 4 <= bytes.len() {
        return half(bytes, at);
    }
    let mut padded = [0; 4];
    padded[..bytes.len() - at].copy_from_slice(&bytes[at..]);
    u32::from_le_bytes(padded)
}

/// Returns how many bytes at the start of both are equal.
fn equal_len(one: &[u8], other: &[u8]) -> usize {
    let len = one.len().min(other.len());
    let mut at = 0;
    while at + 8 <= len {
        let difference = word(one, at) ^ word(other, at);
        if difference != 0 {
            return at + difference.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + one[at..len].iter().zip(&other[at..len]).take_while(|(a, b)| a == b).count()
}

/// Returns the length at which equal bytes most outweigh unequal ones.
fn extend(base: &[u8], plain: &[u8]) -> usize {
    let len = base.len().min(plain.len());
    let (mut at, mut balance, mut best, mut best_at) = (0, 0i32, 0i32, 0);
    while at < len {
        if at + 8 <= len && word(base, at) == word(plain, at) {
            (at, balance) = (at + 8, balance + 8);
        } else {
            balance += if base[at] == plain[at] { 1 } else { -1 };
            at += 1;
        }
        if balance >= best {
            (best, best_at) = (balance, at);
        } else if balance < best - SLACK || at - best_at > MAX_DECLINE {
            break;
        }
    }
    best_at
}

/// Returns the length, from the ends, at which equal bytes most outweigh unequal ones.
fn extend_back(base: &[u8], plain: &[u8]) -> usize {
    let (mut balance, mut best, mut best_at) = (0i32, 0i32, 0);
    for (index, (one, other)) in base.iter().rev().zip(plain.iter().rev()).enumerate() {
        balance += if one == other { 1 } else { -1 };
        if balance > best {
            (best, best_at) = (balance, index + 1);
        } else if balance < best - SLACK {
            break;
        }
    }
    best_at
}

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 128 {
        out.push(value as u8 | 128);
        value >>= 7;
    }
    out.push(value as u8);
}

fn write_gap(out: &mut Vec<u8>, gap: usize) {
    if gap < usize::from(LONG_GAP) {
        out.push(gap as u8);
    } else {
        out.push(LONG_GAP);
        write_varint(out, (gap - usize::from(LONG_GAP)) as u64);
    }
}

fn read_byte(bytes: &mut &[u8]) -> Option<u8> {
    let (&first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(first)
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let byte = read_byte(bytes)?;
        value |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Random, pairs, survives_hostile_bytes};
    use super::*;

    #[test]
    fn every_kind_of_change_comes_back() {
        let mut encoder = ByteDelta::new(3);
        let mut encoded = 0;
        for (name, base, plain) in pairs() {
            let Some(delta) = encoder.encode(&base, &plain, plain.len()) else { continue };
            encoded += 1;
            assert_eq!(decode(&base, delta, plain.len()).unwrap(), plain, "{name}");
        }
        assert!(encoded > 200, "only {encoded} pairs were worth a difference");
    }

    #[test]
    fn moved_addresses_cost_a_byte_or_two_each() {
        let (base, plain, changed) = Random::new(1).moved_addresses(64 << 10);
        let mut encoder = ByteDelta::new(3);
        let len = encoder.encode(&base, &plain, plain.len()).unwrap().len();
        assert!(len < changed * 2, "{len} bytes for {changed} addresses");
    }

    #[test]
    fn equal_bytes_cost_next_to_nothing() {
        let plain = Random::new(2).bytes(64 << 10);
        assert!(ByteDelta::new(3).encode(&plain, &plain, 100).unwrap().len() < 16);
    }

    #[test]
    fn working_memory_leaves_no_trace() {
        let mut used = ByteDelta::new(3);
        for (name, base, plain) in pairs().into_iter().step_by(3) {
            let fresh = ByteDelta::new(3).encode(&base, &plain, plain.len()).map(<[u8]>::to_vec);
            assert_eq!(used.encode(&base, &plain, plain.len()).map(<[u8]>::to_vec), fresh, "{name}");
        }
    }

    #[test]
    fn unrelated_bytes_are_given_up() {
        let (base, plain) = (Random::new(3).bytes(64 << 10), Random::new(4).bytes(64 << 10));
        assert!(ByteDelta::new(3).encode(&base, &plain, usize::MAX).is_none());
    }

    #[test]
    fn a_limit_is_kept() {
        let (base, plain, _) = Random::new(5).moved_addresses(16 << 10);
        let mut encoder = ByteDelta::new(3);
        let len = encoder.encode(&base, &plain, usize::MAX).unwrap().len();
        assert!(encoder.encode(&base, &plain, len).is_none());
        assert!(encoder.encode(&base, &plain, len + 1).is_some());
    }

    #[test]
    fn hostile_bytes_are_corrupt_or_something_else() {
        let mut encoder = ByteDelta::new(3);
        survives_hostile_bytes(|base, plain| encoder.encode(base, plain, usize::MAX).map(<[u8]>::to_vec), decode);
        assert!(decode(&[], &[], usize::MAX).is_err());
    }
}
