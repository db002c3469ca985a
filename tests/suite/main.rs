//! The behaviour suite: one binary, one module a subject.

mod compare;
mod damage;
mod repair;
mod resume;
mod snapshot;
mod support;
