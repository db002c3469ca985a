//! What the README says is true: its commands are run as they stand.

#![cfg(target_os = "linux")]

use crate::support::make_game;
use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../../README.md");

/// The shell blocks of the section "Using it", in order.
fn blocks() -> Vec<&'static str> {
    let section = README.split("## Using it").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("the section");
    section.split("```sh\n").skip(1).map(|block| block.split("```").next().expect("the block ends")).collect()
}

/// The commands of the table, of which those that act on an open session are left out.
fn table() -> Vec<&'static str> {
    let rows = README.lines().filter(|line| line.starts_with("| ") && line.contains("`gamevault "));
    let commands = rows.map(|row| row.split('`').find(|part| part.starts_with("gamevault ")).expect("a command"));
    commands.filter(|command| !command.contains("abort")).collect()
}

/// Runs the commands as a reader would, and unmounts whatever happens.
fn run(home: &Path, script: &str) {
    let binary = Path::new(env!("CARGO_BIN_EXE_gamevault")).parent().expect("programs lie in folders");
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("bash")
        .args(["-euxc", &format!("trap 'gamevault unmount ~/GameVault > /dev/null 2>&1 || true' EXIT\n{script}")])
        .current_dir(home)
        .env("HOME", home)
        .env("PATH", path)
        .env_remove("GAMEVAULT_VAULT")
        .output()
        .expect("bash is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n--- said ---\n{said}");
}

#[test]
fn its_commands_do_what_it_says() {
    let home = tempfile::tempdir().unwrap();
    make_game(&home.path().join("build"));
    let game = home.path().join("build/Game.x86_64");
    std::fs::write(&game, "#!/bin/sh\necho config > \"$HOME/config\"\n").unwrap();
    std::fs::set_permissions(&game, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::create_dir(home.path().join("last-play")).unwrap();
    std::fs::write(home.path().join("last-play/autosave.sav"), "level 3").unwrap();
    std::fs::create_dir(home.path().join("crashes")).unwrap();
    std::fs::write(home.path().join("crashes/1.txt"), "It crashed when I opened the map.\n").unwrap();
    std::fs::write(home.path().join("answers.csv"), "Comment,Level\nthe camera spins,Ice Cave\n").unwrap();
    // `diff -r` complains of links that lead nowhere, in plain folders as well.
    std::fs::remove_file(home.path().join("build/absolute")).unwrap();
    let can_mount = std::fs::OpenOptions::new().read(true).write(true).open("/dev/fuse").is_ok();
    let all = blocks().join("\n");
    let lines = all.lines().filter(|line| can_mount || !line.contains("mount") && !line.contains("~/GameVault"));
    let mut script: String = lines.map(|line| format!("{line}\n")).collect();
    if !can_mount {
        println!("skipped the mounting half: /dev/fuse cannot be opened");
    }
    let mut restores = 0;
    for command in table().into_iter().filter(|command| can_mount || !command.contains(" play ")) {
        // Two rows restore to the same place; a reader would take another.
        restores += usize::from(command.contains("DIR"));
        script.push_str(&format!(
            "{}\n",
            command.replace("DIR", &format!("back{restores}")).replace("assets/levels", "data")
        ));
    }
    assert!(script.lines().count() > 12, "{script}");
    run(home.path(), &script);
    assert!(home.path().join("back1/data/level1.pak").is_file());
    assert!(home.path().join("back2/data").is_dir() && !home.path().join("back2/bin").exists());
}

#[test]
fn the_files_that_it_names_are_there() {
    for named in README.split(['`', '(', ')']).filter(|part| !part.contains([' ', '~', '\n']) && !part.contains("://"))
    {
        let is_path = ["src/", "docs/", "scripts/", "benches/", "tests/"].iter().any(|root| named.starts_with(root));
        assert!(!is_path || Path::new(env!("CARGO_MANIFEST_DIR")).join(named).exists(), "{named}");
    }
}
