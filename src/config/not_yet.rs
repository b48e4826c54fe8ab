//! Settings that the documentation names and this version does not serve. They are refused by name:
//! accepted silently they would promise what does not happen. Later work only removes lines here.

/// A key that is not read yet: its table (`*` for a name that users give) and itself.
const SETTINGS: &[(&str, &str)] = &[("alias.*", "expired")];

/// The sentence for a key that is only coming, if it is one.
pub(super) fn setting(path: &str, key: &str) -> Option<String> {
    let known = SETTINGS
        .iter()
        .any(|(table, name)| *name == key && same_table(table, path));
    known.then(|| format!("{key} is not supported by this version yet; remove it"))
}

fn same_table(pattern: &str, path: &str) -> bool {
    let mut path = path.split('.');
    let mut pattern = pattern.split('.');
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some(expected), Some(found)) if expected == "*" || expected == found => {}
            _ => return false,
        }
    }
}
