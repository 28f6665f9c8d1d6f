//! APR tables: ordered name and value pairs, names compared without case. [`Form`]: many pairs at once, at a fraction of the cost.

use std::ffi::{CStr, c_char};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::OnceLock;

use super::bindings as sys;
use super::pool::{Pool, Text};

/// A borrowed table.
#[derive(Clone, Copy)]
pub struct Table<'r> {
    raw: NonNull<sys::apr_table_t>,
    life: PhantomData<&'r ()>,
}

/// The bytes of a C string, none for null.
///
/// # Safety
/// `text` is null or a NUL-terminated string that lives for `'r` unchanged.
pub(super) unsafe fn bytes<'r>(text: *const c_char) -> Option<&'r [u8]> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, hence NUL-terminated and alive by the contract above.
    Some(unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// `key` is `name`, whatever the case of the letters.
///
/// # Safety
/// `key` is null or NUL-terminated.
unsafe fn is_named(key: *const c_char, name: &[u8]) -> bool {
    let key = key.cast::<u8>();
    // SAFETY: not null; the first octet may be the NUL.
    if key.is_null() || unsafe { key.read() } | 0x20 != name.first().map_or(0x20, |first| first | 0x20) {
        return false;
    }
    for (at, wanted) in name.iter().enumerate() {
        // SAFETY: no octet before this one is NUL, or the loop would have ended.
        let octet = unsafe { key.add(at).read() };
        if octet == 0 || !octet.eq_ignore_ascii_case(wanted) {
            return false;
        }
    }
    // SAFETY: as above, for the octet behind the last one.
    unsafe { key.add(name.len()).read() == 0 }
}

impl<'r> Table<'r> {
    /// # Safety
    /// `raw` is null or a live table for `'r`.
    pub(super) unsafe fn new(raw: *mut sys::apr_table_t) -> Option<Self> {
        NonNull::new(raw).map(|raw| Self { raw, life: PhantomData })
    }

    pub(super) fn raw(self) -> *mut sys::apr_table_t {
        self.raw.as_ptr()
    }

    /// The first value of `name`.
    pub fn get(self, name: &CStr) -> Option<&'r [u8]> {
        // SAFETY: table and name are valid; the value lives as long as the table's pool.
        unsafe { bytes(sys::apr_table_get(self.raw(), name.as_ptr())) }
    }

    /// Sets `name`; both texts live as long as the table.
    pub fn set(self, name: &'static CStr, value: impl Into<Text<'r>>) {
        let value = value.into();
        if self.is_empty() {
            return self.add(name.into(), value); // without the search
        }
        // SAFETY: table and texts are valid; the table keeps the pointers, which live as long as it does.
        unsafe { sys::apr_table_setn(self.raw(), name.as_ptr(), value.as_ptr()) };
    }

    /// Adds a pair; pairs of the same name stay separate.
    pub fn add(self, name: Text<'r>, value: Text<'r>) {
        // SAFETY: table and texts are valid; the table keeps the pointers, which live as long as it does.
        unsafe { sys::apr_table_addn(self.raw(), name.as_ptr(), value.as_ptr()) };
    }

    /// Removes all pairs of `name`.
    pub fn unset(self, name: &CStr) {
        // SAFETY: table and name are valid.
        unsafe { sys::apr_table_unset(self.raw(), name.as_ptr()) };
    }

    /// Number of pairs.
    pub fn len(self) -> usize {
        usize::try_from(self.elements().nelts).unwrap_or(0)
    }

    /// No pairs.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    fn elements(self) -> &'r sys::apr_array_header_t {
        // SAFETY: apr_table_t begins with its array header; apr_table_elts() is the same cast.
        unsafe { self.raw.cast::<sys::apr_array_header_t>().as_ref() }
    }

    /// Its entries in order. The table must not change meanwhile.
    fn entries(self) -> &'r [sys::apr_table_entry_t] {
        let elements = self.elements();
        if elements.elts.is_null() {
            return &[];
        }
        // SAFETY: the array holds `nelts` initialised entries.
        unsafe {
            std::slice::from_raw_parts(
                elements.elts.cast::<sys::apr_table_entry_t>(),
                usize::try_from(elements.nelts).unwrap_or(0),
            )
        }
    }

    /// The values of all pairs of a name, in order; none without a table. The table must not change meanwhile.
    ///
    /// Most names differ in their first letter, so they are not measured before they are compared.
    pub fn values(table: Option<Self>, name: &[u8]) -> impl Iterator<Item = &'r [u8]> {
        table.map_or(&[][..], Self::entries).iter().filter_map(move |entry| {
            // SAFETY: keys and values of a table are NUL-terminated strings of its pool (a key may be null).
            unsafe { if is_named(entry.key, name) { bytes(entry.val) } else { None } }
        })
    }

    /// All pairs in order. The table must not change meanwhile.
    pub fn iter(self) -> impl Iterator<Item = (&'r [u8], &'r [u8])> {
        self.entries().iter().filter_map(|entry| {
            // SAFETY: keys and values of a table are NUL-terminated strings of its pool (a key may be null).
            unsafe { Some((bytes(entry.key)?, bytes(entry.val)?)) }
        })
    }
}

/// A table of known names without values, made once in a process. Requests copy it and fill in their values, so that no name
/// has to be put in order again.
pub struct Form<const N: usize> {
    names: [&'static CStr; N],
    made: OnceLock<Made>,
}

/// The table; null when memory ran out.
struct Made(*mut sys::apr_table_t);

// SAFETY: the table is only read once it is made.
unsafe impl Send for Made {}
// SAFETY: as above.
unsafe impl Sync for Made {}

impl<const N: usize> Form<N> {
    /// Room for what a table has besides.
    const MORE: usize = 11;

    /// For these names, which all differ.
    pub const fn new(names: [&'static CStr; N]) -> Self {
        Self { names, made: OnceLock::new() }
    }

    /// Makes it; it stays as long as the process.
    fn make(&self) -> Made {
        let mut pool = std::ptr::null_mut();
        // SAFETY: a pool without a parent, which nobody clears; names are static, and the values are replaced in each copy.
        unsafe {
            if sys::apr_pool_create_ex(&raw mut pool, std::ptr::null_mut(), None, std::ptr::null_mut()) != 0 {
                return Made(std::ptr::null_mut());
            }
            let size = std::ffi::c_int::try_from(N + Self::MORE).unwrap_or(0);
            let table = sys::apr_table_make(pool, size);
            for name in self.names {
                sys::apr_table_addn(table, name.as_ptr(), c"".as_ptr());
            }
            Made(table)
        }
    }

    /// A table in `pool` with these values, and behind them all pairs of `others`.
    pub(super) fn fill<'r>(
        &self,
        pool: Pool<'r>,
        values: [Text<'r>; N],
        others: Table<'r>,
    ) -> Option<Table<'r>> {
        let made = self.made.get_or_init(|| self.make());
        if made.0.is_null() {
            return None;
        }
        // SAFETY: the table of the form is live and not changed any more; the pool is live.
        let filled = unsafe { Table::new(sys::apr_table_copy(pool.raw(), made.0)) }?;
        // SAFETY: the copy has the N entries of the form, which nobody else knows yet. Only values are replaced: the order
        // that the table keeps is one of names.
        let entries = unsafe {
            std::slice::from_raw_parts_mut(filled.elements().elts.cast::<sys::apr_table_entry_t>(), N)
        };
        for (entry, value) in entries.iter_mut().zip(values) {
            entry.val = value.as_ptr().cast_mut();
        }
        for entry in others.entries() {
            // SAFETY: keys and values live in a pool of the request; they are handed on, not copied.
            unsafe { sys::apr_table_addn(filled.raw(), entry.key, entry.val) };
        }
        Some(filled)
    }
}
