//! How often something shows in each build: a dot for the rate, and a line for the interval that holds the true one.

use super::frame::{RIGHT, WIDTH, middle, names, scale, slot};
use crate::feedback::Rate;
use crate::report::html::{Html, escape};

/// Height in the chart's own units, and the room above and below.
const HEIGHT: f64 = 260.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 30.0;

/// The rate of one build.
#[derive(Debug, Clone, PartialEq)]
pub struct RatePoint {
    /// The build's name.
    pub name: String,
    /// How often it shows there.
    pub rate: Rate,
}

/// Returns the rates side by side in the order of the builds; nothing for none. Between the builds `began`, if they are given, a
/// mark says that it began there.
pub fn rates(title: &str, points: &[RatePoint], began: Option<(usize, usize)>) -> Html {
    let mut html = Html::new();
    if points.is_empty() {
        return html;
    }
    let count = points.len();
    let most = points.iter().map(|point| point.rate.rate.min(1.0).max(point.rate.high)).fold(0.01, f64::max).min(1.0);
    let base = HEIGHT - BOTTOM;
    let y = |rate: f64| base - rate.min(most) / most * (base - TOP);
    html.push_format(format_args!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        escape(title)
    ));
    scale(&mut html, base, base - TOP, most, 4.0, |rate| format!("{:.0} %", rate * 100.0));
    if let Some((last_without, first_with)) = began {
        let (from, to) = (middle(last_without, count), middle(first_with, count));
        html.push_format(format_args!(
            "<rect class=\"area\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"/>\
             <text class=\"flag-name\" text-anchor=\"{}\" x=\"{from:.1}\" y=\"{}\">it began here</text>",
            to - from,
            base - TOP,
            if from > WIDTH - RIGHT - 110.0 { "end" } else { "start" },
            TOP - 8.0
        ));
    }
    let radius = if slot(count) < 12.0 { 1.5 } else { 4.0 };
    for (index, RatePoint { name, rate }) in points.iter().enumerate() {
        let x = middle(index, count);
        html.push_format(format_args!(
            "<line class=\"flag\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>\
             <circle class=\"dot\" cx=\"{x:.1}\" cy=\"{:.1}\" r=\"{radius}\"><title>{}: {} in {}, {:.1} % ({:.1} to {:.1})\
             </title></circle>",
            y(rate.low),
            y(rate.high),
            y(rate.rate),
            escape(name),
            rate.hits,
            rate.total,
            rate.rate * 100.0,
            rate.low * 100.0,
            rate.high * 100.0
        ));
    }
    names(&mut html, &points.iter().map(|point| point.name.as_str()).collect::<Vec<_>>(), HEIGHT - BOTTOM + 20.0);
    html.push_raw("</svg>");
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_build_has_its_rate() {
        let point = |hits, total| RatePoint { name: "<b>".into(), rate: Rate::new(hits, total) };
        let html = rates("t", &[point(0, 10), point(3, 10), point(12, 10), point(0, 0)], Some((0, 1)));
        let html = html.as_str();
        assert_eq!((html.matches("<circle").count(), html.matches("it began here").count()), (4, 1));
        assert!(!html.contains("<b>") && !html.contains("NaN") && !html.contains("inf"));
        assert!(html.contains("3 in 10, 30.0 % (10.8 to 60.3)"), "{html}");
        assert!(rates("t", &[], None).is_empty());
    }
}
