//! franz-go, sarama and kafka-go, in the program in `clients/go`.

use std::process::Command;
use std::time::Duration;

use e2e::{Broker, Process, prerequisites};

#[test]
fn clients_in_go_share_topics_commit_abort_and_delete() {
    let test = "clients_in_go_share_topics_commit_abort_and_delete";
    let folder = tempfile::tempdir().expect("a folder");
    let Some(clients) = prerequisites::go_clients(folder.path(), test) else { return };
    let broker = Broker::start(&folder.path().join("data"), &[]);
    let said = Process::run_within(Command::new(clients).arg(broker.address()), Duration::from_secs(400)).ok();
    assert_eq!(said, "franz-go is served\nsarama is served\nkafka-go is served\n");
    broker.stop();
}
