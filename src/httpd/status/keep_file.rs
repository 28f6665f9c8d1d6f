//! The file of changes that outlive the server: read by the parent at the start, replaced as a whole by whoever makes a change.
//!
//! Children have given up the parent's rights when they write, so the directory belongs to their user, and what lies in it
//! may have been put there by others: no link is followed, only a plain file of the right owner is read, and a new one is
//! written under another name, synchronised, and renamed. A reader or a crash finds the old file or the new one, never a
//! part. Nothing here runs for a request that is relayed.
//!
//! Source: `open(2)`, `rename(2)`, `fsync(2)`.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use crate::engine::status::keep::LONGEST;
use crate::ffi::server::Identity;

/// Write permissions of the group and of others.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Where changes are kept.
#[derive(Debug, Clone)]
pub struct KeepFile {
    path: PathBuf,
    who: Identity,
}

impl KeepFile {
    /// The file at `path`, absolute. `who`: the users this server runs as.
    pub fn new(path: PathBuf, who: Identity) -> Self {
        Self { path, who }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes its directory if it is missing, for the user of the children alone.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn prepare(&self) -> io::Result<()> {
        let directory = self.directory();
        match DirBuilder::new().mode(0o700).create(directory) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
            made => made?,
        }
        let made = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_DIRECTORY)
            .open(directory)?;
        self.give_away(&made)
    }

    /// Its content; `None`: there is no file.
    ///
    /// # Errors
    /// It is no plain file of this server, too long, or cannot be read.
    pub fn read(&self) -> io::Result<Option<Vec<u8>>> {
        // A pipe is opened without waiting for its writer.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
                return Err(io::Error::other("it is a symbolic link, which is not followed"));
            }
            Err(error) => return Err(error),
        };
        let about = file.metadata()?;
        if !about.is_file() || about.nlink() != 1 {
            return Err(io::Error::other("it is not a plain file with one name"));
        }
        if ![self.who.own, self.who.child].contains(&about.uid()) {
            return Err(io::Error::other(format!("it belongs to another user ({})", about.uid())));
        }
        if about.mode() & WRITABLE_BY_OTHERS != 0 {
            return Err(io::Error::other("other users may write to it"));
        }
        if about.len() > LONGEST {
            return Err(io::Error::other(format!("it is longer than {LONGEST} bytes")));
        }
        let mut content = Vec::new();
        file.take(LONGEST).read_to_end(&mut content)?;
        Ok(Some(content))
    }

    /// Replaces it. One thread of the server at a time may call this.
    ///
    /// # Errors
    /// What was there is there still.
    pub fn write(&self, text: &str) -> io::Result<()> {
        match fs::symlink_metadata(&self.path) {
            Ok(there) if !there.is_file() => {
                return Err(io::Error::other(
                    "its name is that of a link or of something else; it is left alone",
                ));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let new = self.beside(&format!(".{}.new", std::process::id()));
        let result = self.write_to(&new, text);
        if result.is_err() {
            let _ = fs::remove_file(&new);
        }
        result
    }

    fn write_to(&self, new: &Path, text: &str) -> io::Result<()> {
        let mut file = match open_new(new) {
            // A process of the same id was killed while it wrote.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_file(new)?;
                open_new(new)?
            }
            other => other?,
        };
        file.set_permissions(Permissions::from_mode(0o600))?; // whatever the umask took away
        self.give_away(&file)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(new, &self.path)?;
        // The name, too, is to outlive a loss of power.
        File::open(self.directory())?.sync_all()
    }

    /// Gives it another name, so that it is neither used nor lost. Returns the name. `now`: seconds since 1970.
    ///
    /// # Errors
    /// It stays where it is.
    pub fn set_aside(&self, now: u64) -> io::Result<PathBuf> {
        let aside = self.beside(&format!(".damaged-{now}"));
        fs::rename(&self.path, &aside)?;
        Ok(aside)
    }

    /// Whether this process may write it.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub fn try_out(&self) -> io::Result<()> {
        let trial = self.beside(&format!(".{}.try", std::process::id()));
        open_new(&trial)?;
        fs::remove_file(trial)
    }

    fn beside(&self, end: &str) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(end);
        name.into()
    }

    fn directory(&self) -> &Path {
        self.path.parent().unwrap_or_else(|| Path::new("/"))
    }

    /// What the parent makes belongs to the user of its children.
    fn give_away(&self, file: &File) -> io::Result<()> {
        let about = file.metadata()?;
        if about.uid() == self.who.own && self.who.own != self.who.child {
            fchown(file, Some(self.who.child), Some(self.who.child_group))?;
        }
        Ok(())
    }
}

/// Opens a file that has not been there.
fn open_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
}
