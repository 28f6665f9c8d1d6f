//! The retry budget: failovers cost, first tries earn, so that repeated requests can not bury members that still work.
//!
//! The account is shared by all processes, in hundredths of a request. It may be overdrawn by [`RESERVE`], so that a server
//! with few requests never notices it, and holds at most [`MOST`]. A record of zeros is an account with its whole reserve.
//!
//! Source: the idea of Finagle's RetryBudget, without its clock.

use std::sync::atomic::Ordering::Relaxed;

use super::state::BalancerState;

/// Hundredths of a request.
const COST: i64 = 100;
/// Failovers that need no earnings.
pub const RESERVE: i64 = 100;
/// Failovers that can be saved up.
pub const MOST: i64 = 900;

impl BalancerState {
    /// A request is tried for the first time, and earns `percent` of a failover.
    pub fn earn(&self, percent: u32) {
        // Nearly always full: a read does not take the cache line from others. Several at once may overshoot a little.
        if self.budget.load(Relaxed) < MOST * COST {
            self.budget.fetch_add(i64::from(percent), Relaxed);
        }
    }

    /// Pays for a failover; false: the budget does not allow it.
    pub fn spend(&self) -> bool {
        let pay = |left: i64| (left - COST >= -RESERVE * COST).then(|| left - COST);
        self.budget.fetch_update(Relaxed, Relaxed, pay).is_ok()
    }
}
