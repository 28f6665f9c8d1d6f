//! APR tables: ordered name and value pairs, names compared without case.

use std::ffi::{CStr, c_char};
use std::marker::PhantomData;
use std::ptr::NonNull;

use super::bindings as sys;
use super::pool::Text;

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

    /// All pairs in order. The table must not change meanwhile.
    pub fn iter(self) -> impl Iterator<Item = (&'r [u8], &'r [u8])> {
        let elements = self.elements();
        let entries: &'r [sys::apr_table_entry_t] = if elements.elts.is_null() {
            &[]
        } else {
            // SAFETY: the array holds `nelts` initialised entries.
            unsafe {
                std::slice::from_raw_parts(
                    elements.elts.cast::<sys::apr_table_entry_t>(),
                    usize::try_from(elements.nelts).unwrap_or(0),
                )
            }
        };
        entries.iter().filter_map(|entry| {
            // SAFETY: keys and values of a table are NUL-terminated strings of its pool (a key may be null).
            unsafe { Some((bytes(entry.key)?, bytes(entry.val)?)) }
        })
    }
}
