//! Receivers that authenticate connections (NTLM, Negotiate), as IIS does: what one flow has shown there is no other flow's,
//! whoever comes first, side by side, or after.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::header::{AUTHORIZATION, CONNECTION, WWW_AUTHENTICATE};
use http::{Method, Response, StatusCode, Version};
use http_body_util::Full;
use tempfile::tempdir;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::support::authority::Authority;
use crate::support::client::{Answer, Flow, SOAP11, posted, request};
use crate::support::proxy::TestProxy;
use crate::support::raw::Raw;
use crate::support::receiver::Receiver;
use crate::support::soak::Seed;
use crate::support::tool::run;
use crate::support::{eventually, proxy};

const MESSAGE: &str = include_str!("../messages/body-two-children.xml");

/// A receiver that authenticates connections: a first token is answered with a challenge, a second one on the same
/// connection names the user of all that comes on it.
struct Windows {
    address: SocketAddr,
    came: Arc<Mutex<Vec<Came>>>,
    open: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

/// A request.
#[derive(Debug, Clone)]
struct Came {
    /// The number of its connection.
    connection: usize,
    user: Option<String>,
    signed: bool,
    length: usize,
}

impl Windows {
    async fn start() -> Self {
        Self::with("").await
    }

    /// With this field in the answer to who is authenticated.
    async fn with(field: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (came, open): (Arc<Mutex<Vec<_>>>, Arc<AtomicUsize>) = Default::default();
        let (book, count) = (came.clone(), open.clone());
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (book, count) = (book.clone(), count.clone());
                count.fetch_add(1, Ordering::SeqCst);
                connections.spawn(async move {
                    serve(Raw(stream), number, field, &book).await;
                    count.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            address,
            came,
            open,
            task,
        }
    }

    fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }

    async fn proxy(&self) -> TestProxy {
        proxy::to(format!("http://{}/", self.address)).start().await
    }
}

impl Drop for Windows {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut connection: Raw, number: usize, field: &str, book: &Mutex<Vec<Came>>) {
    let (mut user, mut challenged) = (None, false);
    while let Some((head, length, signed)) = next(&mut connection).await {
        let token = field_of(&head, "authorization").unwrap_or_default();
        if token.starts_with("NTLM 1-") {
            user = None;
        }
        if challenged && let Some(name) = token.strip_prefix("NTLM 3-") {
            user = Some(name.to_owned());
        }
        book.lock().unwrap().push(Came {
            connection: number,
            user: user.clone(),
            signed,
            length,
        });
        challenged = token.starts_with("NTLM 1-");
        let (status, fields, body) = match &user {
            Some(user) => ("200 OK", field.to_owned(), format!("served as {user}")),
            None if challenged => (
                "401 Unauthorized",
                "WWW-Authenticate: NTLM challenge\r\n".into(),
                String::new(),
            ),
            None => (
                "401 Unauthorized",
                "WWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM\r\n".into(),
                String::new(),
            ),
        };
        let length = body.len();
        connection
            .send(format!(
                "HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
            ))
            .await;
        if fields.contains("Connection: close") {
            return;
        }
    }
}

/// Head, length of the body, and whether that is signed; `None` at the end of the connection.
async fn next(connection: &mut Raw) -> Option<(String, usize, bool)> {
    connection.0.readable().await.ok()?;
    let closed = connection.0.peek(&mut [0]).await.ok()? == 0;
    if closed {
        return None;
    }
    let request = connection.message().await;
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    Some((head.to_owned(), body.len(), body.contains("<ds:SignatureValue>")))
}

fn field_of(head: &str, name: &str) -> Option<String> {
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    let mut values = fields.filter(|(own, _)| own.eq_ignore_ascii_case(name));
    values.next().map(|(_, value)| value.to_owned())
}

async fn post(flow: &mut Flow, token: Option<&str>) -> Answer {
    let fields: Vec<_> = token.map(|token| ("Authorization", token)).into_iter().collect();
    flow.send(posted(SOAP11, &fields, MESSAGE)).await
}

async fn authenticate(flow: &mut Flow, user: &str) {
    let first = post(flow, Some(&format!("NTLM 1-{user}"))).await;
    assert_eq!(first.headers[WWW_AUTHENTICATE], "NTLM challenge");
    let answer = post(flow, Some(&format!("NTLM 3-{user}"))).await;
    assert_eq!(answer.text(), format!("served as {user}"));
}

#[tokio::test]
async fn what_a_flow_has_shown_is_no_other_flows_and_ends_with_its_connection() {
    let receiver = Windows::start().await;
    let proxy = receiver.proxy().await;
    let (mut flow, mut other) = (proxy.flow().await, proxy.flow().await);
    let asked = post(&mut flow, None).await;
    assert_eq!(asked.status, StatusCode::UNAUTHORIZED);
    let schemes: Vec<_> = asked.headers.get_all(WWW_AUTHENTICATE).iter().collect();
    assert_eq!(schemes, ["Negotiate", "NTLM"]);
    assert_eq!(asked.headers["proxy-support"], "Session-Based-Authentication");
    authenticate(&mut flow, "first").await;
    for _ in 0..3 {
        assert_eq!(post(&mut other, None).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(
            post(&mut proxy.flow().await, None).await.status,
            StatusCode::UNAUTHORIZED
        );
        assert_eq!(post(&mut flow, None).await.text(), "served as first");
    }
    let came = receiver.came();
    assert!(came.iter().all(|came| came.signed), "{came:?}");
    let own = came.iter().find(|came| came.user.is_some()).unwrap().connection;
    let strangers = came
        .iter()
        .filter(|came| came.connection == own && came.user.is_none());
    assert_eq!(strangers.count(), 1, "its own first token: {came:?}");
    drop((flow, other));
    eventually("nothing is left of it", || {
        receiver.open.load(Ordering::SeqCst) == 0
    })
    .await;
}

#[tokio::test]
async fn a_connection_with_a_challenge_is_not_used_by_others() {
    let receiver = Windows::start().await;
    let proxy = receiver.proxy().await;
    let mut flows = Vec::new();
    for _ in 0..4 {
        let mut flow = proxy.flow().await;
        assert_eq!(post(&mut flow, None).await.status, StatusCode::UNAUTHORIZED);
        flows.push(flow);
    }
    let connections: Vec<_> = receiver.came().iter().map(|came| came.connection).collect();
    assert_eq!(connections, [0, 1, 2, 3]);
}

#[tokio::test]
async fn credentials_that_come_before_any_challenge_get_a_connection_of_their_own() {
    let receiver = Windows::start().await;
    let proxy = receiver.proxy().await;
    let mut flow = proxy.flow().await;
    authenticate(&mut flow, "first").await;
    assert_eq!(
        post(&mut proxy.flow().await, None).await.status,
        StatusCode::UNAUTHORIZED
    );
    // Another user on the flow's connection is what the receiver makes of it.
    assert_eq!(
        post(&mut flow, Some("Basic eTp6")).await.text(),
        "served as first"
    );
    let connections: Vec<_> = receiver.came().iter().map(|came| came.connection).collect();
    assert_eq!(connections, [0, 0, 1, 0]);
}

#[tokio::test]
async fn handshakes_side_by_side_never_mix() {
    let receiver = Windows::start().await;
    let proxy = receiver.proxy().await;
    let seed = Seed::new();
    let mut flows = Vec::new();
    for number in 0..8 {
        flows.push((proxy.flow().await, format!("user-{number}"), 0));
    }
    for turn in 0..80 {
        let number = *seed.pick(&[0, 1, 2, 3, 4, 5, 6, 7], turn);
        let (flow, user, step) = &mut flows[number];
        let token = match *step {
            0 => None,
            1 => Some(format!("NTLM 1-{user}")),
            2 => Some(format!("NTLM 3-{user}")),
            _ => None,
        };
        let answer = post(flow, token.as_deref()).await;
        if *step < 2 {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{user}, step {step}");
        } else {
            assert_eq!(answer.text(), format!("served as {user}"), "step {step}");
        }
        *step += 1;
    }
}

#[tokio::test]
async fn many_flows_at_once_are_each_served_as_themselves() {
    let receiver = Windows::start().await;
    let proxy = receiver.proxy().await;
    let mut flows = JoinSet::new();
    for number in 0..40 {
        let mut flow = proxy.flow().await;
        flows.spawn(async move {
            let user = format!("user-{number}");
            for _ in 0..3 {
                // Those that never show anything take turns with the others in the pool.
                if number % 2 == 0 {
                    assert_eq!(post(&mut flow, None).await.status, StatusCode::UNAUTHORIZED);
                    continue;
                }
                authenticate(&mut flow, &user).await;
                assert_eq!(post(&mut flow, None).await.text(), format!("served as {user}"));
            }
        });
    }
    flows.join_all().await;
}

#[tokio::test]
async fn on_a_flows_http_2_connection_nobody_is_authenticated_for_long() {
    let receiver = Windows::start().await;
    let proxy = receiver.proxy().await;
    let mut flow = Flow::connect_h2c(proxy.address()).await;
    for token in [
        Some("NTLM 1-first"),
        Some("NTLM 3-first"),
        None,
        Some("NTLM 3-first"),
    ] {
        let answer = post(&mut flow, token).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{token:?}");
        assert!(!answer.headers.contains_key("proxy-support"));
    }
    drop(flow);
    eventually("nothing is left of it", || {
        receiver.open.load(Ordering::SeqCst) == 0
    })
    .await;
}

#[tokio::test]
async fn a_receiver_of_http_2_that_authenticates_connections_gets_http_1() {
    let authority = Authority::of(&["receiver"]);
    let tls = authority.server(&["h2", "http/1.1"], "receiver");
    let receiver = Receiver::answering_tls(tls, |came| {
        let answer = Response::builder();
        match came.headers.contains_key(AUTHORIZATION) {
            true => answer.body(Full::from("served")),
            false => answer
                .status(401)
                .header(WWW_AUTHENTICATE, "Negotiate, NTLM")
                .body(Full::default()),
        }
        .unwrap()
    });
    let receiver = receiver.await;
    let ca = authority.file("ca.pem");
    let setup = proxy::to(format!("https://{}/", receiver.address))
        .route(&format!("receiver_tls = {{ ca = \"{}\" }}", ca.display()));
    let proxy = setup.start().await;
    let mut flow = proxy.flow().await;
    for (token, version) in [
        (None, Version::HTTP_2),
        (Some("Negotiate YII="), Version::HTTP_11),
        (None, Version::HTTP_11),
    ] {
        post(&mut flow, token).await;
        assert_eq!(receiver.take_request().version, version, "{token:?}");
    }
    assert_eq!(
        post(&mut proxy.flow().await, None).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        receiver.take_request().version,
        Version::HTTP_2,
        "the others have it as before"
    );
    assert_eq!(receiver.connections(), 2);
}

#[tokio::test]
async fn credentials_of_requests_share_connections_as_before() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    for _ in 0..3 {
        let answer = post(&mut proxy.flow().await, Some("Basic eTp6")).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn where_the_receiver_ends_the_connection_the_flows_ends_too() {
    let receiver = Windows::with("Connection: close\r\n").await;
    let proxy = receiver.proxy().await;
    let mut flow = proxy.flow().await;
    post(&mut flow, Some("NTLM 1-first")).await;
    let answer = post(&mut flow, Some("NTLM 3-first")).await;
    assert_eq!(answer.text(), "served as first");
    assert_eq!(answer.headers[CONNECTION], "close");
}

#[tokio::test]
async fn a_receiver_that_closes_an_idle_connection_costs_no_message_and_asks_again() {
    let (receiver, came) = crate::support::receiver::scripted(vec![
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM x\r\nContent-Length: 0\r\n\r\n",
    ])
    .await;
    let proxy = proxy::to(format!("http://{receiver}/"))
        .route("fault_status = \"http\"")
        .start()
        .await;
    let mut flow = proxy.flow().await;
    assert_eq!(
        post(&mut flow, Some("NTLM 1-first")).await.status,
        StatusCode::UNAUTHORIZED
    );
    came.await.unwrap(); // it listens no more, and has closed
    let answer = post(&mut flow, Some("NTLM 3-first")).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert!(
        answer.sentence().contains("the message was not sent"),
        "{}",
        answer.sentence()
    );
}

#[tokio::test]
async fn a_description_is_asked_for_as_the_same_user() {
    let receiver = Windows::start().await;
    let proxy = receiver.proxy().await;
    let mut flow = proxy.flow().await;
    authenticate(&mut flow, "first").await;
    let answer = flow.ask(Method::GET, "/orders?wsdl").await;
    assert_eq!(answer.text(), "served as first");
    let other = proxy.flow().await.ask(Method::GET, "/orders?wsdl").await;
    assert_eq!(other.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_first_token_may_come_without_a_message_and_nothing_else_may() {
    let receiver = Windows::start().await;
    let proxy = receiver.proxy().await;
    let mut flow = proxy.flow().await;
    let empty = |token: &str| {
        let request = request(Method::POST, "/orders").header(AUTHORIZATION, token);
        request.body(Full::default()).unwrap()
    };
    let answer = flow.send(empty("NTLM 1-first")).await;
    assert_eq!(answer.headers[WWW_AUTHENTICATE], "NTLM challenge");
    assert_eq!(
        post(&mut flow, Some("NTLM 3-first")).await.text(),
        "served as first"
    );
    assert_eq!(
        flow.send(empty("Basic eTp6")).await.status,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let lengths: Vec<_> = receiver
        .came()
        .iter()
        .map(|came| (came.length > 0, came.signed))
        .collect();
    assert_eq!(lengths, [(false, false), (true, true)]);
}

#[tokio::test]
async fn curl_authenticates_by_ntlm_through_us() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // A challenge by MS-NLMP, section 2.2.1.2: no target, OEM names, NTLM.
    let challenge = [
        b"NTLMSSP\0\x02\0\0\0".as_slice(),
        &[0; 8],
        b"\x02\x02\0\0",
        b"12345678",
        &[0; 8],
    ]
    .concat();
    let challenge = format!("WWW-Authenticate: NTLM {}\r\n", BASE64_STANDARD.encode(challenge));
    let served = tokio::spawn(async move {
        let mut connection = Raw(listener.accept().await.unwrap().0);
        let mut bodies = Vec::new();
        for (fields, status) in [(challenge.as_str(), 401), ("", 200)] {
            let (head, length, signed) = next(&mut connection).await.unwrap();
            assert!(
                field_of(&head, "authorization")
                    .unwrap()
                    .starts_with("NTLM TlRMTVNTUA"),
                "{head}"
            );
            assert!(field_of(&head, "content-length").is_some(), "{head}");
            connection
                .send(format!(
                    "HTTP/1.1 {status} X\r\n{fields}Content-Length: 0\r\n\r\n"
                ))
                .await;
            bodies.push((length > 0, signed));
        }
        bodies
    });
    let proxy = proxy::to(format!("http://{address}/")).start().await;
    let directory = tempdir().unwrap();
    std::fs::write(directory.path().join("message.xml"), MESSAGE).unwrap();
    let command = format!(
        "-u no_proxy -u NO_PROXY curl --silent --show-error --fail --ntlm --user a:b --header Content-Type:text/xml \
         --data-binary @message.xml http://{}/orders",
        proxy.address()
    );
    tokio::task::spawn_blocking(move || run(directory.path(), "env", command.split_whitespace()))
        .await
        .unwrap();
    assert_eq!(served.await.unwrap(), [(false, false), (true, true)]);
}
