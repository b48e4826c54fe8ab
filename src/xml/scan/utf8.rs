//! Whether the bytes are UTF-8, over chunks that may cut characters in two.

/// The bytes of a character that the last chunk broke off; none if it ended well.
#[derive(Default)]
pub(super) struct Utf8 {
    begun: Vec<u8>,
}

impl Utf8 {
    /// Takes the next chunk; an error is the place in it of the first bad byte (0 if it began before).
    pub(super) fn check(&mut self, chunk: &[u8]) -> Result<(), usize> {
        let mut used = 0;
        while !self.begun.is_empty() {
            let Some(byte) = chunk.get(used) else {
                return Ok(());
            };
            self.begun.push(*byte);
            used += 1;
            match std::str::from_utf8(&self.begun) {
                Ok(_) => self.begun.clear(),
                Err(cut) if cut.error_len().is_none() => {}
                Err(_) => return Err(0),
            }
        }
        let rest = chunk.get(used..).unwrap_or(&[]);
        match std::str::from_utf8(rest) {
            Ok(_) => Ok(()),
            Err(cut) if cut.error_len().is_none() => {
                self.begun
                    .extend_from_slice(rest.get(cut.valid_up_to()..).unwrap_or(&[]));
                Ok(())
            }
            Err(bad) => Err(used + bad.valid_up_to()),
        }
    }

    /// Whether no character is broken off.
    pub(super) fn is_complete(&self) -> bool {
        self.begun.is_empty()
    }
}
