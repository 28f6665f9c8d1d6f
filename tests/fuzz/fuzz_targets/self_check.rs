//! What is forwarded for a path is read by Tomcat as the path that was mapped.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mod_jk_rs::engine::route::fuzzing::self_check(data));
