//! What the encoder writes, byte by byte.

use std::borrow::Cow;

use proptest::prelude::*;

use super::*;
use crate::{DecodeError, Decoder};

proptest! {
    #[test]
    fn varints_are_read_as_written(unsigned: u32, signed: i32, long: i64) {
        let mut encoder = Encoder::new();
        encoder.unsigned_varint(unsigned);
        encoder.varint(signed);
        encoder.varlong(long);
        let bytes = encoder.into_bytes().unwrap();
        let mut decoder = Decoder::new(&bytes);
        prop_assert_eq!(decoder.unsigned_varint(), Ok(unsigned));
        prop_assert_eq!(decoder.varint(), Ok(signed));
        prop_assert_eq!(decoder.varlong(), Ok(long));
        prop_assert!(decoder.finish().is_ok());
    }
}

#[test]
fn varints_are_as_in_the_specification() {
    let written = |write: &dyn Fn(&mut Encoder)| {
        let mut encoder = Encoder::new();
        write(&mut encoder);
        encoder.into_bytes().unwrap()
    };
    assert_eq!(written(&|encoder| encoder.unsigned_varint(300)), [0xac, 0x02]);
    assert_eq!(written(&|encoder| encoder.varint(-1)), [0x01]);
    assert_eq!(written(&|encoder| encoder.varint(i32::MIN)), [0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert_eq!(written(&|encoder| encoder.varlong(i64::MIN)), [&[0xff; 9][..], &[1]].concat());
    let too_long = [0xff; 11];
    assert_eq!(Decoder::new(&too_long).unsigned_varint(), Err(DecodeError::InvalidVarint { at: 0 }));
    assert_eq!(Decoder::new(&too_long).varlong(), Err(DecodeError::InvalidVarint { at: 0 }));
    let too_large = [0xff, 0xff, 0xff, 0xff, 0x1f];
    assert_eq!(Decoder::new(&too_large).unsigned_varint(), Err(DecodeError::InvalidVarint { at: 0 }));
}

#[test]
fn external_records_count_in_sizes_and_keep_their_places() {
    let mut encoder = Encoder::new();
    let start = encoder.begin_frame();
    encoder.i8(1);
    let inside = Records::External { len: 1000, id: 7 };
    TaggedFields::new(&mut encoder, &[])
        .field(0, false, |encoder| encoder.records("records", 0, Some(&inside), false, true))
        .unwrap();
    encoder.records("records", 0, Some(&Records::External { len: 50, id: 8 }), false, false).unwrap();
    encoder.i8(2);
    encoder.end_frame(start).unwrap();
    // size, 1, number of tags, tag, size of the field (1002 in two bytes), length + 1 (1001 in two bytes),
    // [1000 bytes], int32 length, [50 bytes], 2
    assert_eq!(
        encoder.splices().iter().map(|splice| (splice.position, splice.id)).collect::<Vec<_>>(),
        [(11, 7), (15, 8)]
    );
    assert_eq!(encoder.len(), 16 + 1050);
    assert_eq!(encoder.buffer()[..4], (12_i32 + 1050).to_be_bytes());
    assert_eq!(encoder.buffer()[7..11], [0xea, 0x07, 0xe9, 0x07]);
    assert_eq!(encoder.clone().into_bytes(), Err(EncodeError::ExternalRecords));
    encoder.truncate(start);
    assert!(encoder.is_empty() && encoder.splices().is_empty());
}

#[test]
fn unknown_tagged_fields_are_written_in_order_among_known_ones() {
    let unknown = [5, 1000].map(|tag| RawTaggedField { tag, data: vec![tag as u8] });
    let mut encoder = Encoder::new();
    let mut tags = TaggedFields::new(&mut encoder, &unknown);
    for tag in [2, 7] {
        let field = |encoder: &mut Encoder| {
            encoder.i16(-1);
            Ok(())
        };
        tags.field(tag, false, field).unwrap();
    }
    tags.finish().unwrap();
    let expected = [4, 2, 2, 0xff, 0xff, 5, 1, 5, 7, 2, 0xff, 0xff, 0xe8, 0x07, 1, 0xe8];
    assert_eq!(encoder.buffer(), expected);
    let clash = [RawTaggedField { tag: 2, data: Vec::new() }];
    let mut encoder = Encoder::new();
    let mut tags = TaggedFields::new(&mut encoder, &clash);
    tags.field(2, false, |_| Ok(())).unwrap();
    assert_eq!(tags.finish(), Err(EncodeError::TagOrder { tag: 2 }));
}

#[test]
fn many_tagged_fields_need_a_longer_count() {
    let many: Vec<RawTaggedField> = (0..200).map(|tag| RawTaggedField { tag, data: vec![1] }).collect();
    let mut encoder = Encoder::new();
    TaggedFields::new(&mut encoder, &many).finish().unwrap();
    let bytes = encoder.into_bytes().unwrap();
    let mut decoder = Decoder::new(&bytes);
    assert_eq!(decoder.unknown_tagged_fields(true), Ok(many));
    assert!(decoder.finish().is_ok());
}

#[test]
fn what_a_version_cannot_hold_is_refused() {
    let mut encoder = Encoder::new();
    let long = "x".repeat(MAX_STRING + 1);
    let too_long = EncodeError::TooLong { field: "name", length: MAX_STRING + 1 };
    assert_eq!(encoder.string("name", &long, true), Err(too_long));
    let null = EncodeError::UnexpectedNull { field: "name", version: 3 };
    assert_eq!(encoder.nullable_string("name", 3, None, false, true), Err(null));
    let fetch = crate::messages::FetchRequest {
        rack_id: Cow::Borrowed("dropped, because it may be"),
        forgotten_topics_data: vec![Default::default()],
        ..Default::default()
    };
    let unsupported = EncodeError::UnsupportedField { field: "forgotten_topics_data", version: 4 };
    assert_eq!(fetch.encode(&mut encoder, 4), Err(unsupported));
    assert!(matches!(fetch.encode(&mut encoder, 19), Err(EncodeError::UnsupportedVersion { max: 18, .. })));
}
