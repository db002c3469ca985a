//! Pictures and sounds, as comparisons read them: what other people's decoders do with them must stay inside.

use super::chunks::{bitmap, wave};
use super::{Checker, Outcome, Target, containers, numbered};
use gamevault::compare::detail::{compare_pictures, sound_facts};
use std::io::Cursor;

/// Pixels that an input may make be decoded.
const PIXELS: u64 = 1 << 18;

/// The head of a small file may promise as many pixels as are decoded at once.
pub const PICTURES: Target = Target { name: "pictures", memory: (1024, 300 << 20), start: pictures };
pub const SOUNDS: Target = Target { name: "sounds", memory: (64, 64 << 20), start: sounds };

const NAMES: [&str; 6] = ["a.png", "a.jpg", "a.bmp", "a.tga", "a.webp", "a.dds"];

/// The first byte says what the picture is called; it is compared with itself.
fn pictures() -> Checker {
    let samples = containers();
    let sample = |name: &str| samples.iter().find(|(found, _)| found == name).unwrap().1.clone();
    let tga = [&[0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 8, 0, 24, 0], [7; 192].as_slice()].concat();
    let webp = b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07\0".to_vec();
    let dds = super::chunks::texture();
    Checker::new(numbered([sample("picture.png"), sample("picture.jpg"), bitmap(), tga, webp, dds]), |input| {
        let Some((&name, bytes)) = input.split_first() else { return Outcome::Refused };
        let name = NAMES[usize::from(name) % NAMES.len()];
        match compare_pictures(name, bytes, bytes, &mut PIXELS.clone()) {
            Some(change) if change.views.is_some() => {
                assert_eq!(change.pixels.unwrap().different, 0, "a picture differs from itself");
                Outcome::Decoded
            }
            _ => Outcome::Refused,
        }
    })
}

fn sounds() -> Checker {
    let samples = containers();
    let sample = |name: &str| samples.iter().find(|(found, _)| found == name).unwrap().1.clone();
    let mp3 = [b"\xff\xfb\x90\x64".as_slice(), &[0; 413], b"\xff\xfb\x90\x64", &[0; 413]].concat();
    let mut flac = b"fLaC\x80\0\0\x22\x10\0\x10\0\0\0\0\0\0\0\x0a\xc4\x42\xf0\0\0\x27\x10".to_vec();
    flac.extend([0; 20]);
    let aiff =
        b"FORM\0\0\0\x30AIFFCOMM\0\0\0\x12\0\x01\0\0\0\x02\0\x10\x40\x0e\xac\x44\0\0\0\0\0\0SSND\0\0\0\x0a\0\0\0\0\0\0\0\0\0\x01".to_vec();
    Checker::new(vec![wave(), sample("sound.wav"), sample("stream.ogg"), mp3, flac, aiff], |bytes| {
        match sound_facts(Cursor::new(bytes)) {
            Some(_) => Outcome::Decoded,
            None => Outcome::Refused,
        }
    })
}
