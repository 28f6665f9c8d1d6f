//! The model of a worker of type `status`, and the rating of members it shows.

use super::Activation;

/// A status worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// URL of a style sheet; empty: none.
    pub css: String,
    /// First part of all keys in the properties format.
    pub prefix: String,
    /// Prefix of all XML element names; empty: none.
    pub ns: String,
    /// Text of the XML root element that declares the name space; empty: none.
    pub xmlns: String,
    /// Line after the XML declaration; empty: none.
    pub doctype: String,
    /// Refuse all commands that change something.
    pub read_only: bool,
    /// Users that may use it; empty: everybody.
    pub user: Vec<String>,
    /// Compare user names without case.
    pub user_case_insensitive: bool,
    /// Members that count as good, if they are not bad.
    pub good: Rating,
    /// Members that count as bad.
    pub bad: Rating,
    /// Where changes made at run time are kept.
    pub persist: Persist,
}

/// Where changes made at run time are kept, whichever status worker they were made by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Persist {
    /// In shared memory: until httpd is stopped.
    #[default]
    No,
    /// In this file as well; empty: the default file.
    File(String),
}

impl Persist {
    /// The words of the property.
    pub const WORDS: [(&'static str, bool); 2] = [("none", false), ("file", true)];
}

/// State of a member as far as ratings see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateClass {
    /// Used and fine.
    Ok,
    /// Fine, not used lately.
    Idle,
    /// No free connection.
    Busy,
    /// Failed, about to be tried again or just being tried.
    Recovering,
    /// Failed.
    Error,
}

impl StateClass {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ok, Self::Idle, Self::Busy, Self::Recovering, Self::Error];
}

/// One letter of the properties `good` and `bad`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// `a`, `d`, `s`: the activation.
    Activation(Activation),
    /// `o`, `i` or `n`, `b`, `r`, `e`: the state.
    State(StateClass),
}

impl Condition {
    /// The condition a word stands for; only its first letter counts, in any case.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word.chars().next()?.to_ascii_lowercase() {
            'a' => Self::Activation(Activation::Active),
            'd' => Self::Activation(Activation::Disabled),
            's' => Self::Activation(Activation::Stopped),
            'o' => Self::State(StateClass::Ok),
            'i' | 'n' => Self::State(StateClass::Idle),
            'b' => Self::State(StateClass::Busy),
            'r' => Self::State(StateClass::Recovering),
            'e' => Self::State(StateClass::Error),
            _ => return None,
        })
    }

    fn holds(self, activation: Activation, state: StateClass) -> bool {
        match self {
            Self::Activation(wanted) => wanted == activation,
            Self::State(wanted) => wanted == state,
        }
    }
}

/// Alternatives; each one is one or two conditions that must both hold (a single one stands there twice).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rating(pub Vec<[Condition; 2]>);

impl Rating {
    /// A member in that condition has this rating.
    pub fn matches(&self, activation: Activation, state: StateClass) -> bool {
        self.0.iter().any(|both| both.iter().all(|condition| condition.holds(activation, state)))
    }

    /// Some member could have this rating and the other one.
    pub fn overlaps(&self, other: &Self) -> bool {
        Activation::WORDS.iter().any(|(_, activation)| {
            StateClass::ALL
                .iter()
                .any(|state| self.matches(*activation, *state) && other.matches(*activation, *state))
        })
    }
}
