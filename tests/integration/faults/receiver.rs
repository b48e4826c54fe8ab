//! A receiver that misbehaves as the path of each request says, and keeps a book of the messages that came to it whole.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// What it does with a request, by the last segment of its path.
pub(super) const BEHAVIOURS: &[&str] = &[
    "acknowledges",
    "resets-at-the-head",
    "resets-before-its-answer",
    "resets-in-its-head",
    "resets-in-its-body",
    "hangs",
    "hangs-in-its-head",
    "stalls-in-its-body",
    "answers-garbage",
    "answers-early",
    "answers-early-and-closes",
    "closes-as-it-is-used-again",
    "sends-1xx",
    "switches-protocols",
    "sends-trailers",
    "sends-a-huge-head",
    "sends-many-fields",
    "sends-too-little",
    "sends-too-much",
    "sends-without-end",
    "floods",
];

/// What an orderly answer says.
pub(super) const ORDERLY: &str = "orderly";
/// What comes behind the end of an answer; nobody must ever see it.
pub(super) const SMUGGLED: &str = "smuggled";

/// The messages that came whole.
#[derive(Default)]
pub(super) struct Book {
    /// By the id.
    pub(super) came: HashMap<String, usize>,
    pub(super) unsigned: usize,
}

pub(super) struct FaultyReceiver {
    pub(super) address: SocketAddr,
    book: Arc<Mutex<Book>>,
    task: JoinHandle<()>,
}

impl FaultyReceiver {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let book: Arc<Mutex<Book>> = Arc::default();
        let kept = book.clone();
        let task = tokio::spawn(async move {
            // Ends with the task.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, kept.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, book, task }
    }

    pub(super) fn book<T>(&self, read: impl FnOnce(&Book) -> T) -> T {
        read(&self.book.lock().unwrap())
    }
}

impl Drop for FaultyReceiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Stream = BufReader<TcpStream>;

async fn serve(stream: TcpStream, book: Arc<Mutex<Book>>) {
    let mut stream = BufReader::new(stream);
    let mut answered = false;
    while let Some((behaviour, length)) = head(&mut stream).await {
        if behaviour == "closes-as-it-is-used-again" && answered {
            return reset(stream);
        }
        match behaviour.as_str() {
            "resets-at-the-head" => return reset(stream),
            "answers-early" | "answers-early-and-closes" => {
                let _ = stream.write_all(orderly().as_bytes()).await;
                if behaviour == "answers-early-and-closes" {
                    return;
                }
            }
            _ => {}
        }
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        note(&book, &body);
        if answer(&mut stream, &behaviour).await.is_err() {
            return;
        }
        match behaviour.as_str() {
            name if name.starts_with("resets-") => return reset(stream),
            "hangs" | "hangs-in-its-head" | "stalls-in-its-body" => return until_closed(stream).await,
            "sends-too-little" => return,
            _ => answered = true,
        }
    }
}

async fn answer(stream: &mut Stream, behaviour: &str) -> std::io::Result<()> {
    let text = match behaviour {
        "acknowledges" | "closes-as-it-is-used-again" => orderly(),
        "resets-in-its-head" | "hangs-in-its-head" => "HTTP/1.1 200 OK\r\nContent-".to_owned(),
        "resets-in-its-body" | "stalls-in-its-body" | "sends-too-little" => {
            "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789".to_owned()
        }
        "answers-garbage" => "\u{1}\u{2}!! no HTTP at all\r\n\r\n".to_owned(),
        "sends-1xx" => {
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".to_owned() + &orderly()
        }
        "switches-protocols" => "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n".to_owned(),
        "sends-trailers" => {
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n7\r\norderly\r\n0\r\nX-Sum: 1\r\n\r\n"
                .to_owned()
        }
        "sends-a-huge-head" => format!("HTTP/1.1 200 OK\r\nX-Huge: {}\r\n", "x".repeat(1 << 20)) + "\r\n",
        "sends-many-fields" => "HTTP/1.1 200 OK\r\n".to_owned() + &"X-More: 1\r\n".repeat(1000) + "\r\n",
        "sends-too-much" => {
            orderly() + &format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{SMUGGLED}", SMUGGLED.len())
        }
        "sends-without-end" | "floods" => return endless(stream, behaviour == "floods").await,
        _ => String::new(),
    };
    stream.write_all(text.as_bytes()).await
}

fn orderly() -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{ORDERLY}",
        ORDERLY.len()
    )
}

/// Chunks until nobody takes them any more.
async fn endless(stream: &mut Stream, fast: bool) -> std::io::Result<()> {
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await?;
    let chunk = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
    loop {
        stream.write_all(chunk.as_bytes()).await?;
        if !fast {
            sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn until_closed(mut stream: Stream) {
    // Nobody sends on it any more.
    let _ = timeout(Duration::from_secs(60), stream.read_u8()).await;
}

/// The kernel answers with a reset where a connection is closed that lingers for no time.
fn reset(stream: Stream) {
    let stream = stream.into_inner();
    stream.set_zero_linger().unwrap();
}

/// The behaviour that a request asks for, and the length of its body.
async fn head(stream: &mut Stream) -> Option<(String, usize)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1)?.to_owned();
    let length = head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        })
        .unwrap_or(0);
    Some((path.trim_start_matches('/').to_owned(), length))
}

fn note(book: &Mutex<Book>, body: &[u8]) {
    let body = std::str::from_utf8(body).unwrap();
    let id = body
        .split_once("<id>")
        .and_then(|(_, rest)| rest.split_once("</id>"));
    let id = id.expect("every message has an id").0.to_owned();
    let mut book = book.lock().unwrap();
    book.unsigned += usize::from(body.matches("<ds:SignatureValue>").count() != 1);
    *book.came.entry(id).or_default() += 1;
}
