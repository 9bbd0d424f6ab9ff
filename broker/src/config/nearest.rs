//! Finds the name somebody probably meant.

/// The candidate nearest to `name`, if any is near enough to be a slip of the pen.
pub(super) fn to<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.len() / 4).clamp(2, 8);
    candidates
        .map(|candidate| (distance(name, candidate, limit), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, where swapping neighbours costs one; anything above `limit` is `limit + 1`.
fn distance(one: &str, other: &str, limit: usize) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if one.len().abs_diff(other.len()) > limit {
        return limit + 1;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let mut cost = (row[j] + usize::from(a != b)).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && one[i - 1] == *b && other[j - 1] == *a {
                cost = cost.min(before[j - 1] + 1);
            }
            next.push(cost);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let known = ["num.partitions", "num.io.threads", "log.dirs", "log.dir"];
        assert_eq!(to("num.partitons", known.into_iter()), Some("num.partitions"));
        assert_eq!(to("nmu.partitions", known.into_iter()), Some("num.partitions"));
        assert_eq!(to("log.dris", known.into_iter()), Some("log.dirs"));
        assert_eq!(to("no.such.setting.at.all", known.into_iter()), None);
    }

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting", 9), 3);
        assert_eq!(distance("", "abc", 9), 3);
        assert_eq!(distance("ab", "ba", 9), 1);
    }
}
