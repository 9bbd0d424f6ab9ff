//! Numbers as people write them: `1,046`, `1.046`, `312,8`, `1 1/2`, `½`, `2-3`.

/// A number found in a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number {
    /// The value.
    pub value: f64,
    /// Byte range of its digits in the text.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// The first number of a text.
pub fn first_number(text: &str) -> Option<Number> {
    numbers(text).next()
}

/// Every number of a text, in order.
pub fn numbers(text: &str) -> impl Iterator<Item = Number> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let number = next_number(text, at)?;
        at = number.end;
        Some(number)
    })
}

fn next_number(text: &str, from: usize) -> Option<Number> {
    let rest = &text[from..];
    let (offset, first) = rest.char_indices().find(|(_, c)| c.is_ascii_digit() || fraction(*c).is_some())?;
    let start = from + offset;
    if let Some(value) = fraction(first) {
        return Some(Number { value, start, end: start + first.len_utf8() });
    }
    let (value, mut end) = decimal(text, start);
    if let Some((part, stop)) = trailing_fraction(text, start, end, value) {
        end = stop;
        return Some(Number { value: part, start, end });
    }
    Some(Number { value, start, end })
}

/// `1 1/2`, `1½`, `1 ½` and `1/2`, given the whole number at `start..end`.
fn trailing_fraction(text: &str, start: usize, end: usize, whole: f64) -> Option<(f64, usize)> {
    let rest = &text[end..];
    let skipped = rest.len() - rest.trim_start_matches([' ', '\u{a0}']).len();
    if let Some(c) = rest[skipped..].chars().next()
        && let Some(part) = fraction(c)
    {
        return Some((whole + part, end + skipped + c.len_utf8()));
    }
    let digits = |s: &str| s.bytes().take_while(u8::is_ascii_digit).count();
    if !text[start..end].bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // "1/2"
    if let Some(after) = rest.strip_prefix(['/', '⁄']) {
        let used = digits(after);
        let below: f64 = after[..used].parse().ok().filter(|&n| n > 0.0 && n <= 100.0)?;
        return Some((whole / below, text.len() - after.len() + used));
    }
    // "1 1/2"
    let above = digits(&rest[skipped..]);
    if skipped == 0 || above == 0 {
        return None;
    }
    let after = rest[skipped + above..].strip_prefix(['/', '⁄'])?;
    let used = digits(after);
    let over: f64 = rest[skipped..skipped + above].parse().ok()?;
    let below: f64 = after[..used].parse().ok().filter(|&n| n > over)?;
    Some((whole + over / below, text.len() - after.len() + used))
}

/// Reads digits with separators from `start`; returns the value and where they end.
///
/// A separator before exactly three digits groups thousands, except a dot that would make a kitchen's number ten or
/// more read a thousand times too large: `1.046` is 1046, `312.845` is 312.845.
fn decimal(text: &str, start: usize) -> (f64, usize) {
    let bytes = text.as_bytes();
    let mut end = start;
    let mut groups: Vec<(char, usize, usize)> = Vec::new();
    let run = |from: usize| from + bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut stop = run(start);
    let first = start..stop;
    end = end.max(stop);
    while let Some(separator) = text[stop..].chars().next() {
        let from = stop + separator.len_utf8();
        let to = if matches!(separator, ',' | '.' | '\'' | '’' | ' ' | '\u{a0}' | '\u{202f}') && from <= bytes.len() {
            run(from)
        } else {
            from
        };
        // A space or apostrophe only groups: three digits behind at most three.
        let groups_only = !matches!(separator, ',' | '.');
        let three = to - from == 3;
        if to == from || (groups_only && !(three && first.len() <= 3)) || groups.len() > 4 {
            break;
        }
        groups.push((separator, from, to));
        stop = to;
        end = to;
    }
    let mut digits = text[first.clone()].to_owned();
    let last = groups.len().wrapping_sub(1);
    let mixed = groups.iter().any(|g| g.0 != groups[0].0);
    for (n, &(separator, from, to)) in groups.iter().enumerate() {
        let three = to - from == 3;
        let leading_zero = text[first.clone()].starts_with('0');
        let thousands = match separator {
            _ if n != last => true,
            ',' => three && !leading_zero && !mixed,
            '.' if groups.len() > 1 && !mixed => three,
            '.' => three && !leading_zero && !mixed && first.len() == 1,
            _ => true,
        };
        if !thousands {
            digits.push('.');
        }
        digits.push_str(&text[from..to]);
    }
    (digits.parse().unwrap_or(0.0), end)
}

fn fraction(c: char) -> Option<f64> {
    Some(match c {
        '½' => 0.5,
        '⅓' => 1.0 / 3.0,
        '⅔' => 2.0 / 3.0,
        '¼' => 0.25,
        '¾' => 0.75,
        '⅕' => 0.2,
        '⅖' => 0.4,
        '⅗' => 0.6,
        '⅘' => 0.8,
        '⅙' => 1.0 / 6.0,
        '⅚' => 5.0 / 6.0,
        '⅛' => 0.125,
        '⅜' => 0.375,
        '⅝' => 0.625,
        '⅞' => 0.875,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_told_apart() {
        for (text, value) in [
            ("1,450 cals", 1450.0),
            ("1.046 kcal", 1046.0),
            ("312,8 kcal", 312.8),
            ("312.845", 312.845),
            ("3720.532", 3720.532),
            ("1 046 kcal", 1046.0),
            ("1.066,7", 1066.7),
            ("1,066.7", 1066.7),
            ("0,123", 0.123),
            ("250-300", 250.0),
            ("1 1/2 cups", 1.5),
            ("1½", 1.5),
            ("3/4 cup", 0.75),
            ("¾", 0.75),
            ("12.", 12.0),
            ("1.000.000", 1_000_000.0),
        ] {
            let got = first_number(text).unwrap().value;
            assert!((got - value).abs() < 1e-9, "{text}: {got}");
        }
        assert_eq!(first_number("salt"), None);
    }

    #[test]
    fn several_numbers_come_in_order() {
        let values: Vec<_> = numbers("4 to 6, 10").map(|n| n.value).collect();
        assert_eq!(values, [4.0, 6.0, 10.0]);
    }
}
