//! `[events]`: what is read, what is refused, and in which words.

use std::path::Path;

use countersign::config::Config;

/// The least that works.
const LEAST: &str = "[alias.orders]\n[[route]]\nname = \"orders\"\npath = \"/orders\"\n\
    receiver = \"https://erp.example.com/orders\"\nalias = \"orders\"\n";

fn parse(sections: &str) -> Result<Config, Vec<String>> {
    let text = format!("{LEAST}{sections}");
    Config::parse(&text, Path::new("/etc/countersign/countersign.toml"))
        .map_err(|errors| errors.iter().map(|error| error.sentence.clone()).collect())
}

/// A sink that is right with these lines.
fn sink(lines: &str) -> String {
    format!("[[events.sink]]\nname = \"hr\"\nurl = \"https://hr.example.com/in\"\n{lines}\n")
}

#[test]
fn sinks_are_read_with_what_they_want() {
    let config = parse(&format!(
        "[events]\nallowed_origins = [\"Events.Example.com\"]\n{}",
        sink("token_file = \"hr.token\"\nca = \"ca.pem\"\naliases = [\"orders\"]\ntypes = [\"io.countersign.key.retired\"]")
    ))
    .unwrap();
    assert_eq!(config.events.allowed_origins, ["events.example.com"]);
    let sink = &config.events.sinks[0];
    assert_eq!(
        (sink.name(), sink.url.to_string().as_str()),
        ("hr", "https://hr.example.com/in")
    );
    let files: Vec<_> = config.files().collect();
    for file in ["hr.token", "ca.pem"] {
        let file = Path::new("/etc/countersign").join(file);
        assert!(files.contains(&file.as_path()), "{file:?} is watched");
    }
    let nothing = parse("").unwrap().events;
    assert!(nothing.sinks.is_empty() && nothing.allowed_origins.is_empty());
}

#[test]
fn what_cannot_be_a_sink_is_refused_with_what_to_write() {
    for (sections, words) in [
        (
            sink("").replace("https:", "http:"),
            "events go out over TLS alone",
        ),
        (
            sink("").replace("https://hr.example.com/in", "hr"),
            "not the address of a sink",
        ),
        (
            sink("").replace("hr.example.com", "me:x@hr.example.com"),
            "write a token_file",
        ),
        (sink("").replace("name = \"hr\"\n", ""), "name is missing"),
        (sink("").replace("url", "#"), "url is missing"),
        (sink("") + &sink(""), "each sink needs its own"),
        (sink("types = []"), "it names none"),
        (
            sink("types = [\"io.countersign.key.retire\"]"),
            "did you mean io.countersign.key.retired?",
        ),
        (sink("aliases = [\"invoices\"]"), "there is no alias \"invoices\""),
        (sink("tokenfile = \"x\""), "did you mean token_file?"),
        (
            "[events]\nallowed_origins = [\"https://events.example.com\"]\n".to_owned(),
            "the DNS name of a sender",
        ),
        ("[events]\norigins = []\n".to_owned(), "not known in [events]"),
    ] {
        let mistakes = parse(&sections).unwrap_err();
        assert!(
            mistakes.iter().any(|mistake| mistake.contains(words)),
            "{sections} should say {words:?}: {mistakes:?}"
        );
    }
}
