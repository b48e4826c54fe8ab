//! What to write into `key_refused` for a fault that an untrusted key brought about, or why nothing is safe.

use super::{Entry, Excluded, NamedSet, Refusals, excluded};
use crate::wss::fault::{Code, Fault};

/// Why there is nothing to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoneSafe {
    /// It would never count.
    #[error("the fault never counts as a refusal of the key: {0}")]
    Excluded(Excluded),
    /// Nothing to know it by.
    #[error("the fault has no code that means anything outside of it")]
    NoCode,
    /// Nobody may write it.
    #[error("the code {0} is none that may be about a key")]
    Foreign(Code),
    /// The same code may mean anything.
    #[error("the fault is a bare {0} without a text: the same may be said of anything else")]
    Bare(Code),
    /// SOAP's own code, and the text is no help.
    #[error("neither the code {code} nor the text {text:?} says that it is about a key")]
    Vague {
        /// Of SOAP's own, or of nobody's.
        code: Code,
        /// White space folded.
        text: String,
    },
}

/// What to write for it: a named set where one has it, else an entry of its own.
///
/// # Errors
/// When nothing is safe.
pub fn suggest(fault: &Fault) -> Result<Refusals, NoneSafe> {
    if let Some(reason) = excluded(fault) {
        return Err(NoneSafe::Excluded(reason));
    }
    let sets = NamedSet::ALL.iter().map(|set| Refusals::Set(*set));
    if let Some(set) = sets.into_iter().find(|set| set.names(fault)) {
        return Ok(set);
    }
    let code = fault.code().ok_or(NoneSafe::NoCode)?.clone();
    // A Subcode of SOAP's own namespace, or one whose prefix is not declared, is known by what is above it.
    let code = match (&code, fault.codes.first()) {
        (Code::Other { .. }, _) => code,
        (_, Some(Code::Soap(name))) => Code::Soap(name.clone()),
        _ => return Err(NoneSafe::NoCode),
    };
    if code.to_string().parse().as_ref() != Ok(&code) {
        return Err(NoneSafe::Foreign(code));
    }
    let text = fault
        .texts
        .iter()
        .map(|text| lasting(text))
        .max_by_key(|text| text.len());
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Err(NoneSafe::Bare(code));
    };
    if !code.is_telling() && !is_about_keys(&text) {
        return Err(NoneSafe::Vague { code, text });
    }
    let own = Refusals::Own(Entry {
        code,
        text: Some(text),
    });
    // By SOAP 1.2 a Code of another namespace is no code, and is not looked at.
    Some(own).filter(|own| own.names(fault)).ok_or(NoneSafe::NoCode)
}

/// The longest part that the next fault is likely to have as well: no number, name or identifier in it.
fn lasting(text: &str) -> String {
    let passing = |word: &&str| {
        word.contains(|character: char| character.is_ascii_digit() || "=@{}".contains(character))
            || word.len() > 40
            || word.to_lowercase().contains("countersign")
    };
    let words: Vec<_> = text.split(' ').collect();
    let runs = words.split(passing).map(|run| run.join(" "));
    runs.max_by_key(String::len)
        .filter(|run| !run.is_empty())
        .unwrap_or_else(|| text.to_owned())
}

/// It has a word that people use of keys and signatures, in the languages that stacks speak most.
fn is_about_keys(text: &str) -> bool {
    const WORDS: [&str; 13] = [
        "sign",
        "certif",
        "zertifikat",
        "secur",
        "sicher",
        "segur",
        "sicur",
        "key",
        "schlüssel",
        "trust",
        "vertrau",
        "firma",
        "token",
    ];
    let text = text.to_lowercase();
    WORDS.iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wss::SoapVersion;
    use crate::wss::key_refused::KeyRefused;
    use crate::wss::names::WSSE;

    fn fault(codes: &[Code], text: &str) -> Fault {
        Fault {
            version: SoapVersion::Soap11,
            codes: codes.to_vec(),
            texts: vec![text.to_owned()],
            secured: false,
        }
    }

    fn server() -> Code {
        Code::Soap("Server".to_owned())
    }

    fn wsse(local: &str) -> Code {
        Code::Other {
            namespace: WSSE.to_owned(),
            local: local.to_owned(),
        }
    }

    #[test]
    fn what_is_suggested_names_the_fault_that_it_is_suggested_for() {
        for set in NamedSet::ALL {
            for Entry { code, text } in set.entries() {
                let fault = fault(&[code], &format!("{}: more", text.unwrap()));
                let fault = match fault.codes.first() {
                    Some(Code::Soap(name)) if name == "Sender" => Fault {
                        version: SoapVersion::Soap12,
                        ..fault
                    },
                    _ => fault,
                };
                let suggested = suggest(&fault).unwrap();
                assert!(matches!(suggested, Refusals::Set(_)), "{suggested:?}");
                assert!(KeyRefused(vec![suggested]).says(&fault), "{fault:?}");
            }
        }
        for text in [
            "Signature 17 of CN=countersign probe, serial 0815 cannot be verified today",
            "x509",
            "Unbekannter Schlüssel",
        ] {
            for code in [wsse("FailedCheck"), wsse("InvalidSecurityToken")] {
                let fault = fault(&[code], text);
                let own = suggest(&fault).unwrap();
                assert!(KeyRefused(vec![own]).says(&fault), "{fault:?}");
            }
        }
    }

    #[test]
    fn what_will_not_last_is_left_out() {
        let text =
            "ID 17: The signature of CN=countersign probe, serial 0815 cannot be verified; see log 4711";
        assert_eq!(lasting(text), "cannot be verified; see log");
        assert_eq!(lasting("E4711"), "E4711", "better than nothing");
    }

    #[test]
    fn nothing_is_suggested_where_nothing_is_safe() {
        let reason = |fault: &Fault| suggest(fault).unwrap_err().to_string();
        let bare = reason(&fault(&[server()], ""));
        assert!(bare.contains("a bare Server without a text"), "{bare}");
        let bare = reason(&fault(&[wsse("FailedCheck")], ""));
        assert!(bare.contains("FailedCheck without a text"), "{bare}");
        let vague = reason(&fault(&[server()], "Internal Server Error"));
        assert!(vague.contains("neither the code Server nor the text"), "{vague}");
        let none = reason(&fault(&[], "The key is not trusted"));
        assert!(none.contains("no code"), "{none}");
        let foreign = reason(&fault(&[Code::Soap("MustUnderstand".to_owned())], "Security"));
        assert!(foreign.contains("MustUnderstand is none"), "{foreign}");
        let misplaced = Fault {
            version: SoapVersion::Soap12,
            ..fault(&[wsse("FailedCheck")], "The signature is not trusted")
        };
        assert!(reason(&misplaced).contains("no code"));
        let unresolved = reason(&fault(&[Code::Unresolved("x:Failed".to_owned())], "not trusted"));
        assert!(unresolved.contains("no code"), "{unresolved}");
        for text in ["Replay detected", "the NONCE was used", "a duplicate message"] {
            let replay = reason(&fault(&[wsse("FailedCheck")], text));
            assert!(replay.contains("replay, a nonce or a duplicate"), "{replay}");
        }
        let secured = Fault {
            secured: true,
            ..fault(&[wsse("FailedCheck")], "The signature is not trusted")
        };
        assert!(reason(&secured).contains("wsse:Security"));
        let expired = reason(&fault(&[wsse("MessageExpired")], "The signature is too old"));
        assert!(expired.contains("expired"), "{expired}");
    }
}
