//! Chunks that are pieces of compressed streams, stored as differences of what they say to what older pieces say.

use super::decode::Reach;
use super::encode::{BASE_COST, Differ};
use super::{MAX_DEPTH, Store};
use crate::codec::opened::{self, BaseText, Opener, Payload, Piece, Reading};
use crate::codec::{Encoder, Encoding};
use crate::error::{Error, Result};
use crate::id::ChunkKey;

/// The most bytes of closed bases that are decoded for one opened chunk: a deflate stream is read from its start.
pub const MAX_CLOSED_BYTES: u64 = 4 << 20;

/// An opened chunk as it will be stored.
pub struct OpenedForm {
    pub(super) bases: Vec<ChunkKey>,
    pub(super) stored: Vec<u8>,
}

impl OpenedForm {
    /// Returns how many bytes it takes, with what names its bases.
    pub fn stored_len(&self) -> usize {
        self.stored.len() + self.bases.len() * BASE_COST
    }
}

impl Store {
    /// Returns the text that an opened chunk with these bases is a difference to.
    pub(super) fn base_text(&self, base: &BaseText, bases: &[ChunkKey], reach: &mut Reach) -> Result<Vec<u8>> {
        let text = self.whole_text(&base.reading, bases, reach)?;
        let short = || Error::corrupt("the bases of an opened chunk say less than it needs");
        text.get(base.window.clone()).map(<[u8]>::to_vec).ok_or_else(short)
    }

    /// Returns all that `bases` say.
    fn whole_text(&self, reading: &Reading, bases: &[ChunkKey], reach: &mut Reach) -> Result<Vec<u8>> {
        let (opener, lead_len) = match reading {
            Reading::Each(runs) => {
                let mut text = Vec::new();
                for (&base, blocks) in bases.iter().zip(runs) {
                    // What an opened run says need not be made again and decoded: it is at hand.
                    match blocks.as_slice() {
                        blocks if blocks.is_empty() || self.is_opened(base)? == Some(true) => {
                            text.extend_from_slice(&self.text(base, reach)?);
                        }
                        blocks => text.extend(read_closed(Opener::Lz4 { blocks }, &self.base(base, reach)?)?),
                    }
                }
                return Ok(text);
            }
            Reading::Deflate { lead_len } => (Opener::Deflate, *lead_len),
            Reading::Gzip => (Opener::Gzip, 0),
            Reading::Png => (Opener::Png, 0),
        };
        let closed = self.concat(bases, reach)?;
        read_closed(opener, closed.get(lead_len..).unwrap_or_default())
    }

    /// Returns what stored chunks say, for the one who looks for a window in it.
    ///
    /// # Errors
    /// `Corrupt` if they cannot be decoded or read so.
    pub fn text_of(&self, reading: &Reading, bases: &[ChunkKey]) -> Result<Vec<u8>> {
        for &base in bases {
            if self.is_opened(base)? == Some(false) {
                self.sound_concat(&[base])?;
            }
        }
        self.whole_text(reading, bases, &mut Reach::WHOLE.clone())
    }

    /// Tells whether the chunk is stored opened; `None` if it is not stored.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub fn is_opened(&self, key: ChunkKey) -> Result<Option<bool>> {
        let encoding = match self.writer.pending(key) {
            Some(pending) => Some(pending.entry.encoding as u8),
            None => self.catalogue.chunk(key)?.map(|place| place.encoding),
        };
        Ok(encoding.map(|encoding| encoding == Encoding::Opened as u8))
    }

    /// Returns an opened piece as a difference of its text to `text`, which is what `base` gives of `bases`; `None` if
    /// their chain would be too long.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub fn opened_form(
        &self,
        piece: &Piece,
        base: &BaseText,
        bases: Vec<ChunkKey>,
        text: &[u8],
    ) -> Result<Option<OpenedForm>> {
        let Some((chain, _)) = self.chain(&bases)? else { return Ok(None) };
        if chain.depth > MAX_DEPTH || chain.base_bytes > MAX_CLOSED_BYTES {
            return Ok(None);
        }
        Ok(Differ::with(|differ| {
            let (encoding, delta) = differ.smallest(text, &piece.plain)?;
            let payload = Payload { recipe: &piece.recipe, plain_len: piece.plain.len(), delta };
            Some(OpenedForm { bases, stored: opened::stored(base, encoding, &payload) })
        }))
    }
}

/// Returns the stored bytes of a piece whose text stands for itself, as `encoder` makes it.
pub(super) fn own_form(piece: &Piece, encoder: &mut Encoder) -> Vec<u8> {
    let (encoding, text) = encoder.encode(&piece.plain, None);
    let base = BaseText { reading: Reading::Each(Vec::new()), window: 0..0 };
    let payload = Payload { recipe: &piece.recipe, plain_len: piece.plain.len(), delta: text };
    opened::stored(&base, encoding, &payload)
}

fn read_closed(opener: Opener<'_>, stream: &[u8]) -> Result<Vec<u8>> {
    opened::plain(opener, stream)
        .map_err(|refusal| Error::corrupt(format!("the bases of an opened chunk cannot be read: {}", refusal.code())))
}
