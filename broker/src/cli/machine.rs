//! What the machine must give: open files and room on the disks.

use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Less room than this is worth a line: one segment of a busy topic.
const SMALL: u64 = 1 << 30;

/// Raises the limit of open files as far as it may be raised, and returns it. A log has three files a segment, a
/// connection one.
pub fn raise_open_file_limit() -> u64 {
    let before = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: before.maximum, maximum: before.maximum };
    let limit = match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => before.maximum,
        Err(_) => before.current,
    };
    limit.unwrap_or(u64::MAX)
}

/// A line about the room on the disk under `directory`, if there is little. A directory that does not exist yet is
/// judged by the nearest one above it that does.
#[must_use]
pub fn disk_warning(directory: &Path) -> Option<String> {
    let existing = directory.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let existing = if existing.as_os_str().is_empty() { Path::new(".") } else { existing };
    let disk = rustix::fs::statvfs(existing).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    (free < SMALL).then(|| {
        format!("{} MB are free under {}; make room, or set log.dirs elsewhere", free >> 20, directory.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_open_files_is_as_high_as_it_may_be() {
        let limit = raise_open_file_limit();
        assert_eq!(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX), limit);
        assert_eq!(getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX), limit);
    }

    #[test]
    fn a_full_disk_is_named_and_one_with_room_is_not() {
        // procfs has no blocks at all, so none are free.
        if Path::new("/proc/self").exists() {
            let warning = disk_warning(Path::new("/proc/not/there")).expect("no room");
            assert!(warning.starts_with("0 MB are free under /proc/not/there"), "{warning}");
        }
        let room = tempfile::tempdir().expect("a directory");
        let disk = rustix::fs::statvfs(room.path()).expect("a file system");
        assert_eq!(disk_warning(room.path()).is_some(), disk.f_bavail * disk.f_frsize < SMALL);
    }
}
