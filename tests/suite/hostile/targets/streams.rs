//! Streams inside people's own files, which are opened to be stored smaller: nothing checks them before.

use super::chunks::streams as samples;
use super::{Checker, Outcome, Target};
use gamevault::codec::opened::{self, Hint, Lz4Block, Opener};

/// A stream may say more than a thousand times as much as it is long, which is opened up to 16 MiB.
pub const STREAMS: Target = Target { name: "streams", memory: (1024, 128 << 20), start: streams };

/// The first byte says what the stream is, the next three how much a block of LZ4 is said to hold.
fn streams() -> Checker {
    let samples = samples().into_iter().map(|(kind, stream)| [vec![kind, 0, 16, 0], stream].concat()).collect();
    Checker::new(samples, |input| {
        let Some((&[kind, a, b, c], stream)) = input.split_first_chunk() else { return Outcome::Refused };
        let plain_len = u32::from_le_bytes([a, b, c, 0]);
        let half = (stream.len() / 2) as u32;
        let rest = stream.len() as u32 - half;
        let blocks = match c & 1 {
            0 => vec![Lz4Block { stored_len: stream.len() as u32, plain_len, is_compressed: true }],
            _ => vec![
                Lz4Block { stored_len: half, plain_len: half, is_compressed: false },
                Lz4Block { stored_len: rest, plain_len, is_compressed: true },
            ],
        };
        let opener = match kind % 5 {
            0 => Opener::Deflate,
            1 => Opener::Gzip,
            2 => Opener::Png,
            3 => Opener::Jpeg,
            _ => Opener::Lz4 { blocks: &blocks },
        };
        let _ = opened::plain(opener, stream);
        match opened::open(opener, stream, &mut Hint::default()) {
            Ok(pieces) => {
                for piece in &pieces {
                    let again = opened::recreate(&piece.recipe, &piece.plain, piece.stored.len()).unwrap();
                    assert!(again == stream[piece.stored.clone()], "an opened stream comes back as another one");
                }
                Outcome::Decoded
            }
            Err(_) => Outcome::Refused,
        }
    })
}
