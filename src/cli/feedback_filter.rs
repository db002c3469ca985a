//! Which records a command is about: `--build`, `--kind`, `--tag`, and so on.

use super::selection::parse_instant;
use clap::Args;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser;
use gamevault::Vault;
use gamevault::catalogue::feedback::{FeedbackKind, FeedbackQuery, Outcome};
use gamevault::error::{Error, Result};
use gamevault::id::BuildNumber;
use jiff::Timestamp;

/// The options that leave records out.
#[derive(Debug, Clone, Default, Args)]
pub struct FeedbackFilter {
    /// Only about this build: an id, a number, a label, a milestone, `latest`; or about any from A to B: `A..B`.
    #[arg(long, value_name = "BUILD")]
    build: Option<String>,

    /// Only what no build is known of.
    #[arg(long, conflicts_with = "build")]
    unlinked: bool,

    /// Only of this kind; of one of several.
    #[arg(long, value_name = "KIND", value_parser = kinds())]
    kind: Vec<FeedbackKind>,

    /// Only with this tag; with all of several.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,

    /// Only on this platform.
    #[arg(long, value_name = "NAME")]
    platform: Option<String>,

    /// Only in this level.
    #[arg(long, value_name = "NAME")]
    level: Option<String>,

    /// Only of this player: a pseudonym, or the name where names are kept.
    #[arg(long, value_name = "NAME")]
    player: Option<String>,

    /// Only of this play.
    #[arg(long, value_name = "ID")]
    session: Option<String>,

    /// Only crashes with this signature.
    #[arg(long, value_name = "TEXT")]
    signature: Option<String>,

    /// Only events of this name.
    #[arg(long, value_name = "NAME")]
    event: Option<String>,

    /// Only what ended so.
    #[arg(long, value_name = "OUTCOME", value_parser = outcomes())]
    outcome: Option<Outcome>,

    /// Only since then: `2026-11-20`, `2026-11-20T18:30`, or so long ago: `12h`, `3 days`.
    #[arg(long, value_name = "TIME", value_parser = parse_instant)]
    since: Option<Timestamp>,

    /// Only before then.
    #[arg(long, value_name = "TIME", value_parser = parse_instant)]
    until: Option<Timestamp>,
}

impl FeedbackFilter {
    /// Returns the query for what is wanted, with no text in it.
    pub fn query(&self, vault: &Vault) -> Result<FeedbackQuery> {
        Ok(FeedbackQuery {
            builds: self.builds(vault)?,
            kinds: self.kind.clone(),
            tags: self.tag.iter().map(|tag| tag.to_lowercase()).collect(),
            platform: self.platform.as_ref().map(|platform| platform.to_lowercase()),
            level: self.level.clone(),
            player: self.player.clone(),
            session: self.session.clone(),
            signature: self.signature.clone(),
            event: self.event.clone(),
            outcome: self.outcome,
            since: self.since,
            until: self.until,
            ..FeedbackQuery::default()
        })
    }

    /// Returns what is asked for in a few words, for the title of a page.
    pub fn words(&self) -> String {
        let tags = self.tag.iter().map(|tag| format!("the tag {tag}"));
        let signature = self.signature.iter().map(|signature| format!("the signature {signature}"));
        let kinds = self.kind.iter().map(|kind| format!("the kind {}", kind.code()));
        let level = self.level.iter().map(|level| format!("the level {level}"));
        let event = self.event.iter().map(|event| format!("the event {event}"));
        let outcome = self.outcome.iter().map(|outcome| format!("the outcome {}", outcome.code()));
        let words: Vec<String> = tags.chain(signature).chain(kinds).chain(level).chain(event).chain(outcome).collect();
        if words.is_empty() { "been complained of".to_owned() } else { words.join(" and ") }
    }

    fn builds(&self, vault: &Vault) -> Result<Option<Vec<BuildNumber>>> {
        if self.unlinked {
            return Ok(Some(Vec::new()));
        }
        let Some(wanted) = &self.build else { return Ok(None) };
        let Some((first, last)) = wanted.split_once("..") else { return Ok(Some(vec![vault.build(wanted)?.number])) };
        let (first, last) = (vault.build(first)?.number, vault.build(last)?.number);
        if last < first {
            return Err(Error::invalid(format!("in the range {wanted} the first build is the later one"))
                .with_hint("write the older build first"));
        }
        let builds = vault.builds()?.into_iter().map(|build| build.number);
        Ok(Some(builds.filter(|build| (first..=last).contains(build)).collect()))
    }
}

/// Takes the name of a kind.
pub fn kinds() -> impl TypedValueParser<Value = FeedbackKind> {
    PossibleValuesParser::new(FeedbackKind::ALL.map(FeedbackKind::code))
        .map(|code| FeedbackKind::ALL.into_iter().find(|kind| kind.code() == code).expect("it is one of these values"))
}

/// Takes the name of an outcome.
pub fn outcomes() -> impl TypedValueParser<Value = Outcome> {
    PossibleValuesParser::new(Outcome::ALL.map(Outcome::code))
        .map(|code| Outcome::ALL.into_iter().find(|one| one.code() == code).expect("it is one of these values"))
}
