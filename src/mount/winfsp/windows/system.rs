//! A file system of WinFsp: made, mounted, told of changes, and ended.

use super::super::info::{ALLOCATION_UNIT, file_time};
use super::super::notice::Notice;
use super::abi::{self, FileSystem, NotifyInfo, SUCCESS, VolumeParams, flags, timeouts};
use super::callbacks::{INTERFACE, Served};
use super::library::Library;
use crate::manifest::Timestamp;

/// A local disk, and a drive of the network.
const DISK: &str = "WinFsp.Disk";
const NETWORK: &str = "WinFsp.Net";

const SECTOR_SIZE: u16 = 512;
const MAX_NAME_UNITS: u16 = 255;
/// For how long what is known of folders and of the volume holds, in milliseconds: other processes make builds.
const SHORT_TIMEOUT: u32 = 1000;
/// What is known of an open file holds until it is changed through the mount. With less the system would keep no bytes, and
/// map none.
const FOREVER: u32 = u32::MAX;
/// How long a change waits for a rename that is going on, in milliseconds.
const NOTIFY_TIMEOUT: u32 = 1000;
const CANT_WAIT: i32 = 0xc000_00d8_u32 as i32;

/// A mounted file system; it ends when this is dropped.
pub(super) struct System {
    library: Library,
    system: *mut FileSystem,
    /// What the callbacks work on; it outlives the dispatcher.
    served: *mut Served,
}

// SAFETY: WinFsp's functions take a file system from any thread.
unsafe impl Send for System {}

/// How a system is mounted.
pub(super) struct Place<'a> {
    /// `G:`, or the path of a folder that does not exist.
    pub(super) mount_point: &'a str,
    /// `\server\share`, for a drive of the network.
    pub(super) prefix: Option<&'a str>,
    /// The number by which Windows knows the volume again.
    pub(super) serial_number: u32,
    /// How many threads answer; 0 for as many as WinFsp takes.
    pub(super) threads: u32,
}

impl System {
    /// Mounts what `served` shows.
    ///
    /// # Errors
    /// The status of WinFsp's function that failed.
    pub(super) fn start(library: Library, served: Served, place: &Place<'_>) -> Result<System, i32> {
        let device = wide(if place.prefix.is_some() { NETWORK } else { DISK });
        let mut system = std::ptr::null_mut();
        // SAFETY: all pointers outlive the call; the interface is a constant, which outlives everything.
        let made = unsafe { (library.mounts.create)(device.as_ptr(), &params(place), interface(), &mut system) };
        if made != SUCCESS {
            return Err(made);
        }
        let served = Box::into_raw(Box::new(served));
        // From here on the drop ends what was begun.
        let started = System { library, system, served };
        let mount_point = wide(place.mount_point);
        // SAFETY: the system was made just now, and nothing calls back before the dispatcher runs.
        unsafe {
            (*system).context = served.cast();
            for done in [
                (library.mounts.set_mount_point)(system, mount_point.as_ptr()),
                (library.mounts.start_dispatcher)(system, place.threads),
            ] {
                if done != SUCCESS {
                    return Err(done);
                }
            }
        }
        Ok(started)
    }

    /// Returns what it shows.
    pub(super) fn served(&self) -> &Served {
        // SAFETY: it is freed by the drop alone.
        unsafe { &*self.served }
    }

    /// Tells Windows, and those who wait for changes, of one.
    pub(super) fn notify(&self, notice: &Notice) {
        let len = size_of::<NotifyInfo>() + notice.path.len() * 2;
        let info = NotifyInfo { len: len as u16, filter: notice.filter, action: notice.action };
        let mut bytes = Vec::with_capacity(len.next_multiple_of(8));
        bytes.extend(info.len.to_le_bytes());
        bytes.extend([0; 2]);
        bytes.extend(info.filter.to_le_bytes());
        bytes.extend(info.action.to_le_bytes());
        bytes.extend(notice.path.iter().flat_map(|unit| unit.to_le_bytes()));
        bytes.resize(len.next_multiple_of(8), 0);
        let mounts = &self.library.mounts;
        // SAFETY: the system is mounted, and the buffer has the length that is given.
        let told = unsafe {
            match (mounts.notify_begin)(self.system, NOTIFY_TIMEOUT) {
                SUCCESS => {
                    let told = (mounts.notify)(self.system, bytes.as_ptr().cast(), bytes.len());
                    (mounts.notify_end)(self.system);
                    told
                }
                failed => failed,
            }
        };
        if told != SUCCESS && told != CANT_WAIT {
            tracing::debug!(status = told, "Windows did not take a change");
        }
    }
}

impl Drop for System {
    fn drop(&mut self) {
        // SAFETY: after the dispatcher has stopped nothing calls back, and nothing else uses them. The mount point goes with
        // the system.
        unsafe {
            (self.library.mounts.stop_dispatcher)(self.system);
            (self.library.mounts.delete)(self.system);
            drop(Box::from_raw(self.served));
        }
    }
}

fn interface() -> &'static abi::Interface {
    &INTERFACE
}

fn params(place: &Place<'_>) -> VolumeParams {
    let mut params = VolumeParams {
        version: size_of::<VolumeParams>() as u16,
        sector_size: SECTOR_SIZE,
        sectors_per_allocation_unit: (ALLOCATION_UNIT / u64::from(SECTOR_SIZE)) as u16,
        max_component_length: MAX_NAME_UNITS,
        creation_time: file_time(Timestamp::now()),
        serial_number: place.serial_number,
        transact_timeout: 0,
        irp_timeout: 0,
        irp_capacity: 0,
        file_info_timeout: FOREVER,
        flags: flags::CASE_PRESERVED_NAMES
            | flags::UNICODE_ON_DISK
            | flags::PERSISTENT_ACLS
            | flags::NAMED_STREAMS
            | flags::POST_CLEANUP_WHEN_MODIFIED_ONLY
            // With its last handle a file is done: what was written is all here, and its close comes at once, not when the
            // system forgets its bytes. A session whose files seem open cannot be committed.
            | flags::FLUSH_AND_PURGE_ON_CLEANUP
            | flags::CONTEXT_IS_OF_HANDLE
            // Drivers may open files as well: those of anti-cheat programs, and of folders that are shared.
            | flags::ALLOW_OPEN_IN_KERNEL_MODE,
        prefix: [0; 192],
        file_system_name: [0; 16],
        valid_timeouts: timeouts::VOLUME_INFO | timeouts::DIR_INFO,
        volume_info_timeout: SHORT_TIMEOUT,
        dir_info_timeout: SHORT_TIMEOUT,
        security_timeout: 0,
        stream_info_timeout: 0,
        ea_timeout: 0,
        control_code: 0,
        reserved: [0; 5],
    };
    copy(place.prefix.unwrap_or_default(), &mut params.prefix);
    // Programs know this name as that of a file system with streams and long names.
    copy("NTFS", &mut params.file_system_name);
    params
}

/// Copies text to where it ends in 0; what is longer is cut.
fn copy(text: &str, to: &mut [u16]) {
    let room = to.len() - 1;
    text.encode_utf16().zip(&mut to[..room]).for_each(|(unit, place)| *place = unit);
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}
