//! Importers of feedback, by the forms that they read.

use super::feedback_samples::*;
use super::{Checker, Outcome, Target, numbered};
use gamevault::catalogue::feedback::FeedbackRecord;
use gamevault::error::Result;
use gamevault::feedback::import::{self, Field, FileInfo, Format, Mapping, Rejected, Sink};
use std::io::Read;

const MEMORY: (usize, usize) = (2048, 4 << 20);
pub const DOCUMENTS: Target = Target { name: "feedback-json", memory: MEMORY, start: documents };
pub const TABLES: Target = Target { name: "feedback-tables", memory: MEMORY, start: tables };
pub const CRASHES: Target = Target { name: "feedback-crashes", memory: MEMORY, start: crashes };

/// Counts what is found, and checks each record.
#[derive(Default)]
struct Counting {
    records: usize,
    said: usize,
    attached: usize,
}

impl Sink for Counting {
    fn record(&mut self, record: FeedbackRecord) -> Result<()> {
        self.records += 1;
        let json = serde_json::to_vec(&record).unwrap();
        self.said += json.len();
        assert!(serde_json::from_slice::<FeedbackRecord>(&json).unwrap() == record, "a record is read as another one");
        Ok(())
    }

    fn reject(&mut self, rejected: Rejected) -> Result<()> {
        self.said += rejected.reason.len();
        Ok(())
    }

    fn attach(&mut self, name: &str, bytes: &mut dyn Read) -> Result<Option<String>> {
        self.attached += std::io::copy(bytes, &mut std::io::sink()).unwrap() as usize;
        Ok(Some(format!("0/{name}")))
    }

    fn note(&mut self, sentence: String) {
        self.said += sentence.len();
    }
}

fn read(format: Format, name: &str, mapping: &Mapping, bytes: &[u8]) -> Outcome {
    let mut counting = Counting::default();
    let info = FileInfo { name, modified: None, head: &bytes[..bytes.len().min(64 << 10)] };
    let read = import::read(format, info, mapping, &mut &bytes[..], &mut counting);
    // A mapping may fit no column; what a file holds is no error.
    assert!(read.is_ok() || *mapping != Mapping::default(), "{read:?}");
    assert!(counting.said <= 64 * (bytes.len() + 1000), "{} bytes are said of {}", counting.said, bytes.len());
    assert!(counting.attached <= bytes.len(), "more is attached than there is");
    if counting.records > 0 { Outcome::Decoded } else { Outcome::Refused }
}

/// The first byte says the form, or that it is to be told.
fn documents() -> Checker {
    const FORMATS: [Format; 11] = [
        Format::Own,
        Format::Sentry,
        Format::Backtrace,
        Format::UnityDiagnostics,
        Format::UnityAnalytics,
        Format::GameAnalytics,
        Format::PlayFab,
        Format::BetaHub,
        Format::Steam,
        Format::Discord,
        Format::GitHub,
    ];
    const OWN: &str = r#"{"kind":"bug","time":"2026-05-01T10:00:00Z","text":"it broke","build":"0.7.3","level":"Ice Cave","pos":[1,2,3],"gpu":"RTX"}"#;
    let samples = [
        OWN,
        SENTRY,
        BACKTRACE,
        UNITY_DIAGNOSTICS,
        UNITY_ANALYTICS,
        GAMEANALYTICS,
        PLAYFAB,
        BETAHUB,
        STEAM,
        DISCORD,
        GITHUB,
        STEAM,
    ];
    Checker::new(numbered(samples.map(|text| text.as_bytes().to_vec())), |input| {
        let Some((&format, bytes)) = input.split_first() else { return Outcome::Refused };
        let format = FORMATS.get(usize::from(format) % 12).copied();
        let format = format.unwrap_or_else(|| import::detect("a.json", bytes));
        read(format, "a.json", &Mapping::default(), bytes)
    })
}

/// The first byte says which mapping is given, if any.
fn tables() -> Checker {
    let mappings = [
        Mapping::default(),
        Mapping {
            columns: vec![("How was it?".into(), Field::Rating), ("Which level?".into(), Field::Level)],
            split: vec![("Topics".into(), ";".into())],
            zone: Some("Europe/Berlin".into()),
            ..Mapping::default()
        },
        Mapping { delimiter: Some(';'), date_format: Some("%d.%m.%Y %H:%M".into()), ..Mapping::default() },
        Mapping { encoding: Some("utf-16le".into()), rating_max: Some(10.0), ..Mapping::default() },
    ];
    let german = "Title;Text;Datum\nGröße;Zeit;01.02.2026 15:04\n";
    let wide: Vec<u8> = german.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let samples = numbered([FORM.into(), FORM.into(), german.into(), wide]);
    Checker::new(samples, move |input| {
        let Some((&mapping, bytes)) = input.split_first() else { return Outcome::Refused };
        read(Format::Csv, "a.csv", &mappings[usize::from(mapping) % mappings.len()], bytes)
    })
}

/// The first byte says the form.
fn crashes() -> Checker {
    const FORMS: [(Format, &str); 5] = [
        (Format::Minidump, "a.dmp"),
        (Format::UnrealCrash, "CrashContext.runtime-xml"),
        (Format::SentryEnvelope, "a.envelope"),
        (Format::Text, "note.md"),
        (Format::File, "shot.png"),
    ];
    let text = b"# The boss\n\nLevel: Ice Cave\nBuild: 0.7.3\n\nhe is too hard\n".to_vec();
    let samples = numbered([dump(), UNREAL.into(), envelope().into_bytes(), text, b"\x89PNG\r\n\x1a\n".to_vec()]);
    Checker::new(samples, |input| {
        let Some((&form, bytes)) = input.split_first() else { return Outcome::Refused };
        let (format, name) = FORMS[usize::from(form) % FORMS.len()];
        read(format, name, &Mapping::default(), bytes)
    })
}
