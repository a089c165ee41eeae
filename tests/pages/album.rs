//! Every page in every state that a person can bring it to.

use crate::recorder::{Made, Recorder, Shown};
use hyper::StatusCode;
use latchkey::{
    recovery::{Aim, Refusal, Request},
    web::{Fault, Problem, pages, routes::Page, same_link::OffLink},
};

pub struct Picture {
    pub name: &'static str,
    pub html: String,
    /// Words that this state must show.
    pub says: &'static [&'static str],
}

struct Album(Vec<Picture>);

impl Album {
    fn add(&mut self, name: &'static str, shown: &Shown, status: u16, says: &'static [&'static str]) {
        assert_eq!(shown.status.as_u16(), status, "{name}: {}", shown.location);
        self.0.push(Picture { name, html: shown.html().to_owned(), says });
    }
}

const WRONG: &str = "password=wrong-password";
const PRIVATE: &str = "password=second+Pass-2&repeat=second+Pass-2";

fn other_code(code: &str) -> String {
    let number: u32 = code.parse().unwrap();
    format!("code={:08}", (number + 1) % 100_000_000)
}

pub async fn every_page(made: Made) -> Vec<Picture> {
    let mut album = Album(vec![]);
    activation(&mut album, made).await;
    signed_in(&mut album, made).await;
    wizard(&mut album, made).await;
    ends(&mut album, made).await;
    impossible(&mut album, made).await;
    doors(&mut album, made).await;
    album.0
}

async fn activation(album: &mut Album, made: Made) {
    let mut recorder = Recorder::new(made);
    let page = recorder.get(Page::Activate, "").await;
    album.add(
        "activation",
        &page,
        200,
        &["Set up this recorder", "Reserved Email Settings", "At least 8 characters"],
    );
    let page = recorder.post(Page::Activate, "password=&repeat=&reserve=yes&email=").await;
    album.add("activation-empty", &page, 422, &["Type the password.", "untick Reserved Email Settings"]);
    let page = recorder.post(Page::Activate, "password=abc&repeat=abd&reserve=yes&email=olivia").await;
    album.add(
        "activation-errors",
        &page,
        422,
        &["are not the same", "exactly one @ sign", "value=\"olivia\""],
    );
    let page =
        recorder.post(Page::Activate, "password=abc&repeat=abc&reserve=yes&email=olivia@example.com").await;
    album.add("activation-short", &page, 422, &["at least 8 characters", "value=\"olivia@example.com\""]);
    let page = recorder.post(Page::Activate, "password=password1&repeat=password1").await;
    album.add("activation-common", &page, 422, &["first that a burglar tries"]);
}

async fn signed_in(album: &mut Album, made: Made) {
    let mut recorder = Recorder::new(made);
    recorder.activate("").await;
    let page = recorder.get(Page::Overview, "done=activated").await;
    album.add(
        "overview-new",
        &page,
        200,
        &["The recorder is set up", "There is no reserved email", "No. Without"],
    );
    let page = recorder.get(Page::AccountSecurity, "").await;
    album.add("security-none", &page, 200, &["Account Security Settings"]);
    let page = recorder.post(Page::AccountSecurity, "do=save&email=olivia@@example&current=").await;
    album.add("security-errors", &page, 422, &["exactly one @", "Type the password", "olivia@@example"]);
    let page =
        recorder.post(Page::AccountSecurity, "do=save&email=olivia@example.com&current=nonsense").await;
    album.add("security-wrong", &page, 403, &["The password is not right", "olivia@example.com"]);
    let saved =
        recorder.post(Page::AccountSecurity, "do=save&email=olivia@example.com&current=first+Pass-1").await;
    assert!(saved.location.ends_with("security?done=saved"), "{}", saved.location);
    let page = recorder.get(Page::AccountSecurity, "done=saved").await;
    album.add(
        "security-saved",
        &page,
        200,
        &["The reserved email is saved", "o***a@e***e.com", "Remove the reserved"],
    );
    confirming(album, &mut recorder).await;
    recorder.at_the_console(Request::BeginReset { renew: false, to: None }).await;
    let page = recorder.get(Page::Overview, "").await;
    album.add("overview", &page, 200, &["Probably.", "not confirmed", "restarted", "own screen"]);
    album.add("users", &recorder.get(Page::Users, "").await, 200, &["User Management"]);
    album.add("admin", &recorder.get(Page::Admin, "").await, 200, &["Modify admin"]);
    album.add(
        "admin-changed",
        &recorder.get(Page::Admin, "done=password").await,
        200,
        &["The password is changed"],
    );
    album.add("change", &recorder.get(Page::ChangePassword, "").await, 200, &["Change the password"]);
    let page = recorder
        .post(Page::ChangePassword, "current=nonsense&password=second+Pass-2&repeat=second+Pass-2")
        .await;
    album.add("change-wrong", &page, 403, &["The password is not right"]);
    let page = recorder.get(Page::Overview, "reset=lan&at=1795366800").await;
    album.add(
        "overview-told",
        &page,
        200,
        &["The password was reset", "2026-11-22 17:00 UTC", "If that was not you"],
    );
    album.add("help", &recorder.get(Page::Help, "").await, 200, &["A7:A7:A7", "master password"]);
    recorder.break_the_flash();
    let page = recorder.post(Page::AccountSecurity, "do=remove&current=first+Pass-1").await;
    album.add("security-broken", &page, 500, &["could not store it"]);
}

async fn confirming(album: &mut Album, recorder: &mut Recorder) {
    let page = recorder.get(Page::Confirm, "").await;
    album.add("confirm", &page, 200, &["Confirm the reserved email", "o***a@e***e.com", "opens nothing"]);
    recorder.post(Page::ConfirmBegin, "to=primary").await;
    let page = recorder.get(Page::Confirm, "").await;
    album.add(
        "confirm-code",
        &page,
        200,
        &["Type the eight digits", "Confirm the address", "5 tries are left"],
    );
    let wrong = other_code(&recorder.mailed_code_for(Aim::Confirm));
    let page = recorder.post(Page::Confirm, &wrong).await;
    album.add("confirm-wrong", &page, 403, &["This is not the code", "4 tries are left"]);
    for _ in 0..3 {
        recorder.post(Page::Confirm, &wrong).await;
    }
    let page = recorder.post(Page::Confirm, &wrong).await;
    album.add("confirm-over", &page, 403, &["That was the last try", "Confirm the reserved email"]);
    let page = recorder.post(Page::ConfirmBegin, "to=primary").await;
    album.add("confirm-wait", &page, 429, &["Please wait 30"]);
    let set = "which=second&do=save&second=ivan@example.org&second-current=first+Pass-1";
    recorder.post(Page::AccountSecurity, set).await;
    let page = recorder.get(Page::AccountSecurity, "done=saved").await;
    album.add(
        "security-both",
        &page,
        200,
        &["A second reserved email", "Confirm it with a code", "ivan@example.org"],
    );
    album.add("overview-both", &recorder.get(Page::Overview, "").await, 200, &["not confirmed", "e***e.org"]);
    let page = recorder.get(Page::Forgot, "").await;
    album.add("forgot-both", &page, 200, &["Send the code to", "e***e.org"]);
    recorder.post(Page::AccountSecurity, "which=second&do=remove&second-current=first+Pass-1").await;
}

async fn wizard(album: &mut Album, made: Made) {
    let mut recorder = Recorder::new(made);
    recorder.activate("olivia@example.com").await;
    recorder.post(Page::SignOut, "").await;
    let page = recorder.get(Page::SignIn, "done=signed-out").await;
    album.add("sign-in", &page, 200, &["You are signed out", "Forgot password?", "o***a@e***e.com"]);
    album.add("sign-in-empty", &recorder.post(Page::SignIn, "password=").await, 422, &["Type the password."]);
    album.add(
        "sign-in-wrong",
        &recorder.post(Page::SignIn, WRONG).await,
        403,
        &["The password is not right"],
    );
    album.add(
        "sign-in-ended",
        &recorder.get(Page::SignIn, "done=ended").await,
        200,
        &["Please sign in first"],
    );
    let page = recorder.get(Page::Forgot, "").await;
    album.add(
        "forgot",
        &page,
        200,
        &["Verification Mode", "GUID File", "Not set up on this recorder", "Privacy Policy"],
    );
    album.add("forgot-unaccepted", &recorder.post(Page::Forgot, "mode=email").await, 422, &["Please accept"]);
    let page = recorder.post(Page::Forgot, "mode=file&accept=yes").await;
    album.add("forgot-mode", &page, 422, &["choose a verification mode"]);
    assert!(recorder.begin().await.location.ends_with("/forgot/code"));
    let page = recorder.get(Page::ForgotCode, "").await;
    album.add(
        "code",
        &page,
        200,
        &[
            "48 hours",
            "5 tries are left",
            "recover.example.com",
            "qr.svg",
            "Export",
            "recovery@recover.example.com",
        ],
    );
    album.add("forgot-live", &recorder.get(Page::Forgot, "").await, 200, &["A QR code was already made"]);
    album.add(
        "code-unreadable",
        &recorder.post(Page::ForgotCode, "code=1234").await,
        422,
        &["eight digits", "No try was"],
    );
    let wrong = other_code(&recorder.mailed_code());
    album.add(
        "code-wrong",
        &recorder.post(Page::ForgotCode, &wrong).await,
        403,
        &["This is not the code", "4 tries are left"],
    );
    recorder.wait(120);
    let page = recorder.get(Page::ForgotCode, "done=renewed").await;
    album.add("code-renewed", &page, 200, &["This is a new QR code", "47 hours 58 minutes"]);
    let digits = recorder.mailed_code();
    let typed = format!("code=+{}-{}.", &digits[..4], &digits[4..]);
    assert!(recorder.post(Page::ForgotCode, &typed).await.location.ends_with("/forgot/password"));
    album.add(
        "new-password",
        &recorder.get(Page::ForgotPassword, "").await,
        200,
        &["Set New Password", "ten minutes"],
    );
    let page = recorder.post(Page::ForgotPassword, "password=abc&repeat=abc").await;
    album.add("new-password-short", &page, 422, &["too short"]);
    assert!(
        recorder.post(Page::ForgotPassword, PRIVATE).await.location.ends_with("/forgot/complete?done=reset")
    );
    let page = recorder.get(Page::ForgotComplete, "done=reset").await;
    album.add("complete", &page, 200, &["The password is reset successfully."]);
}

async fn ends(album: &mut Album, made: Made) {
    let mut recorder = Recorder::new(made);
    recorder.activate("olivia@example.com").await;
    recorder.begin().await;
    recorder.wait(48 * 3600 + 1);
    album.add("ended-expired", &recorder.get(Page::ForgotCode, "").await, 409, &["Its time is over"]);
    recorder.begin().await;
    recorder.reboot();
    album.add("ended-rebooted", &recorder.get(Page::ForgotCode, "").await, 409, &["restarted since then"]);

    let mut recorder = Recorder::new(made);
    recorder.activate("olivia@example.com").await;
    recorder.begin().await;
    recorder.post(Page::AccountSecurity, "do=save&email=oscar@example.com&current=first+Pass-1").await;
    album.add("ended-email", &recorder.get(Page::ForgotCode, "").await, 409, &["reserved email was changed"]);

    let mut recorder = Recorder::new(made);
    recorder.activate("olivia@example.com").await;
    recorder.begin().await;
    recorder.post(Page::ChangePassword, &format!("current=first+Pass-1&{PRIVATE}")).await;
    album.add("ended-password", &recorder.get(Page::ForgotCode, "").await, 409, &["password was changed"]);

    let mut recorder = Recorder::new(made);
    recorder.activate("olivia@example.com").await;
    recorder.begin().await;
    let wrong = other_code(&recorder.mailed_code());
    let mut last = recorder.post(Page::ForgotCode, &wrong).await;
    for _ in 1..5 {
        last = recorder.post(Page::ForgotCode, &wrong).await;
    }
    album.add("code-last-wrong", &last, 403, &["That was the last try"]);
    album.add("ended-tries", &recorder.get(Page::ForgotCode, "").await, 409, &["All its tries were used"]);
    recorder.begin().await;
    let renewed = recorder.post(Page::ForgotRenew, "").await;
    album.add("renew-early", &renewed, 429, &["Please wait"]);

    let mut recorder = Recorder::new(made);
    recorder.activate("olivia@example.com").await;
    recorder.begin().await;
    let code = format!("code={}", recorder.mailed_code());
    recorder.post(Page::ForgotCode, &code).await;
    recorder.wait(601);
    let page = recorder.post(Page::ForgotPassword, PRIVATE).await;
    album.add("grant-over", &page, 403, &["The ten minutes are over", "Type the code again"]);
    assert!(!recorder.has_grant());
}

async fn impossible(album: &mut Album, made: Made) {
    let mut recorder = Recorder::new(made);
    recorder.activate("").await;
    recorder.post(Page::SignOut, "").await;
    album.add(
        "no-email",
        &recorder.get(Page::Forgot, "").await,
        409,
        &["nowhere to send a code", "factory reset"],
    );
    album.add(
        "sign-in-no-email",
        &recorder.get(Page::SignIn, "").await,
        200,
        &["There is no reserved email"],
    );
    for _ in 0..6 {
        recorder.post(Page::SignIn, WRONG).await;
    }
    let page = recorder.post(Page::SignIn, WRONG).await;
    assert!(page.headers.contains_key("retry-after"));
    album.add("sign-in-throttled", &page, 429, &["Please wait", "Restarting the recorder does not"]);

    let mut recorder = Recorder::new(Made { registered: false, ..made });
    recorder.activate("olivia@example.com").await;
    let page = recorder.get(Page::Overview, "done=activated").await;
    album.add("overview-unregistered", &page, 200, &["Not yet.", "The reserved email is o***a@e***e.com"]);
    assert!(!page.html().contains("a code goes to"), "nothing is promised that cannot be held");
    recorder.post(Page::SignOut, "").await;
    album.add("no-identity", &recorder.get(Page::Forgot, "").await, 409, &["never registered"]);

    let mut recorder = Recorder::new(Made { lan_reset: false, ..made });
    recorder.activate("olivia@example.com").await;
    recorder.post(Page::SignOut, "").await;
    album.add("switched-off", &recorder.get(Page::Forgot, "").await, 403, &["switched it off"]);

    let mut recorder = Recorder::new(Made { damaged: true, ..made });
    for page in [Page::Home, Page::SignIn, Page::Activate, Page::Forgot, Page::Overview] {
        let shown = recorder.get(page, "").await;
        assert_eq!(shown.status, StatusCode::CONFLICT, "{page:?}");
    }
    album.add(
        "damaged",
        &recorder.get(Page::Home, "").await,
        409,
        &["is damaged", "kept aside", "factory reset"],
    );
}

/// What the doors refuse before a page is asked.
async fn doors(album: &mut Album, made: Made) {
    let recorder = Recorder::new(made);
    for (name, fault, says) in [
        ("off-link", Fault::NotOnThisNetwork(OffLink::OtherNetwork), &["same network", "VPN"][..]),
        ("stale-form", Fault::StaleForm, &["open for too long"]),
        ("not-found", Fault::NotFound, &["no such page"]),
        ("too-many", Fault::TooManyRequests { wait_s: 20 }, &["Too many requests", "20 seconds"]),
        ("wrong-host", Fault::WrongHost, &["not this recorder"]),
        ("busy", Fault::Heart(Refusal::Busy), &["The recorder is busy"]),
        ("lan-closed", Fault::Heart(Refusal::LanClosed), &["own screen, or sign in"]),
    ] {
        let problem = Problem::of(&fault, &recorder.ctx.catalogue);
        let response = pages::problem(&recorder.ctx, recorder.caller(), &problem);
        let shown = recorder.shown(response).await;
        album.add(name, &shown, problem.status.as_u16(), says);
    }
    let shown = recorder.shown(pages::plain(&recorder.ctx, "https://192.168.1.10/")).await;
    album.add("plain", &shown, 200, &["A7:A7:A7", "Go on to the recorder", "https://192.168.1.10/"]);
}
