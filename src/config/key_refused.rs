//! `key_refused` of a route: named sets, and entries of its own.

use toml::de::DeValue;

use super::table::{Table, nearest};
use super::value::{self, Value};
use crate::wss::fault::{Code, NotACode, SOAP_CODES};
use crate::wss::key_refused::{Entry, KeyRefused, NamedSet, Refusals};

/// Of a route; nothing where it has none.
pub(super) fn list(table: &mut Table<'_>) -> KeyRefused {
    let list = table.values("key_refused", refusals);
    if list.as_ref().is_some_and(Vec::is_empty) {
        table.report_at("key_refused", "names no fault; name one, or remove it");
    }
    KeyRefused(list.unwrap_or_default())
}

fn refusals(value: &Value<'_>) -> Option<Refusals> {
    let set = match value.get() {
        DeValue::Table(_) => {
            let entry = value.table("route.key_refused".to_owned()).finish(own);
            return entry.map(Refusals::Own);
        }
        DeValue::String(_) => value::word::<NamedSet>(value),
        DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_) => Err(value.instead_of("the name of a set, or { code = \"…\", text = \"…\" },")),
    };
    set.map(Refusals::Set)
        .map_err(|sentence| value.report(format!("key_refused: {sentence}")))
        .ok()
}

fn own(table: &mut Table<'_>) -> Option<Entry> {
    let code = table.required("code", "\"{namespace}Local\"", code);
    let text = table.optional("text", text);
    if table.has("text") && text.is_none() {
        return None; // reported; without it the entry would name more than was meant
    }
    let entry = Entry { code: code?, text };
    let code = &entry.code;
    if !code.is_telling() && entry.text.is_none() {
        table.report(format!(
            "key_refused: the code {code} alone says nothing about a key; add text = \"…\", a part of the fault's text \
             that does"
        ));
        return None;
    }
    if let Some(reason) = entry.excluded() {
        table.report(format!(
            "key_refused: such a fault never says that the key was not accepted: {reason}; remove it"
        ));
        return None;
    }
    Some(entry)
}

/// White space counts as one space, so by itself it would stand in every text.
fn text(value: &Value<'_>) -> Result<String, String> {
    let text = value::text(value)?;
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(text.to_owned())
}

fn code(value: &Value<'_>) -> Result<Code, String> {
    let text = value::text(value)?;
    text.parse()
        .map_err(|error: NotACode| match nearest(text, SOAP_CODES) {
            Some(known) if matches!(error, NotACode::Unknown(_)) => {
                format!("{error} (did you mean {known:?}?)")
            }
            _ => error.to_string(),
        })
}
