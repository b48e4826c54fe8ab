//! Databases, directories and master keys that are not to be used, and stay as they are.

use std::fs;

use super::*;

/// The sentence of the refusal, after which the database is what it was.
fn refusal(directory: &Path) -> String {
    let file = database(directory);
    let before = fs::read(&file).unwrap();
    let refused = try_open(directory).err().unwrap().to_string();
    assert_eq!(fs::read(&file).unwrap(), before, "it was written to");
    refused
}

fn with_database(change: impl FnOnce(&Path)) -> TempDir {
    let directory = directory();
    import(&keys(directory.path()), 1, AfterImport::Activate);
    change(&database(directory.path()));
    directory
}

fn run(file: &Path, statements: &str) {
    let connection = Connection::open(file).unwrap();
    connection.execute_batch(statements).unwrap();
    drop(connection);
}

#[test]
fn a_second_process_does_not_start_on_the_directory() {
    let directory = directory();
    let _running = keys(directory.path());
    let refused = try_open(directory.path()).err().unwrap().to_string();
    assert!(
        refused.contains(&format!("is in use by process {}", std::process::id())),
        "{refused}"
    );
    assert!(refused.contains("stop that one first"), "{refused}");
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let directory = with_database(|file| fs::write(file, "not SQLite, whatever it is".repeat(100)).unwrap());
    let refused = refusal(directory.path());
    assert!(refused.contains("is no database of countersign"), "{refused}");
    assert!(refused.contains("move it away"), "{refused}");
}

#[test]
fn the_database_of_another_program_is_refused() {
    let directory = with_database(|file| {
        fs::remove_file(file).unwrap();
        run(file, "CREATE TABLE bookmarks (url TEXT)");
    });
    let refused = refusal(directory.path());
    assert!(refused.contains("another program made it"), "{refused}");
}

#[test]
fn the_database_of_a_later_version_is_refused() {
    let directory = with_database(|file| run(file, "PRAGMA user_version = 99"));
    let refused = refusal(directory.path());
    assert!(
        refused.contains("later version of countersign (schema 99, this one knows 7)"),
        "{refused}"
    );
    assert!(refused.contains("restore a backup"), "{refused}");
}

#[test]
fn a_damaged_database_is_refused() {
    let directory = with_database(|file| {
        let mut bytes = fs::read(file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 4096].fill(0x5a);
        fs::write(file, bytes).unwrap();
    });
    let refused = refusal(directory.path());
    assert!(refused.contains("is damaged"), "{refused}");
    assert!(refused.contains("countersign state restore"), "{refused}");
}

#[test]
fn a_truncated_database_is_refused() {
    let directory = with_database(|file| {
        let bytes = fs::read(file).unwrap();
        fs::write(file, &bytes[..bytes.len() - 5000]).unwrap();
    });
    let refused = refusal(directory.path());
    assert!(refused.contains("is damaged"), "{refused}");
}

#[test]
fn a_key_in_a_state_that_none_leads_to_is_damage() {
    let directory = with_database(|file| {
        run(
            file,
            "PRAGMA ignore_check_constraints = on; UPDATE key SET private_half = NULL",
        );
    });
    seal_again(directory.path());
    let loaded = open(directory.path()).load().err().unwrap().to_string();
    assert!(
        loaded.contains("is active, but its private half is missing"),
        "{loaded}"
    );
}

#[test]
fn a_private_half_that_was_moved_to_another_row_does_not_open() {
    let directory = with_database(|_| {});
    let keys = keys(directory.path());
    import(&keys, 2, AfterImport::StayPending);
    drop(keys);
    let swap = "UPDATE key SET private_half = (SELECT private_half FROM key AS other WHERE other.sequence != key.sequence)";
    run(&database(directory.path()), swap);
    seal_again(directory.path());
    let loaded = open(directory.path()).load().err().unwrap().to_string();
    assert!(loaded.contains("does not open"), "{loaded}");
}

#[test]
fn another_master_key_is_refused_and_a_lost_one_is_not_made_anew() {
    let directory = with_database(|_| {});
    let key = directory.path().join("master-key");
    fs::write(&key, "another master key, also long enough\n").unwrap();
    let refused = refusal(directory.path());
    assert!(refused.contains("does not open"), "{refused}");
    assert!(
        refused.contains("give the one that the database was sealed with"),
        "{refused}"
    );
    fs::remove_file(&key).unwrap();
    let refused = refusal(directory.path());
    assert!(refused.contains("put the one back"), "{refused}");
    assert!(!key.exists());
    fs::write(&key, "short\n").unwrap();
    let refused = refusal(directory.path());
    assert!(refused.contains("openssl rand -base64 32"), "{refused}");
}

#[test]
fn a_first_start_that_was_cut_off_begins_anew_or_is_finished() {
    let directory = directory();
    fs::write(directory.path().join("countersign.first"), "half of it").unwrap();
    fs::write(directory.path().join("master-key.first"), "half").unwrap();
    import(&keys(directory.path()), 1, AfterImport::Activate);
    assert!(!directory.path().join("countersign.first").exists());
    assert!(!directory.path().join("master-key.first").exists());

    // The master key has its name, and the database has not yet.
    let other = self::directory();
    drop(open(other.path()));
    fs::rename(database(other.path()), other.path().join("countersign.first")).unwrap();
    import(&keys(other.path()), 1, AfterImport::Activate);
}

#[test]
fn an_empty_database_is_damaged_and_not_new() {
    let directory = directory();
    fs::write(database(directory.path()), "").unwrap();
    let refused = refusal(directory.path());
    assert!(refused.contains("is damaged: it is empty, 0 bytes"), "{refused}");
    assert!(refused.contains("countersign state restore"), "{refused}");
}

#[test]
fn a_database_that_is_missing_was_lost_where_anything_says_that_there_was_one() {
    for (left, words) in [
        ("audit-head", "audit-head beside it says that it was there"),
        ("countersign.db-wal", "its -wal file is there"),
        ("master-key", "its master key is there"),
    ] {
        let directory = directory();
        fs::write(directory.path().join(left), "x".repeat(40)).unwrap();
        let refused = try_open(directory.path()).err().unwrap().to_string();
        assert!(refused.contains("is damaged: it is missing"), "{left}: {refused}");
        assert!(refused.contains(words), "{left}: {refused}");
        assert!(!database(directory.path()).exists(), "{left}");
    }
}

#[test]
fn a_database_that_lost_its_log_or_was_exchanged_for_an_older_copy_is_refused() {
    let directory = with_database(|_| {});
    let older = directory.path().join("older");
    fs::copy(database(directory.path()), &older).unwrap();
    let running = keys(directory.path());
    import(&running, 2, AfterImport::StayPending);
    // As a kill leaves it, but for the log.
    let killed = self::directory();
    for name in ["countersign.db", "master-key", "audit-head"] {
        fs::copy(directory.path().join(name), killed.path().join(name)).unwrap();
    }
    let refused = refusal(killed.path());
    assert!(
        refused.contains("is older than the database that was here"),
        "{refused}"
    );
    assert!(refused.contains("its -wal file was lost"), "{refused}");
    drop(running);
    fs::copy(&older, database(directory.path())).unwrap();
    let refused = refusal(directory.path());
    assert!(refused.contains("a copy was put in its place"), "{refused}");
    assert!(refused.contains("countersign state restore"), "{refused}");
}
