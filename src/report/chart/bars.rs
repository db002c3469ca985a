//! Bars side by side, to the right of a line or, what shrank, to the left of it.

use crate::report::html::{Html, escape};
use crate::report::page::Tone;

/// One bar.
#[derive(Debug, Clone)]
pub struct Bar {
    /// What it stands for.
    pub name: String,
    /// How long it is; negative to the left.
    pub value: i64,
    /// The value in words.
    pub amount: String,
    /// A few words more; may be empty.
    pub note: String,
    /// Its colour.
    pub tone: Tone,
}

/// Returns the bars, in the order in which they are given; nothing for none.
pub fn bars(bars: &[Bar]) -> Html {
    let mut html = Html::new();
    let right = bars.iter().map(|bar| bar.value.max(0)).max().unwrap_or(0) as f64;
    let left = bars.iter().map(|bar| bar.value.min(0)).min().unwrap_or(0) as f64;
    if bars.is_empty() {
        return html;
    }
    let whole = (right - left).max(1.0);
    let zero = -left / whole * 100.0;
    html.push_raw("<div class=\"bars\">");
    for Bar { name, value, amount, note, tone } in bars {
        let width = value.unsigned_abs() as f64 / whole * 100.0;
        let start = if *value < 0 { zero - width } else { zero };
        let note = if note.is_empty() { String::new() } else { format!(" <small>{}</small>", escape(note)) };
        html.push_format(format_args!(
            "<span class=\"name\" title=\"{name}\">{name}</span><span class=\"track\">",
            name = escape(name)
        ));
        if left < 0.0 {
            html.push_format(format_args!("<span class=\"axis\" style=\"left:{zero:.2}%\"></span>"));
        }
        if *value != 0 {
            let (class, start) = (tone.class(), start.max(0.0));
            html.push_format(format_args!(
                "<span class=\"bar {class}\" style=\"left:{start:.2}%;width:{width:.2}%\"></span>"
            ));
        }
        html.push_format(format_args!("</span><span class=\"amount\">{}{note}</span>", escape(amount)));
    }
    html.push_raw("</div>");
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shrank_stands_to_the_left() {
        let bar = |value| Bar { name: "<a>".into(), value, amount: "x".into(), note: "".into(), tone: Tone::Plain };
        let html = bars(&[bar(30), bar(-10), bar(0)]);
        let html = html.as_str();
        assert!(html.contains("left:25.00%;width:75.00%") && html.contains("left:0.00%;width:25.00%"), "{html}");
        assert_eq!(html.matches("class=\"bar ").count(), 2);
        assert!(!html.contains("<a>"));
        assert!(bars(&[]).is_empty());
        assert!(!bars(&[bar(0)]).as_str().contains("NaN"));
        assert!(!bars(&[bar(i64::MIN), bar(i64::MAX)]).as_str().contains("NaN"));
    }
}
