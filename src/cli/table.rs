//! Aligned columns and fields, as plain lines that other programs can cut and sort.

use std::fmt::{self, Write};

/// Where a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows under a line of headings; columns without any text are left out.
pub struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Makes a table without rows.
    pub fn new<const N: usize>(columns: [(&'static str, Align); N]) -> Table {
        Table { columns: columns.into(), rows: Vec::new() }
    }

    /// Adds a row with one text for each column.
    pub fn add<const N: usize>(&mut self, row: [String; N]) {
        assert_eq!(N, self.columns.len(), "a row has a text for each column");
        self.rows.push(row.into());
    }

    fn width(&self, column: usize) -> usize {
        self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = (0..self.columns.len()).map(|column| (column, self.width(column))).filter(|&(_, width)| width > 0);
        let shown: Vec<_> =
            shown.map(|(column, width)| (column, width.max(self.columns[column].0.chars().count()))).collect();
        let headings: Vec<String> = self.columns.iter().map(|(heading, _)| heading.to_string()).collect();
        for row in std::iter::once(&headings).chain(&self.rows) {
            let mut line = String::new();
            for &(column, width) in &shown {
                match self.columns[column].1 {
                    Align::Left => write!(line, "{:<width$}  ", row[column])?,
                    Align::Right => write!(line, "{:>width$}  ", row[column])?,
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Names with a value each, one a line.
#[derive(Default)]
pub struct Fields {
    fields: Vec<(String, String)>,
}

impl Fields {
    /// Adds a field.
    pub fn add(&mut self, name: impl Into<String>, value: impl fmt::Display) {
        self.fields.push((name.into(), value.to_string()));
    }

    /// Adds a field when there is a value.
    pub fn add_some(&mut self, name: &str, value: Option<impl fmt::Display>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.fields.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in &self.fields {
            // A value of several lines (a message) stays in its column.
            let value = value.replace('\n', &format!("\n{:width$}  ", ""));
            writeln!(f, "{}", format!("{name:<width$}  {value}").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_empty_ones_left_out() {
        let mut table = Table::new([("ID", Align::Left), ("SIZE", Align::Right), ("TAGS", Align::Left)]);
        table.add(["a".into(), "1 B".into(), String::new()]);
        table.add(["0.7.3".into(), "12 B".into(), String::new()]);
        assert_eq!(table.to_string(), "ID     SIZE\na       1 B\n0.7.3  12 B\n");
    }

    #[test]
    fn fields_keep_lines_in_their_column() {
        let mut fields = Fields::default();
        fields.add("id", 7);
        fields.add("message", "one\ntwo");
        assert_eq!(fields.to_string(), "id       7\nmessage  one\n         two\n");
    }
}
