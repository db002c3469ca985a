//! Fingerprints of executables and packs: what a game can make of its own files at once, however large they are.

/// How many bytes count at each end of a file.
pub const FINGERPRINT_END: usize = 64 << 10;

/// Returns the fingerprint of a file of `len` bytes: 32 hex digits of the BLAKE3 of its length, eight bytes, little-endian, and
/// of its first and its last [`FINGERPRINT_END`] bytes; of a file that is shorter than one of them, it is there twice.
pub fn fingerprint(len: u64, first: &[u8], last: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&len.to_le_bytes()).update(first).update(last);
    hasher.finalize().to_hex()[..32].to_owned()
}
