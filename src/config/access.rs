//! `[[admin.access]]`: who but the operator may reach the admin listener, and to do what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::route::{one_of, unique_of};
use super::table::Table;
use super::value::Value;
use super::{AliasConfig, value};
use crate::keys::DistinguishedName;
use crate::spelling::vocabulary;

/// One who may reach the admin listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessConfig {
    /// Unique; in logs, as who did something.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// How it shows who it is.
    pub credential: Credential,
    /// The aliases there are for it.
    pub aliases: Aliases,
    /// The line to name when its credential is of no use.
    pub line: usize,
}

impl AccessConfig {
    /// The file of its token, where it has one.
    pub fn token_file(&self) -> Option<&Path> {
        match &self.credential {
            Credential::TokenFile(file) => Some(file),
            Credential::ClientSubject(_) => None,
        }
    }
}

/// How one shows who one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// By the bearer token in this file.
    TokenFile(PathBuf),
    /// By a client certificate of this subject.
    ClientSubject(DistinguishedName),
}

/// The aliases that somebody sees; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aliases {
    /// Every one.
    All,
    /// These.
    Only(Arc<BTreeSet<String>>),
}

impl Aliases {
    /// Whether this alias is among them.
    #[must_use]
    pub fn contains(&self, alias: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(alias),
        }
    }
}

vocabulary! {
    /// What somebody may do at the admin listener.
    pub enum Role {
        /// Look: aliases, keys, metrics; change nothing.
        Viewer = "viewer",
        /// Everything.
        Operator = "operator",
        /// Send events, and nothing else.
        Event = "event",
    }
}

impl Role {
    /// Whether one of this role may do what needs the other.
    #[must_use]
    pub fn may(self, needed: Self) -> bool {
        self == Self::Operator || self == needed
    }
}

/// Whoever has the token in `token_file` of `[admin]`.
pub const OPERATOR: &str = "operator";

/// Every entry, or `None` if one was wrong. `certificates` says whether the listener looks at them.
pub(super) fn all(
    admin: &mut Table<'_>,
    certificates: bool,
    aliases: &BTreeMap<String, Option<AliasConfig>>,
) -> Option<Vec<AccessConfig>> {
    let mut taken = Taken::default();
    let read = |table: &mut Table<'_>| {
        let name = table.required("name", "\"prometheus\"", |value| {
            unique_of("entry", value, name(value)?, &mut taken.names)
        });
        let role = table.required("role", "\"viewer\"", value::word);
        let credential = credential(table, certificates, &mut taken);
        let aliases = narrowed(table, aliases);
        Some(AccessConfig {
            name: name?,
            role: role?,
            credential: credential?,
            aliases: aliases?,
            line: table.line_of("name"),
        })
    };
    admin.each("access", read).into_iter().collect()
}

/// What earlier entries have, and on which line.
#[derive(Default)]
struct Taken {
    names: BTreeMap<String, usize>,
    token_files: BTreeMap<PathBuf, usize>,
    subjects: BTreeMap<DistinguishedName, usize>,
}

fn credential(table: &mut Table<'_>, certificates: bool, taken: &mut Taken) -> Option<Credential> {
    match (table.has("token_file"), table.has("client_subject")) {
        (true, false) => {
            let file = table.optional("token_file", |value| {
                unique_of("entry", value, value::path(value)?, &mut taken.token_files)
            });
            file.map(Credential::TokenFile)
        }
        (false, true) => {
            if !certificates {
                table.report_at("client_subject", NO_CERTIFICATES);
            }
            let subject = table.optional("client_subject", |value| {
                unique_of("entry", value, subject(value)?, &mut taken.subjects)
            });
            subject.map(Credential::ClientSubject)
        }
        _ => {
            table.refuse(&["token_file", "client_subject"], ONE_CREDENTIAL);
            None
        }
    }
}

const ONE_CREDENTIAL: &str =
    "an entry has either token_file = \"…\" or client_subject = \"CN=…\"; write one of them";
const NO_CERTIFICATES: &str = "[admin] looks at no client certificates; give its tls a client_ca";

fn subject(value: &Value<'_>) -> Result<DistinguishedName, String> {
    let text = value::text(value)?;
    DistinguishedName::parse(text).ok_or_else(|| {
        format!("{text:?} is not the subject of a certificate; write \"CN=prometheus,O=Example\"")
    })
}

/// Every alias, or those that `aliases` names.
pub(super) fn narrowed(
    table: &mut Table<'_>,
    aliases: &BTreeMap<String, Option<AliasConfig>>,
) -> Option<Aliases> {
    let all = !table.has("aliases");
    let names = table.list("aliases", |value| one_of(value, "alias", aliases));
    if all {
        return Some(Aliases::All);
    }
    let names: BTreeSet<_> = names?.into_iter().collect();
    if names.is_empty() {
        table.report_at("aliases", "it names none; name some, or remove it for all");
    }
    Some(Aliases::Only(names.into()))
}

fn name(value: &Value<'_>) -> Result<String, String> {
    match value::name(value)? {
        name if name == OPERATOR => Err(format!(
            "{OPERATOR:?} is whoever has the token of [admin]; choose another name"
        )),
        name => Ok(name),
    }
}
