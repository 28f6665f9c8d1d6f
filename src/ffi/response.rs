//! The response of a request: its head, and the way of its body into httpd's filters.

use std::ffi::c_int;
use std::mem::MaybeUninit;

use super::bindings as sys;
use super::pool::Text;
use super::request::Request;
use super::table::Table;

/// Pieces passed on in one call.
const PIECES: usize = 32;

/// What follows the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// More data.
    More,
    /// A flush.
    Flush,
    /// The end of the response.
    End,
}

/// The response side of a request.
pub struct Response<'r> {
    request: Request<'r>,
    brigade: *mut sys::apr_bucket_brigade,
}

impl<'r> Response<'r> {
    /// A response nothing has been written to.
    pub fn new(request: Request<'r>) -> Self {
        Self { request, brigade: std::ptr::null_mut() }
    }

    fn brigade(&mut self) -> *mut sys::apr_bucket_brigade {
        if self.brigade.is_null() {
            // SAFETY: live request.
            self.brigade = unsafe { sys::jk_output_brigade(self.request.raw()) };
        }
        self.brigade
    }

    /// Response headers.
    pub fn headers(&self) -> Option<Table<'r>> {
        // SAFETY: a table of the request.
        unsafe { Table::new((*self.request.raw()).headers_out) }
    }

    /// Headers that are sent with error responses too.
    pub fn error_headers(&self) -> Option<Table<'r>> {
        // SAFETY: a table of the request.
        unsafe { Table::new((*self.request.raw()).err_headers_out) }
    }

    /// A copy of the headers set so far by others; `None` when there are none.
    pub fn snapshot(&self) -> Option<Table<'r>> {
        let headers = self.headers().filter(|headers| !headers.is_empty())?;
        // SAFETY: table and pool are live.
        unsafe { Table::new(sys::apr_table_copy((*self.request.raw()).pool, headers.raw())) }
    }

    /// Puts the headers back to `snapshot` and forgets type and status.
    pub fn restore(&self, snapshot: Option<Table<'r>>) {
        match (snapshot, self.headers()) {
            // SAFETY: the snapshot lives in the pool of the request.
            (Some(snapshot), _) => unsafe { (*self.request.raw()).headers_out = snapshot.raw() },
            // SAFETY: live table.
            (None, Some(headers)) => unsafe { sys::apr_table_clear(headers.raw()) },
            (None, None) => {}
        }
        // SAFETY: live request, single thread.
        unsafe {
            let request = self.request.raw();
            (*request).content_type = std::ptr::null();
            (*request).status_line = std::ptr::null();
            (*request).status = sys::HTTP_OK as c_int;
        }
    }

    /// Forgets what other modules derived from the file name: content type, encoding, languages.
    pub fn forget_file_facts(&self) {
        // SAFETY: live request, single thread; null is what httpd starts with.
        unsafe {
            let request = self.request.raw();
            (*request).content_type = std::ptr::null();
            (*request).content_encoding = std::ptr::null();
            (*request).content_languages = std::ptr::null_mut();
        }
    }

    /// Sets the status, with httpd's standard line.
    pub fn set_status(&self, status: u16) {
        // SAFETY: live request, single thread.
        unsafe {
            let request = self.request.raw();
            (*request).status = c_int::from(status);
            (*request).status_line = std::ptr::null();
        }
    }

    /// Sets a status line of its own: `404 No such thing`.
    pub fn set_status_line(&self, line: &[u8]) {
        // SAFETY: the copy lives as long as the request.
        unsafe { (*self.request.raw()).status_line = self.request.pool().text(line).as_ptr() };
    }

    /// httpd knows a phrase for `status`.
    pub fn has_standard_phrase(status: u16) -> bool {
        standard_phrase(status).is_some()
    }

    /// `reason` is what httpd itself says for `status`.
    pub fn is_standard_phrase(status: u16, reason: &[u8]) -> bool {
        match status {
            200 => reason == b"OK",
            _ => standard_phrase(status).is_some_and(|phrase| phrase == reason),
        }
    }

    /// Sets the content type; filters by type see it.
    pub fn set_content_type(&self, value: Text<'r>) {
        // SAFETY: live request; the text lives as long as the request.
        unsafe { sys::ap_set_content_type(self.request.raw(), value.as_ptr()) };
    }

    /// Sets the content length.
    pub fn set_content_length(&self, length: u64) {
        // SAFETY: live request.
        unsafe {
            sys::ap_set_content_length(self.request.raw(), i64::try_from(length).unwrap_or(i64::MAX));
        }
    }

    /// As [`Response::set_content_length`], with the text of the same number at hand, so that it need not be written anew.
    pub fn set_content_length_as(&self, length: u64, text: Text<'r>) {
        // SAFETY: live request, single thread.
        unsafe { (*self.request.raw()).clength = i64::try_from(length).unwrap_or(i64::MAX) };
        if let Some(headers) = self.headers() {
            headers.set(c"Content-Length", text);
        }
    }

    /// Sets `Last-Modified` from the text of a date.
    pub fn set_last_modified(&self, value: Text<'r>) {
        // SAFETY: live request and text.
        unsafe { sys::jk_last_modified(self.request.raw(), value.as_ptr()) };
    }

    /// Passes data to the filters, and what follows. False when the client is gone.
    ///
    /// The data is only used during the call.
    pub fn write(&mut self, data: &[&[u8]], then: Then) -> bool {
        let brigade = self.brigade();
        let mut pieces = [const { MaybeUninit::<sys::jk_piece>::uninit() }; PIECES];
        let mut batches = data.chunks(PIECES).peekable();
        loop {
            let batch = batches.next().unwrap_or_default();
            let last = batches.peek().is_none();
            for (piece, bytes) in pieces.iter_mut().zip(batch) {
                piece.write(sys::jk_piece { data: bytes.as_ptr().cast(), len: bytes.len() as _ });
            }
            let then = match then {
                _ if !last => sys::JK_THEN_MORE,
                Then::More => sys::JK_THEN_MORE,
                Then::Flush => sys::JK_THEN_FLUSH,
                Then::End => sys::JK_THEN_END,
            };
            // SAFETY: request and brigade are live; the first `batch.len()` pieces are set and valid during the call.
            let gone = unsafe {
                sys::jk_write(
                    self.request.raw(),
                    brigade,
                    pieces.as_ptr().cast(),
                    batch.len() as _,
                    c_int::try_from(then).unwrap_or(0),
                )
            };
            if gone != 0 {
                return false;
            }
            if last {
                return true;
            }
        }
    }

    /// Sends what was written and has not left, as far as that needs no waiting; says whether something is left. `None`: the
    /// client is gone.
    pub fn flush_some(&self) -> Option<bool> {
        // SAFETY: live request.
        match unsafe { sys::jk_flush_some(self.request.raw()) } {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// The client's socket has room: a flush of a little data does not wait.
    pub fn client_takes_more(&self) -> bool {
        // SAFETY: live request.
        unsafe { sys::jk_client_takes_more(self.request.raw()) != 0 }
    }

    /// Breaks off a response that has begun, so that the client sees that it is incomplete.
    pub fn abort(&mut self) {
        let brigade = self.brigade();
        // SAFETY: request and brigade are live.
        unsafe { sys::jk_abort_response(self.request.raw(), brigade) };
    }
}

/// httpd's phrase for `status`. For one that it does not know it has the line of another one.
fn standard_phrase(status: u16) -> Option<&'static [u8]> {
    let mut digits = *b"000 ";
    let mut rest = status;
    for digit in digits.iter_mut().take(3).rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    // SAFETY: returns a static string.
    let line: &'static [u8] =
        unsafe { super::table::bytes(sys::ap_get_status_line(c_int::from(status))) }.unwrap_or_default();
    line.strip_prefix(&digits)
}
