//! The inputs that are changed: samples, and what reached something new.

use crate::mutate::mutate;
use rand::RngExt;
use rand::rngs::SmallRng;

/// Inputs that are kept at most.
const MAX_INPUTS: usize = 20_000;

/// Bytes of an input, where the samples are not longer.
const MAX_LEN: usize = 4 << 10;

/// One of so many inputs is stretched to [`STRETCHED_LEN`]: what takes time with the square of a length shows then.
const STRETCHED: u32 = 2_000;
const STRETCHED_LEN: usize = 256 << 10;

/// Bytes that are put from one input into another.
const MAX_PIECE: usize = 200;

pub struct Corpus {
    inputs: Vec<Vec<u8>>,
    /// Those that were decoded: what is refused early is most of what is new, and leads nowhere.
    sound: Vec<usize>,
    max_len: usize,
}

impl Corpus {
    pub fn new(samples: Vec<Vec<u8>>) -> Corpus {
        let longest = samples.iter().map(Vec::len).max().expect("a target has samples");
        let sound = (0..samples.len()).collect();
        Corpus { inputs: samples, sound, max_len: MAX_LEN.max(longest + longest / 2) }
    }

    /// Keeps an input that reached something new.
    pub fn keep(&mut self, input: Vec<u8>, is_sound: bool) {
        if self.inputs.len() < MAX_INPUTS && input.len() <= self.max_len {
            self.sound.extend(is_sound.then_some(self.inputs.len()));
            self.inputs.push(input);
        }
    }

    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    /// Returns a new input.
    pub fn next(&self, random: &mut SmallRng) -> Vec<u8> {
        let pick = |random: &mut SmallRng| match random.random_range(0..2) {
            0 => random.random_range(0..self.inputs.len()),
            _ => self.sound[random.random_range(0..self.sound.len())],
        };
        let index = pick(random);
        // In place: what has lengths and offsets in it goes on to fit together.
        if random.random_range(0..3) == 0 {
            return overwrite(&self.inputs[index], random);
        }
        let mut input = mutate(&self.inputs[index], random);
        if random.random_range(0..4) == 0 {
            cross(&mut input, &self.inputs[pick(random)], random);
        }
        input.truncate(self.max_len);
        if random.random_range(0..STRETCHED) == 0 {
            stretch(&mut input, random);
        }
        input
    }
}

/// Changes one or two bytes to numbers at the ends of their ranges, others like them, or any.
fn overwrite(input: &[u8], random: &mut SmallRng) -> Vec<u8> {
    let mut input = input.to_vec();
    for _ in 0..random.random_range(1..=2) {
        if input.is_empty() {
            break;
        }
        let at = random.random_range(0..input.len());
        input[at] = match random.random_range(0..4) {
            0 => [0, 1, 0x7f, 0x80, 0xff][random.random_range(0..5)],
            1 => input[at].wrapping_add(1),
            2 => input[at].wrapping_sub(1),
            _ => random.random(),
        };
    }
    input
}

/// Puts a piece of another input in the place of one of this.
fn cross(input: &mut Vec<u8>, other: &[u8], random: &mut SmallRng) {
    let mut range = |len: usize| {
        let start = random.random_range(0..=len);
        start..len.min(start + random.random_range(0..MAX_PIECE))
    };
    let (to, from) = (range(input.len()), range(other.len()));
    input.splice(to, other[from].iter().copied());
}

/// Repeats a few bytes until the input is long.
fn stretch(input: &mut Vec<u8>, random: &mut SmallRng) {
    if input.is_empty() {
        return;
    }
    let start = random.random_range(0..input.len());
    let piece = input[start..input.len().min(start + random.random_range(1..24))].to_vec();
    let count = STRETCHED_LEN / piece.len();
    input.splice(start..start, piece.repeat(count));
}
