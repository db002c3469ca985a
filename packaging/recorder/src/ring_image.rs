//! A ring whose writer is gone, as bytes: what was put and is not in the files.

use crate::ring::{
    ALIVE, CAPACITY, CHECKPOINTS, Checkpoint, DROPPED, EXIT, Exit, FREED, HEADER_LEN, MAGIC, MAX_NAME_LEN,
    RECORD_HEADER_LEN, RecordHeader,
};

/// What a ring tells, but for its records.
#[derive(Debug)]
pub struct RingImage {
    bytes: Vec<u8>,
    capacity: u64,
    pub checkpoint: Checkpoint,
    freed: u64,
    /// When the writer was last seen, in nanoseconds since the start.
    pub alive: u64,
    /// What found no room, from the start.
    pub dropped: u64,
    /// How the game said that it ended.
    pub exit: Option<Exit>,
}

impl RingImage {
    /// Reads a ring; `None` when the bytes are none, because the disk was full or the system stopped when it was made.
    pub fn new(bytes: Vec<u8>) -> Option<RingImage> {
        if bytes.len() < HEADER_LEN || word_at(&bytes, 0) != MAGIC {
            return None;
        }
        let capacity = word_at(&bytes, CAPACITY as usize);
        if !capacity.is_power_of_two() || (bytes.len() - HEADER_LEN) as u64 != capacity {
            return None;
        }
        let checkpoints = CHECKPOINTS.map(|offset| {
            Checkpoint::from_words(std::array::from_fn(|place| word_at(&bytes, offset as usize + 8 * place)))
        });
        let checkpoint = checkpoints.into_iter().flatten().max_by_key(|checkpoint| checkpoint.number)?;
        let word = |offset: u64| word_at(&bytes, offset as usize);
        let (freed, alive, dropped) = (word(FREED), word(ALIVE), word(DROPPED));
        let exit = Exit::from_number(word(EXIT));
        // A system that stopped may have kept an older word than the checkpoint's, never one that is too far apart.
        let is_sane = freed <= checkpoint.tail && checkpoint.tail - freed <= capacity && freed < 1 << 62;
        is_sane.then_some(RingImage { capacity, checkpoint, freed, alive, dropped, exit, bytes })
    }

    /// Calls `each` with every whole record that is not in the files: its header, name and body, in the order in which they
    /// were put. Returns how many places hold less than a whole record.
    pub fn for_each(&self, mut each: impl FnMut(RecordHeader, &[u8], &[u8])) -> u64 {
        let end = self.freed + self.capacity;
        let mut torn = 0;
        // Where the last whole record ended, and where to look for the next one.
        let (mut whole_to, mut position) = (self.checkpoint.tail, self.checkpoint.tail);
        while position < end {
            match self.record_at(position, end) {
                Some((header, content)) => {
                    // Its thread was stopped when it had reserved room, and others went on behind it.
                    torn += u64::from(position > whole_to);
                    let (name, body) = content.split_at(usize::from(header.name_len));
                    each(header, name, body);
                    position += header.record_len();
                    whole_to = position;
                }
                None => position += 8,
            }
        }
        let has_rest = (whole_to..end).step_by(8).any(|position| self.word(position) != 0);
        torn + u64::from(has_rest)
    }

    fn record_at(&self, position: u64, end: u64) -> Option<(RecordHeader, Vec<u8>)> {
        if self.word(position) != position + 1 {
            return None;
        }
        let (header, checksum) = RecordHeader::from_words(self.word(position + 8), self.word(position + 16));
        if usize::from(header.name_len) > MAX_NAME_LEN || position + header.record_len() > end {
            return None;
        }
        let start = position + RECORD_HEADER_LEN as u64;
        let content: Vec<u8> =
            (start..start + header.content_len() as u64).map(|at| self.bytes[self.place(at)]).collect();
        let (name, body) = content.split_at(usize::from(header.name_len));
        let is_whole = header.kind().is_some() && header.checksum(name, body) == checksum;
        is_whole.then_some((header, content))
    }

    fn word(&self, position: u64) -> u64 {
        word_at(&self.bytes, self.place(position))
    }

    fn place(&self, position: u64) -> usize {
        HEADER_LEN + (position % self.capacity) as usize
    }
}

fn word_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(bytes[offset..offset + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::Kind;
    use crate::ring_map::{Refusal, Ring, RingReader};
    use std::fs::File;
    use std::path::Path;
    use std::sync::Arc;

    const CAPACITY: u64 = 64 << 10;

    fn ring(dir: &Path) -> (Arc<Ring>, RingReader) {
        let path = dir.join("ring");
        let mut file = File::options().read(true).write(true).create_new(true).open(path).unwrap();
        Ring::create(&mut file, CAPACITY).unwrap()
    }

    fn image(dir: &Path) -> RingImage {
        RingImage::new(std::fs::read(dir.join("ring")).unwrap()).unwrap()
    }

    fn bodies(image: &RingImage) -> (Vec<String>, u64) {
        let mut bodies = Vec::new();
        let torn = image.for_each(|_, _, body| bodies.push(String::from_utf8(body.to_vec()).unwrap()));
        (bodies, torn)
    }

    fn put(ring: &Ring, number: u64) -> Result<(), Refusal> {
        // Of all lengths up to 600 bytes, so that records go over the end of the file at any byte.
        let body = format!("{number:0>width$}", width = 20 + (number * 37 % 580) as usize);
        ring.put(Kind::Event, number, b"name", body.as_bytes())
    }

    fn numbers(bodies: &[String]) -> Vec<u64> {
        bodies.iter().map(|body| body.parse().unwrap()).collect()
    }

    #[test]
    fn what_is_put_and_not_released_is_found_after_many_rounds() {
        let dir = tempfile::tempdir().unwrap();
        let (ring, mut reader) = ring(dir.path());
        let (mut content, mut taken, mut checkpoint) = (Vec::new(), 0, Checkpoint::default());
        for number in 0..5000 {
            put(&ring, number).unwrap();
            if number % 17 == 16 {
                while let Some(header) = reader.take(&mut content) {
                    assert_eq!(header.nanos, taken);
                    let body = std::str::from_utf8(&content[4..]).unwrap();
                    assert_eq!(body.parse::<u64>().unwrap(), taken);
                    taken += 1;
                }
                checkpoint = Checkpoint { number: checkpoint.number + 1, tail: reader.taken(), ..checkpoint };
                reader.release(&checkpoint);
            }
            if number % 501 == 0 {
                let (bodies, torn) = bodies(&image(dir.path()));
                assert_eq!((numbers(&bodies), torn), ((taken..=number).collect(), 0));
            }
        }
    }

    #[test]
    fn a_full_ring_refuses_and_counts_and_is_found_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (ring, reader) = ring(dir.path());
        let mut put_count = 0;
        while put(&ring, put_count).is_ok() {
            put_count += 1;
        }
        assert_eq!(put(&ring, 578), Err(Refusal::Full));
        reader.note_alive(7);
        let image = image(dir.path());
        assert_eq!((image.dropped, image.alive), (2, 7));
        assert_eq!(numbers(&bodies(&image).0), (0..put_count).collect::<Vec<_>>());
    }

    #[test]
    fn a_record_that_was_never_finished_hides_none_behind_it() {
        let dir = tempfile::tempdir().unwrap();
        let (ring, _reader) = ring(dir.path());
        (0..9).for_each(|number| put(&ring, number).unwrap());
        let mut bytes = std::fs::read(dir.path().join("ring")).unwrap();
        let first_word = |number: u64| {
            let lens =
                (0..number).map(|number| (RECORD_HEADER_LEN as u64 + 24 + number * 37 % 580).next_multiple_of(8));
            HEADER_LEN + lens.sum::<u64>() as usize
        };
        // One that was reserved, one that was half copied, and the last.
        bytes[first_word(2)..first_word(3)].fill(0);
        bytes[first_word(5)..first_word(5) + 8].fill(0);
        bytes[first_word(8)..first_word(8) + 8].fill(0);
        let image = RingImage::new(bytes).unwrap();
        let (bodies, torn) = bodies(&image);
        assert_eq!((numbers(&bodies), torn), (vec![0, 1, 3, 4, 6, 7], 3));
    }

    #[test]
    fn a_damaged_record_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let (ring, _reader) = ring(dir.path());
        (0..3).for_each(|number| put(&ring, number).unwrap());
        let mut bytes = std::fs::read(dir.path().join("ring")).unwrap();
        bytes[HEADER_LEN + RECORD_HEADER_LEN + 6] ^= 1;
        let (bodies, torn) = bodies(&RingImage::new(bytes).unwrap());
        assert_eq!((numbers(&bodies), torn), (vec![1, 2], 1));
    }

    #[test]
    fn what_is_no_ring_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (_ring, _reader) = ring(dir.path());
        let bytes = std::fs::read(dir.path().join("ring")).unwrap();
        assert!(RingImage::new(bytes[..bytes.len() - 1].to_vec()).is_none());
        assert!(RingImage::new(vec![0; bytes.len()]).is_none());
        assert!(RingImage::new(Vec::new()).is_none());
        let mut broken = bytes.clone();
        broken[CHECKPOINTS[0] as usize] ^= 1;
        assert!(RingImage::new(broken).is_none());
        let mut far = bytes;
        far[FREED as usize + 7] = 0xff;
        assert!(RingImage::new(far).is_none());
    }

    #[test]
    fn a_closed_ring_refuses_and_is_unmapped() {
        let dir = tempfile::tempdir().unwrap();
        let (ring, reader) = ring(dir.path());
        put(&ring, 0).unwrap();
        assert!(ring.close());
        assert!(!ring.close());
        reader.unmap();
        assert_eq!(put(&ring, 1), Err(Refusal::Ended));
        assert_eq!(bodies(&image(dir.path())).0.len(), 1);
    }
}
