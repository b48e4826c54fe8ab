//! Receivers that record what they get; they verify nothing.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use super::raw::Raw;

/// What a receiver answers unless told otherwise.
pub(crate) const ACKNOWLEDGED: &str = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\">\
     <s:Body><acknowledged xmlns=\"urn:example:orders\"/></s:Body></s:Envelope>";

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A running receiver; it ends when dropped.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Recorded>>>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Receiver {
    /// Acknowledges everything.
    pub(crate) async fn start() -> Self {
        Self::answering(|_| acknowledgement()).await
    }

    /// Acknowledges everything, over TLS.
    pub(crate) async fn start_tls(tls: ServerConfig) -> Self {
        Self::serving(
            |_| Some(acknowledgement()),
            Some(TlsAcceptor::from(Arc::new(tls))),
            Duration::ZERO,
        )
        .await
    }

    /// Answers as it is told.
    pub(crate) async fn answering(
        answer: impl Fn(&Recorded) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        Self::serving(move |recorded| Some(answer(recorded)), None, Duration::ZERO).await
    }

    /// Reads and never answers.
    pub(crate) async fn silent() -> Self {
        Self::serving(|_| None, None, Duration::ZERO).await
    }

    /// Acknowledges everything, after a while.
    pub(crate) async fn slow(takes: Duration) -> Self {
        Self::serving(|_| Some(acknowledgement()), None, takes).await
    }

    async fn serving(
        answer: impl Fn(&Recorded) -> Option<Response<Full<Bytes>>> + Send + Sync + 'static,
        tls: Option<TlsAcceptor>,
        takes: Duration,
    ) -> Self {
        let (address, listener) = listen().await;
        let requests: Arc<Mutex<Vec<_>>> = Arc::default();
        let connections = Arc::new(AtomicUsize::new(0));
        let (answer, recorded, counted) = (Arc::new(answer), requests.clone(), connections.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let (answer, recorded) = (answer.clone(), recorded.clone());
                let service =
                    service_fn(move |request| served(request, takes, answer.clone(), recorded.clone()));
                tokio::spawn(connection(stream, tls.clone(), service));
            }
        });
        Self {
            address,
            requests,
            connections,
            task,
        }
    }

    /// What came so far.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.requests.lock().expect("no test panicked").clone()
    }

    /// The request that came last.
    pub(crate) fn take_request(&self) -> Recorded {
        self.requests
            .lock()
            .expect("no test panicked")
            .pop()
            .expect("a request")
    }

    /// The only request that came.
    pub(crate) fn only_request(&self) -> Recorded {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.into_iter().next().expect("one")
    }

    /// How many connections were opened.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn served(
    request: Request<Incoming>,
    takes: Duration,
    answer: Arc<impl Fn(&Recorded) -> Option<Response<Full<Bytes>>>>,
    recorded: Arc<Mutex<Vec<Recorded>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let request = record(request).await;
    let answer = answer(&request);
    recorded.lock().expect("no test panicked").push(request);
    sleep(takes).await;
    match answer {
        Some(answer) => Ok(answer),
        None => pending().await,
    }
}

async fn connection<S>(stream: TcpStream, tls: Option<TlsAcceptor>, service: S)
where
    S: HttpService<Incoming, ResBody = Full<Bytes>, Error = Infallible>,
{
    let served = match tls {
        None => {
            http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await
        }
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => {
                http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await
            }
            Err(_refused) => Ok(()),
        },
    };
    drop(served); // whether the proxy closes well is not the receiver's business
}

fn acknowledgement() -> Response<Full<Bytes>> {
    let answer = Response::builder().header(CONTENT_TYPE, "text/xml; charset=utf-8");
    answer.body(Full::from(ACKNOWLEDGED)).expect("a response")
}

async fn record(request: Request<Incoming>) -> Recorded {
    let (head, body) = request.into_parts();
    Recorded {
        method: head.method,
        target: head.uri.to_string(),
        headers: head.headers,
        body: body
            .collect()
            .await
            .map(|body| body.to_bytes())
            .unwrap_or_default(),
    }
}

/// An address at which nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    listen().await.0
}

/// Takes one connection, answers the requests on it with these bytes, one after the other, and closes it;
/// tells what came. An empty answer is none.
pub(crate) async fn scripted(answers: Vec<&'static str>) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let (address, listener) = listen().await;
    let came = tokio::spawn(async move {
        let mut connection = Raw(listener.accept().await.expect("a connection").0);
        let mut came = Vec::new();
        for answer in answers {
            came.push(connection.message().await);
            connection.send(answer).await;
        }
        came
    });
    (address, came)
}

async fn listen() -> (SocketAddr, TcpListener) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    (listener.local_addr().expect("an address"), listener)
}
