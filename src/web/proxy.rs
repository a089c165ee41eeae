//! The header of the PROXY protocol, version 2, as the recorder's own web server sends it.
//!
//! Source: <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>, section 2.2. Taken are TCP over
//! IPv4 and IPv6, and LOCAL (the web server's own health check); everything else is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::io::{AsyncRead, AsyncReadExt};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes after the fixed part: two IPv6 addresses with ports, and room for extensions.
const REST_MAX: usize = 512;

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxied {
    /// On behalf of a peer.
    Peer {
        /// The browser's end.
        peer: SocketAddr,
        /// The recorder's end, as the browser sees it.
        local: SocketAddr,
    },
    /// The web server itself.
    WebServer,
}

/// Why a header is refused.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The connection ended or failed.
    #[error("the PROXY header did not come whole")]
    Io(#[from] std::io::Error),
    /// Not the signature of version 2.
    #[error("this is not a PROXY header of version 2")]
    Signature,
    /// A version or command that is not known.
    #[error("the PROXY header has a version or command that is not known")]
    Command,
    /// Not TCP over IPv4 or IPv6.
    #[error("the PROXY header is for a transport other than TCP")]
    Transport,
    /// Longer than the limit, shorter than its addresses, or with broken extensions.
    #[error("the PROXY header has a wrong length")]
    Length,
}

/// Reads a header and nothing after it.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Proxied, ProxyError> {
    let mut fixed = [0; 16];
    stream.read_exact(&mut fixed).await?;
    let length = rest_length(&fixed)?;
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    parse(&fixed, &rest)
}

fn rest_length(fixed: &[u8; 16]) -> Result<usize, ProxyError> {
    if !fixed.starts_with(SIGNATURE) {
        return Err(ProxyError::Signature);
    }
    let length = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if length > REST_MAX { Err(ProxyError::Length) } else { Ok(length) }
}

fn parse(fixed: &[u8; 16], rest: &[u8]) -> Result<Proxied, ProxyError> {
    match fixed[12] {
        0x20 => return Ok(Proxied::WebServer),
        0x21 => {}
        _ => return Err(ProxyError::Command),
    }
    let (peer, local, extensions): (IpAddr, IpAddr, _) = match fixed[13] {
        0x11 => {
            let (peer, rest) = rest.split_first_chunk::<4>().ok_or(ProxyError::Length)?;
            let (local, rest) = rest.split_first_chunk::<4>().ok_or(ProxyError::Length)?;
            (Ipv4Addr::from(*peer).into(), Ipv4Addr::from(*local).into(), rest)
        }
        0x21 => {
            let (peer, rest) = rest.split_first_chunk::<16>().ok_or(ProxyError::Length)?;
            let (local, rest) = rest.split_first_chunk::<16>().ok_or(ProxyError::Length)?;
            (Ipv6Addr::from(*peer).into(), Ipv6Addr::from(*local).into(), rest)
        }
        _ => return Err(ProxyError::Transport),
    };
    let (ports, mut extensions) = extensions.split_first_chunk::<4>().ok_or(ProxyError::Length)?;
    // Each: one byte of type, two of length, the value. None is needed; all must be whole.
    while let Some(([_, high, low], after)) = extensions.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        extensions = after.get(length..).ok_or(ProxyError::Length)?;
    }
    if !extensions.is_empty() {
        return Err(ProxyError::Length);
    }
    Ok(Proxied::Peer {
        peer: SocketAddr::new(peer, u16::from_be_bytes([ports[0], ports[1]])),
        local: SocketAddr::new(local, u16::from_be_bytes([ports[2], ports[3]])),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn header(command: u8, transport: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([command, transport]);
        bytes.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
        bytes.extend(rest);
        bytes
    }

    fn read_now(mut bytes: &[u8]) -> (Result<Proxied, ProxyError>, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let proxied = runtime.block_on(read(&mut bytes));
        (proxied, bytes.len())
    }

    #[test]
    fn reads_ipv4_with_extensions_and_leaves_what_follows() {
        let mut rest = vec![192, 168, 1, 20, 192, 168, 1, 10, 0xC0, 0x01, 0x01, 0xBB];
        rest.extend([0x04, 0, 2, 9, 9]);
        let mut bytes = header(0x21, 0x11, &rest);
        bytes.extend(b"GET /");
        let (proxied, left) = read_now(&bytes);
        let expected = Proxied::Peer {
            peer: "192.168.1.20:49153".parse().unwrap(),
            local: "192.168.1.10:443".parse().unwrap(),
        };
        assert_eq!(proxied.unwrap(), expected);
        assert_eq!(left, 5);
    }

    #[test]
    fn refuses_what_is_not_tcp_not_whole_or_not_version_2() {
        let v4 = [1, 2, 3, 4, 5, 6, 7, 8, 0, 80, 0, 80];
        assert!(matches!(read_now(b"PROXY TCP4 1.2.3.4 5.6.7.8 80 80\r\n").0, Err(ProxyError::Signature)));
        assert!(matches!(read_now(b"GET / HTTP/1.1\r\nHost: x\r\n").0, Err(ProxyError::Signature)));
        assert!(matches!(read_now(&header(0x11, 0x11, &v4)).0, Err(ProxyError::Command)));
        assert!(matches!(read_now(&header(0x22, 0x11, &v4)).0, Err(ProxyError::Command)));
        assert!(matches!(read_now(&header(0x21, 0x12, &v4)).0, Err(ProxyError::Transport)));
        assert!(matches!(read_now(&header(0x21, 0x31, &[0; 216])).0, Err(ProxyError::Transport)));
        assert!(matches!(read_now(&header(0x21, 0x11, &v4[..11])).0, Err(ProxyError::Length)));
        assert!(matches!(read_now(&header(0x21, 0x21, &v4)).0, Err(ProxyError::Length)));
        let broken = [&v4[..], &[4, 0, 9, 1]].concat();
        assert!(matches!(read_now(&header(0x21, 0x11, &broken)).0, Err(ProxyError::Length)));
        assert!(matches!(read_now(&header(0x21, 0x11, &[0; 513])).0, Err(ProxyError::Length)));
        let whole = header(0x21, 0x11, &v4);
        for cut in 0..whole.len() {
            assert!(matches!(read_now(&whole[..cut]).0, Err(ProxyError::Io(_))), "cut at {cut}");
        }
        assert_eq!(read_now(&header(0x20, 0, &[])).0.unwrap(), Proxied::WebServer);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes: [u8; 16], rest in prop::collection::vec(any::<u8>(), 0..600), signed: bool) {
            if signed {
                bytes[..12].copy_from_slice(SIGNATURE);
            }
            let _ = rest_length(&bytes);
            let _ = parse(&bytes, &rest);
        }
    }
}
