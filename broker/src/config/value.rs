//! Values of properties: read and printed as Java's `ConfigDef` does.

use std::fmt;

use super::error::ConfigError;

/// The type of a property (`ConfigDef.Type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`, in any case.
    Boolean,
    /// Text without surrounding blanks.
    String,
    /// 32 bits.
    Int,
    /// 16 bits.
    Short,
    /// 64 bits.
    Long,
    /// A Java double.
    Double,
    /// Text separated by commas.
    List,
    /// The name of a Java class.
    Class,
    /// Text that is never shown.
    Password,
}

impl Kind {
    /// The code that `DescribeConfigs` carries for the type (`DescribeConfigsResponse.ConfigType`).
    #[must_use]
    pub fn code(self) -> i8 {
        match self {
            Kind::Boolean => 1,
            Kind::String => 2,
            Kind::Int => 3,
            Kind::Short => 4,
            Kind::Long => 5,
            Kind::Double => 6,
            Kind::List => 7,
            Kind::Class => 8,
            Kind::Password => 9,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Kind::Boolean => "BOOLEAN",
            Kind::String => "STRING",
            Kind::Int => "INT",
            Kind::Short => "SHORT",
            Kind::Long => "LONG",
            Kind::Double => "DOUBLE",
            Kind::List => "LIST",
            Kind::Class => "CLASS",
            Kind::Password => "PASSWORD",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        use Kind::{Boolean, Class, Double, Int, List, Long, Password, Short, String};
        [Boolean, String, Int, Short, Long, Double, List, Class, Password].into_iter().find(|kind| kind.label() == name)
    }

    /// Reads `text` as `ConfigDef.parseType` would.
    pub(super) fn parse(self, name: &str, text: &str) -> Result<Value, ConfigError> {
        let trimmed = text.trim();
        let number = || ConfigError::invalid_value(name, text, format_args!("Not a number of type {}", self.label()));
        Ok(match self {
            Kind::Boolean if trimmed.eq_ignore_ascii_case("true") => Value::Boolean(true),
            Kind::Boolean if trimmed.eq_ignore_ascii_case("false") => Value::Boolean(false),
            Kind::Boolean => {
                return Err(ConfigError::invalid_value(name, text, "Expected value to be either true or false"));
            }
            Kind::Int => Value::Int(trimmed.parse().map_err(|_| number())?),
            Kind::Short => Value::Short(trimmed.parse().map_err(|_| number())?),
            Kind::Long => Value::Long(trimmed.parse().map_err(|_| number())?),
            Kind::Double => Value::Double(parse_double(trimmed).ok_or_else(number)?),
            Kind::List => Value::List(split_list(trimmed)),
            Kind::String | Kind::Class => Value::String(trimmed.to_owned()),
            Kind::Password => Value::Password(trimmed.to_owned()),
        })
    }
}

/// The value of a property.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// A boolean.
    Boolean(bool),
    /// 32 bits.
    Int(i32),
    /// 16 bits.
    Short(i16),
    /// 64 bits.
    Long(i64),
    /// A double.
    Double(f64),
    /// Text, or the name of a Java class.
    String(String),
    /// A list of texts, without repetitions.
    List(Vec<String>),
    /// A secret.
    Password(String),
}

impl Value {
    /// The number in it as Java's `Number.doubleValue`, which is what Kafka's ranges compare.
    pub(super) fn as_double(&self) -> Option<f64> {
        match self {
            Value::Int(number) => Some(f64::from(*number)),
            Value::Short(number) => Some(f64::from(*number)),
            #[expect(clippy::cast_precision_loss, reason = "Java's longValue to doubleValue rounds the same way")]
            Value::Long(number) => Some(*number as f64),
            Value::Double(number) => Some(*number),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    /// `ConfigDef.convertToString`: what `DescribeConfigs` shows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Boolean(value) => write!(f, "{value}"),
            Value::Int(value) => write!(f, "{value}"),
            Value::Short(value) => write!(f, "{value}"),
            Value::Long(value) => write!(f, "{value}"),
            Value::Double(value) => f.write_str(&print_double(*value)),
            Value::String(value) => f.write_str(value),
            Value::List(values) => f.write_str(&values.join(",")),
            Value::Password(_) => f.write_str("[hidden]"),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Splits at commas, blanks around them dropped. Repetitions are kept for the rule to see; nothing is an empty list.
pub(super) fn split_list(trimmed: &str) -> Vec<String> {
    if trimmed.is_empty() {
        return Vec::new();
    }
    trimmed.split(',').map(|item| item.trim().to_owned()).collect()
}

/// `Double.parseDouble`: decimal or hexadecimal, with an optional `f` or `d` behind it, `NaN` and `Infinity`.
fn parse_double(text: &str) -> Option<f64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    match digits {
        "NaN" => return Some(f64::NAN),
        "Infinity" => return Some(sign * f64::INFINITY),
        _ => {}
    }
    let digits = digits.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(digits);
    if let Some(hexadecimal) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return parse_hexadecimal(hexadecimal).map(|value| sign * value);
    }
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !plain || digits.starts_with(['+', '-']) {
        return None;
    }
    digits.parse::<f64>().ok().map(|value| sign * value)
}

fn parse_hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0;
    for digit in whole.chars() {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let mut scale = 1.0 / 16.0;
    for digit in fraction.chars() {
        value += f64::from(digit.to_digit(16)?) * scale;
        scale /= 16.0;
    }
    Some(value * 2f64.powi(exponent))
}

/// `Double.toString`.
fn print_double(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        return format!("{value:?}");
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let point = if mantissa.contains('.') { "" } else { ".0" };
    format!("{mantissa}{point}E{exponent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_read_as_java_reads_them() {
        for (text, value) in [("1.5", 1.5), (".5f", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("0x1p-2", 0.25), ("-2D", -2.0)]
        {
            assert_eq!(parse_double(text), Some(value), "{text}");
        }
        assert!(parse_double("NaN").is_some_and(f64::is_nan));
        for text in ["", "abc", "inf", "nan", "infinity", "1_000", "0x10", "--1", "1f2"] {
            assert_eq!(parse_double(text), None, "{text}");
        }
    }

    #[test]
    fn doubles_are_printed_as_java_prints_them() {
        for (value, text) in [
            (0.5, "0.5"),
            (0.0, "0.0"),
            (1.0, "1.0"),
            (1e7, "1.0E7"),
            (f64::from(i32::MAX), "2.147483647E9"),
            (f64::MAX, "1.7976931348623157E308"),
            (0.0001, "1.0E-4"),
            (9_999_999.5, "9999999.5"),
        ] {
            assert_eq!(print_double(value), text);
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        let value = Kind::Password.parse("sasl.jaas.config", "hunter2").expect("any text");
        assert!(!format!("{value} {value:?}").contains("hunter2"));
    }

    #[test]
    fn integers_take_blanks_and_a_plus_and_nothing_else() {
        assert_eq!(Kind::Long.parse("x", " +5 "), Ok(Value::Long(5)));
        for text in ["", "0x10", "1_0", "5L", "99999999999999999999"] {
            assert_eq!(
                Kind::Long.parse("retention.ms", text).map_err(|error| error.to_string()),
                Err(format!("Invalid value {text} for configuration retention.ms: Not a number of type LONG"))
            );
        }
    }
}
