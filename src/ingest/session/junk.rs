//! Names that say what a file is to the tool that made it: junk, which is left out at the commit, or a file in progress.

/// Returns whether an entry called `name` is left out; `mode` is given for regular files.
pub(super) fn is_junk(name: &[u8], mode: Option<u16>) -> bool {
    const NAMES: [&[u8]; 7] =
        [b".DS_Store", b".Spotlight-V100", b".fseventsd", b".Trashes", b"Thumbs.db", b"desktop.ini", b"$RECYCLE.BIN"];
    NAMES.iter().any(|junk| name.eq_ignore_ascii_case(junk))
        || name.starts_with(b"._")
        || name.starts_with(b".goutputstream-")
        || (name.ends_with(b"~") && name.len() > 1)
        || mode.is_some_and(|mode| is_rsync_temp(name, mode))
}

/// Returns the name that a file in progress gets when it is whole; `None` if `name` is not that of one.
///
/// The name is empty where the tool does not say it.
pub(super) fn finished_name(name: &[u8]) -> Option<&[u8]> {
    const SUFFIXES: [&[u8]; 4] = [b".part", b".partial~", b".crdownload", b".filepart"];
    let by_suffix = SUFFIXES.iter().find_map(|suffix| name.strip_suffix(*suffix)).filter(|stem| !stem.is_empty());
    let unnamed = || name.starts_with(b".goutputstream-").then_some(&b""[..]);
    by_suffix.or_else(|| rsync_name(name)).or_else(unnamed)
}

/// Tells whether a tool that renames a file from `old` to `new` says that it is whole.
pub(super) fn is_finishing(old: &[u8], new: &[u8]) -> bool {
    // With both names at hand any six letters will do.
    finished_name(old) == Some(new) || rsync_parts(old).is_some_and(|(target, _)| target == new)
}

/// Tells whether a file is what a killed rsync leaves: `.name.XXXXXX`, readable by its owner alone.
///
/// rsync gives the file its mode only when it is whole.
fn is_rsync_temp(name: &[u8], mode: u16) -> bool {
    mode == 0o600 && rsync_name(name).is_some()
}

/// Returns `name` of `.name.XXXXXX`, which rsync writes to before it renames.
///
/// Six letters alone make many an honest name (`.eslintrc.config`). What mkstemp(3) makes has a capital or a digit but for
/// one name in 190.
fn rsync_name(name: &[u8]) -> Option<&[u8]> {
    let (target, random) = rsync_parts(name)?;
    random.iter().any(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()).then_some(target)
}

/// Returns `name` and `XXXXXX` of `.name.XXXXXX`.
fn rsync_parts(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let (stem, suffix) = name.split_last_chunk::<7>()?;
    let (target, random) = (stem.strip_prefix(b".")?, suffix.strip_prefix(b".")?);
    (random.iter().all(u8::is_ascii_alphanumeric) && !target.is_empty()).then_some((target, random))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn junk_is_told_from_honest_names() {
        for name in [&b".DS_Store"[..], b"._icon.png", b"THUMBS.DB", b"level.xml~", b".goutputstream-X1Y2Z3"] {
            assert!(is_junk(name, Some(0o644)), "{}", name.escape_ascii());
        }
        assert!(is_junk(b".level.pak.Xa9Bq2", Some(0o600)));
        for (name, mode) in
            [(&b".level.pak.Xa9Bq2"[..], 0o644), (b".eslintrc.config", 0o600), (b"~", 0o644), (b"a.b", 0o600)]
        {
            assert!(!is_junk(name, Some(mode)), "{}", name.escape_ascii());
        }
        assert!(!is_junk(b".level.pak.Xa9Bq2", None), "a directory is no temporary file");
    }

    #[test]
    fn files_in_progress_name_what_they_become() {
        for (name, target) in [
            (&b".level.pak.Xa9Bq2"[..], Some(&b"level.pak"[..])),
            (b"level.pak.part", Some(b"level.pak")),
            (b"game.zip.crdownload", Some(b"game.zip")),
            (b"game.zip.filepart", Some(b"game.zip")),
            (b"a.partial~", Some(b"a")),
            (b".goutputstream-X1Y2Z3", Some(b"")),
            (b".eslintrc.config", None),
            (b".part", None),
            (b"level.pak", None),
        ] {
            assert_eq!(finished_name(name), target, "{}", name.escape_ascii());
        }
        assert!(is_finishing(b".level.pak.abcdef", b"level.pak"));
        assert!(is_finishing(b"level.pak.part", b"level.pak"));
        assert!(!is_finishing(b".level.pak.abcdef", b"other.pak"));
        assert!(!is_finishing(b"level.pak", b"other.pak"));
    }
}
