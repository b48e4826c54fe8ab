//! What a token has of a key: its id, and certificates. A private key's value is never asked for.

use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session as Handle;

use super::super::KeyUri;
use super::super::request::{OnToken, Problem};
use super::problem;
use super::session::Session;

/// Bytes of all certificates of a token; a frame has to hold them.
const MOST_CERTIFICATES: usize = 1 << 20;

impl Session {
    pub(super) fn look(&mut self, uri: &KeyUri) -> Result<OnToken, Problem> {
        let key = self.key(uri)?;
        let handle = self.handle();
        let key = Facts::of(handle, key, &[AttributeType::Id, AttributeType::Label])?;
        let class = Attribute::Class(ObjectClass::CERTIFICATE);
        let (mut named, mut others, mut bytes) = (Vec::new(), Vec::new(), 0);
        for certificate in handle.find_objects(&[class]).map_err(problem)? {
            let asked = [AttributeType::Id, AttributeType::Label, AttributeType::Value];
            let found = Facts::of(handle, certificate, &asked)?;
            bytes += found.value.len();
            if bytes > MOST_CERTIFICATES {
                return Err(Problem::Refused(TOO_MANY.to_owned()));
            }
            let same = if key.id.is_empty() {
                found.label == key.label
            } else {
                found.id == key.id
            };
            let place = if same { &mut named } else { &mut others };
            place.push(found.value);
        }
        let named_as_the_key = named.len();
        Ok(OnToken {
            id: key.id,
            certificates: [named, others].concat(),
            named_as_the_key,
        })
    }
}

const TOO_MANY: &str =
    "it has more than 1 MiB of certificates; name the key's file as `certificate` beside `pkcs11`";

/// What there is of an object; empty where there is none.
#[derive(Default)]
struct Facts {
    id: Vec<u8>,
    label: Vec<u8>,
    /// Of a certificate, in DER.
    value: Vec<u8>,
}

impl Facts {
    fn of(session: &Handle, object: ObjectHandle, asked: &[AttributeType]) -> Result<Self, Problem> {
        let mut facts = Self::default();
        for attribute in session.get_attributes(object, asked).map_err(problem)? {
            if let Attribute::Id(id) = attribute {
                facts.id = id;
            } else if let Attribute::Label(label) = attribute {
                facts.label = label;
            } else if let Attribute::Value(value) = attribute {
                facts.value = value;
            }
        }
        Ok(facts)
    }
}
