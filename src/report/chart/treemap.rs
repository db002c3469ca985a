//! Areas side by side: the larger, the more. Squarified (Bruls, Huizing, van Wijk, 2000), so that each is near a square.

use super::fitted;
use crate::report::html::{Html, escape};
use crate::report::page::Tone;

/// The width of a treemap in its own units; the page scales it.
const WIDTH: f64 = 1100.0;

/// Tiles beyond which the rest is one tile: they would be too small to be seen.
const MAX_TILES: usize = 120;

/// Height from which on a tile has room for its name, and for a line below.
const NAME_HEIGHT: f64 = 22.0;
const NOTE_HEIGHT: f64 = 40.0;

/// One area.
#[derive(Debug, Clone)]
pub struct Tile {
    /// What it stands for, in short.
    pub name: String,
    /// What it stands for, told when somebody points at it.
    pub title: String,
    /// How much it is.
    pub value: u64,
    /// The value in words.
    pub amount: String,
    /// Its colour.
    pub tone: Tone,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Area {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// Returns the areas, largest first; `title` says what they are. Nothing when all are empty.
pub fn treemap(title: &str, mut tiles: Vec<Tile>, height: u32, rest: impl FnOnce(usize, u64) -> Tile) -> Html {
    tiles.retain(|tile| tile.value > 0);
    tiles.sort_by(|a, b| (b.value, &a.name).cmp(&(a.value, &b.name)));
    if tiles.len() > MAX_TILES {
        let others = tiles.split_off(MAX_TILES - 1);
        tiles.push(rest(others.len(), others.iter().map(|tile| tile.value).sum()));
        tiles.sort_by_key(|tile| std::cmp::Reverse(tile.value));
    }
    let mut html = Html::new();
    if tiles.is_empty() {
        return html;
    }
    html.push_format(format_args!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">",
        escape(title)
    ));
    let areas = squarify(&tiles.iter().map(|tile| tile.value as f64).collect::<Vec<_>>(), WIDTH, height.into());
    for (Tile { name, title, amount, tone, .. }, area) in tiles.iter().zip(areas) {
        let Area { x, y, width, height } = area;
        html.push_format(format_args!(
            "<g class=\"{}\"><title>{}: {}</title><rect class=\"tile\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\" rx=\"4\"/>",
            tone.class(),
            escape(title),
            escape(amount)
        ));
        let room = width - 16.0;
        let line = |html: &mut Html, class: &str, down: f64, words: &str| {
            let words = escape(&fitted(words, room));
            let (x, y) = (x + 9.0, y + down);
            html.push_format(format_args!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{words}</text>"));
        };
        if height >= NAME_HEIGHT && !fitted(name, room).is_empty() {
            line(&mut html, "tile-name", 18.0, name);
            // A cut number would be another one.
            if height >= NOTE_HEIGHT && fitted(amount, room) == *amount {
                line(&mut html, "tile-note", 34.0, amount);
            }
        }
        html.push_raw("</g>");
    }
    html.push_raw("</svg>");
    html
}

/// Returns an area for each value, which descend.
fn squarify(values: &[f64], width: f64, height: f64) -> Vec<Area> {
    let scale = width * height / values.iter().sum::<f64>();
    let mut free = Area { x: 0.0, y: 0.0, width, height };
    let mut areas = Vec::with_capacity(values.len());
    let mut start = 0;
    while start < values.len() {
        let side = free.width.min(free.height).max(f64::EPSILON);
        let mut end = start + 1;
        let mut sum = values[start] * scale;
        let worst = |first: f64, last: f64, sum: f64| {
            let square = side * side;
            (square * first / (sum * sum)).max(sum * sum / (square * last))
        };
        while end < values.len() {
            let (first, last, next) = (values[start] * scale, values[end - 1] * scale, values[end] * scale);
            if worst(first, next, sum + next) > worst(first, last, sum) {
                break;
            }
            sum += next;
            end += 1;
        }
        let thick = sum / side;
        let mut along = 0.0;
        for value in &values[start..end] {
            let long = value * scale / thick;
            areas.push(match free.width >= free.height {
                true => Area { x: free.x, y: free.y + along, width: thick, height: long },
                false => Area { x: free.x + along, y: free.y, width: long, height: thick },
            });
            along += long;
        }
        match free.width >= free.height {
            true => (free.x, free.width) = (free.x + thick, free.width - thick),
            false => (free.y, free.height) = (free.y + thick, free.height - thick),
        }
        start = end;
    }
    areas
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(name: &str, value: u64) -> Tile {
        Tile { name: name.into(), title: name.into(), value, amount: format!("{value} B"), tone: Tone::Kind(1) }
    }

    /// The example of the paper: 6, 6, 4, 3, 2, 2, 1 in 6 by 4.
    #[test]
    fn areas_are_in_proportion_and_near_squares() {
        let values = [6.0, 6.0, 4.0, 3.0, 2.0, 2.0, 1.0];
        let areas = squarify(&values, 6.0, 4.0);
        for (value, area) in values.iter().zip(&areas) {
            assert!((area.width * area.height - value).abs() < 1e-9);
            assert!(area.x >= -1e-9 && area.x + area.width <= 6.0 + 1e-9);
            assert!(area.y >= -1e-9 && area.y + area.height <= 4.0 + 1e-9);
        }
        assert_eq!(areas[0], Area { x: 0.0, y: 0.0, width: 3.0, height: 2.0 });
        assert_eq!(areas[1], Area { x: 0.0, y: 2.0, width: 3.0, height: 2.0 });
    }

    #[test]
    fn the_smallest_of_many_are_one_tile() {
        let tiles: Vec<Tile> = (0..5000).map(|number| tile(&format!("<t{number}>"), 5000 - number)).collect();
        let html = treemap("t", tiles, 300, |count, bytes| tile(&format!("{count} others"), bytes));
        let html = html.as_str();
        assert_eq!(html.matches("<rect").count(), MAX_TILES);
        assert!(html.contains("4881 others") && !html.contains("<t1>") && !html.contains("NaN"));
        assert!(treemap("t", vec![tile("a", 0)], 300, |_, _| tile("", 0)).is_empty());
    }
}
