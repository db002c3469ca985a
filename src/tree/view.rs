//! What the tree knows of the vault's builds and milestones, and how it learns of new ones.
//!
//! A view is one consistent reading of the catalogue, kept until the vault's generation changes. Exchanging it tells the
//! front end about every name that appeared, went away, or stands for something else.

use super::number::{Slot, SlotOwner};
use crate::catalogue::{Build, Milestone, NumberedPlaytest, Playtest};
use crate::error::Result;
use crate::id::BuildNumber;
use crate::manifest::Timestamp;
use crate::vault::Vault;
use parking_lot::RwLock;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::SystemTime;

/// One reading of the catalogue.
#[derive(Debug, Default)]
pub(super) struct View {
    generation: u64,
    builds: BTreeMap<BuildNumber, Arc<Build>>,
    build_by_id: HashMap<String, BuildNumber>,
    /// By the serial that a milestone gets anew each time it comes to mark another build.
    milestones: BTreeMap<u64, Arc<Milestone>>,
    milestone_by_name: HashMap<String, u64>,
    /// By number in the catalogue.
    playtests: BTreeMap<u64, Arc<Playtest>>,
    /// The numbers of the playtests of each build.
    played: BTreeMap<BuildNumber, BTreeMap<String, u64>>,
    /// When feedback was last imported.
    last_import: Option<Timestamp>,
}

/// Which lists differ between two views, each with the names that went away or mean something else now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ViewChanges {
    /// Of `/builds`; `None` if nothing changed there.
    pub(super) builds: Option<Vec<String>>,
    /// Of `/milestones`; `None` if nothing changed there.
    pub(super) milestones: Option<Vec<String>>,
}

impl View {
    fn read(vault: &Vault, generation: u64) -> Result<View> {
        let builds = vault.builds()?.into_iter().map(|build| (build.number, Arc::new(build)));
        let milestones = vault.milestones()?.into_iter().map(|milestone| (milestone.set_serial(), Arc::new(milestone)));
        let mut view = View { generation, builds: builds.collect(), ..View::default() };
        view.milestones = milestones.collect();
        view.build_by_id = view.builds.values().map(|build| (build.id.to_string(), build.number)).collect();
        for NumberedPlaytest { number, playtest } in vault.numbered_playtests()? {
            view.played.entry(playtest.build).or_default().insert(playtest.id.to_string(), number);
            view.playtests.insert(number, Arc::new(playtest));
        }
        let last_import = vault.feedback_batches()?.iter().map(|batch| batch.created).max();
        view.last_import = last_import.map(|time| SystemTime::from(time).into());
        view.milestone_by_name = view.milestones.values().map(|one| (one.name.to_string(), one.set_serial())).collect();
        Ok(view)
    }

    /// Returns the build with this id, spelled as it was given.
    pub(super) fn build(&self, id: &[u8]) -> Option<&Arc<Build>> {
        self.builds.get(self.build_by_id.get(std::str::from_utf8(id).ok()?)?)
    }

    /// Returns the build with this number.
    pub(super) fn numbered(&self, number: u64) -> Option<&Arc<Build>> {
        self.builds.get(&BuildNumber(number))
    }

    /// Returns the builds after number `after`.
    pub(super) fn builds_after(&self, after: u64) -> impl Iterator<Item = &Arc<Build>> {
        self.builds.range(BuildNumber(after.saturating_add(1))..).map(|(_, build)| build)
    }

    /// Returns the newest build.
    pub(super) fn latest(&self) -> Option<&Arc<Build>> {
        self.builds.last_key_value().map(|(_, build)| build)
    }

    /// Returns when the last change was made; the same for every reading of the same catalogue.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        let builds = self.latest().map(|build| build.created);
        let milestones = self.milestones.values().map(|milestone| milestone.recorded()).max();
        builds.max(milestones)
    }

    /// Returns when the last playtest ended.
    pub(super) fn last_played(&self) -> Option<Timestamp> {
        self.playtests.values().map(|playtest| playtest.ended).max()
    }

    /// Returns when feedback was last imported.
    pub(super) fn last_import(&self) -> Option<Timestamp> {
        self.last_import
    }

    /// Returns the milestone of this name, spelled as it was given.
    pub(super) fn milestone(&self, name: &[u8]) -> Option<&Arc<Milestone>> {
        self.milestones.get(self.milestone_by_name.get(std::str::from_utf8(name).ok()?)?)
    }

    /// Returns the milestones with a serial after `after`.
    pub(super) fn milestones_after(&self, after: u64) -> impl Iterator<Item = &Arc<Milestone>> {
        self.milestones.range(after.saturating_add(1)..).map(|(_, milestone)| milestone)
    }

    /// Returns the build that a slot shows, and the milestone when it is one's; nothing for a playtest.
    pub(super) fn slot(&self, slot: Slot) -> Option<(&Arc<Build>, Option<&Arc<Milestone>>)> {
        match slot.owner() {
            SlotOwner::Build(number) => Some((self.builds.get(&number)?, None)),
            SlotOwner::Milestone(serial) => {
                let milestone = self.milestones.get(&serial)?;
                Some((self.builds.get(&milestone.build)?, Some(milestone)))
            }
            SlotOwner::Playtest(_) => None,
        }
    }

    /// Returns the playtest that a slot shows.
    pub(super) fn slot_playtest(&self, slot: Slot) -> Option<&Arc<Playtest>> {
        match slot.owner() {
            SlotOwner::Playtest(number) => self.playtests.get(&number),
            SlotOwner::Build(_) | SlotOwner::Milestone(_) => None,
        }
    }

    /// Returns the playtests of a build with a number after `after`.
    pub(super) fn playtests_after(&self, build: BuildNumber, after: u64) -> Vec<(u64, &Arc<Playtest>)> {
        let numbers = self.played.get(&build).into_iter().flat_map(BTreeMap::values).filter(|&&number| number > after);
        let mut found: Vec<_> = numbers.filter_map(|number| Some((*number, self.playtests.get(number)?))).collect();
        found.sort_by_key(|&(number, _)| number);
        found
    }

    /// Returns the playtest of a build with this id, spelled as it was given.
    pub(super) fn playtest(&self, build: BuildNumber, id: &[u8]) -> Option<(u64, &Arc<Playtest>)> {
        let number = *self.played.get(&build)?.get(std::str::from_utf8(id).ok()?)?;
        Some((number, self.playtests.get(&number)?))
    }

    /// Returns the build that a milestone marks.
    pub(super) fn marked(&self, milestone: &Milestone) -> Option<&Arc<Build>> {
        self.builds.get(&milestone.build)
    }

    fn changes_since(&self, before: &View) -> ViewChanges {
        let numbers = |view: &View| view.build_by_id.iter().map(|(id, number)| (id.clone(), number.0)).collect();
        ViewChanges {
            builds: stale_names(&numbers(before), &numbers(self)),
            milestones: stale_names(&before.milestone_by_name, &self.milestone_by_name),
        }
    }
}

/// Returns the names that mean nothing or something else now; `None` if nothing changed at all.
///
/// New names are not among them: what is known of a name that was missing does not hold for long, and a directory that
/// somebody has just found and entered must not be taken from under him.
fn stale_names(old: &HashMap<String, u64>, new: &HashMap<String, u64>) -> Option<Vec<String>> {
    let mut names: Vec<String> =
        old.iter().filter(|&(name, serial)| new.get(name) != Some(serial)).map(|(name, _)| name.clone()).collect();
    names.sort();
    (!names.is_empty() || old.len() != new.len()).then_some(names)
}

/// The view in use.
#[derive(Debug, Default)]
pub(super) struct CurrentView(RwLock<Option<Arc<View>>>);

impl CurrentView {
    /// Returns a view that holds all that was published before the call, and what it says that was not known before.
    ///
    /// Costs one question to the catalogue when nothing changed. The first reading changes nothing for anybody.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub(super) fn fresh(&self, vault: &Vault) -> Result<(Arc<View>, ViewChanges)> {
        let generation = vault.generation()?;
        if let Some(view) = &*self.0.read()
            && view.generation == generation
        {
            return Ok((view.clone(), ViewChanges::default()));
        }
        // Read under the lock: two readers must not both report the same change.
        let mut current = self.0.write();
        // Asked before reading: what is published in between makes the next call read again.
        let generation = vault.generation()?;
        let view = Arc::new(View::read(vault, generation)?);
        let changes = current.as_ref().map(|before| view.changes_since(before)).unwrap_or_default();
        *current = Some(view.clone());
        Ok((view, changes))
    }

    /// Returns the last view, however old.
    pub(super) fn last(&self) -> Option<Arc<View>> {
        self.0.read().clone()
    }
}
