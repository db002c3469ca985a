//! What players say of builds, as pages: how often builds crash, how tags go, where players stop; and which change is behind it.

mod questions;
mod suspicion;

pub use questions::{Questions, SignatureStep, Trend, page as questions_page};
pub use suspicion::{not_enough, page as suspicion_page};

use super::chart::RatePoint;
use super::text;
use crate::catalogue::Build;
use crate::feedback::{Among, RateOf};

/// Returns the rates of builds as a chart shows them; `builds` are sorted by number.
fn points(rates: &[RateOf], builds: &[Build]) -> Vec<RatePoint> {
    let with_build = rates.iter().filter_map(|of| Some((of.build?, of)));
    with_build.map(|(build, of)| RatePoint { name: super::records::id_of(build, builds), rate: of.rate }).collect()
}

/// Returns `12 sessions`.
fn counted(total: u64, among: Among) -> String {
    text::count(total, if among == Among::Sessions { "session" } else { "report" })
}

/// Returns a share between 0 and 1 in per cent.
fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
