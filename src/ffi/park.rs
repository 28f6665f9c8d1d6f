//! Requests that wait without a thread: hooks around httpd's processing of a connection.
//!
//! A handler gives its work away with [`Request::park`] and answers [`Verdict::Parked`](super::Verdict). The MPM then waits
//! for the connection to become readable, and that is where it is led astray: while a request is parked, httpd's socket of
//! the client holds the descriptor of a bell instead of the client's. When the bell rings, the MPM gives the connection to a
//! worker thread in the ordinary way, the client's descriptor is put back, and the work goes on.
//!
//! At every moment one thread owns connection and request: the worker until it has handed them to the MPM, which does so
//! under its own lock, and the worker that the MPM gives them to afterwards. Nothing here locks.
//!
//! What this relies on in httpd's `process_socket` (event MPM): the suspend hook runs behind the last look at the connection's
//! state and before the socket is polled; the resume hook runs before the state is looked at again. `CONN_STATE_ASYNC_WAITIO`
//! is in httpd since 2.4.63; before that, a wait for input that mod_http2 uses does the same service.
//!
//! Sources: httpd 2.4: `server/mpm/event/event.c`, `modules/http/http_request.c` (`ap_process_async_request`),
//! `include/httpd.h`.

use std::ffi::{c_int, c_void};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use super::bindings as sys;
use super::entry::{Module, Verdict};
use super::guard::guard;
use super::pool::Pool;
use super::request::Request;

/// What the MPM can do for requests that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Support {
    /// Nothing: a thread belongs to one connection (prefork, worker).
    None = 0,
    /// It waits for input, by a detour (before 2.4.63).
    Detour = 1,
    /// It waits as it is told.
    Full = 2,
}

/// Why parked work goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// The bell has rung.
    Rung,
    /// The MPM will not wait any longer. The work must end now.
    GivenUp,
}

/// How parked work goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It waits until this bell is readable.
    Wait(RawFd),
    /// It is done with the request; httpd finishes it.
    Done(Verdict),
}

/// Work on a request that has been put aside.
///
/// Dropped without a last [`Parked::resume`] when the connection ends meanwhile; then the request must not be touched.
pub trait Parked {
    /// The connection belongs to this thread again.
    fn resume(&mut self, wake: Wake) -> Next;

    /// httpd has closed the descriptor of the bell by mistake. The work is dropped next.
    fn bell_closed(&mut self);
}

/// What this module keeps with a connection. One thread at a time uses it.
struct Berth {
    /// [`wrapper`] is on the stack.
    inside: bool,
    /// The work and the request it belongs to.
    job: Option<(Box<dyn Parked>, *mut sys::request_rec)>,
    /// The bell of the job.
    bell: RawFd,
    /// The client's descriptor while httpd's socket holds the bell; -1: it does not.
    client: RawFd,
}

static SUPPORT: AtomicU8 = AtomicU8::new(0);
/// Address of the wrapper as it is registered: this is how it finds its place in the list of hooks.
static WRAPPER: AtomicUsize = AtomicUsize::new(0);

/// Asks the MPM, once it is settled.
pub(super) fn ask_mpm() -> Support {
    let query = |what: c_int| {
        let mut result: c_int = 0;
        // SAFETY: `result` is written on success only.
        let status = unsafe { sys::ap_mpm_query(what, &raw mut result) };
        status == 0 && result != 0
    };
    // SAFETY: plain constant.
    let waits = unsafe { sys::jk_mpmq_can_waitio() };
    let support = match (query(sys::AP_MPMQ_IS_ASYNC as c_int), query(waits)) {
        (false, _) => Support::None,
        (true, false) => Support::Detour,
        (true, true) => Support::Full,
    };
    SUPPORT.store(support as u8, Ordering::Relaxed);
    support
}

fn is_async() -> bool {
    SUPPORT.load(Ordering::Relaxed) != Support::None as u8
}

fn is_detour() -> bool {
    SUPPORT.load(Ordering::Relaxed) == Support::Detour as u8
}

/// Registers the hooks.
pub(super) fn register<M: Module>() {
    static HTTP: Successors = Successors([c"http_core.c".as_ptr(), std::ptr::null()]);
    let wrapper: unsafe extern "C" fn(*mut sys::conn_rec) -> c_int = wrapper::<M>;
    WRAPPER.store(wrapper as usize, Ordering::Relaxed);
    let none = std::ptr::null();
    let (first, last) = (sys::APR_HOOK_REALLY_FIRST, sys::APR_HOOK_REALLY_LAST as c_int);
    // SAFETY: httpd is loading modules; callbacks and name lists are static.
    unsafe {
        sys::ap_hook_process_connection(Some(go_on::<M>), none, none, first);
        sys::ap_hook_process_connection(Some(wrapper), none, HTTP.0.as_ptr(), last);
        sys::ap_hook_suspend_connection(Some(suspend::<M>), none, none, sys::APR_HOOK_LAST as c_int);
        sys::ap_hook_resume_connection(Some(resume::<M>), none, none, sys::APR_HOOK_FIRST as c_int);
    }
}

struct Successors([*const std::ffi::c_char; 2]);
// SAFETY: pointers to static strings.
unsafe impl Sync for Successors {}

impl<'r> Request<'r> {
    /// The request may be put aside now: the MPM can wait, the request is the client's own and has a connection of its own,
    /// and nobody up the stack expects an answer.
    pub fn can_park<M: Module>(self) -> bool {
        if !is_async() {
            return false;
        }
        // SAFETY: live request and connection.
        unsafe {
            let request = self.raw();
            let connection = (*request).connection;
            (*request).main.is_null()
                && (*request).prev.is_null()
                && (*connection).master.is_null()
                && !(*connection).cs.is_null()
                && (*connection).clogging_input_filters() == 0
                && berth::<M>(connection).is_some_and(|berth| {
                    let berth = berth.as_ptr();
                    (*berth).inside && (*berth).job.is_none()
                })
        }
    }

    /// This process is about to end, and may poll no connection any more that it had not counted when it was told to: what is parked
    /// now may be lost.
    ///
    /// The listener of the MPM ends when it has been told to and no connection is counted, and connections are counted when a worker
    /// thread takes them. It is told behind this state is set, so a request that still finds it unset has been counted in time.
    pub fn server_stops(self) -> bool {
        let mut state: c_int = 0;
        // SAFETY: `state` is written on success only.
        let status = unsafe { sys::ap_mpm_query(sys::AP_MPMQ_MPM_STATE as c_int, &raw mut state) };
        status == 0 && state == sys::AP_MPMQ_STOPPING as c_int
    }

    /// Puts the request aside until `bell` is readable. [`Request::can_park`] has been true, and the handler answers
    /// [`Verdict::Parked`] next. False: it cannot be, and nothing was done but dropping `job`.
    pub fn park<M: Module>(self, job: Box<dyn Parked + 'r>, bell: RawFd) -> bool {
        // SAFETY: live request and connection.
        let Some(berth) = (unsafe { berth::<M>((*self.raw()).connection) }) else { return false };
        // SAFETY: only the lifetime changes. The job is dropped before the memory of the request goes (`request_ends`, or
        // earlier), and what else it may borrow lives at least as long as the request.
        let job = unsafe { std::mem::transmute::<Box<dyn Parked + 'r>, Box<dyn Parked>>(job) };
        let stay = std::ptr::from_mut(self.pool().place(Stay { berth, request: self.raw() }));
        // SAFETY: the berth belongs to this thread; `stay` lives as long as the pool.
        unsafe {
            (*berth.as_ptr()).job = Some((job, self.raw()));
            (*berth.as_ptr()).bell = bell;
            sys::apr_pool_pre_cleanup_register(self.pool().raw(), stay.cast(), Some(request_ends));
        }
        true
    }
}

/// A request and the berth that its work may be in.
#[derive(Clone, Copy)]
struct Stay {
    berth: NonNull<Berth>,
    request: *mut sys::request_rec,
}

/// The memory of a request goes: its work goes before.
unsafe extern "C" fn request_ends(data: *mut c_void) -> sys::apr_status_t {
    guard(0, || {
        // SAFETY: registered with a `Stay` in the pool that is being cleared.
        let stay = unsafe { *data.cast::<Stay>() };
        // The connection may carry another request by now, while the last octets of this one were waiting to be sent.
        // SAFETY: the berth lives until the pool of the connection, a parent of this one, is cleared.
        let job = unsafe {
            let berth = stay.berth.as_ptr();
            if (*berth).job.as_ref().is_some_and(|(_, request)| *request == stay.request) {
                (*berth).job.take()
            } else {
                None
            }
        };
        drop(job);
        0
    })
}

/// The berth of a connection, if it has one.
///
/// # Safety
/// `connection` is live.
unsafe fn berth<M: Module>(connection: *mut sys::conn_rec) -> Option<NonNull<Berth>> {
    // SAFETY: live connection; it has no vector before pre_connection hooks run.
    unsafe {
        let vector = (*connection).conn_config;
        if vector.is_null() { None } else { NonNull::new(M::record().entry(vector).cast()) }
    }
}

/// Runs the hooks behind this one, so that it is known on the way down that a request may be parked, and on the way up that
/// one was.
unsafe extern "C" fn wrapper<M: Module>(c: *mut sys::conn_rec) -> c_int {
    guard(sys::DECLINED, || {
        // SAFETY: httpd passes a live connection that belongs to this thread.
        unsafe {
            if !is_async()
                || !(*c).master.is_null()
                || (*c).cs.is_null()
                || (*c).clogging_input_filters() != 0
            {
                return sys::DECLINED;
            }
            let Some(berth) = berth::<M>(c).or_else(|| new_berth::<M>(c)) else { return sys::DECLINED };
            let berth = berth.as_ptr();
            (*berth).inside = true;
            let result = guard(sys::DECLINED, || run_later_hooks(c));
            (*berth).inside = false;
            if (*berth).job.is_some() && (*(*c).cs).state == sys::CONN_STATE_SUSPENDED {
                wait(c);
            }
            result
        }
    })
}

/// # Safety
/// `c` is live and belongs to this thread.
unsafe fn run_later_hooks(c: *mut sys::conn_rec) -> c_int {
    // SAFETY: the list of hooks is fixed since start-up; its entries are of this type.
    unsafe {
        let hooks = sys::ap_hook_get_process_connection();
        if hooks.is_null() {
            return sys::DECLINED;
        }
        let count = usize::try_from((*hooks).nelts).unwrap_or(0);
        let hooks = (*hooks).elts.cast::<sys::ap_LINK_process_connection_t>();
        let own = WRAPPER.load(Ordering::Relaxed);
        let mut found = false;
        for place in 0..count {
            let Some(hook) = (*hooks.add(place)).pFunc else { continue };
            if found {
                let result = hook(c);
                if result != sys::DECLINED {
                    return result;
                }
            } else {
                found = hook as usize == own;
            }
        }
        sys::DECLINED
    }
}

/// # Safety
/// `c` is live and belongs to this thread.
unsafe fn new_berth<M: Module>(c: *mut sys::conn_rec) -> Option<NonNull<Berth>> {
    // SAFETY: the pool lives as long as the connection.
    unsafe {
        let pool = Pool::new((*c).pool)?;
        let berth = pool.own(Berth { inside: false, job: None, bell: -1, client: -1 });
        M::record().set_entry((*c).conn_config, berth.as_ptr().cast());
        sys::apr_pool_pre_cleanup_register(pool.raw(), c.cast(), Some(connection_ends::<M>));
        Some(berth)
    }
}

/// Has the MPM wait for the bell.
///
/// # Safety
/// `c` is live, has a state, and belongs to this thread.
unsafe fn wait(c: *mut sys::conn_rec) {
    // SAFETY: by the contract.
    unsafe {
        if is_detour() {
            (*(*c).cs).state = sys::CONN_STATE_WRITE_COMPLETION;
            (*c).set_clogging_input_filters(1);
        } else {
            (*(*c).cs).state = sys::JK_STATE_ASYNC_WAITIO as _;
        }
        (*(*c).cs).sense = sys::CONN_SENSE_WANT_READ;
    }
}

/// The MPM is about to poll the connection: it gets the bell.
unsafe extern "C" fn suspend<M: Module>(c: *mut sys::conn_rec, _: *mut sys::request_rec) {
    guard((), || {
        // SAFETY: httpd passes a live connection that belongs to this thread.
        unsafe {
            let Some(berth) = berth::<M>(c) else { return };
            let berth = berth.as_ptr();
            if (*berth).job.is_some()
                && (*berth).client < 0
                && (*berth).bell >= 0
                && let Some(client) = descriptor(c)
            {
                put_descriptor(c, (*berth).bell);
                (*berth).client = client;
            }
        }
    });
}

/// A worker thread takes the connection over: the client's descriptor is put back before anybody looks.
unsafe extern "C" fn resume<M: Module>(c: *mut sys::conn_rec, _: *mut sys::request_rec) {
    guard((), || {
        // SAFETY: httpd passes a live connection that belongs to this thread.
        unsafe {
            let Some(berth) = berth::<M>(c) else { return };
            put_back(c, berth);
            let berth = berth.as_ptr();
            if (*berth).job.is_none() || (*c).cs.is_null() || (*(*c).cs).state != sys::CONN_STATE_LINGER {
                return;
            }
            // The MPM has lost its patience. It would close without an answer, and without a line in the access log.
            (*c).set_clogging_input_filters(0);
            (*c).keepalive = sys::AP_CONN_CLOSE;
            if !(*c).sbh.is_null() {
                run(c, berth, Wake::GivenUp);
            }
            (*(*c).cs).state = sys::CONN_STATE_LINGER;
        }
    });
}

/// A worker thread has the connection: parked work goes on.
unsafe extern "C" fn go_on<M: Module>(c: *mut sys::conn_rec) -> c_int {
    guard(sys::DECLINED, || {
        // SAFETY: httpd passes a live connection that belongs to this thread.
        unsafe {
            if !(*c).master.is_null() || (*c).cs.is_null() {
                return sys::DECLINED;
            }
            let Some(berth) = berth::<M>(c) else { return sys::DECLINED };
            let berth = berth.as_ptr();
            if (*berth).job.is_none() {
                return sys::DECLINED;
            }
            if is_detour() {
                (*c).set_clogging_input_filters(0);
            }
            run(c, berth, Wake::Rung);
            if (*(*c).cs).state == sys::CONN_STATE_HANDLER {
                (*(*c).cs).state = sys::CONN_STATE_LINGER; // as httpd does after a request that went wrong
            }
            sys::OK as c_int
        }
    })
}

/// # Safety
/// `c` is live, has a state and a score, and belongs to this thread, as does its berth, which has a job.
unsafe fn run(c: *mut sys::conn_rec, berth: *mut Berth, wake: Wake) {
    // SAFETY: by the contract. No reference to the berth is held while the job runs.
    unsafe {
        let Some((mut job, request)) = (*berth).job.take() else { return };
        (*(*c).cs).state = sys::CONN_STATE_HANDLER;
        sys::jk_request_goes_on(request);
        let next = guard(None, || Some(job.resume(wake)));
        let verdict = match next {
            Some(Next::Wait(bell)) if wake == Wake::Rung => {
                sys::jk_request_pauses(request);
                (*berth).bell = bell;
                (*berth).job = Some((job, request));
                wait(c);
                return;
            }
            Some(Next::Done(verdict)) => verdict,
            Some(Next::Wait(_)) => Verdict::Status(504),
            None => Request::new(request).after_panic(),
        };
        guard((), || drop(job));
        sys::jk_finish_request(request, verdict.code());
    }
}

/// The connection ends; its requests have not been destroyed yet.
unsafe extern "C" fn connection_ends<M: Module>(data: *mut c_void) -> sys::apr_status_t {
    guard(0, || {
        let c = data.cast::<sys::conn_rec>();
        // SAFETY: registered with the connection whose pool is being cleared; nothing of it is gone yet.
        unsafe {
            let Some(berth) = berth::<M>(c) else { return 0 };
            if (*berth.as_ptr()).client < 0 {
                return 0;
            }
            if descriptor(c).is_some() {
                put_back(c, berth); // httpd will close it
                return 0;
            }
            // httpd could not poll the connection and has closed what it took for the client's descriptor.
            let berth = berth.as_ptr();
            if let Some((mut job, _)) = (*berth).job.take() {
                job.bell_closed();
            }
            let client = std::mem::replace(&mut (*berth).client, -1);
            drop(OwnedFd::from_raw_fd(client));
        }
        0
    })
}

/// # Safety
/// `c` and its berth are live and belong to this thread.
unsafe fn put_back(c: *mut sys::conn_rec, berth: NonNull<Berth>) {
    // SAFETY: by the contract.
    unsafe {
        let client = std::mem::replace(&mut (*berth.as_ptr()).client, -1);
        if client >= 0 {
            put_descriptor(c, client);
        }
    }
}

/// The descriptor in httpd's socket of the client.
///
/// # Safety
/// `c` is live.
unsafe fn descriptor(c: *mut sys::conn_rec) -> Option<RawFd> {
    let mut fd = -1;
    // SAFETY: the socket lives as long as the connection.
    unsafe {
        let socket = sys::ap_get_conn_socket(c);
        (!socket.is_null() && sys::apr_os_sock_get(&raw mut fd, socket) == 0 && fd >= 0).then_some(fd)
    }
}

/// Replaces it; the former one stays open.
///
/// # Safety
/// `c` is live and belongs to this thread.
unsafe fn put_descriptor(c: *mut sys::conn_rec, mut fd: RawFd) {
    // SAFETY: as above; APR copies the number.
    unsafe {
        let mut socket = sys::ap_get_conn_socket(c);
        if !socket.is_null() {
            sys::apr_os_sock_put(&raw mut socket, &raw mut fd, (*c).pool);
        }
    }
}
