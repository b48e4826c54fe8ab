//! What the audit has beside keys: who tried to get in, and what became of the configuration.

use http::Method;
use serde_json::Value;

use crate::support::admin::TestAdmin;
use crate::support::eventually;
use crate::support::raw::Raw;
use crate::support::served::{Place, Served};

async fn records(served: &Served, what: &str) -> Vec<Value> {
    let (_, audit) = served.ask(Method::GET, "/api/v1/audit", "text/plain", "").await;
    let audit: Value = serde_json::from_slice(&audit).unwrap();
    let all = audit["records"].as_array().unwrap().iter();
    all.filter(|record| record["what"] == what).cloned().collect()
}

#[tokio::test]
async fn a_flood_of_failed_logins_is_one_record_at_once_and_one_after_a_minute() {
    let admin = TestAdmin::start().await;
    let failed = || {
        let all = admin.keys.audit_trail().read(0, 1000).unwrap();
        let failed = all.into_iter().filter(|record| record.what == "login-failed");
        failed.collect::<Vec<_>>()
    };
    let mut raw = Raw::connect(admin.address).await;
    for path in ["/api/v1/aliases", "/metrics", "/nothing"] {
        for credential in ["Authorization: Bearer wrong\r\n", ""] {
            for _ in 0..50 {
                raw.send(format!(
                    "GET {path} HTTP/1.1\r\nHost: localhost\r\n{credential}\r\n"
                ))
                .await;
                assert!(raw.message().await.starts_with("HTTP/1.1 401"));
            }
        }
    }
    eventually("it is in the audit", || !failed().is_empty()).await;
    let told = failed();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (told[0].author.who.as_str(), told[0].author.from.as_deref()),
        ("stranger", Some("127.0.0.1"))
    );
    assert_eq!(told[0].detail["times"], "1");
    assert!(admin.keys.audit_trail().verify(None).is_ok());
}

#[tokio::test]
async fn what_becomes_of_a_changed_configuration_is_in_the_audit() {
    let route =
        "[[route]]\nname = \"a\"\npath = \"/a\"\nreceiver = \"http://127.0.0.1:9/\"\nalias = \"orders\"\n";
    let proxy = format!("{route}[proxy]\nlisten = \"127.0.0.1:0\"\n");
    let served = Place::new().serve(&proxy).await;
    served.configure(&format!(
        "{proxy}drain = \"7s\"\n[log]\nlevel = \"debug\"\n[alias.invoices]\n"
    ));
    served.signal("HUP");
    eventually("it is in force", || served.log().contains("is in force")).await;
    served.configure(&format!("{proxy}wrong = 1\n"));
    served.signal("HUP");
    eventually("it is refused", || served.log().contains("and refused")).await;
    let mut told = (Vec::new(), Vec::new());
    while told.0.is_empty() || told.1.is_empty() {
        told = (
            records(&served, "configuration-applied").await,
            records(&served, "configuration-refused").await,
        );
    }
    let (applied, refused) = told;
    assert_eq!(
        applied[0]["detail"]["changes"],
        "[proxy], [log], alias invoices added"
    );
    assert_eq!(applied[0]["author"]["who"], "configuration");
    assert!(
        refused[0]["detail"]["problem"]
            .as_str()
            .unwrap()
            .contains("wrong"),
        "{refused:?}"
    );
}
