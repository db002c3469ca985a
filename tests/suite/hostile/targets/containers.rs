//! Containers in people's files: whether they are whole, what lies where in them, and the shapes of payloads.

use super::chunks::{bitmap, texture, wave};
use super::{Checker, Outcome, Target, containers as files, numbered};
use gamevault::lens::{self, Verdict, shape};

pub const CONTAINERS: Target = Target { name: "containers", memory: (256, 256 << 10), start: containers };
pub const SHAPES: Target = Target { name: "shapes", memory: (1, 1 << 10), start: shapes };

/// The first byte says how the file is called, of all samples.
fn containers() -> Checker {
    let (names, files): (Vec<String>, Vec<Vec<u8>>) = files().into_iter().unzip();
    assert!(names.len() >= 25, "every format has its samples");
    Checker::new(numbered(files), move |input| {
        let Some((&name, bytes)) = input.split_first() else { return Outcome::Refused };
        let name = names[usize::from(name) % names.len()].as_bytes();
        let len = bytes.len() as u64;
        let parts = lens::parts(bytes, len, name).unwrap();
        for part in parts.iter().flat_map(|parts| &parts.parts) {
            assert!(
                part.len > 0 && part.offset.checked_add(part.len).is_some_and(|end| end <= len),
                "a part lies outside"
            );
        }
        // A file may be shorter than it was when it was looked at.
        let _ = lens::check(bytes, len + 7, name);
        match lens::check(bytes, len, name).unwrap() {
            Verdict::Whole(_) => Outcome::Decoded,
            _ => Outcome::Refused,
        }
    })
}

fn shapes() -> Checker {
    const NAMES: [&str; 7] = ["a.bmp", "a.wav", "a.dds", "a.tga", "a.aiff", "a.ktx", "a"];
    let aiff = b"FORM\0\0\0\x40AIFFCOMM\0\0\0\x12\0\x01\0\0\0\x08\0\x10\x40\x0e\xac\x44\0\0\0\0\0\0SSND\0\0\0\x18\0\0\0\0\0\0\0\0".to_vec();
    let ktx = [b"\xabKTX 11\xbb\r\n\x1a\n\x01\x02\x03\x04".as_slice(), &[0; 48]].concat();
    let tga = [&[0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 8, 0, 24, 0], [0; 192].as_slice()].concat();
    let samples = numbered([bitmap(), wave(), texture(), tga, aiff, ktx].map(|mut head| {
        head.truncate(400);
        head
    }));
    Checker::new(samples, |input| {
        let Some((&name, head)) = input.split_first() else { return Outcome::Refused };
        match shape::shape(head, NAMES[usize::from(name) % NAMES.len()].as_bytes()) {
            Some(_) => Outcome::Decoded,
            None => Outcome::Refused,
        }
    })
}
