//! Files that people write for a vault by hand: its config, and what snapshots leave out.

use super::memory_disk::MemoryDisk;
use super::{Checker, Outcome, Target, numbered};
use gamevault::ingest::IgnoreRules;
use gamevault::{ErrorKind, Vault};
use std::path::Path;
use std::sync::Arc;

/// Patterns become machines that may have as many states as 10 MB hold.
pub const VAULT_FILES: Target = Target { name: "vault-files", memory: (16 << 10, 64 << 20), start: vault_files };

const CONFIG: &str = "format = 1\nid = \"0123456789abcdef0123456789abcdef\"\n[sessions]\nauto_commit = \"after_pause\"\n\
    quiet_seconds = 2.5\nspool_mib = 4096\n[engines]\ncaches = \"keep\"\n[crawlers]\nnames = [\"mds*\", \"x\"]\n[optimize]\n\
    when_idle = true\nidle_minutes = 5.0\n[cache]\nhot_gib = 1.5\n[forget]\ngrace_days = 14.0\n[recovery]\npercent = 3\n";

/// The first byte says which file it is.
fn vault_files() -> Checker {
    let dir = tempfile::tempdir().unwrap();
    // A folder that looks like a vault and has no catalogue.
    std::fs::create_dir(dir.path().join("packs")).unwrap();
    std::fs::write(dir.path().join("vault.toml"), b"").unwrap();
    let written = {
        let made = tempfile::tempdir().unwrap();
        drop(Vault::init(&made.path().join("vault")).unwrap());
        std::fs::read(made.path().join("vault/vault.toml")).unwrap()
    };
    let ignored = b"*.log\n/Library/\n!keep.log\n# why\n**/tmp/**\n[a-z]?.{obj,pdb}\n\\!x \n";
    let samples = numbered([written.clone(), ignored.to_vec(), CONFIG.into(), ignored.to_vec()]);
    Checker::new(samples, move |input| {
        let Some((&file, bytes)) = input.split_first() else { return Outcome::Refused };
        match file % 2 {
            0 => config(dir.path(), bytes),
            _ => ignore_file(bytes),
        }
    })
}

fn config(dir: &Path, bytes: &[u8]) -> Outcome {
    let disk = MemoryDisk::new(dir);
    disk.put("vault.toml", bytes.to_vec());
    let error = Vault::open_on(Arc::new(disk)).err().expect("there is no catalogue");
    // What is wrong with a config is told with the way out; with a sound one, it is the catalogue that is missing.
    assert!(error.kind() != ErrorKind::Invalid || error.hint().is_some(), "{error}");
    if error.kind() == ErrorKind::Invalid { Outcome::Refused } else { Outcome::Decoded }
}

fn ignore_file(bytes: &[u8]) -> Outcome {
    let folder = Path::new("game");
    let mut warnings = Vec::new();
    let rules = IgnoreRules::default().with_lines(folder, bytes, &mut warnings);
    for path in ["a.log", "Library", "src/tmp/deep/x.obj", "keep.log"] {
        rules.ignores(&folder.join(path), path == "Library");
    }
    if warnings.is_empty() { Outcome::Decoded } else { Outcome::Refused }
}
