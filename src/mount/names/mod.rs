//! Names for systems on which two names that differ in case alone are one, or on which not every name can be had.
//!
//! `escape` says how Windows is shown what it cannot have, `listed` which name each entry of a folder is shown under. Nothing
//! here calls a system: it is compiled and tested everywhere.

mod escape;
mod listed;

pub(super) use escape::{read, show};
pub(super) use listed::Listed;
