//! Runs of builds as people read them: `3..17, 20`.

use gamevault::vault::BuildRange;

/// How many runs are told; of more, the first ones and the last.
const MAX_SHOWN: usize = 4;

/// Returns `3..17`, or `20` for a single build.
pub fn one(range: BuildRange) -> String {
    match range.first == range.last {
        true => range.first.0.to_string(),
        false => format!("{}..{}", range.first.0, range.last.0),
    }
}

/// Returns `3..17, 20`; of many runs the first ones and the last: `1, 3, 5, …, 99`.
pub fn joined(ranges: &[BuildRange]) -> String {
    let mut words: Vec<String> = ranges.iter().copied().map(one).collect();
    if words.len() > MAX_SHOWN {
        words.splice(MAX_SHOWN - 1..words.len() - 1, ["…".to_owned()]);
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use gamevault::id::BuildNumber;

    #[test]
    fn many_runs_are_cut_in_the_middle() {
        let run = |first, last| BuildRange { first: BuildNumber(first), last: BuildNumber(last) };
        assert_eq!(joined(&[run(3, 17), run(20, 20)]), "3..17, 20");
        let odd: Vec<BuildRange> = (0..50).map(|n| run(2 * n + 1, 2 * n + 1)).collect();
        assert_eq!(joined(&odd[..4]), "1, 3, 5, 7");
        assert_eq!(joined(&odd), "1, 3, 5, …, 99");
    }
}
