//! Packs, chunks, builds and milestones: the rows that are rebuilt from packs.

use super::{Build, Catalogue, Milestone, Record, Superseded};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{BuildNumber, ChunkId, ChunkKey, PackId};
use crate::manifest::Timestamp;
use crate::name::RefName;
use rusqlite::{Connection, OptionalExtension, params};

/// The counter of the time of the last pack.
const PACK_TIME: &str = "pack time";

pub(super) const SELECT_PLACE: &str = "SELECT pack, offset, stored, plain, bases FROM chunk WHERE id = ?1";

/// Where a chunk lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkPlace {
    /// The row number of its pack, stable while the catalogue is not rebuilt.
    pub pack: i64,
    /// Where its stored bytes start in the pack.
    pub offset: u32,
    /// How many stored bytes there are.
    pub stored_len: u32,
    /// How many plain bytes they decode to.
    pub plain_len: u32,
    /// The number of the encoding.
    pub encoding: u8,
    /// The chunks that it is stored as a difference to.
    pub bases: Box<[ChunkKey]>,
}

impl ChunkPlace {
    /// Returns where its stored bytes end in the pack.
    pub fn end(&self) -> u64 {
        u64::from(self.offset) + u64::from(self.stored_len)
    }
}

/// When a pack was sealed: milliseconds since 1970, and always more than of the packs that were registered before.
///
/// Packs are sealed inside the transaction that registers them, so the order of the times is that of the registrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct PackTime(pub u64);

impl PackTime {
    /// The last one that a pack's header has room for, six bytes: in the year 10889.
    pub const LAST: PackTime = PackTime((1 << 48) - 1);
}

/// A chunk of a pack that is being registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChunk {
    /// Its name.
    pub id: ChunkId,
    /// Where its stored bytes start in the pack.
    pub offset: u32,
    /// How many stored bytes there are.
    pub stored_len: u32,
    /// How many plain bytes they decode to.
    pub plain_len: u32,
    /// The number of the encoding.
    pub encoding: u8,
    /// The chunks that it is stored as a difference to.
    pub bases: Box<[ChunkKey]>,
    /// It is stored anew: its place becomes this one. Else a chunk that is known keeps its place.
    pub is_anew: bool,
}

/// A sealed and synced pack that is being registered.
#[derive(Debug, Clone)]
pub struct NewPack {
    /// Its name.
    pub id: PackId,
    /// Length of its file.
    pub bytes: u64,
    /// When it was sealed.
    pub sealed: PackTime,
    /// Its chunks.
    pub chunks: Vec<NewChunk>,
}

/// What the catalogue holds in sum.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// Registered packs.
    pub packs: u64,
    /// Distinct chunks.
    pub chunks: u64,
    /// The chunks of each encoding that is in use, by its number.
    pub encodings: Vec<EncodingTotals>,
}

/// The distinct chunks of one encoding in sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EncodingTotals {
    /// The number of the encoding.
    pub encoding: u8,
    /// Chunks.
    pub chunks: u64,
    /// Their plain bytes.
    pub plain_bytes: u64,
    /// Their stored bytes, without headers.
    pub stored_bytes: u64,
    /// The bases that they name, each as often as it is named.
    pub bases: u64,
}

impl Catalogue {
    /// Returns where a chunk is; `None` if no registered pack has it.
    pub fn chunk(&self, key: ChunkKey) -> Result<Option<ChunkPlace>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(SELECT_PLACE)?;
            statement.query_row([&key.0[..]], place_of_row).optional()
        })
    }

    /// Returns the dictionary for small files of type `kind`, if one was learned.
    pub fn dictionary(&self, kind: &[u8]) -> Result<Option<ChunkId>> {
        let id: Option<Vec<u8>> = self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT id FROM dictionary WHERE kind = ?1")?;
            statement.query_row([kind], |row| row.get(0)).optional()
        })?;
        Ok(id.and_then(|id| ChunkId::from_slice(&id).ok()))
    }

    /// Remembers the dictionary for small files of type `kind`.
    pub fn set_dictionary(&self, kind: &[u8], id: ChunkId) -> Result<()> {
        self.write(|connection| {
            connection
                .execute("INSERT OR REPLACE INTO dictionary (kind, id) VALUES (?1, ?2)", params![kind, &id.0[..]])
                .map(drop)
                .map_err(|error| self.failure(error))
        })
    }

    /// Returns the key of a chunk that starts with `start`; `None` if no registered pack has one.
    pub fn chunk_like(&self, start: [u8; 4]) -> Result<Option<ChunkKey>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT id FROM chunk WHERE id >= ?1 ORDER BY id LIMIT 1")?;
            let key = statement.query_row([&start[..]], |row| row.get::<_, Vec<u8>>(0)).optional()?;
            Ok(key.and_then(|key| ChunkKey::list(&key).first().copied()).filter(|key| key.0.starts_with(&start)))
        })
    }

    /// Returns where each of `ids` is, in their order; one transaction costs less than one for each.
    pub fn chunks(&self, ids: &[ChunkId]) -> Result<Vec<Option<ChunkPlace>>> {
        self.read(|connection| {
            let _transaction = connection.unchecked_transaction()?;
            let mut statement = connection.prepare_cached(SELECT_PLACE)?;
            ids.iter().map(|id| statement.query_row([&id.key().0[..]], place_of_row).optional()).collect()
        })
    }

    /// Returns the name of the pack with row number `pack`.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub fn pack_id(&self, pack: i64) -> Result<PackId> {
        let id: Option<Vec<u8>> = self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT id FROM pack WHERE number = ?1")?;
            statement.query_row([pack], |row| row.get(0)).optional()
        })?;
        PackId::from_slice(&id.ok_or_else(|| Error::not_found(format!("the catalogue has no pack {pack}")))?)
    }

    /// Returns the names and lengths of all registered packs, with their row numbers.
    pub fn packs(&self) -> Result<Vec<(i64, PackId, u64)>> {
        let rows: Vec<(i64, Vec<u8>, i64)> = self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT number, id, bytes FROM pack ORDER BY number")?;
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
        })?;
        rows.into_iter().map(|(number, id, bytes)| Ok((number, PackId::from_slice(&id)?, bytes as u64))).collect()
    }

    /// Returns the sums over all packs and chunks; reads the whole chunk table.
    pub fn totals(&self) -> Result<Totals> {
        self.read(|connection| {
            let packs: i64 = connection.query_row("SELECT count(*) FROM pack", [], |row| row.get(0))?;
            let mut statement = connection.prepare_cached(
                "SELECT plain & 15, count(*), sum(plain >> 4), sum(stored), coalesce(sum(length(bases)), 0)
                 FROM chunk GROUP BY 1 ORDER BY 1",
            )?;
            let rows = statement.query_map([], |row| {
                let column = |index| row.get::<_, i64>(index).map(|value| value as u64);
                Ok(EncodingTotals {
                    encoding: row.get(0)?,
                    chunks: column(1)?,
                    plain_bytes: column(2)?,
                    stored_bytes: column(3)?,
                    bases: column(4)? / ChunkKey::LEN as u64,
                })
            })?;
            let encodings = rows.collect::<rusqlite::Result<Vec<EncodingTotals>>>()?;
            let chunks = encodings.iter().map(|totals| totals.chunks).sum();
            Ok(Totals { packs: packs as u64, chunks, encodings })
        })
    }

    /// Returns all builds by number.
    pub fn builds(&self) -> Result<Vec<Build>> {
        let records: Vec<String> = self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT record FROM build ORDER BY number")?;
            statement.query_map([], |row| row.get(0))?.collect()
        })?;
        records.iter().map(|record| parse(record)).collect()
    }

    /// Returns the build with `number`.
    pub fn build_by_number(&self, number: BuildNumber) -> Result<Option<Build>> {
        self.one_build("SELECT record FROM build WHERE number = ?1", &[&(number.0 as i64)])
    }

    /// Returns the build with `id`, case folded.
    pub fn build_by_id(&self, id: &RefName) -> Result<Option<Build>> {
        self.one_build("SELECT record FROM build WHERE folded = ?1", &[&id.folded()])
    }

    /// Returns the build that is `back` builds before the newest one.
    pub fn build_from_latest(&self, back: u64) -> Result<Option<Build>> {
        self.one_build("SELECT record FROM build ORDER BY number DESC LIMIT 1 OFFSET ?1", &[&(back as i64)])
    }

    fn one_build(&self, sql: &str, args: &[&dyn rusqlite::ToSql]) -> Result<Option<Build>> {
        let record: Option<String> = self.read(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_row(args, |row| row.get(0)).optional()
        })?;
        record.map(|record| parse(&record)).transpose()
    }

    /// Returns all milestones in the order in which they were set to their builds.
    pub fn milestones(&self) -> Result<Vec<Milestone>> {
        let records: Vec<String> = self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT record FROM milestone")?;
            statement.query_map([], |row| row.get(0))?.collect()
        })?;
        let mut milestones = records.iter().map(|record| parse(record)).collect::<Result<Vec<Milestone>>>()?;
        milestones.sort_by_key(Milestone::set_serial);
        Ok(milestones)
    }

    /// Returns the milestone `name`, case folded.
    pub fn milestone(&self, name: &RefName) -> Result<Option<Milestone>> {
        let record: Option<String> = self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT record FROM milestone WHERE folded = ?1")?;
            statement.query_row([name.folded()], |row| row.get(0)).optional()
        })?;
        record.map(|record| parse(&record)).transpose()
    }

    /// Makes sealed packs and their chunks known, in one transaction together with files that snapshots have seen and with
    /// what was refused to chunks.
    ///
    /// A chunk that is known already keeps its place, unless it is stored anew.
    pub fn register(&self, packs: &[NewPack], seen: &[super::SeenFile], refused: &[super::Refused]) -> Result<()> {
        self.write(|connection| {
            packs.iter().try_for_each(|pack| self.insert_pack(connection, pack))?;
            self.add_refused(connection, refused)?;
            self.insert_seen(connection, seen)
        })
    }

    /// Runs `publish` in one transaction with the exclusive right to give out numbers.
    ///
    /// Builds and milestones that it adds are visible to others once it returns, or not at all.
    pub fn publish<T>(&self, publish: impl FnOnce(&Publish<'_>) -> Result<T>) -> Result<T> {
        self.write(|connection| publish(&Publish { catalogue: self, connection }))
    }

    pub(super) fn insert_pack(&self, connection: &Connection, pack: &NewPack) -> Result<()> {
        let insert = || -> rusqlite::Result<()> {
            // A number is never given out twice: readers hold files of packs that were removed by it.
            let mut statement = connection.prepare_cached(
                "INSERT INTO pack (number, id, bytes) SELECT 1 + max(coalesce((SELECT max(number) FROM pack), 0),
                 coalesce((SELECT value FROM counter WHERE name = 'pack'), 0)), ?1, ?2",
            )?;
            let number = statement.insert(params![&pack.id.0[..], pack.bytes as i64])?;
            raise(connection, "pack", number)?;
            raise(connection, PACK_TIME, pack.sealed.0 as i64)?;
            let mut add = connection.prepare_cached(
                "INSERT OR IGNORE INTO chunk (id, pack, offset, stored, plain, bases) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            let mut place_anew = connection.prepare_cached(
                "INSERT OR REPLACE INTO chunk (id, pack, offset, stored, plain, bases) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            // In key order the B-tree fills page after page.
            let mut chunks: Vec<&NewChunk> = pack.chunks.iter().collect();
            chunks.sort_unstable_by_key(|chunk| chunk.id);
            for chunk in chunks {
                let plain = i64::from(chunk.plain_len) << 4 | i64::from(chunk.encoding);
                let bases = match &*chunk.bases {
                    [] => None,
                    bases => Some(bases.iter().flat_map(|key| key.0).collect::<Vec<u8>>()),
                };
                let key = chunk.id.key();
                let statement = if chunk.is_anew { &mut place_anew } else { &mut add };
                statement.execute(params![&key.0[..], number, chunk.offset, chunk.stored_len, plain, bases])?;
            }
            Ok(())
        };
        insert().map_err(|error| self.failure(error))
    }
}

/// A transaction that publishes builds and milestones.
pub struct Publish<'a> {
    catalogue: &'a Catalogue,
    connection: &'a Connection,
}

impl Publish<'_> {
    /// Returns the number that the next build gets.
    pub fn next_build(&self) -> Result<BuildNumber> {
        Ok(BuildNumber(self.counter("build")? + 1))
    }

    /// Returns the serial that the next change of a milestone gets.
    pub fn next_milestone_serial(&self) -> Result<u64> {
        Ok(self.counter("milestone")? + 1)
    }

    /// Returns the time of a pack that is sealed now: the clock's, or a little more where that was given out already.
    pub fn next_pack_time(&self) -> Result<PackTime> {
        let now = Timestamp::now();
        let clock = u64::try_from(now.secs).unwrap_or(0).saturating_mul(1000) + u64::from(now.nanos / 1_000_000);
        Ok(PackTime(clock.max(self.counter(PACK_TIME)? + 1)).min(PackTime::LAST))
    }

    /// Returns the build with `id`, case folded, as this transaction sees it.
    pub fn build_by_id(&self, id: &RefName) -> Result<Option<Build>> {
        self.one("SELECT record FROM build WHERE folded = ?1", &[&id.folded()])
    }

    /// Tells whether a build has the number.
    pub fn has_build(&self, number: BuildNumber) -> Result<bool> {
        self.connection
            .prepare_cached("SELECT 1 FROM build WHERE number = ?1")
            .and_then(|mut statement| statement.exists([number.0 as i64]))
            .map_err(|error| self.catalogue.failure(error))
    }

    /// Returns the milestone `name` as this transaction sees it.
    pub fn milestone(&self, name: &RefName) -> Result<Option<Milestone>> {
        self.one("SELECT record FROM milestone WHERE folded = ?1", &[&name.folded()])
    }

    /// Makes a sealed pack known.
    pub fn add_pack(&self, pack: &NewPack) -> Result<()> {
        self.catalogue.insert_pack(self.connection, pack)
    }

    /// Adds to what was refused to chunks.
    pub fn add_refused(&self, refused: &[super::Refused]) -> Result<()> {
        self.catalogue.add_refused(self.connection, refused)
    }

    /// Makes what a record says known; the record must be in a synced pack. A build that supersedes another one gives that
    /// its new id.
    ///
    /// # Errors
    /// `Exists` if a build has the number or the id already, or a playtest the id.
    pub fn add_record(&self, record: &Record) -> Result<()> {
        if let Record::Build(build) = record
            && let Some(superseded) = &build.supersedes
        {
            self.supersede(superseded, build.number)?;
        }
        let outcome = match record {
            Record::Build(build) => self
                .execute(
                    "INSERT INTO build (number, folded, record) VALUES (?1, ?2, ?3)",
                    params![build.number.0 as i64, build.id.folded(), to_json(build)],
                )
                .and_then(|()| self.raise("build", build.number.0)),
            Record::Milestone(milestone) => self
                .execute(
                    "INSERT OR REPLACE INTO milestone (folded, serial, record) VALUES (?1, ?2, ?3)",
                    params![milestone.name.folded(), milestone.serial as i64, to_json(milestone)],
                )
                .and_then(|()| self.raise("milestone", milestone.serial)),
            Record::MilestoneRemoved { name, serial, .. } => self
                .execute("DELETE FROM milestone WHERE folded = ?1", params![name.folded()])
                .and_then(|()| self.raise("milestone", *serial)),
            Record::Playtest(playtest) => self.add_playtest(playtest),
            Record::FeedbackBatch(batch) => self.add_feedback_batch(batch),
            Record::Deployment(deployment) => self.add_deployment(deployment),
            Record::BuildForgotten { build, serial, created } => self.forget(*build, *serial, *created),
            Record::BuildRecalled { build, serial, .. } => return self.recall(*build, *serial),
            Record::BuildRemoved { build, serial, .. } => self.remove_forgotten(*build, *serial),
        };
        outcome.map_err(|error| match (error.sqlite_error_code(), record) {
            (Some(rusqlite::ErrorCode::ConstraintViolation), Record::Build(build)) => {
                Error::new(ErrorKind::Exists, format!("a build with the id {} exists already", build.id))
                    .with_hint("choose another id with --id")
            }
            (Some(rusqlite::ErrorCode::ConstraintViolation), Record::Playtest(playtest)) => {
                Error::new(ErrorKind::Exists, format!("there is a playtest {} already", playtest.id))
            }
            _ => self.catalogue.failure(error),
        })
    }

    pub(super) fn failure(&self, error: rusqlite::Error) -> Error {
        self.catalogue.failure(error)
    }

    fn supersede(&self, superseded: &Superseded, by: BuildNumber) -> Result<()> {
        let number = superseded.build.0 as i64;
        let old = "SELECT record FROM build WHERE number = ?1 UNION ALL SELECT record FROM forgotten WHERE number = ?1";
        let old: Option<Build> = self.one(old, &[&number])?;
        // A lost build cannot be told.
        let Some(mut old) = old else { return Ok(()) };
        old.id = superseded.id.clone();
        old.superseded_by = Some(by);
        self.execute(
            "UPDATE build SET folded = ?2, record = ?3 WHERE number = ?1",
            params![number, old.id.folded(), to_json(&old)],
        )
        .and_then(|()| self.rename_forgotten(&old))
        .map_err(|error| self.catalogue.failure(error))
    }

    pub(super) fn one<T: serde::de::DeserializeOwned>(
        &self,
        sql: &str,
        args: &[&dyn rusqlite::ToSql],
    ) -> Result<Option<T>> {
        let record: Option<String> = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(args, |row| row.get(0)).optional())
            .map_err(|error| self.catalogue.failure(error))?;
        record.map(|record| parse(&record)).transpose()
    }

    pub(super) fn execute(&self, sql: &str, args: impl rusqlite::Params) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute(args).map(|_| ())
    }

    pub(super) fn counter(&self, name: &str) -> Result<u64> {
        let value: Option<i64> = self
            .connection
            .prepare_cached("SELECT value FROM counter WHERE name = ?1")
            .and_then(|mut statement| statement.query_row([name], |row| row.get(0)).optional())
            .map_err(|error| self.catalogue.failure(error))?;
        Ok(value.unwrap_or(0) as u64)
    }

    pub(super) fn raise(&self, name: &str, value: u64) -> rusqlite::Result<()> {
        raise(self.connection, name, value as i64)
    }
}

fn raise(connection: &Connection, name: &str, value: i64) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO counter (name, value) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
    )?;
    statement.execute(params![name, value]).map(drop)
}

pub(super) fn place_of_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<ChunkPlace> {
    let plain: i64 = row.get(3)?;
    Ok(ChunkPlace {
        pack: row.get(0)?,
        offset: row.get(1)?,
        stored_len: row.get(2)?,
        plain_len: (plain >> 4) as u32,
        encoding: (plain & 15) as u8,
        bases: row.get_ref(4)?.as_blob_or_null()?.map(ChunkKey::list).unwrap_or_default(),
    })
}

pub(super) fn parse<T: serde::de::DeserializeOwned>(record: &str) -> Result<T> {
    serde_json::from_str(record).map_err(|error| {
        Error::corrupt(format!("the catalogue holds a record that cannot be read: {error}"))
            .with_hint("run `gamevault repair`: it rebuilds the catalogue from the packs")
            .with_source(error)
    })
}

pub(super) fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("records have string keys and finite numbers")
}
