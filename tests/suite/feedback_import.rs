//! Files of many tools become records: what is taken from each, and that no file does harm.
//!
//! The samples are made after the published descriptions of the formats.

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

const FORM: &str = "Timestamp,\"What went wrong, if anything?\",Which level?,How was it?,Topics,E-mail,Game version\r\n\
    23/11/2026 14:05:09,\"The camera spins, \"\"wildly\"\",\nand I fell through the floor of the cave.\",Ice Cave,4,\"camera; physics\",ann@example.com,0.7.3\r\n\
    01/02/2026 00:00:00,no,,5,,,\r\n\
    ,,,,,,\r\n";

const SENTRY: &str = r#"{"event_id":"abc","timestamp":1777629600.5,"release":"game@0.7.3","dist":"812","environment":"beta","level":"error",
    "user":{"id":"ann"},"contexts":{"os":{"name":"Windows","version":"11"},"device":{"model":"Deck"}},"tags":[["level","Ice Cave"],["gpu","RTX"]],
    "debug_meta":{"images":[{"debug_id":"0011AABB-CCDD-EEFF-0011-223344556677-1"}]},
    "exception":{"values":[{"type":"NullReferenceException","value":"Object reference not set","stacktrace":{"frames":[
    {"function":"Main","filename":"Main.cs","lineno":1},{"function":"Camera.Follow.Update","filename":"Follow.cs","lineno":12}]}}]}}"#;

const GAMEANALYTICS: &str = "{\"arrival_ts\":1777629700,\"data\":{\"category\":\"progression\",\"event_id\":\"Fail:world01:level02\",\"client_ts\":1777629600,\"build\":\"0.7.3\",\"user_id\":\"ann\",\"session_id\":\"s1\",\"platform\":\"windows\",\"os_version\":\"windows 11\",\"score\":12,\"custom_fields\":{\"x\":1.5,\"y\":2}}}\n\
    {\"arrival_ts\":1777629700,\"data\":{\"category\":\"session_end\",\"client_ts\":1777629600,\"length\":61,\"build\":\"0.7.3\",\"session_id\":\"s1\"}}\n\
    {\"data\":{\"category\":\"error\",\"client_ts\":1777629600,\"severity\":\"critical\",\"message\":\"no texture 12\"}}\n\
    {\"data\":{\"category\":\"err\n\
    {\"data\":{\"category\":\"design\",\"client_ts\":1777629600,\"event_id\":\"jump\"}}\n";

const DISCORD: &str = r##"{"guild":{"id":"1","name":"Game"},"channel":{"id":"2","name":"playtest-0.7"},"dateRange":{},"exportedAt":"2026-05-01T00:00:00Z","messages":[
    {"id":"10","type":"Default","timestamp":"2026-05-01T12:00:00.5+02:00","content":"the boss is too hard","author":{"id":"77","name":"ann"},"attachments":[{"fileName":"shot.png","url":"https://cdn/shot.png?x=1"}],"reactions":[{"emoji":{"name":"+1"},"count":3}]},
    {"id":"11","type":"GuildMemberJoin","timestamp":"2026-05-01T12:00:00Z","content":"joined","author":{"id":"78"}},
    {"id":"12","type":"Reply","timestamp":"2026-05-01T12:01:00Z","content":"agreed","author":{"id":"79"},"reference":{"messageId":"10"}}],"messageCount":3}"##;

const STEAM: &str = r#"{"success":1,"query_summary":{"num_reviews":2},"reviews":[{"recommendationid":"5","author":{"steamid":"765","playtime_at_review":90},"language":"english","review":"good","timestamp_created":1777629600,"voted_up":true,"written_during_early_access":true,"primarily_steam_deck":true},
    {"recommendationid":"6","author":{"steamid":"766"},"review":"bad","timestamp_created":1777629601,"voted_up":false}],"cursor":"x"}"#;

const BETAHUB: &str = r#"{"issues":[{"id":"g-1","title":"Stuck","description":"in the lift","steps_to_reproduce":[{"step":"enter"},{"step":"wait"}],"priority":"high","status":"new","created_at":"2026-05-01T10:00:00Z","release_label":"0.7.3","reported_by":{"id":"9","name":"ann"},"tags":[{"name":"UI"}],"screenshots":[{"image_url":"https://x/1.png"}]}]}"#;

const GITHUB: &str = r#"[{"html_url":"https://github.com/a/b/issues/1","number":1,"title":"Crash","body":"on start","user":{"login":"ann"},"state":"open","labels":[{"name":"bug"},{"name":"version: 0.7"}],"created_at":"2026-05-01T10:00:00Z"},
    {"html_url":"https://github.com/a/b/pull/2","title":"fix","user":{"login":"bob"},"pull_request":{}}]"#;

const BACKTRACE: &str = r#"{"uuid":"u-1","timestamp":1777629600,"attributes":{"application.version":"0.7.3","uname.sysname":"Linux","error.message":"boom","level":"Ice Cave"},"classifiers":["SIGSEGV"],"mainThread":"1","threads":{"1":{"stack":[{"funcName":"Game::jump","library":"game","line":"3"}]}}}"#;

const UNITY_ANALYTICS: &str = "{\"eventName\":\"playerDied\",\"eventUUID\":\"e-1\",\"eventTimestamp\":\"2026-05-01 10:00:00.000\",\"userID\":\"ann\",\"sessionID\":\"s1\",\"eventParams\":{\"clientVersion\":\"0.7.3\",\"platform\":\"WindowsPlayer\",\"levelName\":\"Ice Cave\"}}\n";

const UNITY_DIAGNOSTICS: &str = r#"{"reports":[{"reportId":"r-1","timestamp":"2026-05-01T10:00:00Z","buildGUID":"0123","appVersion":"0.7.3","operatingSystem":"Windows 11","exceptionName":"NullReferenceException","exceptionMessage":"no","stackTrace":"Camera.Follow.Update () (at Follow.cs:1)\nUnityEngine.Foo ()"}]}"#;

const PLAYFAB: &str = "{\"EventName\":\"level_complete\",\"EventNamespace\":\"com.game\",\"EventId\":\"p-1\",\"Timestamp\":\"2026-05-01T10:00:00Z\",\"EntityId\":\"ann\",\"Body\":{\"ClientVersion\":\"0.7.3\",\"level\":\"Ice Cave\"}}\n";

const UNREAL: &str = r#"<?xml version="1.0"?><FGenericCrashContext><RuntimeProperties><CrashVersion>3</CrashVersion><CrashGUID>UECC-1</CrashGUID><CrashType>Crash</CrashType><EngineVersion>5.6.1</EngineVersion><BuildVersion>++Game+0.7.3</BuildVersion><PlatformName>WindowsClient</PlatformName><ErrorMessage>Unhandled &lt;x&gt;</ErrorMessage><CallStack>MyGame!AHero::Jump() [Hero.cpp:12]
UnrealEditor-Core!FDebug::Fail()</CallStack><TimeOfCrash>639132264000000000</TimeOfCrash><UserDescription>I jumped</UserDescription><LoginId>ann</LoginId></RuntimeProperties></FGenericCrashContext>"#;

fn envelope() -> String {
    let event = SENTRY.replace('\n', " ");
    format!(
        "{{\"event_id\":\"abc\",\"sent_at\":\"2026-05-01T10:00:00Z\"}}\n{{\"type\":\"event\",\"length\":{}}}\n{event}\n\
         {{\"type\":\"attachment\",\"length\":5,\"filename\":\"../log.txt\",\"content_type\":\"text/plain\"}}\nhello\n",
        event.len()
    )
}

/// A dump of one module, an exception in it, and the system.
fn dump() -> Vec<u8> {
    let mut dump = b"MDMP\x93\xa7\0\0".to_vec();
    let word = |dump: &mut Vec<u8>, value: u32| dump.extend_from_slice(&value.to_le_bytes());
    for value in [3, 32, 0, 1_777_629_600, 0, 0] {
        word(&mut dump, value);
    }
    let (modules, exception, system, name, record) = (68, 180, 350, 420, 470);
    for (kind, at) in [(4, modules), (6, exception), (7, system)] {
        for value in [kind, 100, at] {
            word(&mut dump, value);
        }
    }
    dump.resize(600, 0);
    let mut put = |at: usize, bytes: &[u8]| dump[at..at + bytes.len()].copy_from_slice(bytes);
    put(68, &1u32.to_le_bytes());
    put(72, &0x40_0000u64.to_le_bytes());
    put(80, &0x1000u32.to_le_bytes());
    put(92, &(name as u32).to_le_bytes());
    put(148, &24u32.to_le_bytes());
    put(152, &(record as u32).to_le_bytes());
    put(188, &0xC000_0005u32.to_le_bytes());
    put(204, &0x40_0123u64.to_le_bytes());
    put(370, &2u32.to_le_bytes());
    let path: Vec<u8> = "C:\\g\\Game.exe".encode_utf16().flat_map(u16::to_le_bytes).collect();
    put(420, &(path.len() as u32).to_le_bytes());
    put(424, &path);
    put(470, b"RSDS");
    put(474, &(1..=16).collect::<Vec<u8>>());
    put(490, &2u32.to_le_bytes());
    dump
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
