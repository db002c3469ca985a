//! Tables that sort at a click, filter as one types, and show the first of many rows until asked for all.

use super::html::{Html, escape};
use super::page::Tone;
use super::text;

/// Rows that are shown before somebody asks for more.
const SHOWN: usize = 100;

/// Rows from which on a table can be filtered.
const MANY: usize = 12;

/// One table.
pub struct Table {
    columns: Vec<(String, Side)>,
    rows: Vec<Html>,
    chips: Vec<(String, Tone, usize)>,
}

/// On which side the cells of a column stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// What stands in a cell, and what it is sorted by.
#[derive(Debug, Clone)]
pub struct Cell {
    html: Html,
    value: Option<i64>,
    class: &'static str,
}

impl Cell {
    /// Makes a cell of words.
    pub fn text(words: &str) -> Cell {
        Cell { html: Html::text(words), value: None, class: "" }
    }

    /// Makes a cell of a path: it breaks at any place, and can be searched for in the page's source.
    pub fn path(path: &str) -> Cell {
        Cell { class: "path", ..Cell::text(path) }
    }

    /// Makes a cell of a path in markup.
    pub fn path_html(path: Html) -> Cell {
        Cell { class: "path", ..Cell::html(path) }
    }

    /// Makes a cell of markup.
    pub fn html(html: Html) -> Cell {
        Cell { html, value: None, class: "" }
    }

    /// Makes a cell of markup that is sorted by a number.
    pub fn sorted(html: Html, value: i64) -> Cell {
        Cell { html, value: Some(value), class: "" }
    }

    /// Makes a cell of a count.
    pub fn count(number: u64) -> Cell {
        Cell::sorted(Html::text(&text::grouped(number)), text::difference(0, number))
    }

    /// Makes a cell of a size; empty when there is none.
    pub fn size(bytes: Option<u64>) -> Cell {
        match bytes {
            Some(bytes) => Cell::sorted(Html::text(&text::size(bytes)), text::difference(0, bytes)),
            None => Cell::sorted(Html::new(), -1),
        }
    }

    /// Makes a cell that tells by how many bytes something grew.
    pub fn growth(bytes: i64) -> Cell {
        let class = match bytes {
            0 => "zero",
            1.. => "grew",
            _ => "shrank",
        };
        Cell { class, ..Cell::sorted(Html::text(&text::growth(bytes)), bytes) }
    }
}

impl Table {
    /// Starts a table of columns, each with its heading.
    pub fn new<const N: usize>(columns: [(&str, Side); N]) -> Table {
        Table::with_columns(columns, std::iter::empty())
    }

    /// Starts a table of columns, of which those after the first follow from what is shown.
    pub fn with_columns<const N: usize>(
        first: [(&str, Side); N],
        others: impl Iterator<Item = (String, Side)>,
    ) -> Table {
        let columns = first.into_iter().map(|(heading, side)| (heading.to_owned(), side)).chain(others).collect();
        Table { columns, rows: Vec::new(), chips: Vec::new() }
    }

    /// Adds a row.
    pub fn add(&mut self, cells: &[Cell]) {
        self.add_row("", cells);
    }

    /// Adds a row of a sort: the table has a button for each sort of rows, which hides it.
    pub fn add_of(&mut self, sort: &str, tone: Tone, cells: &[Cell]) {
        let number = self.chips.iter().position(|chip| chip.0 == sort).unwrap_or_else(|| {
            self.chips.push((sort.to_owned(), tone, 0));
            self.chips.len() - 1
        });
        self.chips[number].2 += 1;
        self.add_row(&format!(" data-k=\"{number}\""), cells);
    }

    fn add_row(&mut self, attributes: &str, cells: &[Cell]) {
        let mut row = Html::raw(attributes);
        row.push_raw(">");
        for (cell, (_, side)) in cells.iter().zip(&self.columns) {
            let side = if *side == Side::Right { "n" } else { "" };
            match (side, cell.class) {
                ("", "") => row.push_raw("<td"),
                ("", class) | (class, "") => row.push_format(format_args!("<td class=\"{class}\"")),
                (side, class) => row.push_format(format_args!("<td class=\"{side} {class}\"")),
            }
            if let Some(value) = cell.value {
                row.push_format(format_args!(" data-v=\"{value}\""));
            }
            row.push_raw(">");
            row.push(&cell.html);
            row.push_raw("</td>");
        }
        self.rows.push(row);
    }

    /// Returns the table; nothing when it has no rows.
    pub fn finish(self) -> Html {
        self.finish_folded(SHOWN)
    }

    /// Returns the table, of which `shown` rows are seen until somebody asks for more; nothing when it has no rows.
    pub fn finish_folded(self, shown: usize) -> Html {
        let mut html = Html::new();
        let count = self.rows.len();
        if count == 0 {
            return html;
        }
        html.push_raw("<div class=\"table\">");
        if count > MANY || self.chips.len() > 1 {
            html.push_raw("<div class=\"tools\"><input type=\"search\" placeholder=\"Filter…\" aria-label=\"Filter\">");
            for (number, (sort, tone, count)) in self.chips.iter().enumerate() {
                html.push_format(format_args!(
                    "<button type=\"button\" class=\"chip {}\" data-k=\"{number}\" aria-pressed=\"true\">{} <b>{}</b></button>",
                    tone.class(),
                    escape(sort),
                    text::grouped(*count as u64)
                ));
            }
            html.push_raw("</div>");
        }
        html.push_raw("<div class=\"scroll\"><table class=\"limited\"><thead><tr>");
        for (heading, side) in &self.columns {
            let class = if *side == Side::Right { " class=\"n\"" } else { "" };
            html.push_format(format_args!("<th{class}><button type=\"button\">{}</button></th>", escape(heading)));
        }
        html.push_raw("</tr></thead><tbody>\n");
        for (index, row) in self.rows.iter().enumerate() {
            html.push_raw(if index < shown { "<tr" } else { "<tr class=\"more\"" });
            html.push(row);
            html.push_raw("</tr>\n");
        }
        html.push_raw("</tbody></table></div>");
        if count > shown {
            let all = text::grouped(count as u64);
            html.push_format(format_args!("<button type=\"button\" class=\"all tools\">Show all {all}</button>"));
        }
        html.push_raw("</div>");
        html
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_beyond_the_first_are_folded_and_sorts_are_counted() {
        let mut table = Table::new([("NAME", Side::Left), ("SIZE", Side::Right)]);
        for number in 0..SHOWN as u64 + 5 {
            let sort = if number % 2 == 0 { "added" } else { "<gone>" };
            table.add_of(sort, Tone::Added, &[Cell::path("a<b>"), Cell::size(Some(number))]);
        }
        let html = table.finish();
        let html = html.as_str();
        assert_eq!(html.matches("class=\"more\"").count(), 5);
        assert!(html.contains("Show all 105") && html.contains("added <b>53</b>"));
        assert!(html.contains("&lt;gone&gt; <b>52</b>") && !html.contains("<gone>") && !html.contains("a<b>"));
        assert!(html.contains("<td class=\"n\" data-v=\"104\">104 B</td>"));
        assert!(Table::new([("A", Side::Left)]).finish().is_empty());
    }
}
