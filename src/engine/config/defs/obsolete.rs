//! Properties that have no effect any more but are still accepted.

use super::{Apply, Def, Group, Repeat, Standing};

const fn jni(name: &'static str, repeat: Repeat) -> Def {
    Def {
        repeat,
        standing: Standing::Deprecated(
            "it belongs to the JNI worker, which no longer exists; remove the line",
        ),
        doc: "Of the former JNI worker; ignored.",
        ..Def::new(name, Group::Obsolete, Apply::Ignored)
    }
}

pub(super) const OBSOLETE: &[Def] = &[
    Def {
        standing: Standing::Deprecated("use connection_pool_timeout; remove the line"),
        doc: "Ignored.",
        ..Def::new("recycle_timeout", Group::Obsolete, Apply::Ignored)
    },
    Def {
        standing: Standing::Deprecated("use distance; remove the line"),
        doc: "Ignored.",
        ..Def::new("local_worker", Group::Obsolete, Apply::Ignored)
    },
    Def {
        standing: Standing::Deprecated("use distance; remove the line"),
        doc: "Ignored.",
        ..Def::new("local_worker_only", Group::Obsolete, Apply::Ignored)
    },
    Def {
        standing: Standing::Deprecated("it belongs to the type ajp14; use secret with type ajp13"),
        doc: "Of the former type ajp14; ignored.",
        ..Def::new("secretkey", Group::Obsolete, Apply::Ignored)
    },
    jni("sysprops", Repeat::Replace),
    jni("stderr", Repeat::Replace),
    jni("stdout", Repeat::Replace),
    jni("mx", Repeat::Replace),
    jni("ms", Repeat::Replace),
    jni("class_path", Repeat::Join(":")),
    jni("bridge", Repeat::Replace),
    jni("jvm_lib", Repeat::Replace),
    jni("ld_path", Repeat::Join(":")),
    jni("cmd_line", Repeat::Join(" ")),
    jni("native_lib", Repeat::Replace),
];

#[cfg(test)]
mod tests {
    use crate::engine::config::resolve::testing::{ajp, warnings_of};

    #[test]
    fn they_are_reported_and_change_nothing() {
        let plain = format!("{:?}", ajp(""));
        for def in super::OBSOLETE {
            let line = format!("worker.w.{}=1", def.name);
            assert_eq!(format!("{:?}", ajp(&line)), plain, "{}", def.name);
            let warnings = warnings_of(&line);
            assert!(warnings.iter().any(|w| w.contains("deprecated")), "{}: {warnings:?}", def.name);
        }
    }
}
