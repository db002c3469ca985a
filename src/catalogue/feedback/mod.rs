//! Feedback: the record that all sources are brought to, and the index over all records.
//!
//! Packs keep each import whole, with its records; the catalogue knows which imports there are, and the index, a database
//! of its own, finds and counts records.

mod batch;
mod counts;
mod index;
mod link;
mod marks;
mod record;
mod search;
mod writer;

pub use batch::{Deployment, FeedbackBatch};
pub use counts::{KindCount, NamedCount, SignatureCount};
pub use index::{FeedbackIndex, FeedbackSource};
pub use link::{Link, LinkMethod};
pub use marks::{Mark, MarkKind};
pub use record::{Attachment, Clues, FeedbackKind, FeedbackRecord, GamePlace, Outcome, RecordId};
pub use search::{FeedbackQuery, Found};
pub use writer::{IndexWriter, Put, SymbolKind, Tally};
