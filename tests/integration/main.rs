//! One binary for all integration tests, which saves link time; a topic a module.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking and says what it leaves out"
)]

mod admin_access;
mod admin_api;
mod admin_connections;
mod admin_document;
mod admin_tls;
mod algorithms;
mod answer_bounds;
mod answered_faults;
mod attacks;
mod audited_edges;
mod bad_input;
mod bad_weather;
mod canonicalization_vectors;
mod certificates;
mod clients;
mod command_line;
mod configuration;
mod connection_auth;
mod content_codings;
mod crash;
mod crossing;
mod curl;
mod current_stacks;
mod demo;
mod demo_receiver;
mod deployment;
mod drain;
mod encodings;
mod engines_agree;
mod event_settings;
mod event_sinks;
mod events;
mod extended_headers;
mod faults;
mod foreign_messages;
mod foreign_signatures;
mod forward_proxy;
mod generated_keys;
mod hanging_tokens;
mod header_fields;
mod hold;
mod hostile;
mod hostile_answers;
mod http2;
mod http_rules;
mod key_life;
mod key_refused;
mod key_sources;
mod keys_as_people_have_them;
mod keys_command;
mod linear;
mod listener_tls;
mod log_lines;
mod nothing_wrong_leaves;
mod overload;
mod probe;
mod proxy;
mod public_listener;
mod receiver_faults;
mod receiver_led;
mod receiver_tls;
mod recoveries;
mod redirects;
mod reload;
mod reload_under_load;
mod renewal_by_events;
mod renewals;
mod rsa_pss;
mod self_check;
mod signed_corpus;
mod smuggling;
mod state_directory;
mod strategies;
mod support;
mod tokens;
mod trust_paths;
mod verification;
mod verify_command;
mod watched_sources;
