//! Every callback from C, generic over the module that implements [`Module`].

use std::ffi::{c_int, c_void};
use std::marker::PhantomData;

use super::bindings as sys;
use super::command::Command;
use super::guard::guard;
use super::module::ModuleRecord;
use super::pool::{Pool, Text};
use super::request::Request;
use super::server::{Server, Startup};
use super::table::bytes;

/// What a hook tells httpd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Not mine; others may look.
    Declined,
    /// Done with.
    Ok,
    /// Answer with this HTTP status.
    Status(u16),
    /// The request was put aside ([`super::park`]); for handlers only.
    Parked,
}

impl Verdict {
    pub(super) fn code(self) -> c_int {
        match self {
            Self::Parked => sys::SUSPENDED,
            Self::Declined => sys::DECLINED,
            Self::Ok => sys::OK as c_int,
            Self::Status(status) => c_int::from(status),
        }
    }
}

/// The module behind the callbacks.
pub trait Module: Sized + 'static {
    /// Configuration record of a server.
    type Config: 'static;
    /// What the module keeps with a request.
    type Slot<'r>: Copy;

    /// What a line about a caught panic begins with.
    const PANIC: &'static str;

    /// The exported record.
    fn record() -> &'static ModuleRecord;
    /// A record with nothing set.
    fn create_config(server: Server<'_>) -> Self::Config;
    /// The record of a virtual host: `own` over `base`.
    fn merge_config(base: &Self::Config, own: &Self::Config) -> Self::Config;
    /// Takes a directive into the record of its server.
    ///
    /// # Errors
    /// A message for the administrator; httpd adds file and line.
    fn directive(command: &Command<'_>, config: &mut Self::Config) -> Result<(), String>;
    /// Resolves and checks the configuration; false refuses it (messages have been written).
    fn check_config(startup: &mut Startup<'_>) -> bool;
    /// Opens what the running server needs; false ends the start.
    fn post_config(startup: &mut Startup<'_>) -> bool;
    /// A child begins; `pool` is cleared when it ends.
    fn child_init(main: Server<'_>, pool: Pool<'static>);
    /// Maps the URL.
    fn translate_name(request: Request<'_>) -> Verdict;
    /// Second chance to map; keeps mapped requests away from the file system.
    fn map_to_storage(request: Request<'_>) -> Verdict;
    /// Answers the request.
    fn handler(request: Request<'_>) -> Verdict;
    /// A block for the page of mod_status; `short`: its machine-readable form.
    fn server_status(request: Request<'_>, short: bool) -> String;
    /// The request is over; `request` is the one httpd logs first.
    fn log_transaction(request: Request<'_>);
    /// The item `%{what}^jk` of a `LogFormat`.
    fn log_item<'r>(request: Request<'r>, what: &[u8]) -> Option<Text<'r>>;
}

pub(super) unsafe extern "C" fn create_config<M: Module>(
    pool: *mut sys::apr_pool_t,
    server: *mut sys::server_rec,
) -> *mut c_void {
    guard(std::ptr::null_mut(), || {
        // SAFETY: httpd passes its configuration pool and the server.
        match unsafe { Pool::new(pool) } {
            // SAFETY: as above.
            Some(pool) => pool.own(M::create_config(unsafe { Server::new(server) })).as_ptr().cast(),
            None => std::ptr::null_mut(),
        }
    })
}

pub(super) unsafe extern "C" fn merge_config<M: Module>(
    pool: *mut sys::apr_pool_t,
    base: *mut c_void,
    own: *mut c_void,
) -> *mut c_void {
    guard(base, || {
        // SAFETY: both records were made by `create_config::<M>`.
        let (Some(base_config), Some(own_config)) =
            (unsafe { base.cast::<M::Config>().as_ref() }, unsafe { own.cast::<M::Config>().as_ref() })
        else {
            return base;
        };
        // SAFETY: httpd passes its configuration pool.
        match unsafe { Pool::new(pool) } {
            Some(pool) => pool.own(M::merge_config(base_config, own_config)).as_ptr().cast(),
            None => base,
        }
    })
}

/// mod_alias goes first, so that its `Redirect` works whatever the order of LoadModule lines.
static BEFORE_TRANSLATE: Names<2> = Names([c"mod_alias.c".as_ptr(), std::ptr::null()]);

struct Names<const N: usize>([*const std::ffi::c_char; N]);
// SAFETY: pointers to static strings.
unsafe impl<const N: usize> Sync for Names<N> {}

pub(super) unsafe extern "C" fn register_hooks<M: Module>(_: *mut sys::apr_pool_t) {
    super::guard::report_panics(M::PANIC);
    let none = std::ptr::null();
    let middle = sys::APR_HOOK_MIDDLE as c_int;
    // SAFETY: httpd is loading modules; the callbacks and name lists are static.
    unsafe {
        sys::ap_hook_check_config(Some(check_config::<M>), none, none, middle);
        sys::ap_hook_post_config(Some(post_config::<M>), none, none, middle);
        sys::ap_hook_child_init(Some(child_init::<M>), none, none, middle);
        sys::ap_hook_translate_name(Some(translate_name::<M>), BEFORE_TRANSLATE.0.as_ptr(), none, middle);
        sys::ap_hook_map_to_storage(Some(map_to_storage::<M>), none, none, middle);
        sys::ap_hook_handler(Some(handler::<M>), none, none, middle);
        sys::ap_hook_log_transaction(Some(log_transaction::<M>), none, none, middle);
        sys::jk_hook_status(Some(server_status::<M>));
        sys::jk_hook_log_item(Some(log_item::<M>));
    }
    super::park::register::<M>();
}

unsafe extern "C" fn check_config<M: Module>(
    pconf: *mut sys::apr_pool_t,
    _: *mut sys::apr_pool_t,
    _: *mut sys::apr_pool_t,
    main: *mut sys::server_rec,
) -> c_int {
    let failed = sys::HTTP_INTERNAL_SERVER_ERROR as c_int;
    guard(failed, || {
        let mut startup = Startup { main, pconf, life: PhantomData };
        if M::check_config(&mut startup) { sys::OK as c_int } else { failed }
    })
}

unsafe extern "C" fn post_config<M: Module>(
    pconf: *mut sys::apr_pool_t,
    _: *mut sys::apr_pool_t,
    _: *mut sys::apr_pool_t,
    main: *mut sys::server_rec,
) -> c_int {
    let failed = sys::HTTP_INTERNAL_SERVER_ERROR as c_int;
    guard(failed, || {
        let mut startup = Startup { main, pconf, life: PhantomData };
        if M::post_config(&mut startup) { sys::OK as c_int } else { failed }
    })
}

unsafe extern "C" fn child_init<M: Module>(pchild: *mut sys::apr_pool_t, main: *mut sys::server_rec) {
    guard((), || {
        // SAFETY: the child pool lives until the child ends.
        if let Some(pool) = unsafe { Pool::new(pchild) } {
            // SAFETY: httpd passes the main server.
            M::child_init(unsafe { Server::new(main) }, pool);
        }
    });
}

unsafe extern "C" fn translate_name<M: Module>(request: *mut sys::request_rec) -> c_int {
    let failed = sys::HTTP_INTERNAL_SERVER_ERROR as c_int;
    // Not DECLINED: the file of a URL that should have been mapped must not be served instead.
    // SAFETY: httpd passes a live request to its hooks.
    guard(failed, || M::translate_name(unsafe { Request::new(request) }).code())
}

unsafe extern "C" fn map_to_storage<M: Module>(request: *mut sys::request_rec) -> c_int {
    let failed = sys::HTTP_INTERNAL_SERVER_ERROR as c_int;
    // SAFETY: as above.
    guard(failed, || M::map_to_storage(unsafe { Request::new(request) }).code())
}

unsafe extern "C" fn handler<M: Module>(request: *mut sys::request_rec) -> c_int {
    // SAFETY: as above.
    let code = guard(None, || Some(M::handler(unsafe { Request::new(request) }).code()));
    // SAFETY: the request is live until the hook returns.
    code.unwrap_or_else(|| unsafe { Request::new(request) }.after_panic().code())
}

unsafe extern "C" fn server_status<M: Module>(request: *mut sys::request_rec, flags: c_int) -> c_int {
    let short = flags & sys::AP_STATUS_SHORT as c_int != 0;
    // SAFETY: as above.
    let text = guard(String::new(), || M::server_status(unsafe { Request::new(request) }, short));
    // SAFETY: the request is live; the text is only used during the call.
    unsafe { sys::jk_put(request, text.as_ptr().cast(), text.len() as _) };
    sys::OK as c_int
}

unsafe extern "C" fn log_item<M: Module>(
    request: *mut sys::request_rec,
    what: *mut std::ffi::c_char,
) -> *const std::ffi::c_char {
    guard(std::ptr::null(), || {
        // SAFETY: httpd passes a live request, and the text between the braces or an empty one.
        let (request, what) = unsafe { (Request::new(request), bytes(what)) };
        M::log_item(request, what.unwrap_or_default()).map_or(std::ptr::null(), Text::as_ptr)
    })
}

unsafe extern "C" fn log_transaction<M: Module>(request: *mut sys::request_rec) -> c_int {
    // SAFETY: as above.
    guard((), || M::log_transaction(unsafe { Request::new(request) }));
    sys::DECLINED
}
