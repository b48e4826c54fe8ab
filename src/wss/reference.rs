//! `ds:Reference`: one signed part, its digest, and the prefixes its canonical form keeps
//! (XML Signature 1.1, section 4.4.3; Exclusive C14N, section 3).

use aws_lc_rs::digest::{self, Context};
use aws_lc_rs::rand;

use super::names;
use super::profile::{DigestAlgorithm, InclusivePrefixes, Profile};
use crate::xml::canonical::Sink;
use crate::xml::namespace::{Mark, Namespaces, Prefix};

/// The digest of a part in the making.
pub(super) struct Digest {
    context: Context,
    #[cfg(feature = "sabotage")]
    sabotage: Option<super::sabotage::Sabotage>,
}

impl Digest {
    pub(super) fn new(profile: &Profile) -> Self {
        Self {
            context: Context::new(match profile.digest_algorithm {
                DigestAlgorithm::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
                DigestAlgorithm::Sha256 => &digest::SHA256,
                DigestAlgorithm::Sha384 => &digest::SHA384,
                DigestAlgorithm::Sha512 => &digest::SHA512,
            }),
            #[cfg(feature = "sabotage")]
            sabotage: profile.sabotage,
        }
    }

    pub(super) fn finish(self) -> digest::Digest {
        self.context.finish()
    }
}

impl Sink for Digest {
    fn write(&mut self, octets: &[u8]) {
        #[cfg(feature = "sabotage")]
        if let Some(sabotage) = self.sabotage {
            return self.context.update(&sabotage.digested(octets));
        }
        self.context.update(octets);
    }
}

/// One signed part.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    /// The id that `URI="#…"` names.
    pub(super) id: String,
    /// The last transform.
    pub(super) transform: Transform,
    /// Of the transformed part.
    pub(super) digest: digest::Digest,
}

/// How a part becomes octets.
#[derive(Debug, Clone)]
pub(super) enum Transform {
    /// Exclusive C14N with this PrefixList.
    Exclusive(PrefixList),
    /// The token that a SecurityTokenReference stands for (WSS 1.1.1, section 8.3).
    SecurityTokenReference,
}

/// `InclusiveNamespaces/@PrefixList`, sorted; `#default` is the default namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PrefixList(Vec<String>);

impl PrefixList {
    /// Every prefix bound on an ancestor, that is, below the mark, that the start tag does not visibly use:
    /// what a QName in content may stand on (BSP R5405, R5408). Content is never searched.
    pub(super) fn of(
        wanted: InclusivePrefixes,
        namespaces: &Namespaces,
        mark: Mark,
        visibly_used: impl Fn(Prefix) -> bool,
    ) -> Self {
        if wanted == InclusivePrefixes::None {
            return Self::default();
        }
        let unused = namespaces
            .bound_before(mark)
            .filter(|prefix| !visibly_used(*prefix));
        let mut names: Vec<String> = unused
            .map(|prefix| match prefix {
                Prefix::NONE => "#default".to_owned(),
                named => String::from_utf8_lossy(namespaces.text(named)).into_owned(),
            })
            .collect();
        names.sort_unstable();
        Self(names)
    }

    /// By their numbers in a document.
    pub(super) fn prefixes(&self, namespaces: &Namespaces) -> Vec<Prefix> {
        let listed = |prefix: &Prefix| {
            let text = namespaces.text(*prefix);
            let name = if text.is_empty() { b"#default" } else { text };
            self.0
                .binary_search_by(|known| known.as_bytes().cmp(name))
                .is_ok()
        };
        namespaces
            .bound_before(namespaces.mark())
            .filter(listed)
            .collect()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The element that carries the list; nothing for an empty one (BSP R5406, R5407).
    pub(super) fn element(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        format!(
            r#"<ec:InclusiveNamespaces xmlns:ec="{}" PrefixList="{}"></ec:InclusiveNamespaces>"#,
            names::EXC_C14N,
            self.0.join(" ")
        )
    }
}

/// A new id, unique in any document: 128 random bits.
pub(super) fn new_id(kind: &str) -> Result<String, NoRandomness> {
    let mut bits = [0; 16];
    rand::fill(&mut bits).map_err(|_| NoRandomness)?;
    Ok(format!("{kind}-{:032x}", u128::from_be_bytes(bits)))
}

/// The system gave no random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random bits for an id")]
pub struct NoRandomness;
