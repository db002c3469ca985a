//! Prints one file of a build without restoring anything: `read_file VAULT BUILD PATH`.

use gamevault::Vault;
use gamevault::manifest::EntryKind;
use std::io::Write;
use std::path::Path;

fn main() -> gamevault::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let [_, vault, build, path] = &args[..] else { panic!("usage: read_file VAULT BUILD PATH") };
    let vault = Vault::open(Path::new(vault))?;
    let mut directory = vault.build(build)?.root.id;
    let mut content = None;
    for name in path.split('/') {
        let (_, entry) = vault.reader().lookup(directory, name.as_bytes())?.expect("the path is in the build");
        match entry.kind {
            EntryKind::Directory(below) => directory = below.id,
            EntryKind::File(file) => content = Some(file),
            EntryKind::Symlink(_) => panic!("{path} is a link"),
        }
    }
    let content = content.expect("the path names a file");
    let (mut buf, mut offset) = (vec![0; 1 << 20], 0);
    loop {
        match vault.reader().read_at(&content, offset, &mut buf)? {
            0 => return Ok(()),
            len => std::io::stdout().write_all(&buf[..len]).expect("standard output takes it"),
        }
        offset += buf.len() as u64;
    }
}
