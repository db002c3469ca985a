//! How near is a mounted vault to a local disk, for everything that reads?
//!
//!     cargo bench --bench reading -- [quick] [PART…]
//!
//! The parts are `cold`, `warm`, `listing`, `ready` and `resources`; all without a name. Cold is the first pass over a fresh
//! mount with the system's caches emptied, which needs root; warm is a second pass. Every measure is taken of all file
//! systems in turn, and the best of the rounds counts. Below `GAMEVAULT_SETS` it looks for the sets `supertuxkart` and
//! `widelands`, and for others, of which one large file is made.

mod support;

use gamevault::Vault;
use gamevault::content::Reader;
use gamevault::id::ChunkId;
use gamevault::manifest::EntryKind;
use gamevault::progress::Progress;
use gamevault::vault::SnapshotOptions;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::reads::{self, Usage, relative_files, usage};
use support::sets::folders;
use support::shown::{SERVE_MEMORY, Show, Tree, drop_caches, run};
use support::{best, cpu_seconds, files, gamevault, mix, place, seconds, write};

const PARTS: [&str; 5] = ["cold", "warm", "listing", "ready", "resources"];
const BUILDS: usize = 1000;
const ASSETS: usize = 1000;
const SMALL_FILE_MAX: u64 = 64 << 10;

/// How much is measured.
struct Size {
    rounds: usize,
    large_file: u64,
    small_files: usize,
    random_reads: usize,
    /// Bytes after which the memory of the process is looked at.
    much: u64,
}

const FULL: Size =
    Size { rounds: 3, large_file: 2 << 30, small_files: 20_000, random_reads: 4000, much: 10_000_000_000 };
const QUICK: Size =
    Size { rounds: 2, large_file: 256 << 20, small_files: 4000, random_reads: 1000, much: 1_000_000_000 };

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [serve, source, target] = &arguments[..]
        && serve == SERVE_MEMORY
    {
        return support::memory_fs::serve(Path::new(source), Path::new(target));
    }
    let is_part = |argument: &String| PARTS.contains(&argument.as_str());
    let unknown = arguments.iter().find(|argument| *argument != "quick" && !is_part(argument));
    assert!(unknown.is_none(), "there is no part {unknown:?}; there are {PARTS:?} and `quick`");
    let wants = |part: &str| !arguments.iter().any(is_part) || arguments.iter().any(|argument| argument == part);
    let size = if arguments.iter().any(|argument| argument == "quick") { QUICK } else { FULL };

    let place = place();
    if PARTS.iter().any(|part| *part != "ready" && wants(part)) {
        let shows = Show::available();
        let tree = Tree::below(place.path());
        let sources = Sources::make(&tree.source, &size);
        tree.store(&shows);
        sources.describe(&tree);
        if wants("cold") || wants("warm") {
            let passes = [("Cold", wants("cold")), ("Warm", wants("warm"))];
            print_passes(&compare(&tree, &shows, &reading(&sources, &size), size.rounds), &shows, passes);
        }
        if wants("listing") {
            let rows = compare(&tree, &shows, &listing(), size.rounds);
            print_passes(&rows, &shows, [("Listing, cold", true), ("Listing, warm", true)]);
            compared_bytes(&tree, &sources);
        }
        if wants("resources") {
            resources(&tree, &sources, &size);
        }
    }
    if wants("ready") {
        ready(place.path(), &size);
    }
}

/// What is read: builds in folders of their own.
struct Sources {
    /// The file, relative to the tree.
    large: PathBuf,
    /// The largest file of the game.
    largest: PathBuf,
    game: Vec<PathBuf>,
    assets: Vec<PathBuf>,
    small: Vec<PathBuf>,
    /// Files of `small` that are others in `small-next`, and their bytes.
    changed: (usize, u64),
}

impl Sources {
    fn make(root: &Path, size: &Size) -> Sources {
        let sets = std::env::var_os("GAMEVAULT_SETS").expect("GAMEVAULT_SETS names a folder of sets");
        let sets = Path::new(&sets);
        make_large(&root.join("large/large.bin"), sets, size.large_file);
        let newest = |set: &str| folders(&sets.join(set)).pop().expect("a set has versions");
        copy(&newest("supertuxkart"), &root.join("game"));
        copy_small(&newest("widelands"), &root.join("small"), size.small_files);
        copy(&root.join("small"), &root.join("small-next"));
        copy(&root.join("small"), &root.join("repository"));
        let under = |build: &str| -> Vec<PathBuf> {
            relative_files(&root.join(build)).into_iter().map(|path| Path::new(build).join(path)).collect()
        };
        let (game, small) = (under("game"), under("small"));
        let len = |path: &PathBuf| fs::metadata(root.join(path)).expect("it is there").len();
        let largest = game.iter().max_by_key(|path| len(path)).expect("the game has files").clone();
        let mut assets = game.clone();
        assets.sort_by_cached_key(|path| mix(len(path) ^ path.as_os_str().len() as u64));
        assets.truncate(ASSETS);
        let changed = change_one_in_hundred(root, &small);
        make_repository(&root.join("repository"));
        Sources { large: "large/large.bin".into(), largest, game, assets, small, changed }
    }

    fn describe(&self, tree: &Tree) {
        let bytes = |path: &Path| fs::metadata(tree.source.join(path)).expect("it is there").len();
        let mb = |bytes: u64| bytes as f64 / 1e6;
        let sum = |paths: &[PathBuf]| mb(paths.iter().map(|path| bytes(path)).sum());
        println!(
            "One file of {:.0} MB; a game of {} files and {:.0} MB, its largest {:.1} MB; {} small files of {:.0} MB.",
            mb(bytes(&self.large)),
            self.game.len(),
            sum(&self.game),
            mb(bytes(&self.largest)),
            self.small.len(),
            sum(&self.small),
        );
        println!("The vault takes {:.0} MB.", mb(files(&tree.vault).1));
        if tree.image.exists() {
            println!(
                "The image of squashfuse takes {:.0} MB.",
                mb(fs::metadata(&tree.image).expect("it is there").len())
            );
        }
        println!();
    }
}

/// Makes a file of `len` bytes of the files of all sets, the newest versions first.
fn make_large(path: &Path, sets: &Path, len: u64) {
    fs::create_dir_all(path.parent().expect("it is in a folder")).expect("the folder can be made");
    let mut large = File::create(path).expect("the file can be made");
    let mut versions: Vec<(usize, PathBuf)> = Vec::new();
    for set in folders(sets) {
        versions.extend(folders(&set).into_iter().rev().enumerate());
    }
    versions.sort();
    let mut left = len;
    for (_, version) in versions {
        for file in relative_files(&version) {
            let file = File::open(version.join(file)).expect("the source opens");
            left -= std::io::copy(&mut file.take(left), &mut large).expect("it can be copied");
        }
    }
    assert_eq!(left, 0, "the sets have too few bytes");
}

/// Copies with the times, which tools that compare look at.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the folder can be made");
    run(Command::new("cp").arg("-a").arg(from.join(".")).arg(to));
}

/// Copies the first `count` files of at most 64 KiB, folders as they are.
fn copy_small(from: &Path, to: &Path, count: usize) {
    let len = |path: &PathBuf| fs::metadata(from.join(path)).expect("it is there").len();
    let mut paths = relative_files(from);
    paths.retain(|path| len(path) <= SMALL_FILE_MAX);
    paths.truncate(count);
    for path in &paths {
        let target = to.join(path);
        write(&target, &fs::read(from.join(path)).expect("the source can be read"));
        let modified = fs::metadata(from.join(path)).and_then(|metadata| metadata.modified()).expect("it has a time");
        File::options()
            .write(true)
            .open(&target)
            .and_then(|file| file.set_modified(modified))
            .expect("it takes a time");
    }
}

/// Changes the last byte of every hundredth file, so that only its bytes tell; returns how many files, and their bytes.
fn change_one_in_hundred(root: &Path, small: &[PathBuf]) -> (usize, u64) {
    let (mut count, mut bytes) = (0, 0);
    for path in small.iter().step_by(100) {
        let target = root.join("small-next").join(path.strip_prefix("small").expect("it lies there"));
        let mut content = fs::read(&target).expect("the copy can be read");
        if let Some(last) = content.last_mut() {
            *last ^= 1;
            fs::write(&target, &content).expect("the copy can be written");
            count += 1;
            bytes += content.len() as u64;
        }
    }
    (count, bytes)
}

/// Makes a git repository of a folder, in one pack, whose index holds wherever the folder is copied to.
fn make_repository(folder: &Path) {
    let git = |arguments: &[&str]| run(Command::new("git").arg("-C").arg(folder).args(arguments));
    git(&["init", "-q"]);
    for setting in [["core.checkStat", "minimal"], ["core.trustctime", "false"]] {
        git(&["config", setting[0], setting[1]]);
    }
    // Streamed into a pack as they are: the objects are not what is measured.
    git(&["-c", "core.bigFileThreshold=1", "-c", "core.compression=0", "add", "-A"]);
    git(&["-c", "user.name=bench", "-c", "user.email=bench@example.org", "commit", "-q", "-m", "all"]);
}

/// The unit of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    MbPerSecond,
    PerSecond,
    Milliseconds,
    Seconds,
}

impl Unit {
    fn is_cost(self) -> bool {
        matches!(self, Unit::Milliseconds | Unit::Seconds)
    }

    fn name(self) -> &'static str {
        match self {
            Unit::MbPerSecond => "MB/s",
            Unit::PerSecond => "1/s",
            Unit::Milliseconds => "ms",
            Unit::Seconds => "s",
        }
    }
}

/// One figure: its name, its unit, and what is wanted of it cold and warm.
type Figure = (&'static str, Unit, [&'static str; 2]);

/// Reads the tree at a path in one way, and returns the figures.
type Pass<'a> = Box<dyn Fn(&Path) -> Vec<f64> + 'a>;

/// Figures that one pass over a tree gives.
struct Measure<'a> {
    figures: &'static [Figure],
    pass: Pass<'a>,
}

impl<'a> Measure<'a> {
    fn new(figures: &'static [Figure], pass: impl Fn(&Path) -> Vec<f64> + 'a) -> Measure<'a> {
        Measure { figures, pass: Box::new(pass) }
    }
}

const CLOSE: &str = "0.9 ext4 with passthrough; 0.9 memory";

fn reading<'a>(sources: &'a Sources, size: &'a Size) -> Vec<Measure<'a>> {
    let random = |readers: usize| {
        move |root: &Path| {
            let costs = reads::random(&root.join(&sources.large), size.random_reads, readers);
            vec![costs.p50_ms, costs.p99_ms, costs.per_second]
        }
    };
    vec![
        Measure::new(&[("large file, sequential", Unit::MbPerSecond, ["0.6 ext4; 1 squashfuse", CLOSE])], |root| {
            vec![reads::sequential(&root.join(&sources.large))]
        }),
        Measure::new(&[("largest file of the game, sequential", Unit::MbPerSecond, ["0.6 ext4", ""])], |root| {
            vec![reads::sequential(&root.join(&sources.largest))]
        }),
        Measure::new(&[("large file, mapped", Unit::MbPerSecond, ["", "0.9 ext4 with passthrough"])], |root| {
            vec![reads::mapped(&root.join(&sources.large))]
        }),
        Measure::new(
            &[
                ("4 KiB at random, p50", Unit::Milliseconds, ["0.2 ms", ""]),
                ("4 KiB at random, p99", Unit::Milliseconds, ["2 ms", ""]),
                ("4 KiB at random", Unit::PerSecond, ["0.8 squashfuse", "0.9 ext4 with passthrough"]),
            ],
            random(1),
        ),
        Measure::new(
            &[
                ("4 readers, 4 KiB at random, p50", Unit::Milliseconds, ["", ""]),
                ("4 readers, 4 KiB at random, p99", Unit::Milliseconds, ["", ""]),
                ("4 readers, 4 KiB at random", Unit::PerSecond, ["1.6 squashfuse with 1", ""]),
            ],
            random(4),
        ),
        Measure::new(&[("all files of the game", Unit::MbPerSecond, ["0.6 ext4", ""])], |root| {
            vec![reads::whole_files(&sources.game, root).1]
        }),
        Measure::new(&[("1000 files of the game at random", Unit::PerSecond, ["0.6 ext4", ""])], |root| {
            vec![reads::whole_files(&sources.assets, root).0]
        }),
        Measure::new(&[("small files, all", Unit::PerSecond, ["", "0.9 ext4"])], |root| {
            vec![reads::whole_files(&sources.small, root).0]
        }),
        Measure::new(&[("first byte of a file, p50", Unit::Milliseconds, ["", "0.5 ms"])], |root| {
            vec![reads::first_byte(&sources.assets, root)]
        }),
    ]
}

fn listing() -> Vec<Measure<'static>> {
    const LISTED: [&str; 2] = ["1.3 ext4", "0.8 ext4"];
    const FIND: &[Figure] = &[("find", Unit::Seconds, LISTED)];
    const LIST: &[Figure] = &[("ls -lR", Unit::Seconds, LISTED)];
    const ROOM: &[Figure] = &[("du", Unit::Seconds, ["", ""])];
    const CAT: &[Figure] = &[("cat of every file", Unit::Seconds, ["", "0.9 ext4"])];
    const BROWSE: &[Figure] = &[("list, stat, first KiB of each file", Unit::Seconds, ["", ""])];
    const STATUS: &[Figure] = &[("git status", Unit::Seconds, ["", ""])];
    const DIFF: &[Figure] = &[("diff -rq, 1 % changed", Unit::Seconds, ["", ""])];
    let small = |line: &'static str| move |root: &Path| vec![reads::command(&root.join("small"), line, &[0])];
    let diff = |root: &Path| vec![reads::command(root, "diff -rq small small-next", &[1])];
    // The folder may belong to somebody else, and nothing can be written beside it.
    let status = "GIT_OPTIONAL_LOCKS=0 git -c safe.directory='*' status --porcelain";
    vec![
        Measure::new(FIND, small("find .")),
        Measure::new(LIST, small("ls -lR")),
        Measure::new(ROOM, small("du -s .")),
        Measure::new(CAT, small("find . -type f -print0 | xargs -0 cat")),
        Measure::new(BROWSE, |root: &Path| vec![reads::browse(&root.join("small"))]),
        Measure::new(STATUS, move |root: &Path| vec![reads::command(&root.join("repository"), status, &[0])]),
        Measure::new(DIFF, diff),
    ]
}

/// A figure with the best value of each file system, cold and warm.
struct Row {
    figure: Figure,
    values: Vec<[f64; 2]>,
}

/// Takes every measure of every file system in turn.
fn compare(tree: &Tree, shows: &[Show], measures: &[Measure<'_>], rounds: usize) -> Vec<Row> {
    // Loading takes longer than all measures, and the caches that count are the system's.
    let memory = tree.show(Show::Memory);
    let mut rows = Vec::new();
    for measure in measures {
        let mut taken = vec![Vec::new(); shows.len()];
        for _ in 0..rounds {
            for (show, taken) in shows.iter().zip(&mut taken) {
                let fresh = (*show != Show::Memory).then(|| tree.show(*show));
                let shown = fresh.as_ref().unwrap_or(&memory);
                drop_caches();
                let pass = || (measure.pass)(&shown.root);
                taken.push([pass(), pass()]);
            }
        }
        for (index, &figure) in measure.figures.iter().enumerate() {
            let best_of = |passes: &[[Vec<f64>; 2]], warmth: usize| {
                let values: Vec<f64> = passes.iter().map(|pass| pass[warmth][index]).collect();
                match figure.1.is_cost() {
                    true => best(&values),
                    false => values.into_iter().fold(0.0, f64::max),
                }
            };
            rows.push(Row {
                figure,
                values: taken.iter().map(|passes| [0, 1].map(|warmth| best_of(passes, warmth))).collect(),
            });
        }
    }
    rows
}

fn print_passes(rows: &[Row], shows: &[Show], passes: [(&str, bool); 2]) {
    for (warmth, (title, _)) in passes.iter().enumerate().filter(|(_, (_, is_wanted))| *is_wanted) {
        print_pass(rows, shows, title, warmth);
    }
}

/// Prints the values, and how many times better than its peers the mount is.
fn print_pass(rows: &[Row], shows: &[Show], title: &str, warmth: usize) {
    let ratios: Vec<(Show, Show)> = [Show::Default, Show::Passthrough]
        .into_iter()
        .flat_map(|own| [Show::Disk, Show::Squashfuse, Show::Memory].map(|peer| (own, peer)))
        .filter(|(own, peer)| shows.contains(own) && shows.contains(peer))
        .collect();
    print!("| {title} | unit ");
    shows.iter().for_each(|show| print!("| {} ", show.name()));
    ratios.iter().for_each(|(own, peer)| print!("| {} : {} ", own.name(), peer.name()));
    println!("| wanted |\n|---|---{}|---|", "|---".repeat(shows.len() + ratios.len()));
    for Row { figure: (name, unit, wanted), values } in rows {
        let value = |show: Show| {
            let index = shows.iter().position(|other| *other == show).expect("only those that are shown");
            values[index][warmth]
        };
        print!("| {name} | {} ", unit.name());
        for show in shows {
            let digits = if value(*show) < 10.0 { 3 } else { 0 };
            print!("| {:.digits$} ", value(*show));
        }
        for (own, peer) in &ratios {
            let ratio = if unit.is_cost() { value(*peer) / value(*own) } else { value(*own) / value(*peer) };
            print!("| {ratio:.2} ");
        }
        println!("| {} |", wanted[warmth]);
    }
    println!();
}

/// Prints how many bytes the mount hands out while two builds are compared.
fn compared_bytes(tree: &Tree, sources: &Sources) {
    let shown = tree.show(Show::Default);
    let process = shown.process().expect("a mount has a process");
    reads::command(&shown.root, "find small small-next -ls", &[0]);
    let before = usage(process).written;
    reads::command(&shown.root, "diff -rq small small-next", &[1]);
    let answered = usage(process).written - before;
    let (count, bytes) = sources.changed;
    println!("| diff -rq after a find | MB |\n|---|---|\n| handed out by the mount | {:.2} |", answered as f64 / 1e6);
    println!("| the {count} files that differ, on both sides | {:.2} |\n", 2.0 * bytes as f64 / 1e6);
}

/// Prints what the process of the mount takes, and how fast a restore is beside it.
fn resources(tree: &Tree, sources: &Sources, size: &Size) {
    let bytes = fs::metadata(tree.source.join(&sources.large)).expect("it is there").len() as f64;
    let (mut mounted, mut decoded, mut restored, mut rates) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..size.rounds {
        let shown = tree.show(Show::Default);
        drop_caches();
        let process = shown.process().expect("a mount has a process");
        let before = usage(process).cpu_seconds;
        rates.push(1.0 / reads::sequential(&shown.root.join(&sources.large)));
        mounted.push((usage(process).cpu_seconds - before) / bytes * 1e9);
        drop(shown);
        drop_caches();
        decoded.push(decode_alone(&tree.vault) / bytes * 1e9);
        let target = tree.vault.with_file_name(format!("restored{round}"));
        drop_caches();
        let mut restore = gamevault();
        restore.arg("--vault").arg(&tree.vault).args(["restore", "large"]).arg(&target);
        restored.push(seconds(|| run(&mut restore)).0 / bytes * 1e6);
        fs::remove_dir_all(target).expect("it can be removed");
    }
    let (mounted, decoded) = (best(&mounted), best(&decoded));
    let (rate, restored) = (1.0 / best(&rates), 1.0 / best(&restored));
    let after = after_much(tree, sources, size.much);
    println!("| resources | value | wanted |\n|---|---|---|");
    println!("| CPU s of the mount, GB of a cold sequential read | {mounted:.2} | |");
    println!("| CPU s of decoding alone, GB | {decoded:.2} | |");
    println!("| ratio of the two | {:.2} | at most 1.3 |", mounted / decoded);
    println!("| cold sequential read, MB/s | {rate:.0} | |\n| restore of the same file, MB/s | {restored:.0} | |");
    println!("| ratio of the two | {:.2} | 0.8 |", rate / restored);
    let gb = size.much as f64 / 1e9;
    println!("| memory of the mount after {gb:.0} GB, MB | {:.0} | at most 256 MiB |\n", after.resident_mb);
}

/// Returns the CPU seconds of decoding the large file in one thread.
fn decode_alone(vault: &Path) -> f64 {
    let vault = Vault::open(vault).expect("the vault opens");
    let builds = vault.builds().expect("the vault has builds");
    let build = builds.iter().find(|build| build.id.as_str() == "large").expect("it was stored");
    let mut buf = vec![0; 128 << 10];
    let start = cpu_seconds();
    decode(vault.reader(), build.root.id, &mut buf);
    cpu_seconds() - start
}

fn decode(reader: &Reader, directory: ChunkId, buf: &mut [u8]) {
    let mut contents = Vec::new();
    let listed = reader.for_each_entry(directory, &mut |entry| {
        contents.extend(match &entry.kind {
            EntryKind::File(content) => Some(*content),
            EntryKind::Directory(_) | EntryKind::Symlink(_) => None,
        });
        Ok(())
    });
    listed.expect("the build can be listed");
    for content in contents {
        let mut offset = 0;
        while offset < content.size {
            offset += reader.read_at(&content, offset, buf).expect("the build can be read") as u64;
        }
    }
}

/// Returns what the mount takes after `much` bytes were read through it.
fn after_much(tree: &Tree, sources: &Sources, much: u64) -> Usage {
    let shown = tree.show(Show::Default);
    let all: Vec<&PathBuf> = std::iter::once(&sources.large).chain(&sources.game).chain(&sources.small).collect();
    let pass: u64 = all.iter().map(|path| fs::metadata(tree.source.join(path)).expect("it is there").len()).sum();
    for _ in 0..much.div_ceil(pass) {
        drop_caches();
        reads::whole_files(all.iter().copied(), &shown.root);
    }
    usage(shown.process().expect("a mount has a process"))
}

/// Prints how soon a vault of many builds answers, and what it takes to walk through all of them.
fn ready(place: &Path, size: &Size) {
    let (vault_dir, small, mount) = (place.join("many-builds"), place.join("few-files"), place.join("mount"));
    let vault = Vault::init(&vault_dir).expect("a vault can be made");
    for n in 0..BUILDS {
        write(&small.join(format!("file{}", n % 50)), n.to_string().as_bytes());
        vault.snapshot(&small, &SnapshotOptions::default(), &Progress::new()).expect("it can be stored");
    }
    drop(vault);
    let (mut readies, mut lists, mut finds) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..size.rounds.max(5) {
        readies.push(seconds(|| run(gamevault().arg("--vault").arg(&vault_dir).arg("mount").arg(&mount))).0);
        let (wall, names) = seconds(|| fs::read_dir(mount.join("builds")).expect("it can be listed").count());
        assert_eq!(names, BUILDS + 1, "all builds and the newest");
        lists.push(wall);
        finds.push(reads::command(&mount, "find builds -maxdepth 2", &[0]));
        run(gamevault().arg("--vault").arg(&vault_dir).arg("unmount").arg(&mount));
    }
    let milliseconds = |values: &[f64]| best(values) * 1e3;
    println!("| with {BUILDS} builds | value | wanted |\n|---|---|---|");
    println!("| mounted and ready, ms | {:.0} | at most 50 |", milliseconds(&readies));
    println!("| first listing of builds/, ms | {:.1} | |", milliseconds(&lists));
    println!("| find builds -maxdepth 2, ms | {:.0} | |\n", milliseconds(&finds));
}
