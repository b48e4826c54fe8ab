//! Findings in the making.

use super::super::view::{Check, FindingView, Severity};
use crate::config::RouteConfig;

/// What was found so far.
#[derive(Default)]
pub(super) struct Findings(Vec<(Severity, FindingView)>);

impl Findings {
    /// Adds one that concerns these routes.
    pub(super) fn add(
        &mut self,
        check: Check,
        severity: Severity,
        routes: &[&RouteConfig],
        sentence: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let finding = FindingView {
            check: check.to_string(),
            severity: severity.to_string(),
            sentence: sentence.into(),
            remedy: remedy.into(),
            routes: routes.iter().map(|route| route.name.clone()).collect(),
        };
        self.0.push((severity, finding));
    }

    /// The worst first, otherwise as they were found.
    pub(super) fn sorted(mut self) -> Vec<FindingView> {
        self.0.sort_by_key(|(severity, _)| *severity);
        self.0.into_iter().map(|(_, finding)| finding).collect()
    }
}
