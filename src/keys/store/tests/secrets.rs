//! No file that we write shows a private half or the master key.

use std::fs;

use openssl::pkey::PKey;

use super::*;

/// Every secret number of the key pairs: RSA's exponent and primes, the scalars of the curves.
fn secrets() -> Vec<Vec<u8>> {
    let numbers = |(private_half, _): &(Vec<u8>, _)| {
        let key = PKey::private_key_from_pkcs8(private_half).unwrap();
        match key.rsa() {
            Ok(rsa) => vec![
                rsa.d().to_vec(),
                rsa.p().unwrap().to_vec(),
                rsa.q().unwrap().to_vec(),
            ],
            Err(_) => vec![key.ec_key().unwrap().private_key().to_vec()],
        }
    };
    PAIRS.iter().flat_map(numbers).collect()
}

/// Any 16 bytes of it in a row.
fn shows(haystack: &[u8], secret: &[u8]) -> bool {
    secret
        .chunks_exact(16)
        .any(|part| memchr::memmem::find(haystack, part).is_some())
}

fn everything_in(directory: &Path) -> Vec<u8> {
    let files = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = files.filter(|file| file.is_file() && !file.ends_with("master-key"));
    files.flat_map(|file| fs::read(file).unwrap()).collect()
}

#[test]
fn neither_database_nor_backup_shows_a_private_half_or_the_master_key() {
    let directory = directory();
    let backup = directory.path().join("backup.db");
    let keys = keys(directory.path());
    (0..6).for_each(|number| import(&keys, number, AfterImport::Activate));
    back_up(directory.path(), &backup).unwrap();
    let written = everything_in(directory.path());
    assert!(shows(&written, PAIRS[0].1.der()), "certificates are no secret");
    for secret in secrets() {
        assert!(!shows(&written, &secret));
    }
    assert!(memchr::memmem::find(&written, b"PRIVATE KEY").is_none());
    let master_key = fs::read(directory.path().join("master-key")).unwrap();
    assert!(!shows(&written, master_key.trim_ascii()));
}

#[test]
fn of_a_key_that_is_purged_or_discarded_not_even_what_was_sealed_is_left() {
    let directory = directory();
    let keys = keys(directory.path());
    import(&keys, 0, AfterImport::Activate);
    import(&keys, 1, AfterImport::Activate);
    import(&keys, 2, AfterImport::StayPending);
    let sealed = |number: usize| -> Vec<u8> {
        let statement = "SELECT private_half FROM key WHERE fingerprint = ?1";
        let store = keys.writer();
        let connection = store.connection();
        connection
            .query_row(statement, [&*fingerprint(number)], |row| row.get(0))
            .unwrap()
    };
    let sealed = [0, 2].map(sealed);
    for sealed in &sealed {
        assert!(shows(&everything_in(directory.path()), sealed));
    }
    let operator = keys.by(Author::cli());
    operator
        .purge(ALIAS, fingerprint(0), false, NOW + DAY * 90)
        .unwrap();
    operator.discard(ALIAS, fingerprint(2), NOW + DAY * 90).unwrap();
    for sealed in &sealed {
        assert!(!shows(&everything_in(directory.path()), sealed));
    }
}
