//! Coordinators, and the topics that they keep their state in.

use wire::{ErrorCode, messages as m};

use super::{clients, connect, create, start};

fn join(port: u16) -> i16 {
    use m::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
    let request = JoinGroupRequest {
        group_id: "g".into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".into(), ..Default::default() }],
        ..Default::default()
    };
    connect(port).read(3, &request, |reply| reply.error_code).unwrap()
}

fn initialize(port: u16) -> i16 {
    let request = m::init_producer_id_request::InitProducerIdRequest {
        transactional_id: Some("id".into()),
        transaction_timeout_ms: 10_000,
        ..Default::default()
    };
    connect(port).read(3, &request, |reply| reply.error_code).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn internal_topics_that_a_client_made_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let (broker, port) = start(folder.path(), &[("transaction.state.log.num.partitions", "1")]).await;
    clients(move || {
        assert_eq!(join(port), ErrorCode::NotCoordinator.code());
        assert_eq!(initialize(port), ErrorCode::NotCoordinator.code());
        for topic in ["__consumer_offsets", "__transaction_state"] {
            assert_eq!(create(port, topic, &[("cleanup.policy", "compact")]), (0, None));
        }
        assert_eq!((join(port), initialize(port)), (0, 0));
    })
    .await;
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consumer_protocol_can_be_switched_off() {
    let folder = tempfile::tempdir().unwrap();
    let (broker, port) = start(folder.path(), &[("group.coordinator.rebalance.protocols", "classic")]).await;
    clients(move || {
        let heartbeat = m::consumer_group_heartbeat_request::ConsumerGroupHeartbeatRequest {
            group_id: "g".into(),
            ..Default::default()
        };
        let code = connect(port).read(0, &heartbeat, |reply| reply.error_code).unwrap();
        assert_eq!(code, ErrorCode::UnsupportedVersion.code());
        let describe = m::consumer_group_describe_request::ConsumerGroupDescribeRequest {
            group_ids: vec!["g".into()],
            ..Default::default()
        };
        let code = connect(port).read(0, &describe, |reply| reply.groups[0].error_code).unwrap();
        assert_eq!(code, ErrorCode::UnsupportedVersion.code());
    })
    .await;
    broker.shutdown().await;
}
