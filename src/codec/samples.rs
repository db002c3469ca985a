//! Chunks with bases like those of games, and hostile bytes, for the tests of the codecs.

use crate::error::{ErrorKind, Result};

/// Mutated differences that each decoder is tried with.
const HOSTILE_COUNT: usize = 100_000;

/// SplitMix64: the same seed gives the same numbers everywhere.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0xd134_2543_de82_ef95))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let value = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub(super) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    /// Returns code of `len` bytes, the same with an address moved in every 24 bytes or so, and how many were.
    pub(super) fn moved_addresses(&mut self, len: usize) -> (Vec<u8>, Vec<u8>, usize) {
        let base = self.bytes(len);
        let mut plain = base.clone();
        let (mut at, mut changed) = (self.below(32), 0);
        while at + 4 <= len {
            let address = u32::from_le_bytes(plain[at..at + 4].try_into().expect("four bytes"));
            let moved = address.wrapping_add([0x40, 0x1230, 0u32.wrapping_sub(0x40)][self.below(3)]);
            plain[at..at + 4].copy_from_slice(&moved.to_le_bytes());
            at += 8 + self.below(32);
            changed += 1;
        }
        (base, plain, changed)
    }

    /// Changes `bytes` in one of the ways in which files change.
    fn edit(&mut self, bytes: &mut Vec<u8>) {
        let (at, len) = (self.below(bytes.len()), self.below(200));
        let end = (at + len).min(bytes.len());
        match self.below(6) {
            0 => bytes[at..end].iter_mut().for_each(|byte| *byte = byte.wrapping_add(1)),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let new = self.bytes(len);
                bytes.splice(at..at, new);
            }
            3 => {
                let moved: Vec<u8> = bytes.drain(at..end).collect();
                let to = self.below(bytes.len());
                bytes.splice(to..to, moved);
            }
            4 => bytes[at..end].fill(0),
            _ => {
                let twice = bytes[at..end].to_vec();
                bytes.splice(at..at, twice);
            }
        }
    }
}

/// Returns pairs of base and plain bytes with a name: every length near a border, every kind of data and of change.
pub(super) fn pairs() -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let mut random = Random::new(7);
    let mut pairs = Vec::new();
    for len in [0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 100, 1000] {
        for plain_len in [0, 1, 3, 4, 7, 8, 9, 16, 100, 1000] {
            let base = random.bytes(len);
            let plain = base.iter().copied().cycle().take(if len == 0 { 0 } else { plain_len }).collect();
            pairs.push((format!("short {len} {plain_len}"), base, plain));
        }
    }
    for round in 0..40 {
        let len = [300, 5000, 70_000, 300_000][round % 4];
        let noise = random.bytes(len);
        let records: Vec<u8> =
            (0..len as u32 / 16).flat_map(|i| [i, i * 3, 7, i ^ 99].map(u32::to_le_bytes)).flatten().collect();
        let text: Vec<u8> =
            (0..len / 8).flat_map(|_| *[b"position", b"velocity", b"        "][random.below(3)]).collect();
        let samples: Vec<u8> =
            (0..len).map(|i| (f64::from(i as u32) / 50.0).sin().mul_add(100.0, 128.0) as u8).collect();
        for (kind, base) in [("noise", noise), ("records", records), ("text", text), ("samples", samples)] {
            let mut plain = base.clone();
            for _ in 0..=random.below(30) {
                random.edit(&mut plain);
            }
            pairs.push((format!("edited {kind} {round}"), base.clone(), plain));
            let louder = base.iter().map(|&byte| byte.wrapping_add((random.next() & 3) as u8)).collect();
            pairs.push((format!("all of {kind} changed {round}"), base, louder));
        }
        let (base, mut plain, _) = random.moved_addresses(len);
        pairs.push((format!("moved addresses {round}"), base.clone(), plain.clone()));
        random.edit(&mut plain);
        pairs.push((format!("moved addresses and edited {round}"), base, plain));
    }
    pairs
}

/// Lets `decode` meet damaged forms of what `encode` gives: it must not panic, and give nothing but the asked length.
pub(super) fn survives_hostile_bytes(
    mut encode: impl FnMut(&[u8], &[u8]) -> Option<Vec<u8>>,
    decode: impl Fn(&[u8], &[u8], usize) -> Result<Vec<u8>>,
) {
    let mut random = Random::new(11);
    let pairs = pairs().into_iter().filter(|(_, _, plain)| (100..6000).contains(&plain.len()));
    let good: Vec<_> = pairs.filter_map(|(_, base, plain)| Some((encode(&base, &plain)?, base, plain))).collect();
    let mut refused = 0;
    for round in 0..HOSTILE_COUNT {
        let (stored, base, plain) = &good[round % good.len()];
        let (mut stored, mut plain_len) = (stored.clone(), plain.len());
        match random.below(8) {
            0 => stored.truncate(random.below(stored.len())),
            1 => plain_len = random.below(plain_len * 2),
            2 => {
                stored = {
                    let len = random.below(64);
                    random.bytes(len)
                }
            }
            3 => stored.extend(random.bytes(3)),
            _ => {
                for _ in 0..=random.below(3) {
                    let at = random.below(stored.len().min(if round % 2 == 0 { 24 } else { usize::MAX }));
                    if let Some(byte) = stored.get_mut(at) {
                        *byte = random.next() as u8;
                    }
                }
            }
        }
        let base = if random.below(16) == 0 { &base[..base.len() / 2] } else { base };
        match decode(base, &stored, plain_len) {
            Ok(bytes) => assert_eq!(bytes.len(), plain_len),
            Err(error) => {
                refused += 1;
                assert_eq!(error.kind(), ErrorKind::Corrupt);
            }
        }
    }
    assert!(refused > HOSTILE_COUNT / 10, "only {refused} were refused");
}
