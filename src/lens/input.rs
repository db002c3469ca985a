//! The bytes of a file as the lenses read them: checked against its end, a window at a time.

use super::{Flaw, Parsed, ReadAt};

/// Bytes that a cursor reads at once.
const WINDOW_LEN: usize = 16 << 10;

/// A file of known length.
pub(super) struct Input<'a> {
    source: &'a dyn ReadAt,
    len: u64,
}

impl<'a> Input<'a> {
    pub(super) fn new(source: &'a dyn ReadAt, len: u64) -> Input<'a> {
        Input { source, len }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Fills `buf` with the bytes at `offset`; all of them must be inside.
    pub(super) fn read_into(&self, offset: u64, buf: &mut [u8]) -> Parsed<()> {
        let mut filled = 0;
        while filled < buf.len() {
            let at = offset.saturating_add(filled as u64);
            match self.source.read_at(&mut buf[filled..], at)? {
                0 => return Err(Flaw::Torn(format!("the file ends at {at}, not at {}", self.len))),
                len => filled += len,
            }
        }
        Ok(())
    }

    /// Returns the `N` bytes of `what` at `offset`; `Torn` if the file ends before.
    pub(super) fn array<const N: usize>(&self, what: &str, offset: u64) -> Parsed<[u8; N]> {
        self.must_hold(what, offset, N as u64)?;
        let mut bytes = [0; N];
        self.read_into(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// Returns up to `N` last bytes of the file, and where they start.
    pub(super) fn tail(&self, most: usize) -> Parsed<(Vec<u8>, u64)> {
        let start = self.len.saturating_sub(most as u64);
        let mut bytes = vec![0; (self.len - start) as usize];
        self.read_into(start, &mut bytes)?;
        Ok((bytes, start))
    }

    pub(super) fn holds(&self, offset: u64, len: u64) -> bool {
        offset.checked_add(len).is_some_and(|end| end <= self.len)
    }

    /// Is `Torn` if `what`, of `len` bytes at `offset`, is not all inside.
    pub(super) fn must_hold(&self, what: &str, offset: u64, len: u64) -> Parsed<()> {
        if self.holds(offset, len) {
            return Ok(());
        }
        let end = offset.saturating_add(len);
        Err(Flaw::Torn(format!("{what} ends at {end}, the file at {}", self.len)))
    }

    /// Reads on from `offset`.
    pub(super) fn cursor(&self, offset: u64) -> Cursor<'_> {
        Cursor { input: self, at: offset, window: Vec::new(), window_start: 0 }
    }
}

/// Reads a directory from its start to its end.
pub(super) struct Cursor<'a> {
    input: &'a Input<'a>,
    at: u64,
    window: Vec<u8>,
    window_start: u64,
}

impl Cursor<'_> {
    /// Returns where the next byte is.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    pub(super) fn go_to(&mut self, offset: u64) {
        self.at = offset;
    }

    pub(super) fn skip(&mut self, len: u64) {
        self.at = self.at.saturating_add(len);
    }

    /// Returns the next `len` bytes, which are of `what`, and goes on behind them.
    pub(super) fn take(&mut self, what: &str, len: usize) -> Parsed<&[u8]> {
        let at = self.at;
        self.peek(what, len)?;
        self.at += len as u64;
        let start = (at - self.window_start) as usize;
        Ok(&self.window[start..start + len])
    }

    /// Returns the next `len` bytes, which are of `what`; at most 128 KiB are asked for.
    pub(super) fn peek(&mut self, what: &str, len: usize) -> Parsed<&[u8]> {
        self.input.must_hold(what, self.at, len as u64)?;
        let is_inside =
            self.at >= self.window_start && self.at + len as u64 <= self.window_start + self.window.len() as u64;
        if !is_inside {
            let rest = self.input.len - self.at;
            self.window.resize(rest.min(len.max(WINDOW_LEN) as u64) as usize, 0);
            self.window_start = self.at;
            self.input.read_into(self.at, &mut self.window)?;
        }
        let start = (self.at - self.window_start) as usize;
        Ok(&self.window[start..start + len])
    }
}

/// The order of the bytes of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

/// Numbers in a header whose length is known to be enough.
pub(super) struct Fields<'a> {
    bytes: &'a [u8],
    order: Order,
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8], order: Order) -> Fields<'a> {
        Fields { bytes, order }
    }

    pub(super) fn little(bytes: &'a [u8]) -> Fields<'a> {
        Fields::new(bytes, Order::Little)
    }

    pub(super) fn u16(&self, at: usize) -> u16 {
        self.number(at, 2) as u16
    }

    pub(super) fn u32(&self, at: usize) -> u32 {
        self.number(at, 4) as u32
    }

    pub(super) fn u64(&self, at: usize) -> u64 {
        self.number(at, 8)
    }

    fn number(&self, at: usize, len: usize) -> u64 {
        let bytes = self.bytes[at..at + len].iter();
        let join = |number: u64, &byte: &u8| number << 8 | u64::from(byte);
        match self.order {
            Order::Little => bytes.rev().fold(0, join),
            Order::Big => bytes.fold(0, join),
        }
    }
}
