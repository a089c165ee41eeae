//! A device without an identity claims one from a cloud of its owner's.

use crate::{binary::command, link::*, support::*};
use ed25519_dalek::SigningKey;
use latchkey_cloud::{
    clock::{Clock as _, draw},
    factory::{ClaimOptions, Factory},
    platform::tls::ENROL_ALPN,
    store::sqlite::Sqlite,
};
use latchkey_protocol::{
    claim::ClaimCode,
    identity::{IdentityFile, IdentityRequest},
};
use rustls::pki_types::CertificateDer;
use std::{net::SocketAddr, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

async fn claim(cloud: &Cloud, uses: u32, serial: Option<&str>) -> ClaimCode {
    let factory = Factory::load(&Arc::new(cloud.config())).unwrap();
    let store = Sqlite::open(&cloud.config().database()).unwrap();
    let options = ClaimOptions { uses, hold_s: 3600, serial: serial.map(str::to_owned) };
    let code = factory.claim(&store, options, cloud.clock.now_s()).await.unwrap();
    code.to_string().parse().unwrap()
}

/// As a device does it: the root that the cloud shows must be the one of the code, and then TLS is
/// checked in full against that root alone.
async fn root(code: &ClaimCode, address: SocketAddr) -> Option<CertificateDer<'static>> {
    #[derive(Debug)]
    struct Shown(std::sync::Mutex<Vec<CertificateDer<'static>>>);
    impl rustls::client::danger::ServerCertVerifier for Shown {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            others: &[CertificateDer<'_>],
            _: &rustls::pki_types::ServerName<'_>,
            _: &[u8],
            _: rustls::pki_types::UnixTime,
        ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
            *self.0.lock().unwrap() = others.iter().map(|other| other.clone().into_owned()).collect();
            Err(rustls::Error::General("only looking".into()))
        }
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            Err(rustls::Error::General("only looking".into()))
        }
        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            Err(rustls::Error::General("only looking".into()))
        }
        fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
            rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
        }
    }
    let shown = Arc::new(Shown(Default::default()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(shown.clone())
        .with_no_client_auth();
    tls.alpn_protocols = vec![ENROL_ALPN.to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    let name = "cloud.example".try_into().unwrap();
    assert!(TlsConnector::from(Arc::new(tls)).connect(name, stream).await.is_err());
    let shown = shown.0.lock().unwrap();
    shown.iter().find(|certificate| code.is_root(certificate)).cloned()
}

async fn enrol(cloud: &Cloud, code: &ClaimCode, key: &SigningKey, serial: &str) -> Answer {
    let root = root(code, door(cloud)).await.expect("the root is not the one of the code");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![ENROL_ALPN.to_vec()];
    let stream = TcpStream::connect(door(cloud)).await.unwrap();
    let name = "cloud.example".try_into().unwrap();
    let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await.unwrap();
    let request = IdentityRequest::new(key, serial, "Recorder 8").unwrap();
    let body = serde_json::json!({ "claim": code.secret, "request": request }).to_string();
    let head = format!(
        "POST /api/v1/enrolment HTTP/1.1\r\nHost: cloud.example\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    ask(stream, &[head.as_bytes(), body.as_bytes()].concat()).await
}

fn recorder(answer: &Answer, key: &SigningKey) -> Recorder {
    assert_eq!(answer.status, 201, "{answer:?}");
    let file: IdentityFile = serde_json::from_str(&answer.body).unwrap();
    file.join(key.clone()).unwrap();
    Recorder { file, key: key.clone(), code: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_enrols_one_device_which_then_connects() {
    let cloud = cloud().await;
    let code = claim(&cloud, 1, None).await;
    let key = SigningKey::from_bytes(&draw());
    let first = recorder(&enrol(&cloud, &code, &key, "LK-OPEN").await, &key);
    let (mut link, _) = first.connect(door(&cloud)).await;
    link.beat().await;
    drop(link);
    // The answer was lost, say: the same device asks again, and its first identity is void.
    let again = recorder(&enrol(&cloud, &code, &key, "LK-OPEN").await, &key);
    assert_ne!(again.file.handle, first.file.handle);
    again.connect(door(&cloud)).await.0.beat().await;
    // Anybody else comes too late.
    let other = SigningKey::from_bytes(&draw());
    let answer = enrol(&cloud, &code, &other, "LK-OTHER").await;
    assert_eq!(answer.problem(), (403, "no-claim".into()));
    // The relay takes what it seals.
    let device = again.device();
    cloud.relay(&device.digits(&device.challenge(1))).await.id();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_does_not_fit_enrols_nobody() {
    let cloud = cloud().await;
    let key = SigningKey::from_bytes(&draw());
    let nobody = async |code: &ClaimCode, serial: &str, problem: (u16, &str)| {
        let answer = enrol(&cloud, code, &key, serial).await;
        assert_eq!(answer.problem(), (problem.0, problem.1.to_owned()));
    };
    let made_up = claim(&cloud, 1, None).await;
    let mut guess = made_up;
    guess.secret.0[9] ^= 1;
    nobody(&guess, "LK-1", (403, "no-claim")).await;
    let reserved = claim(&cloud, 1, Some("LK-7")).await;
    nobody(&reserved, "LK-1", (403, "no-claim")).await;
    let taken = Recorder::new(&cloud, "LK-9").await;
    nobody(&made_up, "LK-9", (409, "signed-before")).await;
    taken.connect(door(&cloud)).await.0.beat().await;
    cloud.clock.pass(3600);
    nobody(&made_up, "LK-1", (403, "no-claim")).await;
    // None of it used a claim up.
    cloud.clock.pass(-3600);
    recorder(&enrol(&cloud, &made_up, &key, "LK-1").await, &key);
    let key = SigningKey::from_bytes(&draw());
    recorder(&enrol(&cloud, &reserved, &key, "LK-7").await, &key);

    // A cloud in the middle has another root, and over a connection that the code does not vouch for
    // there is no enrolment at all.
    let middle = crate::link::cloud().await;
    assert!(root(&claim(&cloud, 1, None).await, door(&middle)).await.is_none());
    let answer = post(cloud.address(), "/api/v1/enrolment", "application/json", b"{}").await;
    assert_eq!(answer.problem(), (404, "not-found".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_has_a_rate() {
    let mut cloud = Cloud::new(|text| {
        with_devices(text).replace("requester_per_10_min = 1000000", "requester_per_10_min = 3")
    });
    cloud.run().await;
    let code = claim(&cloud, 1, None).await;
    let mut guess = code;
    guess.secret.0[0] ^= 1;
    let key = SigningKey::from_bytes(&draw());
    for _ in 0..3 {
        assert_eq!(enrol(&cloud, &guess, &key, "LK-1").await.problem().0, 403);
    }
    assert_eq!(enrol(&cloud, &code, &key, "LK-1").await.problem(), (429, "too-many-requests".into()));
}

#[test]
fn the_program_gives_codes_out_and_keeps_none() {
    let cloud = Cloud::new(with_devices);
    let output = command(&cloud.folder.0, &["factory", "claim", "--hours=2", "--devices", "3"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let code: ClaimCode = text.trim().parse().unwrap();
    let kept = rows(&cloud.config().database(), "SELECT hex(digest) || ' ' || uses_left FROM claim");
    let digest: String = code.digest().iter().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(kept, [format!("{digest} 3")]);
    let database = std::fs::read(cloud.config().database()).unwrap();
    assert!(!database.windows(10).any(|window| window == code.secret.0));
    for wrong in [["--hours", "0"], ["--devices", "many"]] {
        let output = command(&cloud.folder.0, &[&["factory", "claim"], &wrong[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
}
