//! Buffers of running exchanges, kept by each thread.

use std::cell::RefCell;

use crate::engine::proxy::Buffers;

/// Buffer sets a thread keeps; more than one is only used when a handler runs inside another (an SSI include).
const KEPT: usize = 2;

thread_local! {
    #[expect(clippy::vec_box, reason = "moved several times between here and the pump and back")]
    static BUFFERS: RefCell<Vec<Box<Buffers>>> = const { RefCell::new(Vec::new()) };
}

/// A set for one request; give it back with [`restore`].
pub(super) fn lend() -> Box<Buffers> {
    BUFFERS.with(|cell| cell.try_borrow_mut().ok().and_then(|mut kept| kept.pop())).unwrap_or_default()
}

/// Keeps a set for the next request.
pub(super) fn restore(buffers: Box<Buffers>) {
    BUFFERS.with(|cell| {
        if let Ok(mut kept) = cell.try_borrow_mut()
            && kept.len() < KEPT
        {
            kept.push(buffers);
        }
    });
}
