//! Files of many tools become records: what is taken from each, and that no file does harm.

use crate::hostile::targets::feedback_samples::*;
use crate::support::mutate::mutate;
use crate::support::seed::{random, seed};
use gamevault::catalogue::feedback::{FeedbackKind, FeedbackRecord, Outcome};
use gamevault::error::Result;
use gamevault::feedback::import::{self, Field, FileInfo, Format, Mapping, Rejected, Sink};
use std::io::Read;

/// Gathers what is found.
#[derive(Default)]
struct Gathered {
    records: Vec<FeedbackRecord>,
    rejected: Vec<Rejected>,
    notes: Vec<String>,
    attached: Vec<(String, Vec<u8>)>,
}

impl Sink for Gathered {
    fn record(&mut self, record: FeedbackRecord) -> Result<()> {
        self.records.push(record);
        Ok(())
    }

    fn reject(&mut self, rejected: Rejected) -> Result<()> {
        self.rejected.push(rejected);
        Ok(())
    }

    fn attach(&mut self, name: &str, bytes: &mut dyn Read) -> Result<Option<String>> {
        let mut kept = Vec::new();
        bytes.read_to_end(&mut kept).unwrap();
        self.attached.push((name.to_owned(), kept));
        Ok(Some(format!("0/{name}")))
    }

    fn note(&mut self, sentence: String) {
        self.notes.push(sentence);
    }
}

fn read_with(name: &str, bytes: &[u8], mapping: &Mapping) -> (Format, Gathered) {
    let format = import::detect(name, bytes);
    let mut gathered = Gathered::default();
    let info = FileInfo { name, modified: None, head: bytes };
    import::read(format, info, mapping, &mut &bytes[..], &mut gathered).unwrap();
    (format, gathered)
}

fn read(name: &str, text: &str) -> (Format, Gathered) {
    read_with(name, text.as_bytes(), &Mapping::default())
}

/// Reads a file of one record.
fn one(name: &str, text: &str, format: Format) -> FeedbackRecord {
    let (found, mut gathered) = read(name, text);
    assert_eq!((found, gathered.rejected.as_slice()), (format, &[][..]), "{name}");
    assert_eq!(gathered.records.len(), 1, "{:?}", gathered.records);
    gathered.records.pop().unwrap()
}

fn time(record: &FeedbackRecord) -> String {
    record.time.unwrap().to_string()
}

#[test]
fn forms_and_sheets() {
    let mapping = Mapping {
        columns: vec![
            ("How was it?".into(), Field::Rating),
            ("Which level?".into(), Field::Level),
            ("game version".into(), Field::Version),
        ],
        split: vec![("Topics".into(), ";".into())],
        zone: Some("Europe/Berlin".into()),
        ..Mapping::default()
    };
    let (format, gathered) = read_with("answers.csv", FORM.as_bytes(), &mapping);
    assert_eq!((format, gathered.records.len(), gathered.rejected.len()), (Format::Csv, 2, 0));
    let first = &gathered.records[0];
    // 23 is no month, so the day comes first, in the other row as well.
    assert_eq!((time(first).as_str(), first.zone_unknown), ("2026-11-23T13:05:09Z", false));
    assert_eq!(time(&gathered.records[1]), "2026-01-31T23:00:00Z");
    assert!(first.text.contains("What went wrong, if anything?\nThe camera spins, \"wildly\",\nand I fell"));
    assert_eq!((first.place.level.as_deref(), first.rating), (Some("Ice Cave"), Some(0.75)));
    assert_eq!((first.tags.join("+").as_str(), first.clues.version.as_deref()), ("camera+physics", Some("0.7.3")));
    assert_eq!((first.player.as_deref(), first.kind), (Some("ann@example.com"), FeedbackKind::Survey));
    assert!(!first.fields.values().any(|value| value.contains("@")));
    assert_eq!(gathered.records[1].fields["What went wrong, if anything?"], "no");
}

#[test]
fn tables_of_other_places_are_read_as_they_are() {
    let expected = "Größe;Zeit";
    for (name, bytes) in [
        ("utf8.csv", b"\xef\xbb\xbfTitle;Text;Datum\r\nGr\xc3\xb6\xc3\x9fe;Zeit;01.02.2026 15:04\r\n".to_vec()),
        ("ansi.csv", b"Title;Text;Datum\nGr\xf6\xdfe;Zeit;01.02.2026 15:04\n".to_vec()),
        (
            "utf16.csv",
            [
                vec![0xFF, 0xFE],
                "Title\tText\tDatum\nGröße\tZeit\t01.02.2026 15:04\n"
                    .encode_utf16()
                    .flat_map(u16::to_le_bytes)
                    .collect(),
            ]
            .concat(),
        ),
    ] {
        let (_, gathered) = read_with(name, &bytes, &Mapping::default());
        let record = &gathered.records[0];
        assert_eq!(format!("{};{}", record.title.clone().unwrap(), record.text), expected, "{name}");
        assert_eq!((time(record).as_str(), record.zone_unknown), ("2026-02-01T15:04:00Z", true), "{name}");
    }
    // Nothing tells the order: it is said.
    let (_, gathered) = read("us.csv", "Time,Text\n1/2/2026 3:04:05 PM,a\n");
    assert_eq!((time(&gathered.records[0]).as_str(), gathered.notes.len()), ("2026-01-02T15:04:05Z", 1));
    let given = Mapping { date_format: Some("%d/%m/%Y %I:%M:%S %p".into()), ..Mapping::default() };
    let (_, gathered) = read_with("uk.csv", b"Time,Text\n1/2/2026 3:04:05 PM,a\n", &given);
    assert_eq!((time(&gathered.records[0]).as_str(), gathered.notes.len()), ("2026-02-01T15:04:05Z", 0));
    // Rows that are too long are told, shorter ones have nothing in the rest.
    let (_, gathered) = read("ragged.csv", "Text,Level\na\nb,c,d\ne,f\n");
    assert_eq!((gathered.records.len(), gathered.rejected.len(), gathered.rejected[0].number), (2, 1, 3));
    let wrong = Mapping { columns: vec![("Nothing".into(), Field::Text)], ..Mapping::default() };
    let info = FileInfo { name: "x.csv", modified: None, head: b"Text\na\n" };
    let error = import::read(Format::Csv, info, &wrong, &mut &b"Text\na\n"[..], &mut Gathered::default()).unwrap_err();
    assert!(error.to_string().contains("Nothing"), "{error}");
}

#[test]
fn crashes() {
    let sentry = one("event.json", SENTRY, Format::Sentry);
    assert_eq!((sentry.kind, sentry.source_id.as_deref()), (FeedbackKind::Crash, Some("abc")));
    assert_eq!(
        (sentry.clues.version.as_deref(), sentry.clues.channel.as_deref()),
        (Some("game@0.7.3+812"), Some("beta"))
    );
    assert_eq!(sentry.clues.debug_ids, ["0011aabbccddeeff00112233445566771"]);
    assert_eq!((sentry.platform.as_deref(), sentry.os.as_deref()), (Some("windows"), Some("Windows 11")));
    assert_eq!(sentry.signature.as_deref(), Some("NullReferenceException in Camera.Follow.Update < Main"));
    assert_eq!(sentry.stack[0], "Camera.Follow.Update (Follow.cs:12)");
    assert_eq!((sentry.place.level.as_deref(), time(&sentry).as_str()), (Some("Ice Cave"), "2026-05-01T10:00:00.5Z"));
    let (format, gathered) = read("crash.envelope", &envelope());
    assert_eq!((format, gathered.records.len(), gathered.rejected.len()), (Format::SentryEnvelope, 1, 0));
    assert_eq!(gathered.attached, [("../log.txt".to_owned(), b"hello".to_vec())]);
    assert_eq!(gathered.records[0].signature, sentry.signature);
    let backtrace = one("report.json", BACKTRACE, Format::Backtrace);
    assert_eq!(backtrace.signature.as_deref(), Some("SIGSEGV in Game::jump"));
    assert_eq!(
        (backtrace.clues.version.as_deref(), backtrace.place.level.as_deref()),
        (Some("0.7.3"), Some("Ice Cave"))
    );
    let unity = one("reports.json", UNITY_DIAGNOSTICS, Format::UnityDiagnostics);
    assert_eq!((unity.clues.guid.as_deref(), unity.platform.as_deref()), (Some("0123"), Some("windows")));
    assert_eq!(unity.signature.as_deref(), Some("NullReferenceException in Camera.Follow.Update"));
    let unreal = one("CrashContext.runtime-xml", UNREAL, Format::UnrealCrash);
    assert_eq!(
        (unreal.kind, unreal.source_id.as_deref(), unreal.text.as_str()),
        (FeedbackKind::Crash, Some("UECC-1"), "I jumped")
    );
    assert_eq!((unreal.title.as_deref(), unreal.platform.as_deref()), (Some("Unhandled <x>"), Some("windows")));
    assert_eq!(
        (unreal.signature.as_deref(), time(&unreal).as_str()),
        (Some("Crash in AHero::Jump"), "2026-05-01T10:00:00Z")
    );
    // What ends no play is no crash.
    let ensure =
        one("CrashContext.runtime-xml", &UNREAL.replace("<CrashType>Crash", "<CrashType>Ensure"), Format::UnrealCrash);
    assert_eq!((ensure.kind, ensure.signature), (FeedbackKind::Event, None));
    let (format, gathered) = read_with("a.dmp", &dump(), &Mapping::default());
    let record = &gathered.records[0];
    assert_eq!((format, gathered.rejected.len(), gathered.attached.len()), (Format::Minidump, 0, 1));
    assert_eq!(record.signature.as_deref(), Some("access violation in Game.exe+0x123"));
    assert_eq!(record.clues.debug_ids, ["0403020106050807090a0b0c0d0e0f102"]);
    assert_eq!((record.platform.as_deref(), time(record).as_str()), (Some("windows"), "2026-05-01T10:00:00Z"));
}

#[test]
fn events() {
    let (format, gathered) = read("export.jsonl", GAMEANALYTICS);
    assert_eq!((format, gathered.records.len(), gathered.rejected.len()), (Format::GameAnalytics, 4, 1));
    assert_eq!(gathered.rejected[0].number, 4);
    let [progress, session, error, design] = &gathered.records[..] else { unreachable!() };
    assert_eq!((progress.outcome, progress.place.level.as_deref()), (Some(Outcome::Death), Some("world01:level02")));
    assert_eq!((progress.place.position, progress.fields["score"].as_str()), (Some([1.5, 2.0, 0.0]), "12"));
    assert_eq!((session.kind, session.seconds), (FeedbackKind::Session, Some(61.0)));
    assert_eq!((error.kind, error.signature.as_deref()), (FeedbackKind::Crash, Some("critical in no texture #")));
    assert_eq!((design.kind, design.event.as_deref()), (FeedbackKind::Event, Some("jump")));
    let unity = one("events.jsonl", UNITY_ANALYTICS, Format::UnityAnalytics);
    assert_eq!((unity.place.level.as_deref(), unity.clues.version.as_deref()), (Some("Ice Cave"), Some("0.7.3")));
    assert_eq!((unity.platform.as_deref(), unity.session.as_deref()), (Some("windows"), Some("s1")));
    let playfab = one("events.json", PLAYFAB, Format::PlayFab);
    assert_eq!((playfab.outcome, playfab.source_id.as_deref()), (Some(Outcome::Done), Some("p-1")));
}

#[test]
fn what_people_wrote() {
    let (format, gathered) = read("chat.json", DISCORD);
    assert_eq!((format, gathered.records.len(), gathered.rejected.len()), (Format::Discord, 2, 0));
    let [first, reply] = &gathered.records[..] else { unreachable!() };
    assert_eq!((first.text.as_str(), time(first).as_str()), ("the boss is too hard", "2026-05-01T10:00:00.5Z"));
    assert_eq!((first.clues.version.as_deref(), first.attachments[0].name.as_str()), (Some("0.7"), "shot.png"));
    assert_eq!(reply.reply_to.as_deref(), Some("10"));
    // An export that was cut gives all that is whole.
    for cut in 0..DISCORD.len() {
        let (_, gathered) = read("chat.json", &DISCORD[..cut]);
        let whole = DISCORD[..cut].contains("\"count\":3}]}") as usize
            + DISCORD[..cut].contains("\"messageId\":\"10\"}}") as usize;
        if cut > DISCORD.find("messages").unwrap() + 10 {
            assert_eq!(gathered.records.len(), whole, "{cut}");
        }
    }
    let (format, gathered) = read("appreviews.json", STEAM);
    assert_eq!((format, gathered.records.len()), (Format::Steam, 2));
    let review = &gathered.records[0];
    assert_eq!((review.rating, review.seconds, review.platform.as_deref()), (Some(1.0), Some(5400.0), Some("linux")));
    assert_eq!(
        (gathered.records[1].rating, review.tags.join("+").as_str()),
        (Some(0.0), "written-during-early-access")
    );
    let issue = one("issues.json", BETAHUB, Format::BetaHub);
    assert_eq!((issue.kind, issue.text.as_str()), (FeedbackKind::Bug, "in the lift\n1. enter\n2. wait"));
    assert_eq!((issue.tags.join("+").as_str(), issue.attachments[0].name.as_str()), ("ui", "1.png"));
    let (_, gathered) = read("github.json", GITHUB);
    assert_eq!(gathered.records.len(), 1);
    assert_eq!(
        (gathered.records[0].kind, gathered.records[0].clues.version.as_deref()),
        (FeedbackKind::Bug, Some("0.7"))
    );
    let note = one("note.md", "# The jump\n\nIt feels late.\n", Format::Text);
    assert_eq!((note.title.as_deref(), note.text.as_str()), (Some("The jump"), "It feels late."));
    let shot = one("shot.png", "\u{89}PNG", Format::File);
    assert_eq!(
        (shot.title.as_deref(), shot.attachments[0].media_type.as_deref()),
        (Some("shot.png"), Some("image/png"))
    );
}

/// Whatever a file holds, its reading ends, and gives no more than is in it.
#[test]
fn files_with_bad_intent_are_bounded() {
    let mut random = random(seed());
    let envelope = envelope();
    let dump = dump();
    let samples: [(&str, &[u8]); 13] = [
        ("a.csv", FORM.as_bytes()),
        ("a.json", SENTRY.as_bytes()),
        ("a.envelope", envelope.as_bytes()),
        ("a.jsonl", GAMEANALYTICS.as_bytes()),
        ("a.json", DISCORD.as_bytes()),
        ("a.json", STEAM.as_bytes()),
        ("a.json", BETAHUB.as_bytes()),
        ("a.json", GITHUB.as_bytes()),
        ("a.json", BACKTRACE.as_bytes()),
        ("a.json", UNITY_DIAGNOSTICS.as_bytes()),
        ("a.jsonl", PLAYFAB.as_bytes()),
        ("CrashContext.runtime-xml", UNREAL.as_bytes()),
        ("a.dmp", &dump),
    ];
    for (name, sample) in samples {
        let format = import::detect(name, sample);
        for _ in 0..400 {
            let bytes = mutate(sample, &mut random);
            let mut gathered = Gathered::default();
            let info = FileInfo { name, modified: None, head: &bytes };
            import::read(format, info, &Mapping::default(), &mut &bytes[..], &mut gathered).unwrap();
            let said: usize = gathered.records.iter().map(|record| serde_json::to_vec(record).unwrap().len()).sum();
            assert!(said <= 64 * (bytes.len() + 1000), "{name}: {said} bytes of {}", bytes.len());
        }
    }
    let deep = "[".repeat(1 << 20);
    assert_eq!(read("a.json", &format!("{{\"reviews\":{deep}")).1.records.len(), 0);
    let (_, gathered) = read("a.json", &format!("{{\"recommendationid\":{deep}"));
    assert_eq!(gathered.records.len(), 0);
}
