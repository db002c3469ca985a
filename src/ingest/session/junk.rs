//! What systems and tools leave in folders and nobody wants in a build: accepted while it is copied, left out at the commit.

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

/// Tells whether a file is what a killed rsync leaves: `.name.XXXXXX`, readable by its owner alone.
///
/// Six letters alone make many an honest name (`.eslintrc.config`). What mkstemp(3) makes has a capital or a digit but for
/// one name in 190, and rsync gives the file its mode only when it is whole.
fn is_rsync_temp(name: &[u8], mode: u16) -> bool {
    let Some((stem, suffix)) = name.split_last_chunk::<7>().filter(|(stem, _)| stem.len() > 1) else { return false };
    let random = &suffix[1..];
    mode == 0o600
        && stem[0] == b'.'
        && suffix[0] == b'.'
        && random.iter().all(u8::is_ascii_alphanumeric)
        && random.iter().any(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
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
}
