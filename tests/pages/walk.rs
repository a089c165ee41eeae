//! Ways through the pages.

use crate::recorder::{Made, Recorder};
use latchkey::{recovery::Aim, web::routes::Page};

const EVERY_PAGE: [Page; 21] = [
    Page::Confirm,
    Page::ConfirmBegin,
    Page::ConfirmSend,
    Page::Home,
    Page::Activate,
    Page::SignIn,
    Page::SignOut,
    Page::Overview,
    Page::Users,
    Page::Admin,
    Page::AccountSecurity,
    Page::ChangePassword,
    Page::Platform,
    Page::Forgot,
    Page::ForgotCode,
    Page::ForgotSend,
    Page::ForgotRenew,
    Page::ForgotPicture,
    Page::ForgotPassword,
    Page::ForgotComplete,
    Page::Help,
];

#[tokio::test]
async fn a_forgotten_password_is_reset() {
    let mut recorder = Recorder::new(Made::default());
    assert_eq!(recorder.activate("olivia@example.com").await.location, "/overview?done=activated");
    recorder.post(Page::SignOut, "").await;
    assert!(!recorder.has_session());

    assert_eq!(recorder.begin().await.location, "/forgot/code");
    let code = format!("code={}", recorder.mailed_code());
    assert_eq!(recorder.post(Page::ForgotCode, &code).await.location, "/forgot/password");
    assert!(recorder.has_grant());
    let new = "password=second+Pass-2&repeat=second+Pass-2";
    assert_eq!(recorder.post(Page::ForgotPassword, new).await.location, "/forgot/complete?done=reset");
    assert!(!recorder.has_grant() && !recorder.has_session(), "nobody is signed in by a reset");

    let refused = recorder.post(Page::SignIn, "password=first+Pass-1").await;
    assert_eq!(refused.status.as_u16(), 403);
    let signed_in = recorder.post(Page::SignIn, "password=second+Pass-2").await;
    assert!(signed_in.location.starts_with("/overview?reset=lan&at="), "{}", signed_in.location);
    let query = signed_in.location.split_once('?').unwrap().1.to_owned();
    let told = recorder.get(Page::Overview, &query).await;
    assert!(told.html().contains("The password was reset"));

    // Told once.
    recorder.post(Page::SignOut, "").await;
    assert_eq!(recorder.post(Page::SignIn, "password=second+Pass-2").await.location, "/overview");
}

const CONFIRM: &str = "/configuration/users/admin/security/confirm";

#[tokio::test]
async fn a_reserved_email_is_confirmed_by_its_code_and_a_code_for_a_reset_is_none() {
    let mut recorder = Recorder::new(Made::default());
    recorder.activate("olivia@example.com").await;
    let warned = recorder.get(Page::Overview, "done=activated").await;
    assert!(warned.html().contains("The reserved email is not confirmed") && warned.html().contains(CONFIRM));
    assert!(recorder.get(Page::Confirm, "").await.html().contains("o***a@e***e.com"));
    assert_eq!(recorder.post(Page::ConfirmBegin, "to=primary&do=qr").await.location, CONFIRM);
    recorder.begin().await;
    let codes = [Aim::Reset, Aim::Confirm].map(|aim| format!("code={}", recorder.mailed_code_for(aim)));
    assert_eq!(recorder.post(Page::Confirm, &codes[0]).await.status.as_u16(), 403);
    assert_eq!(recorder.post(Page::ForgotCode, &codes[1]).await.status.as_u16(), 403);
    let done = recorder.post(Page::Confirm, &codes[1]).await.location;
    assert_eq!(done, "/configuration/users/admin/security?done=confirmed");
    let page = recorder.get(Page::AccountSecurity, "done=confirmed").await;
    assert!(page.html().contains("The reserved email is confirmed") && !page.html().contains(CONFIRM));
    assert!(!recorder.get(Page::Overview, "").await.html().contains("is not confirmed"));
    // Once more, by an impatient click or by the way back: nothing happens, and nothing is wrong.
    assert!(recorder.post(Page::Confirm, &codes[1]).await.location.ends_with("/security"));
    assert!(recorder.post(Page::ConfirmBegin, "to=primary").await.location.ends_with("/security"));
    assert!(recorder.get(Page::Confirm, "").await.location.ends_with("/security"));
    // The code for a reset still does what it is for.
    assert_eq!(recorder.post(Page::ForgotCode, &codes[0]).await.location, "/forgot/password");
}

#[tokio::test]
async fn a_second_address_is_set_chosen_and_removed() {
    let mut recorder = Recorder::new(Made::default());
    recorder.activate("olivia@example.com").await;
    let set = |email: &str| format!("which=second&do=save&second={email}&second-current=first+Pass-1");
    let same = recorder.post(Page::AccountSecurity, &set("Olivia@EXAMPLE.com")).await;
    assert_eq!(same.status.as_u16(), 409);
    assert!(
        same.html().contains("Both reserved emails would be the same")
            && same.html().contains("second-error")
    );
    let saved = recorder.post(Page::AccountSecurity, &set("ivan@example.org")).await;
    assert!(saved.location.ends_with("?done=saved"), "{}", saved.location);
    let forgot = recorder.get(Page::Forgot, "").await;
    assert!(forgot.html().contains("i***@e***e.org") || forgot.html().contains("i***n@e***e.org"));
    assert_eq!(recorder.post(Page::Forgot, "mode=email&accept=yes&to=second").await.location, "/forgot/code");
    let page = recorder.get(Page::ForgotCode, "").await;
    assert!(page.html().contains("e***e.org") && !page.html().contains("o***a@e***e.com"));
    // Choosing nothing goes on with what there is; choosing the other one waits its turn.
    assert_eq!(recorder.post(Page::Forgot, "mode=email&accept=yes").await.location, "/forgot/code");
    let early = recorder.post(Page::Forgot, "mode=email&accept=yes&to=primary").await;
    assert_eq!(early.status.as_u16(), 429);
    recorder.wait(30);
    assert_eq!(
        recorder.post(Page::Forgot, "mode=email&accept=yes&to=primary").await.location,
        "/forgot/code"
    );
    assert!(recorder.get(Page::ForgotCode, "").await.html().contains("o***a@e***e.com"));
    // Without the first one, the second takes its place.
    let removed = recorder.post(Page::AccountSecurity, "do=remove&current=first+Pass-1").await;
    let query = removed.location.split_once('?').unwrap().1.to_owned();
    let page = recorder.get(Page::AccountSecurity, &query).await;
    assert!(page.html().contains("The second one has taken its place"), "{}", page.html());
    assert_eq!(recorder.get(Page::ForgotCode, "").await.status.as_u16(), 409, "codes under way are dead");
}

#[tokio::test]
async fn platform_access_starts_off_and_is_switched_on_by_whoever_is_signed_in() {
    let mut recorder = Recorder::new(Made::default());
    recorder.activate("olivia@example.com").await;
    let checked = r#"value="yes" checked"#;
    assert!(!recorder.get(Page::Platform, "").await.html().contains(checked));
    let wrong = recorder.post(Page::Platform, "do=save&enabled=yes&server=not+a+host&code=").await;
    assert_eq!(wrong.status.as_u16(), 422);
    assert!(wrong.html().contains("server-error") && wrong.html().contains("not a host"));
    let wrong = recorder.post(Page::Platform, "do=save&enabled=yes&server=&code=short").await;
    assert!(wrong.html().contains("code-error"));
    assert!(!recorder.get(Page::Platform, "").await.html().contains(checked), "nothing was set");
    let saved =
        recorder.post(Page::Platform, "do=save&enabled=yes&server=192.0.2.7%3A8443&code=ABC123").await;
    assert_eq!(saved.location, "/configuration/platform?done=saved");
    let page = recorder.get(Page::Platform, "done=saved").await;
    assert!(page.html().contains(checked) && page.html().contains("192.0.2.7:8443"));
    recorder.post(Page::SignOut, "").await;
    let gone = recorder.get(Page::Platform, "").await;
    assert_eq!((gone.status.as_u16(), gone.location.as_str()), (303, "/sign-in"));
}

#[tokio::test]
async fn without_a_connection_no_code_is_sent_and_the_qr_code_stays() {
    let mut recorder = Recorder::new(Made::default());
    recorder.activate("olivia@example.com").await;
    recorder.begin().await;
    assert!(!recorder.get(Page::ForgotCode, "").await.html().contains("/forgot/send"), "not offered");
    let sent = recorder.post(Page::ForgotSend, "").await;
    assert_eq!(sent.location, "/forgot/code?done=send-offline");
    let page = recorder.get(Page::ForgotCode, "done=send-offline").await;
    assert!(page.html().contains("The code was not sent") && page.html().contains("qr.svg"));
}

#[tokio::test]
async fn an_inactive_recorder_shows_activation_and_nothing_else() {
    let mut recorder = Recorder::new(Made::default());
    for page in EVERY_PAGE.into_iter().filter(|page| *page != Page::Activate) {
        for shown in [recorder.get(page, "").await, recorder.post(page, "password=x&code=1").await] {
            assert_eq!((shown.status.as_u16(), shown.location.as_str()), (303, "/activate"), "{page:?}");
        }
    }
    let page = recorder.get(Page::Activate, "").await;
    assert!(!page.html().contains("/forgot") && !page.html().contains("/help"));
}

#[tokio::test]
async fn a_stranger_sees_nothing_of_the_inside() {
    let mut recorder = Recorder::new(Made::default());
    recorder.activate("olivia@example.com").await;
    recorder.post(Page::SignOut, "").await;
    for page in [Page::Overview, Page::Users, Page::Admin, Page::AccountSecurity, Page::ChangePassword] {
        for shown in [recorder.get(page, "").await, recorder.post(page, "do=remove&current=x").await] {
            assert_eq!((shown.status.as_u16(), shown.location.as_str()), (303, "/sign-in"), "{page:?}");
        }
    }
    for page in EVERY_PAGE {
        let shown = recorder.get(page, "").await;
        assert!(!String::from_utf8_lossy(&shown.body).contains("olivia@example.com"), "{page:?}");
    }
}

#[tokio::test]
async fn off_the_link_the_sign_in_page_tells_no_address_and_why_there_is_no_reset() {
    let mut recorder = Recorder::new(Made::default());
    recorder.activate("olivia@example.com").await;
    recorder.post(Page::SignOut, "").await;
    let here = recorder.get(Page::SignIn, "").await;
    assert!(here.html().contains("o***a@e***e.com"));
    recorder.leave_the_link();
    for shown in [recorder.get(Page::SignIn, "").await, recorder.post(Page::SignIn, "password=x").await] {
        assert!(!shown.html().contains("o***a@e***e.com"));
        let title = recorder.ctx.catalogue.say("problem-not-on-this-network-title");
        assert!(shown.html().contains(&title), "{title}");
    }
}

#[tokio::test]
async fn a_session_that_has_ended_leads_to_sign_in_and_says_so() {
    let mut recorder = Recorder::new(Made::default());
    recorder.activate("olivia@example.com").await;
    recorder.wait(24 * 3600);
    let shown = recorder.post(Page::AccountSecurity, "do=remove&current=first+Pass-1").await;
    assert_eq!(shown.location, "/sign-in?done=ended");
}

#[tokio::test]
async fn the_picture_is_a_download_and_only_while_the_code_lives() {
    let mut recorder = Recorder::new(Made::default());
    recorder.activate("olivia@example.com").await;
    assert_eq!(recorder.get(Page::ForgotPicture, "").await.status.as_u16(), 409);
    recorder.begin().await;
    let picture = recorder.get(Page::ForgotPicture, "").await;
    assert!(picture.body.starts_with(b"\x89PNG"));
    let name = picture.headers["content-disposition"].to_str().unwrap();
    assert!(name.starts_with("attachment; filename=\"recovery-qr-") && name.ends_with(".png\""), "{name}");
    recorder.reboot();
    assert_eq!(recorder.get(Page::ForgotPicture, "").await.status.as_u16(), 409);
}

#[tokio::test]
async fn an_unticked_reserved_email_is_not_stored() {
    let mut recorder = Recorder::new(Made::default());
    recorder.post(Page::Activate, "password=first+Pass-1&repeat=first+Pass-1&email=olivia@example.com").await;
    assert!(recorder.get(Page::Overview, "").await.html().contains("There is no reserved email"));
}

#[tokio::test]
async fn steps_are_not_skipped() {
    let mut recorder = Recorder::new(Made::default());
    recorder.activate("olivia@example.com").await;
    assert_eq!(recorder.get(Page::ForgotCode, "").await.location, "/forgot");
    assert_eq!(recorder.get(Page::ForgotPassword, "").await.location, "/forgot/code");
    assert_eq!(recorder.get(Page::ForgotComplete, "").await.location, "/");
    let early = recorder.post(Page::ForgotPassword, "password=second+Pass-2&repeat=second+Pass-2").await;
    assert_eq!(early.status.as_u16(), 403);
}
