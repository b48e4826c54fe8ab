//! A public key as the numbers it consists of, as JSON Web Keys have them (RFC 7518, RFC 8037).

use openssl::bn::{BigNum, BigNumContext};
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};

/// Big-endian; coordinates are as long as the curve's field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicNumbers {
    /// RSA.
    Rsa {
        /// n.
        modulus: Vec<u8>,
        /// e.
        exponent: Vec<u8>,
    },
    /// A NIST curve.
    Curve {
        /// P-256, P-384 or P-521.
        name: &'static str,
        /// x.
        x: Vec<u8>,
        /// y.
        y: Vec<u8>,
    },
    /// Ed25519.
    Ed25519(Vec<u8>),
}

impl PublicNumbers {
    /// `None` for keys of other types, of which there are none here.
    pub(super) fn of(key: &PKey<Public>) -> Option<Self> {
        match key.id() {
            Id::RSA => {
                let rsa = key.rsa().ok()?;
                Some(Self::Rsa {
                    modulus: rsa.n().to_vec(),
                    exponent: rsa.e().to_vec(),
                })
            }
            Id::EC => Self::curve(key),
            Id::ED25519 => key.raw_public_key().ok().map(Self::Ed25519),
            _ => None,
        }
    }

    fn curve(key: &PKey<Public>) -> Option<Self> {
        let key = key.ec_key().ok()?;
        let (name, length) = match key.group().curve_name()? {
            Nid::X9_62_PRIME256V1 => ("P-256", 32),
            Nid::SECP384R1 => ("P-384", 48),
            Nid::SECP521R1 => ("P-521", 66),
            _ => return None,
        };
        let (mut x, mut y) = (BigNum::new().ok()?, BigNum::new().ok()?);
        let mut context = BigNumContext::new().ok()?;
        key.public_key()
            .affine_coordinates(key.group(), &mut x, &mut y, &mut context)
            .ok()?;
        Some(Self::Curve {
            name,
            x: x.to_vec_padded(length).ok()?,
            y: y.to_vec_padded(length).ok()?,
        })
    }
}
