//! Forgetting builds: out of sight at once, kept for some time, and never what matters.

use crate::support::{Scene, make_game, write};
use gamevault::catalogue::{Build, BuildInfo};
use gamevault::name::RefName;
use gamevault::progress::Progress;
use gamevault::vault::{Annotation, KeepRules, Reason, SnapshotOptions, VerifyOptions};
use gamevault::{ErrorKind, Vault};
use jiff::tz::TimeZone;
use std::fs;

fn build(scene: &Scene, id: &str, info: BuildInfo) -> Build {
    write(&scene.path("game/version"), id.as_bytes());
    let options = SnapshotOptions { id: Some(id.parse().unwrap()), info, ..SnapshotOptions::default() };
    scene.vault.snapshot(&scene.path("game"), &options, &Progress::new()).unwrap().build
}

fn with_builds(ids: &[&str]) -> (Scene, Vec<Build>) {
    let scene = Scene::new();
    make_game(&scene.path("game"));
    let builds = ids.iter().map(|id| build(&scene, id, BuildInfo::default())).collect();
    (scene, builds)
}

fn ids(vault: &Vault) -> Vec<String> {
    vault.builds().unwrap().iter().map(|build| build.id.to_string()).collect()
}

#[test]
fn forgotten_builds_are_nowhere_until_they_are_recalled() {
    let (scene, builds) = with_builds(&["a", "b", "c"]);
    let vault = &scene.vault;
    vault.forget(&builds[1..2], false).unwrap();
    assert_eq!(ids(vault), ["a", "c"]);
    assert_eq!(vault.build("b").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(vault.build("2").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(vault.build("latest~1").unwrap().id.as_str(), "a");
    let forgotten = vault.forgotten().unwrap();
    assert_eq!((forgotten.len(), &forgotten[0].build), (1, &builds[1]));
    assert_eq!(forgotten[0].until.secs - forgotten[0].forgotten.secs, 14 * 86_400);
    assert!(vault.verify(&VerifyOptions::default(), &Progress::new()).unwrap().problems.is_empty());
    // Its number is not given out again.
    vault.forget(&builds[2..], false).unwrap();
    assert_eq!(build(&scene, "d", BuildInfo::default()).number.0, 4);
    vault.recall(&builds[1..]).unwrap();
    assert_eq!(ids(vault), ["a", "b", "c", "d"]);
    assert_eq!(vault.build("b").unwrap(), builds[1]);
    assert_eq!(scene.restored("b", "back").len(), scene.restored("a", "other").len());
    assert!(vault.verify(&VerifyOptions::default(), &Progress::new()).unwrap().problems.is_empty());
}

#[test]
fn what_matters_is_not_forgotten() {
    let (scene, mut builds) = with_builds(&["a", "b"]);
    let tagged = BuildInfo { tags: vec!["demo".into()], ..BuildInfo::default() };
    let deployed = BuildInfo { meta: [("deployed".to_owned(), "steam".to_owned())].into(), ..BuildInfo::default() };
    builds.push(build(&scene, "tagged", tagged));
    builds.push(build(&scene, "deployed", deployed));
    builds.push(build(&scene, "last", BuildInfo::default()));
    let vault = &scene.vault;
    let name: RefName = "alpha".parse().unwrap();
    vault.set_milestone(&name, &builds[0], &Annotation::default(), false).unwrap();
    let plan = vault.plan_forgetting(&KeepRules { last: 1, ..KeepRules::default() }, &TimeZone::UTC).unwrap();
    let reasons: Vec<_> = plan.into_iter().map(|planned| planned.reasons).collect();
    let milestone = Reason::Milestone("alpha".into());
    assert_eq!(reasons, [vec![milestone], vec![], vec![Reason::Tagged], vec![Reason::Deployed], vec![Reason::Last]]);
    let rules = KeepRules { within: Some("1h".parse().unwrap()), ..KeepRules::default() };
    assert!(vault.plan_forgetting(&rules, &TimeZone::UTC).unwrap().iter().all(|one| !one.reasons.is_empty()));
    for kept in [0, 2, 3] {
        // Nothing of the list is forgotten when one of it stays.
        let error = vault.forget(&[builds[1].clone(), builds[kept].clone()], false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotPermitted);
        assert_eq!(ids(vault).len(), 5);
    }
    assert_eq!(vault.forget(&builds[..1], true).unwrap_err().kind(), ErrorKind::NotPermitted);
    vault.forget(&builds[2..4], true).unwrap();
    assert_eq!(ids(vault), ["a", "b", "last"]);
}

#[test]
fn each_platform_is_thinned_by_itself() {
    let scene = Scene::new();
    make_game(&scene.path("game"));
    for (id, platform) in [("l1", "linux"), ("l2", "linux"), ("w1", "windows"), ("w2", "windows"), ("n", "")] {
        let platform = (!platform.is_empty()).then(|| platform.to_owned());
        build(&scene, id, BuildInfo { platform, ..BuildInfo::default() });
    }
    let plan = scene.vault.plan_forgetting(&KeepRules { last: 1, ..KeepRules::default() }, &TimeZone::UTC).unwrap();
    let goes: Vec<_> = plan.iter().filter(|one| one.reasons.is_empty()).map(|one| one.build.id.as_str()).collect();
    assert_eq!(goes, ["l1", "w1"]);
}

#[test]
fn an_id_of_a_forgotten_build_may_be_used_again() {
    let (scene, builds) = with_builds(&["a"]);
    scene.vault.forget(&builds, false).unwrap();
    let new = build(&scene, "a", BuildInfo::default());
    scene.vault.recall(&builds).unwrap();
    let check = |vault: &Vault| {
        assert_eq!(ids(vault), ["a-1", "a"]);
        assert_eq!(
            (vault.build("a").unwrap().number, vault.build("a-1").unwrap().number),
            (new.number, builds[0].number)
        );
        assert!(vault.verify(&VerifyOptions::default(), &Progress::new()).unwrap().problems.is_empty());
    };
    check(&scene.vault);
    scene.vault.forget(&[scene.vault.build("a-1").unwrap()], false).unwrap();
    let Scene { dir, vault } = scene;
    let path = vault.dir().to_owned();
    drop(vault);
    Vault::repair(&path, &Progress::new()).unwrap();
    let scene = Scene { dir, vault: Vault::open(&path).unwrap() };
    assert_eq!(ids(&scene.vault), ["a"]);
    scene.vault.recall(&builds).unwrap();
    check(&scene.vault);
}

#[test]
fn a_lost_catalogue_does_not_bring_them_back() {
    let (scene, builds) = with_builds(&["a", "b", "c", "d"]);
    scene.vault.forget(&builds[..3], false).unwrap();
    scene.vault.recall(&builds[..1]).unwrap();
    let before = scene.vault.forgotten().unwrap();
    let Scene { dir, vault } = scene;
    let path = vault.dir().to_owned();
    drop(vault);
    fs::remove_file(path.join("catalogue.db")).unwrap();
    let report = Vault::repair(&path, &Progress::new()).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    let scene = Scene { dir, vault: Vault::open(&path).unwrap() };
    assert_eq!(ids(&scene.vault), ["a", "d"]);
    let after = scene.vault.forgotten().unwrap();
    assert_eq!(after.len(), 2);
    assert!(after.iter().zip(&before).all(|(a, b)| a.build == b.build && a.forgotten == b.forgotten));
    scene.vault.recall(&builds[1..2]).unwrap();
    assert_eq!(ids(&scene.vault), ["a", "b", "d"]);
    // The number of a forgotten build is still taken.
    scene.vault.forget(&builds[3..], false).unwrap();
    assert_eq!(build(&scene, "e", BuildInfo::default()).number.0, 5);
}

#[cfg(target_os = "linux")]
#[test]
fn a_mount_lets_go_of_them() {
    use crate::stage::{Fixture, Stage};
    let fixture = Fixture::new();
    make_game(&fixture.path("game"));
    for id in ["a", "b"] {
        fixture.snapshot(&fixture.path("game"), id);
    }
    let path = fixture.vault.dir().to_owned();
    let Some(stage) = Stage::mount(fixture, &Default::default()) else { return };
    let (folder, readme) = (stage.point.join("builds/a"), stage.point.join("builds/a/readme.txt"));
    assert!(readme.exists());
    // By another process, as it were.
    let other = Vault::open(&path).unwrap();
    other.forget(&[other.build("a").unwrap()], false).unwrap();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while folder.exists() && std::time::Instant::now() < end {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(!folder.exists() && !readme.exists());
    assert_eq!(fs::read_dir(stage.point.join("builds")).unwrap().count(), 2);
    other.recall(&[other.forgotten().unwrap()[0].build.clone()]).unwrap();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !readme.exists() && std::time::Instant::now() < end {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(readme.exists());
}
