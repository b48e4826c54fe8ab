//! Flows that misbehave, on a connection each, and what they get to see.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// How a flow sends and reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    /// Orderly.
    Sends,
    /// A message of a megabyte, orderly.
    SendsMuch,
    /// A few bytes at a time.
    Drips,
    /// Half the message, then nothing.
    StopsMidBody,
    /// Half a head, then nothing.
    StopsMidHead,
    /// Half the message, then closes.
    ClosesMidBody,
    /// Half the message, then resets.
    ResetsMidBody,
    /// All of it, then resets.
    ResetsBeforeTheAnswer,
    /// Resets in the middle of the answer.
    ResetsMidAnswer,
    /// Sends all, takes nothing, until the connection ends.
    NeverReads,
    /// Bytes that are no HTTP.
    SendsGarbage,
}

/// What came back.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Of the last answer.
    pub(super) status: Option<u16>,
    /// The answer was whole.
    pub(super) whole: bool,
    pub(super) body: String,
}

/// Longer than any time-out of the proxy, by far.
const PATIENCE: Duration = Duration::from_secs(60);

impl Client {
    /// Sends the message of this id to the path; tells what was seen.
    pub(super) async fn run(self, proxy: SocketAddr, path: &str, id: &str) -> Seen {
        let mut stream = TcpStream::connect(proxy).await.unwrap();
        let body = message(id, if self == Self::SendsMuch { 1 << 20 } else { 0 });
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n\r\n"
        );
        let (half_head, half_body) = (head.split_at(20).0, body.split_at(length / 2).0);
        let sent = match self {
            Self::StopsMidHead => half_head.to_owned(),
            Self::StopsMidBody | Self::ClosesMidBody | Self::ResetsMidBody => head + half_body,
            Self::SendsGarbage => "\u{1}\u{2}!! no HTTP at all\r\n\r\n".to_owned(),
            Self::Sends
            | Self::SendsMuch
            | Self::Drips
            | Self::ResetsBeforeTheAnswer
            | Self::ResetsMidAnswer
            | Self::NeverReads => head + &body,
        };
        if self == Self::Drips {
            for bytes in sent.as_bytes().chunks(16) {
                let _ = stream.write_all(bytes).await;
                sleep(Duration::from_millis(2)).await;
            }
        } else {
            // The proxy may have closed already: what it said is read all the same.
            let _ = stream.write_all(sent.as_bytes()).await;
        }
        timeout(PATIENCE, self.look(stream))
            .await
            .expect("the proxy ends it in time")
    }

    async fn look(self, mut stream: TcpStream) -> Seen {
        match self {
            Self::ClosesMidBody => Seen::default(),
            Self::ResetsMidBody | Self::ResetsBeforeTheAnswer => reset(&stream),
            Self::ResetsMidAnswer => {
                let _ = stream.read(&mut [0; 100]).await;
                reset(&stream)
            }
            Self::NeverReads => {
                // Readable, yet not read: that it was cut shows when writing fails.
                while stream.write_all(b" ").await.is_ok() {
                    sleep(Duration::from_millis(50)).await;
                }
                Seen::default()
            }
            Self::Sends
            | Self::SendsMuch
            | Self::Drips
            | Self::StopsMidBody
            | Self::StopsMidHead
            | Self::SendsGarbage => read(&mut stream).await,
        }
    }
}

fn reset(stream: &TcpStream) -> Seen {
    stream.set_zero_linger().unwrap();
    Seen::default()
}

/// One answer, as far as it came.
async fn read(stream: &mut TcpStream) -> Seen {
    let mut came = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let seen = parse(&came);
        match stream.read(&mut buffer).await {
            _ if seen.whole => return seen,
            Ok(0) | Err(_) => return seen,
            Ok(read) => came.extend_from_slice(&buffer[..read]),
        }
        let seen = parse(&came);
        if seen.whole {
            return seen;
        }
    }
}

fn parse(came: &[u8]) -> Seen {
    let text = String::from_utf8_lossy(came);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Seen::default();
    };
    let head = head.to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let whole = match length {
        Some(length) => body.len() >= length.parse().unwrap(),
        None => body.ends_with("\r\n0\r\n\r\n") || body == "0\r\n\r\n",
    };
    Seen {
        status,
        whole,
        body: body.to_owned(),
    }
}

pub(super) fn message(id: &str, padding: usize) -> String {
    let padding = "many words, ".repeat(padding / 12);
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
         <order xmlns=\"urn:example:orders\"><id>{id}</id>{padding}</order></s:Body></s:Envelope>"
    )
}
