//! Which change is behind what players complain of: since when it shows, and which of the files that changed then the
//! complaints speak of.
//!
//! ```text
//! hits and plays of each build ──[onset]──▶ the builds between which it began, each step with its weight
//! what the records say         ──[symptom]─▶ terms that they use more often than other records do
//! what changed between them    ──[rank]────▶ suspects, each with its reasons
//! ```

mod onset;
mod rank;
mod suspicion;
mod symptom;
mod terms;

pub use onset::{NoOnset, Onset, Played, Step, onset};
pub use rank::{Candidate, Reason, ReasonKind, Suspect, rank};
pub use suspicion::{Fixed, Suspicion};
pub use symptom::Symptom;
pub use terms::terms;
