//! What is left when something that the daemon needs is missing, damaged, or about to end.

use super::*;

#[tokio::test]
async fn without_random_numbers_nothing_secret_is_made_and_nothing_is_lost() {
    let disks = Disks::new();
    let daemon = Daemon::on(&disks, SimulatedClock::new(1));
    daemon.activate().await;
    let before = (disks.flash_file("account.a"), disks.flash_file("account.b"));
    daemon.entropy.fails.store(true, Ordering::SeqCst);
    let refused = daemon.console(Request::BeginReset { renew: false, to: None }).await;
    assert_eq!(refused.unwrap_err(), Refusal::Unavailable);
    assert_eq!(daemon.sign_in(OLD).await.unwrap_err(), Refusal::Unavailable);
    assert_eq!((disks.flash_file("account.a"), disks.flash_file("account.b")), before);
    daemon.entropy.fails.store(false, Ordering::SeqCst);
    daemon.code().await;
    daemon.sign_in(OLD).await.unwrap();
}

#[tokio::test]
async fn without_a_boot_id_there_is_no_challenge_and_everything_else_works() {
    let disks = Disks::new();
    let daemon = Daemon::on(&disks, SimulatedClock::new(1));
    daemon.activate().await;
    let code = daemon.code().await;
    daemon.stop().await;
    let clock = SimulatedClock { knows_boot: false, ..SimulatedClock::new(1) };
    let daemon = Daemon::on(&disks, clock);
    for request in
        [Request::BeginReset { renew: false, to: None }, Request::ViewChallenge, Request::VerifyCode { code }]
    {
        assert_eq!(daemon.console(request).await.unwrap_err(), Refusal::Unavailable);
    }
    daemon.sign_in(OLD).await.unwrap();
}

#[tokio::test]
async fn an_orderly_stop_answers_what_is_under_way() {
    let disks = Disks::new();
    let daemon = Daemon::on(&disks, SimulatedClock::new(1));
    daemon.activate().await;
    let Daemon { heart, task, .. } = daemon;
    let asks = (0..3).map(|_| {
        let heart = heart.clone();
        async move { heart.ask(Door::Console, Request::SignIn { password: typed(OLD) }).await }
    });
    let mut set = tokio::task::JoinSet::new();
    asks.for_each(|ask| _ = set.spawn(ask));
    drop(heart);
    while let Some(answer) = set.join_next().await {
        assert!(matches!(answer.unwrap(), Ok(Reply::SignedIn { .. })));
    }
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_damaged_record_is_said_and_a_factory_reset_is_the_way_out() {
    let disks = Disks::new();
    let daemon = Daemon::on(&disks, SimulatedClock::new(1));
    daemon.activate().await;
    daemon.stop().await;
    disks.spoil("account.a", b"x");
    disks.spoil("account.b", b"y");
    let daemon = Daemon::on(&disks, SimulatedClock::new(2));
    assert_eq!(daemon.lifecycle().await, Lifecycle::Damaged);
    assert_eq!(daemon.sign_in(OLD).await.unwrap_err(), Refusal::RecordDamaged);
    let activate = Request::Activate { password: typed(NEW), email: None };
    assert_eq!(daemon.console(activate).await.unwrap_err(), Refusal::RecordDamaged);
    daemon.console(Request::FactoryReset).await.unwrap();
    assert_eq!(daemon.lifecycle().await, Lifecycle::Inactive);
    daemon.activate().await;
}
