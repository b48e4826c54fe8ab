//! The audit as a document.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::keys::audit::{Head, Record};

/// What was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerificationView {
    /// Every record follows the one before it.
    pub intact: bool,
    /// How many there are; of an intact audit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub records: Option<u64>,
    /// The hash of the last one, in hex: what to keep elsewhere, and to verify against later.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub head: Option<String>,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<String>,
}

impl VerificationView {
    /// Of an intact audit.
    #[must_use]
    pub fn intact(head: &Head) -> Self {
        Self {
            intact: true,
            records: Some(head.records),
            head: Some(head.to_string()),
            problem: None,
        }
    }

    /// Of a broken one.
    #[must_use]
    pub fn broken(problem: String) -> Self {
        Self {
            intact: false,
            records: None,
            head: None,
            problem: Some(problem),
        }
    }
}

/// Records of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditView {
    /// In the order in which they were written.
    #[schema(value_type = Vec<Object>)]
    pub records: Vec<Record>,
    /// Ask for those after this one next; null: there are no more.
    pub next: Option<u64>,
}
