//! Who may sign, who may verify, who may decrypt.

mod fingerprint;
pub mod generate;
pub mod material;
mod name;
mod private_key;
pub mod signer;
pub mod source;
mod suitability;

pub use fingerprint::{Fingerprint, NotAFingerprint};
pub use material::{Certificate, KeyMaterial};
pub use private_key::{PrivateKey, UnsupportedKey};
pub use signer::{KeyType, SignatureAlgorithm, Signer, SignerError, Usage};
pub use suitability::KeyRefused;
