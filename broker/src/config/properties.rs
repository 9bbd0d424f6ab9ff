//! Java's properties format, as `java.util.Properties.load` reads it.
//!
//! One `name=value`, `name: value` or `name value` a line; `#` and `!` start comments; a backslash at the end of a
//! line continues it on the next, whose leading blanks are dropped; `\t`, `\n`, `\r`, `\f`, `\uXXXX` are escapes, and
//! a backslash before anything else stands for that. Kafka reads the file as Latin-1; here it is UTF-8, so that names
//! in other scripts survive.

/// One property of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// Its value, trailing blanks kept as Java keeps them.
    pub value: String,
    /// The line it starts on, from 1.
    pub line: usize,
}

/// All properties of `text`, in order, repetitions included: the last one counts.
///
/// # Errors
/// The line of a `\u` without four hexadecimal digits behind it.
pub fn parse(text: &str) -> Result<Vec<Property>, BadEscape> {
    let mut properties = Vec::new();
    let mut lines = natural_lines(text).enumerate();
    while let Some((index, first)) = lines.next() {
        let first = first.trim_start_matches(is_blank);
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = first.to_owned();
        while ends_in_open_backslash(&logical) {
            logical.pop();
            let Some((_, next)) = lines.next() else { break };
            logical.push_str(next.trim_start_matches(is_blank));
        }
        let line = index + 1;
        let (name, value) = split(&logical);
        let read = |text| unescape(text).ok_or(BadEscape { line });
        properties.push(Property { name: read(name)?, value: read(value)?, line });
    }
    Ok(properties)
}

/// A `\u` escape that is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: \\u needs four hexadecimal digits behind it; write \\\\u for a backslash and a u")]
pub struct BadEscape {
    /// The line, from 1.
    pub line: usize,
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\x0c')
}

/// Lines ended by `\n`, `\r` or `\r\n`.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n').flat_map(|line| {
        let line = line.strip_suffix('\n').unwrap_or(line);
        let line = line.strip_suffix('\r').unwrap_or(line);
        line.split('\r')
    })
}

fn ends_in_open_backslash(text: &str) -> bool {
    text.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Cuts at the first `=`, `:` or blank that no backslash precedes; blanks around one `=` or `:` belong to neither.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    for (index, character) in line.char_indices() {
        if escaped {
            escaped = false;
        } else if character == '\\' {
            escaped = true;
        } else if is_blank(character) || matches!(character, '=' | ':') {
            let rest = line[index..].trim_start_matches(is_blank);
            let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
            return (&line[..index], rest.trim_start_matches(is_blank));
        }
    }
    (line, "")
}

fn unescape(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return Some(text.to_owned());
    }
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut characters = text.chars();
    let mut buffer = [0; 2];
    while let Some(character) = characters.next() {
        if character != '\\' {
            units.extend_from_slice(character.encode_utf16(&mut buffer));
            continue;
        }
        match characters.next() {
            Some('t') => units.push(0x09),
            Some('n') => units.push(0x0a),
            Some('r') => units.push(0x0d),
            Some('f') => units.push(0x0c),
            Some('u') => {
                let digits: String = characters.by_ref().take(4).collect();
                if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return None;
                }
                units.push(u16::from_str_radix(&digits, 16).ok()?);
            }
            Some(other) => units.extend_from_slice(other.encode_utf16(&mut buffer)),
            None => {}
        }
    }
    Some(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).expect("good escapes").into_iter().map(|property| (property.name, property.value)).collect()
    }

    fn one(text: &str) -> (String, String) {
        pairs(text).pop().expect("one property")
    }

    #[test]
    fn the_forms_of_the_java_documentation() {
        for text in
            ["Truth = Beauty", " Truth:Beauty", "Truth                    :Beauty", "Truth Beauty", "Truth\tBeauty"]
        {
            assert_eq!(one(text), ("Truth".to_owned(), "Beauty".to_owned()), "{text}");
        }
        let fruits = "fruits                           apple, banana, pear, \\\n                                  cantaloupe, watermelon, \\\n                                  kiwi, mango";
        assert_eq!(one(fruits).1, "apple, banana, pear, cantaloupe, watermelon, kiwi, mango");
        assert_eq!(one("cheeses"), ("cheeses".to_owned(), String::new()));
    }

    #[test]
    fn comments_blank_lines_and_line_ends() {
        assert_eq!(pairs("# a=b\n! c=d\r\n\r\n  \na=1\rb=2\r\nc=3").len(), 3);
        assert_eq!(one("a=b#c"), ("a".to_owned(), "b#c".to_owned()));
    }

    #[test]
    fn escapes() {
        assert_eq!(one(r"a\=b\:c\ d=\u0041\t\q\\"), ("a=b:c d".to_owned(), "A\tq\\".to_owned()));
        assert_eq!(one("emoji=\\uD83D\\uDE00").1, "\u{1F600}");
        assert_eq!(parse("a=1\nb=\\u00g1"), Err(BadEscape { line: 2 }));
    }

    #[test]
    fn a_second_separator_belongs_to_the_value_and_a_backslash_pair_does_not_continue() {
        assert_eq!(one("a = = b").1, "= b");
        assert_eq!(pairs("a=x\\\\\nb=y").len(), 2);
        assert_eq!(one("log.dirs=/data  ").1, "/data  ");
    }

    proptest! {
        #[test]
        fn what_is_escaped_comes_back(name in "[ -~]{1,20}", value in "\\PC{0,40}") {
            let escape = |text: &str| text.chars().flat_map(|character| ['\\', character]).collect::<String>();
            // t, n, r, f and u mean something behind a backslash: write those bare.
            let plain = |text: &str| ["t", "n", "r", "f", "u"].iter().fold(escape(text), |text, letter| text.replace(&format!("\\{letter}"), letter));
            let line = format!("{}={}", plain(&name), plain(&value));
            prop_assert_eq!(one(&line), (name, value));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[\\\\u0-9a=: \\n\\r#!\\PC]{0,60}") {
            let _ = parse(&text);
        }
    }
}
