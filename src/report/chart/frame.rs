//! What charts of builds side by side have in common: their width, the lines of a scale, and the builds' names below.

use super::{LETTER_WIDTH, fitted, step};
use crate::report::html::{Html, escape};

/// Width in the chart's own units, and the room at the sides for words.
pub(super) const WIDTH: f64 = 1100.0;
pub(super) const LEFT: f64 = 74.0;
pub(super) const RIGHT: f64 = 20.0;

/// Letters of a name that are shown.
const MAX_NAME_LEN: usize = 16;

/// The room for one of `count` builds.
pub(super) fn slot(count: usize) -> f64 {
    (WIDTH - LEFT - RIGHT) / count.max(1) as f64
}

/// Returns the middle of the room of a build.
pub(super) fn middle(index: usize, count: usize) -> f64 {
    LEFT + (index as f64 + 0.5) * slot(count)
}

/// Draws the lines of a scale from 0, at `base`, up to `most`, `height` above it; about `steps` of them.
pub(super) fn scale(html: &mut Html, base: f64, height: f64, most: f64, steps: f64, word: impl Fn(f64) -> String) {
    let step = step(most, steps);
    let mut value = 0.0;
    while value <= most {
        let y = base - value / most * height;
        html.push_format(format_args!(
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"tick\" text-anchor=\"end\" x=\"{}\" y=\"{:.1}\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 10.0,
            y + 4.0,
            escape(&word(value))
        ));
        value += step;
    }
}

/// Writes the names of builds at `y`, as many as there is room for.
pub(super) fn names(html: &mut Html, names: &[&str], y: f64) {
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).clamp(3, MAX_NAME_LEN);
    let every = ((longest as f64 + 1.5) * LETTER_WIDTH / slot(names.len())).ceil().max(1.0) as usize;
    for (index, name) in names.iter().enumerate().step_by(every) {
        html.push_format(format_args!(
            "<text class=\"tick\" text-anchor=\"middle\" x=\"{:.1}\" y=\"{y}\">{}</text>",
            middle(index, names.len()),
            escape(&fitted(name, MAX_NAME_LEN as f64 * LETTER_WIDTH))
        ));
    }
}
