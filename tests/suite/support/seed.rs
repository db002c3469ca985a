//! Random numbers that a failing test can have again.

use rand::SeedableRng;
use rand::rngs::SmallRng;

/// Returns the seed of a random test, printed for the case that it fails: `GAMEVAULT_SEED`, or a new one.
pub fn seed() -> u64 {
    let given = std::env::var("GAMEVAULT_SEED").ok().map(|seed| seed.parse().expect("GAMEVAULT_SEED is a number"));
    let seed = given.unwrap_or_else(rand::random);
    println!("GAMEVAULT_SEED={seed}");
    seed
}

/// Returns random numbers that follow from `seed` alone.
pub fn random(seed: u64) -> SmallRng {
    SmallRng::seed_from_u64(seed)
}
