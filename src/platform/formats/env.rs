//! Lines for a shell's environment: `NAME=value`, perhaps with `export` before it and quotes around the value.

use super::Flat;

/// Reads a file of variables. Nothing in values is replaced.
pub(super) fn parse(text: &str) -> Flat {
    let mut flat = Flat::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        if line.starts_with('#') {
            continue;
        }
        if let Some((name, value)) = line.split_once('=') {
            flat.add(name.trim(), unquoted(value.trim()), index + 1);
        }
    }
    flat
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inside) = value.strip_prefix(quote) {
            return inside.split_once(quote).map_or(value, |(inside, _)| inside);
        }
    }
    // A comment needs a blank before it: `#` may be in a password.
    value.split_once(" #").map_or(value, |(value, _)| value.trim_end())
}

#[cfg(test)]
mod tests {
    use super::super::tests::shown;
    use crate::platform::formats::Format;

    #[test]
    fn variables_are_read_as_a_shell_would() {
        let text = "# c\nexport A=1\nB='x # y' # c\nC=a#b # c\nno\nD=\"open\n";
        let expected = ["A=1@2", "B=x # y@3", "C=a#b@4", "D=\"open@6"];
        assert_eq!(shown(Format::Env, text), expected.map(str::to_owned));
    }
}
