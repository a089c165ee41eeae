//! The task with the real heart and the real store, on a disk that fails, and killed in the middle.
#![allow(clippy::unwrap_used, reason = "tests")]

mod hang;
mod without;

use super::heart_task::{HeartTask, Parts, TaskError};
use crate::{
    clock::simulated::{SimulatedClock, SimulatedEntropy},
    hash::HashCost,
    recovery::{
        Context, Ended, GrantToken, Limits, Password, Refusal, Reply, Request, SessionToken, Stored,
        reply::Lifecycle,
    },
    store::{
        Change, Files, Loaded, Store, StoreError,
        disk::RealDisk,
        tests::failing_disk::{Disks, Plan},
    },
    web::Heart,
};
use chacha20::ChaCha20Rng;
use latchkey_protocol::{
    Address, CloudSecretKey, Code, DeviceIdentity, Door, Handle, Host, Message, Mode, ParsedChallenge,
};
use nix::libc::{EIO, ENOSPC, EROFS};
use rand_core::SeedableRng;
use std::sync::{Arc, OnceLock, atomic::Ordering, mpsc};
use tokio::task::JoinHandle;

const OLD: &str = "Correct horse 1";
const NEW: &str = "Battery staple 2";

struct Keys {
    identity: Arc<DeviceIdentity>,
    cloud: CloudSecretKey,
}

fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let cloud = CloudSecretKey::draw(&mut rng);
        let identity = Arc::new(DeviceIdentity {
            handle: Handle([3; 8]),
            signing_key: crate::identity::draw_key(&mut rng),
            mode: Mode::Psk([9; 32]),
            cloud_key: cloud.public(),
            host: Host::parse("cloud.example").unwrap(),
            mailbox: None,
        });
        Keys { identity, cloud }
    })
}

/// A daemon without doors.
struct Daemon {
    heart: Heart,
    task: JoinHandle<Result<(), TaskError>>,
    clock: SimulatedClock,
    entropy: SimulatedEntropy,
}

impl Daemon {
    fn start(store: Box<dyn Store>, clock: SimulatedClock) -> Self {
        let entropy = SimulatedEntropy::default();
        let (heart, asks) = Heart::new(8);
        let parts = Self::parts(store, clock.clone(), entropy.clone());
        let task = tokio::spawn(HeartTask::start(parts, asks).unwrap().run());
        Self { heart, task, clock, entropy }
    }

    fn parts(store: Box<dyn Store>, clock: SimulatedClock, entropy: SimulatedEntropy) -> Parts {
        Parts {
            context: Context {
                identity: Some(keys().identity.clone()),
                serial: "LK-1".to_owned(),
                label_code: None,
                limits: Limits::default(),
                hooks: crate::recovery::Hooks::None,
            },
            store,
            clock: Box::new(clock),
            entropy: Box::new(entropy),
            hash_cost: HashCost { memory_kib: 8, passes: 1 },
        }
    }

    fn on(disks: &Disks, clock: SimulatedClock) -> Self {
        Self::start(Box::new(Files::new(disks.flash.clone(), disks.runtime.clone())), clock)
    }

    async fn ask(&self, door: Door, request: Request) -> Result<Reply, Refusal> {
        self.heart.ask(door, request).await
    }

    async fn console(&self, request: Request) -> Result<Reply, Refusal> {
        self.ask(Door::Console, request).await
    }

    async fn sign_in(&self, password: &str) -> Result<SessionToken, Refusal> {
        match self.console(Request::SignIn { password: typed(password) }).await? {
            Reply::SignedIn { session, .. } => Ok(session),
            other => unreachable!("{other:?}"),
        }
    }

    async fn activate(&self) -> SessionToken {
        let email = Some(Address::parse("owner@example.com").unwrap());
        match self.console(Request::Activate { password: typed(OLD), email }).await.unwrap() {
            Reply::Activated(session) => session,
            other => unreachable!("{other:?}"),
        }
    }

    /// Begins a reset, and reads the mail as the cloud would write it.
    async fn code(&self) -> Code {
        code_of(self.console(Request::BeginReset { renew: false, to: None }).await.unwrap())
    }

    async fn grant(&self, code: &Code) -> Result<GrantToken, Refusal> {
        match self.console(Request::VerifyCode { code: code.clone() }).await? {
            Reply::CodeAccepted { grant, .. } => Ok(grant),
            other => unreachable!("{other:?}"),
        }
    }

    async fn tries_left(&self) -> u32 {
        match self.console(Request::ViewChallenge).await.unwrap() {
            Reply::Challenge(view) => view.tries_left,
            other => unreachable!("{other:?}"),
        }
    }

    async fn lifecycle(&self) -> Lifecycle {
        match self.console(Request::Describe { session: None }).await.unwrap() {
            Reply::Description(description) => description.lifecycle,
            other => unreachable!("{other:?}"),
        }
    }

    /// Lets go of the handle and waits for the end.
    async fn stop(self) {
        drop(self.heart);
        self.task.await.unwrap().unwrap();
    }
}

fn typed(password: &str) -> Password {
    Password::new(password.to_owned())
}

fn code_of(reply: Reply) -> Code {
    let Reply::Challenge(view) = reply else { unreachable!("{reply:?}") };
    let keys = keys();
    let parsed = ParsedChallenge::parse(&view.link.sealed).unwrap();
    let verified = parsed.verify(&keys.identity.signing_key.verifying_key()).unwrap();
    let opened = verified.open(&keys.cloud, &keys.identity.mode).unwrap();
    match &opened.challenge().message {
        Message::Reset(code) => code.clone(),
        other => unreachable!("{other:?}"),
    }
}

fn wrong(code: &Code) -> Code {
    Code::from_number((code.number() + 1) % 100_000_000).unwrap()
}

#[tokio::test]
async fn a_reset_on_the_real_filesystem_survives_a_crash_and_not_a_reboot() {
    let folder = |within: &std::path::Path, name: &str| {
        let path = within.join(format!("latchkey-app-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        path
    };
    let flash = folder(&std::env::temp_dir(), "flash");
    let runtime = folder(std::path::Path::new("/dev/shm"), "runtime");
    let start = |clock: &SimulatedClock| {
        let disk = |path| RealDisk::open(path).unwrap();
        Daemon::start(Box::new(Files::new(disk(&flash), disk(&runtime))), clock.clone())
    };
    let clock = SimulatedClock::new(1);
    let daemon = start(&clock);
    daemon.activate().await;
    let code = daemon.code().await;
    daemon.task.abort();

    let daemon = start(&clock);
    assert_eq!(daemon.code().await, code, "the same QR comes back");
    assert_eq!(daemon.grant(&wrong(&code)).await.unwrap_err(), Refusal::WrongCode { tries_left: 4 });
    daemon.grant(&code).await.unwrap();
    daemon.task.abort(); // between the code and the new password

    let daemon = start(&clock);
    let grant = daemon.grant(&code).await.unwrap();
    daemon.console(Request::SetPassword { grant, password: typed(NEW) }).await.unwrap();
    assert!(matches!(daemon.sign_in(OLD).await, Err(Refusal::WrongPassword { .. })));
    daemon.sign_in(NEW).await.unwrap();
    daemon.clock.advance_s(3600);
    let code = daemon.code().await;
    daemon.stop().await;

    // A reboot: another boot id and an empty tmpfs; then one where the tmpfs was not emptied.
    for emptied in [false, true] {
        if emptied {
            std::fs::remove_file(runtime.join("pending-console")).unwrap();
        }
        let daemon = start(&SimulatedClock::new(2 + u8::from(emptied)));
        assert_eq!(daemon.grant(&code).await.unwrap_err(), Refusal::NoChallenge(Ended::Rebooted));
        daemon.stop().await;
    }
    std::fs::remove_dir_all(&flash).unwrap();
    std::fs::remove_dir_all(&runtime).unwrap();
}

/// Every request that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Activate,
    SignIn,
    SignInAfterReset,
    WrongSignIn,
    ChangePassword,
    SetEmail,
    BeginReset,
    NewQr,
    RightCode,
    WrongCode,
    SetPassword,
    FactoryReset,
}

const ACTS: [Act; 12] = [
    Act::Activate,
    Act::SignIn,
    Act::SignInAfterReset,
    Act::WrongSignIn,
    Act::ChangePassword,
    Act::SetEmail,
    Act::BeginReset,
    Act::NewQr,
    Act::RightCode,
    Act::WrongCode,
    Act::SetPassword,
    Act::FactoryReset,
];

/// What a request needs from the requests before it.
struct Ready {
    daemon: Daemon,
    act: Act,
    session: Option<SessionToken>,
    code: Option<Code>,
    grant: Option<GrantToken>,
}

impl Ready {
    /// Leads a new device to where the request can be made.
    async fn arrange(act: Act, disks: &Disks) -> Self {
        let daemon = Daemon::on(disks, SimulatedClock::new(1));
        let mut ready = Self { daemon, act, session: None, code: None, grant: None };
        if act == Act::Activate {
            return ready;
        }
        ready.session = Some(ready.daemon.activate().await);
        if matches!(
            act,
            Act::NewQr | Act::RightCode | Act::WrongCode | Act::SetPassword | Act::SignInAfterReset
        ) {
            ready.code = Some(ready.daemon.code().await);
            ready.daemon.clock.advance_s(3600);
        }
        if matches!(act, Act::SetPassword) {
            ready.grant = Some(ready.daemon.grant(ready.code.as_ref().unwrap()).await.unwrap());
        }
        // A request after long waiting may find its session over.
        if matches!(act, Act::ChangePassword | Act::SetEmail) {
            ready.session = Some(ready.daemon.sign_in(OLD).await.unwrap());
        }
        ready
    }

    fn request(&self) -> Request {
        let session = || self.session.clone().unwrap();
        let email = |text: &str| Some(Address::parse(text).unwrap());
        match self.act {
            Act::Activate => Request::Activate { password: typed(OLD), email: email("owner@example.com") },
            Act::SignIn | Act::SignInAfterReset => Request::SignIn { password: typed(OLD) },
            Act::WrongSignIn => Request::SignIn { password: typed("something else 3") },
            Act::ChangePassword => {
                Request::ChangePassword { session: session(), current: typed(OLD), new: typed(NEW) }
            }
            Act::SetEmail => Request::SetReservedEmail {
                session: session(),
                current: typed(OLD),
                which: crate::recovery::Which::Primary,
                email: email("other@example.com"),
            },
            Act::BeginReset => Request::BeginReset { renew: false, to: None },
            Act::NewQr => Request::BeginReset { renew: true, to: None },
            Act::RightCode => Request::VerifyCode { code: self.code.clone().unwrap() },
            Act::WrongCode => Request::VerifyCode { code: wrong(self.code.as_ref().unwrap()) },
            Act::SetPassword => {
                Request::SetPassword { grant: self.grant.clone().unwrap(), password: typed(NEW) }
            }
            Act::FactoryReset => Request::FactoryReset,
        }
    }

    async fn ask(&self) -> Result<Reply, Refusal> {
        self.daemon.console(self.request()).await
    }

    /// Whether the answer is the one of a device whose disk is well.
    fn is_as_expected(&self, answer: &Result<Reply, Refusal>) -> bool {
        match (self.act, answer) {
            (Act::WrongSignIn, Err(Refusal::WrongPassword { .. })) => true,
            (Act::WrongCode, Err(Refusal::WrongCode { tries_left: 4 })) => true,
            (Act::WrongSignIn | Act::WrongCode, _) => false,
            (_, answer) => answer.is_ok(),
        }
    }

    /// Which password is in force on a device; none on a new one.
    async fn password_in_force(daemon: &Daemon) -> Option<&'static str> {
        if daemon.lifecycle().await == Lifecycle::Inactive {
            return None;
        }
        for password in [OLD, NEW] {
            let mut answer = daemon.sign_in(password).await;
            if let Err(Refusal::Throttled { wait_s }) = answer {
                daemon.clock.advance_s(wait_s);
                answer = daemon.sign_in(password).await;
            }
            match answer {
                Ok(_) => return Some(password),
                Err(Refusal::WrongPassword { .. }) => {}
                Err(refusal) => unreachable!("{refusal:?}"),
            }
        }
        unreachable!("no password works");
    }

    fn before(&self) -> Option<&'static str> {
        (self.act != Act::Activate).then_some(OLD)
    }

    fn after(&self) -> Option<&'static str> {
        match self.act {
            Act::FactoryReset => None,
            Act::ChangePassword | Act::SetPassword => Some(NEW),
            _ => Some(OLD),
        }
    }
}

async fn operations(act: Act) -> u64 {
    let disks = Disks::new();
    let ready = Ready::arrange(act, &disks).await;
    disks.plan(Plan::Nothing);
    let answer = ready.ask().await;
    assert!(ready.is_as_expected(&answer), "{act:?}: {answer:?}");
    assert_eq!(Ready::password_in_force(&ready.daemon).await, ready.after(), "{act:?}");
    let disks_after = Daemon::on(&disks.after_kill(), ready.daemon.clock.clone());
    assert_eq!(Ready::password_in_force(&disks_after).await, ready.after(), "{act:?} after a restart");
    disks.count()
}

#[tokio::test]
async fn a_disk_error_at_any_operation_of_any_request_is_no_success_and_the_old_password_works() {
    let (mut once, mut lasting) = (0, 0);
    for act in ACTS {
        // Signing in to see which password is in force costs operations of its own.
        let total = {
            let disks = Disks::new();
            let ready = Ready::arrange(act, &disks).await;
            disks.plan(Plan::Nothing);
            let _ = ready.ask().await;
            disks.count()
        };
        assert!(operations(act).await >= total && total > 0, "{act:?} stores nothing");
        for at in 1..=total {
            for errno in [EIO, ENOSPC, EROFS] {
                for (for_good, lands) in [(false, false), (false, true), (true, false), (true, true)] {
                    let plan = Plan::Fail { at, errno, for_good, lands };
                    let name = format!("{act:?}: {plan:?}");
                    let disks = Disks::new();
                    let ready = Ready::arrange(act, &disks).await;
                    disks.plan(plan);
                    let answer = ready.ask().await;
                    assert_eq!(answer.unwrap_err(), Refusal::StorageFailed, "{name}");
                    if for_good {
                        let restarted = Daemon::on(&disks.after_kill(), ready.daemon.clock.clone());
                        let found = Ready::password_in_force(&restarted).await;
                        assert!([ready.before(), ready.after()].contains(&found), "{name}: {found:?}");
                        lasting += 1;
                        continue;
                    }
                    // The person asks again, and it works: nothing was lost, nobody was signed out.
                    let mut again = ready.ask().await;
                    if let Err(Refusal::Throttled { wait_s }) = again {
                        // A failure gives no credit: the wait for a new QR begins again.
                        ready.daemon.clock.advance_s(wait_s);
                        again = ready.ask().await;
                    }
                    assert!(ready.is_as_expected(&again), "{name}: asked again: {again:?}");
                    once += 1;
                    let disks = Disks::new();
                    let ready = Ready::arrange(act, &disks).await;
                    disks.plan(plan);
                    assert!(ready.ask().await.is_err());
                    assert_eq!(Ready::password_in_force(&ready.daemon).await, ready.before(), "{name}");
                }
            }
        }
    }
    println!("errors in requests: {once} once and {lasting} for good, 0 false successes");
    assert!(once > 300 && lasting > 300, "{once} {lasting}");
}

/// A store that says when a step is durable and then waits to be let go: the answer has not left yet.
struct Held {
    store: Box<dyn Store>,
    durable: tokio::sync::mpsc::Sender<()>,
    let_go: mpsc::Receiver<()>,
}

impl Store for Held {
    fn load(&mut self) -> Loaded {
        self.store.load()
    }

    fn carry_out(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let result = self.store.carry_out(changes);
        let _ = self.durable.try_send(());
        let _ = self.let_go.recv();
        result
    }

    fn settled(&self) -> Stored {
        self.store.settled()
    }
}

#[tokio::test]
async fn a_kill_between_durable_and_answered_keeps_what_was_stored() {
    for act in ACTS {
        let disks = Disks::new();
        let ready = Ready::arrange(act, &disks).await;
        let clock = ready.daemon.clock.clone();
        let (session, code) = (ready.session.clone(), ready.code.clone());
        if matches!(act, Act::ChangePassword | Act::SetEmail | Act::SetPassword) {
            // Sessions and grants live in memory only: these steps are tried at every operation above.
            continue;
        }
        ready.daemon.stop().await;
        let (durable, mut is_durable) = tokio::sync::mpsc::channel(1);
        let (release, let_go) = mpsc::sync_channel(1);
        let store = Files::new(disks.flash.clone(), disks.runtime.clone());
        let store = Held { store: Box::new(store), durable, let_go };
        let daemon = Daemon::start(Box::new(store), clock.clone());
        clock.advance_s(3600); // a start begins every wait again
        let ready = Ready { daemon, act, session, code, grant: None };
        let heart = ready.daemon.heart.clone();
        let request = ready.request();
        let mut asked = tokio::spawn(async move { heart.ask(Door::Console, request).await });
        tokio::select! {
            durable = is_durable.recv() => durable.unwrap(),
            answer = &mut asked => unreachable!("{act:?} was answered before it was stored: {answer:?}"),
        }
        ready.daemon.task.abort();
        let answer = asked.await.unwrap();
        assert_eq!(answer.unwrap_err(), Refusal::Unavailable, "{act:?}: nobody was answered");
        release.send(()).unwrap();

        let daemon = Daemon::on(&disks.after_kill(), clock);
        match act {
            Act::RightCode | Act::WrongCode => {
                assert_eq!(daemon.tries_left().await, 4, "{act:?}: the try stays charged");
                daemon.grant(ready.code.as_ref().unwrap()).await.unwrap();
            }
            Act::NewQr => {
                let code = daemon.code().await;
                assert_ne!(Some(&code), ready.code.as_ref(), "the new one is shown again");
                daemon.grant(&code).await.unwrap();
            }
            Act::BeginReset => {
                let code = daemon.code().await;
                daemon.grant(&code).await.unwrap();
            }
            _ => {}
        }
        assert_eq!(Ready::password_in_force(&daemon).await, ready.after(), "{act:?}");
    }
}
