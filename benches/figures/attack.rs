//! Flash commits a day while someone tries without pause: the heart itself, second by second.

use chacha20::ChaCha20Rng;
use ed25519_dalek::SigningKey;
use latchkey::recovery::{
    Action, BootId, Context, Effect, HashJob, HashOutcome, Limits, Now, Request, RequestId, State, Stored,
    StoredRecord, action::Password,
};
use latchkey_protocol::{Address, CloudSecretKey, Code, DeviceIdentity, Door, Handle, Host, Mode};
use rand_core::SeedableRng;
use serde_json::json;
use std::{collections::VecDeque, sync::Arc};

const DAY_S: u64 = 86_400;
const OWNER: &str = "the owner's password";

struct Device {
    state: State,
    rng: ChaCha20Rng,
    second: u64,
    next_id: u64,
    commits: u64,
    pending_writes: u64,
}

impl Device {
    fn active() -> Self {
        let mut rng = ChaCha20Rng::from_seed([9; 32]);
        let identity = DeviceIdentity {
            handle: Handle([2; 8]),
            signing_key: SigningKey::from_bytes(&[3; 32]),
            mode: Mode::Psk([4; 32]),
            cloud_key: CloudSecretKey::draw(&mut rng).public(),
            host: Host::parse("latchkey.example").unwrap(),
            mailbox: None,
        };
        let context = Context {
            identity: Some(Arc::new(identity)),
            serial: "LK-0001".to_owned(),
            label_code: None,
            limits: Limits::default(),
            hooks: latchkey::recovery::Hooks::None,
        };
        let state = State::boot(context, Stored::of(StoredRecord::Absent), now(0));
        let mut device = Self { state, rng, second: 0, next_id: 0, commits: 0, pending_writes: 0 };
        let email = Some(Address::parse("owner@example.com").unwrap());
        device.ask(Door::Console, Request::Activate { password: Password::new(OWNER.to_owned()), email });
        assert_eq!(device.commits, 1, "activation is one commit");
        device.commits = 0;
        device
    }

    fn ask(&mut self, door: Door, request: Request) {
        self.next_id += 1;
        let mut actions = VecDeque::from([Action::Asked { id: RequestId(self.next_id), door, request }]);
        while let Some(action) = actions.pop_front() {
            let step = self.state.step(action, now(self.second), &mut self.rng);
            self.state = step.state;
            for effect in step.effects {
                match effect {
                    Effect::CommitRecord(_) | Effect::EraseRecord => self.commits += 1,
                    Effect::WritePending(_) | Effect::ErasePending(_) => self.pending_writes += 1,
                    Effect::Hash(ticket, job) => {
                        let outcome = outcome(&job);
                        actions.push_back(Action::Hashed { ticket, outcome });
                    }
                    Effect::Then(action) => actions.push_front(action),
                    Effect::Reply(..) | Effect::Log(_) | Effect::Hooks(_) => {}
                }
            }
        }
    }

    /// All that a stranger can try at a door in one second that may cost flash.
    fn attack(&mut self, door: Door) {
        self.ask(door, Request::SignIn { password: Password::new("a guess".to_owned()) });
        self.ask(door, Request::BeginReset { renew: true, to: None });
        self.ask(door, Request::VerifyCode { code: Code::from_number(12_345_678).unwrap() });
    }
}

/// Hashing is not what is measured here: the right password is known by its text.
fn outcome(job: &HashJob) -> HashOutcome {
    match job {
        HashJob::Make { .. } => HashOutcome::Made("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA".to_owned()),
        HashJob::Compare { password, .. } => HashOutcome::Compared(&**password == OWNER),
        HashJob::SetAtAuthority { .. } | HashJob::AskAuthority { .. } => HashOutcome::Failed,
    }
}

fn now(second: u64) -> Now {
    Now {
        boottime_ms: second * 1000,
        boot_id: BootId([6; 16]),
        wall_unix_s: 1_790_000_000 + second as i64,
        tz_offset_min: 0,
    }
}

/// The commits of each of some days. `owner_every_s`: the owner signs in at both doors, if they let
/// them, so that what a stranger owes at the other is forgiven again and again.
fn days(doors: &[Door], owner_every_s: Option<u64>, count: u64) -> serde_json::Value {
    let mut device = Device::active();
    let mut by_day = vec![];
    for day in 0..count {
        (device.commits, device.pending_writes) = (0, 0);
        for second in day * DAY_S + 1..=(day + 1) * DAY_S {
            device.second = second;
            if owner_every_s.is_some_and(|every_s| second % every_s == 0) {
                for door in [Door::Console, Door::Lan] {
                    device.ask(door, Request::SignIn { password: Password::new(OWNER.to_owned()) });
                }
            }
            for &door in doors {
                device.attack(door);
            }
        }
        by_day.push((device.commits, device.pending_writes));
    }
    json!({
        "commits_by_day": by_day.iter().map(|day| day.0).collect::<Vec<_>>(),
        "tmpfs_writes_by_day": by_day.iter().map(|day| day.1).collect::<Vec<_>>(),
    })
}

/// Runs each attack.
pub(crate) fn run() {
    let both = [Door::Console, Door::Lan];
    println!(
        "{}",
        json!({
            "stranger_on_the_lan": days(&[Door::Lan], None, 3),
            "stranger_at_the_console": days(&[Door::Console], None, 3),
            "strangers_at_both": days(&both, None, 3),
            "stranger_on_the_lan_while_the_owner_signs_in_hourly": days(&[Door::Lan], Some(3600), 3),
        })
    );
}
