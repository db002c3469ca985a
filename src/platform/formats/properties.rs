//! Java's properties: keys, values, and the escapes in both (`java.util.Properties`).

use super::Flat;

/// Reads a properties file.
pub(super) fn parse(text: &str) -> Flat {
    let mut flat = Flat::default();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut whole = line.to_owned();
        // An odd number of backslashes at the end: the next line goes on.
        while whole.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 1 {
            whole.pop();
            let Some((_, next)) = lines.next() else { break };
            whole.push_str(next.trim_start());
        }
        let (key, value) = split(&whole);
        flat.add(unescaped(key), unescaped(value), index + 1);
    }
    flat
}

/// Cuts a line at the first sign between key and value that no backslash stands before.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '=' | ':' | ' ' | '\t' => {
                let rest = line[at..].trim_start();
                let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
                return (&line[..at], value.trim_start());
            }
            _ => {}
        }
    }
    (line, "")
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('r') => plain.push('\r'),
            Some('u') => {
                let code: String = chars.by_ref().take(4).collect();
                let c = u32::from_str_radix(&code, 16).ok().and_then(char::from_u32);
                plain.push(c.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(c) => plain.push(c),
            None => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::super::tests::shown;
    use crate::platform::formats::Format;

    #[test]
    fn keys_and_values_are_as_java_reads_them() {
        let text = "# c\n! c\na=1\nb : x\\ny\nc\\ d e=f\nlong = p,\\\n   q\nempty\nu=\\u00e9\n";
        let expected = ["a=1@3", "b=x\ny@4", "c d=e=f@5", "long=p,q@6", "empty=@8", "u=é@9"];
        assert_eq!(shown(Format::Properties, text), expected.map(str::to_owned));
        assert_eq!(shown(Format::Properties, "a=b\\"), ["a=b@1"]);
    }
}
