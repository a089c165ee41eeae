//! A daemon that hangs is not taken for one that works.

use super::*;
use crate::app::watchdog::Pulse;

#[tokio::test]
async fn while_the_store_does_not_come_back_no_beat_is_answered() {
    let disks = Disks::new();
    let (durable, mut is_durable) = tokio::sync::mpsc::channel(8);
    let (let_go, gone) = mpsc::sync_channel(8);
    let files = Files::new(disks.flash.clone(), disks.runtime.clone());
    let store = Held { store: Box::new(files), durable, let_go: gone };
    let (heart, asks) = Heart::new(8);
    let (pulse, beats) = Pulse::new();
    let parts = Daemon::parts(Box::new(store), SimulatedClock::new(1), SimulatedEntropy::default());
    let task = tokio::spawn(HeartTask::start(parts, asks).unwrap().watched_by(beats).run());
    assert!(pulse.beat().await, "it works");

    let activate = Request::Activate { password: typed(OLD), email: None };
    let asking = tokio::spawn({
        let heart = heart.clone();
        async move { heart.ask(Door::Console, activate).await }
    });
    is_durable.recv().await.unwrap();
    {
        let mut beat = std::pin::pin!(pulse.beat());
        for _ in 0..1000 {
            tokio::select! {
                biased;
                _ = &mut beat => unreachable!("a beat while the store is away"),
                () = tokio::task::yield_now() => {}
            }
        }
        let_go.send(()).unwrap();
        assert!(beat.await, "and it goes on once the store is back");
    }
    assert!(matches!(asking.await.unwrap(), Ok(Reply::Activated(_))));
    drop(heart);
    assert!(task.await.unwrap().is_ok());
    assert!(!pulse.beat().await, "nor is one that has ended");
}
