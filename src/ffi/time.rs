//! Clocks of the host.

use super::bindings as sys;

/// Local wall clock time.
#[derive(Debug, Clone, Copy)]
pub struct LocalTime {
    /// Microseconds of the second.
    pub micros: u32,
    /// 0 to 60.
    pub second: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 23.
    pub hour: u32,
    /// Day of the month, 1 to 31.
    pub day: u32,
    /// 0 is January.
    pub month: u32,
    /// Full year.
    pub year: i32,
    /// 0 is Sunday.
    pub weekday: u32,
}

/// The local time of now.
pub fn local() -> LocalTime {
    let mut parts = std::mem::MaybeUninit::<sys::apr_time_exp_t>::zeroed();
    // SAFETY: an all-zero apr_time_exp_t is valid (integers only), and apr_time_exp_lt fills it.
    let parts = unsafe {
        sys::apr_time_exp_lt(parts.as_mut_ptr(), sys::apr_time_now());
        parts.assume_init()
    };
    let positive = |value: i32| u32::try_from(value).unwrap_or(0);
    LocalTime {
        micros: positive(parts.tm_usec),
        second: positive(parts.tm_sec),
        minute: positive(parts.tm_min),
        hour: positive(parts.tm_hour),
        day: positive(parts.tm_mday),
        month: positive(parts.tm_mon),
        year: parts.tm_year + 1900,
        weekday: positive(parts.tm_wday),
    }
}
