//! See `mod_jk_rs::engine::fuzzing::ajp_reply`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mod_jk_rs::engine::fuzzing::ajp_reply(data));
