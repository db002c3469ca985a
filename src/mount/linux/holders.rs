//! Which processes have which of a mount's files open to write, as `/proc` tells.
//!
//! `/proc/PID/fdinfo/N` names the mount and the inode of an open file (the inode since Linux 5.14), so nobody has to ask
//! the mount itself; `/proc/PID/maps` names what is mapped to be written. Who may not be looked into has nothing open.

use super::processes::stat_fields;
use crate::tree::NodeId;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A thread that is ending has this flag: `PF_EXITING` in `include/linux/sched.h`. It is set before its files are closed.
const PF_EXITING: u64 = 0x4;

/// Where the state and the flags stand in `/proc/PID/stat`, counted after the name; see proc(5), fields 3 and 9.
const STATE: usize = 0;
const FLAGS: usize = 6;

/// What descriptors lead to that are no files of a mount.
const NO_FILES: [&str; 7] = ["socket:", "pipe:", "anon_inode:", "/dev/", "/proc/", "/sys/", "/memfd:"];

/// How a process stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It runs, and has these files open to write.
    Runs(HashSet<NodeId>),
    /// It is just ending.
    Ends,
    /// It has ended.
    Ended,
}

/// Finds who has files of one mount open.
pub(super) struct Holders {
    path: PathBuf,
    /// Tells which of its files matter.
    is_wanted: Box<dyn Fn(NodeId) -> bool + Send + Sync>,
    mount: OnceLock<Option<MountIds>>,
}

/// What the system calls a mount: the number of the mount, and of the device.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MountIds {
    mount: Vec<u8>,
    device: Vec<u8>,
}

impl Holders {
    /// Looks for those files of the mount that will be on `path` of which `is_wanted` says so.
    pub(super) fn new(path: &Path, is_wanted: impl Fn(NodeId) -> bool + Send + Sync + 'static) -> Holders {
        Holders { path: path.to_owned(), is_wanted: Box::new(is_wanted), mount: OnceLock::new() }
    }

    fn ours(&self) -> Option<&MountIds> {
        let find = || fs::read("/proc/self/mountinfo").ok().and_then(|list| ids_of(&list, &self.path));
        self.mount.get_or_init(find).as_ref()
    }

    /// Returns how a process stands; of what it has mapped only `nodes` are looked for.
    pub(super) fn standing(&self, process: u32, nodes: impl Iterator<Item = NodeId>) -> Standing {
        let mut open = HashSet::new();
        self.open_files(process, &mut |node| {
            open.insert(node);
        });
        let missing: HashSet<NodeId> = nodes.filter(|node| !open.contains(node)).collect();
        if !missing.is_empty() {
            self.mapped_files(process, &mut |node| {
                if missing.contains(&node) {
                    open.insert(node);
                }
            });
        }
        // Asked after its files: one that is not ending now was not ending then.
        match fs::read(format!("/proc/{process}/stat")).ok().as_deref().map(life) {
            None => Standing::Ended,
            Some(Life::Runs) => Standing::Runs(open),
            Some(Life::Ends | Life::Ended) if !open.is_empty() => Standing::Runs(open),
            Some(Life::Ends) => Standing::Ends,
            Some(Life::Ended) => Standing::Ended,
        }
    }

    /// Returns all wanted files of the mount that are open or mapped to be written, each with its process.
    pub(super) fn everybody(&self) -> Vec<(u32, NodeId)> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            self.open_files(process, &mut |node| found.push((process, node)));
            self.mapped_files(process, &mut |node| found.push((process, node)));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn open_files(&self, process: u32, visit: &mut dyn FnMut(NodeId)) {
        let Some(ours) = self.ours() else { return };
        for entry in fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten() {
            // Most descriptors are told from a file by where they lead to, which costs less than what follows.
            let Ok(target) = fs::read_link(entry.path()) else { continue };
            if NO_FILES.iter().any(|prefix| target.as_os_str().as_bytes().starts_with(prefix.as_bytes())) {
                continue;
            }
            let number = entry.file_name();
            let Ok(info) = fs::read(Path::new("/proc").join(process.to_string()).join("fdinfo").join(number)) else {
                continue;
            };
            let Some(info) = FdInfo::parse(&info).filter(|info| info.writes) else { continue };
            // In this order: hardly any other file has such a number, and looking for its mount costs most.
            let node = NodeId(info.inode);
            if (self.is_wanted)(node) && (info.mount == ours.mount || self.is_another_view(process, &info.mount)) {
                visit(node);
            }
        }
    }

    /// Tells whether a mount that a process sees is this one, in another place or another namespace.
    fn is_another_view(&self, process: u32, mount: &[u8]) -> bool {
        let list = fs::read(format!("/proc/{process}/mountinfo")).unwrap_or_default();
        let device = list.split(|&byte| byte == b'\n').find_map(|line| {
            let mut words = line.split(|&byte| byte == b' ');
            (words.next() == Some(mount)).then(|| words.nth(1)).flatten()
        });
        device.is_some() && device == self.ours().map(|ours| &ours.device[..])
    }

    fn mapped_files(&self, process: u32, visit: &mut dyn FnMut(NodeId)) {
        let Some(ours) = self.ours() else { return };
        let Ok(maps) = fs::read(format!("/proc/{process}/maps")) else { return };
        for line in maps.split(|&byte| byte == b'\n') {
            // `7f00-7f10 rw-s 00000000 00:2f 123 /path`; devices are hexadecimal here.
            let mut words = line.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
            let (Some(permissions), Some(device), Some(inode)) = (words.nth(1), words.nth(1), words.next()) else {
                continue;
            };
            let is_shared = permissions.get(1) == Some(&b'w') && permissions.get(3) == Some(&b's');
            if is_shared
                && decimal_device(device).as_deref() == Some(&ours.device[..])
                && let Some(node) = number(inode).map(NodeId).filter(|&node| (self.is_wanted)(node))
            {
                visit(node);
            }
        }
    }
}

/// Returns the node behind a descriptor of a process, of whatever file system.
pub(super) fn node_behind(process: u32, descriptor: &OsStr) -> Option<NodeId> {
    let path = Path::new("/proc").join(process.to_string()).join("fdinfo").join(descriptor);
    FdInfo::parse(&fs::read(path).ok()?).map(|info| NodeId(info.inode))
}

struct FdInfo {
    writes: bool,
    mount: Vec<u8>,
    inode: u64,
}

impl FdInfo {
    fn parse(text: &[u8]) -> Option<FdInfo> {
        let field = |name: &[u8]| {
            let line = text.split(|&byte| byte == b'\n').find(|line| line.starts_with(name))?;
            Some(line[name.len()..].trim_ascii())
        };
        let flags = i32::from_str_radix(std::str::from_utf8(field(b"flags:")?).ok()?, 8).ok()?;
        let (mount, inode) = (field(b"mnt_id:")?.to_vec(), number(field(b"ino:")?)?);
        // A descriptor that is only a path writes nothing.
        let writes = flags & libc::O_ACCMODE != libc::O_RDONLY && flags & libc::O_PATH == 0;
        Some(FdInfo { writes, mount, inode })
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Life {
    Runs,
    Ends,
    Ended,
}

/// Returns what a process's `stat` says of its life.
fn life(stat: &[u8]) -> Life {
    let fields = stat_fields(stat);
    match fields.get(STATE) {
        None | Some(&(b"Z" | b"X" | b"x")) => Life::Ended,
        _ if fields.get(FLAGS).and_then(|flags| number(flags)).is_some_and(|flags| flags & PF_EXITING != 0) => {
            Life::Ends
        }
        _ => Life::Runs,
    }
}

/// Returns the numbers of the last mount on `path` in the system's list; see proc(5).
fn ids_of(list: &[u8], path: &Path) -> Option<MountIds> {
    let mut mounts = list.split(|&byte| byte == b'\n').filter_map(|line| {
        let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
        let (&mount, &device, &point) = (words.first()?, words.get(2)?, words.get(4)?);
        let point = super::mounts::unescape(point);
        (OsStr::new(&point) == path.as_os_str()).then(|| MountIds { mount: mount.to_vec(), device: device.to_vec() })
    });
    mounts.next_back()
}

fn decimal_device(device: &[u8]) -> Option<Vec<u8>> {
    let (major, minor) = std::str::from_utf8(device).ok()?.split_once(':')?;
    let part = |text| u32::from_str_radix(text, 16).ok();
    Some(format!("{}:{}", part(major)?, part(minor)?).into_bytes())
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_say_mount_inode_and_whether_they_write() {
        let info = FdInfo::parse(b"pos:\t0\nflags:\t0100002\nmnt_id:\t31\nino:\t6917529027641081863\n").unwrap();
        assert!(info.writes && info.mount == b"31" && info.inode == 6_917_529_027_641_081_863);
        assert!(!FdInfo::parse(b"pos:\t0\nflags:\t0100000\nmnt_id:\t31\nino:\t5\n").unwrap().writes);
        assert!(!FdInfo::parse(b"pos:\t0\nflags:\t010000001\nmnt_id:\t31\nino:\t5\n").unwrap().writes, "a path alone");
        assert!(FdInfo::parse(b"pos:\t0\nflags:\t02\nmnt_id:\t31\n").is_none(), "Linux before 5.14");
    }

    #[test]
    fn lives_are_told_apart() {
        assert_eq!(life(b"1 (a) b) S 1 1 1 0 -1 4194304 0"), Life::Runs);
        assert_eq!(life(b"1 (cp) R 1 1 1 0 -1 4194308 0"), Life::Ends);
        assert_eq!(life(b"1 (cp) Z 1 1 1 0 -1 4194308 0"), Life::Ended);
        assert_eq!(life(b""), Life::Ended);
    }

    #[test]
    fn mounts_are_found_by_their_point() {
        let list = b"30 1 8:1 / / rw - ext4 /dev/sda rw\n41 30 0:47 / /a\\040b rw - fuse.gamevault gamevault rw\n";
        let ids = ids_of(list, Path::new("/a b")).unwrap();
        assert_eq!((&ids.mount[..], &ids.device[..]), (&b"41"[..], &b"0:47"[..]));
        assert_eq!(ids_of(list, Path::new("/c")), None);
        assert_eq!(decimal_device(b"00:2f").as_deref(), Some(&b"0:47"[..]));
    }

    #[test]
    fn files_that_are_open_or_mapped_to_be_written_are_found() {
        use std::io::Write;
        let dir = tempfile::tempdir().unwrap();
        let mut file = fs::File::create_new(dir.path().join("a")).unwrap();
        file.write_all(&[7; 4096]).unwrap();
        let inode = NodeId(std::os::unix::fs::MetadataExt::ino(&file.metadata().unwrap()));
        // The mount that the folder is on: any that the descriptor names.
        let info = {
            let number = std::os::fd::AsRawFd::as_raw_fd(&file);
            FdInfo::parse(&fs::read(format!("/proc/self/fdinfo/{number}")).unwrap()).unwrap()
        };
        let holders = Holders::new(dir.path(), move |node| node == inode);
        holders.mount.set(Some(MountIds { mount: info.mount, device: b"0:0".to_vec() })).unwrap();
        let own = std::process::id();
        let Standing::Runs(open) = holders.standing(own, std::iter::empty()) else { panic!("this process runs") };
        assert!(open.contains(&inode));
        drop(file);
        let Standing::Runs(open) = holders.standing(own, std::iter::empty()) else { panic!("this process runs") };
        assert!(!open.contains(&inode));
        assert_eq!(holders.standing(u32::MAX, std::iter::empty()), Standing::Ended);
    }
}
