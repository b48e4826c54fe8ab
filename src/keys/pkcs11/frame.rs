//! Frames between us and a module's process: a length of four bytes, and JSON. Both sides bound the length before they
//! read: a module that has gone wild may write anything.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Bytes; certificates make the longest frames.
const MOST: usize = 8 << 20;

/// A request or an answer, and to which call it belongs.
#[derive(Serialize, Deserialize)]
pub(super) struct Frame<T> {
    pub(super) call: u64,
    pub(super) body: T,
}

/// Writes a frame as one; it may have a PIN in it, so the buffer is cleared.
pub(super) fn write<T: Serialize>(to: &mut impl Write, frame: &Frame<T>) -> io::Result<()> {
    // Long enough for a PIN: what grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    bytes.extend_from_slice(&[0; 4]);
    serde_json::to_writer(&mut *bytes, frame)?;
    let length = bytes.len() - 4;
    if length > MOST {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a frame is too long"));
    }
    let length = u32::try_from(length).map_err(io::Error::other)?;
    if let Some(place) = bytes.first_chunk_mut() {
        *place = length.to_be_bytes();
    }
    to.write_all(&bytes)
}

/// The next frame.
pub(super) fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Frame<T>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MOST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is too long"));
    }
    let mut bytes = Zeroizing::new(vec![0; length]);
    from.read_exact(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

#[cfg(test)]
mod tests {
    use super::super::request::{Answer, Request, Secret};
    use super::*;

    #[test]
    fn what_is_written_is_read_and_a_length_without_end_is_refused_before_it_is_read() {
        let mut bytes = Vec::new();
        for call in 1..3 {
            let pin = Secret(Zeroizing::new("12\"34".to_owned()));
            let body = Request::LogIn { session: 7, pin };
            write(&mut bytes, &Frame { call, body }).unwrap();
        }
        let mut from = bytes.as_slice();
        for expected in 1..3 {
            let Frame { call, body } = read::<Request>(&mut from).unwrap();
            assert_eq!(call, expected);
            assert!(matches!(body, Request::LogIn { session: 7, pin } if *pin.0 == "12\"34"));
        }
        assert_eq!(
            read::<Request>(&mut from).map(drop).unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
        for wild in [
            &b"\xff\xff\xff\xff{"[..],
            b"\0\0\0\x02{}",
            b"\0\0\0\x01\xff",
            b"\0\0",
        ] {
            assert!(read::<Answer>(&mut &*wild).is_err());
        }
        let body = Answer::Signature(vec![255; MOST / 3]);
        assert!(write(&mut Vec::new(), &Frame { call: 1, body }).is_err());
    }
}
