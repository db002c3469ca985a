//! Feedback in a vault: imported once, linked to builds as well as it can be, found, and forgotten.

use crate::support::{Scene, noise, write};
use gamevault::Vault;
use gamevault::catalogue::BuildInfo;
use gamevault::catalogue::feedback::{FeedbackKind, FeedbackQuery, Found, Link, LinkMethod};
use gamevault::error::ErrorKind;
use gamevault::feedback::{FINGERPRINT_END, fingerprint};
use gamevault::id::BuildNumber;
use gamevault::name::RefName;
use gamevault::progress::Progress;
use gamevault::vault::{DeployOptions, ForgetFeedback, ImportOptions, ImportReport, SnapshotOptions, VerifyOptions};
use std::collections::{BTreeMap, HashSet};
use std::fs;

fn build(scene: &Scene, id: &str, info: BuildInfo) -> u64 {
    let options = SnapshotOptions { id: Some(id.parse().unwrap()), info, ..SnapshotOptions::default() };
    scene.vault.snapshot(&scene.path("game"), &options, &Progress::new()).unwrap().build.number.0
}

fn scene() -> Scene {
    let scene = Scene::new();
    write(&scene.path("game/level"), b"one");
    scene
}

fn import_with(scene: &Scene, lines: &str, options: &ImportOptions) -> ImportReport {
    let file = scene.path("feedback.jsonl");
    fs::write(&file, lines).unwrap();
    scene.vault.import_feedback(&[file], options, &Progress::new()).unwrap()
}

fn import(scene: &Scene, lines: &str) -> ImportReport {
    import_with(scene, lines, &ImportOptions::default())
}

fn all(vault: &Vault) -> Vec<Found> {
    let query = FeedbackQuery { oldest_first: true, ..FeedbackQuery::default() };
    vault.feedback().unwrap().search(&query).unwrap()
}

fn texts(vault: &Vault, query: &FeedbackQuery) -> Vec<String> {
    vault.feedback().unwrap().search(query).unwrap().into_iter().map(|found| found.record.text).collect()
}

fn search(vault: &Vault, text: &str) -> Vec<String> {
    texts(vault, &FeedbackQuery { text: Some(text.into()), ..FeedbackQuery::default() })
}

fn counts(report: &ImportReport) -> (u64, u64, u64, u64) {
    (report.added, report.updated, report.unchanged, report.rejected)
}

/// Numbers of builds and the method, by the text of each record.
fn links(vault: &Vault) -> BTreeMap<String, (Vec<u64>, Option<LinkMethod>)> {
    let link = |link: Link| (link.builds.iter().map(|build| build.0).collect(), link.method);
    all(vault).into_iter().map(|found| (found.record.text, link(found.link))).collect()
}

#[test]
fn a_file_that_has_grown_adds_what_is_new() {
    let scene = scene();
    let first = "{\"text\":\"same\"}\n{\"text\":\"same\"}\n{\"source_id\":\"7\",\"text\":\"old\"}\nno record\n";
    assert_eq!(counts(&import(&scene, first)), (3, 0, 0, 1));
    assert_eq!(counts(&import(&scene, first)), (0, 0, 3, 1));
    // A third of the same words is one more, a record that its source changed is the same.
    let grown = format!("{first}{{\"text\":\"same\"}}\n{{\"source_id\":\"7\",\"text\":\"new\"}}\n");
    let report = import(&scene, &grown);
    assert_eq!(counts(&report), (1, 1, 3, 1));
    assert!(report.batch.is_some());
    let mut kept = texts(&scene.vault, &FeedbackQuery::default());
    kept.sort();
    assert_eq!(kept, ["new", "same", "same", "same"]);
    assert_eq!(search(&scene.vault, "old"), Vec::<String>::new());
    assert_eq!(search(&scene.vault, "new"), ["new"]);
    // An import without news leaves nothing behind.
    assert_eq!(scene.vault.feedback_batches().unwrap().len(), 2);
}

#[test]
fn a_rehearsal_keeps_nothing() {
    let scene = scene();
    let report =
        import_with(&scene, "{\"text\":\"a\"}\nbroken\n", &ImportOptions { dry_run: true, ..ImportOptions::default() });
    assert_eq!(counts(&report), (1, 0, 0, 1));
    assert_eq!((report.batch, report.first[0].text.as_str(), report.first_rejected[0].number), (None, "a", 2));
    assert_eq!((all(&scene.vault).len(), scene.vault.feedback_batches().unwrap().len()), (0, 0));
}

#[test]
fn the_best_clue_leads_to_the_build() {
    let scene = scene();
    let stamp = scene.vault.stamp(&scene.path("game"), Some("0.7.3")).unwrap().stamp;
    write(
        &scene.path("game/Game_Data/boot.config"),
        b"wait-for-native-debugger=0\nbuild-guid=0123456789abcdef0123456789ABCDEF\n",
    );
    let pack = noise(7, 300_000);
    write(&scene.path("game/game.pck"), &pack);
    let fingerprint = fingerprint(300_000, &pack[..FINGERPRINT_END], &pack[300_000 - FINGERPRINT_END..]);
    let one = build(&scene, "0.7.3", BuildInfo { platform: Some("windows".into()), ..BuildInfo::default() });
    let two = build(
        &scene,
        "0.7.3-linux",
        BuildInfo { platform: Some("linux".into()), label: Some("0.7.3".into()), ..BuildInfo::default() },
    );
    scene.vault.stamp(&scene.path("game"), None).unwrap();
    fs::remove_dir_all(scene.path("game/Game_Data")).unwrap();
    fs::remove_file(scene.path("game/game.pck")).unwrap();
    let three = build(&scene, "b812", BuildInfo { label: Some("v0.8".into()), ..BuildInfo::default() });
    import(
        &scene,
        &[
            format!("{{\"text\":\"stamp\",\"build\":{{\"stamp\":\"{}\",\"version\":\"0.8\"}}}}", stamp.to_lowercase()),
            "{\"text\":\"stamp of linux\",\"platform\":\"linux\",\"build\":{\"stamp\":\"STAMP\"}}"
                .replace("STAMP", &stamp),
            "{\"text\":\"guid\",\"build\":{\"guid\":\"0123456789ABCDEF0123456789abcdef\",\"version\":\"nonsense\"}}"
                .into(),
            format!(
                "{{\"text\":\"fingerprint\",\"platform\":\"linux\",\"build\":{{\"fingerprint\":\"{fingerprint}\"}}}}"
            ),
            "{\"text\":\"label\",\"build\":{\"version\":\"V0.8\"}}".into(),
            "{\"text\":\"release\",\"build\":{\"version\":\"game@0.8+b812\"}}".into(),
            "{\"text\":\"two\",\"build\":{\"version\":\"0.7.3\"}}".into(),
            "{\"text\":\"two of windows\",\"build\":{\"version\":\"0.7.3\"},\"platform\":\"Windows\"}".into(),
            "{\"text\":\"number\",\"build\":{\"version\":\"b812\"}}".into(),
            "{\"text\":\"unknown\",\"build\":{\"version\":\"0.9\"}}".into(),
            "{\"text\":\"nothing\"}".into(),
        ]
        .join("\n"),
    );
    use LinkMethod::*;
    let both = vec![one, two];
    let expected: BTreeMap<String, (Vec<u64>, Option<LinkMethod>)> = [
        ("stamp", both.clone(), Some(Stamp)),
        ("stamp of linux", vec![two], Some(Stamp)),
        ("guid", both.clone(), Some(EngineGuid)),
        ("fingerprint", vec![two], Some(Fingerprint)),
        ("label", vec![three], Some(Version)),
        ("release", vec![three], Some(NormalizedVersion)),
        ("two", both, Some(Version)),
        ("two of windows", vec![one], Some(Version)),
        ("number", vec![three], Some(Version)),
        ("unknown", vec![], None),
        ("nothing", vec![], None),
    ]
    .into_iter()
    .map(|(text, builds, method)| (text.to_owned(), (builds, method)))
    .collect();
    assert_eq!(links(&scene.vault), expected);
    // What may be about several is found with each of them, unless somebody wants to be sure.
    let query = FeedbackQuery { builds: Some(vec![BuildNumber(one)]), ..FeedbackQuery::default() };
    assert_eq!(texts(&scene.vault, &query).len(), 4);
    assert_eq!(texts(&scene.vault, &FeedbackQuery { only_sure: true, ..query }), ["two of windows"]);
    let unlinked = FeedbackQuery { builds: Some(Vec::new()), ..FeedbackQuery::default() };
    assert_eq!(texts(&scene.vault, &unlinked), ["nothing", "unknown"]);
}

#[test]
fn what_is_learned_later_links_what_came_before() {
    let scene = scene();
    let one = build(&scene, "one", BuildInfo::default());
    import(
        &scene,
        "{\"source\":\"steam\",\"text\":\"review\",\"time\":\"2026-05-10T00:00:00Z\"}\n\
        {\"text\":\"crash\",\"build\":{\"store_build\":\"steam:99\"}}\n\
        {\"text\":\"beta\",\"time\":\"2026-05-10T00:00:00Z\",\"build\":{\"channel\":\"Beta\"}}\n\
        {\"text\":\"before\",\"source\":\"steam\",\"time\":\"2026-04-01T00:00:00Z\"}\n\
        {\"text\":\"later version\",\"build\":{\"version\":\"two\"}}\n",
    );
    assert!(links(&scene.vault).values().all(|(builds, _)| builds.is_empty()));
    write(&scene.path("game/level"), b"two");
    let two = build(&scene, "two", BuildInfo::default());
    let deploy = |build: &str, channel: Option<&str>, store_build: Option<&str>, time: &str| {
        let options = DeployOptions {
            store: RefName::new("steam").unwrap(),
            app: None,
            store_build: store_build.map(str::to_owned),
            channel: channel.map(str::to_owned),
            time: Some(time.parse().unwrap()),
        };
        scene.vault.record_deployment(&scene.vault.build(build).unwrap(), &options).unwrap();
    };
    deploy("one", None, Some("98"), "2026-05-01T00:00:00Z");
    deploy("two", Some("beta"), Some("99"), "2026-05-02T00:00:00Z");
    deploy("two", None, None, "2026-06-01T00:00:00Z");
    let relinked = scene.vault.relink_feedback().unwrap();
    assert_eq!((relinked.records, relinked.changed, relinked.linked, relinked.unlinked), (5, 4, 4, 1));
    use LinkMethod::*;
    let link = |build, method| (vec![build], Some(method));
    let links = links(&scene.vault);
    assert_eq!(links["review"], link(one, Deployment));
    assert_eq!(links["crash"], link(two, StoreBuild));
    assert_eq!(links["beta"], link(two, Deployment));
    assert_eq!(links["later version"], link(two, Version));
    assert_eq!(links["before"], (vec![], None));
    assert_eq!(scene.vault.relink_feedback().unwrap().changed, 0);
}

#[test]
fn a_given_build_counts_for_what_says_nothing_better() {
    let scene = scene();
    let one = build(&scene, "one", BuildInfo::default());
    let two = build(&scene, "two", BuildInfo::default());
    let lines = "{\"text\":\"says so\",\"build\":{\"version\":\"two\"}}\n{\"text\":\"says nothing\"}\n";
    import_with(&scene, lines, &ImportOptions { build: Some(BuildNumber(one)), ..ImportOptions::default() });
    // Imported again without it, it is still known.
    assert_eq!(counts(&import(&scene, lines)), (0, 0, 2, 0));
    let links = links(&scene.vault);
    assert_eq!(links["says so"], (vec![two], Some(LinkMethod::Version)));
    assert_eq!(links["says nothing"], (vec![one], Some(LinkMethod::Given)));
}

#[test]
fn words_and_everything_else_find_records() {
    let scene = scene();
    import(
        &scene,
        "{\"kind\":\"bug\",\"title\":\"Camera\",\"text\":\"it spins in the café\",\"tags\":[\"camera\",\"ui\"],\"where\":{\"level\":\"Ice Cave\"},\"time\":\"2026-05-01T00:00:00Z\"}\n\
        {\"kind\":\"crash\",\"text\":\"spinning wheel\",\"platform\":\"linux\",\"signature\":\"Null\",\"tags\":[\"camera\"],\"time\":\"2026-05-02T00:00:00Z\"}\n\
        {\"kind\":\"event\",\"event\":\"level_end\",\"outcome\":\"death\",\"where\":{\"level\":\"Ice Cave\"},\"session\":\"s1\",\"fields\":{\"answer\":\"a long pause\"}}\n",
    );
    let vault = &scene.vault;
    for (text, expected) in [
        ("spins", 1),
        ("spin*", 2),
        ("CAFE", 1),
        ("\"in the\"", 1),
        ("\"the in\"", 0),
        ("spins wheel", 0),
        ("spins or wheel", 2),
        ("spin* -wheel", 1),
        ("-wheel", 2),
        ("pause", 1),
        ("camera", 2),
        ("ice", 2),
        ("\"", 3),
        ("facets : b0 ) OR (", 0),
    ] {
        assert_eq!(search(vault, text).len(), expected, "{text}");
    }
    let count = |query: FeedbackQuery| {
        let index = vault.feedback().unwrap();
        let found = index.search(&query).unwrap().len() as u64;
        assert_eq!(index.count(&query).unwrap(), found);
        found
    };
    let level = Some("Ice Cave".to_owned());
    assert_eq!(count(FeedbackQuery { level: level.clone(), ..FeedbackQuery::default() }), 2);
    assert_eq!(count(FeedbackQuery { level, kinds: vec![FeedbackKind::Bug], ..FeedbackQuery::default() }), 1);
    assert_eq!(count(FeedbackQuery { tags: vec!["camera".into(), "ui".into()], ..FeedbackQuery::default() }), 1);
    assert_eq!(count(FeedbackQuery { signature: Some("Null".into()), ..FeedbackQuery::default() }), 1);
    assert_eq!(count(FeedbackQuery { session: Some("s1".into()), ..FeedbackQuery::default() }), 1);
    assert_eq!(count(FeedbackQuery { platform: Some("amiga".into()), ..FeedbackQuery::default() }), 0);
    let time = |text: &str| Some(text.parse().unwrap());
    assert_eq!(count(FeedbackQuery { since: time("2026-05-02T00:00:00Z"), ..FeedbackQuery::default() }), 1);
    assert_eq!(count(FeedbackQuery { until: time("2026-05-02T00:00:00Z"), ..FeedbackQuery::default() }), 1);
    let by_words =
        FeedbackQuery { text: Some("spin*".into()), until: time("2026-05-02T00:00:00Z"), ..FeedbackQuery::default() };
    assert_eq!(count(by_words), 1);
}

#[test]
fn records_are_known_by_the_start_of_their_id() {
    let scene = scene();
    import(&scene, "{\"text\":\"a\"}\n{\"text\":\"b\"}\n");
    let id = all(&scene.vault)[0].id.to_string();
    for len in [1, 7, 32] {
        let found = scene.vault.feedback_record(&id[..len].to_uppercase());
        assert_eq!(found.unwrap().record.text, "a", "{len}");
    }
    for (id, kind) in [("", ErrorKind::NotFound), ("zz", ErrorKind::Invalid), ("ffffffffff", ErrorKind::NotFound)] {
        assert_eq!(scene.vault.feedback_record(id).unwrap_err().kind(), kind, "{id}");
    }
}

#[test]
fn players_have_pseudonyms_and_can_be_forgotten() {
    let scene = scene();
    import(
        &scene,
        "{\"text\":\"secretword of ann\",\"player\":\"Ann@Example.com \"}\n{\"text\":\"bob\",\"player\":\"bob\"}\n{\"text\":\"nobody\"}\n",
    );
    import(&scene, "{\"text\":\"more of ann\",\"player\":\"ann@example.com\"}\n");
    let players: HashSet<_> = all(&scene.vault).into_iter().filter_map(|found| found.record.player).collect();
    assert_eq!(players.len(), 2);
    assert!(players.iter().all(|player| player.starts_with("p-") && !player.contains("ann")));
    let what = ForgetFeedback { player: Some("ANN@example.com".into()), before: None };
    let forgotten = scene.vault.forget_feedback(&what, &Progress::new()).unwrap();
    assert_eq!((forgotten.records, forgotten.imports), (2, 2));
    let left: Vec<String> = all(&scene.vault).into_iter().map(|found| found.record.text).collect();
    assert_eq!(left, ["bob", "nobody"]);
    // Nothing of it is left in the index, nor in what the catalogue leads to.
    let index = fs::read(scene.vault.feedback_index_path()).unwrap();
    assert!(!index.windows(10).any(|bytes| bytes == b"secretword"));
    let scene = lose_index(scene);
    assert_eq!(all(&scene.vault).len(), 2);
    let verified = scene.vault.verify(&VerifyOptions { read_data: true, ..VerifyOptions::default() }, &Progress::new());
    assert!(verified.unwrap().problems.is_empty());
    // What nobody says is refused.
    let nothing = scene.vault.forget_feedback(&ForgetFeedback::default(), &Progress::new());
    assert_eq!(nothing.unwrap_err().kind(), ErrorKind::Invalid);
}

/// Takes the index away, as a disk does that fails.
fn lose_index(scene: Scene) -> Scene {
    let path = scene.vault.feedback_index_path();
    let Scene { dir, vault } = scene;
    drop(vault);
    for beside in ["", "-wal", "-shm"] {
        fs::remove_file(format!("{}{beside}", path.display())).ok();
    }
    let vault = Vault::open(&dir.path().join("vault")).unwrap();
    Scene { dir, vault }
}

#[test]
fn everything_is_found_again_in_packs() {
    let scene = scene();
    let one = build(&scene, "one", BuildInfo::default());
    let lines =
        "{\"source_id\":\"1\",\"text\":\"a\",\"build\":{\"version\":\"one\"}}\n{\"source_id\":\"2\",\"text\":\"b\"}\n";
    import(&scene, lines);
    import(&scene, "{\"source_id\":\"2\",\"text\":\"b, better\"}\n");
    let deployed = DeployOptions {
        store: "itch".parse().unwrap(),
        app: None,
        store_build: Some("5".into()),
        channel: None,
        time: None,
    };
    scene.vault.record_deployment(&scene.vault.build("one").unwrap(), &deployed).unwrap();
    import(&scene, "{\"text\":\"c\",\"build\":{\"store_build\":\"itch:5\"}}\n");
    let before = links(&scene.vault);
    assert_eq!(before["c"], (vec![one], Some(LinkMethod::StoreBuild)));
    let scene = lose_index(scene);
    assert_eq!(links(&scene.vault), before);
    // A damaged index is made anew, too.
    let path = scene.vault.feedback_index_path();
    let Scene { dir, vault } = scene;
    drop(vault);
    fs::write(&path, b"this is no database, but it is long enough to be taken for one by its length alone").unwrap();
    let root = dir.path().join("vault");
    assert_eq!(links(&Vault::open(&root).unwrap()), before);
    let (batches, deployments) = {
        let vault = Vault::open(&root).unwrap();
        (vault.feedback_batches().unwrap(), vault.deployments().unwrap())
    };
    fs::remove_file(root.join("catalogue.db")).unwrap();
    Vault::repair(&root, &Progress::new()).unwrap();
    let vault = Vault::open(&root).unwrap();
    assert_eq!((vault.feedback_batches().unwrap(), vault.deployments().unwrap()), (batches, deployments));
    assert_eq!(links(&vault), before);
}

#[test]
fn other_processes_see_what_is_imported() {
    let scene = scene();
    let other = Vault::open(&scene.path("vault")).unwrap();
    assert!(all(&other).is_empty());
    import(&scene, "{\"text\":\"a\"}\n");
    assert_eq!(all(&other).len(), 1);
    let file = scene.path("more.jsonl");
    fs::write(&file, "{\"text\":\"a\"}\n{\"text\":\"b\"}\n").unwrap();
    let report = other.import_feedback(&[file], &ImportOptions::default(), &Progress::new()).unwrap();
    assert_eq!(counts(&report), (1, 0, 1, 0));
    assert_eq!(all(&scene.vault).len(), 2);
}

#[test]
fn a_missing_file_imports_nothing() {
    let scene = scene();
    let good = scene.path("good.jsonl");
    fs::write(&good, "{\"text\":\"a\"}\n").unwrap();
    let files = [good, scene.path("missing.jsonl")];
    let error = scene.vault.import_feedback(&files, &ImportOptions::default(), &Progress::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("missing.jsonl"), "{error}");
    assert!(all(&scene.vault).is_empty());
}

/// Writes the folder of a play of `build`.
fn recorded(scene: &Scene, name: &str, build: &str) -> std::path::PathBuf {
    let folder = scene.path(name);
    let said = format!(
        "{{\"schema\":1,\"id\":\"{name}\",\"build\":\"{build}\",\"player\":\"ann\",\"started\":\"2026-05-01T10:00:00Z\",\
         \"ended\":\"2026-05-01T10:01:00Z\",\"exit\":\"crash\",\"platform\":\"Windows 11\",\"settings\":{{\"vsync\":true}}}}"
    );
    write(&folder.join("session.json"), said.as_bytes());
    write(
        &folder.join("events.jsonl"),
        b"{\"t\":0.5,\"ev\":\"level_start\",\"level\":\"L1\"}\n{\"t\":20,\"ev\":\"level_start\",\"level\":\"L3\"}\nbroken\n\
          {\"t\":30.25,\"ev\":\"player_died\",\"level\":\"L3\",\"x\":1,\"y\":2}\n",
    );
    write(&folder.join("saves/10.0_auto.sav"), &noise(1, 5000));
    write(&folder.join("saves/25.5_slot1.sav"), &noise(2, 5000));
    folder
}

#[test]
fn plays_are_kept_with_their_build_and_found_by_what_happened() {
    let scene = scene();
    let number = build(&scene, "0.7", BuildInfo::default());
    let folder = recorded(&scene, "s1", "v0.7");
    let playtest = scene.vault.add_session(&folder, None, &Progress::new()).unwrap();
    assert_eq!((playtest.id.as_str(), playtest.build.0), ("s1", number));
    assert!(playtest.player.as_deref().unwrap().starts_with("p-"));
    // The same again is the same.
    assert_eq!(scene.vault.add_session(&folder, None, &Progress::new()).unwrap(), playtest);
    let find = |query: FeedbackQuery| scene.vault.feedback().unwrap().search(&query).unwrap();
    // All saves at level 3 in the build.
    let saves = find(FeedbackQuery {
        event: Some("save".into()),
        level: Some("L3".into()),
        builds: Some(vec![BuildNumber(number)]),
        ..FeedbackQuery::default()
    });
    assert_eq!(saves.len(), 1);
    assert_eq!(saves[0].record.fields["path"], "saves/25.5_slot1.sav");
    assert_eq!(saves[0].record.time.unwrap().to_string(), "2026-05-01T10:00:25.5Z");
    let deaths = find(FeedbackQuery {
        outcome: Some(gamevault::catalogue::feedback::Outcome::Death),
        ..FeedbackQuery::default()
    });
    assert_eq!((deaths.len(), deaths[0].record.place.position), (1, Some([1.0, 2.0, 0.0])));
    let sessions = find(FeedbackQuery { kinds: vec![FeedbackKind::Session], ..FeedbackQuery::default() });
    let session = &sessions[0].record;
    assert_eq!((sessions.len(), session.seconds, session.platform.as_deref()), (1, Some(60.0), Some("windows")));
    // The save comes back bit for bit.
    let dest = scene.path("exported");
    scene
        .vault
        .export_playtest(&playtest, &dest, &gamevault::vault::RestoreOptions::default(), &Progress::new())
        .unwrap();
    assert_eq!(fs::read(dest.join("saves/25.5_slot1.sav")).unwrap(), noise(2, 5000));
    // What nothing tells the build of is refused, and named.
    let unknown = recorded(&scene, "s2", "9.9");
    let error = scene.vault.add_session(&unknown, None, &Progress::new()).unwrap_err();
    assert!(error.kind() == ErrorKind::Invalid && error.to_string().contains("s2"), "{error}");
    let build = scene.vault.build("0.7").unwrap();
    assert_eq!(scene.vault.add_session(&unknown, Some(&build), &Progress::new()).unwrap().build.0, number);
    let scene = lose_index(scene);
    assert_eq!(scene.vault.feedback().unwrap().count(&FeedbackQuery::default()).unwrap(), 12);
}
