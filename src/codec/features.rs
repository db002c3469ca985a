//! Super-features of a chunk, by which similar chunks find each other.
//!
//! After Odess (Zou et al., "The Dance of Hash Collisions", 2021; sampling by content): a gear hash rolls over the
//! bytes and picks one position of 128 by content; twelve linear functions of the hash there are each reduced to their
//! largest value, and each three super-features hash four of these. Two chunks that share one super-feature are
//! similar with high probability. What a match is worth, only a difference to it tells.

use crate::id::mix;

/// Linear functions whose largest values are the features.
const FEATURE_COUNT: usize = 12;

/// Super-features of a chunk; each is made of as many features as the others.
pub const SUPER_FEATURE_COUNT: usize = 3;

/// Shortest chunk that has features: shorter ones have too few picked positions to be told apart.
pub const MIN_LEN: usize = 2048;

/// Bits of the gear hash that are zero at a picked position: one of 128. They are high ones, since bit `n` depends on
/// the last `n + 1` bytes.
const PICK_MASK: u64 = 0x7f << 41;

/// Bytes that the hash depends on.
const WINDOW: usize = u64::BITS as usize;

/// Parts of a chunk that are hashed side by side: one hash alone waits for its own last value at every byte (1.0 GB/s,
/// four of them 2.0).
const LANES: usize = 4;

const GEAR: [u64; 256] = gear();
const FACTORS: [u32; FEATURE_COUNT] = numbers(1001, 1);
const OFFSETS: [u32; FEATURE_COUNT] = numbers(2002, 0);

/// Returns the super-features of `plain`, or `None` if it is too short to have any.
///
/// The numbers stand in catalogues: they never change.
pub fn super_features(plain: &[u8]) -> Option<[u64; SUPER_FEATURE_COUNT]> {
    if plain.len() < MIN_LEN {
        return None;
    }
    let mut features = [0u32; FEATURE_COUNT];
    let len = plain.len() / LANES;
    let lanes: [&[u8]; LANES] = std::array::from_fn(|lane| &plain[lane * len..][..len]);
    // Each lane begins with the hash that the bytes before it leave, so the lanes' borders change nothing.
    let mut hashes: [u64; LANES] = std::array::from_fn(|lane| {
        let before = &plain[(lane * len).saturating_sub(WINDOW)..lane * len];
        before.iter().fold(0, |hash, &byte| roll(hash, byte))
    });
    let [first, second, third, fourth] = lanes.map(<[u8]>::iter);
    for (((&first, &second), &third), &fourth) in first.zip(second).zip(third).zip(fourth) {
        for (hash, byte) in hashes.iter_mut().zip([first, second, third, fourth]) {
            *hash = roll(*hash, byte);
            if *hash & PICK_MASK == 0 {
                pick(&mut features, *hash);
            }
        }
    }
    // Nothing picked, as in a run of one byte: such chunks would all look alike.
    if features == [0; FEATURE_COUNT] {
        return None;
    }
    let mut result = [0; SUPER_FEATURE_COUNT];
    for (index, group) in features.chunks(FEATURE_COUNT / SUPER_FEATURE_COUNT).enumerate() {
        let seed = mix(index as u64 + 1);
        result[index] = group.iter().fold(seed, |state, &feature| mix(state ^ u64::from(feature)));
    }
    Some(result)
}

fn roll(hash: u64, byte: u8) -> u64 {
    (hash << 1).wrapping_add(GEAR[usize::from(byte)])
}

/// Raises the features to their functions of the hash at a picked position.
#[inline(never)]
fn pick(features: &mut [u32; FEATURE_COUNT], hash: u64) {
    let value = (hash >> 16) as u32;
    for (index, feature) in features.iter_mut().enumerate() {
        *feature = (*feature).max(value.wrapping_mul(FACTORS[index]).wrapping_add(OFFSETS[index]));
    }
}

const fn gear() -> [u64; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < table.len() {
        table[index] = mix(index as u64);
        index += 1;
    }
    table
}

const fn numbers(seed: u64, lowest_bits: u32) -> [u32; FEATURE_COUNT] {
    let mut table = [0; FEATURE_COUNT];
    let mut index = 0;
    while index < table.len() {
        table[index] = mix(seed + index as u64) as u32 | lowest_bits;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::samples::Random;
    use super::*;

    fn shared(one: &[u8], other: &[u8]) -> usize {
        let (one, other) = (super_features(one).unwrap(), super_features(other).unwrap());
        one.iter().zip(&other).filter(|(one, other)| one == other).count()
    }

    #[test]
    fn similar_chunks_share_and_others_do_not() {
        let mut random = Random::new(1);
        let mut found = 0;
        for _ in 0..100 {
            let chunk = random.bytes(64 << 10);
            let mut similar = chunk.clone();
            for _ in 0..3 {
                let at = random.below(similar.len());
                similar.splice(at..at, random.bytes(10));
            }
            found += usize::from(shared(&chunk, &similar) > 0);
            assert_eq!(shared(&chunk, &random.bytes(64 << 10)), 0);
        }
        assert!(found >= 95, "{found} of 100 similar chunks were found");
    }

    /// The numbers stand in catalogues; a change of the code must not change them.
    #[test]
    fn the_numbers_stay() {
        assert_eq!(
            super_features(&Random::new(2).bytes(10_000)),
            Some([4_303_369_107_398_694_102, 10_863_002_327_447_809_384, 15_980_609_958_508_762_725])
        );
    }

    #[test]
    fn what_cannot_be_told_apart_has_none() {
        assert_eq!(super_features(&[]), None);
        assert_eq!(super_features(&Random::new(3).bytes(MIN_LEN - 1)), None);
        assert_eq!(super_features(&[0; 1 << 20]), None);
        assert!(super_features(&Random::new(3).bytes(MIN_LEN)).is_some());
    }
}
