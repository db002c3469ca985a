//! The elements of a JSON document, one at a time: those of an array, or of an array inside of an object, or one a line.
//!
//! A document may be larger than memory, and may be cut at any byte; so its structure is followed byte by byte, and only whole
//! elements of a bounded length are parsed. What stands beside the array in an object is kept, for it may tell of all elements.

use crate::error::Result;
use crate::feedback::import::{MAX_LINE_LEN, Rejected, Sink, failure};
use serde_json::{Map, Value};
use std::io::BufRead;

/// The most bytes of a value beside the elements.
const MAX_BESIDE_LEN: usize = 64 << 10;

/// The most values beside the elements.
const MAX_BESIDE: usize = 100;

/// Takes an element with what stands beside them all, and its number from 1.
pub(super) type Visit<'a> = &'a mut dyn FnMut(Value, &Map<String, Value>, u64, &mut dyn Sink) -> Result<()>;

/// Calls `visit` for each element of `input`.
///
/// Of an object the elements of its arrays that `arrays` names count; one that has none of them is an element itself. What
/// cannot be read goes to the sink as rejected.
///
/// # Errors
/// Those of reading, of the sink and of `visit`.
pub(super) fn for_each(input: &mut dyn BufRead, arrays: &[&str], sink: &mut dyn Sink, visit: Visit<'_>) -> Result<()> {
    let mut elements = Elements { bytes: Bytes { input, read: 0 }, number: 0, beside: Map::new() };
    // Documents may stand one after the other, as lines do.
    while let Some(first) = elements.bytes.next_solid()? {
        match first {
            b'[' => elements.array(sink, visit)?,
            b'{' if !arrays.is_empty() => elements.object(arrays, sink, visit)?,
            // Marks of the byte order, and commas where an array was cut at its begin.
            0xEF | 0xBB | 0xBF | b',' | b']' => {
                elements.bytes.next()?;
            }
            _ => {
                if !elements.element(sink, visit)? {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

struct Elements<'a> {
    bytes: Bytes<'a>,
    number: u64,
    beside: Map<String, Value>,
}

impl Elements<'_> {
    fn array(&mut self, sink: &mut dyn Sink, visit: Visit<'_>) -> Result<()> {
        self.bytes.next()?;
        loop {
            match self.bytes.next_solid()? {
                None => return Ok(()),
                Some(b']') => return self.bytes.next().map(drop),
                Some(b',') => drop(self.bytes.next()?),
                Some(_) if !self.element(sink, visit)? => return Ok(()),
                Some(_) => {}
            }
        }
    }

    /// Reads an object: its named arrays element by element, or all of it as one element.
    fn object(&mut self, arrays: &[&str], sink: &mut dyn Sink, visit: Visit<'_>) -> Result<()> {
        self.bytes.next()?;
        let mut own = Map::new();
        let mut has_array = false;
        loop {
            match self.bytes.next_solid()? {
                None => break,
                Some(b'}') => {
                    self.bytes.next()?;
                    break;
                }
                Some(b',' | b':') => {
                    self.bytes.next()?;
                    continue;
                }
                Some(_) => {}
            }
            let Some(Value::String(key)) = self.bytes.value(MAX_BESIDE_LEN)?.and_then(|text| parse(&text).ok()) else {
                self.number += 1;
                sink.reject(Rejected::new(self.number, "the document is cut or damaged", b""))?;
                return self.bytes.skip_line();
            };
            if self.bytes.next_solid()? == Some(b':') {
                self.bytes.next()?;
            }
            if arrays.contains(&key.as_str()) && self.bytes.next_solid()? == Some(b'[') {
                has_array = true;
                if own.len() <= MAX_BESIDE {
                    self.beside.append(&mut own);
                }
                self.array(sink, visit)?;
                continue;
            }
            let limit = if has_array { MAX_BESIDE_LEN } else { MAX_LINE_LEN };
            match self.bytes.value(limit)? {
                Some(text) => {
                    if let Ok(value) = parse(&text) {
                        own.insert(key, value);
                    }
                }
                None => {
                    self.number += 1;
                    return sink.reject(Rejected::new(self.number, format!("the document is cut in \"{key}\""), b""));
                }
            }
        }
        if !has_array && !own.is_empty() {
            self.number += 1;
            visit(Value::Object(own), &self.beside, self.number, sink)?;
        }
        Ok(())
    }

    /// Reads one element; `false` at a cut end.
    fn element(&mut self, sink: &mut dyn Sink, visit: Visit<'_>) -> Result<bool> {
        self.number += 1;
        let Some(text) = self.bytes.value(MAX_LINE_LEN)? else {
            sink.reject(Rejected::new(self.number, "it is cut, or longer than is read", b""))?;
            return Ok(false);
        };
        match parse(&text) {
            Ok(value) => visit(value, &self.beside, self.number, sink)?,
            Err(error) => sink.reject(Rejected::new(self.number, error.to_string(), &text))?,
        }
        Ok(true)
    }
}

fn parse(text: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(text)
}

/// Follows the structure of JSON without understanding it.
struct Bytes<'a> {
    input: &'a mut dyn BufRead,
    read: u64,
}

impl Bytes<'_> {
    fn peek(&mut self) -> Result<Option<u8>> {
        Ok(self.input.fill_buf().map_err(failure)?.first().copied())
    }

    fn next(&mut self) -> Result<Option<u8>> {
        let byte = self.peek()?;
        if byte.is_some() {
            self.input.consume(1);
            self.read += 1;
        }
        Ok(byte)
    }

    /// Returns the next byte that is no blank, without taking it.
    fn next_solid(&mut self) -> Result<Option<u8>> {
        loop {
            let buffer = self.input.fill_buf().map_err(failure)?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let blanks = buffer.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == 0x1E).count();
            let found = buffer.get(blanks).copied();
            self.input.consume(blanks);
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    fn skip_line(&mut self) -> Result<()> {
        while let Some(byte) = self.next()? {
            if byte == b'\n' {
                break;
            }
        }
        Ok(())
    }

    /// Takes one value as text; `None` if the input ends in it, or if it is longer than `limit`.
    ///
    /// A line break inside of a string ends the value: JSON has none there, so the value is damaged, and what follows may not be.
    fn value(&mut self, limit: usize) -> Result<Option<Vec<u8>>> {
        let mut text = Vec::new();
        let mut state = Structure::default();
        loop {
            let buffer = self.input.fill_buf().map_err(failure)?;
            if buffer.is_empty() {
                // Numbers and words have no end of their own.
                return Ok((state.depth == 0 && !state.in_string && !text.is_empty()).then_some(text));
            }
            let mut used = 0;
            let mut is_done = false;
            for &byte in buffer {
                match state.take(byte) {
                    Step::Goes => used += 1,
                    Step::EndsWith => {
                        used += 1;
                        is_done = true;
                    }
                    Step::EndsBefore => is_done = true,
                }
                if is_done {
                    break;
                }
            }
            let fits = text.len() + used <= limit;
            if fits {
                text.extend_from_slice(&buffer[..used]);
            }
            self.input.consume(used);
            self.read += used as u64;
            if !fits {
                return Ok(None);
            }
            if is_done {
                return Ok(Some(text));
            }
        }
    }
}

/// Where in a value a byte stands.
#[derive(Default)]
struct Structure {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
    has_begun: bool,
}

enum Step {
    Goes,
    EndsWith,
    EndsBefore,
}

impl Structure {
    fn take(&mut self, byte: u8) -> Step {
        let is_first = !self.has_begun;
        self.has_begun = true;
        if self.in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => {
                    self.in_string = false;
                    return if self.depth == 0 { Step::EndsWith } else { Step::Goes };
                }
                b'\n' => return Step::EndsWith,
                _ => {}
            }
            return Step::Goes;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                if self.depth == 0 {
                    return if is_first { Step::EndsWith } else { Step::EndsBefore };
                }
                self.depth -= 1;
                if self.depth == 0 {
                    return Step::EndsWith;
                }
            }
            b',' | b'\n' | b' ' | b'\t' | b'\r' if self.depth == 0 && !is_first => return Step::EndsBefore,
            _ => {}
        }
        Step::Goes
    }
}
