//! A key's whole life through the admin API and the command line.

use serde_json::{Value, json};

use crate::support::admin::{TestAdmin, new_key};
use crate::support::tool::openssl;

const ORDERS: &str = "/api/v1/aliases/orders";

async fn import(admin: &TestAdmin) -> String {
    let imported = admin.import("orders", &new_key("Test")).await;
    imported.json()["fingerprint"].as_str().unwrap().to_owned()
}

/// Gives a command, with or without a body.
async fn command(admin: &TestAdmin, key: &str, verb: &str, body: Value) -> crate::support::client::Answer {
    let request = admin.request(http::Method::POST, &format!("{ORDERS}/keys/{key}/{verb}"));
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    admin
        .send(request.header("content-type", "application/json"), body)
        .await
}

/// The states of all keys, in order.
async fn states(admin: &TestAdmin) -> Vec<(String, String)> {
    let alias = admin.get(ORDERS).await.json();
    let text = |key: &Value, name: &str| key[name].as_str().unwrap().to_owned();
    let keys = alias["keys"].as_array().unwrap().iter();
    keys.map(|key| (text(key, "fingerprint"), text(key, "state")))
        .collect()
}

fn pairs<const N: usize>(expected: [(&String, &str); N]) -> Vec<(String, String)> {
    expected
        .map(|(key, state)| (key.clone(), state.to_owned()))
        .to_vec()
}

#[tokio::test]
async fn the_active_key_is_revoked_with_a_successor_or_a_stop_and_purged_early_only_when_compromised() {
    let admin = TestAdmin::start().await;
    let (first, second) = (import(&admin).await, import(&admin).await);
    command(&admin, &first, "activate", Value::Null).await;

    let refused = command(&admin, &first, "revoke", json!({"reason": "stolen"}))
        .await
        .problem(409);
    assert!(refused.contains("name the successor"), "{refused}");
    let both = json!({"reason": "stolen", "successor": second, "stop": true});
    let refused = command(&admin, &first, "revoke", both).await.problem(400);
    assert!(refused.contains("not both"), "{refused}");
    let refused = command(&admin, &first, "revoke", json!({"reason": ""}))
        .await
        .problem(400);
    assert!(refused.contains("say in a few words why"), "{refused}");

    let revoked = command(
        &admin,
        &first,
        "revoke",
        json!({"reason": "stolen", "successor": second}),
    )
    .await;
    assert_eq!(revoked.status, 200);
    assert_eq!(
        states(&admin).await,
        pairs([(&second, "active"), (&first, "revoked")])
    );
    let key = &revoked.json()["keys"][1];
    assert_eq!(key["reason"], "stolen");

    let refused = command(&admin, &first, "purge", Value::Null).await.problem(409);
    assert!(
        refused.contains(key["kept_until"].as_str().unwrap().split('.').next().unwrap()),
        "{refused}"
    );
    assert!(refused.contains("now with `compromised`"), "{refused}");
    assert_eq!(
        command(&admin, &first, "purge", json!({"compromised": true}))
            .await
            .status,
        200
    );
    assert_eq!(
        states(&admin).await,
        pairs([(&second, "active"), (&first, "purged")])
    );

    let stopped = command(
        &admin,
        &second,
        "revoke",
        json!({"reason": "stolen", "stop": true}),
    )
    .await;
    assert_eq!(stopped.status, 200);
    assert!(admin.keys.ring().alias("orders").unwrap().active().is_none());
}

#[tokio::test]
async fn a_pending_key_is_discarded_and_other_ones_are_not() {
    let admin = TestAdmin::start().await;
    let (first, second) = (import(&admin).await, import(&admin).await);
    command(&admin, &first, "activate", Value::Null).await;
    assert_eq!(command(&admin, &second, "discard", Value::Null).await.status, 200);
    assert_eq!(states(&admin).await, pairs([(&first, "active")]));
    let refused = command(&admin, &first, "discard", Value::Null).await.problem(409);
    assert!(
        refused.contains("only a pending key can be discarded"),
        "{refused}"
    );
    let nobody = "0".repeat(64);
    command(&admin, &nobody, "discard", Value::Null)
        .await
        .problem(404);
    command(&admin, "0", "discard", Value::Null).await.problem(400);
}

#[tokio::test]
async fn a_time_is_set_for_a_key_and_taken_back() {
    let admin = TestAdmin::start().await;
    let (first, second) = (import(&admin).await, import(&admin).await);
    command(&admin, &first, "activate", Value::Null).await;
    let at = countersign::clock::rfc3339(crate::support::clock::now() + std::time::Duration::from_secs(3600));
    let set = command(&admin, &second, "activate", json!({"at": at, "replaces": first})).await;
    assert_eq!(set.json()["keys"][1]["activate_at"], at);
    assert_eq!(set.json()["keys"][1]["activate_replaces"], first);
    let mixed = command(&admin, &second, "activate", json!({"cancel": true, "at": at}))
        .await
        .problem(400);
    assert!(mixed.contains("cancel goes alone"), "{mixed}");
    let cancelled = command(&admin, &second, "activate", json!({"cancel": true})).await;
    assert_eq!(cancelled.json()["keys"][1].get("activate_at"), None);
    let nothing = command(&admin, &second, "activate", json!({"cancel": true}))
        .await
        .problem(409);
    assert!(nothing.contains("no time is set"), "{nothing}");
    let vague = command(&admin, &second, "activate", json!({"at": "tomorrow"}))
        .await
        .problem(400);
    assert!(vague.contains("2030-01-31T22:00:00Z"), "{vague}");
}

#[tokio::test]
async fn a_certificate_is_found_by_whatever_a_message_may_call_it() {
    let admin = TestAdmin::start().await;
    let fingerprint = import(&admin).await;
    let key = &admin.get(ORDERS).await.json()["keys"][0];
    let serial = key["serial"].as_str().unwrap();
    let ring = admin.keys.ring();
    let certificate = ring.alias("orders").unwrap().keys().next().unwrap();
    let certificate = certificate.identity.certificate().clone();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>();
    let queries = [
        format!("thumbprint={fingerprint}"),
        format!("thumbprint={}", hex(&certificate.thumbprint()).join(":")),
        format!(
            "ski={}",
            hex(certificate.subject_key_identifier().unwrap()).concat()
        ),
        format!("issuer=cn%3D%20test&serial=00{serial}"),
    ];
    for query in queries {
        let found = admin.get(&format!("/api/v1/certificates?{query}")).await.json();
        assert_eq!(found[0]["key"]["fingerprint"], *fingerprint, "{query}");
        assert_eq!(
            (found.as_array().unwrap().len(), &found[0]["alias"]),
            (1, &json!("orders"))
        );
    }
    let none = admin
        .get(&format!("/api/v1/certificates?thumbprint={}", "0".repeat(40)))
        .await;
    assert_eq!(none.json(), json!([]));
    for wrong in [
        "",
        "?ski=!",
        "?thumbprint=00",
        "?issuer=CN%3Da",
        "?ski=00&serial=1",
        "?issuer=x&serial=1",
    ] {
        admin
            .get(&format!("/api/v1/certificates{wrong}"))
            .await
            .problem(400);
    }
}

#[tokio::test]
async fn receivers_get_the_certificates_in_the_form_that_they_take() {
    let admin = TestAdmin::start().await;
    let (first, second, third) = (import(&admin).await, import(&admin).await, import(&admin).await);
    command(&admin, &first, "activate", Value::Null).await;
    command(&admin, &third, "revoke", json!({"reason": "a test"})).await;
    let get = async |accept: &str| {
        let request = admin.request(http::Method::GET, "/certificates/orders");
        admin.send(request.header("accept", accept), "").await
    };

    let text = get("*/*").await;
    assert_eq!(text.headers["content-type"], "application/x-pem-file");
    let states: Vec<_> = text
        .text()
        .lines()
        .filter(|line| line.starts_with("state="))
        .collect();
    assert_eq!(
        states,
        ["state=active subject=CN=Test", "state=pending subject=CN=Test"]
    );
    assert_eq!(
        text.text().matches("BEGIN CERTIFICATE").count(),
        2,
        "not the revoked one"
    );

    let set = get("application/jwk-set+json").await.json();
    let [active, pending] = set["keys"].as_array().unwrap().as_slice() else {
        panic!("{set}")
    };
    assert_eq!(
        (&active["kid"], &active["state"]),
        (&json!(first), &json!("active"))
    );
    assert_eq!((&pending["kid"], &pending["kty"]), (&json!(second), &json!("EC")));

    let messages = get("application/pkcs7-mime").await;
    std::fs::write(admin.directory.path().join("orders.p7c"), &messages.body).unwrap();
    let printed = openssl(
        admin.directory.path(),
        "pkcs7 -inform DER -print_certs -in orders.p7c",
    );
    assert_eq!(printed.matches("BEGIN CERTIFICATE").count(), 2, "{printed}");

    get("text/html").await.problem(406);
    admin.get("/certificates/nobody").await.problem(404);
    let tag = text.headers["etag"].to_str().unwrap().to_owned();
    let again = async || {
        let request = admin.request(http::Method::GET, "/certificates/orders");
        admin.send(request.header("if-none-match", &tag), "").await.status
    };
    assert_eq!(again().await, 304);
    command(&admin, &second, "activate", Value::Null).await;
    assert_eq!(again().await, 200, "a state has changed");
}

#[tokio::test]
async fn the_audit_names_who_did_it_and_is_verified_against_a_head_that_was_kept() {
    let admin = TestAdmin::start_for(&[("alice", "role = \"operator\"")]).await;
    let first = import(&admin).await;
    let verified = admin.get("/api/v1/audit/verification").await.json();
    assert_eq!(
        (&verified["intact"], &verified["records"]),
        (&json!(true), &json!(1))
    );
    let head = verified["head"].as_str().unwrap().to_owned();
    admin
        .ask_as(
            "alice",
            http::Method::POST,
            &format!("{ORDERS}/keys/{first}/activate"),
        )
        .await;

    for range in ["limit=0", "limit=1001", "after=9223372036854775808"] {
        let sentence = admin.get(&format!("/api/v1/audit?{range}")).await.problem(400);
        assert!(sentence.starts_with("limit is from 1 to 1000"), "{sentence}");
    }
    let records = admin.get("/api/v1/audit?after=1").await.json();
    let [record] = records["records"].as_array().unwrap().as_slice() else {
        panic!("{records}")
    };
    assert_eq!(
        (&record["what"], &record["key"]),
        (&json!("key-activated"), &json!(first))
    );
    assert_eq!(record["author"]["who"], "token");
    assert_eq!(record["author"]["name"], "alice");
    assert_eq!(record["author"]["from"], "127.0.0.1");

    let kept = admin
        .get(&format!("/api/v1/audit/verification?head={head}"))
        .await
        .json();
    assert_eq!(kept["intact"], true);
    let other = admin
        .get(&format!("/api/v1/audit/verification?head={}", "0".repeat(64)))
        .await
        .json();
    assert_eq!(other["intact"], false);
    assert!(
        other["problem"]
            .as_str()
            .unwrap()
            .contains("records after record 2 were removed")
    );
    admin.get("/api/v1/audit/verification?head=0").await.problem(400);
}

#[tokio::test]
async fn what_happened_to_other_aliases_is_not_in_the_audit_of_one_who_may_not_see_them() {
    let admin = TestAdmin::start_for(&[("narrow", "role = \"viewer\"\naliases = [\"invoices\"]")]).await;
    import(&admin).await;
    admin.import("invoices", &new_key("Test")).await;
    let records = admin
        .ask_as("narrow", http::Method::GET, "/api/v1/audit")
        .await
        .json();
    let records = records["records"].as_array().unwrap();
    assert!(!records.is_empty());
    assert!(
        records.iter().all(|record| record["alias"] == "invoices"),
        "{records:?}"
    );
    let found = admin.get(ORDERS).await.json()["keys"][0]["fingerprint"]
        .as_str()
        .unwrap()
        .to_owned();
    let found = admin
        .ask_as(
            "narrow",
            http::Method::GET,
            &format!("/api/v1/certificates?thumbprint={found}"),
        )
        .await;
    assert_eq!(found.json(), json!([]));
}

#[tokio::test]
async fn the_command_line_leads_a_key_through_its_life() {
    let admin = TestAdmin::start().await;
    let (first, second, third) = (import(&admin).await, import(&admin).await, import(&admin).await);
    run(&admin, &format!("keys activate orders {first}")).await;
    let at = countersign::clock::rfc3339(crate::support::clock::now() + std::time::Duration::from_secs(3600));
    let set = run(&admin, &format!("keys activate orders {second} --at {at}")).await;
    assert_eq!(set, format!("orders: {second} will be activated at {at}.\n"));
    assert!(
        run(&admin, "keys show orders")
            .await
            .contains(&format!("will be activated at {at}"))
    );
    let cancelled = run(&admin, &format!("keys activate orders {second} --cancel")).await;
    assert_eq!(
        cancelled,
        format!("orders: {second} will not be activated by itself.\n")
    );

    let dropped = run(&admin, &format!("keys discard orders {third}")).await;
    assert!(
        dropped.starts_with(&format!("orders: {third} is discarded.\n")),
        "{dropped}"
    );
    let revoked = run(
        &admin,
        &format!("keys revoke orders {first} --reason stolen --successor {second}"),
    )
    .await;
    let expected = format!(
        "orders: {first} is revoked.\norders: every new message is signed with {second} (CN=Test), since 20"
    );
    assert!(revoked.starts_with(&expected), "{revoked}");
    assert!(
        run(&admin, "keys show orders")
            .await
            .contains(": stolen, kept until ")
    );
    let purged = run(&admin, &format!("keys purge orders {first} --compromised")).await;
    assert!(
        purged.starts_with(&format!("orders: {first} is purged.\n")),
        "{purged}"
    );
    let stopped = run(
        &admin,
        &format!("keys revoke orders {second} --reason stolen --stop"),
    )
    .await;
    assert!(stopped.ends_with("orders signs with no key: messages of its routes are refused.\n"));

    let exported = run(&admin, &format!("keys export orders {first}")).await;
    std::fs::write(admin.directory.path().join("exported.pem"), &exported).unwrap();
    let subject = openssl(admin.directory.path(), "x509 -noout -subject -in exported.pem");
    assert!(subject.contains("Test"), "{subject}");
}

#[tokio::test]
async fn the_command_line_shows_and_verifies_the_audit_of_a_proxy_and_of_a_directory() {
    let admin = TestAdmin::start().await;
    let first = import(&admin).await;
    let state = format!("--state {}", admin.directory.path().join("state").display());
    for of in ["", &state] {
        let shown = run(&admin, &format!("audit show {of}")).await;
        assert!(
            shown.contains(&format!(
                "key-imported  orders  {first}  token operator from 127.0.0.1"
            )),
            "{shown}"
        );
        let verified = run(&admin, &format!("audit verify {of}")).await;
        let head = verified
            .lines()
            .find_map(|line| line.strip_prefix("Head "))
            .unwrap();
        assert!(
            verified.starts_with("The audit is intact: 1 records.\n"),
            "{verified}"
        );
        run(&admin, &format!("audit verify --head {head} {of}")).await;
        let wrong = try_run(&admin, &format!("audit verify --head {} {of}", "0".repeat(64))).await;
        let wrong = String::from_utf8(wrong.stderr).unwrap();
        assert!(wrong.contains("no record has the head"), "{wrong}");
    }
}

async fn run(admin: &TestAdmin, arguments: &str) -> String {
    let output = try_run(admin, arguments).await;
    assert!(output.status.success(), "{arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn try_run(admin: &TestAdmin, arguments: &str) -> std::process::Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_countersign"));
    command
        .args(arguments.split_whitespace())
        .args(["--admin", &format!("http://{}", admin.address)])
        .current_dir(admin.directory.path());
    command.output().await.unwrap()
}
