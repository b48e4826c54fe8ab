//! Closed vocabularies: enums whose variants have one spelling each in configuration, flags and
//! output.

/// The word is not in the vocabulary; says which words are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not known here; use one of: {known}")]
pub struct UnknownWord {
    /// What was written.
    pub word: String,
    /// Every word that would do, comma separated.
    pub known: String,
}

/// Declares an enum with one spelling a variant, `ALL`, `name`, `Display` and `FromStr`.
macro_rules! vocabulary {
    ($(#[$meta:meta])* $visibility:vis enum $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $visibility enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every variant, in the order of declaration.
            $visibility const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// How users write it.
            $visibility const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::spelling::UnknownWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|known| known.name() == word).ok_or_else(|| {
                    $crate::spelling::UnknownWord {
                        word: word.to_owned(),
                        known: Self::ALL.iter().map(|known| known.name()).collect::<Vec<_>>().join(", "),
                    }
                })
            }
        }
    };
}
pub(crate) use vocabulary;
