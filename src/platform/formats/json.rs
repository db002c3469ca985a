//! JSON, also as people write it: with comments, and commas too many.

use super::{Flat, Lines, join, too_many};
use jsonc_parser::ast::{ObjectPropName, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::parse_to_ast;

/// Reads a JSON file. The parser itself refuses what is too deep.
pub(super) fn parse(text: &str) -> Flat {
    let mut flat = Flat::default();
    match parse_to_ast(text, &Default::default(), &Default::default()) {
        Ok(parsed) => {
            if let Some(value) = &parsed.value {
                add(&mut flat, &mut Lines::new(text), "", value);
            }
        }
        Err(error) => flat.warn_once(format!("is no JSON: {error}")),
    }
    flat
}

fn add(flat: &mut Flat, lines: &mut Lines<'_>, key: &str, value: &Value<'_>) {
    if flat.is_full() {
        return flat.warn_once(too_many());
    }
    let line = lines.at(value.start());
    match value {
        Value::Object(object) if !object.properties.is_empty() => {
            for property in &object.properties {
                let name = match &property.name {
                    ObjectPropName::String(name) => name.value.as_ref(),
                    ObjectPropName::Word(name) => name.value,
                };
                add(flat, lines, &join(key, name), &property.value);
            }
        }
        Value::Array(array) if array.elements.iter().any(is_nested) => {
            for (index, element) in array.elements.iter().enumerate() {
                add(flat, lines, &format!("{key}[{index}]"), element);
            }
        }
        Value::Array(array) if !array.elements.is_empty() => {
            for element in &array.elements {
                add(flat, lines, &format!("{key}[]"), element);
            }
        }
        Value::Object(_) => flat.add(key, "{}", line),
        Value::Array(_) => flat.add(key, "[]", line),
        Value::StringLit(text) => flat.add(key, text.value.as_ref(), line),
        Value::NumberLit(number) => flat.add(key, number.value, line),
        Value::BooleanLit(boolean) => flat.add(key, if boolean.value { "true" } else { "false" }, line),
        Value::NullKeyword(_) => flat.add(key, "null", line),
    }
}

fn is_nested(value: &Value<'_>) -> bool {
    matches!(value, Value::Object(_) | Value::Array(_))
}

#[cfg(test)]
mod tests {
    use super::super::tests::shown;
    use crate::platform::formats::Format;

    #[test]
    fn values_have_the_path_to_them_as_key() {
        let text = "{\n// c\n\"a\": {\"b\": 1.50, \"c\": [1, \"x\"]},\n\"d\": [\n{\"e\": true},\n null], \"f\": {},\n}";
        let expected =
            ["a/b=1.50@3", "a/c[]=1@3", "a/c[]=x@3", "d[0]/e=true@5", "d[1]=null@6", "f={}@6"].map(str::to_owned);
        assert_eq!(shown(Format::Json, text), expected);
    }

    #[test]
    fn what_is_too_deep_is_refused() {
        assert_eq!(shown(Format::Json, &"[".repeat(1_000_000)), [""; 0]);
        assert_eq!(shown(Format::Json, &"{\"a\":".repeat(1_000_000)), [""; 0]);
    }
}
