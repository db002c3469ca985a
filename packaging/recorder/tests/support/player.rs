//! The C program that the tests record with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

/// Compiles `player.c` with the header and the library; `None`, and a message, when there is no C compiler.
///
/// # Panics
/// When the compiler has anything to say.
pub fn compile(to: &Path) -> Option<PathBuf> {
    if !has("cc") {
        assert!(std::env::var_os("GAMEVAULT_NEEDS_TOOLS").is_none(), "cc is missing");
        eprintln!("skipped: cc is missing");
        return None;
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = to.join("player");
    let library = library();
    let folder = library.parent().unwrap();
    let output = Command::new("cc")
        .args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-pthread", "-I"])
        .arg(here.join("include"))
        .arg(here.join("tests/player.c"))
        .arg(&library)
        .arg(format!("-Wl,-rpath,{}", folder.display()))
        .arg("-o")
        .arg(&program)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(program)
}

/// Returns whether a program is installed.
pub fn has(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

/// Returns the shared library, which cargo builds for the tests and puts beside them.
pub fn library() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let name = format!("{}gamevault_rec{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let folders = program.ancestors().skip(1).take(2).map(|folder| folder.join(&name));
    let built = |path: &PathBuf| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let found =
        folders.filter_map(|path| Some((built(&path)?, path))).max_by_key(|(built, _): &(SystemTime, _)| *built);
    found.expect("cargo builds the library with its tests").1
}
