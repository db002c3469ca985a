//! TOML, by the parser that reads the vault's own config.

use super::{Flat, Lines, join, too_many};
use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

/// Reads a TOML file. The parser itself refuses what is too deep.
pub(super) fn parse(text: &str) -> Flat {
    let mut flat = Flat::default();
    match DeTable::parse(text) {
        Ok(table) => add_table(&mut flat, &mut Lines::new(text), "", table.get_ref()),
        Err(error) => flat.warn_once(format!("is no TOML: {}", error.message())),
    }
    flat
}

fn add_table(flat: &mut Flat, lines: &mut Lines<'_>, key: &str, table: &DeTable<'_>) {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    for (name, value) in entries {
        add(flat, lines, &join(key, name.get_ref()), value);
    }
}

fn add(flat: &mut Flat, lines: &mut Lines<'_>, key: &str, value: &Spanned<DeValue<'_>>) {
    if flat.is_full() {
        return flat.warn_once(too_many());
    }
    let line = lines.at(value.span().start);
    let is_nested = |value: &Spanned<DeValue<'_>>| matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_));
    match value.get_ref() {
        DeValue::Table(table) if !table.is_empty() => add_table(flat, lines, key, table),
        DeValue::Table(_) => flat.add(key, "{}", line),
        DeValue::Array(array) if array.is_empty() => flat.add(key, "[]", line),
        DeValue::Array(array) if array.iter().any(is_nested) => {
            for (index, element) in array.iter().enumerate() {
                add(flat, lines, &format!("{key}[{index}]"), element);
            }
        }
        DeValue::Array(array) => array.iter().for_each(|element| add(flat, lines, &format!("{key}[]"), element)),
        DeValue::String(text) => flat.add(key, text.as_ref(), line),
        DeValue::Integer(number) => flat.add(key, number.to_string(), line),
        DeValue::Float(number) => flat.add(key, number.to_string(), line),
        DeValue::Boolean(boolean) => flat.add(key, boolean.to_string(), line),
        DeValue::Datetime(time) => flat.add(key, time.to_string(), line),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::shown;
    use crate::platform::formats::Format;

    #[test]
    fn values_have_the_path_to_them_as_key() {
        let text = "z = 1\n[a.b]\nc = [\"x\", 2.5]\nd = {e = true}\n[[f]]\ng = 1979-05-27\n[[f]]\n";
        let expected = ["z=1@1", "a/b/c[]=x@3", "a/b/c[]=2.5@3", "a/b/d/e=true@4", "f[0]/g=1979-05-27@6", "f[1]={}@7"];
        assert_eq!(shown(Format::Toml, text), expected.map(str::to_owned));
    }

    #[test]
    fn what_is_too_deep_is_refused() {
        assert!(shown(Format::Toml, &format!("a = {}", "[".repeat(1_000_000))).is_empty());
        assert!(shown(Format::Toml, &format!("a{} = 1", ".b".repeat(100_000))).is_empty());
    }
}
