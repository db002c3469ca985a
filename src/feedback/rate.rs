//! Rates of few cases, and how sure they are.

use serde::Serialize;

/// The number of standard deviations of an interval that holds the true rate 19 times in 20.
const Z: f64 = 1.959_963_984_540_054;

/// How often something happened among so many times.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Rate {
    /// How often it happened.
    pub hits: u64,
    /// Among how many.
    pub total: u64,
    /// The rate; 0 among none.
    pub rate: f64,
    /// The true rate is not below this, 39 times in 40.
    pub low: f64,
    /// The true rate is not above this, 39 times in 40.
    pub high: f64,
}

impl Rate {
    /// Makes the rate of `hits` among `total`, with the interval of Wilson (1927), which holds for three as for a thousand.
    ///
    /// More hits than times, as when a session crashed twice, count as one each time.
    pub fn new(hits: u64, total: u64) -> Rate {
        if total == 0 {
            return Rate { hits, total, rate: 0.0, low: 0.0, high: 1.0 };
        }
        let n = total as f64;
        let p = (hits.min(total)) as f64 / n;
        let middle = p + Z * Z / (2.0 * n);
        let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + Z * Z / n;
        let (low, high) = (((middle - spread) / scale).max(0.0), ((middle + spread) / scale).min(1.0));
        Rate { hits, total, rate: hits as f64 / n, low, high }
    }

    /// Returns how probable it is that something of this rate does not show in `times` by chance.
    pub fn none_by_chance(&self, times: u64) -> f64 {
        (1.0 - self.rate.min(1.0)).powf(times as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::Rate;

    #[test]
    fn intervals_are_those_of_wilson() {
        // Brown, Cai and DasGupta, Interval estimation for a binomial proportion (2001), gives the formula.
        let near = |a: f64, b: f64| (a - b).abs() < 0.0005;
        let rate = Rate::new(1, 3);
        assert!(near(rate.low, 0.0615) && near(rate.high, 0.7923), "{rate:?}");
        let rate = Rate::new(0, 10);
        assert!(rate.low == 0.0 && near(rate.high, 0.2775), "{rate:?}");
        let rate = Rate::new(50, 100);
        assert!(near(rate.low, 0.4038) && near(rate.high, 0.5962), "{rate:?}");
        assert_eq!((Rate::new(0, 0).low, Rate::new(0, 0).high), (0.0, 1.0));
        assert!(Rate::new(5, 3).high <= 1.0 && Rate::new(5, 3).rate > 1.0);
        assert!(near(Rate::new(1, 4).none_by_chance(10), 0.0563));
    }
}
