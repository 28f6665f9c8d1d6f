//! Servers (the main one and virtual hosts) and the stages of start-up.

use std::ffi::{CStr, c_int};
use std::marker::PhantomData;
use std::ptr::NonNull;

use super::bindings as sys;
use super::entry::Module;
use super::pool::Pool;
use super::table::bytes;

/// A borrowed `server_rec`.
#[derive(Clone, Copy)]
pub struct Server<'s> {
    raw: NonNull<sys::server_rec>,
    life: PhantomData<&'s ()>,
}

impl<'s> Server<'s> {
    /// # Safety
    /// `raw` is a live server for `'s`.
    pub(super) unsafe fn new(raw: *mut sys::server_rec) -> Self {
        debug_assert!(!raw.is_null());
        // SAFETY: httpd never passes a null server.
        Self { raw: unsafe { NonNull::new_unchecked(raw) }, life: PhantomData }
    }

    pub(super) fn raw(self) -> *mut sys::server_rec {
        self.raw.as_ptr()
    }

    fn get(self) -> &'s sys::server_rec {
        // SAFETY: live for 's.
        unsafe { self.raw.as_ref() }
    }

    /// This server for the rest of the child's life. To be called in a child.
    pub fn of_child(self) -> ChildServer {
        // SAFETY: only the lifetime changes: the configuration of a child is never cleared before the process ends.
        ChildServer(unsafe { Server::new(self.raw()) })
    }

    /// It is a `<VirtualHost>`.
    pub fn is_virtual(self) -> bool {
        self.get().is_virtual != 0
    }

    /// Its configured name, if any.
    pub fn name(self) -> Option<&'s [u8]> {
        // SAFETY: null or a string of the configuration.
        unsafe { bytes(self.get().server_hostname) }
    }

    /// Its configured port; 0: none.
    pub fn port(self) -> u16 {
        self.get().port
    }

    /// The first address of a virtual host as configured, with its port.
    pub fn address(self) -> Option<(&'s [u8], u16)> {
        // SAFETY: null or an address of the configuration, with a string of it.
        unsafe {
            let address = self.get().addrs.as_ref()?;
            Some((bytes(address.virthost)?, address.host_port))
        }
    }

    /// Where it is defined: file and line.
    pub fn position(self) -> (&'s [u8], u32) {
        // SAFETY: null or a string of the configuration.
        let file = unsafe { bytes(self.get().defn_name) }.unwrap_or(b"httpd configuration");
        (file, self.get().defn_line_number)
    }

    /// The next virtual host of the list that begins with the main server.
    pub fn next(self) -> Option<Self> {
        // SAFETY: the list consists of live servers.
        (!self.get().next.is_null()).then(|| unsafe { Self::new(self.get().next) })
    }

    /// The main server and all virtual hosts.
    pub fn all(self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self), |server| server.next())
    }

    /// This module's configuration record.
    pub fn config<M: Module>(self) -> Option<&'s M::Config> {
        // SAFETY: the entry was made by `create_config::<M>` or `set_config::<M>`.
        unsafe { M::record().entry(self.get().module_config).cast::<M::Config>().as_ref() }
    }

    /// Whether two servers share one configuration record.
    pub fn shares_config<M: Module>(self, other: Self) -> bool {
        // SAFETY: reading entries of live vectors.
        unsafe { M::record().entry(self.get().module_config) == M::record().entry(other.get().module_config) }
    }

    /// This module's configuration record, to be changed.
    ///
    /// # Safety
    /// Only while httpd reads its configuration (one thread), and nobody else holds a reference to the record.
    pub(super) unsafe fn config_mut<M: Module>(self) -> Option<&'s mut M::Config> {
        // SAFETY: as for `config`; exclusive by the contract.
        unsafe { M::record().entry(self.get().module_config).cast::<M::Config>().as_mut() }
    }

    fn set_config<M: Module>(self, config: NonNull<M::Config>) {
        // SAFETY: the vector is live, the record lives in the configuration pool like it.
        unsafe { M::record().set_entry(self.get().module_config, config.as_ptr().cast()) };
    }

    /// Does httpd's error log of this server take lines of `level` (APLOG number) from this module?
    pub fn logs<M: Module>(self, level: c_int) -> bool {
        // SAFETY: live server.
        unsafe { sys::jk_server_logs(self.raw(), M::record().index(), level) != 0 }
    }
}

/// The software of the server, as `ServerTokens` lets it be shown.
pub fn software() -> String {
    // SAFETY: a string of the configuration.
    let banner = unsafe { bytes(sys::ap_get_server_banner()) };
    String::from_utf8_lossy(banner.unwrap_or_default()).into_owned()
}

/// A directive of httpd's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// The sections it stands in with their arguments, the outermost first.
    pub sections: Vec<(String, String)>,
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub arguments: String,
}

/// Why the configuration is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// `httpd -t` or a dump of the configuration.
    Test,
    /// The first of the two passes of a start; its result is thrown away.
    FirstPass,
    /// The pass of a start that counts.
    Start,
    /// A restart of a running server.
    Restart,
}

/// Which users a server runs as, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The user of the process that asks.
    pub own: u32,
    /// The user of the children.
    pub child: u32,
    /// The group of the children.
    pub child_group: u32,
}

/// The main server of a child, for threads of the module that outlive a hook.
#[derive(Clone, Copy)]
pub struct ChildServer(Server<'static>);

// SAFETY: a child does not change its servers after it has begun, and only ends by ending the process; log functions of
// httpd may be called by any thread.
unsafe impl Send for ChildServer {}
// SAFETY: as above.
unsafe impl Sync for ChildServer {}

impl ChildServer {
    /// The server.
    pub fn get(self) -> Server<'static> {
        self.0
    }
}

/// What the configuration hooks work with.
pub struct Startup<'s> {
    pub(super) main: *mut sys::server_rec,
    pub(super) pconf: *mut sys::apr_pool_t,
    pub(super) life: PhantomData<&'s ()>,
}

impl<'s> Startup<'s> {
    /// The main server.
    pub fn main(&self) -> Server<'s> {
        // SAFETY: httpd passes the main server to configuration hooks.
        unsafe { Server::new(self.main) }
    }

    /// The pool of this configuration; cleared at the next restart.
    pub fn pool(&self) -> Pool<'s> {
        // SAFETY: live until the next restart.
        match unsafe { Pool::new(self.pconf) } {
            Some(pool) => pool,
            None => unreachable!("httpd passes its configuration pool"),
        }
    }

    /// The pool of the parent process; lives as long as the server, restarts included.
    pub fn process_pool(&self) -> Option<Pool<'static>> {
        // SAFETY: the process record and its pool live until the process ends.
        unsafe { (*self.main).process.as_ref().and_then(|process| Pool::new(process.pool)) }
    }

    /// Why the configuration is being read.
    pub fn reading(&self) -> Reading {
        // SAFETY: plain queries of httpd's state.
        let (mode, state, generation) = unsafe {
            (
                sys::ap_state_query(sys::AP_SQ_RUN_MODE as c_int),
                sys::ap_state_query(sys::AP_SQ_MAIN_STATE as c_int),
                sys::ap_state_query(sys::AP_SQ_CONFIG_GEN as c_int),
            )
        };
        if mode == sys::AP_SQ_RM_CONFIG_TEST as c_int || mode == sys::AP_SQ_RM_CONFIG_DUMP as c_int {
            Reading::Test
        } else if state == sys::AP_SQ_MS_CREATE_PRE_CONFIG as c_int
            || state == sys::AP_SQ_MS_INITIAL_STARTUP as c_int
        {
            Reading::FirstPass
        } else if generation > 1 {
            // httpd counts before each pass that counts, so a start has 1.
            Reading::Restart
        } else {
            Reading::Start
        }
    }

    /// Worker threads of one child; 1 when the MPM has none.
    pub fn threads_per_child(&self) -> usize {
        let mut result: c_int = 0;
        // SAFETY: `result` is written on success only.
        let status = unsafe { sys::ap_mpm_query(sys::AP_MPMQ_MAX_THREADS as c_int, &mut result) };
        if status == 0 { usize::try_from(result).unwrap_or(1).max(1) } else { 1 }
    }

    /// What the MPM can do for requests that wait. Requests are parked only once this has been asked.
    pub fn parking(&self) -> super::park::Support {
        super::park::ask_mpm()
    }

    /// httpd's version: 2, 4, 71.
    pub fn httpd_version(&self) -> (i32, i32, i32) {
        // SAFETY: all-zero is a valid version (numbers and a pointer that is not used); httpd fills it in.
        let version = unsafe {
            let mut version: sys::ap_version_t = std::mem::zeroed();
            sys::ap_get_server_revision(&raw mut version);
            version
        };
        (version.major, version.minor, version.patch)
    }

    /// Most children the MPM can have at one time.
    pub fn most_children(&self) -> usize {
        let mut result: c_int = 0;
        // SAFETY: `result` is written on success only.
        let status = unsafe { sys::ap_mpm_query(sys::AP_MPMQ_HARD_LIMIT_DAEMONS as c_int, &mut result) };
        if status == 0 { usize::try_from(result).unwrap_or(1).max(1) } else { 1 }
    }

    /// `path` made absolute below `ServerRoot`; `None` when it is not a usable path.
    pub fn server_path(&self, path: &[u8]) -> Option<&'s CStr> {
        let path = self.pool().copy(path);
        // SAFETY: pool and path are valid; the result is null or lives in the pool.
        unsafe {
            let full = sys::ap_server_root_relative(self.pconf, path.as_ptr());
            (!full.is_null()).then(|| CStr::from_ptr(full))
        }
    }

    /// `path` made absolute below `DefaultRuntimeDir`; `None` when it is not a usable path.
    pub fn runtime_path(&self, path: &[u8]) -> Option<&'s CStr> {
        let path = self.pool().copy(path);
        // SAFETY: pool and path are valid; the result is null or lives in the pool.
        unsafe {
            let full = sys::ap_runtime_dir_relative(self.pconf, path.as_ptr());
            (!full.is_null()).then(|| CStr::from_ptr(full))
        }
    }

    /// The users of this server.
    pub fn identity(&self) -> Identity {
        let mut who = Identity { own: 0, child: 0, child_group: 0 };
        // SAFETY: three numbers are written.
        unsafe { sys::jk_users(&raw mut who.own, &raw mut who.child, &raw mut who.child_group) };
        who
    }

    /// The configuration record of `server`, to be changed.
    pub fn config_mut<M: Module>(&mut self, server: Server<'s>) -> Option<&mut M::Config> {
        // SAFETY: hooks of the configuration run in one thread; the borrow of `self` keeps it the only reference handed
        // out here.
        unsafe { server.config_mut::<M>() }
    }

    /// Gives `server` a record of its own.
    pub fn replace_config<M: Module>(&mut self, server: Server<'s>, config: M::Config) {
        server.set_config::<M>(self.pool().own(config));
    }

    /// All directives of the configuration. Some that httpd carries out while it reads are missing.
    pub fn directives(&self) -> Vec<Directive> {
        let mut found = Vec::new();
        // SAFETY: the tree lives as long as the configuration, and hooks of the configuration run in one thread.
        unsafe { collect(sys::ap_conftree, &mut Vec::new(), &mut found) };
        found
    }

    /// Adds a component to the `Server` header.
    pub fn add_version(&self, component: &CStr) {
        // SAFETY: pool and text are valid; httpd copies the text.
        unsafe { sys::ap_add_version_component(self.pconf, component.as_ptr()) };
    }
}

/// # Safety
/// `node` is null or a node of the live configuration tree.
unsafe fn collect(
    mut node: *const sys::ap_directive_t,
    sections: &mut Vec<(String, String)>,
    found: &mut Vec<Directive>,
) {
    // SAFETY: null or a string of the configuration, which is live by the contract.
    let text = |raw| String::from_utf8_lossy(unsafe { bytes(raw) }.unwrap_or_default()).into_owned();
    // SAFETY: by the contract; nodes are linked to live nodes.
    while let Some(directive) = unsafe { node.as_ref() } {
        let (name, arguments) = (text(directive.directive), text(directive.args));
        if directive.first_child.is_null() {
            found.push(Directive { sections: sections.clone(), name, arguments });
        } else {
            sections.push((name, arguments));
            // SAFETY: by the contract.
            unsafe { collect(directive.first_child, sections, found) };
            sections.pop();
        }
        node = directive.next;
    }
}
