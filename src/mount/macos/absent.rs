//! What macOS has not: types without values, so that nobody has to ask whether there are any.

/// Who has files open: the kernel tells of each open and close instead.
pub(in crate::mount) mod opens {
    use super::super::processes::Processes;
    use crate::error::Result;
    use crate::tree::{Caller, Handle, NameAt, NodeId, Tree};
    use std::path::Path;
    use std::sync::Arc;

    pub(in crate::mount) enum Opens {}

    impl Opens {
        pub(in crate::mount) fn unasked(_: &Arc<Tree>, _: &Arc<Processes>, _: &Path) -> Option<Arc<Opens>> {
            None
        }

        pub(in crate::mount) fn start(&self) -> std::io::Result<Opens> {
            match *self {}
        }

        pub(in crate::mount) fn writes(&self, _node: NodeId, _process: u32) -> Result<()> {
            match *self {}
        }

        pub(in crate::mount) fn made(&self, _node: NodeId, _handle: Handle, _caller: Caller) {
            match *self {}
        }

        pub(in crate::mount) fn keep_nameless(&self, _at: NameAt<'_>) -> Result<()> {
            match *self {}
        }

        pub(in crate::mount) fn forgotten(&self, _node: NodeId) {
            match *self {}
        }

        pub(in crate::mount) fn settle(&self) {
            match *self {}
        }

        pub(in crate::mount) fn settle_writers(&self) {
            match *self {}
        }
    }
}

/// Reading ahead of programs: nobody tells what a process has open.
pub(in crate::mount) mod warm {
    use crate::error::Result;
    use crate::mount::activity::WarmUpActivity;
    use crate::tree::{NodeId, Tree};
    use crate::vault::Vault;
    use std::ops::Range;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    pub(in crate::mount) enum WarmUp {}

    impl WarmUp {
        pub(in crate::mount) fn new(_: Arc<Vault>, _: Arc<Tree>, _: &Path) -> Result<Option<Arc<WarmUp>>> {
            Ok(None)
        }

        pub(in crate::mount) fn start(self: &Arc<WarmUp>) -> std::io::Result<Keeper> {
            match **self {}
        }

        pub(in crate::mount) fn note(&self, _process: u32, _node: NodeId, _range: Range<u64>) {
            match *self {}
        }

        pub(in crate::mount) fn activity(&self) -> WarmUpActivity {
            match *self {}
        }
    }

    pub(in crate::mount) enum Keeper {}

    impl Keeper {
        pub(in crate::mount) fn end(self, _patience: Duration) {
            match self {}
        }
    }
}

/// Word of changes of the catalogue: it is asked all the time.
pub(in crate::mount) mod news {
    use crate::mount::watch::Heard;
    use nix::errno::Errno;
    use std::os::fd::{AsFd, BorrowedFd};
    use std::path::Path;

    pub(in crate::mount) enum News {}

    impl News {
        pub(in crate::mount) fn of(_catalogue: &Path) -> nix::Result<News> {
            Err(Errno::ENOTSUP)
        }

        pub(in crate::mount) fn hear(&self) -> Heard {
            match *self {}
        }
    }

    impl AsFd for News {
        fn as_fd(&self) -> BorrowedFd<'_> {
            match *self {}
        }
    }
}

/// Telling other processes what the mount does: sockets have names in the file system here, which would be left behind.
pub(in crate::mount) mod report {
    use crate::error::Result;
    use crate::mount::Activity;
    use crate::vault::MountRecord;
    use std::path::Path;

    pub(in crate::mount) enum Reporter {}

    impl Reporter {
        pub(in crate::mount) fn start(_path: &Path, _tell: impl Fn() -> Activity) -> std::io::Result<Reporter> {
            Err(std::io::ErrorKind::Unsupported.into())
        }
    }

    pub(in crate::mount) fn ask(_mount: &MountRecord) -> Result<Option<Activity>> {
        Ok(None)
    }
}
