//! What people and diff tools read: the generated files of a target, and the matrix as CSV. Secrets are masked in all.

use super::{Effective, Matrix, Row, Setting, Value};
use crate::secret;
use serde::{Serialize, Serializer};
use std::fmt::Write;

/// A setting as JSON shows it: of a list all fields are arrays.
#[derive(Serialize)]
struct Shown<'a> {
    value: OneOrAll<Vec<std::borrow::Cow<'a, str>>>,
    origin: OneOrAll<Vec<String>>,
    layer: OneOrAll<Vec<&'a str>>,
}

/// Written as its one element where there is but one.
struct OneOrAll<T>(T);

impl<T: Serialize> Serialize for OneOrAll<Vec<T>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            all => all.serialize(serializer),
        }
    }
}

impl Serialize for Setting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let each = |value: fn(&Value) -> String| self.values.iter().map(value).collect();
        let shown = Shown {
            value: OneOrAll(self.values.iter().map(|value| secret::shown(&self.key, &value.text)).collect()),
            origin: OneOrAll(each(|value| format!("{}:{}", value.origin.file, value.origin.line))),
            layer: OneOrAll(self.values.iter().map(|value| &*value.origin.layer).collect()),
        };
        shown.serialize(serializer)
    }
}

/// Returns `effective.json`: for each key its value, where it stands, and the layer.
pub fn json(effective: &Effective) -> String {
    let mut text = String::from("{\n");
    for (index, setting) in effective.settings.iter().enumerate() {
        let comma = if index + 1 < effective.settings.len() { "," } else { "" };
        let key = serde_json::to_string(&*setting.key).expect("a text is JSON");
        let shown = serde_json::to_string(setting).expect("settings hold only texts");
        writeln!(text, "  {key}: {shown}{comma}").expect("strings take all");
    }
    text.push_str("}\n");
    text
}

/// Returns `effective.ini`: a line for each value, in the order of the keys.
///
/// There is nothing in it but keys and values, so that two targets' files differ in exactly the settings that do. The values
/// of a list have a line each, in their order.
pub fn ini(effective: &Effective) -> String {
    let mut text = String::new();
    for setting in &effective.settings {
        for value in &setting.values {
            let shown = secret::shown(&setting.key, &value.text);
            writeln!(text, "{}={}", one_line(&setting.key), one_line(&shown)).expect("strings take all");
        }
    }
    text
}

/// Returns rows of a matrix as CSV (RFC 4180): the key, how its values stand to each other, and the value of each target.
pub fn csv<'a>(matrix: &Matrix<'_>, rows: impl Iterator<Item = &'a Row<'a>>) -> String {
    let mut text = String::from("key,kind");
    for target in &matrix.targets {
        write!(text, ",{}", csv_field(&target.to_string())).expect("strings take all");
    }
    text.push_str("\r\n");
    for row in rows {
        write!(text, "{},{}", csv_field(row.key), row.contrast.code()).expect("strings take all");
        for cell in &row.cells {
            let shown = cell.map(Setting::shown).unwrap_or_default();
            write!(text, ",{}", csv_field(&shown)).expect("strings take all");
        }
        text.push_str("\r\n");
    }
    text
}

/// Returns a text as it stands in one line: in quotes, as JSON has them, where it would not stay one line or be taken for
/// another text.
fn one_line(text: &str) -> String {
    match text.chars().any(char::is_control) || text.starts_with('"') {
        true => serde_json::to_string(text).expect("a text is JSON"),
        false => text.to_owned(),
    }
}

fn csv_field(text: &str) -> String {
    // A leading sign makes a formula of it in spreadsheets: what is shown may come from anybody.
    let is_formula = text.starts_with(['=', '@', '+', '-']) && text.parse::<f64>().is_err();
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{Origin, Target};

    fn effective() -> Effective {
        let setting = |key: &str, texts: &[&str]| Setting {
            key: key.into(),
            values: texts
                .iter()
                .zip(1..)
                .map(|(&text, line)| Value {
                    text: text.into(),
                    origin: Origin { file: "a.ini".into(), line, layer: "project".into() },
                })
                .collect(),
        };
        Effective {
            target: Target::new("ps5").unwrap(),
            settings: vec![
                setting("a/b", &["1"]),
                setting("a/list", &["x", "y"]),
                setting("a/password", &["hunter2"]),
                setting("a/text", &["two\nlines"]),
            ],
            files: Vec::new(),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn ini_has_a_line_for_each_value_and_nothing_else() {
        assert_eq!(ini(&effective()), "a/b=1\na/list=x\na/list=y\na/password=********\na/text=\"two\\nlines\"\n");
    }

    #[test]
    fn json_tells_where_values_stand() {
        let value: serde_json::Value = serde_json::from_str(&json(&effective())).unwrap();
        assert_eq!(value["a/b"], serde_json::json!({"value": "1", "origin": "a.ini:1", "layer": "project"}));
        assert_eq!(value["a/list"]["origin"], serde_json::json!(["a.ini:1", "a.ini:2"]));
        assert_eq!(value["a/password"]["value"], "********");
    }

    #[test]
    fn csv_keeps_fields_apart() {
        assert_eq!(csv_field("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!([csv_field("=1+1"), csv_field("-1.5")], ["'=1+1", "-1.5"]);
    }
}
