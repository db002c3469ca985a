//! What the benches share: places, data, clocks.

// Each bench is a program of its own and uses a part of this.
#![allow(dead_code)]

#[cfg(target_os = "linux")]
pub mod memory_fs;
#[path = "../../tests/suite/support/noise.rs"]
mod noise;
pub mod peers;
pub mod reads;
pub mod sets;
pub mod shown;
pub mod stored;

pub use noise::noise;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A folder that is removed at the end.
pub fn place() -> tempfile::TempDir {
    let root = std::env::var_os("GAMEVAULT_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    tempfile::Builder::new().prefix("gamevault-bench-").tempdir_in(root).expect("the bench folder can be made")
}

/// The folder named on the command line, or a mixed one of 400 MB made below `place`.
pub fn game(place: &Path) -> PathBuf {
    match std::env::args().skip(1).find(|arg| !arg.starts_with("--")) {
        Some(folder) => folder.into(),
        None => {
            let game = place.join("game");
            make_game(&game);
            game
        }
    }
}

/// Half incompressible files of 50 KB to 4 MB, half compressible ones.
pub fn make_game(root: &Path) {
    let mut left = 400u64 << 20;
    for n in 0.. {
        let len = (50_000 + (n * 7_919_777) % 4_000_000).min(left);
        let bytes = if n % 2 == 0 { noise(n, len as usize) } else { words(n, len as usize) };
        write(&root.join(format!("folder{}/file{n}", n % 20)), &bytes);
        left -= len;
        if left == 0 {
            return;
        }
    }
}

pub fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("files lie in folders")).expect("the folder can be made");
    fs::write(path, bytes).expect("the file can be written");
}

fn words(seed: u64, len: usize) -> Vec<u8> {
    noise(seed, len)
        .chunks(8)
        .flat_map(|eight| format!("{:04x} node ", eight[0] as u16 * 3).into_bytes())
        .take(len)
        .collect()
}

/// Seconds that `work` takes by the clock.
pub fn seconds<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let start = Instant::now();
    let value = work();
    (start.elapsed().as_secs_f64(), value)
}

/// CPU seconds of this process so far, all threads.
pub fn cpu_seconds() -> f64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).expect("usage is known");
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

/// CPU seconds of this thread so far, to the nanosecond.
pub fn thread_cpu_seconds() -> f64 {
    let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
    let time = nix::time::clock_gettime(clock).expect("the clock of the thread is there");
    time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9
}

/// What the system says of this process's memory, in MB.
pub struct Memory {
    pub peak: f64,
    pub anonymous: f64,
    pub file: f64,
}

pub fn memory() -> Memory {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells");
    let mb = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux tells it");
        let kib = line.trim_start_matches(':').trim().trim_end_matches(" kB");
        kib.parse::<f64>().expect("it is a number") * 1024.0 / 1e6
    };
    Memory { peak: mb("VmHWM"), anonymous: mb("RssAnon"), file: mb("RssFile") }
}

/// Runs this bench again with `args`, in a process whose memory nothing else has touched; returns what it prints.
pub fn run_alone(args: &[&str]) -> String {
    let program = std::env::current_exe().expect("the bench has a path");
    let output = std::process::Command::new(program)
        .args(args)
        .stderr(std::process::Stdio::inherit())
        .output()
        .expect("the bench runs again");
    assert!(output.status.success(), "the bench fails with {args:?}");
    String::from_utf8(output.stdout).expect("benches print text").trim().to_owned()
}

/// Spreads the bits of a number over 64 (splitmix64).
pub fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The smallest of some measurements: what the work costs when nothing else disturbs it.
pub fn best(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// All files below a folder with the sum of their sizes.
pub fn files(root: &Path) -> (Vec<PathBuf>, u64) {
    let (mut files, mut bytes, mut open) = (Vec::new(), 0, vec![root.to_path_buf()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("the folder can be listed") {
            let entry = entry.expect("the folder can be listed");
            let metadata = entry.metadata().expect("the entry is there");
            if metadata.is_dir() {
                open.push(entry.path());
            } else if metadata.is_file() {
                bytes += metadata.len();
                files.push(entry.path());
            }
        }
    }
    (files, bytes)
}

/// The program under test, built by the same command.
pub fn gamevault() -> std::process::Command {
    std::process::Command::new(env!("CARGO_BIN_EXE_gamevault"))
}
