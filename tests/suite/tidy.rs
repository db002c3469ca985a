//! Layers and invariants: what may stand where.
//!
//! The source is read as text, folder by folder, so that a new file is checked without being named here. Tests and
//! comments are left out of what is looked at, but for absolute paths. A failure says where the line should go instead.

use std::fs;
use std::path::{Path, PathBuf};

/// The layers, lowest first: a module uses those below its own.
const LAYERS: [&[&str]; 8] = [
    &["error", "id", "name", "progress", "secret"],
    &["disk", "codec", "lens", "manifest", "catalogue", "engines"],
    &["store"],
    &["ingest", "content", "feedback", "platform", "compare", "report", "receive"],
    &["vault"],
    &["tree"],
    &["mount"],
    &["cli", "main"],
];

/// Who may use whom inside a layer, and why. These edges must not make a ring.
const SIBLINGS: [(&str, &str, &str); 15] = [
    ("id", "error", "an id of a wrong length is an error"),
    ("name", "error", "a name that breaks a rule is an error"),
    ("progress", "error", "a cancel is an error"),
    ("disk", "manifest", "the plain types Timestamp and XattrSet, which the host's trees have as well"),
    ("catalogue", "manifest", "the plain types that records and seen files hold"),
    ("catalogue", "disk", "StatKey, by which a seen file is known again"),
    ("codec", "lens", "the plain type Shape, by which filters know pixels, blocks and sound"),
    ("compare", "content", "builds are compared by reading their manifests"),
    ("ingest", "content", "a changed file is stored as a difference to its earlier version"),
    ("ingest", "compare", "the plain type Change, in which a session tells what differs from its base"),
    ("compare", "platform", "files of settings are compared setting by setting, as platform reads them"),
    ("report", "compare", "the plain types of changes, which pages show"),
    ("report", "platform", "the plain types of settings, which pages show"),
    ("report", "feedback", "the plain types of answers, which pages show"),
    ("feedback", "compare", "the plain types of changes, among which suspects are"),
];

/// What `crate::` offers under a short name, with the module that it stands for.
const SHORT_NAMES: [(&str, &str); 4] =
    [("Error", "error"), ("ErrorKind", "error"), ("Result", "error"), ("Vault", "vault")];

/// A word that only some places may contain.
struct Rule {
    words: &'static [&'static str],
    /// Files and folders below `src`.
    allowed: &'static [&'static str],
    /// Where the line should go instead.
    instead: &'static str,
}

const RULES: [Rule; 10] = [
    Rule {
        words: &["SELECT ", "INSERT INTO ", "INSERT OR ", "UPDATE ", "DELETE FROM ", "CREATE TABLE ", "PRAGMA "],
        allowed: &["catalogue/"],
        instead: "only catalogue/ contains SQL: give the Catalogue a method that says what is wanted",
    },
    Rule {
        words: &["rusqlite"],
        allowed: &["catalogue/"],
        instead: "only catalogue/ knows SQLite: return a type of catalogue/ instead",
    },
    Rule {
        words: &["fuser", "winfsp"],
        // cli/logging.rs names whose warnings are left out; cli/arguments.rs shows the notice that WinFsp's terms ask for.
        allowed: &["mount/", "cli/logging.rs", "cli/arguments.rs"],
        instead: "only mount/ names the systems' mount interfaces: give the tree a type of its own and translate it there",
    },
    Rule {
        words: &["libc::", "nix::", "errno", "NTSTATUS"],
        // cli/background.rs starts a session for the daemon; cli/child.rs passes signals to a program that it runs;
        // cli/environment/mod.rs asks for the host's name.
        allowed: &["mount/", "disk/host/", "cli/background.rs", "cli/child.rs", "cli/environment/mod.rs"],
        instead: "system calls stand in disk/host/, error numbers in mount/; elsewhere use ErrorKind",
    },
    Rule {
        words: &["std::fs", "File::", "OpenOptions::"],
        // vault/restore/, vault/tree_hash.rs, vault/feedback/import.rs, ingest/directory.rs and ingest/pipeline.rs read and write people's own trees, not the
        // vault; receive/ and vault/feedback/spool.rs write and read spool folders as games do; the mount looks at its mount point; cli/ has files of its own (log, man pages).
        allowed: &[
            "disk/",
            "vault/restore/",
            "vault/tree_hash.rs",
            "vault/feedback/import.rs",
            "vault/feedback/spool.rs",
            "receive/",
            "ingest/directory.rs",
            "ingest/pipeline.rs",
            "mount/",
            "cli/",
        ],
        instead: "only disk/ opens, syncs and renames the vault's files: go through the Disk trait, so that tests can \
                  let it fail",
    },
    Rule {
        words: &["println!", "eprintln!", "print!", "eprint!", "std::env", "process::exit"],
        allowed: &["cli/", "main.rs"],
        instead: "the library never prints, exits or reads the environment: return it, log it with tracing, or take it \
                  as an argument from cli/",
    },
    Rule {
        words: &["unsafe"],
        // windows.rs: the lock of one byte far behind the end of a file: the safe call locks the whole file against readers,
        // too. pidfd.rs: how a process ended that is no child; memory.rs: the allocator's setting; calls.rs: names of
        // processes, the list of mounts; library.rs: macFUSE's own function: there is no safe call.
        // mount/winfsp/windows/: calls of Windows and WinFsp, and what WinFsp calls; there is no safe interface to it that is
        // built without its kit.
        allowed: &[
            "disk/host/windows.rs",
            "mount/linux/pidfd.rs",
            "mount/macos/calls.rs",
            "mount/macos/library.rs",
            "mount/memory.rs",
            "mount/winfsp/windows/abi.rs",
            "mount/winfsp/windows/callbacks.rs",
            "mount/winfsp/windows/event.rs",
            "mount/winfsp/windows/library.rs",
            "mount/winfsp/windows/nice.rs",
            "mount/winfsp/windows/security.rs",
            "mount/winfsp/windows/system.rs",
        ],
        instead: "unsafe stands in named leaf files only: name the file in this rule, with the reason",
    },
    Rule {
        words: &[
            "cfg(unix",
            "cfg(windows",
            "cfg(target_",
            "cfg(any(",
            "cfg(not(",
            "cfg(all(",
            "cfg!(",
            "cfg_attr(unix",
            "cfg_attr(windows",
            "cfg_attr(target_",
            "cfg_attr(not(",
            "cfg_attr(any(",
            "std::os::",
        ],
        // cli/ starts a session, listens to signals and passes them on, asks for the host's name and says where a vault lies
        // by custom, each system its way.
        allowed: &[
            "disk/",
            "mount/",
            "cli/background.rs",
            "cli/child.rs",
            "cli/environment/mod.rs",
            "cli/interrupt.rs",
            "cli/locate.rs",
            "cli/commands/mount.rs",
        ],
        instead: "what differs between systems stands in disk/host/ or mount/: add a function there that all have",
    },
    Rule {
        words: &[".unwrap()"],
        allowed: &[],
        instead: "pass the error on with `?`, or say by expect(\"why\") why it cannot fail",
    },
    Rule { words: &["todo!", "unimplemented!", "dbg!"], allowed: &[], instead: "finish it or take it out" },
];

/// Kinds of files that are read as text when paths are looked for.
const TEXT: [&str; 9] = ["rs", "md", "toml", "lock", "sql", "sh", "yml", "json", ""];

/// A line of code with its number, without comment.
struct Line {
    number: usize,
    code: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Returns all files below a folder of the project, but for what is no part of it.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = entry.path();
        if path.is_dir() {
            if ![".git", "target", "tmp"].contains(&name.as_str()) {
                files.extend(files_below(&path));
            }
        } else if name != ".git" {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Returns the source files by their paths below `src`, with `/` on every system.
fn sources() -> Vec<(String, String)> {
    let src = root().join("src");
    let files = files_below(&src).into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "rs"));
    let name = |path: &Path| path.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/");
    files.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect()
}

/// Returns the lines of `text` without comments and without modules of tests.
fn code_of(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut in_tests = false;
    let all: Vec<&str> = text.lines().collect();
    for (index, line) in all.iter().enumerate() {
        let starts_tests = line.starts_with("#[cfg(") && line.contains("test") && !line.contains("not(test");
        if starts_tests && all.get(index + 1).is_some_and(|next| next.starts_with("mod ") && next.ends_with('{')) {
            in_tests = true;
        }
        if !in_tests {
            let code = match line.trim_start().starts_with("//") {
                true => "",
                false => line.split(" // ").next().unwrap_or(line),
            };
            lines.push(Line { number: index + 1, code: code.to_owned() });
        }
        in_tests &= *line != "}";
    }
    lines
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn identifier(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())]
}

/// Returns the top modules that a line names by `crate::` or by climbing out of its own.
fn modules_named<'a>(code: &'a str, module_path: &[&str]) -> Vec<&'a str> {
    let mut named: Vec<&str> = code.split("crate::").skip(1).map(identifier).collect();
    let mut rest = code;
    while let Some(at) = rest.find("super::") {
        rest = &rest[at..];
        let mut climbed = 0;
        while let Some(after) = rest.strip_prefix("super::") {
            (rest, climbed) = (after, climbed + 1);
        }
        if climbed >= module_path.len() {
            named.push(identifier(rest));
        }
    }
    named.retain(|name| *name != "super");
    named
}

/// Says what is wrong with `from` using `to`; `None` if nothing is.
fn why_not(from: &str, to: &str) -> Option<String> {
    let to = SHORT_NAMES.iter().find(|(short, _)| *short == to).map_or(to, |(_, module)| module);
    if from == to {
        return None;
    }
    let Some(above) = layer_of(from) else {
        return Some(format!("`{from}` has no layer: give it one in LAYERS and in docs/architecture.md"));
    };
    match layer_of(to) {
        None => Some(format!("`crate::{to}` is no module with a layer: name one module a line, and list it in LAYERS")),
        Some(below) if below < above => None,
        Some(below) if below == above && SIBLINGS.iter().any(|edge| (edge.0, edge.1) == (from, to)) => None,
        Some(below) if below == above => Some(format!(
            "`{from}` and its sibling `{to}` do not know each other: move what they share to a lower layer, or what \
             joins them to a higher one"
        )),
        Some(below) => Some(format!(
            "`{from}` (layer {above}) uses `{to}` (layer {below}): move this to `{to}` or above, or hand it down as an \
             argument"
        )),
    }
}

fn assert_none(problems: Vec<String>) {
    assert!(problems.is_empty(), "{} lines stand where they should not:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn modules_use_only_lower_layers() {
    let mut problems = Vec::new();
    for (file, text) in sources() {
        let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
        let module_path: Vec<&str> = path.split('/').collect();
        if file == "lib.rs" {
            continue;
        }
        for line in code_of(&text) {
            for to in modules_named(&line.code, &module_path) {
                problems.extend(why_not(module_path[0], to).map(|why| format!("src/{file}:{}: {why}", line.number)));
            }
        }
    }
    assert_none(problems);
}

#[test]
fn words_stand_in_their_places() {
    let mut problems = Vec::new();
    for (file, text) in sources() {
        let rules = RULES.iter().filter(|rule| !rule.allowed.iter().any(|place| file.starts_with(place)));
        let lines = code_of(&text);
        for (rule, line) in rules.flat_map(|rule| lines.iter().map(move |line| (rule, line))) {
            for word in rule.words.iter().filter(|word| holds_word(&line.code, word)) {
                problems.push(format!("src/{file}:{}: `{}`: {}", line.number, word.trim(), rule.instead));
            }
        }
    }
    assert_none(problems);
}

/// Tells whether `code` holds `word`, not as the end or the start of a longer one.
fn holds_word(code: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let (before, after) = (code[..at].chars().next_back(), code[at + word.len()..].chars().next());
        let is_end = word.starts_with(is_part) && before.is_some_and(is_part);
        let is_start = word.ends_with(is_part) && after.is_some_and(is_part);
        !is_end && !is_start
    })
}

#[test]
fn every_source_file_says_first_what_it_is_for() {
    let mut files = sources();
    let tests = files_below(&root().join("tests"));
    for path in tests.iter().filter(|path| path.extension().is_some_and(|kind| kind == "rs")) {
        files.push((path.display().to_string(), fs::read_to_string(path).unwrap()));
    }
    let silent = files.iter().filter(|(_, text)| !text.starts_with("//! "));
    assert_none(silent.map(|(file, _)| format!("{file}: start with one line `//! What this is for.`")).collect());
}

#[test]
fn no_file_names_a_place_on_one_machine() {
    // In pieces, or this file would name them.
    let forbidden = [
        (["/wo", "rk/"].concat(), "name the path relative to the project, or take it as an argument"),
        (["/ro", "ot/"].concat(), "name the path relative to the project, or take it as an argument"),
        (["/ho", "me/"].concat(), "name the path relative to the project; examples live with /home/me"),
        (["sparse+", "http"].concat(), "registries are a matter of the machine, not of the project"),
        (["replace", "-with ="].concat(), "registries are a matter of the machine, not of the project"),
        (["index", "-url"].concat(), "registries are a matter of the machine, not of the project"),
    ];
    let registry = ["registry", "+"].concat();
    let public = format!("{registry}https://github.com/rust-lang/crates.io-index");
    let mut problems = Vec::new();
    for path in files_below(&root()) {
        let kind = path.extension().map_or("", |kind| kind.to_str().unwrap());
        let Some(text) = fs::read_to_string(&path).ok().filter(|_| TEXT.contains(&kind)) else { continue };
        for (index, line) in text.lines().enumerate() {
            let place = || format!("{}:{}", path.strip_prefix(root()).unwrap().display(), index + 1);
            let line = line.replace(&["/ho", "me/me"].concat(), "");
            let line = line.replace(&public, "");
            problems.extend(
                forbidden.iter().filter(|(word, _)| line.contains(word)).map(|(_, why)| format!("{}: {why}", place())),
            );
            if line.contains(&registry) {
                problems.push(format!("{}: lock against the public registry", place()));
            }
        }
    }
    assert_none(problems);
}

#[test]
fn a_line_in_the_wrong_place_is_told_where_to_go() {
    assert!(why_not("store", "vault").unwrap().contains("move this to `vault`"));
    assert!(why_not("codec", "disk").unwrap().contains("do not know each other"));
    assert!(why_not("novelty", "store").unwrap().contains("has no layer"));
    assert!(why_not("vault", "store").is_none() && why_not("compare", "content").is_none());
    assert_eq!(modules_named("use super::super::vault::Vault;", &["tree", "builds"]), ["vault"]);
    assert_eq!(modules_named("use super::Reader;", &["content", "file"]), [""; 0]);
    assert!(holds_word("unsafe { x }", "unsafe") && !holds_word("unsafe_thing", "unsafe"));
    let code = code_of("a\n#[cfg(test)]\nmod tests {\n    x.unwrap();\n}\nb // c\n");
    assert_eq!(code.iter().map(|line| line.code.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}
