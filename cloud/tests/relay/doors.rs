//! The way in: the operator's own certificate, and whose word on the requester is believed.

use crate::{binary::command, support::*};
use std::fs;
use tokio::net::{TcpSocket, TcpStream};

const ASK: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: cloud.example\r\nConnection: close\r\n\r\n";

fn with_files(text: String) -> String {
    generous(text).replace("tls = \"off\"", "tls = \"files\"\ncertificate = \"cert.pem\"\nkey = \"key.pem\"")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_certificate_is_shown() {
    let authority = Authority::new();
    let (certificate, key) = authority.vouch("cloud.example");
    let mut cloud = Cloud::new(with_files);
    fs::write(cloud.folder.0.join("cert.pem"), certificate.pem()).unwrap();
    fs::write(cloud.folder.0.join("key.pem"), key.serialize_pem()).unwrap();
    cloud.run().await;
    let connect = async |authority: &Authority, name: &'static str| {
        let stream = TcpStream::connect(cloud.address()).await.unwrap();
        authority.connector().connect(name.try_into().unwrap(), stream).await
    };
    let answer = ask(connect(&authority, "cloud.example").await.unwrap(), ASK).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"));
    assert!(connect(&authority, "other.example").await.is_err());
    assert!(connect(&Authority::new(), "cloud.example").await.is_err());
    assert_ne!(raw(cloud.address(), ASK).await.status, 200, "there is no HTTP without TLS");
}

#[test]
fn certificates_that_cannot_be_used_are_told_by_their_files() {
    let authority = Authority::new();
    let (certificate, key) = authority.vouch("cloud.example");
    let (_, other_key) = authority.vouch("cloud.example");
    let (certificate, key, other_key) = (certificate.pem(), key.serialize_pem(), other_key.serialize_pem());
    let cases: [(Option<&str>, Option<&str>, &[&str]); 6] = [
        (None, Some(&key), &["cannot read", "cert.pem", "No such file"]),
        (Some(&certificate), None, &["cannot read", "key.pem", "No such file"]),
        (Some(&certificate), Some(&other_key), &["cert.pem cannot be used with the key", "key.pem"]),
        (Some(""), Some(&key), &["cert.pem holds no certificate"]),
        (Some(&key), Some(&key), &["cert.pem holds no certificate"]),
        (Some(&certificate), Some(&certificate), &["cannot read", "key.pem"]),
    ];
    for (certificate, key, told) in cases {
        let cloud = Cloud::new(with_files);
        for (name, content) in [("cert.pem", certificate), ("key.pem", key)] {
            if let Some(content) = content {
                fs::write(cloud.folder.0.join(name), content).unwrap();
            }
        }
        let output = command(&cloud.folder.0, &["serve"]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(told.iter().all(|part| error.contains(part)), "{told:?}: {error}");
        assert!(!error.contains("PRIVATE KEY"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requester_is_who_a_trusted_proxy_says() {
    const CAP: usize = 3;
    let few = |text: String| text.replace("requester_per_10_min = 60", "requester_per_10_min = 3");
    // From an address of this machine, with a header; whether it was let through.
    async fn asked(cloud: &Cloud, from: &str, forwarded: &str) -> bool {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
        let stream = socket.connect(cloud.address()).await.unwrap();
        let request = format!(
            "POST /api/v1/relay HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/json\r\n\
             {forwarded}Content-Length: 14\r\n\r\n{{\"sealed\":\"1\"}}"
        );
        match ask(stream, request.as_bytes()).await.status {
            422 => true,
            429 => false,
            other => panic!("status {other}"),
        }
    }
    let header = |text: &str| format!("X-Forwarded-For: {text}\r\n");

    // Nobody is trusted: whatever the header says, it is one requester.
    let mut cloud = Cloud::new(few);
    cloud.run().await;
    for i in 0..CAP {
        assert!(asked(&cloud, "127.0.0.1", &header(&format!("192.0.2.{i}"))).await);
    }
    assert!(!asked(&cloud, "127.0.0.1", &header("192.0.2.99")).await);
    assert!(asked(&cloud, "127.0.0.2", "").await);

    let mut cloud = Cloud::new(|text| few(text).replace("# trusted_proxies = [", "trusted_proxies = ["));
    assert_eq!(cloud.config().http.trusted_proxies, ["127.0.0.1".parse::<std::net::IpAddr>().unwrap()]);
    cloud.run().await;
    // The last word is the proxy's; the words before it are the requester's own.
    for i in 0..CAP {
        assert!(asked(&cloud, "127.0.0.1", &header(&format!("198.51.100.{i}, 192.0.2.1"))).await);
    }
    assert!(!asked(&cloud, "127.0.0.1", &header("198.51.100.9, 192.0.2.1")).await);
    assert!(!asked(&cloud, "127.0.0.1", &(header("192.0.2.2") + &header("192.0.2.1"))).await);
    assert!(asked(&cloud, "127.0.0.1", &header("192.0.2.2")).await);
    // Someone else than the proxy writes the header in vain, and uses up nobody's count.
    for i in 0..CAP {
        assert!(asked(&cloud, "127.0.0.2", &header(&format!("192.0.2.{}", 100 + i))).await);
    }
    assert!(!asked(&cloud, "127.0.0.2", &header("192.0.2.3")).await);
    assert!(asked(&cloud, "127.0.0.1", &header("192.0.2.3")).await);
    // Without a readable word the proxy itself is the requester.
    for word in ["", "X-Forwarded-For: unknown\r\n", "X-Forwarded-For: \r\n"] {
        assert!(asked(&cloud, "127.0.0.1", word).await);
    }
    assert!(!asked(&cloud, "127.0.0.1", "").await);
}
