//! What tests of all messages share: filling structs with values, and showing them as Kafka's JSON does.

use serde_json::{Value as Json, json};

use crate::json::{Reflect, Value, Visitor, from_base64};
use crate::{DecodeError, Encode, EncodeError, Encoder, RawTaggedField};

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

    pub(crate) fn text(&mut self) -> String {
        let length = if self.below(50) == 0 { 200 } else { self.below(10) };
        (0..length).map(|_| ['a', 'Z', '0', '-', '\0', 'é', '漢', '🦀'][self.below(8) as usize]).collect()
    }
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

/// Gives a struct that is read in `version` random values.
pub(crate) fn randomize(value: &mut impl Reflect, version: i16, random: &mut Random) {
    value.fields(version, &mut RandomVisitor(random));
}

/// Kafka's JSON shows the size of records in place of the records.
fn records_by_size(json: &mut Json) {
    match json {
        Json::Object(fields) => {
            if let Some(size) = fields
                .get("records")
                .and_then(Json::as_str)
                .map(|text| from_base64(text).map_or(0, |bytes| bytes.len()))
            {
                fields.remove("records");
                fields.insert("recordsSizeInBytes".to_owned(), json!(size));
            }
            fields.values_mut().for_each(records_by_size);
        }
        Json::Array(elements) => elements.iter_mut().for_each(records_by_size),
        _ => {}
    }
}

/// A value as Kafka's JSON shows it.
pub(crate) fn json_of_kafka(value: &mut impl Value, version: i16) -> Json {
    let mut json = value.json(version);
    records_by_size(&mut json);
    json
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
                crate::json::Value::randomize(&mut value, version, false, random);
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
                    json: crate::testing::json_of_kafka(&mut value, version),
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
