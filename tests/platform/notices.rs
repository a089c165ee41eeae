//! Notices: from the heart, through its record on a real disk, over a real link.

use crate::world::{NAME, Peer, World, bounds, heard, listen, register, say, soon};
use latchkey::{
    app::{
        heart_task::{HeartTask, Parts},
        notices::Notices,
    },
    clock::{Entropy, KernelEntropy, SystemClock},
    hash::HashCost,
    platform,
    recovery::{Context, Hooks, Limits, Password, PlatformSettings, Reply, Request, SessionToken, Which},
    store::{Files, disk::RealDisk},
    web::Heart,
};
use latchkey_protocol::{
    Address, Challenge, CloudSecretKey, DeviceIdentity, Door, Handle, Host, Message, Mode, NoticeEvent,
    ParsedChallenge, Purpose,
    platform::{FromCloud, FromDevice, MailState, MailStatus, Problem, RelayId},
};
use std::{path::PathBuf, sync::Arc};

const NOW: (i32, i32) = (2020, 2090);
const PASSWORD: &str = "Correct horse 1";

fn cloud_key() -> CloudSecretKey {
    CloudSecretKey::from_bytes(&[0x43; 32]).unwrap()
}

fn identity() -> DeviceIdentity {
    DeviceIdentity {
        handle: Handle([7; 8]),
        signing_key: ed25519_dalek::SigningKey::from_bytes(&[0x52; 32]),
        mode: Mode::Base,
        cloud_key: cloud_key().public(),
        host: Host::parse(NAME).unwrap(),
        mailbox: None,
    }
}

/// Two folders that go away with the test.
struct Folders(PathBuf);

impl Folders {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("latchkey-notices-{name}-{}", std::process::id()));
        std::fs::create_dir_all(path.join("flash")).unwrap();
        std::fs::create_dir_all(path.join("runtime")).unwrap();
        Self(path)
    }

    fn store(&self) -> Files<RealDisk, RealDisk> {
        let disk = |name| RealDisk::open(&self.0.join(name)).unwrap();
        Files::new(disk("flash"), disk("runtime"))
    }

    /// How many notices flash holds. Only looked at: a store that loads also tidies up.
    fn kept(&self) -> usize {
        let text = std::fs::read_to_string(self.0.join("flash/account.b")).unwrap_or_default();
        assert!(
            !text.contains("first@mail") || !text.contains("second@mail"),
            "no address of before is kept"
        );
        text.matches("\"sealed\"").count()
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A daemon without doors.
struct Daemon {
    heart: Heart,
    task: tokio::task::JoinHandle<()>,
}

impl Daemon {
    fn start(world: &World, folders: &Folders) -> Self {
        let (heart, asks) = Heart::new(8);
        let clock = || SystemClock::start(0, &KernelEntropy).unwrap().0;
        let parts = Parts {
            context: Context {
                identity: Some(Arc::new(identity())),
                serial: "LK-0001".into(),
                label_code: None,
                limits: Limits::default(),
                hooks: Hooks::None,
            },
            store: Box::new(folders.store()),
            clock: Box::new(clock()),
            entropy: Box::new(KernelEntropy),
            hash_cost: HashCost { memory_kib: 8, passes: 1 },
        };
        let mut task = HeartTask::start(parts, asks).unwrap();
        let link = platform::Parts {
            identity: tokio::sync::watch::channel(Some(world.identity())).1,
            keeper: None,
            clock: std::sync::Arc::new(clock()),
            rng: KernelEntropy.generator().unwrap(),
            bounds: bounds(),
            floor_unix_s: 0,
            save_floor: Box::new(|_| ()),
        };
        let (handle, link) = platform::new(link, task.platform());
        let (waiting, told) = task.notices();
        tokio::spawn(Notices::new(waiting, told, handle).run());
        tokio::spawn(link.run());
        let task = tokio::spawn(async move { task.run().await.unwrap() });
        Self { heart, task }
    }

    async fn ask(&self, request: Request) -> Reply {
        soon(self.heart.ask(Door::Console, request)).await.unwrap()
    }

    async fn set_email(&self, session: &SessionToken, email: &str) {
        let email = Some(Address::parse(email).unwrap());
        let (session, current) = (session.clone(), Password::new(PASSWORD.to_owned()));
        let set = Request::SetReservedEmail { session, current, which: Which::Primary, email };
        assert!(matches!(self.ask(set).await, Reply::ReservedEmailSet));
    }

    async fn connect_to(&self, session: &SessionToken, server: &str) {
        let settings = PlatformSettings {
            enabled: true,
            server: Some(Host::parse(server).unwrap()),
            verification_code: None,
        };
        self.ask(Request::SetPlatform { session: session.clone(), settings }).await;
    }

    /// Ends as at a kill: the task is not asked.
    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

async fn activated(daemon: &Daemon) -> SessionToken {
    let password = Password::new(PASSWORD.to_owned());
    let email = Some(Address::parse("first@mail.example").unwrap());
    match daemon.ask(Request::Activate { password, email }).await {
        Reply::Activated(session) => session,
        other => panic!("{other:?}"),
    }
}

/// The next challenge that the device hands over, opened as the cloud does.
async fn submitted(peer: &mut Peer) -> (u32, Challenge) {
    let FromDevice::Submit { id, sealed } = heard(peer).await else { panic!("not a challenge") };
    let parsed = ParsedChallenge::parse(&sealed.0).unwrap();
    let verified = parsed.verify(&identity().signing_key.verifying_key()).unwrap();
    (id, verified.open(&cloud_key(), &Mode::Base).unwrap().challenge().clone())
}

async fn take(peer: &mut Peer, id: u32) {
    let mail = MailStatus { state: MailState::Queued, reason: None };
    say(peer, FromCloud::Submitted { id, relay: RelayId([id as u8; 16]), mail }).await;
}

#[tokio::test]
async fn a_change_without_a_link_is_told_after_a_kill_once_there_is_one() {
    let (world, folders) = (World::new(), Folders::new("kill"));
    let daemon = Daemon::start(&world, &folders);
    let session = activated(&daemon).await;
    daemon.set_email(&session, "second@mail.example").await;
    // What was asked for while no link was wished for is not told later.
    daemon.ask(Request::BeginReset { renew: false, to: None }).await;
    daemon.kill().await;
    assert_eq!(folders.kept(), 1);

    let (listener, server) = listen().await;
    let tls = world.tls(NAME, NOW);
    let daemon = Daemon::start(&world, &folders);
    let password = Password::new(PASSWORD.to_owned());
    let Reply::SignedIn { session, .. } = daemon.ask(Request::SignIn { password }).await else { panic!() };
    daemon.connect_to(&session, &server).await;
    let mut peer = register(&listener, &tls).await;
    let (id, notice) = submitted(&mut peer).await;
    assert_eq!(notice.message, Message::AddressChanged);
    let told: Vec<_> = notice.addresses.iter().map(|address| address.as_str().to_owned()).collect();
    assert_eq!(told, ["first@mail.example"], "the address until then is told, and no other");

    // Killed before the answer: it is still there, and the very same.
    daemon.kill().await;
    assert_eq!(folders.kept(), 1);
    let daemon = Daemon::start(&world, &folders);
    let mut peer = register(&listener, &tls).await;
    let (again, same) = submitted(&mut peer).await;
    assert_eq!((same.id, id), (notice.id, again));
    take(&mut peer, again).await;
    soon(async {
        while folders.kept() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(daemon);
}

#[tokio::test]
async fn every_reset_that_is_asked_for_is_told_while_the_link_is_up() {
    let (world, folders) = (World::new(), Folders::new("asked"));
    let (listener, server) = listen().await;
    let tls = world.tls(NAME, NOW);
    let daemon = Daemon::start(&world, &folders);
    let session = activated(&daemon).await;
    daemon.connect_to(&session, &server).await;
    let mut peer = register(&listener, &tls).await;

    daemon.ask(Request::BeginReset { renew: false, to: None }).await;
    let (id, notice) = submitted(&mut peer).await;
    assert_eq!(notice.message, Message::Notice(NoticeEvent::ResetRequested));
    // Never taken: let go of, and not asked again.
    say(&mut peer, FromCloud::Rejected { id, problem: Problem::UnusableQr, retry_after_s: None }).await;

    daemon.set_email(&session, "second@mail.example").await;
    let (id, notice) = submitted(&mut peer).await;
    assert_eq!(notice.message.purpose(), Purpose::AddressChanged);
    // For later: it stays, and is offered again with the next one.
    say(&mut peer, FromCloud::Rejected { id, problem: Problem::DeviceLimit, retry_after_s: Some(600) }).await;
    daemon.ask(Request::BeginReset { renew: false, to: None }).await;
    let (id, again) = submitted(&mut peer).await;
    assert_eq!(again.id, notice.id, "the oldest first");
    take(&mut peer, id).await;
    let (id, newest) = submitted(&mut peer).await;
    assert_eq!(newest.message, Message::Notice(NoticeEvent::ResetRequested));
    take(&mut peer, id).await;
    soon(async {
        while folders.kept() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
