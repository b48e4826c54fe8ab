//! What opening an encrypted key costs, before it is opened: iteration counts stand in the file, and whoever wrote it chose
//! them. Finds every derivation of a key from a password, wherever it stands; what is itself encrypted cannot be seen.

use std::borrow::Cow;

use x509_parser::asn1_rs::{Any, FromBer, Tag};

use super::SourceError;

/// Of one derivation. OpenSSL writes 2,048, keytool 10,000, careful people 600,000.
const MOST_ITERATIONS: u64 = 1_000_000;
/// Of all in a file.
const MOST_IN_ALL: u64 = 10 * MOST_ITERATIONS;
/// Blocks of 128 bytes that scrypt holds in memory, times its passes.
const MOST_SCRYPT: u64 = 1 << 19;
/// PKCS#12 has about 12.
const DEEPEST: usize = 24;

const PBKDF2: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c";
const PBMAC1: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0e";
const SCRYPT: &[u8] = b"\x2b\x06\x01\x04\x01\xda\x47\x04\x0b";
/// RFC 8018, appendix A.3; RFC 7292, appendix C.
const PBES1: [&[u8]; 2] = [
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x05",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01",
];

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Effort {
    all: u64,
    is_too_much: bool,
    /// RFC 9579.
    pub(super) has_pbmac1: bool,
}

impl Effort {
    /// Of PKCS#12 or PKCS#8, in DER or BER. What is neither costs nothing.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut effort = Self::default();
        effort.look(bytes, DEEPEST);
        effort
    }

    pub(super) fn check(&self) -> Result<(), SourceError> {
        match self.is_too_much || self.all > MOST_IN_ALL {
            true => Err(SourceError::TooManyIterations),
            false => Ok(()),
        }
    }

    fn look(&mut self, content: &[u8], deeper: usize) {
        let Some(elements) = elements(content).filter(|_| deeper > 0) else {
            return;
        };
        for pair in elements.windows(2) {
            if let [name, parameters] = pair
                && name.tag() == Tag::Oid
            {
                self.algorithm(name.data, parameters.data);
            }
        }
        // MacData: what it is made with, salt, iterations (RFC 7292, section 4).
        if let [digest, salt, iterations] = elements.as_slice()
            && [digest.tag(), salt.tag()] == [Tag::Sequence, Tag::OctetString]
        {
            self.add(number(iterations));
        }
        for element in &elements {
            if let Some(content) = within(element) {
                self.look(&content, deeper - 1);
            }
        }
    }

    fn algorithm(&mut self, name: &[u8], parameters: &[u8]) {
        self.has_pbmac1 |= name == PBMAC1;
        let Some(parameters) = elements(parameters) else {
            return;
        };
        match parameters.as_slice() {
            [salt, ..] if salt.tag() != Tag::OctetString => {}
            [_, cost, block, parallel, ..] if name == SCRYPT => {
                let factors = [cost, block, parallel].map(number);
                let cost = factors.into_iter().fold(1, u64::saturating_mul);
                self.is_too_much |= cost > MOST_SCRYPT;
            }
            [_, iterations, ..] if name == PBKDF2 || PBES1.iter().any(|known| name.starts_with(known)) => {
                self.add(number(iterations));
            }
            _ => {}
        }
    }

    fn add(&mut self, iterations: u64) {
        self.is_too_much |= iterations > MOST_ITERATIONS;
        self.all = self.all.saturating_add(iterations);
    }
}

/// All elements of a content; none where it is anything else.
fn elements(mut content: &[u8]) -> Option<Vec<Any<'_>>> {
    let mut elements = Vec::new();
    while !content.is_empty() {
        let (rest, element) = Any::from_ber(content).ok()?;
        elements.push(element);
        content = rest;
    }
    Some(elements)
}

/// What may hold further elements. In BER an OCTET STRING may come in pieces.
fn within<'a>(element: &Any<'a>) -> Option<Cow<'a, [u8]>> {
    let in_pieces = || {
        Some(
            elements(element.data)?
                .iter()
                .flat_map(|piece| piece.data)
                .copied()
                .collect(),
        )
    };
    match (element.tag(), element.header.is_constructed()) {
        (Tag::OctetString, true) => in_pieces().map(Cow::Owned),
        (Tag::OctetString, false) | (_, true) => Some(Cow::Borrowed(element.data)),
        (_, false) => None,
    }
}

/// Of an INTEGER; one that is negative or longer than 8 bytes is the largest.
fn number(integer: &Any<'_>) -> u64 {
    let significant: Vec<_> = integer
        .data
        .iter()
        .copied()
        .skip_while(|byte| *byte == 0)
        .collect();
    let is_small = integer.tag() == Tag::Integer && significant.len() <= 8;
    let is_negative = integer.data.first().is_some_and(|first| first & 0x80 != 0);
    match is_small && !is_negative {
        true => significant
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)),
        false => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x82], length.as_slice(), content].concat()
    }

    fn derivation(name: &[u8], numbers: &[u64]) -> Vec<u8> {
        let numbers = numbers.iter().flat_map(|number| tlv(2, &number.to_be_bytes()));
        let parameters: Vec<_> = tlv(4, b"salt").into_iter().chain(numbers).collect();
        tlv(0x30, &[tlv(6, name), tlv(0x30, &parameters)].concat())
    }

    #[test]
    fn every_derivation_counts_wherever_it_stands() {
        let pbe = |last: u8| [PBES1[1], &[last]].concat();
        let three = [
            derivation(PBKDF2, &[900_000]),
            derivation(&pbe(3), &[900_000]),
            derivation(&pbe(6), &[900_000]),
        ];
        let mac = tlv(
            0x30,
            &[
                tlv(0x30, &[]),
                tlv(4, b"salt"),
                tlv(2, &900_000_u64.to_be_bytes()),
            ]
            .concat(),
        );
        let deep = tlv(0x30, &tlv(4, &tlv(0x30, &[three.concat(), mac].concat())));
        assert_eq!(Effort::of(&deep).all, 3_600_000);
        assert_eq!(Effort::of(&deep).check(), Ok(()));
        let many: Vec<_> = std::iter::repeat_n(derivation(PBKDF2, &[900_000]), 12)
            .flatten()
            .collect();
        assert!(
            Effort::of(&tlv(0x30, &many)).check().is_err(),
            "together they are too many"
        );
    }

    #[test]
    fn too_much_is_too_much_in_every_form() {
        for costly in [
            derivation(PBKDF2, &[1_000_001]),
            derivation(PBKDF2, &[u64::MAX]),
            derivation(SCRYPT, &[1 << 20, 8, 1]),
            derivation(SCRYPT, &[2, u64::MAX, u64::MAX]),
            // An OCTET STRING in pieces, of unknown length.
            [
                &b"\x24\x80"[..],
                &tlv(4, &derivation(PBKDF2, &[2_000_000])[..9]),
                &tlv(4, &derivation(PBKDF2, &[2_000_000])[9..]),
                b"\0\0",
            ]
            .concat(),
        ] {
            assert!(Effort::of(&costly).check().is_err(), "{costly:x?}");
        }
        for cheap in [
            derivation(PBKDF2, &[1_000_000]),
            derivation(SCRYPT, &[16_384, 8, 1]),
        ] {
            assert_eq!(Effort::of(&cheap).check(), Ok(()));
        }
    }
}
