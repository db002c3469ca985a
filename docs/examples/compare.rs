//! Lists what changed between two builds: `compare VAULT OLD NEW`.

use gamevault::Vault;
use std::path::Path;

fn main() -> gamevault::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let [_, vault, old, new] = &args[..] else { panic!("usage: compare VAULT OLD NEW") };
    let vault = Vault::open(Path::new(vault))?;
    let diff = vault.diff(&vault.build(old)?, &vault.build(new)?, &[])?;
    for difference in &diff.changes {
        println!(
            "{} {}, {} bytes are others",
            difference.change.kind.word(),
            difference.change.path,
            difference.changed_bytes
        );
    }
    Ok(())
}
