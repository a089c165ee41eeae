//! One request over a TLS connection of its own, for the two questions that are not asked over the link.

use rustls::{ClientConfig, pki_types::ServerName};
use std::{io, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// Sends a request that asks for the connection to be closed, and gives what came, up to a bound.
pub(super) async fn exchange(
    config: ClientConfig,
    name: ServerName<'static>,
    stream: TcpStream,
    request: &[u8],
    answer_bytes_max: u64,
) -> io::Result<Vec<u8>> {
    let mut tls = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    tls.write_all(request).await?;
    tls.flush().await?;
    let mut answer = Vec::new();
    // A server that does not say goodbye has said what it had to: who asked looks whether it is whole.
    let _ = tls.take(answer_bytes_max).read_to_end(&mut answer).await;
    Ok(answer)
}

/// Status and body of an answer whose body is not in pieces.
pub(super) fn parts(answer: &[u8]) -> Option<(u16, &[u8])> {
    let end = answer.windows(4).position(|at| at == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?.to_ascii_lowercase();
    let status = head.strip_prefix("http/1.1 ")?.get(..3)?.parse().ok()?;
    (!head.contains("\r\ntransfer-encoding:")).then_some((status, &answer[end + 4..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_body_is_read() {
        assert_eq!(parts(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), Some((200, &b"{}"[..])));
        assert_eq!(parts(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n{}"), Some((302, &b"{}"[..])));
        for answer in [
            &b""[..],
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            b"HTTP/1.1 200 \xff\r\n\r\n{}",
            b"HTTP/1.1 2\r\n\r\n{}",
        ] {
            assert_eq!(parts(answer), None);
        }
    }
}
