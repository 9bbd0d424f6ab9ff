//! What tests of all messages share: filling structs with values, and showing them as Kafka's JSON does.

use std::borrow::Cow;

use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::{DecodeError, Encode, EncodeError, Encoder, RawTaggedField, Records};

/// A struct whose fields can be visited; generated.
pub(crate) trait Reflect {
    fn fields(&mut self, version: i16, visitor: &mut dyn Visitor);
}

/// Visits the fields of a struct.
pub(crate) trait Visitor {
    /// `is_default` is told of tagged fields only; it is false for all others.
    fn field(
        &mut self,
        name: &'static str,
        version: i16,
        present: bool,
        nullable: bool,
        is_default: bool,
        value: &mut dyn Value,
    );
    fn tags(&mut self, present: bool, fields: &mut Vec<RawTaggedField>);
}

/// A field's value.
pub(crate) trait Value {
    fn json(&mut self, version: i16) -> Json;
    fn randomize(&mut self, version: i16, nullable: bool, random: &mut Random);
    /// Kafka's JSON shows the size of records instead of the records.
    fn is_size(&self) -> bool {
        false
    }
}

/// A source of values that is the same in every run with the same seed (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn bytes(&mut self) -> Vec<u8> {
        let length = if self.below(50) == 0 { 300 } else { self.below(12) };
        (0..length).map(|_| self.next() as u8).collect()
    }

    fn text(&mut self) -> String {
        let length = if self.below(50) == 0 { 200 } else { self.below(10) };
        (0..length).map(|_| ['a', 'Z', '0', '-', '\0', 'é', '漢', '🦀'][self.below(8) as usize]).collect()
    }
}

struct JsonVisitor(Map<String, Json>);

impl Visitor for JsonVisitor {
    fn field(
        &mut self,
        name: &'static str,
        version: i16,
        present: bool,
        _nullable: bool,
        is_default: bool,
        value: &mut dyn Value,
    ) {
        if present && !is_default {
            let name = if value.is_size() { format!("{name}SizeInBytes") } else { name.to_owned() };
            self.0.insert(name, value.json(version));
        }
    }

    fn tags(&mut self, _present: bool, _fields: &mut Vec<RawTaggedField>) {}
}

struct RandomVisitor<'r>(&'r mut Random);

impl Visitor for RandomVisitor<'_> {
    fn field(
        &mut self,
        _name: &'static str,
        version: i16,
        present: bool,
        nullable: bool,
        _is_default: bool,
        value: &mut dyn Value,
    ) {
        if present {
            value.randomize(version, nullable, self.0);
        }
    }

    fn tags(&mut self, present: bool, fields: &mut Vec<RawTaggedField>) {
        if present && self.0.below(4) == 0 {
            let tags = [100 + self.0.below(100) as u32, 1000 + self.0.below(1 << 31) as u32];
            *fields = tags.into_iter().map(|tag| RawTaggedField { tag, data: self.0.bytes() }).collect();
        }
    }
}

impl<T: Reflect> Value for T {
    fn json(&mut self, version: i16) -> Json {
        let mut visitor = JsonVisitor(Map::new());
        self.fields(version, &mut visitor);
        Json::Object(visitor.0)
    }

    fn randomize(&mut self, version: i16, _nullable: bool, random: &mut Random) {
        self.fields(version, &mut RandomVisitor(random));
    }
}

macro_rules! number {
    ($($kind:ty),*) => { $(impl Value for $kind {
        fn json(&mut self, _version: i16) -> Json {
            json!(*self)
        }

        fn randomize(&mut self, _version: i16, _nullable: bool, random: &mut Random) {
            *self = match random.below(5) {
                0 => <$kind>::MIN,
                1 => <$kind>::MAX,
                _ => random.next() as $kind,
            };
        }
    })* };
}
number!(i8, i16, u16, i32, u32, i64, f64);

impl Value for bool {
    fn json(&mut self, _version: i16) -> Json {
        json!(*self)
    }

    fn randomize(&mut self, _version: i16, _nullable: bool, random: &mut Random) {
        *self = random.below(2) == 1;
    }
}

impl Value for Uuid {
    fn json(&mut self, _version: i16) -> Json {
        json!(base64(self.as_bytes(), true))
    }

    fn randomize(&mut self, _version: i16, _nullable: bool, random: &mut Random) {
        *self = Uuid::from_u64_pair(random.next(), random.next());
    }
}

impl Value for Cow<'_, str> {
    fn json(&mut self, _version: i16) -> Json {
        json!(self)
    }

    fn randomize(&mut self, _version: i16, _nullable: bool, random: &mut Random) {
        *self = Cow::Owned(random.text());
    }
}

impl Value for Cow<'_, [u8]> {
    fn json(&mut self, _version: i16) -> Json {
        json!(base64(self, false))
    }

    fn randomize(&mut self, _version: i16, _nullable: bool, random: &mut Random) {
        *self = Cow::Owned(random.bytes());
    }
}

impl Default for Records<'_> {
    fn default() -> Self {
        Self::Bytes(Cow::Borrowed(&[]))
    }
}

impl Value for Records<'_> {
    fn json(&mut self, _version: i16) -> Json {
        json!(self.len())
    }

    fn randomize(&mut self, _version: i16, _nullable: bool, random: &mut Random) {
        *self = Self::from(random.bytes());
    }

    fn is_size(&self) -> bool {
        true
    }
}

impl<T: Value + Default> Value for Option<T> {
    fn json(&mut self, version: i16) -> Json {
        self.as_mut().map_or(Json::Null, |value| value.json(version))
    }

    fn randomize(&mut self, version: i16, nullable: bool, random: &mut Random) {
        *self = (!nullable || random.below(4) > 0).then(|| {
            let mut value = T::default();
            value.randomize(version, false, random);
            value
        });
    }

    fn is_size(&self) -> bool {
        self.as_ref().is_some_and(Value::is_size)
    }
}

impl<T: Value + Default> Value for Vec<T> {
    fn json(&mut self, version: i16) -> Json {
        Json::Array(self.iter_mut().map(|value| value.json(version)).collect())
    }

    fn randomize(&mut self, version: i16, _nullable: bool, random: &mut Random) {
        let length = random.below(3);
        self.clear();
        for _ in 0..length {
            let mut value = T::default();
            value.randomize(version, false, random);
            self.push(value);
        }
    }
}

/// Bytes as Jackson writes them, or as Kafka writes UUIDs.
pub(crate) fn base64(bytes: &[u8], url: bool) -> String {
    let standard = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..=chunk.len() {
            out.push(char::from(standard[(group >> (18 - 6 * index) & 63) as usize]));
        }
    }
    if url { out.replace('+', "-").replace('/', "_") } else { out + &"="[..].repeat((3 - bytes.len() % 3) % 3) }
}

/// Bytes of a text that [`base64`] wrote.
pub(crate) fn from_base64(text: &str) -> Vec<u8> {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits: Vec<u32> =
        text.trim_end_matches('=').chars().map(|digit| alphabet.find(digit).expect("a base64 digit") as u32).collect();
    digits
        .chunks(4)
        .flat_map(|chunk| {
            let group = chunk.iter().fold(0, |group, digit| group << 6 | digit) << (6 * (4 - chunk.len()));
            group.to_be_bytes()[1..chunk.len()].to_vec()
        })
        .collect()
}

/// Writes one value into bytes of its own.
pub(crate) fn encode(value: &impl Encode, version: i16) -> Result<Vec<u8>, EncodeError> {
    let mut encoder = Encoder::new();
    value.encode(&mut encoder, version)?;
    encoder.into_bytes()
}

/// What a message's bytes say.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Its fields, as Kafka's JSON shows them.
    pub(crate) json: Json,
    /// The message written again.
    pub(crate) again: Result<Vec<u8>, EncodeError>,
    /// Bytes left over.
    pub(crate) remaining: usize,
}

/// One message, for tests that go through all.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) min: i16,
    pub(crate) max: i16,
    /// A message of random values: as it was written, and whether what is read from that is the same message.
    pub(crate) random: fn(i16, &mut Random) -> (Vec<u8>, bool),
    pub(crate) default: fn(i16) -> Result<Vec<u8>, EncodeError>,
    pub(crate) read: fn(&[u8], i16) -> Result<Reading, DecodeError>,
    /// Reads and drops it.
    pub(crate) decode: fn(&[u8], i16) -> Result<(), DecodeError>,
}

/// A [`Case`] of a type.
macro_rules! case {
    ($kind:ident) => {
        crate::testing::Case {
            name: <$kind as crate::Message>::NAME,
            min: <$kind as crate::Message>::MIN_VERSION,
            max: <$kind as crate::Message>::MAX_VERSION,
            random: |version, random| {
                let mut value = $kind::default();
                crate::testing::Value::randomize(&mut value, version, false, random);
                let bytes = crate::testing::encode(&value, version).expect("random values can be written");
                let back = <$kind as crate::Decode>::decode(&mut crate::Decoder::new(&bytes), version);
                let same = back.as_ref() == Ok(&value);
                (bytes, same)
            },
            default: |version| crate::testing::encode(&$kind::default(), version),
            decode: |bytes, version| {
                <$kind as crate::Decode>::decode(&mut crate::Decoder::new(bytes), version).map(|_| ())
            },
            read: |bytes, version| {
                let mut decoder = crate::Decoder::new(bytes);
                let mut value = <$kind as crate::Decode>::decode(&mut decoder, version)?;
                Ok(crate::testing::Reading {
                    json: crate::testing::Value::json(&mut value, version),
                    again: crate::testing::encode(&value, version),
                    remaining: decoder.remaining(),
                })
            },
        }
    };
}
pub(crate) use case;

/// Every message of the library.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = crate::messages::cases();
    cases.extend(crate::metadata::cases());
    cases.extend(crate::coordinator::cases());
    cases.extend(crate::data::cases());
    cases
}
