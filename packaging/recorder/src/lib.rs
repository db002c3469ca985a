//! Records playtests of a game into a spool folder, at almost no cost to the game.
//!
//! Games use the C functions of `include/gamevault_rec.h` ([`ffi`]); GameVault, which collects what they wrote, uses the rest. See `docs/recording.md`.
//!
//! ```text
//! spool/<ulid>.open/   session.json  events.jsonl  log.txt  saves/  screens/  crash/  attached/  ring  lock
//! spool/<ulid>/        the same without ring and lock, once the session has ended
//! ```
//!
//! An event goes into `ring`, a file that is mapped into memory, so it is safe from the moment that the function returns
//! also when the game is killed in the next one. One thread writes what is in the ring into `events.jsonl`.
#![warn(missing_docs)]

mod error;
pub mod ffi;
mod flusher;
mod jobs;
mod line;
mod place;
mod recover;
mod ring;
mod ring_image;
mod ring_map;
mod session;

pub use error::{Code, Error, Result};
pub use place::{Folder, default_spool};
pub use recover::{Recovered, is_live, recover};
