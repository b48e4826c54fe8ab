//! Who may sign, who may verify, who may decrypt.

use aws_lc_rs as _;

pub mod signer;

pub use signer::{KeyType, SignatureAlgorithm, Signer};
pub mod material;
pub use material::Certificate;
