//! Dumps of crashed programs as Windows, Breakpad and Crashpad write them (`MINIDUMP_HEADER` of minidumpapiset.h).
//!
//! ```text
//! OFFSET SIZE MEANING                    directory entry        module, 108 bytes after the count
//! 0      4    MDMP                       0  4  kind of stream   0  8  base
//! 8      4    streams                    4  4  length           8  4  size in memory
//! 12     4    offset of the directory    8  4  offset           20 4  offset of the name
//! 20     4    time, seconds since 1970                          76 4  length of the CodeView record
//!                                                               80 4  offset of it: RSDS, GUID, age, path
//! ```
//! Of a dump the modules, the exception and the system are read; it goes with the record as an attachment.

use super::fields::tidy;
use super::{FileInfo, Rejected, Sink, failure};
use crate::catalogue::feedback::{Attachment, FeedbackKind, FeedbackRecord};
use crate::error::Result;
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use std::io::{BufRead, Read};

/// The most bytes of a dump that are looked at. The directory and the modules stand at its begin.
const MAX_LEN: u64 = 64 << 20;

const MODULES: u32 = 4;
const EXCEPTION: u32 = 6;
const SYSTEM: u32 = 7;

const MODULE_LEN: usize = 108;

/// The most streams, modules, and characters of a name.
const MAX_STREAMS: u32 = 256;
const MAX_MODULES: u32 = 512;
const MAX_NAME_LEN: u32 = 1024;

struct Module {
    base: u64,
    len: u64,
    name: String,
    debug_id: Option<String>,
}

/// Reads one dump.
pub(super) fn read(file: FileInfo<'_>, input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<()> {
    let mut bytes = Vec::new();
    Read::take(&mut *input, MAX_LEN).read_to_end(&mut bytes).map_err(failure)?;
    let mut whole = Read::chain(&bytes[..], &mut *input);
    let path = sink.attach(file.name, &mut whole)?;
    let mut record = FeedbackRecord::new(FeedbackKind::Crash, "minidump");
    record.source_id = Some(blake3::hash(&bytes).to_hex()[..32].to_owned());
    record.time = file.modified;
    record.title = Some(file.name.to_owned());
    if fill(&mut record, &Dump(&bytes)).is_none() {
        sink.reject(Rejected::new(1, "the dump is cut: not all of its streams can be read", b""))?;
    }
    let media_type = Some("application/x-dmp".to_owned());
    record.attachments.push(Attachment { name: file.name.to_owned(), path, media_type, url: None });
    tidy(&mut record);
    sink.record(record)
}

/// Adds what a dump says; nothing where it is cut.
fn fill(record: &mut FeedbackRecord, dump: &Dump<'_>) -> Option<()> {
    let seconds = dump.u32(20)?;
    if seconds > 0 {
        record.time = Timestamp::from_second(seconds.into()).ok().or(record.time);
    }
    let directory = dump.u32(12)? as usize;
    let (mut modules, mut exception) = (Vec::new(), None);
    for stream in 0..dump.u32(8)?.min(MAX_STREAMS) as usize {
        let entry = directory.checked_add(stream * 12)?;
        let at = dump.u32(entry + 8)? as usize;
        match dump.u32(entry)? {
            MODULES => modules = dump.modules(at)?,
            EXCEPTION => exception = Some((dump.u32(at + 8)?, dump.u64(at + 24)?)),
            SYSTEM => {
                let platform = dump.u32(at + 20)?;
                record.platform = match platform {
                    2 => Some("windows".into()),
                    0x8101 => Some("macos".into()),
                    0x8102 => Some("ios".into()),
                    0x8201 => Some("linux".into()),
                    0x8203 => Some("android".into()),
                    _ => None,
                };
            }
            _ => {}
        }
    }
    record.clues.debug_ids = modules.iter().filter_map(|module| module.debug_id.clone()).collect();
    if let Some((code, address)) = exception {
        let inside = |module: &&Module| (module.base..module.base.saturating_add(module.len)).contains(&address);
        let place = match modules.iter().find(inside) {
            // The offset is that of one build; the module is the same in many.
            Some(module) => format!("{}+{:#x}", module.name, address - module.base),
            None => "no module".to_owned(),
        };
        record.title = Some(format!("{} at {place}", exception_name(code)));
        record.signature = Some(format!("{} in {place}", exception_name(code)));
        record.stack = vec![place];
    }
    Some(())
}

fn exception_name(code: u32) -> String {
    match code {
        0xC000_0005 => "access violation".into(),
        0xC000_00FD => "stack overflow".into(),
        0xC000_0094 => "integer division by zero".into(),
        0xC000_001D => "illegal instruction".into(),
        0x8000_0003 => "breakpoint".into(),
        0xE06D_7363 => "C++ exception".into(),
        // Signals, as Breakpad has them.
        4 => "SIGILL".into(),
        6 => "SIGABRT".into(),
        8 => "SIGFPE".into(),
        11 => "SIGSEGV".into(),
        code => format!("exception {code:#x}"),
    }
}

/// The bytes of a dump; what is beyond their end is not there.
struct Dump<'a>(&'a [u8]);

impl Dump<'_> {
    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..at.checked_add(N)?)?.try_into().ok()
    }

    fn u32(&self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    fn u64(&self, at: usize) -> Option<u64> {
        self.array(at).map(u64::from_le_bytes)
    }

    fn modules(&self, at: usize) -> Option<Vec<Module>> {
        let count = self.u32(at)?.min(MAX_MODULES) as usize;
        (0..count).map(|index| self.module(at.checked_add(4 + index * MODULE_LEN)?)).collect()
    }

    fn module(&self, at: usize) -> Option<Module> {
        let path = self.name(self.u32(at + 20)? as usize)?;
        let name = path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
        let (len, record) = (self.u32(at + 76)? as usize, self.u32(at + 80)? as usize);
        Some(Module { base: self.u64(at)?, len: self.u32(at + 8)?.into(), name, debug_id: self.debug_id(record, len) })
    }

    /// Names are in UTF-16, behind their length in bytes.
    fn name(&self, at: usize) -> Option<String> {
        let len = self.u32(at)?.min(2 * MAX_NAME_LEN) as usize & !1;
        let bytes = self.0.get(at + 4..at.checked_add(4 + len)?)?;
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        Some(String::from_utf16_lossy(&units))
    }

    /// RSDS with the GUID and the age of a PDB; BpEL with the build id of an ELF file.
    fn debug_id(&self, at: usize, len: usize) -> Option<String> {
        match &self.array::<4>(at)? {
            b"RSDS" if len >= 24 => {
                let mut guid: [u8; 16] = self.array(at + 4)?;
                guid[..4].reverse();
                guid[4..6].reverse();
                guid[6..8].reverse();
                Some(format!("{}{:x}", HEXLOWER.encode(&guid), self.u32(at + 20)?))
            }
            b"LEpB" if len > 4 => Some(HEXLOWER.encode(self.0.get(at + 4..at + len.min(36))?)),
            _ => None,
        }
    }
}
