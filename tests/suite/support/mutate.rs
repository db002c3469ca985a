//! Bytes that are changed at random, as a failing disk or somebody with bad intent would.

use rand::RngExt;
use rand::rngs::SmallRng;

/// Returns `bytes` with one to four changes: flipped bits, cuts, insertions, repeats, and numbers that are too large.
pub fn mutate(bytes: &[u8], random: &mut SmallRng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..random.random_range(1..=4) {
        let at = random.random_range(0..=bytes.len());
        let end = random.random_range(at..=bytes.len().min(at + 40));
        match random.random_range(0..8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.splice(at..at, (0..random.random_range(1..20)).map(|_| random.random()))),
            2 => drop(bytes.drain(at..end)),
            3 => bytes.extend_from_within(at..end),
            4 => drop(bytes.splice(at..end, BOMBS[random.random_range(0..BOMBS.len())].iter().copied())),
            _ if at == bytes.len() => bytes.push(random.random()),
            5 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.random_range(0..5)],
            _ => bytes[at] ^= 1 << random.random_range(0..8),
        }
    }
    bytes
}

/// Large numbers in the forms that the formats have.
const BOMBS: [&[u8]; 7] = [
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0x03],
    &[0xff; 8],
    &[0xff, 0xff, 0xff, 0x7f],
    b"18446744073709551615",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];
