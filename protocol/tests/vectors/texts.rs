//! Digits, codes, addresses, hosts, links and tags: what is read and what is refused.

use crate::{check, common::address, hex, noise};
use latchkey_protocol::{
    Address, Code, Host, QrLink, Tag, digits,
    link::{LinkError, sealed_from_digits},
};
use serde_json::{Value, json};

fn link_refusal(error: LinkError) -> &'static str {
    match error {
        LinkError::Host | LinkError::HostTooLong => "host",
        LinkError::NotALink => "not_a_link",
        LinkError::Digits(_) => "digits",
        LinkError::Length => "length",
    }
}

#[test]
fn texts() {
    let tags = [&b""[..], b"latchkey", &[0; 247], &[0xff; 375]];
    let bytes: Vec<Vec<u8>> = (0..=15).map(|len| noise("digits")[..len].to_vec()).collect();
    let extremes = [vec![0; 8], vec![0xff; 9], vec![0; 7], vec![0xff; 7]];
    let bad_digits = [
        "1",
        "12",
        "1234",
        "256",
        "999",
        "65536",
        "99999",
        "16777216",
        "1234567",
        "72057594037927936",
        "-01",
        "+01",
        "1 2",
        "٠٠٠",
        "0000000000000000000",
        "12a",
    ];
    for text in bad_digits {
        assert!(digits::decode(text).is_err(), "{text}");
    }
    let codes = [
        ("00001234", 1_234),
        ("99999999", 99_999_999),
        (" 0000 1234\r\n", 1_234),
        ("0000-1234", 1_234),
        ("00.00.12.34", 1_234),
        ("0000\u{a0}1234", 1_234),
        ("0000\u{2013}1234", 1_234),
        ("\u{feff}00001234\u{200b}", 1_234),
    ];
    for (text, number) in codes {
        assert_eq!(Code::parse(text).unwrap().number(), number);
    }
    let bad_codes = [
        "",
        "1234567",
        "123456789",
        "0000123a",
        "0x001234",
        "+0001234",
        "0000_1234",
        "٠٠٠٠١٢٣٤",
        "0000/1234",
    ];
    for text in bad_codes {
        assert!(Code::parse(text).is_err(), "{text}");
    }
    let longest = address(190).as_str().to_owned();
    let addresses = [
        "owner@example.com",
        "a@b.example",
        "bob@abc.example",
        "first.last+tag@mail.shop.example",
        " Owner@EXAMPLE.com\n",
        "!#$%&'*+-/=?^_`{|}~@x.example",
        &longest,
    ];
    let addresses: Vec<Value> = addresses
        .iter()
        .map(|text| {
            let address = Address::parse(text).unwrap();
            json!({ "typed": text, "address": address.as_str(), "masked": address.masked() })
        })
        .collect();
    let too_long = format!("x{longest}");
    let long_local = format!("{}@b.example", "l".repeat(65));
    let long_label = format!("a@{}.example", "d".repeat(64));
    let bad_addresses = [
        "",
        "a",
        "a@b",
        "@b.example",
        "a@",
        "a@b@c.example",
        ".a@b.example",
        "a.@b.example",
        "a..b@c.example",
        "a b@c.example",
        "\"a\"@b.example",
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        "a@b.example.",
        "a@-b.example",
        "a@b-.example",
        "a@b_c.example",
        "a,b@c.example",
        "a@b.example\r\nBcc: c@d.example",
        "ä@b.example",
        "a@ä.example",
        &too_long,
        &long_local,
        &long_label,
    ];
    for text in bad_addresses {
        assert!(Address::parse(text).is_err(), "{text}");
    }
    let longest_host = "h".repeat(57);
    let hosts = [
        "latchkey.example",
        "localhost",
        "127.0.0.1:8443",
        "a-1.b",
        "xn--bcher-kva.example:1",
        &longest_host,
    ];
    for text in hosts {
        assert!(Host::parse(text).is_ok(), "{text}");
    }
    let long_host = "h".repeat(58);
    let bad_hosts = [
        "",
        "A.example",
        "a..b",
        "a.",
        ".a",
        "-a",
        "a-",
        "a_b",
        "a.example:443",
        "a.example:0",
        "a.example:080",
        "a.example:65536",
        "a.example:",
        "[::1]",
        "1.2.3",
        "256.0.0.1",
        "01.2.3.4",
        "0x7f.1",
        "a.1",
        "a.0x1f",
        "user@host",
        &long_host,
    ];
    for text in bad_hosts {
        assert!(Host::parse(text).is_err(), "{text}");
    }
    let whole = digits::encode(&[7; 247]);
    let links = [
        ("http", format!("http://a.example/r#{whole}")),
        ("capitals", format!("HTTPS://a.example/r#{whole}")),
        ("another path", format!("https://a.example/x#{whole}")),
        ("a query", format!("https://a.example/r?#{whole}")),
        ("no digits", "https://a.example/r#".to_owned()),
        ("a digit short", format!("https://a.example/r#{}", &whole[1..])),
        ("a letter", format!("https://a.example/r#x{}", &whole[1..])),
        ("a group out of range", format!("https://a.example/r#9{}", &whole[1..])),
        ("248 bytes", format!("https://a.example/r#{}", digits::encode(&[7; 248]))),
        ("a user before the host", format!("https://b@a.example/r#{whole}")),
        ("the default port", format!("https://a.example:443/r#{whole}")),
    ];
    let links: Vec<Value> = links
        .iter()
        .map(|(name, text)| {
            json!({ "name": name, "text": text, "refused": link_refusal(QrLink::parse(text).unwrap_err()) })
        })
        .collect();
    assert!(sealed_from_digits(&whole).is_ok());
    check(
        "texts.json",
        &json!({
            "tags": tags.map(|bytes| json!({ "bytes": hex(bytes), "tag": Tag::of(bytes).to_string() })),
            "digits": bytes.iter().chain(&extremes)
                .map(|bytes| json!({ "bytes": hex(bytes), "digits": digits::encode(bytes) })).collect::<Vec<_>>(),
            "digits_refused": bad_digits,
            "codes": codes.map(|(typed, number)| json!({ "typed": typed, "number": number })),
            "codes_refused": bad_codes,
            "addresses": addresses,
            "addresses_refused": bad_addresses,
            "hosts": hosts,
            "hosts_refused": bad_hosts,
            "links_refused": links,
        }),
    );
}
