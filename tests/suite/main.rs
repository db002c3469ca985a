//! The behaviour suite: one binary, one module a subject.

mod cli;
mod compare;
mod damage;
mod repair;
mod resume;
mod snapshot;
mod support;
