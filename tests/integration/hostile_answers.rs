//! What a server that is none of ours can do to whoever asks it by the command line: nothing to the terminal, and nothing to
//! the memory.

use std::net::SocketAddr;
use std::process::Output;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use crate::support::within;

const PROBLEM: &str =
    "HTTP/1.1 409 Conflict\r\nContent-Type: application/problem+json\r\nConnection: close\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";

/// A server that answers one request with this head, and then with this body, again and again if it has no end.
async fn server(head: &'static str, body: Vec<u8>, endless: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = [0; 4096];
        let _read = stream.read(&mut asked).await;
        let _sent = answer(&mut stream, head, &body, endless).await;
    });
    address
}

async fn answer(stream: &mut TcpStream, head: &str, body: &[u8], endless: bool) -> std::io::Result<()> {
    stream.write_all(head.as_bytes()).await?;
    loop {
        stream.write_all(body).await?;
        if !endless {
            return stream.shutdown().await;
        }
    }
}

async fn ask(admin: SocketAddr, arguments: &str) -> Output {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("token"), "a-token").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(arguments.split_whitespace())
        .args(["--admin", &format!("http://{admin}"), "--token-file", "token"])
        .current_dir(directory.path())
        .kill_on_drop(true)
        .output();
    within(output).await.unwrap()
}

fn moves_a_terminal(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.chars()
        .any(|own| (own.is_control() && own != '\n') || own == '\u{202e}')
}

#[tokio::test]
async fn nothing_that_a_server_says_moves_the_terminal() {
    let hostile = "a\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{202e}\r\u{7f}";
    let problem = serde_json::json!({"title": hostile, "status": 409, "detail": hostile}).to_string();
    let refused = ask(server(PROBLEM, problem.into(), false).await, "keys list").await;
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && told.contains(r"a\u{1b}[2J"),
        "{told:?}"
    );
    assert!(!moves_a_terminal(&refused.stderr), "{told:?}");

    let records = format!(
        "{{\"records\":[{{\"sequence\":1,\"at\":\"\",\"what\":{0},\"alias\":{0},\"detail\":{{\"x\":{0}}},\
         \"author\":{{\"who\":{0},\"name\":{0}}}}}],\"next\":null}}",
        serde_json::to_string(hostile).unwrap()
    );
    for arguments in ["audit show", "audit show --json"] {
        let shown = ask(server(OK, records.clone().into(), false).await, arguments).await;
        assert!(shown.status.success(), "{shown:?}");
        assert!(
            shown.stdout.starts_with(b"1 ") || shown.stdout.starts_with(b"{"),
            "{shown:?}"
        );
        assert!(!moves_a_terminal(&shown.stdout), "{shown:?}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    for head in [PROBLEM, OK] {
        let output = ask(server(head, vec![b' '; 1 << 20], true).await, "keys list").await;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && told.contains("answered with more than 64 MiB"),
            "{told}"
        );
    }
}
