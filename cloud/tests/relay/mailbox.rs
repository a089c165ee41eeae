//! The recovery mailbox: mails that people really send, and mails that are meant to do harm.

use crate::support::*;
use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};
use latchkey_cloud::{clock::Clock as _, serve};
use lettre::message::{
    Attachment, Body, Message, MultiPart, SinglePart,
    header::{ContentTransferEncoding, ContentType},
};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

/// A cloud with a recovery mailbox, read by the real program.
pub async fn cloud() -> Cloud {
    cloud_with(|_| env!("CARGO_BIN_EXE_latchkey-cloud").into()).await
}

/// The same, its mails read by a program below its folder.
async fn cloud_with(program: impl FnOnce(&Path) -> PathBuf) -> Cloud {
    let mut cloud = Cloud::new(|text| {
        generous(text) + "\n[mailbox]\naddress = \"recovery@cloud.example\"\nmaildir = \"recovery\"\n"
    });
    let mut config = cloud.config();
    config.mailbox.as_mut().unwrap().program = program(&cloud.folder.0);
    cloud.running = Some(serve::start(config, cloud.clock.clone()).await.unwrap());
    cloud
}

/// Puts a mail into the mailbox as a mail server does: whole, by a rename.
fn deliver(cloud: &Cloud, name: &str, mail: &[u8]) {
    let folder = cloud.folder.0.join("recovery");
    fs::write(folder.join(name), mail).unwrap();
    fs::rename(folder.join(name), folder.join("new").join(name)).unwrap();
}

/// What lies in a folder of the mailbox.
pub fn names(cloud: &Cloud, folder: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(cloud.folder.0.join("recovery").join(folder)) else { return vec![] };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

pub async fn until(done: impl Fn() -> bool, what: &str) {
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..6000 {
        if done() {
            return;
        }
        looks.tick().await;
    }
    panic!("{what} did not come");
}

/// The modules of a link's QR code with their quiet zone, `px` points a module, as shades of grey.
pub fn drawn(link: &str, px: usize) -> (usize, Vec<u8>) {
    let code = qrcodegen::QrCode::encode_text(link, qrcodegen::QrCodeEcc::Medium).unwrap();
    let side = (usize::try_from(code.size()).unwrap() + 8) * px;
    let module = |at: usize| i32::try_from(at / px).unwrap() - 4;
    let point = |i: usize| if code.get_module(module(i % side), module(i / side)) { 20 } else { 235 };
    (side, (0..side * side).map(point).collect())
}

pub fn png_of(width: usize, height: usize, points: &[u8]) -> Vec<u8> {
    let mut bytes = vec![];
    let mut encoder =
        png::Encoder::new(&mut bytes, u32::try_from(width).unwrap(), u32::try_from(height).unwrap());
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(points).unwrap();
    bytes
}

pub fn jpeg_of(side: usize, points: &[u8]) -> Vec<u8> {
    let (mut bytes, side) = (vec![], u32::try_from(side).unwrap());
    JpegEncoder::new_with_quality(&mut bytes, 60).encode(points, side, side, ExtendedColorType::L8).unwrap();
    bytes
}

fn letter() -> lettre::message::MessageBuilder {
    Message::builder().from("a@b.example".parse().unwrap()).to("reset@cloud.example".parse().unwrap())
}

fn attached(name: &str, kind: &str, bytes: Vec<u8>) -> SinglePart {
    let body = Body::new_with_encoding(bytes, ContentTransferEncoding::Base64).unwrap();
    Attachment::new(name.to_owned()).body(body, kind.parse::<ContentType>().unwrap())
}

/// A mail with one attachment.
pub fn letter_with(kind: &str, bytes: Vec<u8>) -> Vec<u8> {
    with_part(attached("attached", kind, bytes))
}

fn with_part(part: SinglePart) -> Vec<u8> {
    let parts = MultiPart::mixed().singlepart(SinglePart::plain("Please help".to_owned())).singlepart(part);
    letter().subject("Reset").multipart(parts).unwrap().formatted()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_however_it_is_sent_brings_the_code_to_the_owner() {
    let cloud = cloud().await;
    let device = cloud.device().await;
    let links: Vec<String> = (1..=6).map(|counter| device.link(&device.challenge(counter))).collect();
    let picture = |i: usize, px| drawn(&links[i], px);
    let (side, points) = picture(0, 8);
    let saved = with_part(attached("qr.png", "image/png", png_of(side, side, &points)));
    let (side, points) = picture(1, 9);
    let photo = with_part(attached("IMG_0001.JPG", "application/octet-stream", jpeg_of(side, &points)));
    let (side, points) = picture(2, 4);
    let inline = {
        let image = Attachment::new_inline("qr".to_owned())
            .body(png_of(side, side, &points), "image/png".parse::<ContentType>().unwrap());
        let html = SinglePart::html("<p>Look: <img src=\"cid:qr\"></p>".to_owned());
        let related = MultiPart::related().singlepart(html).singlepart(image);
        letter().subject("Inline").multipart(related).unwrap().formatted()
    };
    let (side, points) = picture(3, 6);
    let forwarded = {
        let inner = with_part(attached("qr.png", "image/png", png_of(side, side, &points)));
        let head = "From: c@d.example\r\nTo: reset@cloud.example\r\nMIME-Version: 1.0\r\n\
                    Content-Type: message/rfc822\r\n\r\n";
        [head.as_bytes(), &inner].concat()
    };
    let text = letter().subject("Link").body(format!("The camera says {}\n", links[4])).unwrap().formatted();
    // A photo of twelve megapixels: the code is a part of it.
    let (side, points) = picture(5, 14);
    let large = {
        let (width, height) = (4000, 3000);
        let mut canvas = vec![120_u8; width * height];
        for (row, line) in points.chunks_exact(side).enumerate() {
            let at = (row + 300) * width + 900;
            canvas[at..at + side].copy_from_slice(line);
        }
        with_part(attached("qr.png", "image/png", png_of(width, height, &canvas)))
    };
    for (i, mail) in [saved, photo, inline, forwarded, text, large].iter().enumerate() {
        let sent = cloud.mails().len();
        deliver(&cloud, &format!("{i}.mail"), mail);
        until(|| cloud.mails().len() > sent, &format!("the mail for picture {i}")).await;
        until(|| names(&cloud, "new").is_empty(), "the end of it").await;
    }
    assert_eq!(names(&cloud, "aside"), [""; 0]);
    assert!(
        cloud.mails().iter().all(|mail| mail.contains(&format!("To: {ADDRESS}\n"))),
        "nobody else is written to"
    );
    cloud.assert_keeps_no_secret();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_mail_holds_up_nobody_and_is_not_kept_aside_for_ever() {
    // The real reader, which a certain mail has to wait for.
    let cloud = cloud_with(|folder| {
        let (program, gate) = (folder.join("reader"), folder.join("gate"));
        nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let text = format!(
            "#!/bin/sh\nread -r first\ncase $first in Subject:\\ slow*) read -r go <'{}';; esac\n\
             exec '{}' \"$1\" </proc/self/fd/0\n",
            gate.display(),
            env!("CARGO_BIN_EXE_latchkey-cloud")
        );
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        program
    })
    .await;
    let device = cloud.device().await;
    deliver(&cloud, "0", b"Subject: slow\r\n\r\nWait for me.\r\n");
    for i in 1..=4 {
        let link = device.link(&device.challenge(i));
        let text = letter().subject("Link").body(format!("The camera says {link}\n")).unwrap();
        deliver(&cloud, &i.to_string(), &text.formatted());
    }
    until(|| cloud.mails().len() == 4, "the mails behind it").await;
    until(|| names(&cloud, "new") == ["0"], "the slow one is the last").await;
    fs::write(cloud.folder.0.join("gate"), "go\n").unwrap();
    until(|| names(&cloud, "new").is_empty(), "its end").await;
    assert_eq!(names(&cloud, "aside/no-picture"), ["0"]);

    // No other mail need come for it to go.
    let now_s = i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    cloud.clock.pass(now_s - cloud.clock.now_s() + 15 * 86_400);
    until(|| names(&cloud, "aside/no-picture").is_empty(), "the end of what was kept aside").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_does_harm_is_kept_aside_and_holds_up_nobody() {
    let cloud = cloud().await;
    let device = cloud.device().await;
    let (side, points) = drawn("https://elsewhere.example/menu", 8);
    let menu = png_of(side, side, &points);
    let (side, points) = drawn("https://cloud.example/add#LK-7/7K4MQ2XR", 8);
    let adding = png_of(side, side, &points);
    // A bomb: a header that promises 400 megapixels, and one that really has 100.
    let mut promised = png_of(1, 1, &[0]);
    promised[16..24].copy_from_slice(&[0, 0, 0x4e, 0x20, 0, 0, 0x4e, 0x20]);
    let sum = crc(&promised[12..29]);
    promised[29..33].copy_from_slice(&sum.to_be_bytes());
    let huge = png_of(10_000, 10_000, &vec![255; 100_000_000]);
    let (side, points) = drawn(&device.link(&device.challenge(1)), 8);
    let good = png_of(side, side, &points);
    let picture = |bytes: &[u8]| with_part(attached("p.png", "image/png", bytes.to_vec()));
    let mut parts = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_vec();
    parts.extend(b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n".repeat(10_000));
    let nested: Vec<u8> = (0..3000)
        .flat_map(|i| format!("Content-Type: multipart/mixed; boundary=b{i}\r\n\r\n--b{i}\r\n").into_bytes())
        .collect();
    let other_device = Cloud::new(generous);
    let stranger = other_device.device().await;
    let (side, points) = drawn(&stranger.link(&stranger.challenge(1)), 8);
    let foreign = png_of(side, side, &points);
    // A picture in base64 that is none, a charset that nobody knows, and a film whose later frames are missing.
    let garbled = b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n\
        iVBORw0KGgo=====%%%%\xff\xfe\xff=C3\r\n"
        .to_vec();
    let unknown =
        b"Subject: =?x-none?Q?=FF=FE?= =?utf-8?B?////?=\r\nContent-Type: text/plain; charset=x-none\r\n\
        Content-Transfer-Encoding: x-none\r\n\r\n\xff\xfehttps://\xff\xc3\x28/r#\xf0\x9f"
            .to_vec();
    let film = {
        let mut bytes = vec![];
        let mut encoder = png::Encoder::new(&mut bytes, 400, 400);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_animated(1_000_000, 0).unwrap();
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&vec![200; 160_000]).unwrap();
        drop(writer);
        bytes
    };
    let scans = jpeg_of_scans(4000);
    for (name, mail, reason) in [
        ("01", vec![], "no-mail"),
        ("02", b"Subject: Hello\r\n\r\nHow are you?\r\n".to_vec(), "no-picture"),
        ("03", picture(&menu), "other-code"),
        ("04", picture(&png_of(400, 400, &[200; 160_000])), "no-code"),
        ("05", picture(&good[..good.len() / 2]), "picture-damaged"),
        ("06", picture(&promised), "picture-too-large"),
        ("07", picture(&huge), "picture-too-large"),
        ("08", parts, "no-picture"),
        ("09", nested, "no-picture"),
        ("10", vec![b'x'; 36 * 1024 * 1024], "too-large"),
        ("11", picture(&foreign), "unusable"),
        ("12", garbled, "no-picture"),
        ("13", unknown, "no-picture"),
        ("14", picture(&film), "no-code"),
        ("15", picture(&scans), "no-code"),
        ("16", picture(&adding), "other-code"),
    ] {
        deliver(&cloud, name, &mail);
        until(|| names(&cloud, "new").is_empty(), name).await;
        assert_eq!(
            names(&cloud, &format!("aside/{reason}")).iter().filter(|n| *n == name).count(),
            1,
            "{name}: {:?}",
            aside(&cloud)
        );
    }
    assert_eq!(cloud.mails().len(), 0);
    let metrics = || cloud.running.as_ref().unwrap().platform.metrics.text();
    for line in ["no-picture\"} 5", "picture-damaged\"} 1", "no-code\"} 3", "too-large\"} 1", "unusable\"} 1"]
    {
        let line = format!("latchkey_mailbox_mails_total{{reason=\"{line}");
        assert!(metrics().contains(&line), "{line}: {}", metrics());
    }

    // What is no file, or cannot be moved away, is in nobody's way either.
    let new = cloud.folder.0.join("recovery/new");
    fs::create_dir(new.join("00 a folder")).unwrap();
    let aside = cloud.folder.0.join("recovery/aside/no-picture");
    fs::remove_dir_all(&aside).unwrap();
    fs::write(&aside, "in the way").unwrap();
    deliver(&cloud, "16", b"Subject: Hello\r\n\r\nHow are you?\r\n");
    deliver(&cloud, "17", &picture(&good));
    until(|| cloud.mails().len() == 1, "the good mail").await;
    until(|| names(&cloud, "new") == ["16"], "the others").await;
    assert!(metrics().contains("reason=\"no-picture\"} 6"), "read once and no more: {}", metrics());
    assert!(metrics().contains("reason=\"relayed\"} 1"), "{}", metrics());
}

/// A JPEG with the head of a picture and as many scans as are asked for, each cut short: a decoder that
/// does all of them is busy for long.
fn jpeg_of_scans(count: usize) -> Vec<u8> {
    let whole = jpeg_of(64, &[128; 64 * 64]);
    let scan = whole.windows(2).position(|two| two == [0xff, 0xda]).unwrap();
    let mut bytes = whole[..scan].to_vec();
    let frame = bytes.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    bytes[frame + 1] = 0xc2; // progressive
    for _ in 0..count {
        bytes.extend(&whole[scan..scan + 12]);
    }
    bytes
}

fn aside(cloud: &Cloud) -> Vec<PathBuf> {
    let reasons = names(cloud, "aside");
    reasons
        .iter()
        .flat_map(|r| names(cloud, &format!("aside/{r}")).into_iter().map(move |n| PathBuf::from(r).join(n)))
        .collect()
}

/// CRC-32 of a PNG's chunk (ISO/IEC 15948, annex D).
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(
            sum ^ u32::from(*byte),
            |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 },
        )
    })
}
