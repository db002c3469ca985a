//! Which places of the program an input reached.
//!
//! `scripts/fuzz` has the compiler count them: one byte for each edge, wherever the linker put it. Without that, nothing is known, and
//! only the samples are changed.

use std::sync::Mutex;

/// Where counters are, each as its start and its length.
static COUNTERS: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut u8, end: *mut u8) {
    COUNTERS.lock().expect("nothing panics here").push((start as usize, end as usize - start as usize));
}

/// All that was ever reached.
#[derive(Default)]
pub struct Coverage {
    /// For each counter the steps that it reached, a bit each.
    seen: Vec<u8>,
}

impl Coverage {
    /// Tells whether anything was reached since the last call that never was before, or much more often; begins to count anew.
    pub fn take_news(&mut self) -> bool {
        let counters = COUNTERS.lock().expect("nothing panics here");
        self.seen.resize(counters.iter().map(|(_, len)| len).sum(), 0);
        let mut is_new = false;
        let mut at = 0;
        for &(start, len) in counters.iter() {
            // SAFETY: the compiler gave this memory, which lives as long as the program; another thread that counts at the same
            // time makes a number wrong that is a guess anyhow.
            let counters = unsafe { std::slice::from_raw_parts_mut(start as *mut u8, len) };
            let (words, rest) = counters.as_chunks_mut::<8>();
            for (index, word) in words.iter_mut().enumerate().filter(|(_, word)| **word != [0; 8]) {
                is_new |= note(word, &mut self.seen[at + index * 8..][..8]);
            }
            let done = len - rest.len();
            is_new |= note(rest, &mut self.seen[at + done..][..rest.len()]);
            at += len;
        }
        is_new
    }

    /// Returns how many edges were reached, and how many there are.
    pub fn reached(&self) -> (usize, usize) {
        (self.seen.iter().filter(|steps| **steps != 0).count(), self.seen.len())
    }
}

fn note(counters: &mut [u8], seen: &mut [u8]) -> bool {
    let mut is_new = false;
    for (count, seen) in counters.iter_mut().zip(seen).filter(|(count, _)| **count != 0) {
        // 1, 2, 3, 4 to 7, 8 to 15, and so on.
        let step = match *count {
            1..=3 => *count - 1,
            many => many.ilog2() as u8 + 1,
        };
        let bit = 1u8 << step.min(7);
        is_new |= *seen & bit == 0;
        *seen |= bit;
        *count = 0;
    }
    is_new
}
