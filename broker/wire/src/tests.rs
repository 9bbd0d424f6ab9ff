//! Tests that hold for every message.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};

use crate::{
    ApiKey, Decode, DecodeError, Decoder, Encoder, ErrorCode, Listener, Message, RequestHeader, ResponseHeader,
};

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::coordinator::{GroupKey, GroupMetadataKey, OffsetCommitKey, OffsetCommitValue};
use crate::coordinator_record::{decode_value, encode_key, encode_value};
use crate::frame::{decode_response, encode_request, encode_response};
use crate::json::from_base64;
use crate::messages::{ApiVersionsResponse, MetadataRequest, ProduceRequest};
use crate::metadata::{MetadataRecord, TopicRecord};
use crate::testing::{Case, Random, cases};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_message_in_every_version_is_read_as_it_was_written(seed: u64) {
        let mut random = Random(seed);
        for case in cases() {
            for version in case.min..=case.max {
                let (bytes, same) = (case.random)(version, &mut random);
                prop_assert!(same, "{} version {version}", case.name);
                let reading = (case.read)(&bytes, version).unwrap();
                prop_assert_eq!(reading.remaining, 0);
                prop_assert_eq!(reading.again.unwrap(), bytes, "{} version {}", case.name, version);
            }
        }
    }

    #[test]
    fn no_cut_or_changed_message_panics(seed: u64) {
        let mut random = Random(seed);
        for case in cases() {
            let version = case.min + random.below((case.max - case.min + 1) as u64) as i16;
            let (mut bytes, _) = (case.random)(version, &mut random);
            let cut = random.below(bytes.len() as u64 + 1) as usize;
            prop_assert_eq!((case.read)(&bytes[..cut], version).is_ok(), cut == bytes.len(), "{}", case.name);
            for _ in 0..3 {
                if !bytes.is_empty() {
                    let at = random.below(bytes.len() as u64) as usize;
                    bytes[at] = random.next() as u8;
                }
            }
            let _ = (case.read)(&bytes, version);
        }
    }
}

/// What lengths and counts may look like to a reader of any type: the largest ones, small ones and nulls.
const LENGTHS: [&[u8]; 8] = [
    &[0x7f, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xff, 0x07],
    &[0x7f, 0xff],
    &[0x00, 0x00, 0x00, 0x10],
    &[0x10],
    &[0x02],
    &[0x00],
    &[0xff],
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_message_allocates_more_than_its_bytes_justify(seed: u64, size in 1_usize..200) {
        let mut random = Random(seed);
        let mut bytes = Vec::new();
        while bytes.len() < size {
            bytes.extend_from_slice(LENGTHS[random.below(LENGTHS.len() as u64) as usize]);
        }
        bytes.truncate(size);
        for case in cases() {
            let version = case.min + random.below((case.max - case.min + 1) as u64) as i16;
            let allocated = allocation_counter::measure(|| drop((case.decode)(&bytes, version)));
            // An element takes a byte or more on the wire and some hundred in memory; growing takes twice that.
            let justified = 4096 + 1024 * size as u64;
            prop_assert!(allocated.bytes_max <= justified, "{} {version}: {}", case.name, allocated.bytes_max);
        }
    }
}

#[test]
fn a_frame_of_20_bytes_that_claims_two_billion_elements_allocates_next_to_nothing() {
    // Version 9 and later of MetadataRequest: a compact array of 2^31 - 2 topics, then bytes that look like topics.
    let compact = [&[0xff, 0xff, 0xff, 0xff, 0x07][..], &[0; 15]].concat();
    // Version 1: an int32 of 2^31 - 1.
    let plain = [&[0x7f, 0xff, 0xff, 0xff][..], &[0; 16]].concat();
    for (bytes, version) in [(compact, 12), (plain, 1)] {
        let allocated = allocation_counter::measure(|| {
            let error = MetadataRequest::decode(&mut Decoder::new(&bytes), version).unwrap_err();
            assert!(matches!(error, DecodeError::ImpossibleCount { .. }), "{error}");
        });
        assert_eq!(allocated.count_total, 0);
    }
}

/// Messages that the library leaves out; see its documentation.
const LEFT_OUT: [&str; 17] = [
    "AllocateProducerIds",
    "AlterPartition",
    "AssignReplicasToDirs",
    "BeginQuorumEpoch",
    "BrokerHeartbeat",
    "BrokerRegistration",
    "ControlledShutdown",
    "ControllerRegistration",
    "EndQuorumEpoch",
    "Envelope",
    "FetchSnapshot",
    "LeaderAndIsr",
    "StopReplica",
    "UpdateMetadata",
    "UpdateRaftVoter",
    "Vote",
    "ListClientMetricsResources",
];
/// Records of tiered storage, and of the preview of share groups in 3.9, which 4.x does not read.
const OTHER_RECORDS: [&str; 6] = [
    "RemoteLogSegmentMetadataRecord",
    "RemoteLogSegmentMetadataSnapshotRecord",
    "RemoteLogSegmentMetadataUpdateRecord",
    "RemotePartitionDeleteMetadataRecord",
    "ShareGroupPartitionMetadataKey",
    "ShareGroupPartitionMetadataValue",
];

fn is_left_out(name: &str) -> bool {
    let api = name.strip_suffix("Request").or_else(|| name.strip_suffix("Response"));
    OTHER_RECORDS.contains(&name) || api.is_some_and(|api| LEFT_OUT.contains(&api))
}

/// One line of a file of vectors.
struct Vector {
    name: String,
    version: i16,
    bytes: Vec<u8>,
    json: Json,
}

fn vectors(file: &[u8]) -> impl Iterator<Item = Vector> {
    BufReader::new(flate2::read::GzDecoder::new(file)).lines().map(|line| {
        let mut line: Json = serde_json::from_str(&line.unwrap()).unwrap();
        Vector {
            name: line["m"].as_str().unwrap().to_owned(),
            version: line["v"].as_i64().unwrap() as i16,
            bytes: from_base64(line["b"].as_str().unwrap()).unwrap(),
            json: line["j"].take(),
        }
    })
}

/// Compares all vectors of a file, and returns the messages and versions they cover. `previews` starts the names of
/// messages that the release had as a preview only.
fn check_vectors(file: &'static [u8], previews: Option<&str>) -> BTreeSet<(&'static str, i16)> {
    let cases: BTreeMap<&str, Case> = cases().into_iter().map(|case| (case.name, case)).collect();
    let mut covered = BTreeSet::new();
    let mut first = BTreeSet::new();
    for Vector { name, mut version, bytes, json } in vectors(file) {
        if is_left_out(&name) || name.ends_with("Header") {
            continue;
        }
        if previews.is_some_and(|prefix| name.starts_with(prefix)) {
            continue;
        }
        let case = cases.get(name.as_str()).unwrap_or_else(|| panic!("{name} is not in the library"));
        // Before keys of coordinators had types, their type was their version.
        if name.ends_with("Key") {
            version = 0;
        }
        let reading = (case.read)(&bytes, version).unwrap_or_else(|error| panic!("{name} {version}: {error}"));
        assert_eq!(reading.remaining, 0, "{name} {version}");
        assert_eq!(reading.json, json, "{name} {version}");
        assert_eq!(reading.again.unwrap(), bytes, "{name} {version}");
        // The first vector of a message and version is its default.
        if first.insert((name.clone(), version)) {
            assert_eq!((case.default)(version).unwrap(), bytes, "default of {name} {version}");
        }
        covered.insert((case.name, version));
    }
    covered
}

#[test]
fn all_messages_are_what_kafka_writes_and_reads() {
    let mut covered = check_vectors(include_bytes!("../vectors/messages-4.3.1.jsonl.gz"), None);
    covered.extend(check_vectors(include_bytes!("../vectors/messages-3.9.1.jsonl.gz"), Some("ShareGroup")));
    for case in cases() {
        for version in case.min..=case.max {
            assert!(covered.contains(&(case.name, version)), "no vector of {} {version}", case.name);
        }
    }
}

#[test]
fn headers_are_what_kafka_writes_and_reads() {
    let files: [&[u8]; 2] =
        [include_bytes!("../vectors/messages-4.3.1.jsonl.gz"), include_bytes!("../vectors/messages-3.9.1.jsonl.gz")];
    let mut covered = BTreeSet::new();
    for vector in files.into_iter().flat_map(vectors).filter(|vector| vector.name.ends_with("Header")) {
        let mut decoder = Decoder::new(&vector.bytes);
        let mut encoder = Encoder::new();
        let json = if vector.name == "RequestHeader" {
            let header = RequestHeader::decode_version(&mut decoder, vector.version).unwrap();
            header.encode_version(&mut encoder, vector.version).unwrap();
            let mut json = json!({
                "requestApiKey": header.api_key, "requestApiVersion": header.api_version,
                "correlationId": header.correlation_id,
            });
            if vector.version > 0 {
                json["clientId"] = json!(header.client_id);
            }
            json
        } else {
            let header = ResponseHeader::decode_version(&mut decoder, vector.version).unwrap();
            header.encode_version(&mut encoder, vector.version).unwrap();
            json!({ "correlationId": header.correlation_id })
        };
        assert_eq!(json, vector.json);
        assert!(decoder.finish().is_ok());
        assert_eq!(encoder.into_bytes().unwrap(), vector.bytes);
        covered.insert((vector.name, vector.version));
    }
    assert_eq!(covered.len(), 5, "{covered:?}");
}

#[test]
fn requests_and_replies_are_framed() {
    let mut encoder = Encoder::new();
    let request = MetadataRequest { topics: None, ..Default::default() };
    encode_request(&mut encoder, 42, Some("me"), 9, &request).unwrap();
    let frame = encoder.into_bytes().unwrap();
    assert_eq!(frame[..4], (frame.len() as i32 - 4).to_be_bytes());
    let mut decoder = Decoder::new(&frame[4..]);
    let header = RequestHeader::decode(&mut decoder).unwrap();
    assert_eq!((header.api_key, header.api_version, header.correlation_id), (3, 9, 42));
    assert_eq!(header.client_id.as_deref(), Some("me"));
    assert_eq!(MetadataRequest::decode(&mut decoder, 9), Ok(request));

    let mut encoder = Encoder::new();
    let response = ApiVersionsResponse { throttle_time_ms: 5, ..Default::default() };
    encode_response(&mut encoder, 7, 3, &response).unwrap();
    let frame = encoder.into_bytes().unwrap();
    assert_eq!(frame[4..8], 7_i32.to_be_bytes(), "no tagged fields in the header of this reply");
    assert_eq!(decode_response(&frame[4..], 3), Ok((7, response)));

    let mut encoder = Encoder::new();
    encoder.i8(1);
    let too_new = encode_response(&mut encoder, 7, 99, &ApiVersionsResponse::default());
    assert!(too_new.is_err());
    assert_eq!(encoder.buffer(), [1], "nothing of a failed reply is left");
}

#[test]
fn records_of_coordinators_start_with_their_type_or_version() {
    let key = OffsetCommitKey { group: "g".into(), topic: "t".into(), partition: 3 };
    let bytes = encode_key(&key).unwrap();
    assert_eq!(bytes, [0, 1, 0, 1, b'g', 0, 1, b't', 0, 0, 0, 3]);
    assert_eq!(GroupKey::decode(&bytes), Ok(GroupKey::from(key.clone())));
    assert_eq!(GroupKey::from(key).encode().unwrap(), bytes);
    let group = GroupKey::from(GroupMetadataKey { group: "g".into() });
    assert_eq!((group.type_number(), group.encode().unwrap()), (2, vec![0, 2, 0, 1, b'g']));
    let later = GroupKey::decode(&[0x7f, 0]);
    assert!(matches!(later, Err(DecodeError::UnknownRecordType { id: 0x7f00, .. })));
    let value = OffsetCommitValue { offset: 9, metadata: "m".into(), ..Default::default() };
    let bytes = encode_value(&value, 3).unwrap();
    assert_eq!(bytes[..2], [0, 3]);
    assert_eq!(decode_value::<OffsetCommitValue<'_>>(&bytes), Ok((value, 3)));
}

#[test]
fn metadata_records_are_framed_by_version_type_and_version() {
    let topic = TopicRecord { name: "t".into(), ..Default::default() };
    let record = MetadataRecord::from(topic);
    let bytes = record.encode_frame(0).unwrap();
    assert_eq!(bytes[..5], [1, 2, 0, 2, b't']);
    assert_eq!((record.name(), record.type_number()), ("TopicRecord", 2));
    assert_eq!(MetadataRecord::decode_frame(&bytes), Ok((record, 0)));
    assert_eq!(MetadataRecord::decode_frame(&[2, 2, 0]), Err(DecodeError::UnknownFrameVersion(2)));
    assert!(matches!(MetadataRecord::decode_frame(&[1, 99, 0]), Err(DecodeError::UnknownRecordType { id: 99, .. })));
}

#[test]
fn apis_and_errors_are_found_by_their_numbers() {
    for api in ApiKey::ALL {
        assert_eq!(ApiKey::try_from(api.key()), Ok(*api));
        assert!(api.listeners().contains(&Listener::Broker), "{api}");
    }
    assert_eq!(ApiKey::try_from(4), Err(DecodeError::UnknownApiKey(4)));
    assert_eq!((ApiKey::Produce.name(), ApiKey::Produce.versions()), ("Produce", 0..=13));
    assert_eq!((ApiKey::InitProducerId.versions(), ApiKey::InitProducerId.stable_versions()), (0..=6, 0..=5));
    assert_eq!(<ProduceRequest<'_> as Message>::FLEXIBLE_SINCE, Some(9));
    assert_eq!((ApiKey::Produce.request_header_version(8), ApiKey::Produce.request_header_version(9)), (1, 2));
    assert_eq!((ApiKey::Produce.response_header_version(8), ApiKey::Produce.response_header_version(9)), (0, 1));
    assert_eq!(ApiKey::ApiVersions.response_header_version(4), 0);
    assert_eq!(ApiKey::SaslHandshake.request_header_version(1), 1);
    for error in ErrorCode::ALL {
        assert_eq!(ErrorCode::from_code(error.code()), Some(*error));
    }
    assert_eq!(ErrorCode::from_code(3), Some(ErrorCode::UnknownTopicOrPartition));
    assert_eq!(ErrorCode::UnknownTopicOrPartition.name(), "UNKNOWN_TOPIC_OR_PARTITION");
    assert!(ErrorCode::UnknownTopicOrPartition.is_retriable() && !ErrorCode::InvalidRequest.is_retriable());
    assert_eq!(ErrorCode::from(30_000), ErrorCode::UnknownServerError);
}
