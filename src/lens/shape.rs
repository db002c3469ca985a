//! What the payload of a plain file is: pixels, texture blocks or sound samples, and how they are laid out.
//!
//! Told from the first bytes and the name alone, without reading further. It is advice for what stores the bytes: a wrong
//! answer costs room, never a byte, so that headers are believed as far as they are possible at all. Compressed
//! payloads (run-length TGA, supercompressed KTX) have no shape.

use super::input::{Fields, Order};

/// Layout of the payload of a file; all offsets count from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Rows of pixels, channel by channel, one byte each.
    Pixels {
        /// Where the payload begins.
        data_offset: u64,
        /// How many bytes it has, the padding of rows included.
        data_len: u64,
        /// Bytes of a pixel, 1 to 4.
        pixel_len: u8,
        /// Bytes of a row that are pixels.
        used_len: u32,
        /// Bytes from one row to the next.
        row_len: u32,
    },
    /// Texture blocks of 4 by 4 pixels, level of detail after level.
    Blocks {
        /// Where the payload begins.
        data_offset: u64,
        /// How they are packed.
        kind: BlockKind,
        /// Blocks side by side in the first level.
        columns: u32,
        /// Rows of blocks in the first level.
        rows: u32,
        /// How many levels there are, each half as wide and high as the one before.
        levels: u32,
    },
    /// Sound samples, the channels in turn.
    Samples {
        /// Where the payload begins.
        data_offset: u64,
        /// How many bytes it has.
        data_len: u64,
        /// Channels, 1 to 8.
        channels: u8,
        /// Bytes of a sample, 1 to 4.
        sample_len: u8,
        /// Whether the highest byte comes first.
        big_endian: bool,
    },
}

/// How a block of 4 by 4 pixels is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    /// Two colours, then 16 indices of 2 bits (DXT1).
    Bc1,
    /// 16 alphas of 4 bits, then a BC1 block (DXT3).
    Bc2,
    /// A BC4 block of alphas, then a BC1 block (DXT5).
    Bc3,
    /// Two values, then 16 indices of 3 bits.
    Bc4,
    /// Two BC4 blocks.
    Bc5,
    /// Fields at bit positions that change with the block: BC6H and BC7.
    Bits,
}

impl BlockKind {
    /// Returns the bytes of a block.
    pub fn block_len(self) -> usize {
        match self {
            BlockKind::Bc1 | BlockKind::Bc4 => 8,
            BlockKind::Bc2 | BlockKind::Bc3 | BlockKind::Bc5 | BlockKind::Bits => 16,
        }
    }
}

/// Pictures wider or higher than this are not believed.
const MAX_SIDE: u32 = 1 << 16;

/// Tells the layout of a file's payload from its first bytes (4 KiB are enough) and its name.
pub fn shape(head: &[u8], name: &[u8]) -> Option<Shape> {
    match head.get(..4)? {
        b"DDS " => dds(head),
        b"RIFF" => wav(head),
        b"FORM" => aiff(head),
        b"\xabKTX" => ktx(head),
        [b'B', b'M', ..] => bmp(head),
        _ if name.to_ascii_lowercase().ends_with(b".tga") => tga(head),
        _ => None,
    }
}

/// Returns `len` bytes of `head` at `offset` as fields, if they are there.
fn fields(head: &[u8], offset: usize, len: usize) -> Option<Fields<'_>> {
    Some(Fields::little(head.get(offset..offset.checked_add(len)?)?))
}

/// Returns rows of `width` pixels that are padded to a multiple of `align` bytes.
fn pixels(data_offset: u64, width: u32, height: u32, pixel_len: u8, align: u32) -> Option<Shape> {
    if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
        return None;
    }
    let used_len = width * u32::from(pixel_len);
    let row_len = used_len.next_multiple_of(align);
    let data_len = u64::from(row_len) * u64::from(height);
    Some(Shape::Pixels { data_offset, data_len, pixel_len, used_len, row_len })
}

/// Truevision TGA 2.0: a header of 18 bytes, an id text and a palette, then the pixels. Types 2 and 3 are not compressed.
fn tga(head: &[u8]) -> Option<Shape> {
    let header = fields(head, 0, 18)?;
    let (id_len, has_palette, kind, depth) = (head[0], head[1], head[2], head[16]);
    let pixel_len = match (kind, depth) {
        (2, 24) => 3,
        (2, 32) => 4,
        (1 | 3, 8) => 1,
        _ => return None,
    };
    let palette_len = match has_palette {
        0 => 0,
        1 => u64::from(header.u16(5)) * u64::from(head[7]).div_ceil(8),
        _ => return None,
    };
    let (width, height) = (u32::from(header.u16(12)), u32::from(header.u16(14)));
    pixels(18 + u64::from(id_len) + palette_len, width, height, pixel_len, 1)
}

/// Windows bitmaps: a file header of 14 bytes, then one of 40 or more; rows are padded to 4 bytes.
fn bmp(head: &[u8]) -> Option<Shape> {
    let header = fields(head, 0, 34)?;
    // Compression 3 only says where the channels lie in 32 bits.
    let pixel_len = match (header.u16(28), header.u32(30)) {
        (8, 0) => 1,
        (24, 0) => 3,
        (32, 0 | 3) => 4,
        _ => return None,
    };
    if header.u32(14) < 40 {
        return None;
    }
    // A negative height says that the rows begin at the top.
    let height = header.u32(22).cast_signed().unsigned_abs();
    pixels(u64::from(header.u32(10)), header.u32(18), height, pixel_len, 4)
}

/// DirectDraw surfaces: 128 bytes of header, 20 more if the code is `DX10`.
fn dds(head: &[u8]) -> Option<Shape> {
    let header = fields(head, 0, 128)?;
    let (height, width, levels) = (header.u32(12), header.u32(16), header.u32(28).clamp(1, 16));
    let (flags, code, bits) = (header.u32(80), &head[84..88], header.u32(88));
    const FOUR_CC: u32 = 4;
    if flags & FOUR_CC == 0 {
        return match bits {
            8 | 24 | 32 => pixels(128, width, height, (bits / 8) as u8, 1),
            _ => None,
        };
    }
    let (data_offset, kind) = match code {
        b"DXT1" => (128, BlockKind::Bc1),
        b"DXT2" | b"DXT3" => (128, BlockKind::Bc2),
        b"DXT4" | b"DXT5" => (128, BlockKind::Bc3),
        b"ATI1" | b"BC4U" | b"BC4S" => (128, BlockKind::Bc4),
        b"ATI2" | b"BC5U" | b"BC5S" => (128, BlockKind::Bc5),
        // The numbers of DXGI_FORMAT.
        b"DX10" => match fields(head, 128, 20)?.u32(0) {
            27..=32 | 87..=93 => return pixels(148, width, height, 4, 1),
            60..=65 => return pixels(148, width, height, 1, 1),
            70..=72 => (148, BlockKind::Bc1),
            73..=75 => (148, BlockKind::Bc2),
            76..=78 => (148, BlockKind::Bc3),
            79..=81 => (148, BlockKind::Bc4),
            82..=84 => (148, BlockKind::Bc5),
            94..=99 => (148, BlockKind::Bits),
            _ => return None,
        },
        _ => return None,
    };
    blocks(data_offset, kind, width, height, levels)
}

fn blocks(data_offset: u64, kind: BlockKind, width: u32, height: u32, levels: u32) -> Option<Shape> {
    if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
        return None;
    }
    Some(Shape::Blocks { data_offset, kind, columns: width.div_ceil(4), rows: height.div_ceil(4), levels })
}

/// Khronos textures, version 1: 64 bytes of header, key and value pairs, then each level behind its length.
fn ktx(head: &[u8]) -> Option<Shape> {
    let header = fields(head, 0, 64)?;
    const LITTLE_ENDIAN: u32 = 0x0403_0201;
    if &head[4..8] != b" 11\xbb" || header.u32(12) != LITTLE_ENDIAN {
        return None;
    }
    // The numbers of OpenGL's internal formats.
    let kind = match header.u32(28) {
        0x83f0 | 0x83f1 | 0x8c4c | 0x8c4d => BlockKind::Bc1,
        0x83f2 | 0x8c4e => BlockKind::Bc2,
        0x83f3 | 0x8c4f => BlockKind::Bc3,
        0x8dbb | 0x8dbc => BlockKind::Bc4,
        0x8dbd | 0x8dbe => BlockKind::Bc5,
        0x8e8c..=0x8e8f => BlockKind::Bits,
        _ => return None,
    };
    let data_offset = 64 + u64::from(header.u32(60)) + 4;
    // A length stands between the levels, so that only the first lies where the sizes say.
    blocks(data_offset, kind, header.u32(36), header.u32(40), 1)
}

/// WAV: chunks of a name, a length and bytes padded to even; `fmt ` says how the bytes of `data` are meant.
fn wav(head: &[u8]) -> Option<Shape> {
    if head.get(8..12)? != b"WAVE" {
        return None;
    }
    let mut format = None;
    let mut offset = 12usize;
    loop {
        let len = fields(head, offset, 8)?.u32(4);
        let body = offset + 8;
        match &head[offset..offset + 4] {
            b"fmt " => {
                let fmt = fields(head, body, 16)?;
                const PCM: u16 = 1;
                const EXTENSIBLE: u16 = 0xfffe;
                let pcm = match fmt.u16(0) {
                    PCM => true,
                    EXTENSIBLE => fields(head, body, 26)?.u16(24) == PCM,
                    _ => false,
                };
                format = Some((pcm, fmt.u16(2), fmt.u16(14)));
            }
            b"data" => {
                let (true, channels, bits) = format? else { return None };
                return samples(body, len, channels, bits, false);
            }
            _ => {}
        }
        offset = body.checked_add(len as usize)?.checked_next_multiple_of(2)?;
    }
}

/// AIFF: like WAV with the highest byte first; `COMM` says how the bytes of `SSND` are meant.
fn aiff(head: &[u8]) -> Option<Shape> {
    if head.get(8..12)? != b"AIFF" {
        return None;
    }
    let mut format = None;
    let mut offset = 12usize;
    loop {
        let len = Fields::new(head.get(offset..offset.checked_add(8)?)?, Order::Big).u32(4);
        let body = offset + 8;
        match &head[offset..offset + 4] {
            b"COMM" => {
                let comm = Fields::new(head.get(body..body + 18)?, Order::Big);
                format = Some((comm.u16(0), comm.u16(6)));
            }
            b"SSND" => {
                let (channels, bits) = format?;
                // Offset and block size stand before the samples; both are 0 in practice.
                return samples(body + 8, len.checked_sub(8)?, channels, bits, true);
            }
            _ => {}
        }
        offset = body.checked_add(len as usize)?.checked_next_multiple_of(2)?;
    }
}

fn samples(data_offset: usize, data_len: u32, channels: u16, bits: u16, big_endian: bool) -> Option<Shape> {
    if !(1..=8).contains(&channels) || ![8, 16, 24, 32].contains(&bits) {
        return None;
    }
    Some(Shape::Samples {
        data_offset: data_offset as u64,
        data_len: u64::from(data_len),
        channels: channels as u8,
        sample_len: (bits / 8) as u8,
        big_endian,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with(len: usize, parts: &[(usize, &[u8])]) -> Vec<u8> {
        let mut head = vec![0; len];
        for (at, bytes) in parts {
            head[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        head
    }

    #[test]
    fn pictures_are_told_by_their_headers() {
        let tga = with(64, &[(2, &[2]), (12, &[100, 0, 50, 0, 32, 8])]);
        let expected = Shape::Pixels { data_offset: 18, data_len: 20_000, pixel_len: 4, used_len: 400, row_len: 400 };
        assert_eq!(shape(&tga, b"Some.TGA"), Some(expected));
        assert_eq!(shape(&tga, b"some.dat"), None);
        let run_length = with(64, &[(2, &[10]), (12, &[100, 0, 50, 0, 32, 8])]);
        assert_eq!(shape(&run_length, b"some.tga"), None);

        let bmp =
            with(64, &[(0, b"BM"), (10, &[54, 0, 0, 0, 40, 0, 0, 0, 5, 0, 0, 0, 0xfd, 0xff, 0xff, 0xff, 1, 0, 24, 0])]);
        let expected = Shape::Pixels { data_offset: 54, data_len: 48, pixel_len: 3, used_len: 15, row_len: 16 };
        assert_eq!(shape(&bmp, b"a.bmp"), Some(expected));
    }

    #[test]
    fn textures_are_told_by_their_codes() {
        let size = [9, 0, 0, 0, 33, 0, 0, 0];
        let expected =
            |data_offset, kind, levels| Some(Shape::Blocks { data_offset, kind, columns: 9, rows: 3, levels });
        let dds = with(256, &[(0, b"DDS "), (12, &size), (28, &[6]), (80, &[4, 0, 0, 0, b'D', b'X', b'T', b'5'])]);
        assert_eq!(shape(&dds, b"x"), expected(128, BlockKind::Bc3, 6));
        let dx10 = with(256, &[(0, b"DDS "), (12, &size), (80, &[4, 0, 0, 0, b'D', b'X', b'1', b'0']), (128, &[98])]);
        assert_eq!(shape(&dx10, b"x"), expected(148, BlockKind::Bits, 1));
        let rgba = with(256, &[(0, b"DDS "), (12, &size), (88, &[32])]);
        let pixels = Shape::Pixels { data_offset: 128, data_len: 9 * 132, pixel_len: 4, used_len: 132, row_len: 132 };
        assert_eq!(shape(&rgba, b"x"), Some(pixels));
        let header: &[u8] = &[1, 2, 3, 4, 1, 0, 0, 0];
        let ktx = with(
            64,
            &[
                (0, b"\xabKTX 11\xbb\r\n\x1a\n"),
                (12, &header[..4]),
                (28, &[0xf0, 0x83]),
                (36, &[33]),
                (40, &[9]),
                (60, &[8]),
            ],
        );
        assert_eq!(shape(&ktx, b"x"), expected(76, BlockKind::Bc1, 1));
    }

    #[test]
    fn sounds_are_told_behind_other_chunks() {
        let wav = [
            &b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0\x01\0\x02\0\0\0\0\0\0\0\0\0\x04\0\x10\0"[..],
            b"data\x10\x27\0\0\0\0",
        ]
        .concat();
        let expected =
            Shape::Samples { data_offset: 56, data_len: 10_000, channels: 2, sample_len: 2, big_endian: false };
        assert_eq!(shape(&wav, b"x"), Some(expected));
        assert_eq!(shape(&wav[..50], b"x"), None);
        let aiff = [
            &b"FORM\0\0\0\0AIFFCOMM\0\0\0\x12\0\x01\0\0\0\0\0\x18\0\0\0\0\0\0\0\0\0\0SSND\0\0\x27\x18\0\0\0\0"[..],
            b"\0\0\0\0",
        ]
        .concat();
        let expected =
            Shape::Samples { data_offset: 54, data_len: 10_000, channels: 1, sample_len: 3, big_endian: true };
        assert_eq!(shape(&aiff, b"x"), Some(expected));
    }

    proptest! {
        /// Offsets and sizes of a header may be anything; what comes out stays within what filters take.
        #[test]
        fn hostile_headers_are_harmless(magic in 0usize..8, cut in 0usize..300, bytes in prop::collection::vec(any::<u8>(), 300)) {
            let mut head = bytes;
            let magics: [&[u8]; 8] =
                [b"DDS ", b"RIFF\0\0\0\0WAVEfmt ", b"RIFF\0\0\0\0WAVEdata", b"FORM\0\0\0\0AIFFCOMM", b"\xabKTX 11\xbb", b"BM", b"\0\0\x02", b""];
            head[..magics[magic].len()].copy_from_slice(magics[magic]);
            match shape(&head[..cut], b"a.tga") {
                Some(Shape::Pixels { pixel_len, used_len, row_len, .. }) => {
                    prop_assert!((1..=4).contains(&pixel_len) && used_len > 0 && used_len <= row_len);
                    prop_assert_eq!(used_len % u32::from(pixel_len), 0);
                }
                Some(Shape::Blocks { columns, rows, levels, .. }) => prop_assert!(columns > 0 && rows > 0 && levels <= 16),
                Some(Shape::Samples { channels, sample_len, .. }) => {
                    prop_assert!((1..=8).contains(&channels) && (1..=4).contains(&sample_len));
                }
                None => {}
            }
        }
    }
}
