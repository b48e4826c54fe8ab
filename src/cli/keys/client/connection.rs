//! Which admin listener, and how we show who we are: the same arguments for every command that needs one.

use std::io;
use std::path::{Path, PathBuf};

use http::{HeaderValue, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use zeroize::Zeroizing;

use crate::cli::CliError;
use crate::config::{ReceiverTls, TlsIdentity};
use crate::files;
use crate::tls::{TlsError, client_config};

/// Where a proxy makes the operator's token, in its working directory.
const TOKEN_FILE: &str = "state/admin-token";

/// An admin listener, and who asks it
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct Connection {
    /// Where the proxy's admin listener is
    #[arg(
        long,
        global = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:9090"
    )]
    pub(in crate::cli) admin: Uri,

    /// Holds a token [default: state/admin-token, unless there is a client certificate]
    #[arg(long, global = true, value_name = "FILE")]
    pub(in crate::cli) token_file: Option<PathBuf>,

    /// Trust, for https, the authorities in this file alone [default: the system's]
    #[arg(long, global = true, value_name = "PEM")]
    ca: Option<PathBuf>,

    /// Show this client certificate
    #[arg(long, global = true, value_name = "PEM", requires = "client_key")]
    client_certificate: Option<PathBuf>,

    /// The private key of the client certificate
    #[arg(long, global = true, value_name = "PEM", requires = "client_certificate")]
    client_key: Option<PathBuf>,
}

impl Connection {
    /// With the token in this file.
    pub(in crate::cli) fn plain(admin: Uri, token_file: PathBuf) -> Self {
        Self {
            token_file: Some(token_file),
            ..Self::anonymous(admin, None)
        }
    }

    /// Nobody in particular.
    pub(in crate::cli) fn anonymous(admin: Uri, ca: Option<PathBuf>) -> Self {
        Self {
            admin,
            token_file: None,
            ca,
            client_certificate: None,
            client_key: None,
        }
    }

    /// `None`: the client certificate says who we are.
    pub(super) fn authorization(&self) -> Result<Option<HeaderValue>, CliError> {
        let file = match (&self.token_file, &self.client_certificate) {
            (Some(file), _) => file,
            (None, Some(_)) => return Ok(None),
            (None, None) => Path::new(TOKEN_FILE),
        };
        let token = files::read(file).map_err(|error| unreadable(file, &error))?;
        let header = Zeroizing::new([b"Bearer ", token.trim_ascii()].concat());
        let mut authorization = HeaderValue::from_bytes(&header)
            .map_err(|_| CliError::Failed(format!("{} holds no token", file.display())))?;
        authorization.set_sensitive(true);
        Ok(Some(authorization))
    }

    /// Makes the connections.
    pub(super) fn connector(&self) -> Result<HttpsConnector<HttpConnector>, CliError> {
        let (admin, https) = (&self.admin, self.admin.scheme_str() == Some("https"));
        if !https && self.admin.scheme_str() != Some("http") {
            return Err(CliError::Usage(format!(
                "--admin {admin}: write http://… or https://…"
            )));
        }
        if !https && (self.ca.is_some() || self.client_certificate.is_some()) {
            return Err(CliError::Usage(format!(
                "--admin {admin}: --ca and --client-certificate are for https://…"
            )));
        }
        let identity = self.client_certificate.clone().zip(self.client_key.clone());
        let tls = ReceiverTls {
            ca: self.ca.clone(),
            client: identity.map(|(certificate, private_key)| TlsIdentity {
                certificate,
                private_key,
            }),
        };
        let tls = client_config(admin, &tls).map_err(|error| {
            if matches!(error, TlsError::NoSystemStore) {
                return CliError::Failed(NO_SYSTEM_STORE.to_owned());
            }
            CliError::failed(error)
        })?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls);
        Ok(builder.https_or_http().enable_http1().wrap_connector(http))
    }
}

const NO_SYSTEM_STORE: &str = "the system trusts no authorities; pass the listener's as --ca PEM";

fn unreadable(file: &Path, error: &io::Error) -> CliError {
    CliError::Failed(format!(
        "cannot read {}: {error}; the proxy makes the operator's token when it starts, pass its file as --token-file",
        file.display()
    ))
}
