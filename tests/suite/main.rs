//! The behaviour suite: one binary, one module a subject.

#[cfg(target_os = "linux")]
mod access;
#[cfg(target_os = "linux")]
mod changes;
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
mod feedback;
mod feedback_import;
#[cfg(target_os = "linux")]
mod feedback_mount;
mod forget;
mod gc;
#[cfg(target_os = "linux")]
mod godot_play;
mod godot_settings;
mod history;
mod hostile;
#[cfg(target_os = "linux")]
mod hot;
#[cfg(target_os = "linux")]
mod idle;
#[cfg(target_os = "linux")]
mod inferred;
#[cfg(unix)]
mod kill;
#[cfg(target_os = "linux")]
mod liveness;
mod milestones;
#[cfg(target_os = "linux")]
mod model;
#[cfg(target_os = "linux")]
mod mount;
#[cfg(target_os = "linux")]
mod notes;
#[cfg(target_os = "linux")]
mod observe;
#[cfg(target_os = "linux")]
mod opens;
mod optimize;
mod places;
mod platforms;
#[cfg(target_os = "linux")]
mod platforms_mount;
#[cfg(target_os = "linux")]
mod play;
#[cfg(target_os = "linux")]
mod programs;
mod properties;
mod questions;
#[cfg(target_os = "linux")]
mod readme;
mod reads;
mod receive;
mod recovery;
mod repair;
mod resume;
#[cfg(target_os = "linux")]
mod sessions;
mod snapshot;
#[cfg(target_os = "linux")]
mod stage;
mod stats;
mod support;
// Statistics, the same on every system; under wine they would take as long as all else.
#[cfg(unix)]
mod suspect;
mod tidy;
#[cfg(target_os = "linux")]
mod tools;
#[cfg(target_os = "linux")]
mod warm;
#[cfg(target_os = "linux")]
mod workspace;
