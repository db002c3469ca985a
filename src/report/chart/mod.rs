//! Charts: bars, rates, a treemap, a timeline. Each is drawn as text, and says in words what it shows.

mod bars;
mod frame;
mod rates;
mod timeline;
mod treemap;

pub use bars::{Bar, bars};
pub use rates::{RatePoint, rates};
pub use timeline::{Point, timeline};
pub use treemap::{Tile, treemap};

/// Width of a letter of charts, in the units that they are drawn in: no script measures it.
const LETTER_WIDTH: f64 = 7.2;

/// Returns as much of `text` as fits; an end that is left out becomes `…`.
fn fitted(text: &str, width: f64) -> String {
    let room = (width / LETTER_WIDTH) as usize;
    match text.chars().count() {
        len if len <= room => text.to_owned(),
        _ if room < 3 => String::new(),
        _ => text.chars().take(room - 1).chain(['…']).collect(),
    }
}

/// Returns a round number of steps for an axis up to `most`: 1, 2 or 5 of a power of ten.
fn step(most: f64, steps: f64) -> f64 {
    let rough = (most / steps).max(f64::MIN_POSITIVE);
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= rough).unwrap_or(10.0);
    factor * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_cut_to_their_room() {
        assert_eq!(fitted("textures", 100.0), "textures");
        assert_eq!(fitted("textures", 30.0), "tex…");
        assert_eq!(fitted("textures", 15.0), "");
    }

    #[test]
    fn axes_have_round_steps() {
        assert_eq!([step(10.0, 4.0), step(7.9e6, 4.0), step(0.9, 4.0)], [5.0, 2e6, 0.5]);
    }
}
