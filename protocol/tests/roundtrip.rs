//! What is written is read back, and strict readers accept only what is written.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Bytes, psk_pair, read};
use latchkey_protocol::{
    Address, Addresses, Challenge, ChallengeId, Code, Door, Host, Life, Locale, Message, NoticeEvent,
    Purpose, QrLink, SealedChallenge, SignerHash, digits, link::sealed_from_digits,
};
use proptest::prelude::*;

fn address() -> impl Strategy<Value = Address> {
    let atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}";
    let label = "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?";
    (prop::collection::vec(atom, 1..3), prop::collection::vec(label, 1..3), "[a-z][a-z0-9]{0,9}")
        .prop_map(|(local, labels, top)| format!("{}@{}.{top}", local.join("."), labels.join(".")))
        .prop_filter_map("too long", |text| Address::parse(&text).ok())
}

fn message() -> impl Strategy<Value = Message> {
    (0..100_000_000_u32, 0..6).prop_map(|(number, kind)| {
        let code = Code::from_number(number).unwrap();
        match kind {
            0 => Message::Reset(code),
            1 => Message::ConfirmEmail(code),
            2 => Message::Rehearsal(code),
            3 => Message::Notice(NoticeEvent::ResetRequested),
            4 => Message::Notice(NoticeEvent::ResetCompleted),
            _ => Message::AddressChanged,
        }
    })
}

prop_compose! {
    fn challenge()(
        id: [u8; 16], message in message(), life: [u8; 4], counter: u32, lan: bool, confirmed: bool,
        device_time_unix_s: i64, tz_offset_min in -840..=840_i16,
        list in prop::collection::vec(address(), 1..=2),
    ) -> Challenge {
        let first = list[0].clone();
        Challenge {
            id: ChallengeId(id),
            message,
            life: Life(life),
            counter,
            door: if lan { Door::Lan } else { Door::Console },
            confirmed,
            device_time_unix_s,
            locale: Locale::English,
            tz_offset_min,
            addresses: Addresses::new(list).unwrap_or_else(|_| Addresses::new(vec![first]).unwrap()),
        }
    }
}

proptest! {
    #[test]
    fn digits_roundtrip(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let text = digits::encode(&bytes);
        prop_assert_eq!(digits::decode(&text), Ok(bytes));
    }

    #[test]
    fn digits_accept_only_what_is_written(text in "[0-9]{0,60}") {
        if let Ok(bytes) = digits::decode(&text) {
            prop_assert_eq!(digits::encode(&bytes), text);
        }
    }

    #[test]
    fn addresses_accept_only_what_is_written(text in address().prop_map(String::from), place: prop::sample::Index, c: char) {
        let same = Address::parse(&text).unwrap();
        prop_assert_eq!(same.as_str(), &text);
        let mut changed: Vec<char> = text.chars().collect();
        let place = place.index(changed.len());
        changed[place] = c;
        let changed: String = changed.into_iter().collect();
        if let Ok(address) = Address::parse(&changed) {
            prop_assert!(address.as_str().is_ascii());
            prop_assert!(!address.as_str().contains([' ', '\r', '\n', '\0', ',', ';', '<', '>', '"', '\\']));
            prop_assert!(address.as_str().eq_ignore_ascii_case(changed.trim()));
            prop_assert_eq!(Address::parse(address.as_str()), Ok(address.clone()));
        }
    }

    #[test]
    fn masks_hide_lengths(address in address()) {
        let masked = address.masked();
        let (local, domain) = masked.split_once('@').unwrap();
        for part in domain.split('.').rev().skip(1).chain([local]) {
            prop_assert!(part.contains("***") && part.len() <= 5, "{}", masked);
        }
        // Four characters or forty in the local part: the same mask.
        if (4..40).contains(&address.as_str().find('@').unwrap_or_default()) {
            let longer = format!("{}middle{}", &address.as_str()[..1], &address.as_str()[1..]);
            if let Ok(longer) = Address::parse(&longer) {
                prop_assert_eq!(longer.masked(), masked);
            }
        }
    }

    #[test]
    fn codes_roundtrip(number in 0..100_000_000_u32) {
        let code = Code::from_number(number).unwrap();
        prop_assert_eq!(code.digits().len(), 8);
        prop_assert_eq!(Code::parse(&code.digits()), Ok(code.clone()));
        let typed = format!(" {}\u{a0}-\u{2013}{}\u{200b}\n", &code.digits()[..4], &code.digits()[4..]);
        prop_assert_eq!(Code::parse(&typed), Ok(code));
    }

    #[test]
    fn codes_of_any_text(text in "\\PC{0,80}") {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        if let Ok(code) = Code::parse(&text) {
            prop_assert_eq!(code.digits(), digits);
        }
    }

    #[test]
    fn plaintexts_roundtrip(challenge in challenge(), signer: [u8; 16]) {
        let bytes = challenge.encode(SignerHash(signer));
        let purpose = challenge.message.purpose();
        prop_assert_eq!(Challenge::decode(purpose, &bytes), Some((challenge, SignerHash(signer))));
    }

    #[test]
    fn plaintexts_accept_only_what_is_written(challenge in challenge(), place: prop::sample::Index, byte: u8, purpose in 1..=5_u8) {
        let mut bytes = challenge.encode(SignerHash([9; 16])).to_vec();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        if let Some((read, signer)) = Challenge::decode(Purpose::from_byte(purpose).unwrap(), &bytes) {
            prop_assert_eq!(&read.encode(signer)[..], &bytes[..]);
        }
    }

    #[test]
    fn links_accept_only_what_is_written(host in "[a-z0-9.:-]{1,60}", bytes in prop::collection::vec(any::<u8>(), 247)) {
        let sealed = SealedChallenge::from_bytes(bytes).unwrap();
        let text = format!("https://{host}/r#{}", digits::encode(sealed.as_bytes()));
        if let Ok(link) = QrLink::parse(&text) {
            prop_assert_eq!(link.to_string(), text);
            prop_assert_eq!(sealed_from_digits(&link.digits()), Ok(link.sealed));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn sealed_roundtrip(challenge in challenge(), ikm: [u8; 32]) {
        let pair = psk_pair();
        let sealed = SealedChallenge::seal(&pair.device, &challenge, &mut Bytes(&ikm)).unwrap();
        let link = QrLink { host: pair.device.host.clone(), sealed };
        let scanned = QrLink::parse(&link.to_string()).unwrap();
        prop_assert_eq!(&scanned, &link);
        let opened = read(&pair, scanned.sealed.as_bytes()).unwrap();
        prop_assert_eq!(opened.challenge(), &challenge);
        prop_assert_eq!(opened.handle(), pair.device.handle);
    }
}

#[test]
fn a_time_zone_out_of_range_is_sealed_as_the_limit() {
    let pair = psk_pair();
    for (given, read_back) in [(i16::MIN, -840), (-841, -840), (841, 840), (i16::MAX, 840)] {
        let mut challenge = common::reset(64);
        challenge.tz_offset_min = given;
        let sealed = common::seal(&pair.device, &challenge);
        assert_eq!(read(&pair, sealed.as_bytes()).unwrap().challenge().tz_offset_min, read_back);
    }
}

#[test]
fn masks() {
    for (address, masked) in [
        ("owner@example.com", "o***r@e***e.com"),
        ("a@b.example", "a***@b***.example"),
        ("bob@abc.example", "b***@a***.example"),
        ("first.last@mail.shop.example", "f***t@m***l.s***p.example"),
    ] {
        assert_eq!(Address::parse(address).unwrap().masked(), masked);
    }
}

#[test]
fn addresses() {
    let longest = format!("{}@{}.example", "l".repeat(64), ["d".repeat(63), "e".repeat(53)].join("."));
    for good in ["a@b.cd", "first.last+tag@a-b.example", "'*+/=?^_`{|}~!#$%&@x.example", "1@2.3a", &longest] {
        assert_eq!(Address::parse(good).unwrap().as_str(), good);
    }
    assert_eq!(longest.len(), 190);
    assert_eq!(Address::parse("\t Owner@EXAMPLE.Com\n").unwrap().as_str(), "Owner@example.com");
    for bad in [
        "",
        " ",
        "a",
        "a@",
        "@b.example",
        "a@b",
        "a@@b.example",
        "a@b@c.example",
        ".a@b.example",
        "a.@b.example",
        "a..b@c.example",
        "a b@c.example",
        "\"a b\"@c.example",
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        "a@b.1",
        "a@-b.example",
        "a@b-.example",
        "a@b..example",
        "a@b.example.",
        "a@b_c.example",
        "a,b@c.example",
        "a@b.example,c@d.example",
        "a@b.example\r\nBcc: c@d.example",
        "a\0@b.example",
        "ä@b.example",
        "a@ä.example",
        "<a@b.example>",
        "a(c)@b.example",
        &format!("{}@b.example", "l".repeat(65)),
        &format!("a@{}.example", "d".repeat(64)),
        &format!("l{longest}"),
    ] {
        assert!(Address::parse(bad).is_err(), "{bad:?}");
    }
    let one = Address::parse("a@b.example").unwrap();
    assert!(Addresses::new(vec![]).is_err());
    assert!(Addresses::new(vec![one.clone(), one.clone()]).is_err());
    let more = ["c@b.example", "d@b.example"].map(|text| Address::parse(text).unwrap());
    assert!(Addresses::new(vec![one.clone(), more[0].clone()]).is_ok());
    assert!(Addresses::new(vec![one, more[0].clone(), more[1].clone()]).is_err());
}

#[test]
fn hosts() {
    for good in [
        "localhost",
        "a.b",
        "127.0.0.1:8443",
        "10.0.0.2",
        "xn--bcher-kva.example",
        "a1-b.example:1",
        "3com.example",
        &"h".repeat(57),
    ] {
        assert_eq!(Host::parse(good).unwrap().as_str(), good);
    }
    for bad in [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "A.example",
        "a_b.example",
        "-a.example",
        "a-.example",
        "a b",
        "a/b",
        "a@b",
        "a#b",
        "a?b",
        "a.example:",
        "a.example:0",
        "a.example:080",
        "a.example:65536",
        "a.example:443",
        "a.example:1:2",
        "a.example:+1",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "01.2.3.4",
        "127.1",
        "1",
        "0x7f.1",
        "a.0x7f",
        "a.example.1",
        "[::1]",
        "::1",
        "bücher.example",
        "a\u{0}",
        &"h".repeat(58),
    ] {
        assert!(Host::parse(bad).is_err(), "{bad:?}");
    }
}
