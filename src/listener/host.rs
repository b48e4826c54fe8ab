//! Which host a request says it is for.

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderValue, Request, Version};

/// RFC 9112, section 3.2: whoever reads another one of two hosts than we do takes a request for somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request has no Host, several, or one that is none; send exactly one")]
pub struct NotOneHost;

/// The one host of a request, with its port if it names one; `None` where HTTP/1.0 names none.
///
/// # Errors
/// When it names none, or not one.
pub fn host<B>(request: &Request<B>) -> Result<Option<Authority>, NotOneHost> {
    let mut fields = request.headers().get_all(HOST).iter();
    let field = match (fields.next(), fields.next()) {
        (field, None) => field.map(authority).transpose()?,
        (_, Some(_)) => return Err(NotOneHost),
    };
    // By HTTP/2 it stands in the address, and so it does in a request to a proxy, where the field does not count.
    match (request.uri().authority().cloned(), field) {
        (Some(address), Some(field)) if request.version() >= Version::HTTP_2 && address != field => {
            Err(NotOneHost)
        }
        (None, None) if request.version() == Version::HTTP_11 => Err(NotOneHost),
        (Some(_), None) if request.version() == Version::HTTP_11 => Err(NotOneHost),
        (address, field) => Ok(address.or(field)),
    }
}

fn authority(field: &HeaderValue) -> Result<Authority, NotOneHost> {
    let authority = Authority::try_from(field.as_bytes()).map_err(|_| NotOneHost)?;
    if authority.as_str().contains('@') {
        return Err(NotOneHost);
    }
    Ok(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, address: &str, fields: &[&str]) -> Request<()> {
        let mut request = Request::builder().version(version).uri(address);
        for field in fields {
            request = request.header(HOST, *field);
        }
        request.body(()).unwrap()
    }

    fn read(version: Version, address: &str, fields: &[&str]) -> Result<Option<String>, NotOneHost> {
        let host = host(&request(version, address, fields))?;
        Ok(host.map(|host| host.to_string()))
    }

    #[test]
    fn exactly_one_host_is_read() {
        let one = |host: &str| Ok(Some(host.to_owned()));
        assert_eq!(read(Version::HTTP_11, "/", &["a:9090"]), one("a:9090"));
        assert_eq!(read(Version::HTTP_2, "http://a/", &[]), one("a"));
        assert_eq!(read(Version::HTTP_2, "http://a/", &["A"]), one("a"));
        assert_eq!(
            read(Version::HTTP_11, "http://a/", &["b"]),
            one("a"),
            "as to a proxy"
        );
        assert_eq!(read(Version::HTTP_10, "/", &[]), Ok(None));
    }

    #[test]
    fn none_and_several_are_refused() {
        for (version, address, fields) in [
            (Version::HTTP_11, "/", &[][..]),
            (Version::HTTP_11, "http://a/", &[]),
            (Version::HTTP_11, "/", &["a", "a"]),
            (Version::HTTP_11, "/", &["a", "b"]),
            (Version::HTTP_10, "/", &["a", "b"]),
            (Version::HTTP_11, "/", &["a, b"]),
            (Version::HTTP_11, "/", &[""]),
            (Version::HTTP_11, "/", &["user@a"]),
            (Version::HTTP_2, "http://a/", &["b"]),
        ] {
            assert_eq!(
                read(version, address, fields),
                Err(NotOneHost),
                "{version:?} {address} {fields:?}"
            );
        }
    }
}
