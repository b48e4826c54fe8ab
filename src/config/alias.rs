//! `[alias.NAME]`: a signing identity; its keys come and go.

use std::collections::BTreeMap;
use std::time::Duration;

use super::table::Table;
use super::value::Value;
use super::{defaults, value};
use crate::keys::lifecycle::{HoldLimit, LEAST_RETENTION, Policy, SETTLE, Strategy};
use crate::keys::pkcs11::{Handling, InvalidUri, KeyReference};
use crate::keys::source::Source;
use crate::spelling::vocabulary;

/// A signing identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasConfig {
    /// Where its keys come from; `None`: they are imported through the admin API.
    pub source: Option<Source>,
    /// By which procedure its key is exchanged.
    pub strategy: Strategy,
    /// How many messages may wait while it is, and for how long.
    pub hold: HoldBounds,
    /// For how long all of them may, and then?
    pub hold_limit: HoldLimit,
    /// For how long after an activation no receiver's answer leads to another one.
    pub settle: Duration,
    /// When a pending key becomes the active one.
    pub activate: Activation,
    /// For how long a displaced key is kept, to verify and decrypt with.
    pub retention: Duration,
    /// The line to name when its keys are wrong.
    pub line: usize,
}

/// Bounds of the messages that wait at one alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldBounds {
    /// How many.
    pub count: usize,
    /// Bytes of all of them.
    pub bytes: usize,
    /// For how long each.
    pub time: Duration,
    /// How many are on their way at a time, once they may go.
    pub release: usize,
}

impl Default for HoldBounds {
    fn default() -> Self {
        Self {
            count: defaults::HOLD_COUNT,
            bytes: defaults::HOLD_BYTES,
            time: defaults::HOLD_TIME,
            release: defaults::HOLD_RELEASE,
        }
    }
}

vocabulary! {
    /// When a pending key becomes the active one. An alias without an active key never waits.
    pub enum Activation {
        /// An operator says so.
        Manual = "manual",
        /// As it is imported.
        OnImport = "on-import",
        /// A day before the active one expires.
        BeforeExpiry = "before-expiry",
    }
}

impl AliasConfig {
    /// What its keys' life depends on.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            retention: self.retention,
            before_expiry: self.activate == Activation::BeforeExpiry,
            strategy: self.strategy,
            settle: self.settle,
            hold: self.hold_limit,
        }
    }

    pub(super) fn from_table(table: &mut Table<'_>) -> Option<Self> {
        let strategy = table
            .optional("strategy", value::word)
            .unwrap_or(Strategy::PrePublish);
        let (hold, hold_limit) = table.section("hold", hold);
        let settle = table.optional("settle", value::duration).unwrap_or(SETTLE);
        let activate = table
            .optional("activate", value::word)
            .unwrap_or(Activation::Manual);
        if activate == Activation::OnImport && strategy != Strategy::PrePublish {
            table.report_at("activate", ON_IMPORT);
        }
        let retention = table.optional("retention", retention).unwrap_or(LEAST_RETENTION);
        let line = table.line_of("source");
        let described = table.has("source");
        let source = table.optional_section("source", source);
        // A source that is there and wrong has been reported; it must not read as "no source".
        (source.is_some() || !described).then_some(Self {
            source,
            strategy,
            hold,
            hold_limit,
            settle,
            activate,
            retention,
            line,
        })
    }
}

const ON_IMPORT: &str = "\"on-import\" switches before a receiver that trusts one key can have exchanged it; write \
    \"manual\"";

fn hold(table: &mut Table<'_>) -> (HoldBounds, HoldLimit) {
    let bounds = HoldBounds::from_table(table);
    let defaults = HoldLimit::default();
    let limit = HoldLimit {
        most: table.optional("most", value::duration).unwrap_or(defaults.most),
        then: table.optional("then", value::word).unwrap_or(defaults.then),
    };
    (bounds, limit)
}

impl HoldBounds {
    fn from_table(table: &mut Table<'_>) -> Self {
        let defaults = Self::default();
        Self {
            count: table.optional("count", value::count).unwrap_or(defaults.count),
            bytes: table.optional("bytes", value::size).unwrap_or(defaults.bytes),
            time: table.optional("time", value::duration).unwrap_or(defaults.time),
            release: table
                .optional("release", value::count)
                .unwrap_or(defaults.release),
        }
    }
}

fn source(table: &mut Table<'_>) -> Option<Source> {
    let (certificate, private_key) = (table.has("certificate"), table.has("private_key"));
    match (
        table.has("pkcs12"),
        table.has("pkcs11"),
        certificate || private_key,
    ) {
        (true, false, false) => pkcs12(table),
        (false, true, _) if !private_key => pkcs11(table),
        (false, false, true) => pem(table),
        _ => {
            let keys = [
                "pkcs12",
                "password_file",
                "entry",
                "certificate",
                "private_key",
                "pkcs11",
            ];
            table.refuse(&keys, SOURCE);
            None
        }
    }
}

const SOURCE: &str = "source is either { pkcs12 = \"…\", password_file = \"…\" } \
    or { certificate = \"…\", private_key = \"…\" } or { pkcs11 = { module = \"…\", uri = \"…\", pin_file = \"…\" } }";

fn pkcs11(table: &mut Table<'_>) -> Option<Source> {
    let key = table.optional_section("pkcs11", |table| {
        let module = table.required("module", "\"/usr/lib/softhsm/libsofthsm2.so\"", value::path);
        let uri = table.required("uri", "\"pkcs11:token=…;object=…\"", |uri| {
            value::text(uri)?.parse().map_err(|InvalidUri(sentence)| sentence)
        });
        let pin_file = table.required("pin_file", "\"keys/token.pin\"", value::path);
        let defaults = Handling::default();
        let handling = Handling {
            isolate: table
                .optional("isolate", value::boolean)
                .unwrap_or(defaults.isolate),
            timeout: table
                .optional("timeout", token_timeout)
                .unwrap_or(defaults.timeout),
        };
        let key = KeyReference {
            module: module?,
            uri: uri?,
            pin_file: pin_file?,
        };
        Some((key, handling))
    });
    let certificate = table.optional("certificate", value::path);
    let (key, handling) = key?;
    Some(Source::Pkcs11 {
        key,
        certificate,
        handling,
    })
}

/// All keys of a token are reached in one way, and a module in our process by all its tokens.
pub(super) fn check_handling(root: &Table<'_>, aliases: &BTreeMap<String, Option<AliasConfig>>) {
    let mut known = BTreeMap::new();
    for (name, alias) in aliases {
        let source = alias.as_ref().and_then(|alias| alias.source.as_ref());
        let Some(Source::Pkcs11 { key, handling, .. }) = source else {
            continue;
        };
        let (other, same) = known.entry(&key.module).or_insert((name, handling));
        if *same != handling {
            root.report(format!(
                "the aliases {other} and {name} have keys of the module {}, and do not agree on isolate and timeout: write \
                 the same in both",
                key.module.display()
            ));
        }
    }
}

fn token_timeout(value: &Value<'_>) -> Result<Duration, String> {
    let timeout = value::duration(value)?;
    if !(Duration::from_millis(100)..=Duration::from_secs(60)).contains(&timeout) {
        return Err("a call to a token may take between 100ms and 1m".to_owned());
    }
    Ok(timeout)
}

fn pkcs12(table: &mut Table<'_>) -> Option<Source> {
    let path = table.optional("pkcs12", value::path);
    let password_file = table.required("password_file", "\"keys/orders.password\"", value::path);
    let entry = table.optional("entry", |entry| value::text(entry).map(str::to_owned));
    Some(Source::Pkcs12 {
        path: path?,
        password_file: password_file?,
        entry,
    })
}

fn pem(table: &mut Table<'_>) -> Option<Source> {
    let certificate = table.required("certificate", "\"tls.crt\"", value::path);
    let private_key = table.required("private_key", "\"tls.key\"", value::path);
    let password_file = table.optional("password_file", value::path);
    Some(Source::Pem {
        certificate: certificate?,
        private_key: private_key?,
        password_file,
    })
}

fn retention(value: &Value<'_>) -> Result<Duration, String> {
    let retention = value::duration(value)?;
    if retention < LEAST_RETENTION {
        return Err(
            "a displaced key is kept for 90d at least, since receivers may refer to it for as long; write 90d or more"
                .to_owned(),
        );
    }
    Ok(retention)
}
