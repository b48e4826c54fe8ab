//! TLS on the admin listener, and who is told by a client certificate.

use http::Method;
use http_body_util::Full;

use crate::support::admin::TestAdmin;
use crate::support::authority::Authority;
use crate::support::client::{Answer, Flow, request};

const ORDERS: &str = "/api/v1/aliases/orders";

/// A listener of the authority's `us` that asks for its certificates, with access entries.
async fn listener(authority: &Authority, access: &str) -> TestAdmin {
    let [certificate, key, ca] =
        ["us.pem", "us.key", "ca.pem"].map(|name| authority.file(name).display().to_string());
    TestAdmin::start_with(&format!(
        "tls = {{ certificate = \"{certificate}\", private_key = \"{key}\", client_ca = \"{ca}\" }}\n{access}"
    ))
    .await
}

/// Asks over TLS, with the certificate of this name.
async fn ask(
    admin: &TestAdmin,
    authority: &Authority,
    name: Option<&str>,
    request: http::request::Builder,
) -> Answer {
    let tls = authority.client(&["h2", "http/1.1"], name);
    let mut flow = Flow::connect_tls(admin.address, tls).await.expect("a handshake");
    flow.send(request.body(Full::default()).expect("a request")).await
}

const ACCESS: &str = "[[admin.access]]\nname = \"dashboard\"\nrole = \"viewer\"\nclient_subject = \"cn=Dashboard, O=EXAMPLE\"\n\
    [[admin.access]]\nname = \"other\"\nrole = \"operator\"\nclient_subject = \"O=Example,CN=dashboard\"\n";

#[tokio::test]
async fn a_client_certificate_says_who_one_is_by_its_subject() {
    let authority = Authority::of(&["us", "dashboard", "stranger"]);
    let admin = listener(&authority, ACCESS).await;
    let get = |name| ask(&admin, &authority, name, request(Method::GET, ORDERS));
    assert_eq!(get(Some("dashboard")).await.status, 200);
    let refused = get(Some("stranger")).await.problem(401);
    assert!(
        refused.contains("has the subject of this client certificate"),
        "{refused}"
    );
    assert!(
        get(None)
            .await
            .problem(401)
            .starts_with("send `Authorization: Bearer`")
    );
    let rollback = request(Method::POST, &format!("{ORDERS}/rollback"));
    let refused = ask(&admin, &authority, Some("dashboard"), rollback)
        .await
        .problem(403);
    assert_eq!(
        refused, "this needs the role operator; dashboard has viewer",
        "a name in the opposite order is another name"
    );
}

#[tokio::test]
async fn a_token_does_as_well_and_goes_before_the_certificate() {
    let authority = Authority::of(&["us", "dashboard"]);
    let admin = listener(&authority, ACCESS).await;
    let rollback = || request(Method::POST, &format!("{ORDERS}/rollback"));
    for name in [None, Some("dashboard")] {
        let own = rollback().header("authorization", format!("Bearer {}", admin.token()));
        ask(&admin, &authority, name, own).await.problem(409);
        let wrong = rollback().header("authorization", "Bearer wrong");
        ask(&admin, &authority, name, wrong).await.problem(401);
    }
    assert_eq!(
        ask(&admin, &authority, None, request(Method::GET, "/healthz"))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_certificate_of_others_is_not_let_in() {
    let (ours, others) = (Authority::of(&["us"]), Authority::of(&["dashboard"]));
    let admin = listener(&ours, ACCESS).await;
    let mut tls = ours.client(&[], None);
    tls.client_auth_cert_resolver = others.client(&[], Some("dashboard")).client_auth_cert_resolver;
    let answered = match Flow::connect_tls(admin.address, tls).await {
        Ok(mut flow) => flow
            .try_send(request(Method::GET, "/healthz").body(Full::default()).unwrap())
            .await
            .is_ok(),
        Err(_) => false,
    };
    assert!(!answered);
}

#[tokio::test]
async fn another_sites_page_gives_no_commands_with_its_readers_certificate() {
    let authority = Authority::of(&["us", "dashboard"]);
    let admin = listener(&authority, &ACCESS.replace("viewer", "operator")).await;
    let send = |method, site: &str| {
        let request = request(method, &format!("{ORDERS}/rollback")).header("sec-fetch-site", site);
        ask(&admin, &authority, Some("dashboard"), request)
    };
    for site in ["cross-site", "same-site"] {
        assert!(
            send(Method::POST, site)
                .await
                .problem(403)
                .starts_with("a page of another site")
        );
    }
    for site in ["same-origin", "none"] {
        send(Method::POST, site).await.problem(409);
    }
}
