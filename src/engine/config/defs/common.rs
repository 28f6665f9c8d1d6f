//! Properties that belong to no worker, and those of all types.

use super::{Apply, Def, Group, Repeat, Unit};

pub(super) const GLOBAL: &[Def] = &[
    Def {
        repeat: Repeat::Join(","),
        default: "ajp13",
        doc: "Names of the workers that can be the target of a mount. Members of a balancer need not be listed, \
              templates must not be. Names are separated by spaces, tabs or commas; several lines add up.",
        ..Def::new("list", Group::Global, Apply::Structure)
    },
    Def {
        unit: Unit::Seconds,
        default: "60",
        range: "negative: 0",
        doc: "Time between two maintenance runs, which close and check idle connections, let members of balancers that \
              answered badly be tried again, and let old work count less. 0 switches all of this off.",
        ..Def::new("maintain", Group::Global, Apply::Structure)
    },
];

pub(super) const COMMON: &[Def] = &[
    Def {
        default: "ajp13",
        range: "ajp13, http, https, lb, status",
        doc: "What the worker does: relay to one Tomcat (ajp13) or to one HTTP server (http, or https with TLS), balance over \
              several (lb), or show and change the state of the others (status). Case matters.",
        ..Def::new("type", Group::Common, Apply::Structure)
    },
    Def {
        doc: "Takes over all properties that begin with this prefix and that the worker does not set itself. The value \
              is a full prefix such as worker.template; the template may refer to another one, up to 20 levels deep.",
        ..Def::new("reference", Group::Common, Apply::Structure)
    },
    Def {
        repeat: Repeat::Join(","),
        range: "each pattern begins with /, !/ or -/",
        doc: "URI patterns for this worker, added to the mounts of the main server. A leading ! excludes, a leading - \
              disables the pattern. Only for workers in worker.list.",
        ..Def::new("mount", Group::Common, Apply::Structure)
    },
];
