//! The reserved emails: confirmed, set, chosen for a code.

use super::*;
use crate::api::Email;

/// Both addresses, and whether each is confirmed.
fn with_both(confirmed: [bool; 2]) -> Device {
    Device {
        masked_emails: vec!["o***r@e***e.org".to_owned(), "s***d@e***e.org".to_owned()],
        emails_confirmed: confirmed.to_vec(),
        ..device(Lifecycle::Active)
    }
}

fn described(desk: &mut Desk, device: Device) {
    desk.answer(Request::Device { session: None }, Ok(Answer::Device(device)));
}

fn signed_in(device: Device) -> Desk {
    let mut desk = Desk::new(Lifecycle::Active);
    let session = Session { session: secret("s"), reset_to_tell: None };
    desk.answer(Request::SignIn { password: secret("p") }, Ok(Answer::Session(session)));
    described(&mut desk, device);
    desk
}

fn aim() -> Aim {
    Aim::Confirm { session: secret("s") }
}

fn matrix() -> Result<Answer, Failure> {
    Ok(Answer::Matrix(Matrix { rows: vec!["1".repeat(21); 21] }))
}

/// At its start: nobody has asked for a code yet.
fn at_the_start(desk: &mut Desk, which: Which) {
    let look = desk.asks(Action::ConfirmEmail(which));
    assert!(matches!(&look, Request::Challenge(asked) if *asked == aim()), "{look:?}");
    desk.refused(look, "no-challenge", |problem| problem.reason = Some("never-asked".to_owned()));
    assert_eq!((desk.state.screen, desk.state.busy), (Screen::ConfirmEmail, false));
    assert!(desk.state.notice.is_none(), "nothing has ended");
}

#[test]
fn an_address_is_confirmed_with_a_phone() {
    let mut desk = signed_in(device(Lifecycle::Active));
    assert_eq!(desk.state.unconfirmed(), [(Which::Primary, "o***r@e***e.org")]);
    at_the_start(&mut desk, Which::Primary);
    let begin = desk.asks(Action::ConfirmByQr);
    assert!(
        matches!(begin, Request::BeginConfirmation { which: Which::Primary, renew: false, .. }),
        "{begin:?}"
    );
    let effects = desk.answer(begin, Ok(Answer::Challenge(challenge())));
    assert!(
        matches!(&effects[..], [Effect::Ask(Request::Matrix(asked))] if *asked == aim()),
        "nothing is sent: {effects:?}"
    );
    desk.answer(Request::Matrix(aim()), matrix());
    assert_eq!(desk.state.screen, Screen::Qr);
    desk.press(Action::Enlarge);
    desk.press(Action::Back);
    desk.press(Action::ToCode);
    desk.type_into(Field::Code, "12345678");
    let confirm = desk.asks(Action::SendCode);
    assert!(matches!(confirm, Request::ConfirmEmail { .. }), "{confirm:?}");
    desk.refused(confirm, "wrong-code", |problem| problem.tries_left = Some(4));
    assert_eq!(desk.state.challenge.as_ref().unwrap().challenge.tries_left, 4);
    assert!(desk.state.fields.are_empty());
    desk.type_into(Field::Code, "87654321");
    let confirm = desk.asks(Action::SendCode);
    let effects = desk.answer(confirm, Ok(Answer::Done));
    assert!(matches!(effects[..], [Effect::Ask(Request::Device { .. })]), "{effects:?}");
    assert_eq!((desk.state.screen, desk.state.confirming), (Screen::Live, None));
    assert!(matches!(desk.state.notice, Some(Notice::Said { title: "confirm-done", .. })));
    let confirmed = Device { emails_confirmed: vec![true], ..device(Lifecycle::Active) };
    described(&mut desk, confirmed);
    assert!(desk.state.unconfirmed().is_empty());
}

#[test]
fn the_recorder_sends_the_code_that_confirms_an_address_by_itself() {
    let mut desk = signed_in(with_both([true, false]));
    assert_eq!(desk.state.unconfirmed(), [(Which::Second, "s***d@e***e.org")]);
    at_the_start(&mut desk, Which::Second);
    let begin = desk.asks(Action::ConfirmBySending);
    assert!(matches!(begin, Request::BeginConfirmation { which: Which::Second, .. }), "{begin:?}");
    let to_second = || Challenge { to: Which::Second, ..challenge() };
    let effects = desk.answer(begin, Ok(Answer::Challenge(to_second())));
    assert!(
        matches!(&effects[..], [Effect::Ask(Request::Matrix(_)), Effect::Ask(Request::SendChallenge(asked))] if *asked == aim()),
        "{effects:?}"
    );
    assert_eq!(desk.state.screen, Screen::Code);
    desk.answer(Request::Matrix(aim()), matrix());
    let queued = Mail { state: Some("queued".to_owned()), reason: None };
    desk.answer(Request::SendChallenge(aim()), Ok(Answer::Mail(queued)));
    desk.now_ms += POLL_MS;
    let effects = desk.event(Event::Tick);
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Ask(Request::SentChallenge(asked)) if *asked == aim())),
        "its mail is followed: {effects:?}"
    );
    // The next time, what is under way is shown at once.
    desk.press(Action::Back);
    desk.press(Action::Back);
    desk.press(Action::Back);
    assert_eq!((desk.state.screen, desk.state.confirming), (Screen::Live, None));
    let look = desk.asks(Action::ConfirmEmail(Which::Second));
    desk.answer(look, Ok(Answer::Challenge(to_second())));
    assert_eq!(desk.state.screen, Screen::Qr);
}

#[test]
fn a_code_for_the_other_address_is_not_shown() {
    let mut desk = signed_in(with_both([false, false]));
    let look = desk.asks(Action::ConfirmEmail(Which::Second));
    assert!(desk.answer(look, Ok(Answer::Challenge(challenge()))).is_empty());
    assert_eq!((desk.state.screen, desk.state.busy), (Screen::ConfirmEmail, false));
}

#[test]
fn why_a_code_that_confirms_is_over_is_told_where_a_new_one_is_asked_for() {
    let mut desk = signed_in(device(Lifecycle::Active));
    at_the_start(&mut desk, Which::Primary);
    let begin = desk.asks(Action::ConfirmByQr);
    desk.answer(begin, Ok(Answer::Challenge(challenge())));
    desk.answer(Request::Matrix(aim()), matrix());
    desk.refused(Request::Challenge(aim()), "no-challenge", |problem| {
        problem.reason = Some("too-many-tries".to_owned());
    });
    assert_eq!((desk.state.screen, desk.state.challenge.is_some()), (Screen::ConfirmEmail, false));
    assert!(matches!(desk.state.notice, Some(Notice::Refused { .. })));
    // Somebody else has confirmed it meanwhile.
    let begin = desk.asks(Action::ConfirmByQr);
    desk.refused(begin, "no-challenge", |problem| problem.reason = Some("confirmed".to_owned()));
    assert_eq!(desk.state.screen, Screen::Live);
    assert!(matches!(desk.state.notice, Some(Notice::Said { title: "confirm-done", .. })));
}

#[test]
fn who_goes_away_while_an_address_is_confirmed_is_signed_out() {
    let mut desk = signed_in(device(Lifecycle::Active));
    at_the_start(&mut desk, Which::Primary);
    let begin = desk.asks(Action::ConfirmByQr);
    desk.answer(begin, Ok(Answer::Challenge(challenge())));
    desk.answer(Request::Matrix(aim()), matrix());
    desk.now_ms += IDLE_MS + 1;
    let effects = desk.event(Event::Tick);
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::Ask(Request::SignOut { .. }))),
        "{effects:?}"
    );
    assert_eq!((desk.state.screen, desk.state.challenge.is_some()), (Screen::SignIn, false));
}

#[test]
fn what_cannot_be_confirmed_is_not_warned_of() {
    let no_identity = Device { reset_by_email: "no-identity".to_owned(), ..device(Lifecycle::Active) };
    let mut desk = signed_in(no_identity);
    assert!(desk.state.unconfirmed().is_empty());
    described(&mut desk, device(Lifecycle::Active));
    desk.press(Action::ConfirmLater);
    assert!(desk.state.later && !desk.state.unconfirmed().is_empty(), "the configuration still tells");
}

#[test]
fn a_second_address_is_set_and_removed() {
    let mut desk = signed_in(with_both([true, false]));
    let email = |address: &str| Email { address: Zeroizing::new(address.to_owned()), confirmed: true };
    let emails = |addresses: &[&str]| Ok(Answer::Emails(addresses.iter().map(|one| email(one)).collect()));
    let read = || Request::ReservedEmails { session: secret("s") };
    desk.answer(read(), emails(&["a@b.example"]));
    desk.press(Action::EditEmail(Which::Second));
    assert!(desk.press(Action::SaveEmail).is_empty());
    assert_eq!(desk.state.fault, Some((Field::Email, "panel-email-empty")));
    desk.type_into(Field::Email, "c@d.example");
    desk.type_into(Field::Current, "p");
    let set = desk.asks(Action::SaveEmail);
    assert!(
        matches!(&set, Request::SetReservedEmail { which: Which::Second, email: Some(_), .. }),
        "{set:?}"
    );
    desk.refused(set, "same-email", |_| {});
    assert_eq!(desk.state.screen, Screen::EditEmail);
    let set = desk.asks(Action::SaveEmail);
    let effects = desk.answer(set, Ok(Answer::Done));
    assert!(
        matches!(
            effects[..],
            [Effect::Ask(Request::Device { .. }), Effect::Ask(Request::ReservedEmails { .. })]
        ),
        "{effects:?}"
    );
    desk.answer(read(), emails(&["a@b.example", "c@d.example"]));
    assert_eq!((desk.state.screen, desk.state.emails.len()), (Screen::ReservedEmail, 2));
    assert!(desk.state.fields.are_empty(), "the password is asked for again");
    assert!(matches!(desk.state.notice, Some(Notice::Said { text: "panel-second-saved", .. })));
    // The first one goes, and the second one takes its place.
    desk.press(Action::EditEmail(Which::Primary));
    desk.type_into(Field::Current, "p");
    desk.press(Action::RemoveEmail);
    let remove = desk.asks(Action::ConfirmRemoveEmail);
    assert!(
        matches!(&remove, Request::SetReservedEmail { which: Which::Primary, email: None, .. }),
        "{remove:?}"
    );
    desk.answer(remove, Ok(Answer::Done));
    assert!(matches!(desk.state.notice, Some(Notice::Said { text: "panel-first-removed", .. })));
    desk.answer(read(), emails(&["c@d.example"]));
    desk.press(Action::Back);
    assert!(desk.state.emails.is_empty(), "they are behind the password");
}

#[test]
fn confirming_leads_back_to_the_addresses_if_it_began_there() {
    let mut desk = signed_in(with_both([false, false]));
    let email = |confirmed| Email { address: Zeroizing::new("a@b.example".to_owned()), confirmed };
    let read = || Request::ReservedEmails { session: secret("s") };
    desk.answer(read(), Ok(Answer::Emails(vec![email(false)])));
    at_the_start(&mut desk, Which::Primary);
    desk.press(Action::Back);
    assert_eq!((desk.state.screen, desk.state.emails.len()), (Screen::ReservedEmail, 1));
    at_the_start(&mut desk, Which::Primary);
    let begin = desk.asks(Action::ConfirmByQr);
    desk.answer(begin, Ok(Answer::Challenge(challenge())));
    desk.answer(Request::Matrix(aim()), matrix());
    desk.press(Action::ToCode);
    desk.type_into(Field::Code, "87654321");
    let confirm = desk.asks(Action::SendCode);
    let effects = desk.answer(confirm, Ok(Answer::Done));
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::Ask(Request::ReservedEmails { .. }))),
        "{effects:?}"
    );
    desk.answer(read(), Ok(Answer::Emails(vec![email(true)])));
    assert_eq!(desk.state.screen, Screen::ReservedEmail);
    assert!(desk.state.emails[0].confirmed && desk.state.notice.is_some());
}

#[test]
fn with_two_addresses_the_person_chooses_where_the_code_of_a_reset_goes() {
    let mut desk = Desk::new(Lifecycle::Active);
    described(&mut desk, with_both([true, true]));
    desk.press(Action::Forgot);
    desk.press(Action::ByEmail);
    assert_eq!(desk.state.screen, Screen::ChooseEmail);
    desk.press(Action::SendTo(Which::Primary));
    desk.press(Action::Back);
    assert_eq!(desk.state.screen, Screen::ChooseEmail, "the choice can be changed");
    desk.press(Action::SendTo(Which::Second));
    assert_eq!(desk.state.screen, Screen::Disclaimer);
    let begin = desk.asks(Action::Accept);
    assert!(matches!(begin, Request::BeginReset { renew: false, to: Some(Which::Second) }), "{begin:?}");
    desk.answer(begin, Ok(Answer::Challenge(Challenge { to: Which::Second, ..challenge() })));
    desk.answer(Request::Matrix(Aim::Reset), matrix());
    desk.press(Action::Renew);
    let renew = desk.asks(Action::ConfirmRenew);
    assert!(matches!(renew, Request::BeginReset { renew: true, to: None }), "to the same: {renew:?}");
    // One that is under way was agreed to; the other address makes a new one.
    desk.answer(renew, Ok(Answer::Challenge(challenge())));
    desk.answer(Request::Matrix(Aim::Reset), matrix());
    desk.press(Action::Home);
    described(&mut desk, Device { pending_doors: vec!["console".to_owned()], ..with_both([true, true]) });
    desk.press(Action::Forgot);
    desk.press(Action::ByEmail);
    let begin = desk.asks(Action::SendTo(Which::Second));
    assert!(matches!(begin, Request::BeginReset { renew: false, to: Some(Which::Second) }), "{begin:?}");
}
