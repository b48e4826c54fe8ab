//! Bytes over TCP, for what no client library sends, and to see what really is on the wire.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, pause, resume};

use super::within;

/// A TCP connection.
pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.expect("somebody listens"))
    }

    /// Sends all of it, or as much as the other side takes.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        within(self.0.write_all(bytes.as_ref())).await.is_ok()
    }

    /// Reads one HTTP message: a head, and the body whose length it tells.
    pub(crate) async fn message(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within(self.0.read_u8()).await.expect("a whole head"));
        }
        let head = String::from_utf8(head).expect("a head in ASCII");
        let mut body = vec![0; content_length(&head)];
        within(self.0.read_exact(&mut body)).await.expect("a whole body");
        head + &String::from_utf8(body).expect("a body in UTF-8")
    }

    /// The status line's first words, and the seconds that pass before they come, with nothing sent meanwhile. Time is not
    /// waited for.
    pub(crate) async fn status_after_silence(&mut self) -> (String, u64) {
        let begun = Instant::now();
        pause();
        let mut status = vec![0; "HTTP/1.1 408".len()];
        self.0.read_exact(&mut status).await.expect("an answer");
        let waited = begun.elapsed().as_secs();
        resume();
        (String::from_utf8(status).expect("a status in ASCII"), waited)
    }

    /// Everything up to the end of the connection.
    pub(crate) async fn rest(&mut self) -> std::io::Result<String> {
        let mut rest = String::new();
        within(self.0.read_to_string(&mut rest)).await?;
        Ok(rest)
    }
}

fn content_length(head: &str) -> usize {
    let head = head.to_ascii_lowercase();
    let value = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    value.map_or(0, |value| value.trim().parse().expect("a length"))
}
