//! APR pools: memory that lives as long as a request, a configuration or a process.

use std::ffi::{CStr, CString, c_char, c_void};
use std::marker::PhantomData;
use std::ptr::NonNull;

use super::bindings as sys;
use crate::engine::text;

/// A NUL-terminated text that lives as long as a pool. Its length is not known: it is for httpd to read.
#[derive(Clone, Copy)]
pub struct Text<'p> {
    raw: NonNull<c_char>,
    life: PhantomData<&'p CStr>,
}

impl Text<'_> {
    pub(super) fn as_ptr(self) -> *const c_char {
        self.raw.as_ptr()
    }
}

impl<'p> From<&'p CStr> for Text<'p> {
    fn from(text: &'p CStr) -> Self {
        Self { raw: NonNull::from(text).cast(), life: PhantomData }
    }
}

/// A copy in a pool of octets that hold many texts, most of them with a NUL behind them. See [`Pool::copy_all`].
pub struct Copied<'p, 'o> {
    pool: Pool<'p>,
    original: &'o [u8],
    copy: &'p [u8],
}

impl<'p> Copied<'p, '_> {
    /// `text` for httpd: a place in the copy when it is a part of the original with a NUL behind it, else a copy of its
    /// own.
    #[inline]
    pub fn text(&self, text: &[u8]) -> Text<'p> {
        let start = text.as_ptr().addr().wrapping_sub(self.original.as_ptr().addr());
        let here = self.copy.get(start..).unwrap_or_default();
        match here.get(text.len()) {
            // Terminated inside the copy.
            Some(0) => Text { raw: NonNull::from(here).cast(), life: PhantomData },
            _ => self.pool.text(text),
        }
    }
}

/// A borrowed pool.
#[derive(Clone, Copy)]
pub struct Pool<'p> {
    raw: NonNull<sys::apr_pool_t>,
    life: PhantomData<&'p ()>,
}

impl<'p> Pool<'p> {
    /// # Safety
    /// `raw` is a live pool for at least `'p`, used by one thread at a time.
    pub(super) unsafe fn new(raw: *mut sys::apr_pool_t) -> Option<Self> {
        NonNull::new(raw).map(|raw| Self { raw, life: PhantomData })
    }

    pub(super) fn raw(self) -> *mut sys::apr_pool_t {
        self.raw.as_ptr()
    }

    /// A NUL-terminated copy of `bytes` that lives as long as the pool. httpd ends the process when memory runs out.
    pub fn copy(self, bytes: &[u8]) -> &'p CStr {
        // SAFETY: the pool is live; apr_pstrmemdup copies exactly `len` octets and adds a NUL.
        let copy = unsafe { sys::apr_pstrmemdup(self.raw(), bytes.as_ptr().cast::<c_char>(), bytes.len()) };
        // SAFETY: the copy is NUL-terminated and lives as long as the pool.
        unsafe { CStr::from_ptr(copy) }
    }

    /// As [`Pool::copy`], for a text that only httpd reads.
    pub fn text(self, bytes: &[u8]) -> Text<'p> {
        // SAFETY: the pool is live; apr_pstrmemdup copies exactly `len` octets and adds a NUL; it never answers null.
        let raw = unsafe {
            NonNull::new_unchecked(sys::apr_pstrmemdup(self.raw(), bytes.as_ptr().cast(), bytes.len()))
        };
        Text { raw, life: PhantomData }
    }

    /// A copy of all texts in `original` at once; [`Copied::text`] finds each of them.
    pub fn copy_all<'o>(self, original: &'o [u8]) -> Copied<'p, 'o> {
        // SAFETY: the pool is live; the block has as many octets as the original, is filled before it is read, and is
        // never written again.
        let copy = unsafe {
            let block = sys::apr_palloc(self.raw(), original.len()).cast::<u8>();
            std::ptr::copy_nonoverlapping(original.as_ptr(), block, original.len());
            std::slice::from_raw_parts(block, original.len())
        };
        Copied { pool: self, original, copy }
    }

    /// Numbers as decimal text, in one piece of memory.
    pub fn decimals<const N: usize>(self, numbers: [u64; N]) -> [Text<'p>; N] {
        // Each has room for twenty digits and a NUL.
        let mut room = self.place([[0_u8; 21]; N]).iter_mut();
        numbers.map(|number| {
            let Some([digits @ .., _nul]) = room.next() else { return c"".into() };
            let start = text::digits(digits, number);
            let digits = digits.get(start..).unwrap_or_default();
            Text { raw: NonNull::from(digits).cast(), life: PhantomData }
        })
    }

    /// A number as decimal text.
    pub fn digits(self, number: u64) -> &'p [u8] {
        let room = self.place([0_u8; 20]);
        let start = text::digits(room, number);
        room.get(start..).unwrap_or_default()
    }

    /// Moves a value without destructor into the pool.
    pub fn place<T: Copy>(self, value: T) -> &'p mut T {
        const { assert!(align_of::<T>() <= 8, "APR aligns to 8 octets") };
        // SAFETY: the pool is live; the block is fresh, large enough and aligned, and dies with the pool.
        unsafe {
            let block = sys::apr_palloc(self.raw(), size_of::<T>()).cast::<T>();
            block.write(value);
            &mut *block
        }
    }

    /// Moves a value into memory of its own that is dropped when the pool is cleared.
    pub fn own<T: 'static>(self, value: T) -> NonNull<T> {
        unsafe extern "C" fn drop_box<T>(data: *mut c_void) -> sys::apr_status_t {
            super::guard::guard(0, || {
                // SAFETY: `data` came from Box::into_raw below and the pool calls this once.
                drop(unsafe { Box::from_raw(data.cast::<T>()) });
                0
            })
        }
        let pointer = NonNull::from(Box::leak(Box::new(value)));
        // SAFETY: the pool is live; the cleanup owns the box from here on.
        unsafe {
            sys::apr_pool_cleanup_register(
                self.raw(),
                pointer.as_ptr().cast(),
                Some(drop_box::<T>),
                Some(sys::apr_pool_cleanup_null),
            );
        }
        pointer
    }

    /// Keeps a value until the pool is cleared.
    pub fn keep<T: 'static>(self, value: T) -> &'p T {
        // SAFETY: owned by the pool, which lives for 'p; never handed out mutably.
        unsafe { &*self.own(value).as_ptr() }
    }

    /// Runs `action` when the pool is cleared.
    pub fn at_end(self, action: impl FnOnce() + 'static) {
        struct Run<F: FnOnce()>(Option<F>);
        impl<F: FnOnce()> Drop for Run<F> {
            fn drop(&mut self) {
                if let Some(action) = self.0.take() {
                    action();
                }
            }
        }
        self.own(Run(Some(action)));
    }

    /// The value kept in the pool under `key`, made by `make` the first time. It lives as long as the pool.
    ///
    /// A key stands for one type of one copy of this library: two versions of the module can be loaded one after the other
    /// into a process that is restarted, and their types of the same name need not have the same layout.
    pub fn remember_once<T: 'static>(self, key: &str, make: impl FnOnce() -> T) -> &'p T {
        static COPY: u8 = 0;
        let name = std::any::type_name::<T>();
        let key = CString::new(format!("{key}:{name}:{:p}", &raw const COPY)).unwrap_or_default();
        let mut data = std::ptr::null_mut();
        // SAFETY: the pool is live and the key is NUL-terminated.
        unsafe { sys::apr_pool_userdata_get(&mut data, key.as_ptr(), self.raw()) };
        // SAFETY: stored below under a key that names T, and alive as long as the pool.
        if let Some(value) = unsafe { data.cast::<T>().as_ref() } {
            return value;
        }
        let pointer = self.own(make());
        // SAFETY: pool, key and value are valid; APR copies the key.
        unsafe { sys::apr_pool_userdata_set(pointer.as_ptr().cast(), key.as_ptr(), None, self.raw()) };
        // SAFETY: owned by the pool, which lives for 'p.
        unsafe { pointer.as_ref() }
    }
}
