//! One request's page in a format for scripts: what all of them need to know.

use super::command::{Refusal, Subject};
use super::query::{Command, Hide};
use super::view::View;
use crate::engine::config::model::Status;

/// What an answer contains.
#[derive(Debug, Clone, Copy)]
pub enum Content<'v> {
    /// The answer to a command that shows.
    Shown(Command, Subject<'v>),
    /// A change was made.
    Done,
    /// The request is refused.
    Refused(&'v Refusal),
}

/// A page to be written.
#[derive(Debug, Clone, Copy)]
pub struct Page<'v> {
    /// The workers.
    pub view: &'v View,
    /// The settings of the status worker.
    pub status: &'v Status,
    /// What is hidden.
    pub hide: Hide,
    /// What it contains.
    pub content: Content<'v>,
}

impl Page<'_> {
    /// The type and the message of the result that ends every answer.
    pub(super) fn result(&self) -> (&'static str, String) {
        match self.content {
            Content::Refused(refusal) => ("ERROR", refusal.to_string()),
            Content::Shown(..) | Content::Done => ("OK", "Action finished".to_owned()),
        }
    }

    /// The command whose head data are written; `None`: no head data at all.
    pub(super) fn head(&self) -> Option<Command> {
        match self.content {
            Content::Shown(command, _) => Some(command),
            Content::Done | Content::Refused(_) => None,
        }
    }

    /// That part is shown.
    pub(super) fn shows(&self, bit: u32) -> bool {
        !self.hide.has(bit)
    }
}
