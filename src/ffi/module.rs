//! The module record httpd loads, and the config vectors it indexes.

use std::cell::UnsafeCell;
use std::ffi::{CStr, c_void};

use super::bindings as sys;
use super::command::CommandTable;
use super::entry::{self, Module};

/// The record that is exported as `jk_module`. httpd writes its index and list link into it while it loads the module.
#[repr(transparent)]
pub struct ModuleRecord(UnsafeCell<sys::module>);

// SAFETY: httpd writes to the record only while it is single-threaded (loading); afterwards it is read only.
unsafe impl Sync for ModuleRecord {}

impl ModuleRecord {
    /// The record of `M` under the file name `name`, which is what `<IfModule>` compares.
    pub const fn new<M: Module, const N: usize>(
        name: &'static CStr,
        commands: &'static CommandTable<N>,
    ) -> Self {
        Self(UnsafeCell::new(sys::module {
            version: sys::MODULE_MAGIC_NUMBER_MAJOR as i32,
            minor_version: sys::MODULE_MAGIC_NUMBER_MINOR as i32,
            module_index: -1,
            name: name.as_ptr(),
            dynamic_load_handle: std::ptr::null_mut(),
            next: std::ptr::null_mut(),
            magic: sys::MODULE_MAGIC_COOKIE as _,
            rewrite_args: None,
            create_dir_config: None,
            merge_dir_config: None,
            create_server_config: Some(entry::create_config::<M>),
            merge_server_config: Some(entry::merge_config::<M>),
            cmds: commands.first(),
            register_hooks: Some(entry::register_hooks::<M>),
            flags: 0,
        }))
    }

    /// Position in config vectors and the log level table; -1 before the module is loaded.
    pub(super) fn index(&self) -> i32 {
        // SAFETY: plain read; nobody writes once the module is loaded.
        unsafe { (*self.0.get()).module_index }
    }

    /// This module's entry of a config vector.
    ///
    /// # Safety
    /// `vector` is a live config vector of httpd.
    pub(super) unsafe fn entry(&self, vector: *mut sys::ap_conf_vector_t) -> *mut c_void {
        let index = usize::try_from(self.index()).unwrap_or(0);
        // SAFETY: config vectors have one entry for each loaded module.
        unsafe { *vector.cast::<*mut c_void>().add(index) }
    }

    /// Sets this module's entry of a config vector.
    ///
    /// # Safety
    /// As [`ModuleRecord::entry`]; `value` lives as long as the vector.
    pub(super) unsafe fn set_entry(&self, vector: *mut sys::ap_conf_vector_t, value: *mut c_void) {
        let index = usize::try_from(self.index()).unwrap_or(0);
        // SAFETY: as above.
        unsafe { *vector.cast::<*mut c_void>().add(index) = value };
    }
}
