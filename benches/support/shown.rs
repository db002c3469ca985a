//! One tree of folders, shown by several file systems: the disk itself, the mount of a vault, squashfuse, and memory.

use super::gamevault;
use super::sets::folders;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The argument by which a bench, run again, serves a folder from memory.
pub const SERVE_MEMORY: &str = "--serve-memory";

const READY_TIMEOUT: Duration = Duration::from_secs(120);

/// A file system that shows the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// The source itself.
    Disk,
    /// The builds of a vault.
    Default,
    /// The same, with large files served by the kernel from the hot cache.
    Passthrough,
    /// An image with zstd and blocks of 128 KiB.
    Squashfuse,
    /// A FUSE file system that holds the tree in memory.
    Memory,
}

impl Show {
    pub fn name(self) -> &'static str {
        match self {
            Show::Disk => "ext4",
            Show::Default => "default",
            Show::Passthrough => "passthrough",
            Show::Squashfuse => "squashfuse",
            Show::Memory => "memory",
        }
    }

    /// Those that this machine and this version of the program have; says which are left out.
    pub fn available() -> Vec<Show> {
        let help = gamevault().args(["mount", "--help"]).output().expect("the program can be started").stdout;
        let has_passthrough = String::from_utf8_lossy(&help).contains("--passthrough");
        let has_squashfuse = ["mksquashfs", "squashfuse_ll"].iter().all(|program| is_installed(program));
        let all = [
            (Show::Disk, true, ""),
            (Show::Default, true, ""),
            (Show::Passthrough, has_passthrough, "this version has no `mount --passthrough`"),
            (Show::Squashfuse, has_squashfuse, "squashfs-tools and squashfuse are not installed"),
            (Show::Memory, true, ""),
        ];
        let left_out = all.iter().filter(|(_, is_there, _)| !is_there);
        left_out.for_each(|(show, _, reason)| eprintln!("{} is left out: {reason}", show.name()));
        all.iter().filter(|(_, is_there, _)| *is_there).map(|(show, ..)| *show).collect()
    }
}

fn is_installed(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|path| path.join(program).is_file())
}

/// Where the tree lies in each of its forms: a folder for each build.
pub struct Tree {
    pub source: PathBuf,
    pub vault: PathBuf,
    pub image: PathBuf,
    mounts: PathBuf,
}

impl Tree {
    /// The tree whose forms are to be made below `place`.
    pub fn below(place: &Path) -> Tree {
        let [source, vault, image, mounts] =
            ["source", "vault", "image.squashfs", "mounts"].map(|name| place.join(name));
        fs::create_dir_all(&mounts).expect("folders to mount on can be made");
        Tree { source, vault, image, mounts }
    }

    /// Makes the vault and, where a peer needs it, the image, of the folders in the source.
    pub fn store(&self, shows: &[Show]) {
        run(gamevault().arg("init").arg(&self.vault));
        for build in folders(&self.source) {
            let id = build.file_name().expect("builds have names");
            run(gamevault().arg("--vault").arg(&self.vault).arg("snapshot").arg(&build).arg("--id").arg(id).arg("-q"));
        }
        if shows.contains(&Show::Squashfuse) {
            let mut make = Command::new("mksquashfs");
            make.arg(&self.source).arg(&self.image).args(["-comp", "zstd", "-b", "128K", "-quiet", "-no-progress"]);
            run(&mut make);
        }
        // What is still to be written would disturb the first reads.
        nix::unistd::sync();
    }

    /// Shows the tree by `show`.
    pub fn show(&self, show: Show) -> Shown {
        let target = self.mounts.join(show.name());
        fs::create_dir_all(&target).expect("a folder to mount on can be made");
        let (mut command, below) = match show {
            Show::Disk => return Shown { root: self.source.clone(), mount: None },
            Show::Default | Show::Passthrough => {
                let mut command = gamevault();
                command.arg("--vault").arg(&self.vault).arg("mount").arg(&target).arg("--foreground");
                command.args((show == Show::Passthrough).then_some("--passthrough"));
                (command, "builds")
            }
            Show::Squashfuse => {
                let mut command = Command::new("squashfuse_ll");
                command.arg("-f").arg(&self.image).arg(&target);
                (command, "")
            }
            Show::Memory => {
                let mut command = Command::new(std::env::current_exe().expect("the bench has a path"));
                command.arg(SERVE_MEMORY).arg(&self.source).arg(&target);
                (command, "")
            }
        };
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("the program can be started");
        let mount = Mount { process, target };
        mount.wait_until_ready();
        Shown { root: mount.target.join(below), mount: Some(mount) }
    }
}

/// A tree that is shown; a mount ends with it.
pub struct Shown {
    /// The folder that holds the builds.
    pub root: PathBuf,
    mount: Option<Mount>,
}

impl Shown {
    /// The process that answers, if one does.
    pub fn process(&self) -> Option<u32> {
        self.mount.as_ref().map(|mount| mount.process.id())
    }
}

struct Mount {
    process: Child,
    target: PathBuf,
}

impl Mount {
    fn wait_until_ready(&self) {
        let start = Instant::now();
        let target = format!(" {} ", self.target.display());
        while !fs::read_to_string("/proc/self/mountinfo").expect("Linux lists mounts").contains(&target) {
            assert!(start.elapsed() < READY_TIMEOUT, "nothing appears on {}", self.target.display());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let flags = nix::mount::MntFlags::empty();
        nix::mount::umount2(&self.target, flags).expect("nobody uses the mount any more");
        self.process.wait().expect("the process ends with its mount");
    }
}

/// Empties the system's caches of pages, names and inodes.
pub fn drop_caches() {
    fs::write("/proc/sys/vm/drop_caches", "3").expect("root may empty the caches");
}

pub fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("the program can be started");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
