//! All that is asked of feedback at once, for a page.

use crate::catalogue::feedback::{FeedbackQuery, Outcome};
use crate::error::Result;
use crate::report::players::{Questions, SignatureStep, Trend};
use crate::vault::Vault;

/// How many tags are shown when none are asked for.
const FREQUENT_TAGS: usize = 6;

impl Vault {
    /// Returns what players say of all builds, for a page that is called `title`: with how `tags` go from build to build, or the most
    /// frequent ones if there are none.
    ///
    /// # Errors
    /// Those of the databases.
    pub fn feedback_overview(&self, title: &str, tags: &[String]) -> Result<Questions> {
        let index = self.feedback()?;
        let tags = match tags {
            [] => index.frequent_tags(FREQUENT_TAGS)?.into_iter().map(|(tag, _)| tag).collect(),
            tags => tags.to_vec(),
        };
        let trend = |tag: String| Ok(Trend { rates: self.tag_trend(&tag)?, tag });
        let unlinked = FeedbackQuery { builds: Some(Vec::new()), ..FeedbackQuery::default() };
        Ok(Questions {
            title: title.to_owned(),
            builds: self.builds()?,
            records: index.count(&FeedbackQuery::default())?,
            without_build: index.count(&unlinked)?,
            crashes: self.crash_rates(false)?,
            platforms: self.crash_rates(true)?,
            trends: tags.into_iter().map(trend).collect::<Result<_>>()?,
            signatures: self.newest_signatures()?,
            deaths: self.where_ended(Outcome::Death, None, None)?,
            quits: self.where_ended(Outcome::Quit, None, None)?,
            unplayed: self.unplayed_builds()?.into_iter().map(|build| build.id.to_string()).collect(),
        })
    }

    /// Returns what became of crashes between the two newest builds of which anything is known.
    fn newest_signatures(&self) -> Result<Option<SignatureStep>> {
        let bases = self.bases()?;
        let builds = self.builds()?;
        let mut known = builds.iter().rev().filter(|build| bases.contains_key(&build.number));
        let (Some(new), Some(old)) = (known.next(), known.next()) else { return Ok(None) };
        let rows = self.signature_changes(old, new)?;
        Ok(Some(SignatureStep { old: old.id.to_string(), new: new.id.to_string(), rows }))
    }
}
