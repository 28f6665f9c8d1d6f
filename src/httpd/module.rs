//! The record that httpd loads, and the hooks behind it.

use super::config::ServerConf;
use super::map_hook::Slot;
use super::{directives, handler, lifecycle, map_hook, messages, notes, request_log, status};
use crate::ffi::command::{Command, CommandTable};
use crate::ffi::pool::{Pool, Text};
use crate::ffi::request::Request;
use crate::ffi::server::{Server, Startup};
use crate::ffi::{Module, ModuleRecord, Verdict};

/// Version of the module.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The module.
pub struct Jk;

static COMMANDS: CommandTable<{ directives::TABLE.len() + 1 }> =
    CommandTable::new::<Jk>(&directives::COMMANDS);

/// What `LoadModule jk_module` looks for. The file name is mod_jk's, so that `<IfModule mod_jk.c>` of existing
/// configurations keeps its meaning.
// SAFETY: no other symbol of the process has this name; two modules of one name cannot be loaded.
#[allow(non_upper_case_globals)]
#[unsafe(no_mangle)]
pub static jk_module: ModuleRecord =
    ModuleRecord::new::<Jk, { directives::TABLE.len() + 1 }>(c"mod_jk.c", &COMMANDS);

impl Module for Jk {
    type Config = ServerConf;
    type Slot<'r> = Slot<'r>;

    const PANIC: &'static str = messages::PANIC_LINE;

    fn record() -> &'static ModuleRecord {
        &jk_module
    }

    fn create_config(server: Server<'_>) -> ServerConf {
        ServerConf::new(server.is_virtual())
    }

    fn merge_config(base: &ServerConf, own: &ServerConf) -> ServerConf {
        ServerConf::merged(base, own)
    }

    fn directive(command: &Command<'_>, config: &mut ServerConf) -> Result<(), String> {
        directives::apply(command, config)
    }

    fn check_config(startup: &mut Startup<'_>) -> bool {
        lifecycle::check(startup)
    }

    fn post_config(startup: &mut Startup<'_>) -> bool {
        lifecycle::open(startup)
    }

    fn child_init(main: Server<'_>, pool: Pool<'static>) {
        lifecycle::begin_child(main, pool);
    }

    fn translate_name(request: Request<'_>) -> Verdict {
        map_hook::translate_name(request)
    }

    fn map_to_storage(request: Request<'_>) -> Verdict {
        map_hook::map_to_storage(request)
    }

    fn handler(request: Request<'_>) -> Verdict {
        handler::handle(request)
    }

    fn server_status(request: Request<'_>, short: bool) -> String {
        status::server_status(request, short)
    }

    fn log_transaction(request: Request<'_>) {
        request_log::log(request);
    }

    fn log_item<'r>(request: Request<'r>, what: &[u8]) -> Option<Text<'r>> {
        notes::log_item(request, what)
    }
}
