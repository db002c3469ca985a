//! How much memory do a 20 GB file and 300,000 small files need?

mod support;

use std::io::Write;
use std::path::Path;
use std::process::Command;
use support::{gamevault, noise, place, write};

fn main() {
    let place = place();
    println!("| input | peak RSS MB |\n|---|---|");
    let many = place.path().join("many");
    for n in 0..300_000 {
        write(&many.join(format!("d{:04}/file{n}", n / 500)), &noise(n, 64 + n as usize % 700));
    }
    measure(place.path(), "300,000 small files", &many);
    std::fs::remove_dir_all(&many).expect("it can be removed");
    let one = place.path().join("one");
    std::fs::create_dir(&one).expect("it can be made");
    let mut file = std::fs::File::create(one.join("file")).expect("it can be made");
    for n in 0..20 << 4 {
        file.write_all(&noise(n, 64 << 20)).expect("it can be written");
    }
    drop(file);
    measure(place.path(), "one file of 20 GB", &one);
}

/// Snapshots a folder by the program itself and prints the peak that the system saw.
fn measure(place: &Path, name: &str, folder: &Path) {
    let vault = place.join("vault");
    assert!(gamevault().arg("init").arg(&vault).arg("-q").status().expect("it runs").success());
    let program = gamevault().get_program().to_owned();
    let output = Command::new("time")
        .args(["-f", "%M"])
        .arg(program)
        .arg("--vault")
        .args([&vault, Path::new("snapshot"), folder, Path::new("-q")])
        .output()
        .expect("GNU time is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stderr);
    let kilobytes: f64 = text.lines().last().and_then(|line| line.trim().parse().ok()).expect("time prints a number");
    println!("| {name} | {:.0} |", kilobytes / 1024.0);
    std::fs::remove_dir_all(vault).expect("it can be removed");
}
