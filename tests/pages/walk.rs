//! Ways through the pages.

use crate::recorder::{Made, Recorder};
use latchkey::web::routes::Page;

const EVERY_PAGE: [Page; 18] = [
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
