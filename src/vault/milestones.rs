//! Names for the builds that matter.

use super::Vault;
use crate::catalogue::{Build, Milestone, Record};
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::Timestamp;
use crate::name::RefName;

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

    /// Marks `build` as the milestone `name`; with `move_existing` a milestone that marks another build is moved.
    ///
    /// # Errors
    /// `Exists` if the name marks another build and must not be moved.
    pub fn set_milestone(
        &self,
        name: &RefName,
        build: &Build,
        message: Option<String>,
        tags: Vec<String>,
        move_existing: bool,
    ) -> Result<Milestone> {
        self.store().catalogue().publish(|publish| {
            if !publish.has_build(build.number)? {
                return Err(Error::not_found(format!("there is no build {}", build.id)));
            }
            let existing = publish.milestone(name)?;
            if let Some(existing) =
                existing.as_ref().filter(|existing| existing.build != build.number && !move_existing)
            {
                let message = format!("the milestone {} marks build {} already", existing.name, existing.build);
                return Err(
                    Error::new(ErrorKind::Exists, message).with_hint("move it with --move, or choose another name")
                );
            }
            let serial = publish.next_milestone_serial()?;
            let milestone = Milestone {
                name: existing.map_or_else(|| name.clone(), |existing| existing.name),
                serial,
                build: build.number,
                created: Timestamp::now(),
                message,
                tags,
            };
            let record = Record::Milestone(milestone.clone());
            publish.add_pack(&self.store().write_records(std::slice::from_ref(&record), publish.next_pack_time()?)?)?;
            publish.add_record(&record)?;
            Ok(milestone)
        })
    }

    /// Removes the milestone `name`; the build that it marks stays.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub fn remove_milestone(&self, name: &RefName) -> Result<()> {
        self.store().catalogue().publish(|publish| {
            let milestone = publish.milestone(name)?.ok_or_else(|| unknown(name))?;
            let serial = publish.next_milestone_serial()?;
            let record = Record::MilestoneRemoved { name: milestone.name, serial, created: Timestamp::now() };
            publish.add_pack(&self.store().write_records(std::slice::from_ref(&record), publish.next_pack_time()?)?)?;
            publish.add_record(&record)
        })
    }
}

fn unknown(name: &RefName) -> Error {
    Error::not_found(format!("there is no milestone {name}")).with_hint("`gamevault milestone list` lists them all")
}
