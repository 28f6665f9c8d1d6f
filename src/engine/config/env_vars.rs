//! `JkEnvVar`: request variables that are sent to the backend as request attributes.

/// Attributes that mean something to a servlet container or that the module sends itself.
const RESERVED: [&str; 4] = ["AJP_REMOTE_PORT", "AJP_LOCAL_ADDR", "AJP_SSL_PROTOCOL", "JK_LB_ACTIVATION"];

/// Prefixes with which a container decides which file it includes; they must never come from outside (CVE-2020-1938).
const DISPATCH: [&str; 4] = [
    "javax.servlet.include.",
    "jakarta.servlet.include.",
    "javax.servlet.forward.",
    "jakarta.servlet.forward.",
];

/// One variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvVar {
    /// Name of the variable and of the attribute, in the spelling of its first directive.
    pub name: String,
    /// Sent when the variable is not set; `None`: nothing is.
    pub default: Option<String>,
}

/// The variables of a server, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvVars(Vec<EnvVar>);

impl EnvVars {
    /// Adds a variable; one of the same name (in any case) gets the new default, or loses its own.
    ///
    /// # Errors
    /// The name is reserved, as a message.
    pub fn add(&mut self, name: &str, default: Option<&str>) -> Result<(), String> {
        if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
            return Err(format!("JkEnvVar {name}: the module sends this attribute itself"));
        }
        if DISPATCH.iter().any(|prefix| starts_with_ignoring_case(name, prefix)) {
            return Err(format!(
                "JkEnvVar {name}: this attribute would decide which file the backend serves"
            ));
        }
        let default = default.filter(|text| !text.is_empty()).map(str::to_owned);
        match self.0.iter_mut().find(|known| known.name.eq_ignore_ascii_case(name)) {
            Some(known) => known.default = default,
            None => self.0.push(EnvVar { name: name.to_owned(), default }),
        }
        Ok(())
    }

    /// These variables first, then those of `main` they do not redefine.
    pub fn over(&self, main: &Self) -> Self {
        let mut all = self.clone();
        for variable in &main.0 {
            if !self.0.iter().any(|own| own.name.eq_ignore_ascii_case(&variable.name)) {
                all.0.push(variable.clone());
            }
        }
        all
    }

    /// All variables.
    pub fn iter(&self) -> std::slice::Iter<'_, EnvVar> {
        self.0.iter()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn starts_with_ignoring_case(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(vars: &EnvVars) -> Vec<(&str, Option<&str>)> {
        vars.iter().map(|var| (var.name.as_str(), var.default.as_deref())).collect()
    }

    #[test]
    fn the_last_default_counts_and_the_first_spelling_stays() {
        let mut vars = EnvVars::default();
        vars.add("Foo", Some("1")).unwrap();
        vars.add("BAR", None).unwrap();
        vars.add("FOO", Some("2")).unwrap();
        assert_eq!(list(&vars), [("Foo", Some("2")), ("BAR", None)]);
        vars.add("foo", Some("")).unwrap();
        assert_eq!(list(&vars), [("Foo", None), ("BAR", None)]);
    }

    #[test]
    fn a_virtual_host_puts_its_own_first() {
        let (mut main, mut own) = (EnvVars::default(), EnvVars::default());
        main.add("A", Some("main")).unwrap();
        main.add("B", None).unwrap();
        own.add("C", None).unwrap();
        own.add("a", None).unwrap();
        assert_eq!(list(&own.over(&main)), [("C", None), ("a", None), ("B", None)]);
    }

    #[test]
    fn attributes_that_steer_the_container_are_refused() {
        let mut vars = EnvVars::default();
        for name in [
            "javax.servlet.include.path_info",
            "Jakarta.Servlet.Forward.x",
            "AJP_REMOTE_PORT",
            "jk_lb_activation",
        ] {
            assert!(vars.add(name, None).is_err(), "{name}");
        }
        assert!(vars.is_empty());
    }
}
