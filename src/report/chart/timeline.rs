//! What grew from build to build: a line for the size, bars for the cost, flags for milestones.

use super::frame::{RIGHT, WIDTH, middle, names, scale, slot};
use super::{LETTER_WIDTH, fitted};
use crate::report::html::{Html, escape};
use crate::report::text;

/// Height in the chart's own units, and the room above and below for words.
const HEIGHT: f64 = 330.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 30.0;

/// Height of the bars of cost, and the gap above them.
const COST_HEIGHT: f64 = 64.0;
const GAP: f64 = 22.0;

/// Points beyond which none gets a dot.
const MAX_DOTS: usize = 60;

/// One build.
#[derive(Debug, Clone)]
pub struct Point {
    /// Its name.
    pub name: String,
    /// When it was made, in words.
    pub date: String,
    /// Bytes of its files.
    pub size: u64,
    /// Bytes that it added to the store.
    pub cost: u64,
    /// The milestones that mark it.
    pub flags: Vec<String>,
}

/// Returns the builds side by side in the order in which they were made; nothing for none.
pub fn timeline(title: &str, points: &[Point]) -> Html {
    let mut html = Html::new();
    if points.is_empty() {
        return html;
    }
    let chart = Chart::of(points);
    html.push_format(format_args!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        escape(title)
    ));
    let size = |size: f64| text::size(size as u64);
    scale(&mut html, chart.size_base(), chart.size_base() - TOP, chart.most_size, 4.0, size);
    scale(&mut html, HEIGHT - BOTTOM, COST_HEIGHT, chart.most_cost, 1.5, size);
    chart.flags(&mut html, points);
    chart.costs(&mut html, points);
    chart.line(&mut html, points);
    names(&mut html, &points.iter().map(|point| point.name.as_str()).collect::<Vec<_>>(), HEIGHT - BOTTOM + 20.0);
    html.push_raw("</svg>");
    html
}

struct Chart {
    most_size: f64,
    most_cost: f64,
    builds: usize,
}

impl Chart {
    fn of(points: &[Point]) -> Chart {
        let most = |of: fn(&Point) -> u64| points.iter().map(of).max().unwrap_or(0).max(1) as f64;
        Chart { most_size: most(|point| point.size), most_cost: most(|point| point.cost), builds: points.len() }
    }

    fn size_base(&self) -> f64 {
        HEIGHT - BOTTOM - COST_HEIGHT - GAP
    }

    fn x(&self, index: usize) -> f64 {
        middle(index, self.builds)
    }

    fn y(&self, size: u64) -> f64 {
        self.size_base() - size as f64 / self.most_size * (self.size_base() - TOP)
    }

    fn flags(&self, html: &mut Html, points: &[Point]) {
        // Names that would run into each other stand in two rows; what does not fit even so has its line alone.
        let mut ends = [f64::MIN; 2];
        for (index, point) in points.iter().enumerate().filter(|(_, point)| !point.flags.is_empty()) {
            let (x, name) = (self.x(index), fitted(&point.flags.join(", "), 180.0));
            let width = name.chars().count() as f64 * LETTER_WIDTH;
            let (anchor, start) = match x + width > WIDTH - RIGHT {
                true => ("end", x - width),
                false => ("start", x),
            };
            let row = ends.iter().position(|&end| end + 8.0 < start);
            let top = 14.0 + row.unwrap_or(1) as f64 * 15.0;
            html.push_format(format_args!(
                "<line class=\"flag\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{}\"/>",
                top + 4.0,
                HEIGHT - BOTTOM
            ));
            if let Some(row) = row {
                ends[row] = start + width;
                html.push_format(format_args!(
                    "<text class=\"flag-name\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{top}\">{}</text>",
                    escape(&name)
                ));
            }
        }
    }

    fn costs(&self, html: &mut Html, points: &[Point]) {
        let width = (slot(self.builds) * 0.62).clamp(1.0, 46.0);
        for (index, point) in points.iter().enumerate() {
            let height = (point.cost as f64 / self.most_cost * COST_HEIGHT).max(1.0);
            html.push_format(format_args!(
                "<rect class=\"cost\" x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"2\"><title>{}: \
                 {} in the store</title></rect>",
                self.x(index) - width / 2.0,
                HEIGHT - BOTTOM - height,
                escape(&point.name),
                text::size(point.cost)
            ));
        }
    }

    fn line(&self, html: &mut Html, points: &[Point]) {
        let base = self.size_base();
        let line: String = (points.iter().enumerate())
            .map(|(index, point)| format!("{:.1},{:.1} ", self.x(index), self.y(point.size)))
            .collect();
        html.push_format(format_args!(
            "<polygon class=\"area\" points=\"{:.1},{base} {line}{:.1},{base}\"/><polyline class=\"line\" points=\"{line}\"/>",
            self.x(0),
            self.x(points.len() - 1)
        ));
        let radius = if points.len() > MAX_DOTS { 1.5 } else { 4.0 };
        for (index, point) in points.iter().enumerate() {
            html.push_format(format_args!(
                "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius}\"><title>{}, {}: {}</title></circle>",
                self.x(index),
                self.y(point.size),
                escape(&point.name),
                escape(&point.date),
                text::size(point.size)
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_build_has_its_place_and_flags_do_not_overlap() {
        let point = |number: u64| Point {
            name: format!("<{number}>"),
            date: "2026".into(),
            size: number * 10,
            cost: 5,
            flags: if number.is_multiple_of(2) { vec![format!("milestone {number}")] } else { vec![] },
        };
        let points: Vec<Point> = (0..200).map(point).collect();
        let html = timeline("t", &points);
        let html = html.as_str();
        assert_eq!(html.matches("<circle").count(), 200);
        assert_eq!(html.matches("class=\"flag\"").count(), 100);
        assert!((10..40).contains(&html.matches("class=\"flag-name\"").count()));
        assert!(!html.contains("<5>") && !html.contains("NaN"));
        assert!(timeline("t", &[]).is_empty());
        assert!(!timeline("t", &[Point { size: 0, cost: 0, ..point(0) }]).as_str().contains("NaN"));
    }
}
