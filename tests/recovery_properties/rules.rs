//! Rules that one short story each shows, with the heart alone.

use crate::world::Keys;
use chacha20::{ChaCha12Rng, rand_core::SeedableRng};
use latchkey::recovery::{
    Action, Aim, BootId, Context, DeviceCode, Effect, HashJob, HashOutcome, Limits, Now, Password, Pending,
    Place, PlatformSettings, Refusal, Reply, Request, RequestId, State, Stored, StoredPending, StoredRecord,
    reply::Ended, reply::Lifecycle, reply::ResetByEmail,
};
use latchkey_protocol::{Address, Code, Door};

pub struct Device {
    pub keys: Keys,
    pub context: Context,
    pub state: State,
    pub now: Now,
    rng: ChaCha12Rng,
    id: u64,
    pub flash: StoredRecord,
    pub tmpfs: Option<Pending>,
}

type Answer = Result<Reply, Refusal>;

fn nothing() -> Stored {
    Stored::of(StoredRecord::Absent)
}

impl Device {
    fn new(change: impl FnOnce(&mut Context), stored: Stored) -> Self {
        let keys = Keys::draw();
        let mut context = Context {
            identity: Some(keys.identity.clone()),
            serial: "LK-1".into(),
            label_code: None,
            limits: Limits::default(),
            hooks: latchkey::recovery::Hooks::None,
        };
        change(&mut context);
        let boot_id = BootId([5; 16]);
        let now = Now { boottime_ms: 1000, boot_id, wall_unix_s: 1_800_000_000, tz_offset_min: 0 };
        let rng = ChaCha12Rng::seed_from_u64(3);
        let state = State::boot(context.clone(), stored, now);
        Self { keys, context, state, now, rng, id: 0, flash: StoredRecord::Absent, tmpfs: None }
    }

    pub fn active(change: impl FnOnce(&mut Context)) -> Self {
        let mut device = Self::new(change, nothing());
        let email = Address::parse("owner@mail.example").ok();
        let activate = Request::Activate { password: password("first pass phrase"), email };
        assert!(matches!(device.ask(Door::Console, activate), Ok(Reply::Activated(_))));
        device
    }

    /// One action; gives what follows from it, what is durable being kept.
    pub fn step(&mut self, action: Action) -> Vec<Effect> {
        let step = self.state.step(action, self.now, &mut self.rng);
        self.state = step.state;
        for effect in &step.effects {
            match effect {
                Effect::CommitRecord(record) => self.flash = StoredRecord::Whole(record.clone()),
                Effect::WritePending(pending) => self.tmpfs = Some(Pending::clone(pending)),
                _ => {}
            }
        }
        step.effects
    }

    fn begin(&mut self, door: Door, request: Request) -> (RequestId, Vec<Effect>) {
        self.id += 1;
        let id = RequestId(self.id);
        (id, self.step(Action::Asked { id, door, request }))
    }

    /// Asks, and does all that follows, until the answer.
    pub fn ask(&mut self, door: Door, request: Request) -> Answer {
        let (asked, mut effects) = self.begin(door, request);
        loop {
            let mut next = Vec::new();
            for effect in effects {
                match effect {
                    Effect::Reply(id, answer) if id == asked => return answer,
                    Effect::Then(action) => next.extend(self.step(action)),
                    Effect::Hash(ticket, job) => {
                        let outcome = hash(job);
                        next.extend(self.step(Action::Hashed { ticket, outcome }));
                    }
                    _ => {}
                }
            }
            assert!(!next.is_empty(), "no answer");
            effects = next;
        }
    }

    pub fn code(&self) -> Code {
        let pending = self.tmpfs.as_ref().unwrap();
        self.keys.code(pending).unwrap()
    }
}

pub fn password(text: &str) -> Password {
    Password::new(text.to_owned())
}

fn hash(job: HashJob) -> HashOutcome {
    match job {
        HashJob::Make { password, .. } => HashOutcome::Made(password.to_string()),
        HashJob::Compare { password, phc } => HashOutcome::Compared(*password == *phc),
        HashJob::SetAtAuthority { .. } | HashJob::AskAuthority { .. } => HashOutcome::Failed,
    }
}

pub fn refusal(answer: Answer) -> Refusal {
    answer.unwrap_err()
}

const BEGIN: Request = Request::BeginReset { renew: false, to: None };
const RENEW: Request = Request::BeginReset { renew: true, to: None };

#[test]
fn the_lan_door_closes_after_a_hundred_tries_and_the_console_opens_it() {
    let mut device = Device::active(|_| {});
    for _ in 0..20 {
        assert!(matches!(device.ask(Door::Lan, RENEW), Ok(Reply::Challenge(_))));
        device.now.boottime_ms += 3_600_000;
    }
    assert_eq!(refusal(device.ask(Door::Lan, RENEW)), Refusal::LanClosed);
    assert!(matches!(device.ask(Door::Lan, BEGIN), Ok(Reply::Challenge(_))), "the last one stays");
    assert!(matches!(device.ask(Door::Console, BEGIN), Ok(Reply::Challenge(_))));
    let sign_in = Request::SignIn { password: password("first pass phrase") };
    assert!(matches!(device.ask(Door::Console, sign_in), Ok(Reply::SignedIn { .. })));
    assert!(matches!(device.ask(Door::Lan, RENEW), Ok(Reply::Challenge(_))));
}

#[test]
fn a_reset_that_is_switched_off_at_the_lan_works_at_the_console() {
    let mut device = Device::active(|context| context.limits.lan_reset = false);
    let code = || Code::from_number(1).unwrap();
    for request in [BEGIN, Request::ViewChallenge, Request::VerifyCode { code: code() }] {
        assert_eq!(refusal(device.ask(Door::Lan, request)), Refusal::SwitchedOff);
    }
    assert!(matches!(device.ask(Door::Console, BEGIN), Ok(Reply::Challenge(_))));
    for (door, offered) in [(Door::Lan, ResetByEmail::SwitchedOff), (Door::Console, ResetByEmail::Offered)] {
        let Ok(Reply::Description(description)) = device.ask(door, Request::Describe { session: None })
        else {
            panic!("no description");
        };
        assert_eq!(description.reset_by_email, offered);
    }
}

#[test]
fn a_device_without_identity_says_so() {
    let mut device = Device::active(|context| context.identity = None);
    assert_eq!(refusal(device.ask(Door::Console, BEGIN)), Refusal::NoIdentity);
}

#[test]
fn a_damaged_record_is_no_new_device_and_factory_reset_is_the_way_out() {
    let stored = Stored { record: StoredRecord::Damaged, ..nothing() };
    let mut device = Device::new(|_| {}, stored);
    let activate = || Request::Activate { password: password("another pass phrase"), email: None };
    let sign_in = Request::SignIn { password: password("first pass phrase") };
    for request in [activate(), sign_in, BEGIN, Request::ViewChallenge] {
        assert_eq!(refusal(device.ask(Door::Console, request)), Refusal::RecordDamaged);
    }
    let Ok(Reply::Description(description)) = device.ask(Door::Lan, Request::Describe { session: None })
    else {
        panic!("no description");
    };
    assert_eq!(description.lifecycle, Lifecycle::Damaged);
    assert_eq!(refusal(device.ask(Door::Lan, Request::FactoryReset)), Refusal::ConsoleOnly);
    let (_, effects) = device.begin(Door::Console, Request::FactoryReset);
    assert!(matches!(effects[0], Effect::EraseRecord));
    for (effect, place) in effects[1..5].iter().zip(Place::ALL) {
        assert!(matches!(effect, Effect::ErasePending(erased) if *erased == place));
    }
    assert!(matches!(device.ask(Door::Console, activate()), Ok(Reply::Activated(_))));
}

#[test]
fn a_pending_file_that_cannot_be_read_is_lost_and_says_so() {
    let mut device = Device::active(|_| {});
    assert!(device.ask(Door::Lan, BEGIN).is_ok());
    let record = device.flash.clone();
    let mut stored = Stored::of(record);
    *stored.pending_mut(Place { door: Door::Lan, aim: Aim::Reset }) = StoredPending::Unreadable;
    device.state = device.state.read_back(stored.clone(), device.now);
    // Memory knows no better: the file of a live challenge is gone.
    let lost = Refusal::NoChallenge(Ended::Lost);
    assert_eq!(refusal(device.ask(Door::Lan, Request::ViewChallenge)), lost);
    let never = Refusal::NoChallenge(Ended::NeverAsked);
    assert_eq!(refusal(device.ask(Door::Console, Request::ViewChallenge)), never);

    let context = Context {
        identity: None,
        serial: String::new(),
        label_code: None,
        limits: Limits::default(),
        hooks: latchkey::recovery::Hooks::None,
    };
    let later = Now { boot_id: BootId([6; 16]), ..device.now };
    device.state = State::boot(context, stored, later);
    device.now = later;
    let code = Code::from_number(1).unwrap();
    let rebooted = Refusal::NoChallenge(Ended::Rebooted);
    assert_eq!(refusal(device.ask(Door::Lan, Request::VerifyCode { code })), rebooted);
}

/// Types a code and stops before it is compared.
fn charge(device: &mut Device, code: Code) -> Action {
    let (_, effects) = device.begin(Door::Lan, Request::VerifyCode { code });
    let then = effects.into_iter().find_map(|effect| match effect {
        Effect::Then(action) => Some(action),
        _ => None,
    });
    then.unwrap()
}

fn answer(effects: Vec<Effect>) -> Answer {
    let answer = effects.into_iter().find_map(|effect| match effect {
        Effect::Reply(_, answer) => Some(answer),
        _ => None,
    });
    answer.unwrap()
}

fn tries_left(device: &mut Device) -> u32 {
    match device.ask(Door::Lan, Request::ViewChallenge) {
        Ok(Reply::Challenge(view)) => view.tries_left,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_codes_that_are_compared_at_once_are_each_paid_for() {
    let mut device = Device::active(|_| {});
    assert!(device.ask(Door::Lan, BEGIN).is_ok());
    let right = device.code();
    let wrong = Code::from_number((right.number() + 1) % 100_000_000).unwrap();
    let (first, second) = (charge(&mut device, right.clone()), charge(&mut device, wrong.clone()));
    assert!(matches!(answer(device.step(second)), Err(Refusal::WrongCode { tries_left: 3 })));
    assert!(matches!(answer(device.step(first)), Ok(Reply::CodeAccepted { .. })));
    assert_eq!(tries_left(&mut device), 4);

    // Both are right: both are accepted, and only the newer grant counts.
    let (first, second) = (charge(&mut device, right.clone()), charge(&mut device, right.clone()));
    let Ok(Reply::CodeAccepted { grant: older, .. }) = answer(device.step(first)) else { panic!() };
    let Ok(Reply::CodeAccepted { grant: newer, .. }) = answer(device.step(second)) else { panic!() };
    let set = |grant| Request::SetPassword { grant, password: password("second pass phrase") };
    assert_eq!(refusal(device.ask(Door::Lan, set(older))), Refusal::GrantOver);
    assert!(matches!(device.ask(Door::Lan, set(newer.clone())), Ok(Reply::PasswordReset)));
    assert_eq!(refusal(device.ask(Door::Lan, set(newer))), Refusal::GrantOver);
}

#[test]
fn while_the_last_try_is_compared_another_waits() {
    let mut device = Device::active(|_| {});
    assert!(device.ask(Door::Lan, BEGIN).is_ok());
    let right = device.code();
    let wrong = Code::from_number((right.number() + 1) % 100_000_000).unwrap();
    for left in (1..5).rev() {
        let typed = Request::VerifyCode { code: wrong.clone() };
        assert_eq!(refusal(device.ask(Door::Lan, typed)), Refusal::WrongCode { tries_left: left });
    }
    let last = charge(&mut device, wrong);
    let typed = || Request::VerifyCode { code: right.clone() };
    assert_eq!(refusal(device.ask(Door::Lan, typed())), Refusal::Busy);
    assert!(matches!(answer(device.step(last)), Err(Refusal::WrongCode { tries_left: 0 })));
    let over = Refusal::NoChallenge(Ended::TooManyTries);
    assert_eq!(refusal(device.ask(Door::Lan, typed())), over);
    assert_eq!(device.tmpfs.as_ref().unwrap().code_hash, [0; 32], "nothing to search is left");
}

#[test]
fn a_code_charged_to_one_challenge_is_not_compared_with_the_next() {
    let mut device = Device::active(|_| {});
    assert!(device.ask(Door::Lan, BEGIN).is_ok());
    let charged = charge(&mut device, Code::from_number(1).unwrap());
    device.now.boottime_ms += 60_000;
    assert!(device.ask(Door::Lan, RENEW).is_ok());
    let renewed = Refusal::NoChallenge(Ended::Renewed);
    assert_eq!(refusal(answer(device.step(charged))), renewed);
    assert_eq!(tries_left(&mut device), 5);
}

#[test]
fn a_completed_reset_is_told_once_and_ends_every_session() {
    let mut device = Device::active(|_| {});
    let sign_in = |text: &str| Request::SignIn { password: password(text) };
    let Ok(Reply::SignedIn { session, .. }) = device.ask(Door::Console, sign_in("first pass phrase")) else {
        panic!("not signed in");
    };
    assert!(device.ask(Door::Lan, BEGIN).is_ok());
    let code = device.code();
    let Ok(Reply::CodeAccepted { grant, .. }) = device.ask(Door::Lan, Request::VerifyCode { code }) else {
        panic!("not accepted");
    };
    let set = Request::SetPassword { grant, password: password("second pass phrase") };
    assert!(matches!(device.ask(Door::Lan, set), Ok(Reply::PasswordReset)));
    let emails = Request::ReservedEmails { session };
    assert_eq!(refusal(device.ask(Door::Console, emails)), Refusal::NotSignedIn);
    let wrong = Refusal::WrongPassword { wait_s: 0 };
    assert_eq!(refusal(device.ask(Door::Console, sign_in("first pass phrase"))), wrong);
    let mut told = || match device.ask(Door::Console, sign_in("second pass phrase")) {
        Ok(Reply::SignedIn { reset_to_tell, .. }) => reset_to_tell.map(|note| note.door),
        other => panic!("{other:?}"),
    };
    assert_eq!((told(), told()), (Some(Door::Lan), None));
}

#[test]
fn platform_access_starts_with_the_code_on_the_label_and_the_owner_may_choose_another() {
    let label = DeviceCode::parse("LABEL77").unwrap();
    let own = DeviceCode::parse("mine1234").unwrap();
    for on_label in [Some(label), None] {
        let mut device = Device::active(|context| context.label_code.clone_from(&on_label));
        let session = crate::addresses::sign_in(&mut device);
        let mut set = |verification_code: Option<&DeviceCode>| {
            let verification_code = verification_code.cloned();
            let settings =
                PlatformSettings { enabled: true, verification_code, ..PlatformSettings::default() };
            match device.ask(Door::Lan, Request::SetPlatform { session: session.clone(), settings }) {
                Ok(Reply::Platform(settings)) => settings.verification_code.unwrap(),
                other => panic!("{other:?}"),
            }
        };
        let first = set(None);
        assert!(on_label.as_ref().is_none_or(|label| *label == first));
        assert_eq!(first.as_str().len(), if on_label.is_some() { 7 } else { 8 });
        assert_eq!(set(Some(&own)), own);
        assert_eq!(set(None), own, "what the owner chose stays");
    }
}
