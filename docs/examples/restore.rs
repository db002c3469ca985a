//! Restores a build while another thread shows how far it is: `restore VAULT BUILD FOLDER`.

use gamevault::Vault;
use gamevault::progress::Progress;
use gamevault::vault::RestoreOptions;
use std::path::Path;
use std::time::Duration;

fn main() -> gamevault::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let [_, vault, build, folder] = &args[..] else { panic!("usage: restore VAULT BUILD FOLDER") };
    let vault = Vault::open(Path::new(vault))?;
    let build = vault.build(build)?;
    let progress = Progress::new();
    std::thread::scope(|scope| {
        let work = scope.spawn(|| vault.restore(&build, Path::new(folder), &RestoreOptions::default(), &progress));
        while !work.is_finished() {
            let reading = progress.read();
            eprintln!("{} of {} bytes", reading.bytes_done, reading.bytes_total);
            std::thread::sleep(Duration::from_millis(200));
        }
        let report = work.join().expect("the restore does not panic")?;
        println!("{} files, {} bytes", report.files, report.bytes);
        Ok(())
    })
}
