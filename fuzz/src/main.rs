//! `scripts/fuzz`: gives every decoder bytes that were changed at random, for as long as one wants, and tells what became of them.

mod corpus;
mod coverage;
#[path = "../../tests/suite/support/mutate.rs"]
mod mutate;
mod run;
#[allow(dead_code, reason = "the suite uses more of it")]
#[path = "../../tests/suite/hostile/targets/mod.rs"]
mod targets;

use clap::Parser;
use run::{FIGURES, Length, TOO_SLOW};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use targets::{TARGETS, Target};

/// How often a target is started again whose process ended by itself.
const MAX_STARTS: u32 = 10;

/// Gives every decoder bytes that were changed at random.
#[derive(Debug, Parser)]
struct Arguments {
    /// Targets; all without one.
    targets: Vec<String>,
    /// Minutes for each target, at least.
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Inputs for each target, at least.
    #[arg(long, default_value_t = 1_000_000)]
    inputs: u64,
    /// The seed of the random numbers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where inputs that failed are kept, in a folder for each target.
    #[arg(long, default_value = "target/fuzz")]
    keep: PathBuf,
    /// Try this one input of one target, and let its failure end the program.
    #[arg(long)]
    replay: Option<PathBuf>,
    /// Run in this process.
    #[arg(long, hide = true)]
    alone: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let chosen: Option<Vec<&Target>> = match arguments.targets.is_empty() {
        true => Some(TARGETS.iter().filter_map(|target| Target::named(target.name)).collect()),
        false => arguments.targets.iter().map(|name| Target::named(name)).collect(),
    };
    let Some(chosen) = chosen else {
        eprintln!("fuzz: the targets are {}", TARGETS.map(|target| target.name).join(", "));
        return ExitCode::FAILURE;
    };
    if let Some(path) = &arguments.replay {
        println!("{:?}", run::replay(chosen[0], &fs::read(path).expect("the input can be read")));
        return ExitCode::SUCCESS;
    }
    if arguments.alone {
        let length = Length { time: Duration::from_secs_f64(arguments.minutes * 60.0), inputs: arguments.inputs };
        run::run(chosen[0], &arguments.keep, length, arguments.seed);
        return ExitCode::SUCCESS;
    }
    println!(
        "| target | inputs | inputs/s | minutes | decoded, % | edges reached | largest piece, KiB | most held, KiB | slowest, ms | failures |\n|{}",
        "---|".repeat(10)
    );
    let mut failures = Vec::new();
    for target in chosen {
        failures.extend(run_apart(target, &arguments));
    }
    println!();
    failures.iter().for_each(|failure| println!("- {failure}"));
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a target in a process of its own, anew when that ends by itself; prints a row, and returns what failed.
fn run_apart(target: &Target, arguments: &Arguments) -> Vec<String> {
    let folder = arguments.keep.join(target.name);
    fs::create_dir_all(&folder).expect("the folder for failures can be made");
    let (mut row, mut failures) = (Row::default(), Vec::new());
    let start = Instant::now();
    for round in 0..MAX_STARTS {
        let _ = fs::remove_file(folder.join(FIGURES));
        let minutes = (arguments.minutes - start.elapsed().as_secs_f64() / 60.0).max(0.0);
        let inputs = arguments.inputs.saturating_sub(row.inputs);
        let status = Command::new(std::env::current_exe().expect("this program has a path"))
            .args([target.name, "--alone", "--minutes", &minutes.to_string(), "--inputs", &inputs.to_string()])
            .args(["--seed", &arguments.seed.wrapping_add(round.into()).to_string()])
            .arg("--keep")
            .arg(&folder)
            .status()
            .expect("this program can be started");
        failures.extend(row.add(&folder));
        if status.success() {
            break;
        }
        let why = if status.code() == Some(TOO_SLOW) { "took too long".to_owned() } else { status.to_string() };
        let kept = folder.join(format!("ended-{}-{round}.input", arguments.seed));
        let _ = fs::write(&kept, run::noted(&folder).unwrap_or_default());
        failures.push(format!("{}: {why}: {}", target.name, kept.display()));
    }
    row.print(target, failures.len());
    failures
}

/// The figures of a target, of all its processes.
#[derive(Default)]
struct Row {
    inputs: u64,
    decoded: u64,
    seconds: f64,
    reached: u64,
    largest: u64,
    held: u64,
    slowest: f64,
}

impl Row {
    /// Adds what a process left, and returns its failures.
    fn add(&mut self, folder: &Path) -> Vec<String> {
        let text = fs::read_to_string(folder.join(FIGURES)).unwrap_or_default();
        let figures: Value = serde_json::from_str(&text).unwrap_or_default();
        let number = |key: &str| figures[key].as_u64().unwrap_or(0);
        let fraction = |key: &str| figures[key].as_f64().unwrap_or(0.0);
        self.inputs += number("inputs");
        self.decoded += number("decoded");
        self.seconds += fraction("seconds");
        self.reached = self.reached.max(number("reached"));
        self.largest = self.largest.max(number("largest"));
        self.held = self.held.max(number("held"));
        self.slowest = self.slowest.max(fraction("slowest"));
        let failures = figures["failures"].as_array().cloned().unwrap_or_default();
        failures.iter().map(|one| format!("{}: {}", one["why"], one["input"])).collect()
    }

    fn print(&self, target: &Target, failures: usize) {
        println!(
            "| {} | {} | {:.0} | {:.1} | {:.1} | {} | {} | {} | {:.1} | {failures} |",
            target.name,
            self.inputs,
            self.inputs as f64 / self.seconds.max(0.001),
            self.seconds / 60.0,
            self.decoded as f64 * 100.0 / self.inputs.max(1) as f64,
            self.reached,
            self.largest >> 10,
            self.held >> 10,
            self.slowest * 1e3,
        );
    }
}
