//! `[profile.NAME]`: how messages are protected.

use super::table::Table;
use super::value;
use super::value::Value;
use crate::keys::SignatureAlgorithm;
use crate::wss::Profile;
use crate::wss::profile::Part;

pub(super) fn from_table(table: &mut Table<'_>) -> Option<Profile> {
    let default = Profile::default();
    let sign = table.list("sign", value::word::<Part>);
    if sign.as_ref().is_some_and(Vec::is_empty) {
        table.report_at(
            "sign",
            "at least one part has to be signed; write [\"body\", \"timestamp\"]",
        );
    }
    if let Some(twice) = sign.as_deref().and_then(first_double) {
        table.report_at("sign", &format!("{twice} stands there twice; remove one"));
    }
    Some(Profile {
        key_identifier: table
            .optional("key_identifier", value::word)
            .unwrap_or(default.key_identifier),
        include_token: table
            .optional("include_token", value::boolean)
            .unwrap_or(default.include_token),
        signature_algorithm: table
            .optional("signature_algorithm", signature_algorithm)
            .unwrap_or_default(),
        digest_algorithm: table
            .optional("digest_algorithm", value::word)
            .unwrap_or(default.digest_algorithm),
        inclusive_prefixes: table
            .optional("inclusive_prefixes", value::word)
            .unwrap_or(default.inclusive_prefixes),
        sign: sign.unwrap_or(default.sign),
        timestamp: table
            .optional("timestamp", |timestamp| value::lifetime(value::text(timestamp)?))
            .unwrap_or(default.timestamp),
        layout: table.optional("layout", value::word).unwrap_or(default.layout),
        must_understand: table
            .optional("must_understand", value::boolean)
            .unwrap_or(default.must_understand),
        existing_security_header: table
            .optional("existing_security_header", value::word)
            .unwrap_or(default.existing_security_header),
        processing_instructions: table
            .optional("processing_instructions", value::word)
            .unwrap_or(default.processing_instructions),
        inner_signature: table
            .optional("inner_signature", value::word)
            .unwrap_or(default.inner_signature),
        actor: table.optional("actor", |actor| value::actor(value::text(actor)?)),
        #[cfg(feature = "sabotage")]
        sabotage: default.sabotage,
    })
}

/// `"auto"` is `None`: by the type of the key.
fn signature_algorithm(value: &Value<'_>) -> Result<Option<SignatureAlgorithm>, String> {
    match value::text(value)? {
        "auto" => Ok(None),
        _ => value::word(value).map(Some),
    }
}

fn first_double(parts: &[Part]) -> Option<&Part> {
    parts
        .iter()
        .enumerate()
        .find(|(index, part)| parts.iter().take(*index).any(|p| p == *part))
        .map(|(_, p)| p)
}
