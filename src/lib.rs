//! placeholder
#![warn(missing_docs)]
pub mod catalogue;
pub mod content;
pub mod disk;
pub mod error;
pub mod id;
pub mod ingest;
pub mod manifest;
pub mod name;
pub mod progress;
pub mod store;
pub mod vault;
pub use vault::Vault;
