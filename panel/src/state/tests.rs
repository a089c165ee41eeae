#![allow(clippy::unwrap_used, reason = "tests")]
mod emails;

use super::*;
use crate::{
    api::{Aim, Answer, Challenge, Failure, Grant, Mail, Matrix, Platform, Problem, Session},
    text::Edit,
};
use zeroize::Zeroizing;

fn secret(text: &str) -> Secret {
    Secret(Zeroizing::new(text.to_owned()))
}

fn device(lifecycle: Lifecycle) -> Device {
    Device {
        lifecycle,
        serial: "LK-1".to_owned(),
        model: "Recorder".to_owned(),
        version: "1".to_owned(),
        masked_emails: vec!["o***r@e***e.org".to_owned()],
        emails_confirmed: vec![false],
        reset_by_email: "offered".to_owned(),
        pending_doors: vec![],
        platform: "off".to_owned(),
        signed_in: false,
        password_chars_min: 8,
        certificate_sha256: "00".repeat(32),
    }
}

struct Desk {
    state: State,
    now_ms: u64,
}

impl Desk {
    fn new(lifecycle: Lifecycle) -> Self {
        let preferences = Preferences { large_text: false, high_contrast: false, layout: "us".to_owned() };
        let mut desk = Self { state: State::new(preferences, true), now_ms: 0 };
        assert!(matches!(desk.event(Event::Tick)[..], [Effect::Ask(Request::Device { session: None })]));
        desk.answer(Request::Device { session: None }, Ok(Answer::Device(device(lifecycle))));
        desk
    }

    fn event(&mut self, event: Event) -> Vec<Effect> {
        self.state.step(self.now_ms, event)
    }

    fn press(&mut self, action: Action) -> Vec<Effect> {
        self.event(Event::Press(action))
    }

    fn answer(&mut self, request: Request, answer: Result<Answer, Failure>) -> Vec<Effect> {
        self.event(Event::Answered(Box::new((request, answer))))
    }

    fn type_into(&mut self, field: Field, text: &str) {
        for char in text.chars() {
            self.event(Event::Edit(field, Edit::Insert(char)));
        }
    }

    /// Presses, and gives the one request that comes of it.
    fn asks(&mut self, action: Action) -> Request {
        let mut effects = self.press(action);
        assert_eq!(effects.len(), 1, "{effects:?}");
        match effects.remove(0) {
            Effect::Ask(request) => request,
            other => unreachable!("{other:?}"),
        }
    }

    fn refused(&mut self, request: Request, name: &str, change: impl FnOnce(&mut Problem)) {
        let mut problem = Problem { kind: format!("urn:latchkey:problem:{name}"), ..Problem::default() };
        change(&mut problem);
        self.answer(request, Err(Failure::Refused(Box::new(problem))));
    }
}

fn challenge() -> Challenge {
    Challenge {
        id: "ab".to_owned(),
        tag: "7K3F".to_owned(),
        to: Which::Primary,
        masked_emails: vec![],
        valid_s: 100,
        tries_left: 5,
        renew_wait_s: 30,
        cloud_host: "a.example".to_owned(),
        mailbox: Some("recovery@a.example".to_owned()),
    }
}

fn at_the_code(desk: &mut Desk) {
    desk.press(Action::Forgot);
    desk.press(Action::ByEmail);
    assert_eq!(desk.state.screen, Screen::Disclaimer);
    let begin = desk.asks(Action::Accept);
    let effects = desk.answer(begin, Ok(Answer::Challenge(challenge())));
    assert!(matches!(effects[..], [Effect::Ask(Request::Matrix(Aim::Reset))]));
    let row = "1".repeat(21);
    desk.answer(Request::Matrix(Aim::Reset), Ok(Answer::Matrix(Matrix { rows: vec![row; 21] })));
    assert_eq!(desk.state.screen, Screen::Qr);
    desk.press(Action::ToCode);
    assert_eq!(desk.state.screen, Screen::Code);
}

#[test]
fn a_whole_reset() {
    let mut desk = Desk::new(Lifecycle::Active);
    at_the_code(&mut desk);
    desk.type_into(Field::Code, "123");
    assert!(desk.press(Action::SendCode).is_empty());
    assert_eq!(desk.state.fault, Some((Field::Code, "code-missing")));
    desk.type_into(Field::Code, "4 56-78");
    let verify = desk.asks(Action::SendCode);
    desk.refused(verify, "wrong-code", |problem| problem.tries_left = Some(4));
    assert_eq!(desk.state.challenge.as_ref().unwrap().challenge.tries_left, 4);
    assert!(desk.state.fields.are_empty());
    desk.type_into(Field::Code, "87654321");
    let verify = desk.asks(Action::SendCode);
    desk.answer(verify, Ok(Answer::Grant(Grant { grant: secret("g"), valid_s: 600 })));
    assert_eq!((desk.state.screen, desk.state.fields.are_empty()), (Screen::NewPassword, true));
    desk.type_into(Field::Password, "New horse 1");
    assert!(desk.press(Action::SetPassword).is_empty());
    assert_eq!(desk.state.fault, Some((Field::Repeat, "error-repeat")));
    desk.type_into(Field::Repeat, "New horse 1");
    let set = desk.asks(Action::SetPassword);
    assert!(desk.press(Action::SetPassword).is_empty(), "one at a time");
    desk.answer(set, Ok(Answer::Done));
    assert_eq!((desk.state.screen, desk.state.fields.are_empty()), (Screen::Complete, true));
    desk.press(Action::Home);
    assert_eq!(desk.state.screen, Screen::SignIn);
}

#[test]
fn the_ten_minutes_of_a_new_password_end_by_themselves() {
    let mut desk = Desk::new(Lifecycle::Active);
    at_the_code(&mut desk);
    desk.type_into(Field::Code, "87654321");
    let verify = desk.asks(Action::SendCode);
    desk.answer(verify, Ok(Answer::Grant(Grant { grant: secret("g"), valid_s: 600 })));
    desk.type_into(Field::Password, "New");
    desk.now_ms += 599_000;
    desk.event(Event::Input);
    desk.event(Event::Tick);
    assert_eq!(desk.state.screen, Screen::NewPassword);
    desk.now_ms += 2_000;
    desk.event(Event::Tick);
    assert!(desk.state.screen != Screen::NewPassword && desk.state.fields.are_empty());
    assert!(desk.state.notice.is_some());
}

#[test]
fn what_was_typed_goes_with_its_screen() {
    let mut desk = Desk::new(Lifecycle::Active);
    desk.type_into(Field::Password, "Correct horse 1");
    desk.press(Action::Device);
    assert!(desk.state.fields.are_empty());
    desk.press(Action::Back);
    desk.type_into(Field::Password, "Correct horse 1");
    desk.now_ms += IDLE_MS + 1;
    desk.event(Event::Tick);
    assert!(desk.state.fields.are_empty());
}

#[test]
fn a_daemon_that_goes_and_comes_back_keeps_the_screen() {
    let mut desk = Desk::new(Lifecycle::Active);
    at_the_code(&mut desk);
    desk.type_into(Field::Code, "1234");
    let lost = || Err(Failure::Unreachable("gone".to_owned()));
    desk.answer(Request::Device { session: None }, lost());
    assert_eq!((&desk.state.link, desk.state.screen), (&Link::Lost, Screen::Code));
    desk.type_into(Field::Code, "5678");
    assert!(desk.press(Action::SendCode).is_empty(), "nothing is sent to nobody");
    desk.now_ms += POLL_LOST_MS;
    assert!(!desk.event(Event::Tick).is_empty(), "asked again after a second");
    desk.answer(Request::Device { session: None }, Ok(Answer::Device(device(Lifecycle::Active))));
    assert_eq!((&desk.state.link, desk.state.screen), (&Link::Up, Screen::Code));
    desk.asks(Action::SendCode);
    desk.answer(Request::VerifyCode { code: secret("x") }, Err(Failure::Garbage("HTTP".to_owned())));
    assert_eq!((&desk.state.link, desk.state.busy), (&Link::Garbage, false));
}

#[test]
fn who_looks_aside_comes_back_to_the_same_code() {
    let mut desk = Desk::new(Lifecycle::Active);
    at_the_code(&mut desk);
    desk.press(Action::Back);
    for aside in [Action::Display, Action::Device] {
        desk.press(aside);
        assert!(!desk.state.shows_challenge());
        desk.press(Action::Back);
        assert_eq!((desk.state.screen, desk.state.challenge.is_some()), (Screen::Qr, true));
    }
    desk.press(Action::ToCode);
    desk.type_into(Field::Code, "87654321");
    let verify = desk.asks(Action::SendCode);
    desk.answer(verify, Ok(Answer::Grant(Grant { grant: secret("g"), valid_s: 600 })));
    desk.press(Action::Display);
    desk.press(Action::Back);
    assert_eq!((desk.state.screen, desk.state.grant_s()), (Screen::NewPassword, 600));
    desk.press(Action::Home);
    desk.press(Action::Display);
    desk.press(Action::Back);
    assert_eq!((desk.state.screen, desk.state.challenge.is_some()), (Screen::SignIn, false));
    assert_eq!(desk.state.grant_s(), 0);
}

#[test]
fn a_challenge_that_ends_at_another_door_is_told_with_its_reason() {
    let mut desk = Desk::new(Lifecycle::Active);
    at_the_code(&mut desk);
    desk.refused(Request::Challenge(Aim::Reset), "no-challenge", |problem| {
        problem.reason = Some("email-changed".to_owned())
    });
    assert_eq!((desk.state.screen, desk.state.challenge.is_some()), (Screen::Ways, false));
    assert!(
        matches!(&desk.state.notice, Some(Notice::Refused { problem, .. }) if problem.reason.as_deref() == Some("email-changed"))
    );
}

#[test]
fn waiting_counts_down_and_nothing_is_sent_before() {
    let mut desk = Desk::new(Lifecycle::Active);
    desk.type_into(Field::Password, "wrong");
    let sign_in = desk.asks(Action::SignIn);
    desk.refused(sign_in, "wrong-password", |problem| problem.wait_s = Some(30));
    desk.type_into(Field::Password, "right");
    assert!(desk.press(Action::SignIn).is_empty());
    desk.now_ms += 29_000;
    desk.event(Event::Tick);
    assert_eq!(desk.state.wait_s(), 1);
    desk.now_ms += 1_000;
    desk.event(Event::Tick);
    desk.asks(Action::SignIn);
}

#[test]
fn the_settings_icon_wants_the_password_and_carries_it_on() {
    let mut desk = Desk::new(Lifecycle::Active);
    let session = Session { session: secret("s"), reset_to_tell: None };
    desk.answer(Request::SignIn { password: secret("p") }, Ok(Answer::Session(session)));
    assert_eq!(desk.state.screen, Screen::Live);
    for action in [Action::Menu, Action::Configuration, Action::Users, Action::Admin] {
        desk.press(action);
    }
    assert!(desk.press(Action::ReservedEmail).is_empty());
    assert!(desk.state.fault.is_some());
    desk.type_into(Field::Current, "p");
    let verify = desk.asks(Action::ReservedEmail);
    let effects = desk.answer(verify, Ok(Answer::Done));
    assert!(matches!(effects[..], [Effect::Ask(Request::ReservedEmails { .. })]));
    desk.answer(Request::ReservedEmails { session: secret("s") }, Ok(Answer::Emails(vec![])));
    assert_eq!(desk.state.screen, Screen::ReservedEmail);
    desk.press(Action::EditEmail(Which::Primary));
    desk.type_into(Field::Email, "a@b.example");
    let Request::SetReservedEmail { current, which, email, .. } = desk.asks(Action::SaveEmail) else {
        unreachable!()
    };
    assert_eq!(
        (current, which, email.unwrap().as_str()),
        (secret("p"), Which::Primary, "a@b.example"),
        "the password that was typed before"
    );
    desk.refused(
        Request::SetReservedEmail {
            session: secret("s"),
            current: secret("p"),
            which: Which::Primary,
            email: None,
        },
        "invalid-field",
        |problem| problem.reason = Some("address-at-sign".to_owned()),
    );
    assert_eq!(desk.state.fault, Some((Field::Email, "error-email-at")));
    desk.press(Action::Back);
    assert_eq!(desk.state.screen, Screen::ReservedEmail);
    desk.press(Action::Back);
    desk.press(Action::Back);
    assert!(desk.state.fields.are_empty());
}

#[test]
fn a_session_that_a_new_daemon_does_not_know_is_over() {
    let mut desk = Desk::new(Lifecycle::Active);
    let session = Session { session: secret("s"), reset_to_tell: None };
    desk.answer(Request::SignIn { password: secret("p") }, Ok(Answer::Session(session)));
    desk.answer(Request::Device { session: None }, Err(Failure::Unreachable(String::new())));
    desk.now_ms += POLL_LOST_MS;
    let effects = desk.event(Event::Tick);
    assert!(matches!(effects[..], [Effect::Ask(Request::Device { session: Some(_) })]));
    desk.answer(
        Request::Device { session: Some(secret("s")) },
        Ok(Answer::Device(device(Lifecycle::Active))),
    );
    assert_eq!((desk.state.screen, desk.state.session.is_some()), (Screen::SignIn, false));
}

#[test]
fn what_is_no_qr_code_is_garbage() {
    let mut desk = Desk::new(Lifecycle::Active);
    desk.press(Action::Forgot);
    desk.press(Action::ByEmail);
    let begin = desk.asks(Action::Accept);
    desk.answer(begin, Ok(Answer::Challenge(challenge())));
    for rows in [vec![], vec!["1".to_owned()], vec!["1".repeat(20); 21], vec!["1".repeat(9000); 9000]] {
        desk.state.link = Link::Up;
        desk.answer(Request::Matrix(Aim::Reset), Ok(Answer::Matrix(Matrix { rows })));
        assert_eq!(desk.state.link, Link::Garbage);
        assert!(desk.state.challenge.as_ref().unwrap().rows.is_empty());
    }
}

fn platform(state: &str) -> Platform {
    Platform {
        enabled: true,
        server: None,
        verification_code: Some(secret("KEY72LOCK")),
        connects_to: "cloud.example".to_owned(),
        state: state.to_owned(),
        reason: (state == "offline").then(|| "dns".to_owned()),
        heard_ago_s: Some(5),
        next_try_in_s: Some(20),
        add_text: Some(secret("https://cloud.example/add#LK-1/KEY72LOCK")),
    }
}

#[test]
fn platform_access_is_shown_set_and_tried() {
    let mut desk = Desk::new(Lifecycle::Active);
    let session = Session { session: secret("s"), reset_to_tell: None };
    desk.answer(Request::SignIn { password: secret("p") }, Ok(Answer::Session(session)));
    desk.answer(Request::Device { session: None }, Ok(Answer::Device(device(Lifecycle::Active))));
    let read = desk.asks(Action::Platform);
    desk.answer(read, Ok(Answer::Platform(platform("offline"))));
    assert_eq!((desk.state.screen, desk.state.platform_on), (Screen::Platform, true));
    let rows = &desk.state.platform.as_ref().unwrap().rows;
    assert!(rows.len() >= 21 && rows.iter().all(|row| row.len() == rows.len()));
    desk.now_ms += 4_000;
    desk.event(Event::Tick);
    assert_eq!(desk.state.platform_s(), (Some(16), Some(9)));
    let attempt = desk.asks(Action::TryPlatform);
    desk.answer(attempt, Ok(Answer::Done));
    desk.now_ms += POLL_LOST_MS;
    let effects = desk.event(Event::Tick);
    assert!(
        matches!(effects[..], [Effect::Ask(Request::Device { .. }), Effect::Ask(Request::Platform { .. })]),
        "looked at again soon: {effects:?}"
    );
    // What is typed meanwhile stays, and what is told stays in its place.
    desk.type_into(Field::Server, "a b");
    desk.answer(Request::Platform { session: secret("s") }, Ok(Answer::Platform(platform("connecting"))));
    assert_eq!(desk.state.fields.get(Field::Server).as_str(), "a b");
    assert_eq!(desk.state.platform.as_ref().unwrap().platform.reason.as_deref(), Some("dns"));
    desk.press(Action::TogglePlatform);
    let Request::SetPlatform { enabled, server, code, .. } = desk.asks(Action::SavePlatform) else {
        unreachable!()
    };
    assert_eq!((enabled, server.unwrap().as_str(), code.unwrap().as_str()), (false, "a b", "KEY72LOCK"));
    let set = || Request::SetPlatform { session: secret("s"), enabled: true, server: None, code: None };
    desk.refused(set(), "invalid-field", |problem| problem.reason = Some("not-a-host".to_owned()));
    assert_eq!(desk.state.fault, Some((Field::Server, "platform-server-wrong")));
    desk.refused(set(), "invalid-field", |problem| {
        problem.reason = Some("not-a-verification-code".to_owned())
    });
    assert_eq!(desk.state.fault, Some((Field::DeviceCode, "platform-code-wrong")));
    desk.press(Action::ShowAddCode);
    assert_eq!(desk.state.screen, Screen::PlatformQr);
    desk.press(Action::Back);
    desk.press(Action::Back);
    assert_eq!((desk.state.screen, desk.state.platform.is_none()), (Screen::Configuration, true));
}

#[test]
fn a_code_that_the_recorder_sends_by_itself_is_followed_and_sent_again_if_it_comes_back() {
    let mut desk = Desk::new(Lifecycle::Active);
    let online = || Device { platform: "online".to_owned(), ..device(Lifecycle::Active) };
    desk.answer(Request::Device { session: None }, Ok(Answer::Device(online())));
    at_the_code(&mut desk);
    desk.press(Action::Back);
    let send = desk.asks(Action::SendNow);
    let mail = |state: &str| Ok(Answer::Mail(Mail { state: Some(state.to_owned()), reason: None }));
    desk.answer(send, mail("queued"));
    desk.now_ms += POLL_MS;
    let effects = desk.event(Event::Tick);
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::Ask(Request::SentChallenge(Aim::Reset)))),
        "{effects:?}"
    );
    let asks = |desk: &mut Desk| {
        desk.answer(Request::Device { session: None }, Ok(Answer::Device(online())));
        desk.now_ms += POLL_MS;
        let effects = desk.event(Event::Tick);
        effects.iter().any(|effect| matches!(effect, Effect::Ask(Request::SentChallenge(Aim::Reset))))
    };
    for (state, is_out) in [("accepted", true), ("bounced", false), ("queued", true), ("failed", false)] {
        desk.answer(Request::SentChallenge(Aim::Reset), mail(state));
        assert_eq!(desk.state.mail.as_ref().unwrap().state.as_deref(), Some(state));
        assert_eq!((desk.state.can_send_now(), asks(&mut desk)), (!is_out, is_out), "{state}");
    }
    // Another code has a mail of its own.
    let renewed = Challenge { id: "cd".to_owned(), ..challenge() };
    desk.answer(Request::BeginReset { renew: true, to: None }, Ok(Answer::Challenge(renewed)));
    let rows = vec!["1".repeat(21); 21];
    desk.answer(Request::Matrix(Aim::Reset), Ok(Answer::Matrix(Matrix { rows })));
    assert!(desk.state.mail.is_none() && desk.state.can_send_now());
    desk.answer(Request::SentChallenge(Aim::Reset), mail("accepted"));
    desk.press(Action::Home);
    assert!(desk.state.mail.is_none(), "it goes with its challenge");
}
