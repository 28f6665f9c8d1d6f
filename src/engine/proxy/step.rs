//! What a pump can stop for.

/// What the pump waits for. The backend's answer is awaited too, unless the client has to take what there is first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interest {
    /// Room for more request octets.
    pub link_writable: bool,
    /// Request body of the client.
    pub client_readable: bool,
    /// The client takes more of the response.
    pub client_writable: bool,
}

/// Result of [`super::pump::Pump::step`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The response is complete and delivered.
    Done {
        /// The connection may carry another exchange.
        reusable: bool,
    },
    /// Nothing more can be done before this happens.
    Wait(Interest),
}
