//! Words that people, engines and tools give: names, patterns, versions, lines with secrets in them.

use super::{Checker, Outcome, Target, numbered};
use gamevault::catalogue::BuildInfo;
use gamevault::engines::{Engine, Project};
use gamevault::id::PackId;
use gamevault::name::{FileName, RefName, safe, show};
use gamevault::platform::Target as Platform;
use gamevault::vault::PathGlob;
use gamevault::{ErrorKind, secret};

/// Patterns become machines that may have as many states as 10 MB hold.
pub const WORDS: Target = Target { name: "words", memory: (4 << 10, 32 << 20), start: words };

/// The first byte says what is read.
fn words() -> Checker {
    let samples = numbered(
        [
            "alpha-0.7.3".into(),
            "data/**/level?.[a-z]{pak,wad}".into(),
            "m_EditorVersion: 6000.0.23f1\nm_EditorVersionWithRevision: 6000.0.23f1 (x)\n".into(),
            "config/features=PackedStringArray(\"4.3\", \"Forward Plus\")\n".into(),
            "{\"EngineAssociation\": \"5.4\", \"Modules\": []}".into(),
            "password = \"x\"; api_key: y, (AppId=\"a\",ClientSecret=\"b\") -token=d".into(),
            "{\"label\":\"x\",\"tags\":[\"a\"],\"meta\":{\"k\":\"v\"},\"vcs\":{\"kind\":\"git\",\"commits\":[\"c\"]}}"
                .into(),
            "windows+eos".into(),
            "0123456789abcdef0123456789abcdef".into(),
        ]
        .map(|text: String| text.into_bytes()),
    );
    Checker::new(samples, |input| {
        let Some((&kind, bytes)) = input.split_first() else { return Outcome::Refused };
        let text = String::from_utf8_lossy(bytes);
        let is_sound = match kind % 9 {
            0 => is_name(bytes, &text),
            1 => is_pattern(&text),
            2 => Engine::Unity.version(&text).is_some(),
            3 => Engine::Godot.version(&text).is_some(),
            4 => {
                let _ = Project::detect(bytes.split(|byte| *byte == b'\n'), |_| true);
                Engine::Unreal.version(&text).is_some()
            }
            5 => {
                let masked = secret::mask_line(&text, bytes.len().is_multiple_of(2));
                assert!(masked.len() <= text.len() + 64, "a masked line is longer");
                secret::shown("a/b", &text) != *text
            }
            6 => serde_json::from_slice::<BuildInfo>(bytes).is_ok(),
            7 => Platform::new(&text).is_ok(),
            _ => PackId::parse(&text).is_some(),
        };
        if is_sound { Outcome::Decoded } else { Outcome::Refused }
    })
}

/// A name that is taken can stand in a path: it goes nowhere else.
fn is_name(bytes: &[u8], text: &str) -> bool {
    let _ = show(bytes);
    let made = safe(text);
    let is_safe = !made.is_empty() && !made.contains(['/', '\\', ':', '\0']) && !made.ends_with(['.', ' ']);
    assert!(is_safe && FileName::new(made.as_bytes()).is_ok(), "{made:?} is made of {text:?}");
    if let Ok(name) = FileName::new(bytes) {
        let name = name.as_bytes();
        assert!(!name.contains(&b'/') && !name.contains(&0) && ![&b""[..], b".", b".."].contains(&name));
    }
    let name = RefName::new(text);
    if let Ok(name) = &name {
        let parts: Vec<_> = std::path::Path::new(name.as_str()).components().collect();
        assert!(matches!(parts[..], [std::path::Component::Normal(_)]) && !text.contains(['/', '\\', ':']), "{text:?}");
        let _ = name.folded();
    }
    name.is_ok()
}

fn is_pattern(text: &str) -> bool {
    let glob = PathGlob::new(text);
    assert!(glob.as_ref().err().is_none_or(|error| error.kind() == ErrorKind::Invalid));
    glob.is_ok()
}
