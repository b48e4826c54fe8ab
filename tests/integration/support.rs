//! What the tests have in common.

pub(crate) mod admin;
pub(crate) mod clock;
pub(crate) mod corpus;
pub(crate) mod tool;
