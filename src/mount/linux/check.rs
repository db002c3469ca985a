//! What mounting needs on Linux: the FUSE device, the helper for ordinary users, and its configuration.

use super::super::Check;
use super::mounts;
use std::fs::OpenOptions;

const DEVICE: &str = "/dev/fuse";
const CONFIG: &str = "/etc/fuse.conf";

pub(in crate::mount) fn check() -> Vec<Check> {
    vec![device(), helper(), allow_other()]
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn device() -> Check {
    let opened = OpenOptions::new().read(true).write(true).open(DEVICE);
    let (sentence, hint) = match &opened {
        Ok(_) => (format!("{DEVICE} can be opened."), None),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            (format!("{DEVICE} is missing."), Some("run `modprobe fuse`; in a container, pass `--device /dev/fuse`"))
        }
        Err(error) => (format!("{DEVICE} cannot be opened: {error}."), Some("check its permissions, usually 0666")),
    };
    Check { name: "fuse-device", ok: opened.is_ok(), sentence, hint: hint.map(String::from) }
}

fn helper() -> Check {
    let name = "fuse-helper";
    match mounts::helper() {
        Some(helper) => Check { name, ok: true, sentence: format!("{helper} is installed."), hint: None },
        None if is_root() => {
            let sentence = "fusermount3 is missing; root does not need it.".into();
            Check { name, ok: true, sentence, hint: None }
        }
        None => {
            let sentence = "fusermount3 is missing; without it only root can mount.".into();
            Check { name, ok: false, sentence, hint: Some("install the package fuse3".into()) }
        }
    }
}

fn allow_other() -> Check {
    let config = std::fs::read_to_string(CONFIG).unwrap_or_default();
    let allowed = config.lines().any(|line| line.trim() == "user_allow_other");
    let sentence = match (allowed, is_root()) {
        (true, _) => "Other users can be let into a mount (`--allow-other`).",
        (false, true) => "Root can let other users into a mount (`--allow-other`).",
        (false, false) => "Only root can let other users into a mount (`--allow-other`).",
    };
    let hint = (!allowed && !is_root()).then(|| format!("put the line user_allow_other into {CONFIG} if you need it"));
    Check { name: "fuse-allow-other", ok: true, sentence: sentence.into(), hint }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_check_has_a_sentence() {
        let checks = super::check();
        assert_eq!(checks.len(), 3);
        assert!(checks.iter().all(|check| check.sentence.ends_with('.')));
    }
}
