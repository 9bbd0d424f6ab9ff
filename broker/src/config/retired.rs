//! Names that brokers before 4.0 knew, and that tutorials still set.

/// What to do about a property of an earlier Kafka, or `None` where it never was one.
pub(super) fn what_now(name: &str) -> Option<&'static str> {
    const BY_ITSELF: &str = "ignored; this broker keeps its own metadata and needs no ZooKeeper";
    Some(match name {
        "zookeeper.connect"
        | "inter.broker.protocol.version"
        | "broker.id.generation.enable"
        | "reserved.broker.max.id" => BY_ITSELF,
        _ if name.starts_with("zookeeper.") => BY_ITSELF,
        "advertised.host.name" | "advertised.port" => {
            "understood here, but Kafka has dropped it; write advertised.listeners"
        }
        "host.name" | "port" => "ignored; write listeners",
        "log.message.format.version" => "ignored; records are always stored in the current format",
        "log.message.downconversion.enable" => "ignored; records are always converted for old clients",
        "log.message.timestamp.difference.max.ms" => {
            "ignored; write log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms"
        }
        "control.plane.listener.name" => "ignored; write controller.listener.names",
        "group.coordinator.new.enable" => "ignored; the new coordinator is the only one",
        "eligible.leader.replicas.enable" => "ignored; it became a feature of the cluster",
        "delegation.token.master.key" => "ignored; write delegation.token.secret.key",
        "leader.imbalance.per.broker.percentage" => "ignored; one broker leads every partition",
        "quota.producer.default" | "quota.consumer.default" => "ignored; set quotas with kafka-configs",
        "offset.storage.max.async.requests" | "offsets.commit.required.acks" => "ignored; Kafka has dropped it",
        "super.users" | "allow.everyone.if.no.acl.found" => {
            "ignored; access control lists come with authorizer.class.name"
        }
        _ if name.starts_with("password.encoder.") => "ignored; passwords are not stored in ZooKeeper any more",
        _ => return None,
    })
}
