//! Memory that all processes of a server share: where the records of [`crate::engine::balance::state`] live.
//!
//! | file       | what it does                                                                                  |
//! |------------|-----------------------------------------------------------------------------------------------|
//! | `layout`   | the byte picture, its versions and sizes; typed views of a mapping                            |
//! | `segment`  | maps the memory in the parent, before it forks                                                |
//! | `file`     | the file of `JkShmFile`                                                                       |
//! | `registry` | finds the record of a name, over restarts; a larger segment when one is full                  |
//! | `carry`    | what moves into a larger segment                                                              |
//! | `process`  | a process counts in a row of its own; what a killed one had counted is given back             |
//! | `alive`    | is the process that wrote this still there?                                                   |
//! | `journal`  | settings changed at run time, as a text that is replaced as a whole                           |
//! | `lease`    | one process at a time does the work that is done once for all                                 |
//! | `futex`    | sleeping until another process rings                                                          |
//! | `random`   | cheap random numbers                                                                          |
//!
//! Requests take no lock in shared memory. Those who change settings take turns by a word with the name of the process, which
//! is void when that is gone: a process that is killed anywhere leaves nothing locked. A mapping stays until the
//! process ends, so references into it are `'static`. Nothing here knows httpd, logs, or starts a thread. Needs Linux for
//! the futex and the start time of processes; elsewhere it polls and goes by process ids alone.

pub mod alive;
mod carry;
mod file;
pub mod futex;
pub mod journal;
pub mod layout;
pub mod lease;
pub mod process;
pub mod random;
pub mod registry;
pub mod segment;
