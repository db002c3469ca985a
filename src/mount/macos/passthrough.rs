//! Files that the kernel reads by itself: macOS reads none.

use crate::tree::Tree;
use crate::vault::{self, Vault};
use fuser::{FileHandle, FopenFlags, INodeNo, KernelConfig, ReplyOpen};
use std::os::fd::BorrowedFd;

/// What answers opens, of files that are all read through the mount.
pub(in crate::mount) struct Passthrough {
    is_wanted: bool,
}

impl Passthrough {
    pub(in crate::mount) fn new(_vault: &Vault, is_wanted: bool) -> Passthrough {
        Passthrough { is_wanted }
    }

    pub(in crate::mount) fn needs_opens(&self) -> bool {
        false
    }

    pub(in crate::mount) fn ask(&self, _config: &mut KernelConfig) {}

    pub(in crate::mount) fn start(&self, _kernel: BorrowedFd<'_>, _vault: &Vault) -> vault::Passthrough {
        match self.is_wanted {
            true => vault::Passthrough::Refused("it needs Linux 6.9 or later".into()),
            false => vault::Passthrough::Off,
        }
    }

    pub(in crate::mount) fn reply(
        &self,
        _uses: (&Tree, bool),
        _number: INodeNo,
        handle: FileHandle,
        flags: FopenFlags,
        reply: ReplyOpen,
    ) {
        reply.opened(handle, flags);
    }

    pub(in crate::mount) fn release(&self, _number: INodeNo) {}
}
