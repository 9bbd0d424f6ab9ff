//! Partitions on several disks.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use broker::Broker;
use broker::metadata::Image;
use wire::{ErrorCode, messages as m};

use super::{LONG, clients, connect, create, fetch, produce, produce_at, start};

/// Every directory that describes the topic's partition, and whether it is still on its way there.
fn directories(port: u16, topic: &str) -> Vec<(String, bool)> {
    use m::describe_log_dirs_request::{DescribableLogDirTopic, DescribeLogDirsRequest};
    let asked = DescribableLogDirTopic { topic: topic.into(), partitions: vec![0], ..Default::default() };
    let request = DescribeLogDirsRequest { topics: Some(vec![asked]), ..Default::default() };
    let read = connect(port).read(2, &request, |reply| {
        let of = |dir: &m::describe_log_dirs_response::DescribeLogDirsResult<'_>| {
            let partitions = dir.topics.iter().flat_map(|topic| &topic.partitions);
            partitions.map(|partition| (dir.log_dir.to_string(), partition.is_future_key)).collect::<Vec<_>>()
        };
        reply.results.iter().flat_map(of).collect()
    });
    read.unwrap()
}

fn move_to(port: u16, topic: &str, path: &str) -> i16 {
    use m::alter_replica_log_dirs_request::{
        AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest as Request,
    };
    let topics = vec![AlterReplicaLogDirTopic { name: topic.into(), partitions: vec![0], ..Default::default() }];
    let request = Request {
        dirs: vec![AlterReplicaLogDir { path: path.into(), topics, ..Default::default() }],
        ..Default::default()
    };
    connect(port).read(1, &request, |reply| reply.results[0].partitions[0].error_code).unwrap()
}

/// Waits until metadata says that the topic's partition is in a directory.
async fn known_to_be_in(broker: &Broker, path: &str) {
    let (node, path) = (broker.node(), Path::new(path));
    let id = node.replicas.volumes().iter().find(|volume| volume.dir.path() == path).unwrap().id;
    let there = |image: &Arc<Image>| image.topic("moving").is_some_and(|it| it.partitions[0].directories == [id]);
    tokio::time::timeout(LONG, node.controller.watch().wait_for(there)).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_moves_to_another_log_directory() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let paths = folders.each_ref().map(|folder| folder.path().to_str().unwrap().to_owned());
    let dirs = paths.join(",");
    let (broker, port) = start(folders[0].path(), &[("log.dirs", &dirs)]).await;
    let known = paths.clone();
    let there = clients(move || {
        assert_eq!(create(port, "moving", &[]).0, 0);
        let mut client = connect(port);
        assert_eq!(produce(&mut client, "moving"), 0);
        let [(from, false)] = &directories(port, "moving")[..] else { panic!("the partition is in no one directory") };
        let to = known.into_iter().find(|path| path != from).unwrap();
        assert_eq!(move_to(port, "moving", "/nowhere"), ErrorCode::LogDirNotFound.code());
        // As if the log had been compacted up to there.
        std::fs::write(format!("{from}/cleaner-offset-checkpoint"), "0\n2\nmoving 0 1\nother 0 5\n").unwrap();
        assert_eq!(move_to(port, "moving", &to), 0);
        let deadline = Instant::now() + LONG;
        while directories(port, "moving") != [(to.clone(), false)] {
            assert!(Instant::now() < deadline, "the partition has not moved");
        }
        assert_eq!(produce(&mut client, "moving"), 0);
        (from.clone(), to)
    })
    .await;
    let (from, there) = there;
    known_to_be_in(&broker, &there).await;
    let cleaned = |path: &str| std::fs::read_to_string(format!("{path}/cleaner-offset-checkpoint")).unwrap();
    assert_eq!((cleaned(&from), cleaned(&there)), ("0\n1\nother 0 5\n".into(), "0\n1\nmoving 0 1\n".into()));
    broker.shutdown().await;

    // Stopped in a move back: the copy's folder is there, as Kafka's would be.
    std::fs::create_dir(format!("{from}/moving-0.8a3a2b1c4d5e6f708192a3b4c5d6e7f8-future")).unwrap();
    let (broker, port) = start(folders[0].path(), &[("log.dirs", &dirs)]).await;
    known_to_be_in(&broker, &from).await;
    clients(move || {
        assert_eq!(directories(port, "moving"), [(from, false)]);
        let records = fetch(&mut connect(port), "moving", 1, LONG);
        assert!(records.starts_with(&1i64.to_be_bytes()));
    })
    .await;
    broker.shutdown().await;
}

/// The errors of all log directories (DescribeLogDirs).
fn directory_errors(port: u16) -> Vec<(String, i16)> {
    let request = m::describe_log_dirs_request::DescribeLogDirsRequest::default();
    let read = connect(port).read(2, &request, |reply| {
        reply.results.iter().map(|dir| (dir.log_dir.to_string(), dir.error_code)).collect::<Vec<_>>()
    });
    read.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_fails_is_offline_and_the_others_go_on() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [first, second] = folders.each_ref().map(|folder| folder.path().to_str().unwrap().to_owned());
    let dirs = format!("{first},{second}");
    let (broker, port) = start(folders[0].path(), &[("log.dirs", &dirs)]).await;
    let failing = second.clone();
    let lost = clients(move || {
        let topics = ["a", "b", "c", "d"];
        assert!(topics.iter().all(|topic| create(port, topic, &[]).0 == 0));
        let is_in = |topic: &str, path: &str| directories(port, topic)[0].0 == path;
        let (lost, kept) = topics.into_iter().partition::<Vec<_>, _>(|topic| is_in(topic, &failing));
        assert_eq!((lost.len(), kept.len()), (2, 2));
        let mut client = connect(port);
        assert!(topics.iter().all(|topic| produce_at(&mut client, topic, 1) == 0));
        // The next segment has no folder to be in.
        std::fs::remove_dir_all(format!("{failing}/{}-0", lost[0])).unwrap();
        let storage_error = ErrorCode::KafkaStorageError.code();
        assert_eq!(produce_at(&mut client, lost[0], 1_000_000_000_000), storage_error);
        lost
    })
    .await;
    let is_led = |image: &Arc<Image>, topic: &str| image.topic(topic).unwrap().partitions[0].leader == 1;
    let gone = |image: &Arc<Image>| lost.iter().all(|topic| !is_led(image, topic));
    let controller = &broker.node().controller;
    let image = tokio::time::timeout(LONG, controller.watch().wait_for(gone)).await.unwrap().unwrap().clone();
    assert_eq!(image.broker(1).unwrap().log_dirs.len(), 1);
    let (known, errors) = (lost.clone(), [(first, 0), (second, ErrorCode::KafkaStorageError.code())]);
    clients(move || {
        assert_eq!(directory_errors(port), errors);
        let mut client = connect(port);
        let storage_error = ErrorCode::KafkaStorageError.code();
        assert!(known.iter().all(|topic| produce(&mut client, topic) == storage_error));
        assert_eq!(move_to(port, "a", &errors[1].0), storage_error);
        for topic in ["e", "f"] {
            assert_eq!(create(port, topic, &[]).0, 0);
            assert_eq!(produce(&mut client, topic), 0);
        }
    })
    .await;
    broker.shutdown().await;
    let (broker, port) = start(folders[0].path(), &[("log.dirs", &dirs)]).await;
    clients(move || assert!(lost.iter().all(|topic| produce(&mut connect(port), topic) == 0))).await;
    broker.shutdown().await;
}
