//! Making a balancer, and bringing its configuration into the shared records of its members.
//!
//! A record outlives the configuration that made it (and may be changed at run time). What the configuration says is taken
//! over when the record is new or when the configuration says something else than before; otherwise what was set at run time
//! stays.
//!
//! Sources: `init`, `update_mult` and `jk_lb_pull` of jk_lb_worker.c; unlike there the arithmetic can not overflow.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;

use super::methods::hash::Table;
use super::state::BalancerState;
use super::{Balancer, Cursor, Member, Settings};
use crate::engine::config::model::{Activation, Method};

/// Largest common multiple of the weights that is used exactly: 32 bits leave 32 for what is counted.
const LARGEST_MULTIPLE: u64 = 1 << 32;
/// Precision of the multipliers when the common multiple is larger: the heaviest member gets this one.
const COARSE: u64 = 1024;

/// What the configuration says about a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Configured {
    /// Which requests it takes.
    pub activation: Activation,
    /// Weight; 0 counts as 1.
    pub factor: u32,
    /// Lower is preferred, strictly.
    pub distance: i32,
}

impl<'s> Balancer<'s> {
    /// A balancer over shared records. Of members with the same route the first one gets the sessions.
    pub fn new(
        name: Box<str>,
        settings: Settings,
        members: Box<[Member<'s>]>,
        state: &'s BalancerState,
    ) -> Self {
        let mut routes = HashMap::with_capacity(members.len());
        for (place, member) in members.iter().enumerate() {
            routes.entry(member.route.clone()).or_insert(place);
        }
        let has_domains = members.iter().any(|member| !member.domain.is_empty());
        let mut balancer = Self {
            name,
            settings,
            members,
            state,
            cursor: Cursor::default(),
            routes,
            has_domains,
            table: Table::default(),
        };
        balancer.build_table();
        balancer
    }

    /// Takes what is configured over into the shared records, member by member, see the head of this file.
    pub fn adopt(&mut self, configured: &[Configured]) {
        for (member, values) in self.members.iter().zip(configured) {
            let (state, factor) = (member.state, values.factor.max(1));
            let activation = values.activation as u32 + 1;
            let before = state.configured_activation.swap(activation, Relaxed);
            let new = before == 0;
            if before != activation {
                state.set_activation(values.activation);
                if values.activation == Activation::Active {
                    // Behind the others, or it would get every request until it has had as many as they.
                    self.raise_value(member);
                }
            }
            if state.configured_factor.swap(factor, Relaxed) != factor || new {
                state.factor.store(factor, Relaxed);
            }
            if state.configured_distance.swap(values.distance, Relaxed) != values.distance || new {
                state.distance.store(values.distance, Relaxed);
            }
        }
        let method = self.settings.method as u32 + 1;
        if self.state.method.swap(method, Relaxed) != method {
            self.forget_values();
        }
        self.update_mults();
        self.build_table();
    }

    /// Begins counting anew, because another method counts something else.
    pub fn forget_values(&self) {
        for member in &self.members {
            member.state.value.store(0, Relaxed);
        }
    }

    /// Makes the multipliers follow the weights; to be called whenever a weight was changed.
    pub fn update_mults(&self) {
        let multiple = self.common_multiple();
        let heaviest = self.members.iter().map(Member::factor).max().unwrap_or(1);
        for member in &self.members {
            let mult = match multiple {
                Some(multiple) => multiple / member.factor(),
                None => heaviest.saturating_mul(COARSE) / member.factor(),
            };
            member.state.mult.store(mult.max(1), Relaxed);
        }
    }

    /// The least common multiple of the weights, unless it is too large to be counted with.
    fn common_multiple(&self) -> Option<u64> {
        let mut multiple = 1_u64;
        for member in &self.members {
            let factor = member.factor();
            multiple = (multiple / greatest_divisor(multiple, factor)).checked_mul(factor)?;
        }
        // Weights that share a divisor need not be small: 2000000000 for everybody is as good as 1.
        let shared = self.members.iter().fold(0, |shared, member| greatest_divisor(shared, member.factor()));
        (multiple / shared.max(1) <= LARGEST_MULTIPLE).then_some(multiple)
    }

    fn build_table(&mut self) {
        if self.settings.method == Method::Hash {
            self.table = Table::new(self.members.iter().map(|member| (&*member.name, member.factor())));
        }
    }
}

impl Member<'_> {
    /// Its weight, at least 1.
    pub fn factor(&self) -> u64 {
        u64::from(self.state.factor.load(Relaxed)).max(1)
    }
}

/// Of a number and zero: the number.
fn greatest_divisor(mut one: u64, mut other: u64) -> u64 {
    while other > 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::balance::testing::Shared;

    fn mults(factors: &[u32]) -> Vec<u64> {
        let shared = Shared::new(factors.len());
        let balancer = shared.balancer(Method::Request, factors);
        balancer.members.iter().map(|member| member.state.mult.load(Relaxed)).collect()
    }

    #[test]
    fn multipliers_are_inverse_to_weights() {
        assert_eq!(mults(&[1, 2, 3]), [6, 3, 2]);
        assert_eq!(mults(&[10, 10]), [1, 1]);
        assert_eq!(mults(&[2_147_483_647]), [1]);
        assert_eq!(mults(&[0, 2]), [2, 1]);
        assert_eq!(mults(&[2_000_000_000, 1_000_000_000]), [1, 2]);
    }

    #[test]
    fn multipliers_stay_small_and_right_without_a_usable_common_multiple() {
        let primes = [2_147_483_647, 2_147_483_629, 2_147_483_587, 1_000_000_007, 1];
        let mults = mults(&primes);
        assert_eq!(mults[0], COARSE);
        assert!(mults.iter().all(|mult| *mult >= COARSE && *mult < 1 << 42), "{mults:?}");
        let ratio = mults[3] as f64 / mults[0] as f64;
        assert!((ratio - 2_147_483_647.0 / 1_000_000_007.0).abs() < 0.002, "{ratio}");
    }

    #[test]
    fn what_was_set_at_run_time_stays_until_the_configuration_changes() {
        let shared = Shared::new(1);
        let mut balancer = shared.balancer(Method::Request, &[1]);
        let state = &shared.members[0];
        state.set_activation(Activation::Stopped);
        state.factor.store(7, Relaxed);
        state.distance.store(3, Relaxed);
        let same = Configured { activation: Activation::Active, factor: 1, distance: 0 };
        balancer.adopt(&[same]);
        let now = || (state.activation(), state.factor.load(Relaxed), state.distance.load(Relaxed));
        assert_eq!(now(), (Activation::Stopped, 7, 3));
        balancer.adopt(&[Configured { factor: 2, ..same }]);
        assert_eq!(now(), (Activation::Stopped, 2, 3), "only what changed");
        balancer.adopt(&[Configured { activation: Activation::Disabled, factor: 2, distance: -1 }]);
        assert_eq!(now(), (Activation::Disabled, 2, -1));
    }

    #[test]
    fn who_is_new_or_active_again_is_not_flooded() {
        let shared = Shared::new(3);
        let mut balancer = shared.balancer(Method::Request, &[1, 1, 1]);
        let values = || shared.members.iter().map(|member| member.value.load(Relaxed)).collect::<Vec<_>>();
        assert_eq!(values(), [0, 0, 0]);
        let same = Configured { activation: Activation::Active, factor: 1, distance: 0 };
        balancer.adopt(&[same, Configured { activation: Activation::Disabled, ..same }, same]);
        for (member, value) in shared.members.iter().zip([70, 5, 50]) {
            member.value.store(value, Relaxed);
        }
        balancer.adopt(&[same; 3]);
        assert_eq!(values(), [70, 70, 50]);
        shared.members[2].configured_activation.store(0, Relaxed); // a new record
        balancer.adopt(&[same; 3]);
        assert_eq!(values(), [70, 70, 70]);
    }

    #[test]
    fn another_method_begins_with_new_values() {
        let shared = Shared::new(2);
        shared.balancer(Method::Busyness, &[1, 1]);
        shared.members[1].value.store(9, Relaxed);
        shared.balancer(Method::Busyness, &[1, 1]);
        assert_eq!(shared.members[1].value.load(Relaxed), 9);
        shared.balancer(Method::Request, &[1, 1]);
        assert_eq!(shared.members[1].value.load(Relaxed), 0);
    }
}
