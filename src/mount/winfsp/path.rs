//! Paths as Windows sends them: `\folder\file`, or `\folder\file:stream`.

const SEPARATOR: u16 = b'\\' as u16;
const COLON: u16 = b':' as u16;

/// A path, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path<'a> {
    /// The names from the root on; none for the root itself.
    pub(super) names: Vec<&'a [u16]>,
    /// Whether it leads to a stream of the file, and not to the file.
    pub(super) is_stream: bool,
}

impl<'a> Path<'a> {
    /// Takes `path` apart.
    pub(super) fn new(path: &'a [u16]) -> Path<'a> {
        let (path, is_stream) = match path.iter().position(|&unit| unit == COLON) {
            Some(at) => (&path[..at], true),
            None => (path, false),
        };
        Path { names: path.split(|&unit| unit == SEPARATOR).filter(|name| !name.is_empty()).collect(), is_stream }
    }

    /// Returns the path of the folder, and the name in it; `None` for the root.
    pub(super) fn split_last(&self) -> Option<(&[&'a [u16]], &'a [u16])> {
        self.names.split_last().map(|(&last, above)| (above, last))
    }
}

/// Adds a name to a path.
pub(super) fn push(path: &mut Vec<u16>, name: &str) {
    path.push(SEPARATOR);
    path.extend(name.encode_utf16());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        let names = |path: &str| {
            let units: Vec<u16> = path.encode_utf16().collect();
            let path = Path::new(&units);
            (path.names.iter().map(|name| String::from_utf16(name).unwrap()).collect::<Vec<_>>(), path.is_stream)
        };
        assert_eq!(names("\\"), (vec![], false));
        assert_eq!(names("\\builds\\1\\a b.txt"), (vec!["builds".into(), "1".into(), "a b.txt".into()], false));
        assert_eq!(names("\\x\\y:Zone.Identifier:$DATA"), (vec!["x".into(), "y".into()], true));
    }
}
