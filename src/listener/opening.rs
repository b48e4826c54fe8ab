//! A connection whose beginning comes in time.
//!
//! Telling HTTP/2 from HTTP/1.1 needs up to a whole preface, and hyper waits for it without end; from there on
//! it keeps time itself.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// RFC 9113, section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream that fails if it does not begin in time.
pub(super) struct Opening<S> {
    stream: S,
    /// What of the preface is still to come, and until when; `None` once the protocol is known.
    awaited: Option<(&'static [u8], Pin<Box<Sleep>>)>,
}

impl<S> Opening<S> {
    pub(super) fn new(stream: S, limit: Duration) -> Self {
        Self {
            stream,
            awaited: Some((PREFACE, Box::pin(sleep(limit)))),
        }
    }

    /// The protocol is known when the preface is whole, or cannot become it.
    fn came(&mut self, bytes: &[u8]) {
        let Some((awaited, _)) = &mut self.awaited else {
            return;
        };
        match awaited.strip_prefix(bytes) {
            Some(rest) if !rest.is_empty() => *awaited = rest,
            _ => self.awaited = None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Opening<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.came(buffer.filled().get(before..).unwrap_or_default());
        } else if let Some((_, limit)) = &mut self.awaited
            && limit.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opening<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const LIMIT: Duration = Duration::from_millis(20);

    async fn beginning_with(bytes: &[u8]) -> io::Result<u8> {
        let (mut client, server) = duplex(64);
        client.write_all(bytes).await.unwrap();
        let mut opening = Opening::new(server, LIMIT);
        let mut read = vec![0; bytes.len()];
        opening.read_exact(&mut read).await.unwrap();
        let later = tokio::spawn(async move {
            sleep(2 * LIMIT).await;
            client.write_all(b"!").await
        });
        let next = opening.read_u8().await;
        drop(opening);
        let _closed = later.await.unwrap();
        next
    }

    #[tokio::test]
    async fn who_stops_within_the_preface_is_cut() {
        for bytes in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r"] {
            let error = beginning_with(bytes).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
    }

    #[tokio::test]
    async fn who_has_begun_may_pause() {
        for bytes in [
            &b"G"[..],
            b"POST",
            PREFACE,
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nand more",
        ] {
            assert_eq!(beginning_with(bytes).await.unwrap(), b'!');
        }
    }
}
