//! Sets of extended attributes, stored once per distinct set.

use super::wire::{Cursor, put_bytes, put_number};
use crate::error::Result;
use std::collections::BTreeMap;

/// The most bytes an encoded set may have; Linux allows 64 KiB a value and about as much a file on ext4.
pub const MAX_XATTR_SET_LEN: usize = 1 << 20;

const MARK: u8 = 0xA1;

/// The extended attributes of one entry, by full name (`user.comment`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct XattrSet(pub BTreeMap<Vec<u8>, Vec<u8>>);

impl XattrSet {
    /// Returns the bytes of the node.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![MARK];
        put_number(&mut out, self.0.len() as u64);
        for (name, value) in &self.0 {
            put_bytes(&mut out, name);
            put_bytes(&mut out, value);
        }
        out
    }

    /// Reads a node.
    ///
    /// # Errors
    /// `Corrupt` if `bytes` is no xattr set.
    pub fn decode(bytes: &[u8]) -> Result<XattrSet> {
        let mut cursor = Cursor::new(bytes, "xattr set");
        if cursor.byte()? != MARK {
            return Err(cursor.corrupt("does not start with its mark"));
        }
        let count = cursor.count(bytes.len(), 2)?;
        let mut set = BTreeMap::new();
        for _ in 0..count {
            let name = cursor.bytes()?.to_vec();
            set.insert(name, cursor.bytes()?.to_vec());
        }
        cursor.finish()?;
        Ok(XattrSet(set))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_survive_and_cut_ones_are_corrupt() {
        let set = XattrSet(BTreeMap::from([(b"user.a".to_vec(), b"1".to_vec()), (b"user.b".to_vec(), vec![0; 300])]));
        let bytes = set.encode();
        assert_eq!(XattrSet::decode(&bytes).unwrap(), set);
        for len in 0..bytes.len() {
            assert!(XattrSet::decode(&bytes[..len]).is_err());
        }
    }
}
