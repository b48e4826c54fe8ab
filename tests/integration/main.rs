//! One binary for all integration tests, which saves link time; a topic a module.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking and says what it leaves out"
)]

mod admin_api;
mod algorithms;
mod attacks;
mod bad_input;
mod canonicalization_vectors;
mod certificates;
mod command_line;
mod configuration;
mod demo;
mod demo_receiver;
mod encodings;
mod engines_agree;
mod foreign_messages;
mod foreign_signatures;
mod key_sources;
mod keys_command;
mod nothing_wrong_leaves;
mod proxy;
mod receiver_tls;
mod rsa_pss;
mod self_check;
mod signed_corpus;
mod support;
mod trust_paths;
mod verification;
mod verify_command;
