//! Which builds a command is about, by what is known of them: `--platform`, `--tag`, `--since`.

use clap::Args;
use gamevault::catalogue::Build;
use gamevault::manifest::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Zoned};
use std::time::SystemTime;

/// The options that leave builds out.
#[derive(Debug, Clone, Default, Args)]
pub struct Selection {
    /// Only builds of this platform; of one of several.
    #[arg(long, value_name = "NAME")]
    platform: Vec<String>,

    /// Only builds with this tag; with all of several.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,

    /// Only builds published since then: `2026-11-20`, `2026-11-20T18:30`, or so long ago: `12h`, `3 days`.
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    since: Option<Timestamp>,
}

impl Selection {
    /// Returns those of `builds` that are meant, in their order.
    pub fn of(&self, mut builds: Vec<Build>) -> Vec<Build> {
        builds.retain(|build| self.takes(build));
        builds
    }

    fn takes(&self, build: &Build) -> bool {
        let info = &build.info;
        let platform = || info.platform.as_ref().is_some_and(|platform| self.platform.contains(platform));
        (self.platform.is_empty() || platform())
            && self.tag.iter().all(|tag| info.tags.contains(tag))
            && self.since.is_none_or(|since| build.created >= since)
    }
}

/// Reads a time as options have it.
pub fn parse_since(text: &str) -> Result<Timestamp, String> {
    since(text, &Zoned::now())
}

/// Reads a time as [`parse_since`] does, as a point on the calendar.
pub fn parse_instant(text: &str) -> Result<jiff::Timestamp, String> {
    let time = parse_since(text)?;
    jiff::Timestamp::new(time.secs, time.nanos as i32).map_err(|error| error.to_string())
}

/// Reads a time, or how long before `now` it was.
fn since(text: &str, now: &Zoned) -> Result<Timestamp, String> {
    let zone: TimeZone = now.time_zone().clone();
    let time = text.parse::<jiff::Timestamp>().ok();
    let time = time.or_else(|| text.parse::<DateTime>().ok()?.to_zoned(zone).ok().map(|time| time.timestamp()));
    let time = time.or_else(|| now.checked_sub(text.parse::<Span>().ok()?.abs()).ok().map(|time| time.timestamp()));
    let time = time.ok_or("it is no time; write 2026-11-20, 2026-11-20T18:30, or how long ago: 12h, 3 days")?;
    Ok(SystemTime::from(time).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_points_or_how_long_ago_they_were() {
        let now: Zoned = "2026-11-23T10:00:00+01:00[Europe/Berlin]".parse().unwrap();
        let seconds = |text: &str| since(text, &now).map(|time| time.secs - now.timestamp().as_second());
        let (minute, hour) = (60, 3600);
        for (text, expected) in [
            ("2026-11-23", -10 * hour),
            ("2026-11-22T09:30", -24 * hour - 30 * minute),
            ("2026-11-23T08:00:00Z", -hour),
            ("12h", -12 * hour),
            ("3 days", -72 * hour),
            ("1w", -168 * hour),
        ] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        assert!(since("yesterday", &now).is_err());
    }
}
