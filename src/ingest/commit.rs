//! A finished tree becomes a build: first its bytes are durable, then one transaction makes it visible.

use crate::catalogue::{Build, BuildInfo, Completeness, Milestone, Publish, Record, Superseded};
use crate::error::{Error, ErrorKind, Result};
use crate::id::BuildNumber;
use crate::manifest::{Attributes, Directory, Timestamp};
use crate::name::{MAX_REF_NAME_LEN, RefName};
use crate::store::{Store, Ticket};

/// A build that is about to be published.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Its id; made from its number when absent.
    pub id: Option<RefName>,
    /// The root directory of its manifest.
    pub root: Directory,
    /// Mode, time and xattrs of the root directory itself.
    pub attributes: Attributes,
    /// See [`Build::single_file`].
    pub single_file: Option<String>,
    /// How sure it is that nothing is missing.
    pub completeness: Completeness,
    /// See [`Build::changed_while_read`].
    pub changed_while_read: Vec<String>,
    /// Stands for all chunks of the tree.
    pub ticket: Ticket,
    /// Bytes that its new chunks took.
    pub stored_bytes: u64,
    /// What the user or the environment said of it.
    pub info: BuildInfo,
    /// Also mark the build as this milestone, in the same transaction.
    pub milestone: Option<RefName>,
    /// Which build may have the id already.
    pub replaces: Replaces,
}

/// Which build a new one may take the id from; the old one stays, under another id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaces {
    /// None.
    Nothing,
    /// The one with this number.
    Build(BuildNumber),
    /// One that was published without anybody saying that it is whole.
    Inferred,
}

impl Replaces {
    /// Tells whether `build` may lose its id.
    pub fn allows(self, build: &Build) -> bool {
        let is_inferred = matches!(build.completeness, Completeness::InferredStrong | Completeness::InferredWeak);
        match self {
            Replaces::Nothing => false,
            Replaces::Build(number) => build.number == number && is_inferred,
            Replaces::Inferred => is_inferred,
        }
    }
}

/// Makes everything the draft names durable, writes its record to a pack, and publishes build and milestone at once.
///
/// After an error nothing is published; a record that was written already lies in a pack that nobody knows.
///
/// # Errors
/// `Exists` if the id or the milestone's name is taken; `NoSpace` or `Io` from the store.
pub fn publish(store: &Store, draft: Draft) -> Result<(Build, Option<Milestone>)> {
    debug_assert!(store.is_writing(), "what the tree names could be gone");
    store.flush()?;
    assert!(store.is_durable(draft.ticket)?, "a flush makes every ticket given out before durable or lost");
    store.catalogue().publish(|publish| {
        let build = number_build(publish, &draft)?;
        let milestone = draft.milestone.map(|name| new_milestone(publish, name, &build)).transpose()?;
        let mut records = vec![Record::Build(Box::new(build.clone()))];
        records.extend(milestone.clone().map(|milestone| Record::Milestone(Box::new(milestone))));
        publish.add_pack(&store.write_records(&records, publish.next_pack_time()?)?)?;
        records.iter().try_for_each(|record| publish.add_record(record))?;
        Ok((build, milestone))
    })
}

fn number_build(publish: &Publish<'_>, draft: &Draft) -> Result<Build> {
    let number = publish.next_build()?;
    let mut supersedes = None;
    let id = match &draft.id {
        Some(id) => {
            if let Some(old) = publish.build_by_id(id)? {
                if !draft.replaces.allows(&old) {
                    return Err(Error::new(ErrorKind::Exists, format!("a build with the id {id} exists already"))
                        .with_hint("choose another id, or leave it out to get the next number"));
                }
                supersedes = Some(Superseded { build: old.number, id: id_beside(publish, &old)? });
            } else if let Some(old) = publish.forgotten_by_id(id)? {
                // Should it be recalled, it comes back under another one.
                supersedes = Some(Superseded { build: old.number, id: id_beside(publish, &old)? });
            }
            id.clone()
        }
        None => free_id(publish, number.0.to_string())?,
    };
    Ok(Build {
        number,
        id,
        supersedes,
        superseded_by: None,
        created: Timestamp::now(),
        root: draft.root,
        attributes: draft.attributes,
        single_file: draft.single_file.clone(),
        completeness: draft.completeness,
        changed_while_read: draft.changed_while_read.clone(),
        stored_bytes: draft.stored_bytes,
        info: draft.info.clone(),
    })
}

/// Returns the id that a build gets when another one takes its own: that with its number behind it.
fn id_beside(publish: &Publish<'_>, old: &Build) -> Result<RefName> {
    let number = format!("-{}", old.number);
    // Room for a second suffix of three digits.
    let stem: String = old.id.as_str().chars().take(MAX_REF_NAME_LEN - number.len() - 4).collect();
    free_id(publish, stem + &number)
}

/// Returns `wanted` as an id, or with a suffix when another build has that.
fn free_id(publish: &Publish<'_>, wanted: String) -> Result<RefName> {
    let mut id = RefName::new(wanted.clone())?;
    let mut suffix = 2;
    while publish.build_by_id(&id)?.is_some() || publish.forgotten_by_id(&id)?.is_some() {
        id = RefName::new(format!("{wanted}-{suffix}"))?;
        suffix += 1;
    }
    Ok(id)
}

fn new_milestone(publish: &Publish<'_>, name: RefName, build: &Build) -> Result<Milestone> {
    if let Some(taken) = publish.milestone(&name)? {
        return Err(Error::new(
            ErrorKind::Exists,
            format!("the milestone {} marks build {} already", taken.name, taken.build),
        )
        .with_hint("choose another name, or move the milestone by `gamevault milestone set --move`"));
    }
    let serial = publish.next_milestone_serial()?;
    Ok(Milestone::new(name, serial, build.number, build.created))
}
