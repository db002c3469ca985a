//! What was deployed where: the way from a store's numbers and from times to builds.

use crate::catalogue::feedback::Deployment;
use crate::catalogue::{Build, Record};
use crate::error::Result;
use crate::name::RefName;
use crate::vault::Vault;
use jiff::Timestamp;

/// Where a build went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployOptions {
    /// `steam`, `itch`, `testflight`, `play`, or another word.
    pub store: RefName,
    /// The store's name of the game or the package.
    pub app: Option<String>,
    /// The number that the store gave the build.
    pub store_build: Option<String>,
    /// The branch or track; without one, what everybody gets.
    pub channel: Option<String>,
    /// Since when players got it there; now, if it is not given.
    pub time: Option<Timestamp>,
}

impl Vault {
    /// Writes down that `build` went to where players get it.
    ///
    /// # Errors
    /// Those of the store and of the catalogue.
    pub fn record_deployment(&self, build: &Build, options: &DeployOptions) -> Result<Deployment> {
        let recorded = Timestamp::now();
        self.store().catalogue().publish(|publish| {
            let deployment = Deployment {
                serial: publish.next_deployment()?,
                build: build.number,
                store: options.store.clone(),
                app: options.app.clone(),
                store_build: options.store_build.clone(),
                channel: options.channel.clone(),
                time: options.time.unwrap_or(recorded),
                recorded,
            };
            let record = Record::Deployment(Box::new(deployment.clone()));
            publish.add_pack(&self.store().write_records(std::slice::from_ref(&record), publish.next_pack_time()?)?)?;
            publish.add_record(&record)?;
            Ok(deployment)
        })
    }
}
