//! DescribeCluster (key 60). Source: KIP-700, `KafkaApis.handleDescribeCluster`.

use wire::ErrorCode;
use wire::messages::describe_cluster_request::DescribeClusterRequest;
use wire::messages::describe_cluster_response::{DescribeClusterBroker, DescribeClusterResponse};

use super::{Context, authorized_operations};

/// Asks a broker about brokers.
const BROKER_ENDPOINTS: i8 = 1;
/// Asks a controller about controllers.
const CONTROLLER_ENDPOINTS: i8 = 2;

/// Answers a request.
pub fn handle(context: &Context<'_>, request: DescribeClusterRequest) -> DescribeClusterResponse<'static> {
    let (code, message) = match request.endpoint_type {
        BROKER_ENDPOINTS => (ErrorCode::None, None),
        CONTROLLER_ENDPOINTS => (
            ErrorCode::MismatchedEndpointType,
            Some(
                "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
                    .to_owned(),
            ),
        ),
        other => (ErrorCode::UnsupportedEndpointType, Some(format!("Unsupported endpoint type {other}"))),
    };
    if code != ErrorCode::None {
        return DescribeClusterResponse {
            error_code: code.code(),
            error_message: message.map(Into::into),
            ..DescribeClusterResponse::default()
        };
    }
    let node = context.node;
    let (host, port) = node.advertised(&context.session.peer().listener);
    let broker = DescribeClusterBroker {
        broker_id: node.config().node_id,
        host: host.into(),
        port: port.into(),
        rack: node.config().rack.clone().map(Into::into),
        ..DescribeClusterBroker::default()
    };
    let mut response = DescribeClusterResponse {
        cluster_id: node.cluster_id().to_owned().into(),
        controller_id: node.config().node_id,
        brokers: vec![broker],
        ..DescribeClusterResponse::default()
    };
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = authorized_operations::CLUSTER;
    }
    response
}
