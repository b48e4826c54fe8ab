//! An integration flow: one connection to the proxy, used again and again.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::within;

pub(crate) const SOAP11: &str = "text/xml; charset=utf-8";
pub(crate) const SOAP12: &str = "application/soap+xml; charset=utf-8";

/// One connection; what is sent on it after a refusal shows that it is still usable.
pub(crate) enum Flow {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// An answer, whole.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Flow {
    /// Speaks HTTP/1.1.
    pub(crate) async fn connect(proxy: SocketAddr) -> Self {
        Self::http1(tcp(proxy).await).await
    }

    /// Speaks HTTP/2 from the first byte on.
    pub(crate) async fn connect_h2c(proxy: SocketAddr) -> Self {
        Self::http2(tcp(proxy).await).await
    }

    /// Speaks TLS, and the protocol that is agreed on.
    pub(crate) async fn connect_tls(proxy: SocketAddr, tls: ClientConfig) -> std::io::Result<Self> {
        let name = ServerName::from(proxy.ip());
        let stream = within(TlsConnector::from(Arc::new(tls)).connect(name, tcp(proxy).await)).await?;
        Ok(match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Self::http2(stream).await,
            _ => Self::http1(stream).await,
        })
    }

    async fn http1(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let handshake = http1::handshake(TokioIo::new(stream));
        let (sender, connection) = handshake.await.expect("HTTP/1.1 needs no handshake");
        tokio::spawn(connection);
        Self::Http1(sender)
    }

    async fn http2(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (sender, connection) = within(handshake).await.expect("an HTTP/2 handshake");
        tokio::spawn(connection);
        Self::Http2(sender)
    }

    /// Sends a message.
    pub(crate) async fn post(&mut self, path: &str, content_type: &str, body: impl Into<Bytes>) -> Answer {
        let request = request(Method::POST, path).header(CONTENT_TYPE, content_type);
        self.send(request.body(Full::new(body.into())).expect("a request"))
            .await
    }

    /// Sends a request without a body.
    pub(crate) async fn ask(&mut self, method: Method, path: &str) -> Answer {
        self.send(request(method, path).body(Full::default()).expect("a request"))
            .await
    }

    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Answer {
        self.try_send(request).await.expect("an answer")
    }

    /// Sends a request to which perhaps no answer comes.
    pub(crate) async fn try_send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Answer> {
        within(async {
            let response = self.response(request).await?;
            let (head, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(Answer {
                status: head.status,
                headers: head.headers,
                body,
            })
        })
        .await
    }

    /// The head of an answer whose body is left.
    pub(crate) async fn response(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                let (mut head, body) = request.into_parts();
                head.headers.remove(HOST); // HTTP/2 has :authority instead
                let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
                head.uri = match head.uri.authority() {
                    Some(_) => head.uri,
                    None => format!("http://localhost{path}").parse().expect("an address"),
                };
                sender.send_request(Request::from_parts(head, body)).await
            }
        }
    }
}

impl Answer {
    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// The sentence of a fault, told by the place it has in its SOAP version; entities resolved.
    pub(crate) fn sentence(&self) -> String {
        let text = self.text();
        let place = [
            ("<faultstring>", "</faultstring>"),
            ("xml:lang=\"en\">", "</soap:Text>"),
        ];
        let sentence = place
            .iter()
            .find_map(|(begin, end)| text.split_once(begin)?.1.split_once(end));
        let sentence = sentence.unwrap_or_else(|| unreachable!("no fault: {text}")).0;
        sentence
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&")
    }
}

/// A request that names its host, as every HTTP/1.1 client does.
pub(crate) fn request(method: Method, path: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, "localhost")
}

/// A message with these header fields.
pub(crate) fn posted(
    content_type: &str,
    fields: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    let mut request = request(Method::POST, "/orders").header(CONTENT_TYPE, content_type);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body.into())).unwrap()
}

async fn tcp(proxy: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(proxy).await.expect("the proxy listens");
    stream.set_nodelay(true).expect("a TCP stream");
    stream
}
