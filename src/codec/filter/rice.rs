//! Rice codes of small signed numbers: the quotient by a power of two in ones, the rest in bits; FLAC's way (RFC 9639).

use super::bits::{BitReader, BitWriter};

/// Numbers that share one power.
const PART_LEN: usize = 256;

/// Stands for a part of zeros only.
const ALL_ZERO: u32 = 31;

/// The largest power; numbers that are not smaller by far stand as they are.
const MAX_POWER: u32 = 30;

/// From this quotient on a number stands as it is, behind as many zeros.
const ESCAPE: u32 = 24;

/// Appends `numbers`.
pub(super) fn put(numbers: &[i32], out: &mut BitWriter<'_>) {
    for part in numbers.chunks(PART_LEN) {
        let sum: u64 = part.iter().map(|&number| u64::from(fold(number))).sum();
        if sum == 0 {
            out.put(u64::from(ALL_ZERO), 5);
            continue;
        }
        let power = best_power(part, sum);
        out.put(u64::from(power), 5);
        for &number in part {
            let folded = fold(number);
            let quotient = folded >> power;
            if quotient < ESCAPE {
                let low = u64::from(folded) & ((1 << power) - 1);
                out.put(1 << power | low, quotient + 1 + power);
            } else {
                out.put(0, ESCAPE);
                out.put(u64::from(folded), 32);
            }
        }
    }
}

/// Fills `numbers` with the next ones.
pub(super) fn take(numbers: &mut [i32], bits: &mut BitReader) {
    for part in numbers.chunks_mut(PART_LEN) {
        let power = bits.take(5) as u32;
        if power == ALL_ZERO {
            part.fill(0);
            continue;
        }
        for number in part {
            let window = bits.peek();
            let quotient = window.leading_zeros();
            let folded = if quotient < ESCAPE {
                bits.skip(quotient + 1 + power);
                // Two shifts: the second is by 64 if the power is 0.
                let low = ((window << (quotient + 1)) >> 1) >> (63 - power);
                quotient << power | low as u32
            } else {
                bits.skip(ESCAPE);
                bits.take(32) as u32
            };
            *number = (folded >> 1).cast_signed() ^ -(folded & 1).cast_signed();
        }
    }
}

/// Puts the sign into the lowest bit.
#[inline]
fn fold(number: i32) -> u32 {
    (number << 1 ^ number >> 31).cast_unsigned()
}

/// Returns the power with the fewest bits: near the logarithm of the mean.
fn best_power(part: &[i32], sum: u64) -> u32 {
    let near = (sum / part.len() as u64).checked_ilog2().unwrap_or(0).min(MAX_POWER);
    let cost = |power: u32| {
        let quotients: u64 = part.iter().map(|&number| u64::from(fold(number) >> power)).sum();
        quotients + part.len() as u64 * u64::from(power)
    };
    (near.saturating_sub(1)..=near).min_by_key(|&power| cost(power)).expect("the range is not empty")
}
