//! A piece of memory that the parent maps before it forks; its children inherit it.
//!
//! It has no name (anonymous) unless `JkShmFile` asks for a file. Anonymous memory is taken page by page when it is first
//! used; a file gets its blocks at once, because a full disk would otherwise kill a process in the middle of a request.
//!
//! Nothing is ever unmapped: processes of earlier generations and their requests may still look at it. A segment that was
//! replaced by a larger one therefore keeps its address space; the kernel frees memory when the last process is gone.
//!
//! Source: `mmap(2)`.

use std::fmt;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};

use super::file::SharedFile;
use super::layout::{Capacity, Map, Shape};

/// Shared memory, and the file that shows it. Dropped by the process that made it, it removes the file.
#[derive(Debug)]
pub struct Segment {
    map: Map,
    file: Option<SharedFile>,
}

/// Why there is no shared memory.
#[derive(Debug)]
pub enum CreateError {
    /// More records than a segment can hold.
    TooLarge(Capacity),
    /// The file could not be made.
    File(PathBuf, io::Error),
    /// The system gives no memory: octets asked for, its reason.
    Memory(usize, io::Error),
}

impl fmt::Display for CreateError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(capacity) => write!(
                out,
                "{} workers, {} members and {} balancers are more than shared memory is made for",
                capacity.workers, capacity.members, capacity.balancers
            ),
            Self::File(path, error) => write!(out, "shared memory file {}: {error}", path.display()),
            Self::Memory(size, error) => write!(out, "{size} octets of shared memory: {error}"),
        }
    }
}

impl std::error::Error for CreateError {}

impl Segment {
    /// Maps memory for `capacity`, all zero. `file`: the value of `JkShmFile`; the file's name gets the process id appended.
    ///
    /// # Errors
    /// See [`CreateError`].
    pub fn create(capacity: Capacity, file: Option<&Path>) -> Result<Self, CreateError> {
        let shape = Shape::of(capacity).ok_or(CreateError::TooLarge(capacity))?;
        let creator = std::process::id();
        let file = match file {
            None => None,
            Some(path) => {
                let path = SharedFile::name(path, creator);
                let file = SharedFile::create(&path, shape.size, creator)
                    .map_err(|error| CreateError::File(path, error))?;
                Some(file)
            }
        };
        let base = map(shape.size, file.as_ref().map(|(_, open)| open))
            .map_err(|error| CreateError::Memory(shape.size, error))?;
        // SAFETY: a mapping of `size` octets, aligned to a page, readable, writable, fresh and so zero; never unmapped.
        let map = unsafe { Map::new(base, shape) };
        map.introduce(creator);
        Ok(Self { map, file: file.map(|(file, _)| file) })
    }

    /// The memory.
    pub fn map(&self) -> Map {
        self.map
    }

    /// The file, if there is one.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(SharedFile::path)
    }
}

#[cfg(target_os = "linux")]
const SPARSE: libc::c_int = libc::MAP_NORESERVE;
#[cfg(not(target_os = "linux"))]
const SPARSE: libc::c_int = 0;

/// Maps `size` octets, of `file` or without a name. The descriptor is not needed afterwards.
fn map(size: usize, file: Option<&std::fs::File>) -> io::Result<NonNull<u8>> {
    let (flags, fd) = match file {
        Some(file) => (libc::MAP_SHARED, file.as_raw_fd()),
        None => (libc::MAP_SHARED | libc::MAP_ANONYMOUS | SPARSE, -1),
    };
    // SAFETY: a new mapping at an address of the kernel's choice touches no memory that exists.
    let base = unsafe { libc::mmap(ptr::null_mut(), size, libc::PROT_READ | libc::PROT_WRITE, flags, fd, 0) };
    if base == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(base.cast()).ok_or_else(|| io::Error::other("mapped at address 0"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::sync::atomic::Ordering;

    use super::super::layout::{MAGIC, PICTURE};
    use super::*;
    use crate::engine::balance::state::LAYOUT;

    const SMALL: Capacity = Capacity { workers: 4, members: 4, balancers: 2, rows: 3 };

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("shm-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn base(&self) -> PathBuf {
            self.0.join("jk.shm")
        }

        fn file(&self) -> PathBuf {
            self.0.join(format!("jk.shm.{}", std::process::id()))
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn it_says_what_it_is() {
        let segment = Segment::create(SMALL, None).unwrap();
        let header = segment.map().header();
        assert_eq!(header.magic.load(Ordering::Relaxed), MAGIC);
        assert_eq!(header.picture.load(Ordering::Relaxed), PICTURE);
        assert_eq!(header.records.load(Ordering::Relaxed), LAYOUT);
        assert_eq!(header.creator.load(Ordering::Relaxed), std::process::id());
        assert_eq!(header.capacities[3].load(Ordering::Relaxed), 3);
        assert!(segment.path().is_none());
    }

    #[test]
    fn the_file_is_private_and_goes_with_the_segment() {
        let dir = Dir::new("private");
        let segment = Segment::create(SMALL, Some(&dir.base())).unwrap();
        assert_eq!(segment.path(), Some(&*dir.file()));
        let meta = std::fs::metadata(dir.file()).unwrap();
        assert_eq!(meta.permissions().mode() & 0o7777, 0o600);
        assert_eq!(meta.len(), u64::try_from(segment.map().size()).unwrap());
        assert!(meta.blocks() * 512 >= meta.len(), "a full disk has to show now, not later");
        assert_eq!(std::fs::read(dir.file()).unwrap()[..8], MAGIC.to_ne_bytes());
        let map = segment.map();
        drop(segment);
        assert!(!dir.file().exists());
        map.workers()[3].used.store(1, Ordering::Relaxed); // the memory stays
    }

    #[test]
    fn a_stale_file_is_replaced() {
        let dir = Dir::new("stale");
        std::fs::write(dir.file(), "left by a dead process").unwrap();
        std::fs::set_permissions(dir.file(), std::fs::Permissions::from_mode(0o644)).unwrap();
        let segment = Segment::create(SMALL, Some(&dir.base())).unwrap();
        assert_eq!(std::fs::metadata(dir.file()).unwrap().permissions().mode() & 0o7777, 0o600);
        // A larger segment takes the name over; the old one does not take the file away then.
        let larger = Segment::create(Capacity { workers: 400, ..SMALL }, Some(&dir.base())).unwrap();
        drop(segment);
        assert!(dir.file().exists());
        drop(larger);
        assert!(!dir.file().exists());
    }

    #[test]
    fn links_and_directories_are_refused() {
        let dir = Dir::new("links");
        let target = dir.0.join("target");
        std::fs::write(&target, "precious").unwrap();
        for what in ["symlink", "dangling", "hard link", "directory"] {
            match what {
                "symlink" => std::os::unix::fs::symlink(&target, dir.file()).unwrap(),
                "dangling" => std::os::unix::fs::symlink(dir.0.join("none"), dir.file()).unwrap(),
                "hard link" => std::fs::hard_link(&target, dir.file()).unwrap(),
                _ => std::fs::create_dir(dir.file()).unwrap(),
            }
            let error = Segment::create(SMALL, Some(&dir.base())).expect_err(what);
            assert!(matches!(error, CreateError::File(..)), "{what}: {error}");
            assert!(error.to_string().contains("jk.shm."), "{error}");
            assert!(std::fs::symlink_metadata(dir.file()).is_ok(), "{what} was removed");
            assert!(!dir.0.join("none").exists());
            let _ = std::fs::remove_file(dir.file());
        }
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
    }

    #[test]
    fn problems_have_words() {
        let error = Segment::create(Capacity { workers: 1 << 20, ..SMALL }, None).unwrap_err();
        assert!(error.to_string().contains("1048576 workers"), "{error}");
        let error = Segment::create(SMALL, Some(Path::new("/nonexistent/jk.shm"))).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/jk.shm."), "{error}");
    }
}
