//! Names for the builds that matter, and what people say of them.

use super::Vault;
use crate::catalogue::{Build, Certificate, EarlierBuild, Milestone, Publish, Record};
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::Timestamp;
use crate::name::RefName;
use std::collections::BTreeMap;

/// The longest notes of a milestone, in bytes.
pub const MAX_NOTES_LEN: usize = 1 << 20;

/// Kinds of milestones that a name tells by itself, as `beta` or `Beta-2` does.
pub const MILESTONE_KINDS: [&str; 10] = [
    "prototype",
    "first-playable",
    "vertical-slice",
    "demo",
    "pre-alpha",
    "alpha",
    "beta",
    "release-candidate",
    "gold",
    "release",
];

/// What people say of a milestone; what is `None` or empty stays as it is.
#[derive(Debug, Clone, Default)]
pub struct Annotation {
    /// A sentence on what it is; the empty one takes it away.
    pub message: Option<String>,
    /// What sort of milestone it is; the empty one takes it away.
    pub kind: Option<String>,
    /// Words to find it by, to be added.
    pub tags: Vec<String>,
    /// Words to be taken away.
    pub remove_tags: Vec<String>,
    /// Free keys and values; an empty value takes the key away.
    pub meta: BTreeMap<String, String>,
    /// Notes in Markdown; empty ones take them away.
    pub notes: Option<String>,
}

impl Vault {
    /// Returns all milestones in the order in which they were set.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub fn milestones(&self) -> Result<Vec<Milestone>> {
        self.store().catalogue().milestones()
    }

    /// Returns the milestone `name`.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub fn milestone(&self, name: &RefName) -> Result<Milestone> {
        self.store().catalogue().milestone(name)?.ok_or_else(|| unknown(name))
    }

    /// Marks `build` as the milestone `name`; with `move_existing` a milestone that marks another build is moved, and
    /// remembers that one.
    ///
    /// # Errors
    /// `Exists` if the name marks another build and must not be moved; `NotPermitted` if it is protected; `Invalid` for
    /// notes that are too long.
    pub fn set_milestone(
        &self,
        name: &RefName,
        build: &Build,
        annotation: &Annotation,
        move_existing: bool,
    ) -> Result<Milestone> {
        self.publish_milestones(|publish| {
            if !publish.has_build(build.number)? {
                return Err(Error::not_found(format!("there is no build {}", build.id)));
            }
            let serial = publish.next_milestone_serial()?;
            let new = Milestone::new(name.clone(), serial, build.number, Timestamp::now());
            let mut milestone = match publish.milestone(name)? {
                None => new,
                Some(old) if old.build == build.number => changed(old, serial),
                Some(old) => {
                    refuse_protected(&old, "moved")?;
                    if !move_existing {
                        let message = format!("the milestone {} marks build {} already", old.name, old.build);
                        return Err(Error::new(ErrorKind::Exists, message)
                            .with_hint("move it with --move, or choose another name"));
                    }
                    moved(old, new)
                }
            };
            annotate(&mut milestone, annotation)?;
            if milestone.kind.is_none() {
                milestone.kind = kind_of_name(&milestone.name);
            }
            Ok((vec![Record::Milestone(Box::new(milestone.clone()))], milestone))
        })
    }

    /// Changes what people say of the milestone `name`.
    ///
    /// # Errors
    /// `NotFound` if there is none; `Invalid` for notes that are too long.
    pub fn annotate_milestone(&self, name: &RefName, annotation: &Annotation) -> Result<Milestone> {
        self.change_milestone(name, |milestone| annotate(milestone, annotation))
    }

    /// Protects the milestone `name` from being moved, renamed and removed, or ends that.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub fn protect_milestone(&self, name: &RefName, protected: bool) -> Result<Milestone> {
        self.change_milestone(name, |milestone| {
            milestone.protected = protected;
            Ok(())
        })
    }

    /// Keeps what was found when the milestone's build was read.
    ///
    /// # Errors
    /// `NotFound` if there is no such milestone; `Conflict` if it marks another build by now.
    pub(super) fn certify_milestone(&self, certificate: &Certificate) -> Result<Milestone> {
        self.change_milestone(&certificate.milestone, |milestone| {
            if milestone.build != certificate.build {
                let message = format!("the milestone {} was moved while its build was read", milestone.name);
                return Err(Error::new(ErrorKind::Exists, message).with_hint("verify it again"));
            }
            milestone.certificate =
                Some(Certificate { annotations_hash: milestone.annotations_hash(), ..certificate.clone() });
            Ok(())
        })
    }

    /// Gives the milestone `name` another name.
    ///
    /// # Errors
    /// `NotFound` if there is none; `Exists` if another one has the new name; `NotPermitted` if it is protected.
    pub fn rename_milestone(&self, name: &RefName, new_name: &RefName) -> Result<Milestone> {
        self.publish_milestones(|publish| {
            let old = publish.milestone(name)?.ok_or_else(|| unknown(name))?;
            refuse_protected(&old, "renamed")?;
            if let Some(taken) = publish.milestone(new_name)?.filter(|taken| taken.name.folded() != old.name.folded()) {
                return Err(Error::new(ErrorKind::Exists, format!("there is a milestone {} already", taken.name))
                    .with_hint("choose another name"));
            }
            let serial = publish.next_milestone_serial()?;
            let removed = removed(&old, serial);
            let renamed = Milestone { name: new_name.clone(), ..changed(old, serial + 1) };
            Ok((vec![removed, Record::Milestone(Box::new(renamed.clone()))], renamed))
        })
    }

    /// Removes the milestone `name`; the build that it marks stays.
    ///
    /// # Errors
    /// `NotFound` if there is none; `NotPermitted` if it is protected.
    pub fn remove_milestone(&self, name: &RefName) -> Result<()> {
        self.publish_milestones(|publish| {
            let milestone = publish.milestone(name)?.ok_or_else(|| unknown(name))?;
            refuse_protected(&milestone, "removed")?;
            Ok((vec![removed(&milestone, publish.next_milestone_serial()?)], ()))
        })
    }

    fn change_milestone(&self, name: &RefName, change: impl FnOnce(&mut Milestone) -> Result<()>) -> Result<Milestone> {
        self.publish_milestones(|publish| {
            let old = publish.milestone(name)?.ok_or_else(|| unknown(name))?;
            let mut milestone = changed(old, publish.next_milestone_serial()?);
            change(&mut milestone)?;
            Ok((vec![Record::Milestone(Box::new(milestone.clone()))], milestone))
        })
    }

    fn publish_milestones<T>(&self, change: impl FnOnce(&Publish<'_>) -> Result<(Vec<Record>, T)>) -> Result<T> {
        self.store().catalogue().publish(|publish| {
            let (records, value) = change(publish)?;
            publish.add_pack(&self.store().write_records(&records, publish.next_pack_time()?)?)?;
            records.iter().try_for_each(|record| publish.add_record(record))?;
            Ok(value)
        })
    }
}

/// Returns `old` as its next record says it, before anything is changed.
fn changed(old: Milestone, serial: u64) -> Milestone {
    Milestone { set: Some(old.set_serial()), serial, changed: Some(Timestamp::now()), ..old }
}

/// Returns `old` as a mark of the build that `new` marks.
fn moved(old: Milestone, new: Milestone) -> Milestone {
    let mut earlier = old.earlier;
    earlier.push(EarlierBuild { build: old.build, from: old.created, until: new.created });
    let Milestone { message, tags, kind, meta, notes, .. } = old;
    Milestone { name: old.name, message, tags, kind, meta, notes, earlier, ..new }
}

fn removed(milestone: &Milestone, serial: u64) -> Record {
    Record::MilestoneRemoved { name: milestone.name.clone(), serial, created: Timestamp::now() }
}

fn annotate(milestone: &mut Milestone, annotation: &Annotation) -> Result<()> {
    let Annotation { message, kind, tags, remove_tags, meta, notes } = annotation;
    let replace = |field: &mut Option<String>, new: &Option<String>| {
        if let Some(new) = new {
            *field = Some(new.clone()).filter(|new| !new.is_empty());
        }
    };
    if let Some(notes) = notes.as_ref().filter(|notes| notes.len() > MAX_NOTES_LEN) {
        let message = format!("the notes of milestone {} have {} bytes, more than 1 MiB", milestone.name, notes.len());
        return Err(Error::new(ErrorKind::TooLarge, message).with_hint("keep long texts in the project itself"));
    }
    replace(&mut milestone.message, message);
    replace(&mut milestone.notes, notes);
    replace(&mut milestone.kind, &kind.as_deref().map(as_kind));
    milestone.tags.retain(|tag| !remove_tags.contains(tag));
    for tag in tags {
        if !milestone.tags.contains(tag) {
            milestone.tags.push(tag.clone());
        }
    }
    for (key, value) in meta {
        match value.is_empty() {
            true => drop(milestone.meta.remove(key)),
            false => drop(milestone.meta.insert(key.clone(), value.clone())),
        }
    }
    Ok(())
}

/// Returns `First playable` as `first-playable`.
fn as_kind(words: &str) -> String {
    words
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

/// Returns the kind that a name tells: that with which it starts, up to a digit or the end of a word.
fn kind_of_name(name: &RefName) -> Option<String> {
    let name = as_kind(name.as_str());
    let tells =
        |kind: &&&str| name.strip_prefix(**kind).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphabetic()));
    MILESTONE_KINDS.iter().filter(tells).max_by_key(|kind| kind.len()).map(|&kind| kind.to_owned())
}

fn refuse_protected(milestone: &Milestone, what: &str) -> Result<()> {
    if milestone.protected {
        let message = format!("the milestone {} is protected and cannot be {what}", milestone.name);
        let hint = format!("`gamevault milestone protect {} --off` ends that", milestone.name);
        return Err(Error::new(ErrorKind::NotPermitted, message).with_hint(hint));
    }
    Ok(())
}

fn unknown(name: &RefName) -> Error {
    Error::not_found(format!("there is no milestone {name}")).with_hint("`gamevault milestone list` lists them all")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_kind() {
        let kind = |name: &str| kind_of_name(&RefName::new(name).unwrap());
        assert_eq!(kind("alpha").as_deref(), Some("alpha"));
        assert_eq!(kind("Beta-2").as_deref(), Some("beta"));
        assert_eq!(kind("beta2").as_deref(), Some("beta"));
        assert_eq!(kind("First_Playable").as_deref(), Some("first-playable"));
        assert_eq!(kind("pre-alpha").as_deref(), Some("pre-alpha"));
        assert_eq!(kind("release-candidate.1").as_deref(), Some("release-candidate"));
        assert_eq!(kind("betamax"), None);
        assert_eq!(kind("the-alpha"), None);
    }
}
