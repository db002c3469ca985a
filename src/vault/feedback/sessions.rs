//! Plays that others recorded: a folder with `session.json`, events, saves and pictures becomes a playtest of its build, and
//! what happened in it is found as records are.

use super::players::Players;
use crate::catalogue::feedback::{Clues, FeedbackKind, FeedbackRecord, Outcome};
use crate::catalogue::{Build, PlayEnding, Playtest};
use crate::content::FileBytes;
use crate::disk::host;
use crate::error::{Error, ErrorKind, Result};
use crate::feedback::import::{event_record, tidy_record};
use crate::manifest::Timestamp;
use crate::name::RefName;
use crate::progress::Progress;
use crate::vault::Vault;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::time::SystemTime;

/// The file that describes a play.
const DESCRIPTION: &str = "session.json";

/// The file of what happened, a JSON object a line.
const EVENTS: &str = "events.jsonl";

/// The folder of saves.
const SAVES: &[u8] = b"saves";

/// The source of records that are made of plays.
const SOURCE: &str = "playtest";

/// The most bytes of a description.
const MAX_DESCRIPTION_LEN: u64 = 1 << 20;

/// The longest line of events, and the most events of one play that are found one by one.
const MAX_EVENT_LEN: u64 = 64 << 10;
const MAX_EVENTS: usize = 100_000;

/// Keys of an event that say what and when, not how.
const EVENT: &str = "ev";
const TIME: &str = "t";

impl Vault {
    /// Keeps the folder `dir`, in which a play was recorded, as a playtest of `build`, or of the build that its `session.json`
    /// leads to.
    ///
    /// Its id is that of `session.json`, else the name of the folder if that is one, else a new one.
    ///
    /// # Errors
    /// `NotFound` or `NotDirectory` for the folder; `Invalid` if nothing tells the build, or several; `Exists` if there is a
    /// playtest of this id with another content: the same one is returned as it is. Those of the store.
    pub fn add_session(&self, dir: &Path, build: Option<&Build>, progress: &Progress) -> Result<Playtest> {
        let path = std::path::absolute(dir).map_err(|error| Error::io("find", dir, error))?;
        let described = host::read_small(&path.join(DESCRIPTION), MAX_DESCRIPTION_LEN);
        let description: Value = match described {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                Error::invalid(format!("{} cannot be understood: {error}", path.join(DESCRIPTION).display()))
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Value::Null,
            Err(error) => return Err(Error::io("read", path.join(DESCRIPTION), error)),
        };
        let facts = Facts::of(&description);
        let number = match build {
            Some(build) => build.number,
            None => self.build_of_session(&facts, dir)?,
        };
        let said = facts.text("id").or_else(|| Some(path.file_name()?.to_string_lossy().into_owned()));
        let id = match said.and_then(|id| RefName::new(id).ok()) {
            Some(id) => id,
            None => self.new_play_id()?,
        };
        let _writing = self.store().begin_writing()?;
        let tree = self.store_session(&path, &[], &id, number, progress)?;
        let mut player = facts.text("player");
        if let Some(player) = &mut player {
            Players::new(self, false)?.rename(player);
        }
        let started = facts.time("started").unwrap_or(tree.attributes.mtime);
        let playtest = Playtest {
            id,
            build: number,
            started,
            ended: facts.time("ended").unwrap_or(tree.attributes.mtime).max(started),
            // What a game, or whoever sent the folder, calls its command is not run by a click.
            command: Vec::new(),
            ending: facts.ending(),
            workspace: None,
            host: None,
            player,
            platform: facts.text("platform"),
            root: tree.root,
            attributes: tree.attributes,
            stored_bytes: tree.stored_bytes,
        };
        self.publish_session(playtest)
    }

    fn publish_session(&self, playtest: Playtest) -> Result<Playtest> {
        let known = self.playtests()?.into_iter().find(|known| known.id.folded() == playtest.id.folded());
        if let Some(known) = known.filter(|known| known.root.id == playtest.root.id && known.build == playtest.build) {
            return Ok(known);
        }
        self.publish_playtest(&playtest)?;
        Ok(playtest)
    }

    fn build_of_session(&self, facts: &Facts<'_>, dir: &Path) -> Result<crate::id::BuildNumber> {
        let index = self.feedback()?;
        let link = index.write(|writer| Ok(self.link_knowledge(&index, writer)?.link(&facts.record())))?;
        let hint = "say which: --build BUILD";
        match link.builds[..] {
            [build] => Ok(build),
            [] => {
                Err(Error::invalid(format!("nothing in {} tells which build was played", dir.display()))
                    .with_hint(hint))
            }
            _ => Err(Error::new(
                ErrorKind::Invalid,
                format!("{} may be a play of {} builds", dir.display(), link.builds.len()),
            )
            .with_hint(hint)),
        }
    }

    /// Returns what happened in a playtest as records: the play itself, its events, and its saves.
    pub(super) fn records_of_session(&self, playtest: &Playtest) -> Result<Vec<FeedbackRecord>> {
        let read = |path: &str| self.reader().file_at(playtest.root.id, path.as_bytes());
        let mut description = Vec::new();
        if let Some(content) = read(DESCRIPTION)? {
            let mut bytes = FileBytes::new(self.reader(), content).take(MAX_DESCRIPTION_LEN);
            bytes.read_to_end(&mut description).map_err(crate::feedback::import::failure)?;
        }
        let description: Value = serde_json::from_slice(&description).unwrap_or(Value::Null);
        let mut session = Facts::of(&description).record();
        session.clues = Clues { given: Some(playtest.build), ..Clues::default() };
        session.source_id = Some(playtest.id.to_string());
        session.session = Some(playtest.id.to_string());
        session.player = playtest.player.clone();
        session.platform = playtest.platform.clone();
        session.time = instant(playtest.started);
        session.seconds = SystemTime::from(playtest.ended)
            .duration_since(playtest.started.into())
            .ok()
            .map(|length| length.as_secs_f64());
        if matches!(playtest.ending, PlayEnding::Crashed) {
            session.outcome = Some(Outcome::Crash);
        }
        tidy_record(&mut session);
        let mut records = Vec::new();
        let mut levels: Vec<(f64, String)> = Vec::new();
        if let Some(content) = read(EVENTS)? {
            let mut lines = BufReader::new(FileBytes::new(self.reader(), content));
            let mut line = Vec::new();
            while records.len() < MAX_EVENTS {
                line.clear();
                let len = (&mut lines).take(MAX_EVENT_LEN).read_until(b'\n', &mut line);
                if len.map_err(crate::feedback::import::failure)? == 0 {
                    break;
                }
                let Ok(value) = serde_json::from_slice::<Value>(&line) else { continue };
                let Some(name) = value.get(EVENT).and_then(Value::as_str) else { continue };
                let t = value.get(TIME).and_then(Value::as_f64).filter(|t| t.is_finite() && *t >= 0.0).unwrap_or(0.0);
                let mut record = event_record(SOURCE, name, &value);
                if let Some(level) = &record.place.level {
                    levels.push((t, level.clone()));
                }
                self.place_in_session(&mut record, &session, t, &format!("event {}", records.len()));
                records.push(record);
            }
        }
        self.add_saves(playtest, &session, &levels, &mut records)?;
        records.push(session);
        Ok(records)
    }

    /// Adds a record for each save, in the level that the player was in then: `saves/<seconds>_<slot>.sav`.
    fn add_saves(
        &self,
        playtest: &Playtest,
        session: &FeedbackRecord,
        levels: &[(f64, String)],
        records: &mut Vec<FeedbackRecord>,
    ) -> Result<()> {
        let Some((_, saves)) = self.reader().lookup(playtest.root.id, SAVES)? else { return Ok(()) };
        let crate::manifest::EntryKind::Directory(saves) = saves.kind else { return Ok(()) };
        self.reader().for_each_entry(saves.id, &mut |entry| {
            if records.len() >= 2 * MAX_EVENTS {
                return Ok(());
            }
            let name = crate::name::show(entry.name.as_bytes());
            let (t, slot) = name.split_once('_').unwrap_or(("0", &name));
            let t: f64 = t.parse().ok().filter(|t: &f64| t.is_finite() && *t >= 0.0).unwrap_or(0.0);
            let mut record = FeedbackRecord::new(FeedbackKind::Event, SOURCE);
            record.event = Some("save".into());
            let before = levels.iter().filter(|(at, _)| *at <= t);
            record.place.level = before.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, level)| level.clone());
            record.fields.insert("path".into(), format!("saves/{name}"));
            record.fields.insert("slot".into(), slot.trim_end_matches(".sav").into());
            self.place_in_session(&mut record, session, t, &format!("save {name}"));
            records.push(record);
            Ok(())
        })
    }

    /// Makes a record one of a play, `t` seconds after its start.
    fn place_in_session(&self, record: &mut FeedbackRecord, session: &FeedbackRecord, t: f64, what: &str) {
        let id = session.session.clone().unwrap_or_default();
        record.source_id = Some(format!("{id} {what}"));
        record.session = Some(id);
        record.clues = session.clues.clone();
        record.player = session.player.clone();
        record.platform = session.platform.clone();
        let since = jiff::SignedDuration::try_from_secs_f64(t).ok();
        record.time = session.time.zip(since).and_then(|(start, since)| start.checked_add(since).ok());
        tidy_record(record);
    }
}

fn instant(time: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::new(time.secs, time.nanos as i32).ok()
}

/// What a `session.json` says.
struct Facts<'a>(&'a Value);

impl<'a> Facts<'a> {
    fn of(description: &'a Value) -> Facts<'a> {
        Facts(description)
    }

    fn text(&self, key: &str) -> Option<String> {
        match self.0.get(key)? {
            Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    fn time(&self, key: &str) -> Option<Timestamp> {
        let time: jiff::Timestamp = self.text(key)?.parse().ok()?;
        Some(SystemTime::from(time).into())
    }

    fn ending(&self) -> PlayEnding {
        match self.text("exit").as_deref() {
            Some("clean") => PlayEnding::Exited(0),
            Some("crash") => PlayEnding::Crashed,
            _ => PlayEnding::Unseen,
        }
    }

    /// Returns the play as a record, with the clues to its build.
    fn record(&self) -> FeedbackRecord {
        let mut record = FeedbackRecord::new(FeedbackKind::Session, SOURCE);
        record.clues.stamp = self.text("stamp");
        record.clues.guid = self.text("build_guid");
        record.clues.fingerprint = self.text("fingerprint");
        record.clues.version = self.text("build").or_else(|| self.text("version"));
        record.platform = self.text("platform");
        record.device = self.text("device");
        for key in ["engine", "seed", "exit"] {
            if let Some(text) = self.text(key) {
                record.fields.insert(key.into(), text);
            }
        }
        if let Some(settings) = self.0.get("settings").and_then(Value::as_object) {
            for (key, value) in settings.iter().filter(|(_, value)| !value.is_object() && !value.is_array()) {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                record.fields.insert(format!("settings.{key}"), text);
            }
        }
        record
    }
}
