//! Which builds there are, and which one a user means.

use super::Vault;
use crate::catalogue::Build;
use crate::error::{Error, ErrorKind, Result};
use crate::id::BuildNumber;
use crate::name::RefName;

impl Vault {
    /// Returns all builds in the order of their numbers.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub fn builds(&self) -> Result<Vec<Build>> {
        self.store().catalogue().builds()
    }

    /// Returns the build with `number`; `None` if there is none.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub fn build_by_number(&self, number: BuildNumber) -> Result<Option<Build>> {
        self.store().catalogue().build_by_number(number)
    }

    /// Returns the build that `reference` means: an id, a number, a milestone, a label, `latest` or `latest~2`; each
    /// may be followed by `~N`, N builds before it.
    ///
    /// # Errors
    /// `NotFound` if nothing has that name, `Invalid` if several builds have that label.
    pub fn build(&self, reference: &str) -> Result<Build> {
        let (name, back) = match reference.rsplit_once('~') {
            Some((name, back)) if !name.is_empty() => {
                let back = back.parse().map_err(|_| {
                    Error::invalid(format!("\"{reference}\" does not name a build: ~ takes a number, as in latest~2"))
                })?;
                (name, back)
            }
            _ => (reference, 0u64),
        };
        let unknown = || {
            Error::not_found(format!("no build, milestone or label is called \"{reference}\""))
                .with_hint("`gamevault builds` lists them all")
        };
        let catalogue = self.store().catalogue();
        if name == "latest" {
            return catalogue.build_from_latest(back)?.ok_or_else(unknown);
        }
        let build = self.find(name)?.ok_or_else(unknown)?;
        if back == 0 {
            return Ok(build);
        }
        let builds = catalogue.builds()?;
        let index = builds.partition_point(|other| other.number < build.number);
        let index = (index as u64).checked_sub(back).ok_or_else(unknown)?;
        Ok(builds[index as usize].clone())
    }

    fn find(&self, name: &str) -> Result<Option<Build>> {
        let catalogue = self.store().catalogue();
        if let Ok(id) = RefName::new(name) {
            if let Some(build) = catalogue.build_by_id(&id)? {
                return Ok(Some(build));
            }
            if let Some(build) =
                name.parse().ok().map(BuildNumber).map(|n| catalogue.build_by_number(n)).transpose()?.flatten()
            {
                return Ok(Some(build));
            }
            if let Some(milestone) = catalogue.milestone(&id)? {
                return catalogue.build_by_number(milestone.build);
            }
        }
        let labelled: Vec<Build> =
            catalogue.builds()?.into_iter().filter(|build| build.info.label.as_deref() == Some(name)).collect();
        if labelled.len() > 1 {
            let ids: Vec<&str> = labelled.iter().map(|build| build.id.as_str()).collect();
            let message = format!("the label \"{name}\" is on several builds: {}", ids.join(", "));
            return Err(Error::new(ErrorKind::Invalid, message).with_hint("name the build by its id"));
        }
        Ok(labelled.into_iter().next())
    }
}
