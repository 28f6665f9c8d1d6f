//! The command table: which directives exist, where they may stand, and how their arguments arrive.

use std::cell::UnsafeCell;
use std::ffi::{CStr, c_char, c_int, c_void};

use super::bindings as sys;
use super::entry::Module;
use super::guard::guard;
use super::server::Server;
use super::table::bytes;

/// Where a directive may stand. None is allowed in `.htaccess`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Main server and `<VirtualHost>`.
    Server,
    /// Also inside `<Location>` and its relatives.
    Section,
}

/// How the arguments of a directive are split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// Words, quotes removed.
    Words,
    /// The rest of the line as it stands.
    Raw,
}

/// A directive as httpd needs to know it.
#[derive(Debug, Clone, Copy)]
pub struct Directive {
    /// Name; httpd compares without case.
    pub name: &'static CStr,
    /// Where it may stand.
    pub place: Place,
    /// How its arguments arrive.
    pub split: Split,
    /// One line of usage that httpd shows with syntax errors.
    pub usage: &'static CStr,
}

/// The table httpd reads; its last entry is the empty one that ends it.
pub struct CommandTable<const N: usize>(UnsafeCell<[sys::command_rec; N]>);

// SAFETY: httpd only reads the table; the pointers in it are to statics.
unsafe impl<const N: usize> Sync for CommandTable<N> {}

impl<const N: usize> CommandTable<N> {
    /// The table of `directives`, one entry shorter than `N`.
    pub const fn new<M: Module>(directives: &'static [Directive]) -> Self {
        assert!(directives.len() + 1 == N, "the table needs one entry more than there are directives");
        const END: sys::command_rec = sys::command_rec {
            name: std::ptr::null(),
            func: sys::cmd_func { no_args: None },
            cmd_data: std::ptr::null_mut(),
            req_override: 0,
            args_how: sys::RAW_ARGS,
            errmsg: std::ptr::null(),
        };
        let mut table = [END; N];
        let mut i = 0;
        while i < directives.len() {
            let directive = &directives[i];
            let (func, how) = match directive.split {
                Split::Words => (sys::cmd_func { take_argv: Some(words::<M>) }, sys::TAKE_ARGV),
                Split::Raw => (sys::cmd_func { raw_args: Some(raw::<M>) }, sys::RAW_ARGS),
            };
            table[i] = sys::command_rec {
                name: directive.name.as_ptr(),
                func,
                cmd_data: std::ptr::without_provenance_mut(i),
                req_override: match directive.place {
                    Place::Server => sys::RSRC_CONF as c_int,
                    Place::Section => (sys::RSRC_CONF | sys::ACCESS_CONF) as c_int,
                },
                args_how: how,
                errmsg: directive.usage.as_ptr(),
            };
            i += 1;
        }
        Self(UnsafeCell::new(table))
    }

    pub(super) const fn first(&'static self) -> *const sys::command_rec {
        self.0.get().cast()
    }
}

/// A directive as it stands in the configuration.
pub struct Command<'c> {
    raw: &'c sys::cmd_parms,
    /// Its index in the table.
    pub index: usize,
    /// Its words, or the rest of the line as the only one.
    pub words: Vec<&'c [u8]>,
}

impl<'c> Command<'c> {
    /// The server it stands in.
    pub fn server(&self) -> Server<'c> {
        // SAFETY: httpd passes the server under configuration.
        unsafe { Server::new(self.raw.server) }
    }

    /// File and line.
    pub fn position(&self) -> (&'c [u8], u32) {
        // SAFETY: the directive and its file name live as long as the configuration tree.
        unsafe {
            match self.raw.directive.as_ref() {
                Some(directive) => (
                    bytes(directive.filename).unwrap_or(b"httpd configuration"),
                    u32::try_from(directive.line_num).unwrap_or(0),
                ),
                None => (b"httpd configuration", 0),
            }
        }
    }

    /// Inside a section such as `<Location /x>`: its name (`<Location`) and its argument.
    pub fn section(&self) -> Option<(&'c [u8], &'c [u8])> {
        // SAFETY: strings and directives live as long as the configuration tree; parent is null at the top.
        unsafe {
            let path = bytes(self.raw.path)?;
            let name = self
                .raw
                .directive
                .as_ref()
                .and_then(|directive| directive.parent.as_ref())
                .and_then(|parent| bytes(parent.directive))
                .unwrap_or(b"<section");
            Some((name, path))
        }
    }
}

unsafe extern "C" fn words<M: Module>(
    parms: *mut sys::cmd_parms,
    _: *mut c_void,
    argc: c_int,
    argv: *const *mut c_char,
) -> *const c_char {
    let argc = usize::try_from(argc).unwrap_or(0);
    let mut words = Vec::with_capacity(argc);
    for i in 0..argc {
        // SAFETY: argv holds argc strings that live during the call.
        words.extend(unsafe { bytes((*argv.add(i)).cast_const()) });
    }
    // SAFETY: httpd passes valid parameters.
    unsafe { dispatch::<M>(parms, words) }
}

unsafe extern "C" fn raw<M: Module>(
    parms: *mut sys::cmd_parms,
    _: *mut c_void,
    args: *const c_char,
) -> *const c_char {
    // SAFETY: httpd passes the rest of the line and valid parameters.
    unsafe { dispatch::<M>(parms, bytes(args).into_iter().collect()) }
}

/// # Safety
/// `parms` is what httpd passed to the directive's callback.
unsafe fn dispatch<M: Module>(parms: *mut sys::cmd_parms, words: Vec<&[u8]>) -> *const c_char {
    let failed = c"internal error while reading this directive (see the lines above)".as_ptr();
    guard(failed, || {
        // SAFETY: valid during the call.
        let Some(raw) = (unsafe { parms.as_ref() }) else { return failed };
        // SAFETY: cmd points to the entry of our table.
        let index = unsafe { (*raw.cmd).cmd_data }.addr();
        let command = Command { raw, index, words };
        // SAFETY: configuration is read by one thread, and nobody else holds the record.
        let result = match unsafe { command.server().config_mut::<M>() } {
            Some(config) => M::directive(&command, config),
            None => Err("the module has no configuration record for this server".to_owned()),
        };
        match result {
            Ok(()) => std::ptr::null(),
            // SAFETY: the configuration pool outlives the message.
            Err(message) => match unsafe { super::pool::Pool::new(raw.pool) } {
                Some(pool) => pool.copy(message.as_bytes()).as_ptr(),
                None => failed,
            },
        }
    })
}
