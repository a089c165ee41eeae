//! The way in: the operator's own certificate, and whose word on the requester is believed.

use crate::{binary::command, support::*};
use std::{fs, os::unix::fs::PermissionsExt as _};
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

#[tokio::test(flavor = "multi_thread")]
async fn looking_has_a_rate_of_its_own() {
    let mut cloud = Cloud::new(|text| text.replace("requester_per_10_min = 60", "requester_per_10_min = 3"));
    cloud.run().await;
    let device = cloud.device().await;
    let id = cloud.relay(&device.digits(&device.challenge(1))).await.id();
    let paths = [format!("/api/v1/relay/{id}"), format!("/r/status/{id}")];
    for look in 0..60 {
        assert_eq!(get(cloud.address(), &paths[look % 2]).await.status, 200, "look {look}");
    }
    for path in &paths {
        let answer = get(cloud.address(), path).await;
        assert_eq!(answer.status, 429, "{path}");
        let wait_s: i64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=600).contains(&wait_s), "{wait_s}");
    }
    // Whoever has looked too often can still send, and looks again later.
    cloud.relay(&device.digits(&device.challenge(2))).await.id();
    cloud.clock.pass(1200);
    assert_eq!(get(cloud.address(), &paths[0]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_opens_every_file_and_changes_none() {
    let authority = Authority::new();
    let (certificate, key) = authority.vouch("cloud.example");
    let smtp = "[mail.smtp]\nhost = \"127.0.0.1\"\nport = 2525\ntls = \"required\"\nca_file = \"ca.pem\"\n\
                user = \"u\"\npassword_file = \"password\"\n";
    let cloud = Cloud::new(|text| with_files(text).replace("maildir = \"mail\"", smtp));
    let folder = &cloud.folder.0;
    let files = [
        ("cert.pem", certificate.pem()),
        ("key.pem", key.serialize_pem()),
        ("ca.pem", authority.certificate.pem()),
        ("password", "secret\n".to_owned()),
    ];
    let names = || {
        let entries = fs::read_dir(folder).unwrap().chain(fs::read_dir(folder.join("keys")).unwrap());
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        names.sort();
        names
    };
    let check = || {
        let output = command(folder, &["check"]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (name, content) in &files {
        let (code, told) = check();
        assert_eq!(code, Some(1), "without {name}");
        assert!(told.contains(name), "{told}");
        fs::write(folder.join(name), content).unwrap();
    }
    let before = names();
    assert_eq!(check(), (Some(0), String::new()));
    assert_eq!(names(), before);

    let database = folder.join("cloud.db");
    let mode = |bits| fs::set_permissions(&database, fs::Permissions::from_mode(bits)).unwrap();
    mode(0o644);
    for word in ["check", "serve"] {
        let output = command(folder, &[word]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("cloud.db can be read by others") && told.contains("chmod 600"), "{told}");
    }
    mode(0o600);
    assert_eq!(check().0, Some(0));
    fs::write(&database, [b'x'; 8192]).unwrap();
    let (code, told) = check();
    assert!(code == Some(1) && told.contains("damaged"), "{told}");
}
