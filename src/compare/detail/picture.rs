//! Pictures: size and format, how many pixels are others, and small views of before, after and the difference.
//!
//! PNG, JPEG, TGA, BMP, WebP and DDS are read by the `image` library. What it stumbles over has no detail.

use crate::compare::file_bytes;
use crate::content::Reader;
use crate::error::Result;
use crate::manifest::Content;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageFormat, ImageReader, Limits, RgbaImage};
use serde::Serialize;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Bytes of a file beyond which it is not read.
const MAX_LEN: u64 = 64 << 20;

/// Pixels of a picture, and of one of its sides, beyond which only its head is read: four bytes each, and twice while it is decoded.
const MAX_PIXELS: u64 = 16 << 20;
const MAX_SIDE: u32 = 16 << 10;
const MAX_ALLOC: u64 = 256 << 20;

/// The longer side of a view, and how good it is as JPEG.
const VIEW_SIDE: u32 = 320;
const VIEW_QUALITY: u8 = 82;

/// A difference of a channel that is seen: textures are compressed anew with small errors.
const IS_SEEN: u8 = 8;

/// What changed in a picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PictureChange {
    /// What it was.
    pub old: PictureFacts,
    /// What it is.
    pub new: PictureFacts,
    /// How the pixels differ, where both have the same size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixels: Option<PixelChange>,
    /// What it looks like.
    #[serde(skip)]
    pub views: Option<Previews>,
}

/// What the head of a picture says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PictureFacts {
    /// `png`, `jpeg`, `tga`, `bmp`, `webp` or `dds`.
    pub format: &'static str,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
    /// What a pixel is, such as `rgba8`.
    pub color: String,
}

/// How the pixels of two pictures of one size differ.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PixelChange {
    /// Pixels that are not the same.
    pub different: u64,
    /// Pixels of which a channel differs by so much that it is seen.
    pub seen: u64,
    /// All pixels.
    pub all: u64,
    /// The largest difference of a channel, of 255.
    pub largest: u8,
}

/// Small pictures, as JPEG or PNG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Previews {
    /// Before.
    pub old: Vec<u8>,
    /// After.
    pub new: Vec<u8>,
    /// Where they differ, on what they have in common; absent when their sizes differ.
    pub difference: Option<Vec<u8>>,
}

pub(super) fn detail(
    reader: &Reader,
    path: &str,
    old: &Content,
    new: &Content,
    pixels: &mut u64,
) -> Result<Option<PictureChange>> {
    if old.size.max(new.size) > MAX_LEN {
        return Ok(None);
    }
    let (old, new) = (file_bytes::whole(reader, old, MAX_LEN)?, file_bytes::whole(reader, new, MAX_LEN)?);
    let (Some(old), Some(new)) = (old, new) else { return Ok(None) };
    Ok(compare_pictures(path, &old, &new, pixels))
}

/// Compares the bytes of two pictures, if both are such; of `pixels` those are taken that were decoded, and without enough of them only the
/// heads are read.
pub fn compare_pictures(path: &str, old: &[u8], new: &[u8], pixels: &mut u64) -> Option<PictureChange> {
    // The decoders are fuzzed by their authors, but what stands in a build is anybody's.
    catch_unwind(AssertUnwindSafe(|| compare(path, old, new, pixels))).ok().flatten()
}

fn compare(path: &str, old: &[u8], new: &[u8], pixels: &mut u64) -> Option<PictureChange> {
    let (was, is) = (facts(path, old)?, facts(path, new)?);
    let count = |facts: &PictureFacts| u64::from(facts.width) * u64::from(facts.height);
    let mut change = PictureChange { old: was, new: is, pixels: None, views: None };
    let needed = count(&change.old) + count(&change.new);
    if count(&change.old).max(count(&change.new)) > MAX_PIXELS || needed > *pixels {
        return Some(change);
    }
    *pixels -= needed;
    let (Some(old), Some(new)) = (decoded(path, old), decoded(path, new)) else { return Some(change) };
    let (old, new) = (old.into_rgba8(), new.into_rgba8());
    let difference = (old.dimensions() == new.dimensions()).then(|| difference(&old, &new));
    change.pixels = difference.as_ref().map(|(pixels, _)| *pixels);
    // Not as JPEG, which smears the one point that differs until it is not seen.
    let difference = difference.map(|(_, view)| png(&view));
    change.views = Some(Previews { old: encoded(&view(&old)), new: encoded(&view(&new)), difference });
    Some(change)
}

fn open<'a>(path: &str, bytes: &'a [u8]) -> Option<ImageReader<Cursor<&'a [u8]>>> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    // TGA has no magic.
    if reader.format().is_none() && path.to_ascii_lowercase().ends_with(".tga") {
        reader.set_format(ImageFormat::Tga);
    }
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_ALLOC);
    reader.limits(limits);
    reader.format().is_some().then_some(reader)
}

fn facts(path: &str, bytes: &[u8]) -> Option<PictureFacts> {
    let reader = open(path, bytes)?;
    let format = match reader.format()? {
        ImageFormat::Png => "png",
        ImageFormat::Jpeg => "jpeg",
        ImageFormat::Tga => "tga",
        ImageFormat::Bmp => "bmp",
        ImageFormat::WebP => "webp",
        ImageFormat::Dds => "dds",
        _ => return None,
    };
    let decoder = reader.into_decoder().ok()?;
    let (width, height) = decoder.dimensions();
    let color = format!("{:?}", decoder.original_color_type()).to_lowercase();
    Some(PictureFacts { format, width, height, color })
}

fn decoded(path: &str, bytes: &[u8]) -> Option<DynamicImage> {
    open(path, bytes)?.decode().ok()
}

/// Returns the size of a view of a picture, and by how much the sides of the picture are longer.
fn view_size(width: u32, height: u32) -> (u32, u32, u32) {
    let factor = width.max(height).div_ceil(VIEW_SIDE).max(1);
    (width.div_ceil(factor).max(1), height.div_ceil(factor).max(1), factor)
}

fn view(picture: &RgbaImage) -> RgbaImage {
    let (width, height, factor) = view_size(picture.width(), picture.height());
    match factor {
        1 => picture.clone(),
        _ => image::imageops::thumbnail(picture, width, height),
    }
}

/// Compares pictures of one size; a point of the view is as different as the pixel in it that differs most.
fn difference(old: &RgbaImage, new: &RgbaImage) -> (PixelChange, RgbaImage) {
    let (width, height, factor) = view_size(new.width(), new.height());
    let all = u64::from(new.width()) * u64::from(new.height());
    let mut change = PixelChange { different: 0, seen: 0, all, largest: 0 };
    let mut strongest = vec![0u8; width as usize * height as usize];
    let row_len = new.width() as usize * 4;
    let rows = old.as_raw().chunks_exact(row_len.max(4)).zip(new.as_raw().chunks_exact(row_len.max(4)));
    for (y, (old, new)) in rows.enumerate() {
        if old == new {
            continue;
        }
        let row = y / factor as usize * width as usize;
        for (x, (was, is)) in old.chunks_exact(4).zip(new.chunks_exact(4)).enumerate() {
            // What cannot be seen through is no colour.
            if was == is || was[3] == 0 && is[3] == 0 {
                continue;
            }
            let by = was.iter().zip(is).map(|(was, is)| was.abs_diff(*is)).max().unwrap_or(0);
            change.different += 1;
            change.seen += u64::from(by >= IS_SEEN);
            change.largest = change.largest.max(by);
            let point = &mut strongest[row + x / factor as usize];
            *point = (*point).max(by);
        }
    }
    let mut shown = view(new);
    for (point, by) in shown.pixels_mut().zip(strongest) {
        let [red, green, blue, alpha] = point.0;
        let grey = ((u32::from(red) * 2 + u32::from(green) * 5 + u32::from(blue)) / 8 * u32::from(alpha) / 255) as u8;
        // Pale, on light and on dark pages, so that the differences stand out: from a weak red on.
        // In few steps, as nobody looks at the greys: a PNG of them takes less.
        let pale = (90 + grey / 3) & !7;
        let strength = if by == 0 { 0 } else { 90 + u32::from(by) * 165 / 255 };
        let mix = |to: u32| ((u32::from(pale) * (255 - strength) + to * strength) / 255) as u8;
        point.0 = [mix(240), mix(20), mix(90), 255];
    }
    (change, shown)
}

/// Returns a view as JPEG, which takes a fifth of the room, unless it has transparent parts.
fn encoded(picture: &RgbaImage) -> Vec<u8> {
    if picture.pixels().any(|point| point.0[3] < u8::MAX) {
        return png(picture);
    }
    let mut bytes = Vec::new();
    let opaque = DynamicImage::ImageRgba8(picture.clone()).into_rgb8();
    JpegEncoder::new_with_quality(&mut bytes, VIEW_QUALITY)
        .encode_image(&opaque)
        .expect("a picture of pixels is encoded into memory");
    bytes
}

fn png(picture: &RgbaImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive)
        .write_image(picture, picture.width(), picture.height(), ExtendedColorType::Rgba8)
        .expect("a picture of pixels is encoded into memory");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32) -> RgbaImage {
        RgbaImage::from_fn(width, height, |x, y| image::Rgba([x as u8, y as u8, 99, 255]))
    }

    #[test]
    fn pixels_that_differ_are_counted_and_seen_in_the_view() {
        let old = picture(1000, 500);
        let mut new = old.clone();
        new.put_pixel(700, 400, image::Rgba([255, 255, 255, 255]));
        new.put_pixel(0, 0, image::Rgba([1, 0, 99, 255]));
        let change = compare_pictures("a.png", &png(&old), &png(&new), &mut u64::MAX.clone()).unwrap();
        let pixels = change.pixels.unwrap();
        assert_eq!((pixels.different, pixels.seen, pixels.all), (2, 1, 500_000));
        assert_eq!(pixels.largest, 255 - 99);
        assert_eq!((change.new.width, change.new.height, change.new.format), (1000, 500, "png"));
        let views = change.views.unwrap();
        let view = image::load_from_memory(&views.difference.unwrap()).unwrap().into_rgba8();
        let red = |x, y| i32::from(view.get_pixel(x, y).0[0]) - i32::from(view.get_pixel(x, y).0[1]);
        assert_eq!(view.dimensions(), (250, 125));
        assert!(red(175, 100) > 100 && red(50, 50) == 0, "{} {}", red(175, 100), red(50, 50));
    }

    #[test]
    fn pictures_of_other_sizes_have_no_difference() {
        let change = compare_pictures("a.png", &png(&picture(10, 10)), &png(&picture(10, 11)), &mut 1000).unwrap();
        assert!(change.pixels.is_none() && change.views.unwrap().difference.is_none());
        let beyond = compare_pictures("a.png", &png(&picture(10, 10)), &png(&picture(10, 10)), &mut 100).unwrap();
        assert!(beyond.pixels.is_none() && beyond.views.is_none());
    }

    /// Each byte of a picture turned, and each length of it: no panic, and nothing out of proportion.
    #[test]
    fn broken_pictures_do_no_harm() {
        let whole = png(&picture(20, 20));
        for at in 0..whole.len() {
            let mut broken = whole.clone();
            broken[at] ^= 0x55;
            compare_pictures("a.png", &broken, &whole, &mut 100_000);
            compare_pictures("a.tga", &whole[at..], &whole[..at], &mut 100_000);
        }
        // A head that promises 2^31 pixels a side.
        let mut huge = whole.clone();
        huge[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
        assert!(
            compare_pictures("a.png", &huge, &whole, &mut u64::MAX.clone()).is_none_or(|change| change.views.is_none())
        );
    }
}
