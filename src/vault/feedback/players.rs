//! Pseudonyms of players: the same for the same player in one vault, and nobody's outside of it.

use crate::error::{Error, Result};
use crate::vault::Vault;
use data_encoding::HEXLOWER;
use std::path::Path;

/// The secret of the vault from which pseudonyms are made. It is in no pack and in no build: an address is easy to guess, and
/// who has the secret could try them all.
const KEY: &str = "feedback.key";

const KEY_LEN: usize = 32;

/// How pseudonyms begin.
const PREFIX: &str = "p-";

/// The digits of a pseudonym: among a million players two have one with a chance of 1 to 500.
const DIGITS: usize = 12;

/// Makes pseudonyms.
pub(super) struct Players {
    key: [u8; KEY_LEN],
    keep_names: bool,
}

impl Players {
    /// Reads the vault's secret, which is made when it is missing.
    pub(super) fn new(vault: &Vault, keep_names: bool) -> Result<Players> {
        let path = Path::new(KEY);
        let key = match vault.disk.open(path) {
            Ok(file) => {
                let mut key = [0; KEY_LEN];
                file.read_exact_at(&mut key, 0)?;
                key
            }
            Err(error) if error.kind() == crate::error::ErrorKind::NotFound => {
                let mut key = [0; KEY_LEN];
                getrandom::fill(&mut key)
                    .map_err(|error| Error::invalid(format!("the system gives no random numbers: {error}")))?;
                vault.disk.replace(path, &key)?;
                key
            }
            Err(error) => return Err(error),
        };
        Ok(Players { key, keep_names })
    }

    /// Makes a pseudonym of `player`, unless names are kept or it is one already.
    pub(super) fn rename(&self, player: &mut String) {
        if !self.keep_names && !is_pseudonym(player) {
            *player = self.pseudonym(player);
        }
    }

    /// Returns the pseudonym of a player; blanks around the name and upper case make no other one.
    pub(super) fn pseudonym(&self, player: &str) -> String {
        let folded = player.trim().to_lowercase();
        let hash = blake3::keyed_hash(&self.key, folded.as_bytes());
        format!("{PREFIX}{}", &HEXLOWER.encode(hash.as_bytes())[..DIGITS])
    }
}

fn is_pseudonym(player: &str) -> bool {
    player
        .strip_prefix(PREFIX)
        .is_some_and(|digits| digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
