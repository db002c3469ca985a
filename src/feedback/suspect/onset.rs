//! Since when something shows: the point in a row of builds where its rate rises.
//!
//! A build that nobody complains of proves little when hardly anybody played it, and a complaint that a few make of every build
//! began nowhere. So all ways to cut the row into "before", "while it lasts" and "after" are weighed: it has one rate while it lasts
//! and a lower one before and after, and of both it is only supposed that one complaint is made in a tenth of the plays.

use crate::feedback::Rate;
use crate::id::BuildNumber;
use libm::lgamma;
use serde::Serialize;

/// How many times better than one rate for all builds a rise must explain the counts; "positive" by Kass and Raftery, Bayes
/// factors (1995). Of rows of one rate, 1 to 30 %, one in 170 reaches it by chance.
const ENOUGH: f64 = 3.0;

/// What is supposed of rates: a beta distribution, of which the mean is a tenth.
const PRIOR: (f64, f64) = (0.5, 4.5);

/// The probability that may lie before and after the steps that are told.
const TAIL: f64 = 0.025;

/// Builds of which most are looked at; the oldest are put aside first.
const MAX_BUILDS: usize = 1_000;

/// What is known of one build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Played {
    /// The build.
    pub build: BuildNumber,
    /// How often it shows.
    pub hits: u64,
    /// Among how many plays or reports.
    pub total: u64,
}

/// From one build to the next of which something is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Step {
    /// The older build.
    pub old: BuildNumber,
    /// The newer build.
    pub new: BuildNumber,
    /// How probable it is that it began here.
    pub weight: f64,
}

/// Where something began.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Onset {
    /// The newest build that is without it, 39 times in 40.
    pub last_without: BuildNumber,
    /// The first build after it that has it, 39 times in 40.
    pub first_with: BuildNumber,
    /// The last build that has it, when later ones were played enough to tell.
    pub last_with: Option<BuildNumber>,
    /// How often it showed before and after.
    pub without: Rate,
    /// How often it showed while it lasted.
    pub with: Rate,
    /// The steps between these builds, the oldest first; their weights sum up to 1.
    pub steps: Vec<Step>,
}

/// Why nobody can tell where something began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoOnset {
    /// No build shows it.
    NeverSeen,
    /// It shows in the oldest build of which anything is known, as in the others.
    InTheFirst,
    /// So few plays could also differ by chance.
    TooFew,
}

/// Tells where something began, from the counts of builds in their order.
///
/// # Errors
/// Why it cannot be told.
pub fn onset(builds: &[Played]) -> Result<Onset, NoOnset> {
    let mut known: Vec<Played> = builds.iter().copied().filter(|build| build.total.max(build.hits) > 0).collect();
    known.drain(..known.len().saturating_sub(MAX_BUILDS));
    // What several of one play said counts once.
    known.iter_mut().for_each(|build| build.total = build.total.max(build.hits));
    if known.iter().all(|build| build.hits == 0) {
        return Err(NoOnset::NeverSeen);
    }
    let sums = sums(&known);
    let all = sums[known.len()];
    let (starts, ends, log_mass) = weigh(&sums);
    if known.len() < 2 || log_mass < ENOUGH.ln() {
        return Err(if known[0].hits > 0 { NoOnset::InTheFirst } else { NoOnset::TooFew });
    }
    let mass: f64 = starts.iter().sum();
    let weights: Vec<f64> = starts.iter().map(|weight| weight / mass).collect();
    let (first, last) = credible(&weights);
    let end = (0..ends.len()).max_by(|a, b| ends[*a].total_cmp(&ends[*b])).unwrap_or(known.len());
    let end = end.max(last + 1);
    let likely = (first..=last).max_by(|a, b| weights[*a].total_cmp(&weights[*b])).unwrap_or(first);
    let (hits, total) = difference(sums[end], sums[likely]);
    let shown: f64 = weights[first..=last].iter().sum();
    let step = |at: usize| Step { old: known[at - 1].build, new: known[at].build, weight: weights[at] / shown };
    Ok(Onset {
        last_without: known[first - 1].build,
        first_with: known[last].build,
        last_with: (end < known.len()).then(|| known[end - 1].build),
        without: Rate::new(all.0 - hits, all.1 - total),
        with: Rate::new(hits, total),
        steps: (first..=last).map(step).collect(),
    })
}

/// Hits and totals of the builds before each place.
fn sums(builds: &[Played]) -> Vec<(u64, u64)> {
    let mut sums = vec![(0, 0)];
    for build in builds {
        let last = sums[sums.len() - 1];
        sums.push((last.0 + build.hits, last.1 + build.total));
    }
    sums
}

fn difference(a: (u64, u64), b: (u64, u64)) -> (u64, u64) {
    (a.0 - b.0, a.1 - b.1)
}

/// Returns how well it explains the counts that it begins at each build; and that it ends before each build or, at the last place,
/// not at all; relative to each other. And the logarithm of how many times better all of these are than one rate for all.
fn weigh(sums: &[(u64, u64)]) -> (Vec<f64>, Vec<f64>, f64) {
    let count = sums.len() - 1;
    let all = sums[count];
    let base = log_evidence(all.0, all.1);
    let mut ways: Vec<(usize, usize, f64)> = Vec::new();
    for start in 1..count {
        for end in start + 1..=count {
            let (hits, total) = difference(sums[end], sums[start]);
            let (other_hits, other_total) = (all.0 - hits, all.1 - total);
            // Where it lasts it is more frequent.
            if hits as f64 * other_total as f64 <= other_hits as f64 * total as f64 {
                continue;
            }
            // Half of the belief is that it lasts still.
            let prior = match (end == count, count - start - 1) {
                (true, 0) => 1.0,
                (true, _) => 0.5,
                (false, others) => 0.5 / others as f64,
            } / (count - 1) as f64;
            ways.push((
                start,
                end,
                prior.ln() + log_evidence(hits, total) + log_evidence(other_hits, other_total) - base,
            ));
        }
    }
    let best = ways.iter().map(|(_, _, log)| *log).fold(f64::NEG_INFINITY, f64::max);
    let (mut starts, mut ends) = (vec![0.0; count], vec![0.0; count + 1]);
    for (start, end, log) in ways {
        // Thousands of plays make numbers that no f64 holds.
        let weight = (log - best).exp();
        starts[start] += weight;
        ends[end] += weight;
    }
    let log_mass = best + starts.iter().sum::<f64>().ln();
    (starts, ends, log_mass)
}

/// Returns the logarithm of how probable `hits` among `total` are, whatever the rate is.
fn log_evidence(hits: u64, total: u64) -> f64 {
    let log_beta = |a: f64, b: f64| lgamma(a) + lgamma(b) - lgamma(a + b);
    let (a, b) = PRIOR;
    log_beta(hits as f64 + a, (total - hits) as f64 + b) - log_beta(a, b)
}

/// Returns the first and the last place that hold all weight but the tails.
fn credible(weights: &[f64]) -> (usize, usize) {
    let reached = |order: &mut dyn Iterator<Item = usize>| {
        let mut sum = 0.0;
        for at in order {
            sum += weights[at];
            if sum > TAIL {
                return at;
            }
        }
        1
    };
    let first = reached(&mut (1..weights.len()));
    (first, reached(&mut (first..weights.len()).rev()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(counts: &[(u64, u64)]) -> Result<Onset, NoOnset> {
        let builds = counts.iter().enumerate();
        let played =
            |(at, &(hits, total)): (usize, &(u64, u64))| Played { build: BuildNumber(at as u64 + 1), hits, total };
        onset(&builds.map(played).collect::<Vec<_>>())
    }

    #[test]
    fn it_begins_where_the_rate_rises() {
        let found = of(&[(0, 20), (1, 25), (0, 30), (12, 25), (9, 20)]).unwrap();
        assert_eq!((found.last_without.0, found.first_with.0, found.last_with), (3, 4, None));
        assert_eq!((found.without.hits, found.with.hits, found.with.total), (1, 21, 45));
        assert!(found.steps.len() == 1 && (found.steps[0].weight - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_build_that_hardly_anybody_played_proves_nothing() {
        let found = of(&[(0, 40), (0, 40), (0, 1), (0, 0), (15, 40), (14, 40)]).unwrap();
        assert_eq!((found.last_without.0, found.first_with.0), (2, 5));
        assert_eq!(found.steps.len(), 2);
        assert!(found.steps[1].weight > found.steps[0].weight, "{:?}", found.steps);
    }

    #[test]
    fn it_may_end() {
        let found = of(&[(0, 30), (10, 30), (11, 30), (0, 30), (0, 30)]).unwrap();
        assert_eq!((found.first_with.0, found.last_with.map(|build| build.0)), (2, Some(3)));
    }

    #[test]
    fn many_plays_tell_the_very_build() {
        let mut counts = vec![(5, 10_000); 200];
        counts[120..].iter_mut().for_each(|count| count.0 = 500);
        let found = of(&counts).unwrap();
        assert_eq!((found.last_without.0, found.first_with.0, found.steps.len()), (120, 121, 1));
    }

    #[test]
    fn what_cannot_be_told_is_not() {
        assert_eq!(of(&[]), Err(NoOnset::NeverSeen));
        assert_eq!(of(&[(0, 5), (0, 5)]), Err(NoOnset::NeverSeen));
        assert_eq!(of(&[(3, 10), (2, 10), (4, 11)]), Err(NoOnset::InTheFirst));
        assert_eq!(of(&[(0, 1), (1, 1)]), Err(NoOnset::TooFew));
        assert_eq!(of(&[(0, 0), (5, 5)]), Err(NoOnset::InTheFirst));
    }
}
