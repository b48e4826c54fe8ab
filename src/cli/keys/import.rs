//! `countersign keys import`: hands over a key file as it is; the proxy reads and judges it.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::ArgGroup;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::alias_name;
use super::client::{AdminClient, Answer};
use crate::admin::view::{PASSWORD_HEADER, PEM, PKCS12};
use crate::cli::{CliError, password, read_file};
use crate::keys::source::{SourceError, from_pem, to_pem};

/// Hand a key and its certificate to the proxy; it signs once it is activated
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("key file").required(true).multiple(true).args(["key", "pkcs12", "certificate"]))]
pub(super) struct Args {
    /// The signing identity
    #[arg(value_parser = alias_name)]
    pub(super) alias: String,

    /// Private key in PEM; certificate and chain may be in the same file
    #[arg(long, value_name = "PEM")]
    key: Option<PathBuf>,

    /// Certificate and chain in PEM, where they have a file of their own. Without --key: the answer of an authority to
    /// the request of a key that was generated in the proxy, or another certificate of a key that is there, in PEM, DER or PKCS#7
    #[arg(long, value_name = "FILE", conflicts_with = "pkcs12")]
    certificate: Option<PathBuf>,

    /// Private key and certificate in PKCS#12
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    pkcs12: Option<PathBuf>,

    /// Entry of the PKCS#12 file, where there are several
    #[arg(long, value_name = "NAME", requires = "pkcs12")]
    entry: Option<String>,

    /// Holds the password of the key file; without it the terminal is asked
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

pub(super) async fn send(client: &AdminClient, args: &Args) -> Result<Answer, CliError> {
    let (path_of_file, file) = match (&args.pkcs12, &args.key, &args.certificate) {
        (Some(file), ..) => (file, args.pkcs12(file)?),
        (None, Some(key), _) => (key, args.pem(key)?),
        (None, None, Some(answer)) => return send_answer(client, &args.alias, answer).await,
        (None, None, None) => {
            return Err(CliError::Usage(
                "give --pkcs12, --key or --certificate".to_owned(),
            ));
        }
    };
    let mut path = format!("aliases/{}/keys", args.alias);
    if let Some(entry) = &args.entry {
        path.push_str("?entry=");
        path.push_str(&percent_encoded(entry));
    }
    let mut request = client
        .request(Method::POST, &path)
        .header(CONTENT_TYPE, file.media_type);
    if let Some(password) = &file.password {
        request = request.header(PASSWORD_HEADER, header(password)?);
    }
    let body = Bytes::from_owner(file.bytes);
    client.send_file(request, body, path_of_file).await
}

/// The proxy tells the forms from each other, and finds the key.
async fn send_answer(client: &AdminClient, alias: &str, file: &Path) -> Result<Answer, CliError> {
    let request = client
        .request(Method::POST, &format!("aliases/{alias}/certificates"))
        .header(CONTENT_TYPE, PEM);
    client.send_file(request, read_file(file)?.into(), file).await
}

struct KeyFile {
    media_type: &'static str,
    bytes: Zeroizing<Vec<u8>>,
    password: Option<Zeroizing<String>>,
}

impl Args {
    fn pkcs12(&self, file: &Path) -> Result<KeyFile, CliError> {
        Ok(KeyFile {
            media_type: PKCS12,
            bytes: Zeroizing::new(read_file(file)?),
            password: Some(self.password(file)?),
        })
    }

    fn pem(&self, key: &Path) -> Result<KeyFile, CliError> {
        let mut pem = as_pem(key)?;
        if let Some(certificate) = &self.certificate {
            pem.push_str(&as_pem(certificate)?);
        }
        // At any time: what is asked is whether it is encrypted.
        let read = from_pem(pem.as_bytes(), None, OffsetDateTime::UNIX_EPOCH);
        let encrypted = matches!(read, Err(SourceError::PasswordNeeded));
        let password = encrypted.then(|| self.password(key)).transpose()?;
        Ok(KeyFile {
            media_type: PEM,
            bytes: Zeroizing::new(pem.as_bytes().to_vec()),
            password,
        })
    }

    fn password(&self, file: &Path) -> Result<Zeroizing<String>, CliError> {
        password::read(self.password_file.as_deref(), file)
    }
}

/// The proxy takes one text; files may be DER, too.
fn as_pem(file: &Path) -> Result<Zeroizing<String>, CliError> {
    let bytes = Zeroizing::new(read_file(file)?);
    to_pem(&bytes).map_err(|error| CliError::Failed(format!("{}: {error}", file.display())))
}

fn header(password: &str) -> Result<HeaderValue, CliError> {
    // HTTP drops white space at both ends of a header.
    let sendable = HeaderValue::from_bytes(password.as_bytes())
        .ok()
        .filter(|_| password.trim() == password);
    let mut value = sendable.ok_or_else(|| {
        CliError::Failed(
            "this password cannot be sent: it has control characters, or spaces at an end".to_owned(),
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// RFC 3986, section 2.1.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}"); // writing to a String never fails
        }
    }
    encoded
}
