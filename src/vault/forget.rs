//! Which builds are kept, and how the others go out of sight: they can be recalled for some time.
//!
//! A plan says of each build whether it stays, and why. Milestones' builds always stay; so do those that are tagged, that were
//! deployed and of which there is feedback, unless they are named and forced.

use super::Vault;
use crate::catalogue::{Build, Record};
use crate::error::{Error, ErrorKind, Result};
use crate::id::BuildNumber;
use crate::manifest::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Zoned};
use std::collections::{BTreeSet, HashMap, HashSet};

/// The key of the metadata of a build that was given to players.
const DEPLOYED_KEY: &str = "deployed";

/// How many builds of each period are kept, the newest of each; periods without a build do not count.
#[derive(Debug, Clone, Default)]
pub struct KeepRules {
    /// The newest builds.
    pub last: usize,
    /// One an hour.
    pub hourly: usize,
    /// One a day.
    pub daily: usize,
    /// One a week, which begins on Monday.
    pub weekly: usize,
    /// One a month.
    pub monthly: usize,
    /// One a year.
    pub yearly: usize,
    /// All that are younger than this.
    pub within: Option<Span>,
}

impl KeepRules {
    /// Tells whether nothing is to be kept by rule.
    pub fn is_empty(&self) -> bool {
        let counts = [self.last, self.hourly, self.daily, self.weekly, self.monthly, self.yearly];
        counts.iter().all(|&count| count == 0) && self.within.is_none()
    }
}

/// Why a build stays.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// This milestone marks it.
    Milestone(String),
    /// It has tags.
    Tagged,
    /// It was given to players.
    Deployed,
    /// There is feedback of it.
    Feedback,
    /// It is among the newest.
    Last,
    /// It is the newest of its hour.
    Hourly,
    /// It is the newest of its day.
    Daily,
    /// It is the newest of its week.
    Weekly,
    /// It is the newest of its month.
    Monthly,
    /// It is the newest of its year.
    Yearly,
    /// It is young.
    Within,
}

/// What is planned for a build: it goes when there is no reason for it to stay.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The build.
    pub build: Build,
    /// Why it stays.
    pub reasons: Vec<Reason>,
}

/// A forgotten build.
#[derive(Debug, Clone)]
pub struct Forgotten {
    /// The build.
    pub build: Build,
    /// When it was forgotten.
    pub forgotten: Timestamp,
    /// Until when it can be recalled for sure.
    pub until: Timestamp,
}

impl Vault {
    /// Plans which builds stay by `rules`, looked at for each platform by itself; in the order of their numbers.
    ///
    /// The number of a build tells which is newer, its time only the period that it falls into: clocks differ.
    ///
    /// # Errors
    /// Those of the catalogue; `Invalid` if the span of `within` leads out of the calendar.
    pub fn plan_forgetting(&self, rules: &KeepRules, zone: &TimeZone) -> Result<Vec<Planned>> {
        let builds = self.builds()?;
        let mut always = self.reasons()?;
        let now = Zoned::new(jiff::Timestamp::now(), zone.clone());
        let young = rules.within.map(|span| now.checked_sub(span).map(|time| time.timestamp())).transpose();
        let young =
            young.map_err(|error| Error::invalid(format!("builds cannot be kept within that time: {error}")))?;
        let mut kept: HashMap<BuildNumber, Vec<Reason>> = HashMap::new();
        let platforms: BTreeSet<_> = builds.iter().map(|build| build.info.platform.as_deref()).collect();
        for platform in platforms {
            let newest_first = builds.iter().rev().filter(|build| build.info.platform.as_deref() == platform);
            for (build, reason) in by_period(newest_first, rules, zone) {
                kept.entry(build).or_default().push(reason);
            }
        }
        let plan = builds.into_iter().map(|build| {
            let mut reasons = always.remove(&build.number).unwrap_or_default();
            reasons.extend(kept.remove(&build.number).unwrap_or_default());
            if young.is_some_and(|young| time_of(&build) >= young) {
                reasons.push(Reason::Within);
            }
            Planned { build, reasons }
        });
        Ok(plan.collect())
    }

    /// Forgets builds: they are out of every list at once, and can be recalled until their time is over.
    ///
    /// # Errors
    /// `NotPermitted` for one that a milestone marks, and unless `force` for one with tags, feedback or that was deployed;
    /// then none is forgotten.
    pub fn forget(&self, builds: &[Build], force: bool) -> Result<()> {
        let check = || {
            let always = self.reasons()?;
            for build in builds {
                let reasons = always.get(&build.number).into_iter().flatten();
                let mut holding = reasons.filter(|reason| !force || matches!(reason, Reason::Milestone(_)));
                if let Some(reason) = holding.next() {
                    return Err(refusal(build, reason));
                }
            }
            Ok(())
        };
        let record = |build, serial, created| Record::BuildForgotten { build, serial, created };
        self.publish_forgetting(builds, check, record)
    }

    /// Brings forgotten builds back.
    ///
    /// # Errors
    /// `Exists` if another build has the id of one by now; then none is brought back.
    pub fn recall(&self, builds: &[Build]) -> Result<()> {
        let record = |build, serial, created| Record::BuildRecalled { build, serial, created };
        self.publish_forgetting(builds, || Ok(()), record)
    }

    /// Returns the forgotten builds, by number.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub fn forgotten(&self) -> Result<Vec<Forgotten>> {
        let grace = self.config.grace_secs();
        let forgotten = self.store().catalogue().forgotten()?.into_iter().map(|row| {
            let time = |secs| Timestamp { secs, nanos: 0 };
            let until = time(row.forgotten_secs.saturating_add(grace));
            Forgotten { build: row.build, forgotten: time(row.forgotten_secs), until }
        });
        Ok(forgotten.collect())
    }

    /// Returns why builds stay whatever the rules say.
    fn reasons(&self) -> Result<HashMap<BuildNumber, Vec<Reason>>> {
        let mut reasons: HashMap<BuildNumber, Vec<Reason>> = HashMap::new();
        for milestone in self.milestones()? {
            reasons.entry(milestone.build).or_default().push(Reason::Milestone(milestone.name.to_string()));
        }
        let played: HashSet<_> = self.playtests()?.iter().map(|playtest| playtest.build).collect();
        for build in self.builds()? {
            let holds = [
                (!build.info.tags.is_empty(), Reason::Tagged),
                (build.info.meta.contains_key(DEPLOYED_KEY), Reason::Deployed),
                (played.contains(&build.number), Reason::Feedback),
            ];
            let holding = holds.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason);
            reasons.entry(build.number).or_default().extend(holding);
        }
        Ok(reasons)
    }

    fn publish_forgetting(
        &self,
        builds: &[Build],
        check: impl FnOnce() -> Result<()>,
        record: impl Fn(BuildNumber, u64, Timestamp) -> Record,
    ) -> Result<()> {
        if builds.is_empty() {
            return Ok(());
        }
        self.store().catalogue().publish(|publish| {
            // Nobody else publishes meanwhile, so what is found here holds.
            check()?;
            let (first, created) = (publish.next_forget_serial()?, Timestamp::now());
            let records: Vec<Record> =
                (first..).zip(builds).map(|(serial, build)| record(build.number, serial, created)).collect();
            publish.add_pack(&self.store().write_records(&records, publish.next_pack_time()?)?)?;
            records.iter().try_for_each(|record| publish.add_record(record))
        })
    }
}

/// Returns which of `builds`, the newest first, are kept as the newest of a period, and of which.
fn by_period<'a>(
    builds: impl Iterator<Item = &'a Build> + Clone,
    rules: &KeepRules,
    zone: &TimeZone,
) -> Vec<(BuildNumber, Reason)> {
    let mut kept: Vec<_> = builds.clone().take(rules.last).map(|build| (build.number, Reason::Last)).collect();
    type Period = fn(&Zoned) -> (Date, i8);
    let periods: [(usize, Reason, Period); 5] = [
        (rules.hourly, Reason::Hourly, |time| (time.date(), time.hour())),
        (rules.daily, Reason::Daily, |time| (time.date(), 0)),
        (rules.weekly, Reason::Weekly, |time| {
            let week = time.date().iso_week_date();
            (Date::constant(week.year(), 1, 1), week.week())
        }),
        (rules.monthly, Reason::Monthly, |time| (time.date().first_of_month(), 0)),
        (rules.yearly, Reason::Yearly, |time| (time.date().first_of_year(), 0)),
    ];
    for (count, reason, period) in periods {
        let mut seen = HashSet::new();
        for build in builds.clone() {
            if seen.len() == count {
                break;
            }
            if seen.insert(period(&time_of(build).to_zoned(zone.clone()))) {
                kept.push((build.number, reason.clone()));
            }
        }
    }
    kept
}

fn time_of(build: &Build) -> jiff::Timestamp {
    // A time out of the calendar counts as its first day.
    jiff::Timestamp::new(build.created.secs, build.created.nanos as i32).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

fn refusal(build: &Build, reason: &Reason) -> Error {
    let (why, hint) = match reason {
        Reason::Milestone(name) => {
            (format!("the milestone {name} marks it"), format!("`gamevault milestone remove {name}` comes first"))
        }
        Reason::Deployed => ("it was deployed".into(), "forget it all the same with --force".into()),
        Reason::Feedback => ("there is feedback of it".into(), "forget it all the same with --force".into()),
        _ => ("it has tags".into(), "forget it all the same with --force".into()),
    };
    Error::new(ErrorKind::NotPermitted, format!("build {} is not forgotten: {why}", build.id)).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{BuildInfo, Completeness};
    use crate::id::ChunkId;
    use crate::manifest::{Attributes, Directory, Totals};

    /// Builds 1, 2, … with these times in UTC, the oldest first.
    fn builds(times: &[&str]) -> Vec<Build> {
        let build = |(number, time): (u64, &&str)| {
            let created: jiff::Timestamp = time.parse().unwrap();
            Build {
                number: BuildNumber(number),
                id: number.to_string().parse().unwrap(),
                created: Timestamp { secs: created.as_second(), nanos: 0 },
                root: Directory { id: ChunkId::of(b""), totals: Totals::default() },
                attributes: Attributes { mode: 0o755, mtime: Timestamp::default(), xattrs: None },
                single_file: None,
                completeness: Completeness::Verified,
                changed_while_read: Vec::new(),
                supersedes: None,
                superseded_by: None,
                stored_bytes: 0,
                info: BuildInfo::default(),
            }
        };
        (1..).zip(times).map(build).collect()
    }

    fn kept(builds: &[Build], rules: &KeepRules) -> Vec<u64> {
        let kept = by_period(builds.iter().rev(), rules, &TimeZone::UTC);
        let numbers: BTreeSet<u64> = kept.into_iter().map(|(number, _)| number.0).collect();
        numbers.into_iter().collect()
    }

    const TIMES: [&str; 8] = [
        "2025-12-31T23:00:00Z",
        "2026-01-01T01:00:00Z",
        "2026-01-05T08:10:00Z",
        "2026-01-05T08:50:00Z",
        "2026-01-05T17:00:00Z",
        "2026-01-11T17:00:00Z",
        "2026-01-12T09:00:00Z",
        "2026-02-01T09:00:00Z",
    ];

    #[test]
    fn the_newest_of_each_period_stays() {
        let builds = builds(&TIMES);
        let rules = KeepRules::default();
        assert!(rules.is_empty() && kept(&builds, &rules).is_empty());
        assert_eq!(kept(&builds, &KeepRules { last: 2, ..KeepRules::default() }), [7, 8]);
        assert_eq!(kept(&builds, &KeepRules { hourly: 5, ..KeepRules::default() }), [4, 5, 6, 7, 8]);
        assert_eq!(kept(&builds, &KeepRules { daily: 4, ..KeepRules::default() }), [5, 6, 7, 8]);
        // A week begins on Monday: of 5 to 11 January the last one, and the week from 29 December crosses the year.
        assert_eq!(kept(&builds, &KeepRules { weekly: 10, ..KeepRules::default() }), [2, 6, 7, 8]);
        assert_eq!(kept(&builds, &KeepRules { monthly: 10, ..KeepRules::default() }), [1, 7, 8]);
        assert_eq!(kept(&builds, &KeepRules { yearly: 1, ..KeepRules::default() }), [8]);
        assert_eq!(kept(&builds, &KeepRules { yearly: 2, last: 1, ..KeepRules::default() }), [1, 8]);
    }

    #[test]
    fn a_clock_that_ran_backwards_changes_no_order() {
        let mut times = TIMES;
        // The newest build was made by a machine that lives in 2020.
        times[7] = "2020-06-01T00:00:00Z";
        let builds = builds(&times);
        assert_eq!(kept(&builds, &KeepRules { last: 1, ..KeepRules::default() }), [8]);
        assert_eq!(kept(&builds, &KeepRules { daily: 2, ..KeepRules::default() }), [7, 8]);
    }

    #[test]
    fn days_are_those_of_the_place() {
        let builds = builds(&TIMES[..2]);
        let rules = KeepRules { daily: 9, ..KeepRules::default() };
        assert_eq!(kept(&builds, &rules), [1, 2]);
        // In Berlin both were made on the first of January.
        let berlin = TimeZone::fixed(jiff::tz::offset(1));
        assert_eq!(by_period(builds.iter().rev(), &rules, &berlin), [(BuildNumber(2), Reason::Daily)]);
    }
}
