//! What documents and hints tell users to type is there: each command with its flags, wherever one is written.

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use regex::Regex;

use super::Cli;

/// Where commands are written for users.
const PLACES: [&str; 8] = [
    "README.md",
    "OPERATING.md",
    "CHANGELOG.md",
    "docker-compose.yml",
    "config",
    "scripts/run",
    "src",
    "templates",
];

/// A name that begins like a command: the subject of the probe's certificate.
const NO_COMMAND: &str = "probe";

/// A command as it is written: after a quotation mark, a path, a container's name, or alone in a line of code.
const WRITTEN: &str = r#"(?m)(?:[`"/]|\$|proxy |^)countersign ([a-z][a-z0-9-]*(?: [^`"\n\\#]*)?)"#;

#[test]
fn every_command_that_is_written_somewhere_is_one_with_its_flags() {
    let written = Regex::new(WRITTEN).unwrap();
    let mut seen = 0;
    for file in PLACES.iter().flat_map(|place| files(place)) {
        let text = fs::read_to_string(&file).unwrap();
        let code = if file.extension().is_some_and(|extension| extension == "md") {
            code_of(&text)
        } else {
            text
        };
        let commands = written.captures_iter(&code).map(|found| found[1].to_owned());
        for command in commands.filter(|command| command != NO_COMMAND) {
            seen += 1;
            if let Err(problem) = known(&command) {
                panic!("{}: countersign {command}: {problem}", file.display());
            }
        }
    }
    assert!(seen > 70, "{seen}");
}

/// What of a document is not prose.
fn code_of(text: &str) -> String {
    let code = Regex::new("(?s)```sh\n(.*?)```|(`[^`\n]+`)").unwrap();
    let parts = code.captures_iter(text);
    parts
        .map(|found| found.get(1).or_else(|| found.get(2)).unwrap().as_str().to_owned() + "\n")
        .collect()
}

/// Follows the words through the commands; what follows is values, and flags, which the last one has to have.
fn known(written: &str) -> Result<(), String> {
    let mut cli = Cli::command();
    cli.build(); // so that each command has the flags of those above it
    let mut command = &cli;
    let mut words = written.split_whitespace().peekable();
    while let Some(word) = words.peek().filter(|_| command.has_subcommands()) {
        // `discard|purge`, `start ORDERS`: a choice is each of its parts, and in a hint no word need follow.
        if !word.starts_with(|first: char| first.is_ascii_lowercase()) {
            break;
        }
        let choices: Vec<_> = word
            .split('|')
            .map(|name| command.find_subcommand(name))
            .collect();
        command = choices
            .into_iter()
            .collect::<Option<Vec<_>>>()
            .and_then(|all| all.first().copied())
            .ok_or_else(|| format!("there is no {word}"))?;
        words.next();
    }
    for flag in words.filter_map(|word| word.trim_start_matches(['[', '(']).strip_prefix("--")) {
        let flag = flag.trim_end_matches(|last: char| !last.is_ascii_alphanumeric());
        let name = flag.split('=').next().unwrap_or(flag);
        let has = command
            .get_arguments()
            .any(|argument| argument.get_long() == Some(name));
        if !(has || name == "help" || name == "version") {
            return Err(format!("there is no --{name}"));
        }
    }
    Ok(())
}

/// A file, or all in a directory.
fn files(place: &str) -> Vec<PathBuf> {
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(place)];
    let mut files = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            files.push(path);
        }
    }
    files
}

/// A status depends on the route's `fault_status`, so only what tells of that names one.
#[test]
fn no_help_and_no_alert_names_a_status_of_a_message() {
    let status = Regex::new(r"(?-u:\b)(?:40[0-9]|41[0-7]|50[0-9])(?-u:\b)").unwrap();
    let mut helps = vec![Cli::command()];
    while let Some(mut command) = helps.pop() {
        let help = command.render_long_help().to_string();
        assert!(!status.is_match(&help), "{help}");
        helps.extend(command.get_subcommands().cloned());
    }
    for file in ["config/alerts.yml", "config/countersign.toml"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let about = text.split_once("# fault_status").map(|(before, from)| {
            let after = from
                .split_once("# faults_with_200")
                .map_or("", |(_, after)| after);
            before.to_owned() + after
        });
        let text = about.unwrap_or(text);
        let named: Vec<_> = text.lines().filter(|line| status.is_match(line)).collect();
        assert!(named.is_empty(), "{file}: {named:?}");
    }
}
