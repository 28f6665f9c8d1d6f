//! A request under way, as the hooks and the handler see it.

use std::ffi::{CStr, c_char, c_int};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::time::Duration;

use super::bindings as sys;
use super::entry::{Module, Verdict};
use super::pool::{Pool, Text};
use super::server::Server;
use super::table::{Form, Table, bytes};

/// A borrowed `request_rec`: belongs to one thread as long as a hook or the handler runs.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    raw: NonNull<sys::request_rec>,
    life: PhantomData<&'r ()>,
}

impl<'r> Request<'r> {
    /// # Safety
    /// `raw` is a live request for `'r`, used by this thread only.
    pub(super) unsafe fn new(raw: *mut sys::request_rec) -> Self {
        debug_assert!(!raw.is_null());
        // SAFETY: httpd never passes a null request.
        Self { raw: unsafe { NonNull::new_unchecked(raw) }, life: PhantomData }
    }

    pub(super) fn raw(self) -> *mut sys::request_rec {
        self.raw.as_ptr()
    }

    /// A copy of the pointer for reading fields; no reference is kept across calls into httpd, which changes the record.
    fn get(self) -> &'r sys::request_rec {
        // SAFETY: live for 'r; fields are read one at a time by the only thread that uses the request.
        unsafe { self.raw.as_ref() }
    }

    /// # Safety
    /// `text` is null or a string that lives as long as the request.
    unsafe fn text(text: *const c_char) -> Option<&'r [u8]> {
        // SAFETY: by the contract.
        unsafe { bytes(text) }
    }

    /// The pool of the request.
    pub fn pool(self) -> Pool<'r> {
        // SAFETY: lives as long as the request.
        match unsafe { Pool::new(self.get().pool) } {
            Some(pool) => pool,
            None => unreachable!("a request has a pool"),
        }
    }

    /// The server that answers.
    pub fn server(self) -> Server<'r> {
        // SAFETY: set before any hook runs.
        unsafe { Server::new(self.get().server) }
    }

    /// Method as received.
    pub fn method(self) -> &'r [u8] {
        // SAFETY: strings of the request.
        unsafe { Self::text(self.get().method) }.unwrap_or_default()
    }

    /// Protocol, for example `HTTP/1.1`.
    pub fn protocol(self) -> &'r [u8] {
        // SAFETY: as above.
        unsafe { Self::text(self.get().protocol) }.unwrap_or_default()
    }

    /// HTTP/0.9: no header and no status line.
    pub fn is_simple(self) -> bool {
        self.get().assbackwards != 0
    }

    /// HEAD.
    pub fn head_only(self) -> bool {
        self.get().header_only != 0
    }

    /// 1000 x major + minor.
    pub fn protocol_number(self) -> i32 {
        self.get().proto_num
    }

    /// The decoded path.
    pub fn uri(self) -> Option<&'r [u8]> {
        // SAFETY: as above.
        unsafe { Self::text(self.get().uri) }
    }

    /// Identity of the current path: changes when anybody sets another one.
    pub fn uri_address(self) -> usize {
        self.get().uri.addr()
    }

    /// The request target as received.
    pub fn unparsed_uri(self) -> &'r [u8] {
        // SAFETY: as above.
        unsafe { Self::text(self.get().unparsed_uri) }.unwrap_or_default()
    }

    /// The query string without the question mark.
    pub fn query(self) -> Option<&'r [u8]> {
        // SAFETY: as above.
        unsafe { Self::text(self.get().args) }
    }

    /// Replaces the path; access rules of `<Location>` are evaluated again with it.
    pub fn set_uri(self, uri: &'r CStr) {
        // SAFETY: the text lives as long as the request; httpd does not write through it.
        unsafe { (*self.raw()).uri = uri.as_ptr().cast_mut() };
    }

    /// The name of the handler.
    pub fn handler(self) -> Option<&'r [u8]> {
        // SAFETY: as above.
        unsafe { Self::text(self.get().handler) }
    }

    /// mod_dir has found it to be a directory.
    pub fn is_directory(self) -> bool {
        self.handler() == Some(b"httpd/unix-directory")
    }

    /// Whether the handler is the very string `name`, compared by address first.
    pub fn handled_by(self, name: &'static CStr) -> bool {
        let handler = self.get().handler;
        handler == name.as_ptr() || self.handler() == Some(name.to_bytes())
    }

    /// Sets the handler.
    pub fn set_handler(self, name: &'static CStr) {
        // SAFETY: static text.
        unsafe { (*self.raw()).handler = name.as_ptr() };
    }

    /// mod_proxy has taken the request.
    pub fn is_proxied(self) -> bool {
        self.get().proxyreq != 0
    }

    /// The request this one is a sub-request of.
    pub fn main(self) -> Option<Self> {
        // SAFETY: a live request or null.
        (!self.get().main.is_null()).then(|| unsafe { Self::new(self.get().main) })
    }

    /// The request that was redirected internally to this one.
    pub fn previous(self) -> Option<Self> {
        // SAFETY: a live request or null.
        (!self.get().prev.is_null()).then(|| unsafe { Self::new(self.get().prev) })
    }

    /// mod_dir asks whether an index file exists.
    pub fn is_index_probe(self) -> bool {
        // SAFETY: live request.
        !self.get().main.is_null() && unsafe { sys::jk_is_index_probe(self.raw()) != 0 }
    }

    /// Has httpd process `path` in place of this request, with every check of access, up to the end of the response. `false`:
    /// nothing was done, because it cannot be done safely here.
    pub fn process_anew(self, path: &CStr) -> bool {
        // SAFETY: live request; the path is copied.
        unsafe { sys::jk_process_anew(self.raw(), path.as_ptr()) != 0 }
    }

    /// Gives a mapped request the file name modules expect.
    pub fn name_file(self) {
        // SAFETY: live request with a path.
        unsafe { sys::jk_name_file(self.raw()) };
    }

    /// `AllowEncodedSlashes NoDecode` is in force.
    pub fn keeps_encoded_slashes(self) -> bool {
        // SAFETY: live request.
        unsafe { sys::jk_nodecode(self.raw()) != 0 }
    }

    /// Status so far.
    pub fn status(self) -> u16 {
        u16::try_from(self.get().status).unwrap_or(0)
    }

    /// Sets the name of the file to serve.
    pub fn set_filename(self, name: &'r CStr) {
        // SAFETY: the text lives as long as the request; httpd does not write through it.
        unsafe { (*self.raw()).filename = name.as_ptr().cast_mut() };
    }

    /// The name of the file to serve, if there is one.
    pub fn filename(self) -> Option<&'r [u8]> {
        // SAFETY: as above.
        unsafe { Self::text(self.get().filename) }
    }

    /// What stands at a path of the file system.
    pub fn path_kind(self, path: &CStr) -> PathKind {
        // SAFETY: live request and path.
        match unsafe { sys::jk_path_kind(self.raw(), path.as_ptr()) } {
            0 => PathKind::Nothing,
            1 => PathKind::File,
            2 => PathKind::Directory,
            _ => PathKind::Other,
        }
    }

    /// Puts the common CGI variables into the environment.
    pub fn add_common_variables(self) {
        // SAFETY: live request.
        unsafe { sys::jk_add_common_vars(self.raw()) };
    }

    /// The request line as received.
    pub fn received_line(self) -> &'r [u8] {
        // SAFETY: as above.
        unsafe { Self::text(self.get().the_request) }.unwrap_or_default()
    }

    /// The request line as a log may show it.
    pub fn logged_line(self) -> &'r [u8] {
        // SAFETY: live request; the text lives in its pool.
        unsafe { Self::text(sys::jk_logged_request_line(self.raw())) }.unwrap_or_default()
    }

    /// The port of the server as configured.
    pub fn configured_port(self) -> u16 {
        // SAFETY: live request.
        unsafe { sys::jk_configured_port(self.raw()) }
    }

    /// Octets of response body sent; `None` when no response was started.
    pub fn body_sent(self) -> Option<i64> {
        (self.get().sent_bodyct != 0).then(|| self.get().bytes_sent)
    }

    /// The last request of a chain of internal redirects that begins here.
    pub fn last(self) -> Self {
        let mut last = self;
        while !last.get().next.is_null() {
            // SAFETY: the chain consists of live requests and ends with null.
            last = unsafe { Self::new(last.get().next) };
        }
        last
    }

    /// A note.
    pub fn noted(self, name: &CStr) -> Option<&'r [u8]> {
        // SAFETY: a table of the request.
        unsafe { Table::new(self.get().notes) }?.get(name)
    }

    /// Request headers.
    pub fn headers(self) -> Option<Table<'r>> {
        // SAFETY: a table of the request.
        unsafe { Table::new(self.get().headers_in) }
    }

    /// An environment variable of the request.
    pub fn env(self, name: &CStr) -> Option<&'r [u8]> {
        // Most requests have none, and several names are asked for.
        self.environment().filter(|table| !table.is_empty())?.get(name)
    }

    /// All environment variables of the request.
    pub fn environment(self) -> Option<Table<'r>> {
        // SAFETY: a table of the request.
        unsafe { Table::new(self.get().subprocess_env) }
    }

    /// Sets a note for logging.
    pub fn note(self, name: &'static CStr, value: impl Into<Text<'r>>) {
        // SAFETY: a table of the request.
        if let Some(notes) = unsafe { Table::new(self.get().notes) } {
            notes.set(name, value);
        }
    }

    /// Adds a note without looking for one of the same name.
    pub fn add_note(self, name: &'static CStr, value: Text<'r>) {
        // SAFETY: a table of the request.
        if let Some(notes) = unsafe { Table::new(self.get().notes) } {
            notes.add(name.into(), value);
        }
    }

    /// Adds notes of which the request has none yet.
    pub fn fill_notes<const N: usize>(self, form: &Form<N>, values: [Text<'r>; N]) {
        // SAFETY: a table of the request.
        let Some(old) = (unsafe { Table::new(self.get().notes) }) else { return };
        if let Some(filled) = form.fill(self.pool(), values, old) {
            // SAFETY: the new table lives as long as the request and holds all that was in the old one.
            unsafe { (*self.raw()).notes = filled.raw() };
        }
    }

    /// The authenticated user.
    pub fn user(self) -> Option<&'r [u8]> {
        // SAFETY: as above.
        unsafe { Self::text(self.get().user) }
    }

    /// `Basic`, `Digest` ... of an authenticated request.
    pub fn auth_type(self) -> Option<&'r [u8]> {
        // SAFETY: as above.
        unsafe { Self::text(self.get().ap_auth_type) }
    }

    /// Client address, as mod_remoteip left it.
    pub fn client_address(self) -> Option<&'r [u8]> {
        // SAFETY: as above.
        unsafe { Self::text(self.get().useragent_ip) }
    }

    /// Client port, 0 when mod_remoteip replaced the address.
    pub fn client_port(self) -> u16 {
        // SAFETY: null or an address of the connection.
        unsafe { self.get().useragent_addr.as_ref() }.map_or(0, |address| address.port)
    }

    /// Address of the peer of the TCP connection.
    pub fn peer_address(self) -> Option<&'r [u8]> {
        // SAFETY: the connection outlives the request.
        unsafe { Self::text((*self.get().connection).client_ip) }
    }

    /// Port of the peer of the TCP connection.
    pub fn peer_port(self) -> u16 {
        // SAFETY: the connection and its address outlive the request.
        unsafe { (*self.get().connection).client_addr.as_ref() }.map_or(0, |address| address.port)
    }

    /// Client host name, if httpd looked it up.
    pub fn client_host(self) -> Option<&'r [u8]> {
        // SAFETY: live request; the name lives as long as the connection.
        unsafe { Self::text(sys::jk_remote_host(self.raw())) }
    }

    /// Local address of the client's connection.
    pub fn local_address(self) -> Option<&'r [u8]> {
        // SAFETY: the connection outlives the request.
        unsafe { Self::text((*self.get().connection).local_ip) }
    }

    /// Name the client addressed, by `UseCanonicalName`.
    pub fn server_name(self) -> &'r [u8] {
        // SAFETY: live request; the name lives as long as the request.
        unsafe { Self::text(sys::ap_get_server_name(self.raw())) }.unwrap_or_default()
    }

    /// Port the client addressed.
    pub fn server_port(self) -> u16 {
        // SAFETY: live request.
        unsafe { sys::ap_get_server_port(self.raw()) }
    }

    /// The client's connection is gone.
    pub fn aborted(self) -> bool {
        // SAFETY: the connection outlives the request.
        unsafe { (*self.get().connection).aborted != 0 }
    }

    /// It was found out that the client's connection is gone.
    pub fn lose_client(self) {
        // SAFETY: live request.
        unsafe { sys::jk_client_gone(self.raw()) };
    }

    /// An input filter may change the length of the body (decompression).
    pub fn body_may_change(self) -> bool {
        // SAFETY: live request.
        unsafe { sys::jk_body_may_change(self.raw()) != 0 }
    }

    /// The client's connection closes after this response.
    pub fn close_after(self) {
        // SAFETY: the connection outlives the request.
        unsafe { (*self.get().connection).keepalive = sys::AP_CONN_CLOSE };
    }

    /// httpd's `Timeout`.
    pub fn timeout(self) -> Duration {
        // SAFETY: live request.
        Duration::from_micros(u64::try_from(unsafe { sys::jk_server_timeout(self.raw()) }).unwrap_or(0))
    }

    /// How long the MPM waits at least for a connection that was put aside.
    pub fn mpm_timeout(self) -> Duration {
        // SAFETY: live request.
        Duration::from_micros(u64::try_from(unsafe { sys::jk_mpm_timeout(self.raw()) }).unwrap_or(0))
    }

    /// What this module keeps with the request.
    pub fn slot<M: Module>(self) -> Option<&'r M::Slot<'r>> {
        // SAFETY: the entry is null or was made by `set_slot`, in the pool of this request.
        unsafe { M::record().entry(self.get().request_config).cast::<M::Slot<'r>>().as_ref() }
    }

    /// Keeps data of this module with the request.
    pub fn set_slot<M: Module>(self, value: M::Slot<'r>) {
        let place: *mut M::Slot<'r> = self.pool().place(value);
        // SAFETY: the vector is live; the value lives as long as the request.
        unsafe { M::record().set_entry(self.get().request_config, place.cast()) };
    }

    /// The handler that `SetHandler` of the matching sections will set.
    pub fn section_handler(self) -> Option<&'r [u8]> {
        // SAFETY: live request; the text belongs to the configuration.
        unsafe { Self::text(sys::jk_section_handler(self.raw())) }
    }

    /// The response has begun to leave.
    pub fn response_begun(self) -> bool {
        self.get().sent_bodyct != 0 || self.get().eos_sent != 0
    }

    /// What the handler answers after a panic: an error page, or, when part of the response is out, a connection that is
    /// visibly broken off.
    pub fn after_panic(self) -> Verdict {
        if self.response_begun() {
            super::response::Response::new(self).abort();
            Verdict::Ok
        } else {
            Verdict::Status(500)
        }
    }

    /// The descriptor of the client's connection, if it has one of its own.
    pub fn client_descriptor(self) -> Option<c_int> {
        // SAFETY: live request.
        let descriptor = unsafe { sys::jk_client_descriptor(self.raw()) };
        (descriptor >= 0).then_some(descriptor)
    }
}

/// What stands at a path of the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    /// Nothing, or it cannot be seen.
    Nothing,
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// Something else.
    Other,
}

/// Result of [`BodyReader::read`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Octets stored.
    Data(usize),
    /// The body is complete.
    End,
    /// Nothing there yet.
    WouldBlock,
    /// The client is gone.
    Gone,
    /// A filter has answered the client.
    Answered,
    /// httpd's status for what is wrong.
    Status(u16),
}

/// Reads the body of a request through httpd's input filters.
pub struct BodyReader<'r> {
    request: Request<'r>,
    brigade: *mut sys::apr_bucket_brigade,
    ended: bool,
}

impl<'r> BodyReader<'r> {
    /// A reader that has read nothing.
    pub fn new(request: Request<'r>) -> Self {
        Self { request, brigade: std::ptr::null_mut(), ended: false }
    }

    /// Reads into `buffer`, waiting for data if `block` is set.
    pub fn read(&mut self, buffer: &mut [u8], block: bool) -> Read {
        if self.ended {
            return Read::End;
        }
        if self.brigade.is_null() {
            // SAFETY: live request.
            self.brigade = unsafe { sys::jk_brigade(self.request.raw()) };
        }
        let mut got = 0;
        let mut status = 0;
        // SAFETY: request and brigade are live; the buffer has the length that is passed.
        let result = unsafe {
            sys::jk_read_body(
                self.request.raw(),
                self.brigade,
                buffer.as_mut_ptr().cast(),
                buffer.len() as _,
                c_int::from(block),
                &mut got,
                &mut status,
            )
        };
        match u32::try_from(result).unwrap_or(sys::JK_READ_ERROR) {
            sys::JK_READ_DATA => {
                self.ended = status != 0;
                Read::Data(got)
            }
            sys::JK_READ_END => {
                self.ended = true;
                Read::End
            }
            sys::JK_READ_AGAIN => Read::WouldBlock,
            _ if status == sys::AP_FILTER_ERROR => Read::Answered,
            _ => match u16::try_from(status) {
                Ok(status) if status >= 400 => Read::Status(status),
                _ => Read::Gone,
            },
        }
    }
}
