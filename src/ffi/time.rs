//! Wall clock time in words.

use std::ffi::CStr;

use super::bindings as sys;

/// Wall clock time: seconds since 1970 and microseconds of the second.
pub fn wall() -> (i64, u32) {
    // SAFETY: no preconditions.
    let now = unsafe { sys::apr_time_now() };
    (now.div_euclid(1_000_000), u32::try_from(now.rem_euclid(1_000_000)).unwrap_or(0))
}

/// Seconds that local time is ahead of UTC at a moment, in seconds since 1970.
pub fn offset(seconds: i64) -> i32 {
    // SAFETY: no preconditions.
    unsafe { sys::jk_gmt_offset(seconds) }
}

/// `strftime` in local time; empty when the result is longer than 512 octets.
pub fn format_local(format: &CStr, seconds: i64) -> String {
    let mut out = [0_u8; 512];
    // SAFETY: buffer, its size and the format are valid.
    let length = unsafe { sys::jk_format_time(out.as_mut_ptr().cast(), out.len(), format.as_ptr(), seconds) };
    String::from_utf8_lossy(out.get(..length).unwrap_or_default()).into_owned()
}
