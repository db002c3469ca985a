//! Large files of builds, read by the kernel itself from hot copies (Linux 6.9 and later, for root alone).
//!
//! An open file that has a copy is answered with the copy; its reads and maps never come here. The kernel's rule, from
//! `fs/fuse/iomode.c`: while a node is open by a copy every further open of it must name the same copy, and while it is open
//! through the page cache none may; who breaks it gets EIO. So opens are counted by node, and the first one decides for
//! all until the last is released.

use super::super::translate::node;
use crate::disk::SystemFile;
use crate::error::{Error, Result};
use crate::manifest::Content;
use crate::tree::{NodeId, Tree};
use crate::vault::{self, HotCopies, MIN_HOT_LEN, Vault};
use fuser::{BackingId, FileHandle, FopenFlags, INodeNo, InitFlags, KernelConfig, ReplyOpen};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, OnceLock};

/// The file systems that lie on others count as one more (`s_stack_depth`), of two at most; asking for two keeps the mount
/// itself from being part of an overlay.
const PLAIN_DEPTH: u32 = 1;
const STACKED_DEPTH: u32 = 2;

/// What a refusal says that has one of the usual reasons.
const NEEDS: &str = "it needs root, and Linux 6.9 or later";

/// The part of a mount that lets the kernel read by itself.
pub(in crate::mount) struct Passthrough {
    asked: Asked,
    copies: OnceLock<HotCopies>,
    opens: Mutex<HashMap<NodeId, Opens>>,
}

/// Whether the kernel is asked to read by itself.
enum Asked {
    No,
    /// Somebody wants it for whom the kernel does not do it.
    InVain,
    /// It is, with copies on a file system that is stacked so deep.
    Yes {
        depth: u32,
    },
}

/// The opens of a node that are not released.
struct Opens {
    count: u64,
    /// What all of them read from; `None` when they go through the page cache.
    backing: Option<Arc<BackingId>>,
}

impl Passthrough {
    /// Prepares for a mount of `vault`; nothing happens unless it `is_wanted`.
    pub(in crate::mount) fn new(vault: &Vault, is_wanted: bool) -> Passthrough {
        let asked = match (is_wanted, nix::unistd::geteuid().is_root()) {
            (false, _) => Asked::No,
            (true, false) => Asked::InVain,
            (true, true) => Asked::Yes { depth: if is_stacked(vault) { STACKED_DEPTH } else { PLAIN_DEPTH } },
        };
        Passthrough { asked, copies: OnceLock::new(), opens: Mutex::default() }
    }

    /// Tells whether the kernel must ask at each open: the answer says which file it reads from.
    pub(in crate::mount) fn needs_opens(&self) -> bool {
        matches!(self.asked, Asked::Yes { .. })
    }

    /// Asks the kernel for it, when the two greet each other.
    pub(in crate::mount) fn ask(&self, config: &mut KernelConfig) {
        let Asked::Yes { depth } = self.asked else { return };
        if config.add_capabilities(InitFlags::FUSE_PASSTHROUGH).is_ok() {
            config.set_max_stack_depth(depth).expect("the kernel's limit is two");
        }
    }

    /// Finds out, after the greeting, whether the kernel does it, and starts the copies if so.
    pub(in crate::mount) fn start(&self, kernel: BorrowedFd<'_>, vault: &Vault) -> vault::Passthrough {
        let tried = match self.asked {
            Asked::No => return vault::Passthrough::Off,
            Asked::InVain => Err(Error::invalid(NEEDS)),
            Asked::Yes { .. } => try_out(kernel, vault),
        };
        let started = tried.and_then(|()| vault.hot_copies());
        match started {
            Ok(copies) => {
                self.copies.set(copies).ok().expect("a mount starts once");
                tracing::info!("the kernel reads large files by itself");
                vault::Passthrough::On
            }
            Err(error) => {
                tracing::warn!(%error, "the kernel does not read large files by itself");
                vault::Passthrough::Refused(error.to_string())
            }
        }
    }

    /// Answers that a file was opened: by its copy, where that is ready and no other open stands against it. One is made
    /// for who `uses` the file.
    pub(in crate::mount) fn reply(
        &self,
        (tree, uses): (&Tree, bool),
        number: INodeNo,
        handle: FileHandle,
        flags: FopenFlags,
        reply: ReplyOpen,
    ) {
        let wanted = self.copies.get().and_then(|copies| Some((copies, large_file(tree, node(number))?)));
        let backing = wanted.and_then(|(copies, content)| {
            // Also when others have it open through the page cache: they ask for a copy, and for it to stay.
            let copy = if uses { copies.open(&content) } else { None };
            self.open(copy, node(number), &reply)
        });
        match backing {
            // None of the flags of the page cache may be beside it.
            Some(backing) => reply.opened_passthrough(handle, FopenFlags::FOPEN_NOFLUSH, &backing),
            None => reply.opened(handle, flags),
        }
    }

    /// Counts an open, and returns the copy that it reads from.
    fn open(&self, copy: Option<SystemFile>, number: NodeId, reply: &ReplyOpen) -> Option<Arc<BackingId>> {
        let join = |opens: &mut Opens| {
            opens.count += 1;
            opens.backing.clone()
        };
        let mut table = self.opens.lock();
        if let Some(opens) = table.get_mut(&number) {
            return join(opens);
        }
        let backing = copy.and_then(|copy| register(&copy, reply));
        table.insert(number, Opens { count: 1, backing: backing.clone() });
        backing
    }

    /// Takes note that one open has ended; the kernel has let go of it by then.
    pub(in crate::mount) fn release(&self, number: INodeNo) {
        let mut table = self.opens.lock();
        let number = node(number);
        let Some(opens) = table.get_mut(&number) else { return };
        opens.count -= 1;
        if opens.count == 0 {
            table.remove(&number);
        }
    }
}

fn large_file(tree: &Tree, number: NodeId) -> Option<Content> {
    tree.fixed_content(number).filter(|content| content.size >= MIN_HOT_LEN)
}

/// Makes a copy known to the kernel.
fn register(copy: &SystemFile, reply: &ReplyOpen) -> Option<Arc<BackingId>> {
    match reply.open_backing(copy) {
        Ok(backing) => Some(Arc::new(backing)),
        Err(error) => {
            tracing::debug!(%error, "the kernel does not take a copy");
            None
        }
    }
}

/// Lets the kernel take a file that lies where copies do.
///
/// # Errors
/// Why it does not, in words.
fn try_out(kernel: BorrowedFd<'_>, vault: &Vault) -> Result<()> {
    let file = vault.lock_file()?;
    // The kernel lets go of it with the mount.
    let registered = BackingId::create_raw(kernel, &file).map(drop);
    registered.map_err(|error| {
        let why = match error.raw_os_error() {
            Some(libc::EPERM | libc::ENOTTY | libc::EOPNOTSUPP) => NEEDS,
            Some(libc::ELOOP) => "the vault lies on file systems that lie on others",
            _ => return Error::io("pass on reads of", vault.dir(), error),
        };
        Error::invalid(why)
    })
}

/// Tells whether the vault lies on an overlay, as in a container.
fn is_stacked(vault: &Vault) -> bool {
    let kind = nix::sys::statfs::statfs(vault.dir()).map(|found| found.filesystem_type());
    kind.is_ok_and(|kind| kind == nix::sys::statfs::OVERLAYFS_SUPER_MAGIC)
}
