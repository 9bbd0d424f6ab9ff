//! A real Apache Kafka to compare with.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::side::Side;
use crate::ports::free_port;
use crate::process::Process;

/// Settings that both brokers get: what the reference's launcher writes, so far as it is not Kafka's default, and what
/// keeps time out of the comparison: nothing that a scenario made expires while it runs.
pub const SETTINGS: &[&str] = &[
    "num.partitions=4",
    "offsets.topic.num.partitions=8",
    "transaction.state.log.num.partitions=8",
    "group.initial.rebalance.delay.ms=0",
    "group.min.session.timeout.ms=1000",
    "group.max.size=3",
    "group.consumer.max.size=3",
    "group.consumer.assignment.interval.ms=0",
    "group.consumer.session.timeout.ms=600000",
    "group.consumer.max.session.timeout.ms=600000",
    "transaction.max.timeout.ms=600000",
    "transactional.id.expiration.ms=604800000",
    "delete.topic.enable=true",
    "log.retention.ms=-1",
    "log.retention.check.interval.ms=86400000",
];

/// How far above its port for clients the reference's launcher has a broker listen for controllers.
pub const CONTROLLER: u16 = 101;

/// What the reference's launcher writes into the settings of a broker at that port, so that ours has the same.
#[must_use]
pub fn launcher_settings(port: u16) -> Vec<String> {
    let controller = port + CONTROLLER;
    let settings = format!(
        "node.id=1
        process.roles=broker,controller
        controller.quorum.voters=1@127.0.0.1:{controller}
        listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
        advertised.listeners=PLAINTEXT://127.0.0.1:{port}
        listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
        controller.listener.names=CONTROLLER
        default.replication.factor=1
        min.insync.replicas=1
        offsets.topic.replication.factor=1
        transaction.state.log.replication.factor=1
        transaction.state.log.min.isr=1
        share.coordinator.state.topic.replication.factor=1
        share.coordinator.state.topic.min.isr=1
        authorizer.class.name=
        auto.create.topics.enable=true"
    );
    settings.lines().map(|line| line.trim().to_owned()).collect()
}

/// `offsets.topic.num.partitions` of [`SETTINGS`].
pub const OFFSETS_PARTITIONS: u32 = 8;

/// Longest wait for a start, which may have to fetch the release first.
const START_PATIENCE: Duration = Duration::from_secs(600);

/// A running Apache Kafka, stopped when dropped.
pub struct Kafka {
    launcher: PathBuf,
    version: &'static str,
    data: PathBuf,
    port: u16,
}

impl Kafka {
    /// Starts that release with an empty data directory.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start(launcher: &Path, version: &'static str, data: &Path) -> Self {
        let port = Self::free_ports();
        let kafka = Self { launcher: launcher.to_owned(), version, data: data.to_owned(), port };
        // No authorizer: ours has none in this comparison, and fields of authorized operations depend on it.
        let settings = SETTINGS.join("\n") + "\nauthorizer.class.name=\nauto.create.topics.enable=true";
        let mut command = kafka.command(&["start", "1", &port.to_string()]);
        command.env("KAFKA_PROPS", settings).env("KAFKA_HEAP_OPTS", "-Xms512m -Xmx512m -XX:TieredStopAtLevel=1");
        let finished = Process::run_within(&mut command, START_PATIENCE);
        assert!(finished.status.success(), "Apache Kafka does not start:\n{}{}", finished.stdout, finished.stderr);
        kafka
    }

    /// Where the other side of a comparison finds it.
    #[must_use]
    pub fn side(&self) -> Side {
        Side::new(self.port, &self.data.join("node1").display().to_string())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.launcher);
        command.args(arguments).env("KAFKA_VERSION", self.version).env("KAFKA_DATA", &self.data);
        command
    }

    fn free_ports() -> u16 {
        loop {
            let port = free_port();
            if port < u16::MAX - CONTROLLER && TcpListener::bind(("127.0.0.1", port + CONTROLLER)).is_ok() {
                return port;
            }
        }
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        let _ = self.command(&["stop"]).status();
    }
}
