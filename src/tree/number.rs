//! Numbers of nodes: what a [`NodeId`] says about the place of its node.
//!
//! The upper three bits are a class. Directories and symlinks of builds are numbered by the slot of the root that shows
//! them and their ordinal in the manifest, so they keep their number over a remount; regular files by a hash of all that
//! the front end may cache of them, so that equal files are one node in every build. Numbers of sessions hold while the
//! tree lives.
//!
//! ```text
//! CLASS  BITS 60-32             BITS 31-0             NODE
//! 0      0                      1, or 16 + index      the root, the top-level folders
//! 1      61 bits of hash                              a regular file of a build
//! 2      slot                   ordinal               a directory or symlink of a build
//! 3      serial of the session  number in the session a node of a session
//! 4      slot                   item                  the hidden files of a build or milestone
//! 5      serial of the session  item                  the hidden files of a session
//! 6      number of the build    0, 1                  the folders of a build in /feedback
//! 7      29 bits of hash        number in the folder  a folder that is made when it is looked into, and what is in it
//! ```

use super::types::NodeId;
use crate::catalogue::{Build, Milestone};
use crate::id::{BuildNumber, ChunkId, mix};
use crate::manifest::{Attributes, Content, ContentRoot};

const CLASS_SHIFT: u32 = 61;
const HIGH_MASK: u64 = (1 << 29) - 1;
const FIRST_FOLDER: u64 = 16;

/// The ordinal of the link that stands for a slot: `latest`, or a milestone that was just linked.
const LINK: u32 = u32::MAX;

/// The slots with this bit are of playtests.
const PLAYTEST: u32 = 1 << 28;

/// The root of a tree of content: of a build, a milestone or a playtest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Slot(u32);

/// Whose slot it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SlotOwner {
    /// The build with this number.
    Build(BuildNumber),
    /// The milestone with this serial.
    Milestone(u64),
    /// The playtest with this number.
    Playtest(u64),
}

impl Slot {
    /// The slot of a build.
    pub(super) fn of_build(build: &Build) -> Slot {
        Slot((build.number.0 * 2) as u32 & (PLAYTEST - 1))
    }

    /// The slot of a milestone; moving the milestone to another build makes another one.
    pub(super) fn of_milestone(milestone: &Milestone) -> Slot {
        Slot((milestone.set_serial() * 2) as u32 & (PLAYTEST - 1) | 1)
    }

    /// The slot of the playtest with this number.
    pub(super) fn of_playtest(number: u64) -> Slot {
        Slot(number as u32 & (PLAYTEST - 1) | PLAYTEST)
    }

    /// Returns whose slot it is.
    pub(super) fn owner(self) -> SlotOwner {
        match self.0 & 1 {
            _ if self.0 & PLAYTEST != 0 => SlotOwner::Playtest(u64::from(self.0 & (PLAYTEST - 1))),
            0 => SlotOwner::Build(BuildNumber(u64::from(self.0 / 2))),
            _ => SlotOwner::Milestone(u64::from(self.0 / 2)),
        }
    }
}

/// A file of `.gamevault/`, or the directory itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum HiddenItem {
    /// `.gamevault` itself.
    Directory,
    /// `meta.json`.
    Meta,
    /// `status.json`.
    Status,
    /// `commit`.
    Commit,
    /// `abort`.
    Abort,
    /// `changes.md`.
    Changes,
    /// `changes.json`.
    ChangesJson,
    /// `notes.md`, of a milestone.
    Notes,
    /// `certificate.json`, of a milestone.
    Certificate,
    /// A file that an editor makes beside `notes.md`, by its number.
    Draft(u32),
}

impl HiddenItem {
    /// All that have a name of their own; the index is the item's number.
    const ALL: [HiddenItem; 9] = [
        HiddenItem::Directory,
        HiddenItem::Meta,
        HiddenItem::Status,
        HiddenItem::Commit,
        HiddenItem::Abort,
        HiddenItem::Changes,
        HiddenItem::ChangesJson,
        HiddenItem::Notes,
        HiddenItem::Certificate,
    ];

    /// The number of the first draft.
    const FIRST_DRAFT: u32 = 1 << 16;

    fn number(self) -> u32 {
        match self {
            HiddenItem::Draft(draft) => HiddenItem::FIRST_DRAFT + draft,
            item => {
                let index = HiddenItem::ALL.iter().position(|&other| other == item);
                index.expect("ALL holds every item with a name") as u32
            }
        }
    }

    fn numbered(number: u32) -> Option<HiddenItem> {
        match number.checked_sub(HiddenItem::FIRST_DRAFT) {
            Some(draft) => Some(HiddenItem::Draft(draft)),
            None => HiddenItem::ALL.get(number as usize).copied(),
        }
    }
}

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// The root.
    Root,
    /// A top-level folder, by its index.
    Folder(usize),
    /// A regular file of a build.
    File,
    /// A directory or symlink of a build; ordinal 0 is the build's root.
    Content {
        /// The root it was reached by.
        slot: Slot,
        /// Its ordinal in the manifest.
        ordinal: u32,
    },
    /// A symlink to a build, that stands for the slot.
    Link(Slot),
    /// A node of a session.
    Session {
        /// The session's serial in this tree.
        serial: u32,
        /// The node's number in the session.
        node: u32,
    },
    /// A hidden file of a build or milestone.
    Hidden(Slot, HiddenItem),
    /// A hidden file of the session with this serial.
    SessionHidden(u32, HiddenItem),
    /// The folder of the build with this number in `/feedback`, or the folder of its playtests in that.
    Feedback {
        /// The build's number.
        build: u32,
        /// The folder of its playtests.
        sessions: bool,
    },
    /// A node of a made folder.
    Made {
        /// The folder's number in the table of made folders.
        number: u32,
        /// The node's number in the folder, 0 for the folder itself.
        node: u32,
    },
    /// A number that the tree gives to nothing.
    Nowhere,
}

impl Place {
    /// The highest number that the upper part of a node's number has room for.
    pub(super) const HIGH_MAX: u32 = HIGH_MASK as u32;

    /// Returns where the node stands.
    pub(super) fn of(node: NodeId) -> Place {
        let high = (node.0 >> 32 & HIGH_MASK) as u32;
        let low = node.0 as u32;
        let item = || HiddenItem::numbered(low);
        match node.0 >> CLASS_SHIFT {
            0 if node == NodeId::ROOT => Place::Root,
            0 if node.0 >= FIRST_FOLDER => Place::Folder((node.0 - FIRST_FOLDER) as usize),
            1 => Place::File,
            2 if low == LINK => Place::Link(Slot(high)),
            2 => Place::Content { slot: Slot(high), ordinal: low },
            3 => Place::Session { serial: high, node: low },
            4 => item().map_or(Place::Nowhere, |item| Place::Hidden(Slot(high), item)),
            5 => item().map_or(Place::Nowhere, |item| Place::SessionHidden(high, item)),
            6 if low <= 1 => Place::Feedback { build: high, sessions: low == 1 },
            // All ones are no node of a front end.
            7 if node.0 != u64::MAX => Place::Made { number: high, node: low },
            _ => Place::Nowhere,
        }
    }

    /// Returns the number of the node that stands here.
    ///
    /// Not for [`Place::File`], whose number is [`file_number`].
    pub(super) fn node(self) -> NodeId {
        let number = |class: u64, high: u32, low: u32| {
            NodeId(class << CLASS_SHIFT | (u64::from(high) & HIGH_MASK) << 32 | u64::from(low))
        };
        match self {
            Place::Root => NodeId::ROOT,
            Place::Folder(index) => NodeId(FIRST_FOLDER + index as u64),
            Place::Content { slot, ordinal } => number(2, slot.0, ordinal),
            Place::Link(slot) => number(2, slot.0, LINK),
            Place::Session { serial, node } => number(3, serial, node),
            Place::Hidden(slot, item) => number(4, slot.0, item.number()),
            Place::SessionHidden(serial, item) => number(5, serial, item.number()),
            Place::Feedback { build, sessions } => number(6, build, u32::from(sessions)),
            Place::Made { number: folder, node } => number(7, folder, node),
            Place::File | Place::Nowhere => unreachable!("such a place is not numbered by itself"),
        }
    }
}

/// Returns the number of the regular file with `content` and `attributes`; `salt` gives another one after a collision.
///
/// Content comes with a hash of its own, so that mixing the rest in is enough; hashing all of it took a tenth of a listing.
pub(super) fn file_number(content: &Content, attributes: &Attributes, salt: u32) -> NodeId {
    let (form, id) = match content.root {
        ContentRoot::Empty => (0, 0),
        ContentRoot::Chunk(id) => (1, start(&id)),
        ContentRoot::List { id, depth } => (2 + u64::from(depth), start(&id)),
    };
    let words = [
        form << 32 | u64::from(salt),
        id,
        content.size,
        attributes.mode.into(),
        attributes.mtime.secs as u64,
        attributes.mtime.nanos.into(),
        // An id of zeros is nobody's.
        attributes.xattrs.map_or(0, |id| start(&id)),
    ];
    let hash = words.into_iter().fold(0, |hash, word| mix(hash ^ word));
    NodeId(1 << CLASS_SHIFT | hash >> 3)
}

/// Returns the first bytes of a hash.
fn start(id: &ChunkId) -> u64 {
    u64::from_le_bytes(id.0[..8].try_into().expect("8 of 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Timestamp;

    #[test]
    fn places_survive_their_number() {
        let slot = Slot(77);
        let places = [
            Place::Root,
            Place::Folder(0),
            Place::Folder(9),
            Place::Content { slot, ordinal: 0 },
            Place::Content { slot: Slot(HIGH_MASK as u32), ordinal: LINK - 1 },
            Place::Link(slot),
            Place::Session { serial: 5, node: 70_000 },
            Place::Hidden(slot, HiddenItem::Certificate),
            Place::Hidden(slot, HiddenItem::Draft(3)),
            Place::SessionHidden(3, HiddenItem::Directory),
            Place::Feedback { build: 7, sessions: true },
            Place::Made { number: Place::HIGH_MAX, node: 3 },
            Place::Content { slot: Slot::of_playtest(9), ordinal: 4 },
        ];
        for place in places {
            assert_eq!(Place::of(place.node()), place);
        }
        assert_eq!(Place::of(NodeId(0)), Place::Nowhere);
        assert_eq!(Place::of(NodeId(u64::MAX)), Place::Nowhere);
    }

    #[test]
    fn slots_know_their_owners() {
        assert_eq!(Slot(2 * 77).owner(), SlotOwner::Build(BuildNumber(77)));
        assert_eq!(Slot((2 * 77) | 1).owner(), SlotOwner::Milestone(77));
        assert_eq!(Slot::of_playtest(77).owner(), SlotOwner::Playtest(77));
    }

    #[test]
    fn file_numbers_tell_all_that_is_cached_apart() {
        let content = Content { size: 3, root: ContentRoot::Chunk(ChunkId::of(b"abc")) };
        let attributes = Attributes { mode: 0o644, mtime: Timestamp { secs: 1, nanos: 2 }, xattrs: None };
        let number = file_number(&content, &attributes, 0);
        assert_eq!(Place::of(number), Place::File);
        assert_eq!(number, file_number(&content, &attributes, 0));
        let others = [
            file_number(&Content::EMPTY, &attributes, 0),
            file_number(&content, &Attributes { mode: 0o755, ..attributes }, 0),
            file_number(&content, &Attributes { mtime: Timestamp { secs: 1, nanos: 3 }, ..attributes }, 0),
            file_number(&content, &Attributes { xattrs: Some(ChunkId::of(b"")), ..attributes }, 0),
            file_number(&content, &attributes, 1),
        ];
        assert!(others.iter().all(|&other| other != number));
    }
}
