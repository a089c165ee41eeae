//! The two addresses, in short stories with the heart alone: changing, confirming, and what they are told.

use crate::rules::{Device, password, refusal};
use latchkey::recovery::{
    Action, Notice, Refusal, Reply, Request, SessionToken, State, Stored, StoredRecord, Which, reply::Ended,
};
use latchkey_protocol::{Address, Challenge, Door, Message, Purpose};

const BEGIN: Request = Request::BeginReset { renew: false, to: None };

pub fn sign_in(device: &mut Device) -> SessionToken {
    match device.ask(Door::Lan, Request::SignIn { password: password("first pass phrase") }) {
        Ok(Reply::SignedIn { session, .. }) => session,
        other => panic!("{other:?}"),
    }
}

fn set(
    device: &mut Device,
    session: &SessionToken,
    which: Which,
    email: Option<&str>,
) -> Result<Reply, Refusal> {
    let email = email.map(|text| Address::parse(text).unwrap());
    let current = password("first pass phrase");
    let session = session.clone();
    device.ask(Door::Lan, Request::SetReservedEmail { session, current, which, email })
}

fn record(device: &Device) -> latchkey::recovery::Record {
    match &device.flash {
        StoredRecord::Whole(record) => (**record).clone(),
        other => panic!("{other:?}"),
    }
}

fn opened(device: &Device) -> Vec<Challenge> {
    let notices: Vec<Notice> = device.state.notices().to_vec();
    notices.iter().map(|notice| device.keys.open(&notice.sealed.0).unwrap()).collect()
}

/// The daemon starts again, in the same boot, with nothing on tmpfs.
fn crash(device: &mut Device) {
    let stored = Stored::of(device.flash.clone());
    device.state = State::boot(device.context.clone(), stored, device.now);
}

#[test]
fn why_a_code_ended_is_known_after_a_crash() {
    let mut device = Device::active(|_| {});
    let session = sign_in(&mut device);
    assert!(device.ask(Door::Lan, BEGIN).is_ok());
    set(&mut device, &session, Which::Primary, Some("other@mail.example")).unwrap();
    crash(&mut device);
    let ended = |why| Refusal::NoChallenge(why);
    assert_eq!(refusal(device.ask(Door::Lan, Request::ViewChallenge)), ended(Ended::EmailChanged));
    assert_eq!(refusal(device.ask(Door::Console, Request::ViewChallenge)), ended(Ended::NeverAsked));

    device.now.boottime_ms += 60_000;
    assert!(device.ask(Door::Lan, BEGIN).is_ok());
    let session = sign_in(&mut device);
    let (current, new) = (password("first pass phrase"), password("second pass phrase"));
    device.ask(Door::Lan, Request::ChangePassword { session, current, new }).unwrap();
    crash(&mut device);
    assert_eq!(refusal(device.ask(Door::Lan, Request::ViewChallenge)), ended(Ended::PasswordChanged));
}

#[test]
fn saving_what_is_stored_changes_nothing() {
    let mut device = Device::active(|_| {});
    let session = sign_in(&mut device);
    assert!(device.ask(Door::Lan, BEGIN).is_ok());
    let before = record(&device);
    for _ in 0..2 {
        let saved = set(&mut device, &session, Which::Primary, Some("owner@mail.example"));
        assert!(matches!(saved, Ok(Reply::ReservedEmailSet)));
        assert!(matches!(set(&mut device, &session, Which::Second, None), Ok(Reply::ReservedEmailSet)));
    }
    let after = record(&device);
    assert_eq!((after.emails, after.email_epoch), (before.emails, before.email_epoch));
    assert!(device.ask(Door::Lan, Request::ViewChallenge).is_ok() && device.state.notices().is_empty());
}

#[test]
fn a_confirmed_address_stays_so_in_the_other_place_and_a_new_one_is_not() {
    let mut device = Device::active(|_| {});
    let session = sign_in(&mut device);
    set(&mut device, &session, Which::Second, Some("second@mail.example")).unwrap();
    let confirm =
        || Request::BeginConfirmation { session: session.clone(), which: Which::Second, renew: false };
    assert!(matches!(device.ask(Door::Lan, confirm()), Ok(Reply::Challenge(_))));
    let code = device.code();
    let typed = Request::ConfirmEmail { session: session.clone(), code };
    assert!(matches!(device.ask(Door::Lan, typed), Ok(Reply::EmailConfirmed)));
    let again = refusal(device.ask(Door::Lan, confirm()));
    assert_eq!(again, Refusal::NoChallenge(Ended::Confirmed));
    let marks =
        |device: &Device| record(device).emails.iter().map(|email| email.confirmed).collect::<Vec<_>>();
    assert_eq!(marks(&device), [false, true]);
    set(&mut device, &session, Which::Primary, None).unwrap();
    assert_eq!(marks(&device), [true]);
    set(&mut device, &session, Which::Primary, Some("third@mail.example")).unwrap();
    assert_eq!(marks(&device), [false]);
    let same = refusal(set(&mut device, &session, Which::Second, Some("Third@MAIL.example")));
    assert_eq!(same, Refusal::SameEmail);
}

#[test]
fn two_addresses_that_do_not_fit_one_notice_get_one_each() {
    let long = |letter: char| {
        let part = |count| letter.to_string().repeat(count);
        format!("{}@{}.{}.example", part(60), part(50), part(40))
    };
    let mut device = Device::active(|_| {});
    let session = sign_in(&mut device);
    set(&mut device, &session, Which::Primary, Some(&long('a'))).unwrap();
    set(&mut device, &session, Which::Second, Some(&long('b'))).unwrap();
    device.step(Action::NoticesDone(device.state.notices().iter().map(|n| n.sealed.clone()).collect()));
    assert!(device.state.notices().is_empty() && record(&device).notices.is_empty());
    set(&mut device, &session, Which::Second, None).unwrap();
    let told: Vec<_> = opened(&device)
        .iter()
        .map(|notice| {
            assert_eq!(notice.message, Message::AddressChanged);
            notice.addresses.iter().map(|a| a.as_str().to_owned()).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(told, [[long('a')], [long('b')]]);
}

#[test]
fn a_code_goes_to_the_address_that_was_chosen_alone() {
    let mut device = Device::active(|_| {});
    let session = sign_in(&mut device);
    set(&mut device, &session, Which::Second, Some("second@mail.example")).unwrap();
    let to = |to| Request::BeginReset { renew: false, to };
    for (asked, expected) in [
        (None, "owner@mail.example"),
        (Some(Which::Second), "second@mail.example"),
        (None, "second@mail.example"),
        (Some(Which::Primary), "owner@mail.example"),
    ] {
        device.now.boottime_ms += 3_600_000;
        assert!(device.ask(Door::Console, to(asked)).is_ok());
        let challenge = device.keys.open(&device.tmpfs.as_ref().unwrap().sealed).unwrap();
        let addresses: Vec<_> = challenge.addresses.iter().map(|a| a.as_str().to_owned()).collect();
        assert_eq!((challenge.message.purpose(), addresses), (Purpose::Reset, vec![expected.to_owned()]));
    }
    let session = sign_in(&mut device);
    set(&mut device, &session, Which::Second, None).unwrap();
    device.now.boottime_ms += 3_600_000;
    assert_eq!(refusal(device.ask(Door::Console, to(Some(Which::Second)))), Refusal::NoSuchEmail);
}
