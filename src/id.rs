//! The ids that name stored things, one type a kind.

use crate::error::{Error, Result};
use std::fmt;

/// The name of a chunk: the BLAKE3 hash of its plain bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChunkId(pub [u8; 32]);

impl ChunkId {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// Returns the id of `plain`.
    pub fn of(plain: &[u8]) -> ChunkId {
        ChunkId(*blake3::hash(plain).as_bytes())
    }

    /// Returns the short name.
    pub fn key(&self) -> ChunkKey {
        ChunkKey(self.0[..ChunkKey::LEN].try_into().expect("16 of 32 bytes"))
    }

    /// Returns the id held by `bytes`.
    ///
    /// # Errors
    /// `Corrupt` if `bytes` is not 32 bytes long.
    pub fn from_slice(bytes: &[u8]) -> Result<ChunkId> {
        let array = bytes
            .try_into()
            .map_err(|_| Error::corrupt(format!("a chunk id has {} bytes where 32 are expected", bytes.len())))?;
        Ok(ChunkId(array))
    }
}

impl serde::Serialize for ChunkId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for ChunkId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<ChunkId, D::Error> {
        let hex = String::deserialize(deserializer)?;
        blake3::Hash::from_hex(&hex).map(|hash| ChunkId(*hash.as_bytes())).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..6].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The short name of a chunk: the first 16 bytes of its id, enough that two of 10^9 chunks meet once in 10^20 vaults.
///
/// The catalogue finds chunks by it, and chunks name their bases by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChunkKey(pub [u8; 16]);

impl ChunkKey {
    /// Length in bytes.
    pub const LEN: usize = 16;

    /// Returns the keys that stand in `bytes` one after the other; bytes that are too few for one more are left out.
    pub fn list(bytes: &[u8]) -> Box<[ChunkKey]> {
        bytes.chunks_exact(ChunkKey::LEN).map(|key| ChunkKey(key.try_into().expect("16 bytes"))).collect()
    }
}

impl fmt::Display for ChunkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ChunkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..6].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The name of a pack: 16 random bytes, also its file name in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackId(pub [u8; 16]);

impl PackId {
    /// Returns the id held by `bytes`.
    ///
    /// # Errors
    /// `Corrupt` if `bytes` is not 16 bytes long.
    pub fn from_slice(bytes: &[u8]) -> Result<PackId> {
        let array = bytes
            .try_into()
            .map_err(|_| Error::corrupt(format!("a pack id has {} bytes where 16 are expected", bytes.len())))?;
        Ok(PackId(array))
    }

    /// Reads the 32 hexadecimal digits of a pack's file name; `None` for anything else.
    pub fn parse(hex: &str) -> Option<PackId> {
        if hex.len() != 32 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        u128::from_str_radix(hex, 16).ok().map(|value| PackId(value.to_be_bytes()))
    }
}

impl fmt::Display for PackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for PackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The number of a build: it starts at 1 and only grows within a vault.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct BuildNumber(pub u64);

impl fmt::Display for BuildNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Returns the finalizer of SplitMix64 (Steele et al., 2014) of `value`: every bit of it depends on every bit of that, and no
/// two values have the same.
pub(crate) const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pack_ids_survive_their_file_name() {
        let id = PackId([7, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 255]);
        assert_eq!(PackId::parse(&id.to_string()), Some(id));
        assert_eq!(PackId::parse("+7"), None);
        assert_eq!(PackId::parse(&"g".repeat(32)), None);
    }

    #[test]
    fn chunk_ids_of_wrong_length_are_corrupt() {
        assert!(ChunkId::from_slice(&[0; 31]).is_err());
        assert_eq!(ChunkId::from_slice(&ChunkId::of(b"x").0).unwrap(), ChunkId::of(b"x"));
    }
}
