//! Sounds: format and length, by their heads.

use crate::content::FileBytes;
use crate::content::Reader;
use crate::error::Result;
use crate::manifest::Content;
use lofty::config::ParseOptions;
use lofty::file::AudioFile;
use lofty::probe::Probe;
use serde::Serialize;
use std::io::{BufReader, Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Bytes of a file beyond which it is not read: some formats tell their length nowhere, and are gone through.
const MAX_LEN: u64 = 64 << 20;

/// What changed in a sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SoundChange {
    /// What it was.
    pub old: SoundFacts,
    /// What it is.
    pub new: SoundFacts,
}

/// What the head of a sound says; absent is what it does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SoundFacts {
    /// Such as `wav` or `vorbis`.
    pub format: String,
    /// Its length.
    pub millis: u64,
    /// Samples a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_rate: Option<u32>,
    /// Channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<u8>,
    /// Bits of a sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<u8>,
    /// Thousands of bits a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kilobits: Option<u32>,
}

pub(super) fn detail(reader: &Reader, _path: &str, old: &Content, new: &Content) -> Result<Option<SoundChange>> {
    if old.size.max(new.size) > MAX_LEN {
        return Ok(None);
    }
    let facts = |content: &Content| sound_facts(FileBytes::new(reader, *content));
    Ok(facts(old).zip(facts(new)).map(|(old, new)| SoundChange { old, new }))
}

/// Returns what the head of a sound says, if it is one.
pub fn sound_facts(bytes: impl Read + Seek) -> Option<SoundFacts> {
    // What stands in a build is anybody's.
    let read = AssertUnwindSafe(|| {
        let options = ParseOptions::new().read_tags(false).read_cover_art(false);
        let probe = Probe::new(BufReader::with_capacity(64 << 10, bytes)).options(options).guess_file_type().ok()?;
        let format = format!("{:?}", probe.file_type()?).to_lowercase();
        let file = probe.read().ok()?;
        let properties = file.properties();
        Some(SoundFacts {
            format,
            millis: properties.duration().as_millis() as u64,
            sample_rate: properties.sample_rate(),
            channels: properties.channels(),
            bits: properties.bit_depth(),
            kilobits: properties.audio_bitrate(),
        })
    });
    catch_unwind(read).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// A sound of 16 bits, one channel.
    pub(super) fn wav(samples: u32, rate: u32) -> Vec<u8> {
        let len = samples * 2;
        let mut bytes = Vec::new();
        bytes.extend(b"RIFF");
        bytes.extend((36 + len).to_le_bytes());
        bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
        bytes.extend(rate.to_le_bytes());
        bytes.extend((rate * 2).to_le_bytes());
        bytes.extend(b"\x02\0\x10\0data");
        bytes.extend(len.to_le_bytes());
        bytes.resize(bytes.len() + len as usize, 7);
        bytes
    }

    #[test]
    fn the_length_of_a_sound_is_told() {
        let facts = sound_facts(Cursor::new(wav(22_050, 44_100))).unwrap();
        let expected = ("wav", 500, Some(44_100), Some(1), Some(16));
        assert_eq!((facts.format.as_str(), facts.millis, facts.sample_rate, facts.channels, facts.bits), expected);
        assert!(sound_facts(Cursor::new(b"no sound".to_vec())).is_none());
    }

    /// Each byte of the heads turned, and each length: no panic.
    #[test]
    fn broken_sounds_do_no_harm() {
        let samples = [wav(100, 8000), include_bytes!("../../../tests/data/containers/stream.ogg").to_vec()];
        for whole in samples {
            for at in 0..whole.len() {
                let mut broken = whole.clone();
                broken[at] ^= 0xff;
                sound_facts(Cursor::new(broken));
                sound_facts(Cursor::new(whole[..at].to_vec()));
            }
        }
    }
}
