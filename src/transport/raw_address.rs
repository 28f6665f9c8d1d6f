//! Socket addresses as the kernel wants them.

use std::mem::{MaybeUninit, size_of};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libc::{c_int, socklen_t};

use crate::engine::exchange::LinkError;

/// The size of a type as the kernel wants it.
pub(super) fn length_of<T>() -> socklen_t {
    // The types passed are a few octets long.
    socklen_t::try_from(size_of::<T>()).unwrap_or(0)
}

/// A socket address as the kernel wants it.
pub(super) struct RawAddress {
    storage: libc::sockaddr_storage,
    length: socklen_t,
}

impl RawAddress {
    pub(super) fn empty() -> Self {
        // SAFETY: all-zero is a valid sockaddr_storage.
        let storage = unsafe { MaybeUninit::zeroed().assume_init() };
        Self { storage, length: length_of::<libc::sockaddr_storage>() }
    }

    /// `T` must be one of the C types for socket addresses.
    fn of<T: Copy>(address: T) -> Self {
        const { assert!(size_of::<T>() <= size_of::<libc::sockaddr_storage>()) };
        let mut raw = Self::empty();
        // SAFETY: the storage is large enough, which was just asserted, and aligned for every socket address.
        unsafe { (&raw mut raw.storage).cast::<T>().write(address) };
        raw.length = length_of::<T>();
        raw
    }

    pub(super) fn inet(address: &SocketAddr) -> Self {
        match address {
            SocketAddr::V4(four) => {
                // SAFETY: all-zero is a valid sockaddr_in.
                let mut raw: libc::sockaddr_in = unsafe { MaybeUninit::zeroed().assume_init() };
                raw.sin_family = family(libc::AF_INET);
                raw.sin_port = four.port().to_be();
                raw.sin_addr.s_addr = u32::from_ne_bytes(four.ip().octets());
                Self::of(raw)
            }
            SocketAddr::V6(six) => {
                // SAFETY: all-zero is a valid sockaddr_in6.
                let mut raw: libc::sockaddr_in6 = unsafe { MaybeUninit::zeroed().assume_init() };
                raw.sin6_family = family(libc::AF_INET6);
                raw.sin6_port = six.port().to_be();
                raw.sin6_addr.s6_addr = six.ip().octets();
                raw.sin6_scope_id = six.scope_id();
                Self::of(raw)
            }
        }
    }

    pub(super) fn unix(path: &Path) -> Result<Self, LinkError> {
        // SAFETY: all-zero is a valid sockaddr_un.
        let mut raw: libc::sockaddr_un = unsafe { MaybeUninit::zeroed().assume_init() };
        let octets = path.as_os_str().as_bytes();
        // One octet stays zero as the terminator.
        if octets.len() >= raw.sun_path.len() {
            return Err(LinkError::Os(libc::ENAMETOOLONG));
        }
        if octets.is_empty() || octets.contains(&0) {
            return Err(LinkError::Os(libc::EINVAL));
        }
        raw.sun_family = family(libc::AF_UNIX);
        for (to, from) in raw.sun_path.iter_mut().zip(octets) {
            *to = libc::c_char::from_ne_bytes([*from]);
        }
        Ok(Self::of(raw))
    }

    pub(super) fn family(&self) -> c_int {
        c_int::from(self.storage.ss_family)
    }

    pub(super) fn pointer(&self) -> *const libc::sockaddr {
        (&raw const self.storage).cast()
    }

    /// Octets of it that count.
    pub(super) fn length(&self) -> socklen_t {
        self.length
    }

    /// Where the kernel writes an address and its length.
    pub(super) fn parts(&mut self) -> (*mut libc::sockaddr, *mut socklen_t) {
        ((&raw mut self.storage).cast(), &raw mut self.length)
    }

    /// Both name the same IP address and port.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.inet_parts().is_some_and(|parts| other.inet_parts() == Some(parts))
    }

    pub(super) fn inet_parts(&self) -> Option<(u16, IpAddr)> {
        match self.family() {
            libc::AF_INET => {
                // SAFETY: an address of this family is a sockaddr_in, which the storage has room and alignment for.
                let raw = unsafe { &*(&raw const self.storage).cast::<libc::sockaddr_in>() };
                Some((raw.sin_port, IpAddr::from(raw.sin_addr.s_addr.to_ne_bytes())))
            }
            libc::AF_INET6 => {
                // SAFETY: an address of this family is a sockaddr_in6, which the storage has room and alignment for.
                let raw = unsafe { &*(&raw const self.storage).cast::<libc::sockaddr_in6>() };
                Some((raw.sin6_port, IpAddr::from(raw.sin6_addr.s6_addr)))
            }
            _ => None,
        }
    }
}

fn family(family: c_int) -> libc::sa_family_t {
    // AF_INET, AF_INET6 and AF_UNIX are small numbers everywhere.
    libc::sa_family_t::try_from(family).unwrap_or(0)
}
