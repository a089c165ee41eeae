//! What other versions wrote, and what is left out so that they read it.

use super::{pending, record};
use crate::{
    recovery::{
        Aim, BootId, Debt, Notice, Record, Which,
        record::{EndedBy, Share},
    },
    store::format,
};
use latchkey_protocol::{Door, platform::Sealed};

#[test]
fn what_versions_before_two_addresses_wrote_is_read_and_what_is_untouched_is_left_out() {
    // As they wrote it, to the byte.
    let body = r#"{"life":"01010101","challenge_counter":1,"password_phc":"$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$hash-number-1","password_epoch":1,"emails":[{"address":"o@example.com","confirmed":false}],"email_epoch":1,"console":{"sign_in_failures":0,"reset_tries":0,"issued_in":null},"lan":{"sign_in_failures":3,"reset_tries":5,"issued_in":[9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9]},"reset_to_tell":null}"#;
    let bytes = format::encode_record(7, Some(&record(1))).unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert_eq!(text.split_once('\n').unwrap().1, body);
    assert_eq!(format::decode_record(&bytes), Ok((7, Some(record(1)))));

    let notice = Notice { is_request: true, sealed: Sealed(pending(Door::Lan, 5).sealed.clone()) };
    let share = Share { tries: 5, issued_in: Some(BootId([9; 16])), ended: Some(EndedBy::Email) };
    let mut full = Record { notices: vec![notice; 8], ..record(1) };
    full.lan = Debt { confirm: share, ended: Some(EndedBy::Password), ..full.lan };
    let bytes = format::encode_record(8, Some(&full)).unwrap();
    assert!(bytes.len() < format::RECORD_BYTES_MAX / 2, "{} bytes with every notice", bytes.len());
    assert_eq!(format::decode_record(&bytes), Ok((8, Some(full))));

    let old = format::encode_pending(&pending(Door::Lan, 5)).unwrap();
    let mut confirming = pending(Door::Lan, 5);
    (confirming.aim, confirming.to) = (Aim::Confirm, Which::Second);
    let new = format::encode_pending(&confirming).unwrap();
    assert!(!String::from_utf8_lossy(&old).contains("aim") && String::from_utf8_lossy(&new).contains("aim"));
    assert_eq!(format::decode_pending(&old), Ok(pending(Door::Lan, 5)));
    assert_eq!(format::decode_pending(&new), Ok(confirming));
}

#[test]
fn a_record_of_a_version_that_knew_no_hooks_is_read_and_one_that_owes_none_is_for_it() {
    let owes = Record { hooks_owed: true, ..record(1) };
    for (record, is_told) in [(record(1), false), (owes, true)] {
        let bytes = format::encode_record(7, Some(&record)).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(text.contains("hooks_owed"), is_told, "{text}");
        assert_eq!(format::decode_record(&bytes), Ok((7, Some(record))));
    }
}
