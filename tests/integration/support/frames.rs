//! HTTP/2 frame by frame (RFC 9113, section 4.1), for what no library sends. Header fields are literals without
//! Huffman coding (RFC 7541, section 6.2.2), so that they may be as wrong as a test wants.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::within;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;

/// On SETTINGS and PING.
pub(crate) const ACK: u8 = 1;
/// On DATA and HEADERS.
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// One frame.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// A connection.
pub(crate) struct Frames<S>(pub(crate) S);

impl<S: AsyncRead + AsyncWrite + Unpin> Frames<S> {
    /// The side that connects: preface and settings.
    pub(crate) async fn connect(stream: S) -> Self {
        let mut frames = Self(stream);
        frames.0.write_all(PREFACE).await.expect("a connection");
        frames.send(SETTINGS, 0, 0, &[]).await;
        frames
    }

    /// The side that listens: reads the preface and sends settings.
    pub(crate) async fn accept(mut stream: S) -> Self {
        let mut preface = [0; PREFACE.len()];
        within(stream.read_exact(&mut preface)).await.expect("a preface");
        assert_eq!(preface, PREFACE);
        let mut frames = Self(stream);
        frames.send(SETTINGS, 0, 0, &[]).await;
        frames
    }

    /// Sends a frame, or as much of it as the other side takes.
    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len())
            .expect("a short payload")
            .to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        let _taken = within(self.0.write_all(&[&head, payload].concat())).await;
    }

    /// Sends a request without a body, or the head of one with a body.
    pub(crate) async fn request(&mut self, stream: u32, fields: &[(&[u8], &[u8])], flags: u8) {
        self.send(HEADERS, END_HEADERS | flags, stream, &literals(fields))
            .await;
    }

    /// The next frame that says something; settings and pings are answered. `None` at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            let frame = self.read().await?;
            match (frame.kind, frame.flags & ACK) {
                (SETTINGS | PING, 0) => self.send(frame.kind, ACK, 0, settings_or(&frame)).await,
                (HEADERS | DATA | RST_STREAM | GOAWAY, _) => return Some(frame),
                _ => {}
            }
        }
    }

    /// The next frame of this kind.
    pub(crate) async fn next_of(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    async fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        within(self.0.read_exact(&mut head)).await.ok()?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        within(self.0.read_exact(&mut payload)).await.ok()?;
        Some(Frame {
            kind,
            flags,
            stream: u32::from_be_bytes(stream),
            payload,
        })
    }
}

/// A PING is answered with what it carries, SETTINGS with nothing.
fn settings_or(frame: &Frame) -> &[u8] {
    if frame.kind == PING { &frame.payload } else { &[] }
}

pub(crate) fn literals(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            length(&mut block, text.len());
            block.extend_from_slice(text);
        }
    }
    block
}

/// RFC 7541, section 5.1, with a prefix of seven bits.
fn length(block: &mut Vec<u8>, length: usize) {
    const MOST: usize = 127;
    if length < MOST {
        block.push(byte(length));
        return;
    }
    block.push(byte(MOST));
    let mut rest = length - MOST;
    while rest >= 128 {
        block.push(byte(rest % 128) | 128);
        rest /= 128;
    }
    block.push(byte(rest));
}

fn byte(number: usize) -> u8 {
    number.try_into().expect("it fits")
}
