//! The file of `JkShmFile`: made for one server, readable by its owner alone, removed by the process that made it.
//!
//! The name is predictable, so the place may be prepared by others: no link is followed, nothing is opened that was there
//! before, and only a plain file of our own is replaced.
//!
//! Source: `open(2)`, `posix_fallocate(3)`.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A file that is removed with this value.
#[derive(Debug)]
pub(super) struct SharedFile {
    path: PathBuf,
    creator: u32,
    /// Device and number of the file: another file that has taken the name is left alone.
    identity: (u64, u64),
}

impl SharedFile {
    /// `base` with the process id appended, as mod_jk does it.
    pub(super) fn name(base: &Path, pid: u32) -> PathBuf {
        let mut name = OsString::from(base);
        name.push(format!(".{pid}"));
        name.into()
    }

    /// Makes a file of `size` octets, all zero, with its blocks on the disk.
    pub(super) fn create(path: &Path, size: usize, creator: u32) -> io::Result<(Self, File)> {
        let open = match open_new(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                remove_stale(path)?;
                open_new(path)?
            }
            other => other?,
        };
        let meta = open.metadata()?;
        // From here on dropping it removes the file again.
        let file = Self { path: path.to_owned(), creator, identity: (meta.dev(), meta.ino()) };
        open.set_permissions(fs::Permissions::from_mode(0o600))?; // whatever the umask took away
        reserve(&open, size)?;
        Ok((file, open))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SharedFile {
    fn drop(&mut self) {
        // A child has a copy of this value, but the file is not its own to remove.
        if std::process::id() != self.creator {
            return;
        }
        let same = fs::symlink_metadata(&self.path)
            .is_ok_and(|meta| meta.is_file() && (meta.dev(), meta.ino()) == self.identity);
        if same {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Opens a file that has not been there. (The standard library adds `O_CLOEXEC`; `create_new` is `O_CREAT | O_EXCL`.)
fn open_new(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
}

/// Removes what a dead process of the same id has left. Process ids come back, in containers at every start.
fn remove_stale(path: &Path) -> io::Result<()> {
    let meta = fs::symlink_metadata(path)?;
    // SAFETY: no memory is passed.
    let own = unsafe { libc::geteuid() };
    if !meta.is_file() || meta.uid() != own || meta.nlink() != 1 {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "exists and is not a plain file of this user; it is left alone",
        ));
    }
    fs::remove_file(path)
}

/// Gives the file its size. With blocks behind all of it, so that a disk that is full is an error here and not a signal
/// in some request later.
#[cfg(target_os = "linux")]
fn reserve(file: &File, size: usize) -> io::Result<()> {
    let size = libc::off_t::try_from(size).map_err(io::Error::other)?;
    loop {
        // SAFETY: the descriptor is open; no memory is passed.
        match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, size) } {
            0 => return Ok(()),
            libc::EINTR => {}
            error => return Err(io::Error::from_raw_os_error(error)),
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn reserve(file: &File, size: usize) -> io::Result<()> {
    let _ = file.as_raw_fd();
    file.set_len(u64::try_from(size).map_err(io::Error::other)?)
}
