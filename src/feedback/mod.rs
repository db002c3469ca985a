//! What came back from players: files of many tools become records.

mod answers;
mod fingerprint;
pub mod import;
mod link;
mod rate;
pub mod suspect;

pub use answers::{Among, PlaceRow, RateOf, SignatureChange, SignatureRow};
pub use fingerprint::{FINGERPRINT_END, fingerprint};
pub use link::Knowledge;
pub use rate::Rate;
