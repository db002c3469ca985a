//! How fast feedback is imported and asked: one file of many records, and every question of the commands.
//!
//! The peer of the import is what cannot be left out: parsing each line as a record. `GAMEVAULT_RECORDS` says how many (1,000,000), the
//! processor is one core when the bench runs under `taskset -c 0`.

use gamevault::Vault;
use gamevault::catalogue::feedback::{FeedbackKind, FeedbackQuery, FeedbackRecord, Outcome};
use gamevault::id::BuildNumber;
use gamevault::progress::Progress;
use gamevault::vault::{ImportOptions, SnapshotOptions};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

const BUILDS: u64 = 300;
const FILES: u64 = 200;
const WORDS: usize = 20_000;

/// From this build on a tag is a hundred times as frequent.
const FAULTY: u64 = 150;
const ROUNDS: u32 = 40;

fn main() {
    let records: u64 = std::env::var("GAMEVAULT_RECORDS").map_or(1_000_000, |count| count.parse().expect("a number"));
    let dir = tempfile::tempdir().expect("a folder");
    let vault = Vault::init(&dir.path().join("vault")).expect("a vault");
    for number in 1..=BUILDS {
        let game = dir.path().join("game");
        fs::create_dir_all(&game).expect("a folder");
        for file in 0..FILES {
            // Ten files change with each build.
            if number == 1 || (file + number * 10) % FILES < 10 {
                let text = format!("value_{file} = {number}\nspeed = {}\n", file * number);
                fs::write(game.join(format!("script{file}.gd")), text).expect("a file");
            }
        }
        let options =
            SnapshotOptions { id: Some(format!("0.{number}").parse().expect("a name")), ..SnapshotOptions::default() };
        vault.snapshot(&game, &options, &Progress::new()).expect("a build");
    }
    let file = dir.path().join("records.jsonl");
    generate(&file, records);
    let parsing = timed(|| {
        let lines = BufReader::new(File::open(&file).expect("the file")).lines();
        let parsed =
            lines.map(|line| serde_json::from_str::<FeedbackRecord>(&line.expect("a line")).expect("a record"));
        assert_eq!(parsed.count() as u64, records);
    });
    print_peak("the builds");
    let importing = timed(|| {
        let report = vault
            .import_feedback(std::slice::from_ref(&file), &ImportOptions::default(), &Progress::new())
            .expect("an import");
        assert_eq!((report.added, report.links.linked), (records, records));
    });
    println!("| {records} records | seconds | records/s |\n|---|---|---|");
    for (what, time) in [("parse alone", parsing), ("import, link and index", importing)] {
        println!("| {what} | {:.1} | {:.0} |", time.as_secs_f64(), records as f64 / time.as_secs_f64());
    }
    print_peak("the import");
    ask(&vault);
    print_peak("all questions");
}

/// Prints the most memory that the process had so far.
fn print_peak(after: &str) {
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return };
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    println!("\nafter {after}: {}", peak.split_whitespace().collect::<Vec<_>>().join(" "));
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Writes records whose words are as frequent as those of a language are.
fn generate(path: &Path, records: u64) {
    let mut random = SmallRng::seed_from_u64(7);
    let mut file = BufWriter::new(File::create(path).expect("a file"));
    let tags: Vec<String> = (0..40).map(|tag| format!("tag{tag}")).collect();
    for number in 0..records {
        let kind = FeedbackKind::ALL[(number % 7) as usize];
        let mut record = FeedbackRecord::new(kind, "bench");
        record.source_id = Some(number.to_string());
        record.time = jiff::Timestamp::from_second(1_750_000_000 + (number as i64 * 37) % 30_000_000).ok();
        let build = random.random_range(1..=BUILDS);
        record.clues.version = Some(format!("0.{build}"));
        record.platform = Some(["windows", "linux", "macos", "android"][random.random_range(0..4)].into());
        record.player = Some(format!("p-{:012x}", random.random_range(0..5000)));
        record.place.level = Some(format!("level{}", random.random_range(0..60)));
        record.tags = (0..number % 3).map(|_| tags[random.random_range(0..tags.len())].clone()).collect();
        if random.random_bool(if build >= FAULTY { 0.05 } else { 0.0005 }) {
            record.tags.push("fault".into());
        }
        // What games tell has no text; people write a few words or many.
        let is_told = matches!(kind, FeedbackKind::Event | FeedbackKind::Session);
        for _ in 0..if is_told { 0 } else { random.random_range(3..40) } {
            let word = (random.random::<f64>().powi(3) * WORDS as f64) as usize;
            record.text.push_str(&word_of(word));
            record.text.push(' ');
        }
        match kind {
            FeedbackKind::Crash => record.signature = Some(format!("signature {}", random.random_range(0..2000))),
            FeedbackKind::Event | FeedbackKind::Session => {
                record.outcome = Some(Outcome::ALL[random.random_range(0..3)]);
            }
            _ => {}
        }
        serde_json::to_writer(&mut file, &record).expect("a record");
        file.write_all(b"\n").expect("a line");
    }
    file.flush().expect("a file");
}

/// Makes a word that can be pronounced: one of numbers would be hashed as no word of a language is.
fn word_of(number: usize) -> String {
    const CONSONANTS: [&str; 18] =
        ["b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "st", "tr", "ch"];
    const VOWELS: [&str; 7] = ["a", "e", "i", "o", "u", "ai", "ou"];
    let mut rest = number + 1;
    let mut word = String::new();
    while rest > 0 {
        word.push_str(CONSONANTS[rest % CONSONANTS.len()]);
        rest /= CONSONANTS.len();
        word.push_str(VOWELS[rest % VOWELS.len()]);
        rest /= VOWELS.len();
    }
    word + "n"
}

fn ask(vault: &Vault) {
    let mut random = SmallRng::seed_from_u64(8);
    let index = vault.feedback().expect("the index");
    let build = |reference: &str| vault.build(reference).expect("a build");
    let (old, new) = (build("0.100"), build("0.101"));
    println!("\n| question | p50 ms | p95 ms |\n|---|---|---|");
    let mut ask = |what: &str, question: &mut dyn FnMut(&mut SmallRng)| {
        let mut times: Vec<f64> = (0..ROUNDS).map(|_| timed(|| question(&mut random)).as_secs_f64() * 1e3).collect();
        times.sort_by(f64::total_cmp);
        println!("| {what} | {:.1} | {:.1} |", times[times.len() / 2], times[times.len() * 95 / 100]);
    };
    let search =
        |query: FeedbackQuery| drop(index.search(&FeedbackQuery { limit: Some(50), ..query }).expect("an answer"));
    let word = |random: &mut SmallRng| Some(word_of(random.random_range(0..WORDS)));
    ask("a word", &mut |random| search(FeedbackQuery { text: word(random), ..FeedbackQuery::default() }));
    ask("the most frequent word, of a kind, a level and a platform", &mut |random| {
        search(FeedbackQuery {
            text: Some(word_of(0)),
            kinds: vec![FeedbackKind::Bug],
            level: Some(format!("level{}", random.random_range(0..60))),
            platform: Some("linux".into()),
            ..FeedbackQuery::default()
        });
    });
    ask("the most frequent word, of ten builds", &mut |random| {
        let first = random.random_range(1..290);
        let builds = Some((first..first + 10).map(BuildNumber).collect());
        search(FeedbackQuery { text: Some(word_of(0)), builds, ..FeedbackQuery::default() });
    });
    ask("the most frequent word, in a week", &mut |random| {
        let since = 1_750_000_000 + random.random_range(0..29_000_000);
        let time = |second| jiff::Timestamp::from_second(second).ok();
        let (since, until) = (time(since), time(since + 604_800));
        search(FeedbackQuery { text: Some(word_of(0)), since, until, ..FeedbackQuery::default() });
    });
    ask("how many have the most frequent word", &mut |_| {
        let query = FeedbackQuery { text: Some(word_of(0)), ..FeedbackQuery::default() };
        assert!(index.count(&query).expect("a count") > 0);
    });
    ask("all of a player", &mut |random| {
        let player = Some(format!("p-{:012x}", random.random_range(0..5000)));
        drop(index.search(&FeedbackQuery { player, ..FeedbackQuery::default() }).expect("an answer"));
    });
    ask("crash rates by build", &mut |_| drop(vault.crash_rates(false).expect("rates")));
    ask("crash rates by platform", &mut |_| drop(vault.crash_rates(true).expect("rates")));
    ask("new and gone signatures", &mut |_| drop(vault.signature_changes(&old, &new).expect("signatures")));
    ask("trend of a tag", &mut |random| {
        drop(vault.tag_trend(&format!("tag{}", random.random_range(0..40))).expect("a trend"));
    });
    ask("where players die", &mut |_| {
        drop(vault.where_ended(Outcome::Death, Some(new.number), Some(old.number)).expect("levels"))
    });
    ask("suspects of a tag", &mut |_| {
        let query = FeedbackQuery { tags: vec!["fault".into()], ..FeedbackQuery::default() };
        let suspicion = vault.suspect(&query).expect("suspects");
        assert_eq!(suspicion.onset.expect("it began").first_with, BuildNumber(FAULTY));
    });
    ask("suspects of a word", &mut |random| {
        drop(vault.suspect(&FeedbackQuery { text: word(random), ..FeedbackQuery::default() }).expect("suspects"));
    });
    ask("is a signature fixed", &mut |random| {
        let signature = Some(format!("signature {}", random.random_range(0..2000)));
        vault.is_fixed(&FeedbackQuery { signature, ..FeedbackQuery::default() }).expect("an answer");
    });
    ask("unplayed builds", &mut |_| drop(vault.unplayed_builds().expect("builds")));
}
