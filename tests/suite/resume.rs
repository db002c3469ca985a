//! A snapshot that was stopped goes on where it was.

use crate::support::{Scene, noise, settle, write};
use gamevault::ErrorKind;
use gamevault::progress::Progress;
use gamevault::store::Class;
use gamevault::vault::SnapshotOptions;

#[test]
fn finished_files_are_not_read_again_after_an_interruption() {
    let scene = Scene::new();
    for n in 0..200 {
        write(&scene.path(&format!("game/{n:03}")), &noise(n, 300_000));
    }
    settle();
    let progress = Progress::new();
    let stopped = std::thread::scope(|scope| {
        scope.spawn(|| {
            while progress.read().files_done < 50 {
                std::thread::yield_now();
            }
            progress.cancel();
        });
        scene.vault.snapshot(&scene.path("game"), &SnapshotOptions::default(), &progress)
    });
    assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Interrupted);
    assert!(scene.vault.builds().unwrap().is_empty());
    let scene = scene.reopen();
    let report = scene.snapshot("game");
    assert_eq!(report.files, 200);
    assert!(report.files_unchanged >= 50, "{} files were taken over", report.files_unchanged);
    assert!(scene.vault.verify(&Default::default(), &Progress::new()).unwrap().problems.is_empty());
}

/// Files of more than one chunk have a list of them, which goes to another pack than their bytes. That pack was only
/// sealed at the end, so a snapshot that was killed had to read all such files again, however far it had come.
#[test]
fn lists_are_durable_when_the_pack_of_their_files_is_full() {
    let scene = Scene::new();
    let store = scene.vault.store();
    let list = store.put(b"a list of chunks", Class::Tree).unwrap().ticket;
    let first = store.put(&noise(1, 100_000), Class::Data).unwrap().ticket;
    assert!(!store.is_durable(list.join(first)).unwrap());
    for n in 2..700 {
        store.put(&noise(n, 100_000), Class::Data).unwrap();
    }
    assert!(store.is_durable(list.join(first)).unwrap());
}
