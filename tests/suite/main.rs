//! The behaviour suite: one binary, one module a subject.

mod cli;
mod compare;
mod containers;
#[cfg(target_os = "linux")]
mod copy_in;
mod crash;
mod damage;
mod deltas;
#[cfg(target_os = "linux")]
mod descriptors;
mod engines;
mod hostile;
#[cfg(target_os = "linux")]
mod inferred;
#[cfg(unix)]
mod kill;
#[cfg(target_os = "linux")]
mod model;
#[cfg(target_os = "linux")]
mod mount;
#[cfg(target_os = "linux")]
mod opens;
mod optimize;
#[cfg(target_os = "linux")]
mod play;
#[cfg(target_os = "linux")]
mod programs;
mod properties;
#[cfg(target_os = "linux")]
mod readme;
mod repair;
mod resume;
#[cfg(target_os = "linux")]
mod sessions;
mod snapshot;
#[cfg(target_os = "linux")]
mod stage;
mod stats;
mod support;
mod tidy;
#[cfg(target_os = "linux")]
mod tools;
#[cfg(target_os = "linux")]
mod workspace;
