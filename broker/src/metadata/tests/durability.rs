//! Stops, kills, torn files.

use std::fs;
use std::path::Path;

use crate::metadata::batch::Batches;
use crate::metadata::{
    Directory, DirectoryError, METADATA_LOG, MetadataError, MetadataLogSettings, NO_LEADER, random_id,
};

use super::node::{block_on, contents, create, options, restart, start, topic};
use crate::metadata::Controller;

#[test]
fn a_first_start_finalizes_kafkas_features_and_leads_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let controller = start(directory.path());
    let image = controller.image();
    let features: Vec<_> = image.features.iter().map(|(name, level)| (name.as_str(), *level)).collect();
    let mut expected = crate::metadata::DEFAULT_FEATURES.to_vec();
    expected.sort_unstable();
    assert_eq!(features, expected);
    assert_eq!((image.epoch, image.offset), (1, 15));
    let broker = image.broker(1).unwrap();
    assert_eq!((broker.epoch, broker.fenced), (13, false));
    assert_eq!(image.config(&crate::metadata::ConfigResource::cluster())["min.insync.replicas"], "1");
    assert_eq!(controller.cluster_id().len(), 22);
}

#[test]
fn leader_epochs_grow_by_two_from_run_to_run_as_in_kafka() {
    let directory = tempfile::tempdir().unwrap();
    let controller = start(directory.path());
    create(&controller, vec![topic("a", 3)]);
    let epochs = |controller: &Controller| {
        let image = controller.image();
        let partition = image.topic("a").unwrap().partitions[1].clone();
        assert_eq!((partition.leader, &partition.isr[..]), (1, &[1][..]));
        (partition.leader_epoch, partition.partition_epoch, partition.leader_recovery_state)
    };
    assert_eq!(epochs(&controller), (0, 0, 0));
    block_on(controller.close()).unwrap();
    let controller = restart(directory.path(), controller.broker_epoch());
    assert_eq!(epochs(&controller), (2, 2, 0));
    let epoch = controller.broker_epoch();
    drop(controller); // a kill
    let controller = start(directory.path());
    assert_eq!(epochs(&controller), (4, 5, 1), "fenced, no longer eligible, elected uncleanly");
    assert!(controller.broker_epoch() > epoch);
    assert_eq!(controller.image().epoch, 3);
}

#[test]
fn everything_is_there_after_a_stop_and_after_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let controller = start(directory.path());
    create(&controller, vec![topic("a", 3), topic("b.c", 1)]);
    let mut with_config = topic("d", 2);
    with_config.configs = vec![("retention.ms".to_owned(), Some("5".to_owned()))];
    create(&controller, vec![with_config]);
    assert_eq!(block_on(controller.allocate_producer_ids()).unwrap().first, 0);
    let before = contents(&controller.image());
    block_on(controller.close()).unwrap();
    let controller = restart(directory.path(), controller.broker_epoch());
    assert_eq!(contents(&controller.image()), before);
    assert_eq!(block_on(controller.allocate_producer_ids()).unwrap().first, 1000);
    let before = contents(&controller.image());
    drop(controller);
    let controller = start(directory.path());
    assert_eq!(contents(&controller.image()), before);
    assert_eq!(block_on(controller.allocate_producer_ids()).unwrap().first, 2000);
}

/// Offsets in the file where a batch ends.
fn batch_ends(log: &[u8]) -> Vec<usize> {
    let mut at = 0;
    let mut ends = Vec::new();
    while at < log.len() {
        at += 12 + i32::from_be_bytes(log[at + 8..at + 12].try_into().unwrap()) as usize;
        ends.push(at);
    }
    ends
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_log_cut_at_any_byte_has_all_batches_before_the_cut() {
    let directory = tempfile::tempdir().unwrap();
    let controller = start(directory.path());
    let names = ["a", "b"];
    for name in names {
        create(&controller, vec![topic(name, 1)]);
    }
    drop(controller);
    let file = Path::new(METADATA_LOG).join("00000000000000000000.log");
    let whole = fs::read(directory.path().join(&file)).unwrap();
    let ends = batch_ends(&whole);
    let first_topic = ends.len() - names.len();
    for cut in ends[first_topic - 1]..=whole.len() {
        let copied = tempfile::tempdir().unwrap();
        copy(directory.path(), copied.path());
        fs::write(copied.path().join(&file), &whole[..cut]).unwrap();
        let controller = start(copied.path());
        let expected = ends[first_topic..].iter().filter(|end| **end <= cut).count();
        let found: Vec<_> = controller.image().topics.iter().map(|topic| topic.name.to_string()).collect();
        assert_eq!(found, names[..expected], "cut at {cut}");
    }
}

#[test]
fn snapshots_are_written_read_and_let_old_ones_go() {
    let directory = tempfile::tempdir().unwrap();
    let small = |previous| {
        let mut options = options(directory.path(), previous);
        options.log = MetadataLogSettings {
            segment_bytes: 8000,
            snapshot_bytes: 3000,
            retention_bytes: 20_000,
            ..MetadataLogSettings::default()
        };
        Controller::start(options).unwrap()
    };
    let controller = small(None);
    let names: Vec<String> = (0..120).map(|number| format!("topic-{number}")).collect();
    for name in &names {
        create(&controller, vec![topic(name, 1)]);
    }
    let before = contents(&controller.image());
    let epoch = controller.broker_epoch();
    block_on(controller.close()).unwrap();
    let folder = directory.path().join(METADATA_LOG);
    let list = |suffix: &str| {
        let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(suffix)).collect();
        names.sort();
        names
    };
    let snapshots = list(".checkpoint");
    assert!((1..6).contains(&snapshots.len()), "{snapshots:?}");
    assert_ne!(list(".log")[0], "00000000000000000000.log", "the first segment is no longer needed");
    let controller = small(Some(epoch));
    assert_eq!(contents(&controller.image()), before);
    let newest = folder.join(list(".checkpoint").last().unwrap());
    let bytes = fs::read(newest).unwrap();
    assert!(Batches::new(&bytes).all(|batch| batch.is_ok()));
}

#[test]
fn a_damaged_snapshot_and_a_gap_are_named() {
    let directory = tempfile::tempdir().unwrap();
    block_on(start(directory.path()).close()).unwrap();
    let folder = directory.path().join(METADATA_LOG);
    fs::write(folder.join("00000000000000000005-0000000001.checkpoint"), b"not a snapshot at all").unwrap();
    let error = Controller::start(options(directory.path(), None)).unwrap_err().to_string();
    assert!(error.contains("0000000001.checkpoint is damaged"), "{error}");
    fs::remove_file(folder.join("00000000000000000005-0000000001.checkpoint")).unwrap();
    for name in ["00000000000000000000.log", "00000000000000000000.index", "00000000000000000000.timeindex"] {
        fs::rename(folder.join(name), folder.join(name.replace("00000.", "00007."))).unwrap();
    }
    let error = Controller::start(options(directory.path(), None)).unwrap_err();
    assert!(matches!(error, MetadataError::Gap { log_start: 7, .. } | MetadataError::Log(_)), "{error}");
}

#[test]
fn directories_of_others_are_refused_with_what_to_do() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("data");
    let first = Directory::open(&path, 1, None).unwrap();
    assert!(first.formatted);
    let again = Directory::open(&path, 1, Some(&first.cluster_id)).unwrap();
    assert_eq!(again, Directory { formatted: false, ..first.clone() });
    let error = Directory::open(&path, 2, None).unwrap_err();
    assert!(error.to_string().contains("belongs to node 1, but node.id is 2"), "{error}");
    let error = Directory::open(&path, 1, Some("other")).unwrap_err();
    assert!(error.to_string().contains(&first.cluster_id), "{error}");
    let meta = path.join("meta.properties");
    fs::write(&meta, "version=0\nbroker.id=1\ncluster.id=x\n").unwrap();
    assert!(matches!(Directory::open(&path, 1, None).unwrap_err(), DirectoryError::ZooKeeper(_)));
    fs::write(&meta, "version=1\ncluster.id=x\n").unwrap();
    let error = Directory::open(&path, 1, None).unwrap_err();
    assert!(error.to_string().contains("node.id is missing"), "{error}");
    fs::remove_file(&meta).unwrap();
    fs::create_dir(path.join("pictures")).unwrap();
    let error = Directory::open(&path, 1, None).unwrap_err();
    assert!(error.to_string().contains("it holds pictures"), "{error}");
    let file = root.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(Directory::open(&file, 1, None).unwrap_err(), DirectoryError::NotADirectory(_)));
    let fresh = root.path().join("fresh");
    assert!(matches!(Directory::open(&fresh, 1, Some("no good")), Err(DirectoryError::InvalidClusterId(_))));
    let given = commitlog::format_id(random_id());
    assert_eq!(Directory::open(&fresh, 1, Some(&given)).unwrap().cluster_id, given);
}

#[test]
fn after_a_close_nothing_is_done_and_partitions_have_no_leader() {
    let directory = tempfile::tempdir().unwrap();
    let controller = start(directory.path());
    create(&controller, vec![topic("a", 1)]);
    block_on(controller.close()).unwrap();
    assert!(block_on(controller.allocate_producer_ids()).is_err());
    let (_, replayed) = crate::metadata::log::MetadataLog::open(
        &commitlog::Env::new(8),
        directory.path(),
        MetadataLogSettings::default(),
        0,
    )
    .unwrap();
    let partition = &replayed.image.topic("a").unwrap().partitions[0];
    assert_eq!(partition.leader, NO_LEADER);
    assert_eq!(partition.eligible_leader_replicas, [1]);
    assert!(replayed.image.broker(1).unwrap().fenced);
}
