//! The few operations that change a disk, behind a trait, so that tests can make them fail.
//!
//! Reading needs no trait: what a test breaks is what was written. Files are real files in every implementation
//! (readers hand their descriptors to `sendfile`); see [`crate::fault`] for the one that fails.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Changes to a disk. After an error of any of these the caller takes its log offline and does not try again: after a
/// failed `sync` the kernel may have dropped the very pages that a second try would report as clean.
pub trait Disk: Send + Sync + Debug {
    /// Opens a file for reading and writing, making it if `create` is set.
    fn open(&self, path: &Path, create: bool) -> io::Result<File>;
    /// Writes all of `bytes` at `position`. After an error any part of them may be in the file.
    fn write_at(&self, file: &File, bytes: &[u8], position: u64) -> io::Result<()>;
    /// Cuts or grows a file.
    fn set_len(&self, file: &File, len: u64) -> io::Result<()>;
    /// Reserves blocks for a file without changing its length.
    fn reserve(&self, file: &File, len: u64) -> io::Result<()>;
    /// Returns when the file's bytes and length are on the medium.
    fn sync(&self, file: &File) -> io::Result<()>;
    /// Returns when the folder's entries (files made, renamed, removed) are on the medium.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Renames a file or folder, replacing a file that has the new name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
}

/// The machine's own disk.
#[derive(Debug, Default, Clone, Copy)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn open(&self, path: &Path, create: bool) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create(create).truncate(false).open(path)
    }

    fn write_at(&self, file: &File, bytes: &[u8], position: u64) -> io::Result<()> {
        file.write_all_at(bytes, position)
    }

    fn set_len(&self, file: &File, len: u64) -> io::Result<()> {
        file.set_len(len)
    }

    fn reserve(&self, file: &File, len: u64) -> io::Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        match fallocate(file, FallocateFlags::KEEP_SIZE, 0, len) {
            // Reserving is a hint about layout; a file system without it stores the same bytes.
            Err(rustix::io::Errno::OPNOTSUPP) | Ok(()) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}
