//! The protocols between httpd and backends, and macros that make a test of a function for each of them.
//!
//! A function takes `(Mpm, Over)`. What it would mean nothing for stands in one list of its test file, with the reason
//! ([`over_ajp_only`]); a function in no list is unused code, which the compiler reports. So nothing is left out silently.

/// What a worker and its backend speak, and over what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// AJP over TCP.
    Ajp,
    /// AJP over a UNIX socket.
    AjpUnix,
    /// HTTP over TCP.
    Http,
    /// HTTP over TLS and TCP; the certificate is of an authority that the test makes.
    Https,
    /// HTTP over a UNIX socket.
    HttpUnix,
}

impl Over {
    /// The messages are those of AJP.
    pub fn is_ajp(self) -> bool {
        matches!(self, Self::Ajp | Self::AjpUnix)
    }

    /// The address is a path.
    pub fn is_unix(self) -> bool {
        matches!(self, Self::AjpUnix | Self::HttpUnix)
    }

    /// Property `type` of a worker.
    pub fn worker_type(self) -> &'static str {
        match self {
            Self::Ajp | Self::AjpUnix => "ajp13",
            Self::Http | Self::HttpUnix => "http",
            Self::Https => "https",
        }
    }

    /// A backend to be configured.
    pub fn backend(self) -> super::backend::Builder {
        super::Backend::builder().over(self)
    }

    /// A backend with the default script.
    pub fn start(self) -> super::Backend {
        self.backend().start()
    }

    /// A backend with a script.
    pub fn scripted(
        self,
        script: impl Fn(&super::ForwardRequest, &mut super::Conversation) + Send + Sync + 'static,
    ) -> super::Backend {
        self.backend().script(script).start()
    }
}

/// Makes tests of functions that take `(Mpm, Over)`: each runs over every protocol under the event MPM, and over AJP and
/// HTTPS (the simplest and the one with most machinery) under the other two as well. A failure names both: `https_event::NAME`.
macro_rules! over_each_protocol {
    ($($name:ident),+ $(,)?) => {
        $crate::support::over_each_protocol!(threaded $($name),+);
        $crate::support::over_each_protocol!(@one ajp_prefork Prefork Ajp $($name),+);
        $crate::support::over_each_protocol!(@one https_prefork Prefork Https $($name),+);
    };
    // Without UNIX sockets: for what addresses of TCP are needed for.
    (tcp $($name:ident),+ $(,)?) => {
        $crate::support::over_each_protocol!(@one ajp_event Event Ajp $($name),+);
        $crate::support::over_each_protocol!(@one http_event Event Http $($name),+);
        $crate::support::over_each_protocol!(@one https_event Event Https $($name),+);
        $crate::support::over_each_protocol!(@one ajp_worker Worker Ajp $($name),+);
        $crate::support::over_each_protocol!(@one https_prefork Prefork Https $($name),+);
    };
    // Without prefork: for what only threads of one process can do to each other.
    (threaded $($name:ident),+ $(,)?) => {
        $crate::support::over_each_protocol!(@one ajp_event Event Ajp $($name),+);
        $crate::support::over_each_protocol!(@one ajp_unix_event Event AjpUnix $($name),+);
        $crate::support::over_each_protocol!(@one http_event Event Http $($name),+);
        $crate::support::over_each_protocol!(@one https_event Event Https $($name),+);
        $crate::support::over_each_protocol!(@one http_unix_event Event HttpUnix $($name),+);
        $crate::support::over_each_protocol!(@one ajp_worker Worker Ajp $($name),+);
        $crate::support::over_each_protocol!(@one https_worker Worker Https $($name),+);
    };
    (@one $module:ident $mpm:ident $over:ident $($name:ident),+) => {
        mod $module {
            $(#[test] fn $name() {
                super::$name(crate::support::Mpm::$mpm, crate::support::Over::$over);
            })+
        }
    };
}

/// The list of what runs over AJP alone: makes tests of functions that take an [`Mpm`](super::Mpm), in modules `event`, `worker`
/// and `prefork`. Each needs its reason.
macro_rules! over_ajp_only {
    ($($file:ident :: $name:ident: $reason:literal),+ $(,)?) => {
        mod event {
            $(#[doc = $reason] #[test] fn $name() { crate::$file::$name(crate::support::Mpm::Event); })+
        }
        mod worker {
            $(#[doc = $reason] #[test] fn $name() { crate::$file::$name(crate::support::Mpm::Worker); })+
        }
        mod prefork {
            $(#[doc = $reason] #[test] fn $name() { crate::$file::$name(crate::support::Mpm::Prefork); })+
        }
    };
}
pub(crate) use {over_ajp_only, over_each_protocol};
