//! Makes a build of a folder and tells what it cost: `snapshot VAULT FOLDER`.

use gamevault::Vault;
use gamevault::progress::Progress;
use gamevault::vault::SnapshotOptions;
use std::path::Path;

fn main() -> gamevault::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let [_, vault, folder] = &args[..] else { panic!("usage: snapshot VAULT FOLDER") };
    let vault =
        if Vault::is_vault(Path::new(vault)) { Vault::open(Path::new(vault)) } else { Vault::init(Path::new(vault)) }?;
    let mut options = SnapshotOptions::default();
    options.info.message = Some("made by an example".into());
    let report = vault.snapshot(Path::new(folder), &options, &Progress::new())?;
    println!("build {}: {} files, {} new bytes stored", report.build.id, report.files, report.bytes_stored);
    report.warnings.iter().for_each(|warning| println!("warning: {warning}"));
    Ok(())
}
