//! Records in packs and in the catalogue, and other JSON that a vault keeps.

use super::{Checker, Outcome, Target};
use gamevault::Vault;
use gamevault::catalogue::feedback::{
    Clues, Deployment, FeedbackBatch, FeedbackKind, FeedbackRecord, Outcome as PlayOutcome,
};
use gamevault::catalogue::{Certificate, PlayEnding, Playtest, Record};
use gamevault::feedback::import::{Field, Mapping};
use gamevault::name::RefName;
use gamevault::progress::Progress;
use gamevault::vault::{Annotation, MountRecord, SnapshotOptions};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub const RECORDS: Target = Target { name: "records", memory: (256, 256 << 10), start: records };
pub const KEPT: Target = Target { name: "kept-json", memory: (256, 256 << 10), start: kept };

/// What is read is written again, and read as the same.
fn read_again<T: Serialize + DeserializeOwned + PartialEq>(bytes: &[u8]) -> Outcome {
    let Ok(read) = serde_json::from_slice::<T>(bytes) else { return Outcome::Refused };
    let again = serde_json::to_vec(&read).unwrap();
    assert!(serde_json::from_slice::<T>(&again).unwrap() == read, "{}", String::from_utf8_lossy(&again));
    Outcome::Decoded
}

fn sample_records() -> Vec<Record> {
    let dir = tempfile::tempdir().unwrap();
    let vault = Vault::init(&dir.path().join("vault")).unwrap();
    std::fs::create_dir(dir.path().join("game")).unwrap();
    std::fs::write(dir.path().join("game/file"), b"bytes").unwrap();
    let build = vault.snapshot(&dir.path().join("game"), &SnapshotOptions::default(), &Progress::new()).unwrap().build;
    let name = RefName::new("alpha").unwrap();
    let annotation = Annotation { message: Some("words".into()), tags: vec!["a".into()], ..Annotation::default() };
    let milestone = vault.set_milestone(&name, &build, &annotation, false).unwrap();
    let (created, number) = (build.created, build.number);
    let playtest = Playtest {
        id: name.clone(),
        build: number,
        started: created,
        ended: created,
        command: vec!["./game".into(), "--fast".into()],
        ending: PlayEnding::Exited(3),
        workspace: Some(name.clone()),
        host: Some("pc".into()),
        player: Some("ann".into()),
        platform: None,
        root: build.root,
        attributes: build.attributes,
        stored_bytes: 7,
    };
    let batch = FeedbackBatch {
        order: 1,
        revision: 2,
        created: "2026-05-01T10:00:00Z".parse().unwrap(),
        files: vec!["a.csv".into()],
        formats: vec!["csv".into()],
        records: 5,
        rejected: 1,
        root: build.root,
        attributes: build.attributes,
        stored_bytes: 9,
    };
    let deployment = Deployment {
        serial: 1,
        build: number,
        store: RefName::new("steam").unwrap(),
        app: Some("480".into()),
        store_build: Some("99".into()),
        channel: Some("beta".into()),
        time: "2026-05-01T10:00:00Z".parse().unwrap(),
        recorded: "2026-05-01T10:00:00Z".parse().unwrap(),
    };
    vec![
        Record::Build(Box::new(build)),
        Record::Milestone(Box::new(milestone)),
        Record::MilestoneRemoved { name, serial: 4, created },
        Record::Playtest(Box::new(playtest)),
        Record::FeedbackBatch(Box::new(batch)),
        Record::Deployment(Box::new(deployment)),
        Record::BuildForgotten { build: number, serial: 1, created },
        Record::BuildRecalled { build: number, serial: 2, created },
        Record::BuildRemoved { build: number, serial: 3, created },
    ]
}

fn records() -> Checker {
    let samples = sample_records().iter().map(|record| serde_json::to_vec(record).unwrap()).collect();
    Checker::new(samples, read_again::<Record>)
}

/// The first byte says what it is: a record of feedback, a certificate, a mapping of columns, or the record of a mount.
fn kept() -> Checker {
    let mut record = FeedbackRecord::new(FeedbackKind::Crash, "sentry");
    record.time = Some("2026-05-01T10:00:00Z".parse().unwrap());
    record.outcome = Some(PlayOutcome::Crash);
    record.clues = Clues { version: Some("0.7.3".into()), debug_ids: vec!["ab".into()], ..Clues::default() };
    record.fields.insert("gpu".into(), "RTX".into());
    let certificate = format!(
        r#"{{"certificate":1,"vault":"v","milestone":"alpha","build":1,"build_id":"b-1","published":{{"secs":1,"nanos":2}},
        "merkle_root":"{0}","content_hash":"{0}","files":1,"directories":2,"symlinks":3,"bytes":4,
        "verified":{{"secs":1,"nanos":2}},"tool":"gamevault","annotations_hash":"{0}"}}"#,
        "ab".repeat(32)
    );
    let mapping = Mapping {
        columns: vec![("How was it?".into(), Field::Rating)],
        split: vec![("Topics".into(), ";".into())],
        delimiter: Some(';'),
        zone: Some("Europe/Berlin".into()),
        rating_max: Some(5.0),
        kind: Some(FeedbackKind::Survey),
        ..Mapping::default()
    };
    let mount = r#"{"pid":1,"path":"game/mnt","since":{"secs":1700000000,"nanos":5}}"#;
    let samples = super::numbered([
        serde_json::to_vec(&record).unwrap(),
        certificate.into_bytes(),
        serde_json::to_vec(&mapping).unwrap(),
        mount.into(),
    ]);
    Checker::new(samples, |input| {
        let Some((&kind, bytes)) = input.split_first() else { return Outcome::Refused };
        match kind % 4 {
            0 => read_again::<FeedbackRecord>(bytes),
            1 => read_again::<Certificate>(bytes),
            2 => read_again::<Mapping>(bytes),
            _ if serde_json::from_slice::<MountRecord>(bytes).is_ok() => Outcome::Decoded,
            _ => Outcome::Refused,
        }
    })
}
