//! See `mod_jk_rs::engine::http1::fuzzing::http1_request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mod_jk_rs::engine::http1::fuzzing::http1_request(data));
