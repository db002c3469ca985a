//! Bundles of Unity, by the length in their header (as UnityPy and AssetStudio read it).
//!
//! ```text
//! SIZE MEANING, big-endian
//! 8    UnityFS and a zero
//! 4    version of the format
//!      version of the player, version of the engine: texts that end in a zero
//! 8    bytes of the whole bundle
//! 4    bytes of the list of blocks, as stored
//! 4    the same, plain
//! 4    flags
//! ```

use super::input::{Fields, Input, Order};
use super::{Flaw, Parsed};

const MAGIC_LEN: usize = 8;
const VERSION_LEN: usize = 4;

/// Bytes within which both texts end.
const MAX_TEXTS_LEN: u64 = 256;

/// The list of blocks stands at the end of the bundle.
const LIST_IS_AT_END: u32 = 0x80;

pub(super) fn check(input: &Input<'_>) -> Parsed<()> {
    let mut cursor = input.cursor(0);
    let version = Fields::new(cursor.take("the header", MAGIC_LEN + VERSION_LEN)?, Order::Big).u32(MAGIC_LEN);
    let texts_start = cursor.at();
    let mut zeros = 0;
    while zeros < 2 {
        if cursor.at() - texts_start >= MAX_TEXTS_LEN {
            return Err(Flaw::Unknown);
        }
        zeros += usize::from(cursor.take("the header", 1)? == [0]);
    }
    let fields = Fields::new(cursor.take("the header", 20)?, Order::Big);
    let (len, list_len, flags) = (fields.u64(0), u64::from(fields.u32(8)), fields.u32(16));
    // Some games hide their bundles behind headers that mean nothing.
    if !(3..=64).contains(&version) || len == 0 || len > i64::MAX as u64 {
        return Err(Flaw::Unknown);
    }
    input.must_hold("the bundle", 0, len)?;
    let list_fits = match flags & LIST_IS_AT_END != 0 {
        true => cursor.at().saturating_add(list_len) <= len,
        false => input.holds(cursor.at(), list_len),
    };
    // More than the header says may be two bundles in one file, or none of ours.
    match len == input.len() && list_fits {
        true => Ok(()),
        false => Err(Flaw::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use crate::lens::tests::*;
    use crate::lens::{Format, Verdict};

    #[test]
    fn cut_bundles_are_torn() {
        let bytes = sample!("bundle.unity3d");
        assert_cuts_are_torn(Format::UnityFs, "level1", bytes, 8);
        assert_eq!(reason("level1", &bytes[..400]), "the bundle ends at 508, the file at 400");
    }

    #[test]
    fn more_than_the_header_says_is_unknown() {
        let longer = [sample!("bundle.unity3d"), &[0][..]].concat();
        assert_eq!(verdict("level1", &longer), Verdict::Unknown);
    }
}
