//! Placeholder until the httpd glue lands.
fn main() {}
