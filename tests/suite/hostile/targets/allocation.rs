//! What a thread takes of memory, by an allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST_HELD: Cell<isize> = const { Cell::new(0) };
}

/// What was taken while something was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// The largest piece that was asked for, in bytes.
    pub largest: usize,
    /// The most bytes that were held at one time.
    pub held: usize,
}

/// The system's allocator; remembers what each thread asked for.
struct Watching;

fn grew(by: usize) {
    LARGEST.set(LARGEST.get().max(by));
    HELD.set(HELD.get().wrapping_add_unsigned(by));
    MOST_HELD.set(MOST_HELD.get().max(HELD.get()));
}

fn shrank(by: usize) {
    HELD.set(HELD.get().wrapping_sub_unsigned(by));
}

// SAFETY: every call goes to the system's allocator as it came; the cells need no memory and no drop.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grew(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grew(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_len: usize) -> *mut u8 {
        shrank(layout.size());
        grew(new_len);
        unsafe { System.realloc(pointer, layout, new_len) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        shrank(layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

/// Does something, and returns what this thread took for it.
pub fn watched<T>(work: impl FnOnce() -> T) -> (T, Taken) {
    let before = HELD.get();
    LARGEST.set(0);
    MOST_HELD.set(before);
    let done = work();
    let held = MOST_HELD.get().wrapping_sub(before);
    (done, Taken { largest: LARGEST.get(), held: held.max(0) as usize })
}
