//! Disks that fail, and machines that crash.

use std::path::Path;
use std::sync::Arc;

use commitlog::Env;
use commitlog::fault::{FaultyDisk, Loss};

use super::node::{block_on, create, options, start, topic};
use crate::metadata::{Controller, ControllerError};

fn start_on(path: &Path, disk: &Arc<FaultyDisk>) -> Controller {
    let env = Env::with_disk(Arc::clone(disk) as Arc<dyn commitlog::Disk>, 64);
    Controller::start(crate::metadata::Options { env, ..options(path, None) }).unwrap()
}

fn names(controller: &Controller) -> Vec<String> {
    controller.image().topics.iter().map(|topic| topic.name.to_string()).collect()
}

/// Whether a topic could be made.
fn try_create(controller: &Controller, name: &str) -> bool {
    match block_on(controller.create_topics(vec![topic(name, 2)], false)) {
        Ok(results) => results.into_iter().all(|result| result.outcome.is_ok()),
        Err(ControllerError::Failed(_)) => false,
        Err(ControllerError::Closed) => panic!("closed by nobody"),
    }
}

#[test]
fn after_a_failed_fsync_or_a_full_disk_nothing_is_promised_until_a_restart() {
    type Fault = fn(&FaultyDisk, bool);
    let faults: [Fault; 2] = [|disk, fail| disk.fail_syncs(fail), |disk, fail| disk.limit_space(fail.then_some(20))];
    for fault in faults {
        let directory = tempfile::tempdir().unwrap();
        let disk = Arc::new(FaultyDisk::new());
        let controller = start_on(directory.path(), &disk);
        create(&controller, vec![topic("before", 1)]);
        fault(&disk, true);
        assert!(!try_create(&controller, "during"));
        assert_eq!(names(&controller), ["before"], "what was not flushed is not seen");
        fault(&disk, false);
        assert!(!try_create(&controller, "after"), "the log is not trusted any more");
        block_on(controller.close()).unwrap_err();
        let controller = start(directory.path());
        let found = names(&controller);
        assert!(found == ["before"] || found == ["before", "during"], "{found:?}");
        create(&controller, vec![topic("again", 1)]);
    }
}

#[test]
fn a_crash_after_any_operation_of_the_disk_loses_nothing_acknowledged() {
    let losses: [fn(u64) -> Loss; 3] =
        [|_| Loss::Cut(0), |unsynced| Loss::Cut(unsynced / 2), |unsynced| Loss::Zeros(unsynced / 2)];
    let mut died = 0;
    for operations in 0..40 {
        let directory = tempfile::tempdir().unwrap();
        let disk = Arc::new(FaultyDisk::new());
        let controller = start_on(directory.path(), &disk);
        disk.kill_after(operations);
        let asked = ["a", "b", "c", "d"];
        let acknowledged: Vec<&str> = asked.into_iter().filter(|name| try_create(&controller, name)).collect();
        died += usize::from(acknowledged.len() < asked.len());
        // Fails if the disk is dead, and returns once the log is no longer open.
        let _ = block_on(controller.close());
        drop(controller);
        disk.crash(losses[operations as usize % losses.len()]).unwrap();
        let controller = start(directory.path());
        let found = names(&controller);
        assert!(found.len() >= acknowledged.len(), "{operations}: {acknowledged:?} of which {found:?} are there");
        assert!(asked.iter().zip(&found).all(|(asked, found)| asked == found), "{operations}: {found:?}");
    }
    assert!(died > 5, "only {died} runs were hit");
}
