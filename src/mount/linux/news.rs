//! Word from the system that the catalogue's files change, so that nobody has to ask for it all the time.
//!
//! What changes a catalogue writes to its log, of whichever process it is. The folder is watched, not the log: that one
//! goes and comes.

use super::super::watch::Heard;
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The watch on the folder of a catalogue.
pub(in crate::mount) struct News {
    inotify: Inotify,
    /// What the names of the catalogue's files start with.
    name: OsString,
}

impl News {
    /// Starts to listen for changes of the catalogue at `path`.
    ///
    /// # Errors
    /// Those of the system, which allows each user only so many watches.
    pub(in crate::mount) fn of(path: &Path) -> nix::Result<News> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let folder = path.parent().ok_or(Errno::ENOENT)?;
        let changes = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
        inotify.add_watch(folder, changes)?;
        Ok(News { inotify, name: path.file_name().ok_or(Errno::ENOENT)?.to_owned() })
    }

    /// Returns what was heard since the last call.
    pub(in crate::mount) fn hear(&self) -> Heard {
        let is_of_catalogue = |name: &OsStr| name.as_bytes().starts_with(self.name.as_bytes());
        let mut heard = Heard::Nothing;
        while let Ok(events) = self.inotify.read_events() {
            for event in events {
                if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                    return Heard::End;
                }
                // Without a name when some got lost.
                if event.name.as_deref().is_none_or(is_of_catalogue) {
                    heard = Heard::Change;
                }
            }
        }
        heard
    }
}

impl AsFd for News {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn changes_of_the_catalogue_alone_are_heard() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("vault");
        fs::create_dir(&folder).unwrap();
        let news = News::of(&folder.join("catalogue.db")).unwrap();
        assert_eq!(news.hear(), Heard::Nothing);
        fs::write(folder.join("vault.toml"), "x").unwrap();
        assert_eq!(news.hear(), Heard::Nothing);
        fs::write(folder.join("catalogue.db-wal"), "x").unwrap();
        fs::write(folder.join("vault.toml"), "y").unwrap();
        assert_eq!(news.hear(), Heard::Change);
        assert_eq!(news.hear(), Heard::Nothing, "it is told once");
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(news.hear(), Heard::End);
    }
}
