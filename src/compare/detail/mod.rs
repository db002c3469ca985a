//! What changed inside a file: lines of a text, settings, members of a container, pixels of a picture, length of a sound.
//!
//! Whatever stands in a file, the answer takes bounded time and memory: each sort of file has its own bounds, in its file
//! here, and a file beyond them has no detail. Values that look like secrets are masked.

mod members;
mod picture;
mod settings;
mod sound;
mod text;

pub use members::{Member, MemberChange, MembersChange};
pub use picture::{PictureChange, PictureFacts, PixelChange, Previews, compare_pictures};
pub use settings::{SettingChange, SettingsChange};
pub use sound::{SoundChange, SoundFacts, sound_facts};
pub use text::{Hunk, Line, LineKind, TextChange};

use super::{Class, Diff, Difference};
use crate::content::Reader;
use crate::error::{ErrorKind, Result};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// What changed inside one file.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "sort", rename_all = "snake_case")]
pub enum Detail {
    /// Lines of a text.
    Text(TextChange),
    /// Settings.
    Settings(SettingsChange),
    /// Members of a container.
    Members(MembersChange),
    /// A picture.
    Picture(Box<PictureChange>),
    /// A sound.
    Sound(SoundChange),
    /// The vault cannot read the file.
    Unreadable {
        /// Why.
        reason: String,
    },
}

/// Which of several readers a file is given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Text,
    Members,
    Picture,
    Sound,
}

/// How many files of each sort are looked into.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Files of settings and other texts.
    pub texts: usize,
    /// Containers.
    pub containers: usize,
    /// Pictures.
    pub pictures: usize,
    /// Pixels of all pictures, before and after.
    pub pixels: u64,
    /// Sounds.
    pub sounds: usize,
}

impl Limits {
    /// No file.
    pub const NOTHING: Limits = Limits { texts: 0, containers: 0, pictures: 0, pixels: 0, sounds: 0 };

    /// All files.
    pub const ALL: Limits = Limits {
        texts: usize::MAX,
        containers: usize::MAX,
        pictures: usize::MAX,
        pixels: u64::MAX,
        sounds: usize::MAX,
    };

    /// So many that a page of them is made in a second, and is still read.
    pub const PAGE: Limits = Limits { texts: 40, containers: 12, pictures: 16, pixels: 8 << 20, sounds: 24 };

    /// So many that a page of them can be sent to somebody.
    pub const REPORT: Limits = Limits { texts: 300, containers: 60, pictures: 80, pixels: 256 << 20, sounds: 200 };

    fn files(&self, sort: Sort) -> usize {
        match sort {
            Sort::Text => self.texts,
            Sort::Members => self.containers,
            Sort::Picture => self.pictures,
            Sort::Sound => self.sounds,
        }
    }
}

/// Returns what changed inside of files, by their index among the changes: of each sort those with most changed bytes, as far as
/// `limits` go.
///
/// # Errors
/// Those of the store, but for damage, which is told in its place.
pub fn details(reader: &Reader, diff: &Diff, limits: &Limits) -> Result<BTreeMap<usize, Detail>> {
    let mut candidates: BTreeMap<Sort, Vec<usize>> = BTreeMap::new();
    for (index, difference) in diff.changes.iter().enumerate() {
        if let Some(sort) = sort_of(difference) {
            candidates.entry(sort).or_default().push(index);
        }
    }
    let mut found = BTreeMap::new();
    let mut pixels = limits.pixels;
    for (sort, mut indexes) in candidates {
        indexes.sort_by_key(|&index| (Reverse(diff.changes[index].changed_bytes), index));
        let mut left = limits.files(sort);
        for index in indexes {
            if left == 0 {
                break;
            }
            if let Some(detail) = detail(reader, &diff.changes[index], sort, &mut pixels)? {
                found.insert(index, detail);
                left -= 1;
            }
        }
    }
    Ok(found)
}

fn detail(reader: &Reader, difference: &Difference, sort: Sort, pixels: &mut u64) -> Result<Option<Detail>> {
    let Some((old, new)) = difference.contents() else { return Ok(None) };
    let path = difference.change.path.as_str();
    let found = match sort {
        // A file of settings that cannot be read, or in which none differs, is a text as well.
        Sort::Text => settings::detail(reader, path, &old, &new).and_then(|found| match found {
            Some(found) => Ok(Some(Detail::Settings(found))),
            None => Ok(text::detail(reader, path, &old, &new)?.map(Detail::Text)),
        }),
        Sort::Members => members::detail(reader, path, &old, &new).map(|found| found.map(Detail::Members)),
        Sort::Picture => picture::detail(reader, path, &old, &new, pixels)
            .map(|found| found.map(|one| Detail::Picture(Box::new(one)))),
        Sort::Sound => sound::detail(reader, path, &old, &new).map(|found| found.map(Detail::Sound)),
    };
    match found {
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(Some(Detail::Unreadable { reason: error.to_string() })),
        found => found,
    }
}

fn sort_of(difference: &Difference) -> Option<Sort> {
    difference.contents()?;
    match difference.class {
        Class::Picture if difference.change.path.to_ascii_lowercase().ends_with(".svg") => Some(Sort::Text),
        Class::Picture => Some(Sort::Picture),
        Class::Sound => Some(Sort::Sound),
        // A program may have a pack behind it.
        Class::Container | Class::Program => Some(Sort::Members),
        Class::Code | Class::Data | Class::Document | Class::Scene | Class::Other => Some(Sort::Text),
        Class::Video | Class::Model | Class::Font => None,
    }
}
