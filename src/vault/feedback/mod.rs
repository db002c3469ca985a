//! Feedback: imported into packs, found by an index of its own, linked to builds.

mod deploy;
mod folder;
mod forget;
mod import;
mod inbox;
mod index;
mod mappings;
mod marks;
mod overview;
mod players;
mod questions;
mod sessions;
mod spool;
mod stamp;
mod suspect;

pub use deploy::DeployOptions;
pub use forget::{ForgetFeedback, ForgottenFeedback};
pub use import::{ImportOptions, ImportReport};
pub(super) use index::INDEX;
pub use index::Relinked;
pub use spool::{CollectOptions, Collected, Stayed};
pub use stamp::Stamped;
