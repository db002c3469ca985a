//! Other programs that store versions, as they come, for the size of what they write.

use super::files;
use std::path::Path;
use std::process::{Command, Stdio};

/// A program with its commands for a shell, which finds its repository in `$R`, a folder for its cache in `$C`, the name of
/// the version in `$V`, and the version as its working folder.
pub struct Peer {
    pub name: &'static str,
    init: &'static str,
    store: &'static str,
}

const PEERS: [Peer; 3] = [
    Peer {
        name: "restic",
        init: "RESTIC_PASSWORD=x restic -q -r $R init --repository-version 2",
        store: "RESTIC_PASSWORD=x restic -q -r $R --cache-dir $C --compression auto backup --tag $V .",
    },
    Peer {
        name: "borg",
        init: "BORG_BASE_DIR=$C borg init -e none $R",
        store: "BORG_BASE_DIR=$C BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes borg create -C zstd,3 $R::$V .",
    },
    Peer {
        name: "longtail",
        init: "mkdir -p $R",
        store: "longtail upsync --storage-uri $R/store --source-path . --target-path $R/$V.lvi",
    },
];

/// The peers that are installed; says which are not.
pub fn peers() -> Vec<Peer> {
    let is_there = |peer: &Peer| {
        let found = shell(&format!("command -v {}", peer.name)).status().expect("there is a shell").success();
        if !found {
            eprintln!("{} is not installed and left out", peer.name);
        }
        found
    };
    PEERS.into_iter().filter(is_there).collect()
}

impl Peer {
    /// Stores `versions` in order in a new repository below `place`; returns its size after each.
    ///
    /// `None` if the program fails, which it says itself.
    pub fn sizes(&self, place: &Path, versions: &[impl AsRef<Path>]) -> Option<Vec<u64>> {
        let repository = place.join(self.name);
        let run = |command: &str, version: &Path| {
            let name = version.file_name().expect("versions have names");
            let status = shell(command)
                .current_dir(version)
                .env("R", &repository)
                .env("C", place.join("cache").join(self.name))
                .env("V", name)
                .stdout(Stdio::null())
                .status();
            status.expect("there is a shell").success()
        };
        if !run(self.init, versions[0].as_ref()) {
            return None;
        }
        let after = |version: &_| run(self.store, AsRef::as_ref(version)).then(|| files(&repository).1);
        versions.iter().map(after).collect()
    }
}

fn shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::null());
    shell
}
