//! What a reload has changed, for log and audit: sections, and names of what is in them. Never a value, which may be long
//! or nobody's business.

use std::collections::BTreeMap;
use std::fmt;

use crate::config::Config;

/// Things that are named; a configuration may exchange all of 10,000 aliases.
const MOST: usize = 20;

/// From one configuration to the next.
pub(super) struct Changes(Vec<String>);

impl Changes {
    pub(super) fn between(old: &Config, new: &Config) -> Self {
        let (old, new) = (&without_lines(old), &without_lines(new));
        let sections = [
            ("[proxy]", old.proxy == new.proxy),
            ("[admin]", old.admin == new.admin),
            ("[public]", old.public == new.public),
            ("[state]", old.state == new.state),
            ("[log]", old.log == new.log),
            ("[events]", old.events == new.events),
        ];
        let changed = sections.into_iter().filter(|(_, same)| !same);
        let mut changes: Vec<_> = changed.map(|(section, _)| section.to_owned()).collect();
        changes.extend(named("alias", &old.aliases, &new.aliases));
        changes.extend(named("profile", &old.profiles, &new.profiles));
        let routes = |config: &Config| {
            let routes = config.routes.iter();
            routes.map(|route| (route.name.clone(), route.clone())).collect()
        };
        changes.extend(named("route", &routes(old), &routes(new)));
        Self(changes)
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no setting; what files have in them");
        }
        let told: Vec<_> = self.0.iter().take(MOST).map(String::as_str).collect();
        f.write_str(&told.join(", "))?;
        match self.0.len().saturating_sub(MOST) {
            0 => Ok(()),
            more => write!(f, ", and {more} more"),
        }
    }
}

/// Those that have come, gone or changed.
fn named<T: PartialEq>(kind: &str, old: &BTreeMap<String, T>, new: &BTreeMap<String, T>) -> Vec<String> {
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    let gone = gone.map(|name| format!("{kind} {name} removed"));
    let here = new.iter().filter_map(|(name, settings)| match old.get(name) {
        None => Some(format!("{kind} {name} added")),
        Some(before) if before != settings => Some(format!("{kind} {name} changed")),
        Some(_) => None,
    });
    gone.chain(here).collect()
}

/// Where something stands changes nothing.
fn without_lines(config: &Config) -> Config {
    let mut config = config.clone();
    let public = config.public.iter_mut().flat_map(|public| &mut public.tls);
    let listeners = config
        .proxy
        .tls
        .iter_mut()
        .chain(&mut config.admin.tls)
        .chain(public);
    listeners.for_each(|tls| tls.line = 0);
    config.admin.access.iter_mut().for_each(|entry| entry.line = 0);
    config.events.sinks.iter_mut().for_each(|sink| sink.line = 0);
    config.aliases.values_mut().for_each(|alias| alias.line = 0);
    config.routes.iter_mut().for_each(|route| route.line = 0);
    config
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, Path::new("test.toml")).unwrap()
    }

    fn route(name: &str, more: &str) -> String {
        format!(
            "[[route]]\nname = \"{name}\"\npath = \"/{name}\"\nreceiver = \"http://127.0.0.1:9/\"\nalias = \"a\"\n{more}\n"
        )
    }

    #[test]
    fn what_has_changed_is_named_and_what_only_moved_is_not() {
        let access = "[[admin.access]]\nname = \"x\"\nrole = \"viewer\"\ntoken_file = \"x\"\n";
        let old = config(&format!(
            "{access}[alias.a]\n[alias.b]\n{}{}",
            route("one", ""),
            route("two", "")
        ));
        let new = config(&format!(
            "# a line\n{access}[log]\nlevel = \"debug\"\n[alias.a]\n[alias.c]\n{}",
            route("one", "self_check = 0.5")
        ));
        let changes = Changes::between(&old, &new).to_string();
        assert_eq!(
            changes,
            "[log], alias b removed, alias c added, route two removed, route one changed"
        );
        assert_eq!(
            Changes::between(&old, &old).to_string(),
            "no setting; what files have in them"
        );
    }

    #[test]
    fn many_are_counted() {
        let base = format!("[alias.a]\n{}", route("one", ""));
        let many: String = (0..1000).map(|number| format!("[alias.a{number}]\n")).collect();
        let changes = Changes::between(&config(&base), &config(&(base.clone() + &many))).to_string();
        assert!(
            changes.ends_with(", and 980 more") && changes.len() < 600,
            "{changes}"
        );
    }
}
