//! A device in memory: the heart with a store that keeps what was durable, a clock, and a shell that
//! carries out effects as the real one must. Everything that happens is shown to the [`Oracle`].

use crate::{
    asked::Asked,
    events::{Ask, Event, Fault},
    oracle::{Oracle, Violation},
};
use chacha20::{
    ChaCha12Rng,
    rand_core::{Rng, SeedableRng},
};
use latchkey::recovery::{
    Action, Context, Effect, GrantToken, HashJob, HashOutcome, HookEvent, HookOrder, Limits, Now, Password,
    Pending, Place, Record, Refusal, Reply, RequestId, SessionToken, State, Step, Stored, StoredPending,
    StoredRecord, Ticket,
};
use latchkey_protocol::{
    Challenge, ChallengeId, CloudSecretKey, Code, DeviceIdentity, Door, Handle, Host, Message, Mode,
    ParsedChallenge, SealedChallenge, platform::Sealed,
};
use std::{collections::HashMap, sync::Arc};

pub const DOORS: [Door; 2] = [Door::Console, Door::Lan];

/// Keys that all sequences share: drawing them is slow and no sequence depends on them.
pub struct Keys {
    pub identity: Arc<DeviceIdentity>,
    pub cloud: CloudSecretKey,
}

impl Keys {
    pub fn draw() -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(7);
        let cloud = CloudSecretKey::draw(&mut rng);
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        let identity = Arc::new(DeviceIdentity {
            handle: Handle([3; 8]),
            signing_key: ed25519_dalek::SigningKey::from_bytes(&bytes),
            mode: Mode::Psk([9; 32]),
            cloud_key: cloud.public(),
            host: Host::parse("cloud.example").unwrap(),
            mailbox: None,
        });
        Self { identity, cloud }
    }

    /// What only the owner of the mailbox can know.
    pub fn code(&self, pending: &Pending) -> Result<Code, Violation> {
        match self.open(&pending.sealed)?.message {
            Message::Reset(code) | Message::ConfirmEmail(code) => Ok(code),
            other => Err(Violation(format!("no code in a challenge: {:?}", other.purpose()))),
        }
    }

    /// What only the owner of the mailbox and the cloud can know.
    pub fn open(&self, sealed: &SealedChallenge) -> Result<Challenge, Violation> {
        let parsed = ParsedChallenge::parse(sealed).map_err(|e| Violation(e.to_string()))?;
        let verified = parsed
            .verify(&self.identity.signing_key.verifying_key())
            .map_err(|e| Violation(e.to_string()))?;
        let opened = verified
            .open(&self.cloud, &self.identity.mode)
            .map_err(|e| Violation(format!("the cloud cannot open a challenge: {e}")))?;
        Ok(opened.challenge().clone())
    }
}

/// What is durable: flash, and tmpfs until a reboot.
#[derive(Default)]
pub struct Disk {
    pub record: Option<Record>,
    pub pending: HashMap<Place, Pending>,
}

impl Disk {
    fn read(&self) -> Stored {
        let pending = |place| match self.pending.get(&place) {
            Some(pending) => StoredPending::Whole(Box::new(pending.clone())),
            None => StoredPending::Absent,
        };
        Stored {
            record: match &self.record {
                Some(record) => StoredRecord::Whole(Box::new(record.clone())),
                None => StoredRecord::Absent,
            },
            pending: Place::ALL.map(pending),
        }
    }
}

/// The device, and what people hold in their hands.
pub struct World<'a> {
    keys: &'a Keys,
    context: Context,
    state: State,
    pub disk: Disk,
    now: Now,
    rng: ChaCha12Rng,
    jobs: Vec<(Ticket, HashJob)>,
    next_id: u64,
    pub passwords: u64,
    pub sessions: HashMap<Door, Vec<SessionToken>>,
    pub grants: HashMap<Door, Vec<GrantToken>>,
    pub codes: HashMap<Place, Vec<(ChallengeId, Code)>>,
    oracle: Oracle,
    /// Answers since they were last taken.
    answers: Vec<(RequestId, Result<Reply, Refusal>)>,
    /// The notices that the cloud has taken.
    taken: Vec<Sealed>,
    /// The cloud takes each notice at once, as over a link that is up.
    pub link_is_up: bool,
    /// Writes to flash so far.
    pub flash_commits: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Restart {
    Daemon,
    Device,
    DeviceButFilesStay,
}

enum Outcome {
    Done,
    Cut,
}

impl<'a> World<'a> {
    pub fn new(keys: &'a Keys, seed: u64) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let context = Context {
            identity: Some(Arc::clone(&keys.identity)),
            serial: "LK-00000001".into(),
            label_code: None,
            limits: Limits::default(),
            hooks: latchkey::recovery::Hooks::Told,
        };
        let now = Now {
            boottime_ms: 20_000,
            boot_id: boot_id(&mut rng),
            wall_unix_s: 1_790_000_000,
            tz_offset_min: 60,
        };
        let disk = Disk::default();
        Self {
            state: State::boot(context.clone(), disk.read(), now),
            keys,
            context,
            disk,
            now,
            rng,
            jobs: Vec::new(),
            next_id: 0,
            passwords: 0,
            sessions: HashMap::new(),
            grants: HashMap::new(),
            codes: HashMap::new(),
            oracle: Oracle::new(),
            answers: Vec::new(),
            taken: Vec::new(),
            link_is_up: false,
            flash_commits: 0,
        }
    }

    /// Lets an event happen.
    pub fn happen(&mut self, event: &Event) -> Result<(), Violation> {
        self.oracle.time(self.now);
        match event {
            Event::Ask { door, ask, fault, .. } => self.ask(*door, *ask, *fault).map(|_| ()),
            Event::Siege { door, ask, times, pause_s } => {
                for _ in 0..*times {
                    self.pass(*pause_s);
                    self.ask(*door, *ask, Fault::None)?;
                    while self.deliver(false, Fault::None)? {}
                }
                Ok(())
            }
            Event::Deliver { fails, fault } => self.deliver(*fails, *fault).map(|_| ()),
            Event::Pass { s } => {
                self.pass(*s);
                Ok(())
            }
            Event::Sent { all, fault } => self.send(*all, *fault),
            Event::Crash => self.restart(Restart::Daemon),
            Event::Reboot { files_stay: true } => self.restart(Restart::DeviceButFilesStay),
            Event::Reboot { files_stay: false } => self.restart(Restart::Device),
            Event::Wall { unix_s } => {
                self.now.wall_unix_s = *unix_s;
                Ok(())
            }
        }
    }

    /// The cloud takes notices.
    pub fn send(&mut self, all: bool, fault: Fault) -> Result<(), Violation> {
        let mut waiting: Vec<_> = self.state.notices().iter().map(|notice| notice.sealed.clone()).collect();
        if !all {
            waiting.pop();
        }
        self.taken.extend(waiting.iter().cloned());
        self.perform(Action::NoticesDone(waiting), fault)
    }

    /// Time passes.
    pub fn pass(&mut self, s: u32) {
        self.now.boottime_ms += u64::from(s) * 1000;
        self.now.wall_unix_s = self.now.wall_unix_s.saturating_add(i64::from(s));
        self.oracle.time(self.now);
    }

    /// Someone asks; gives the request's id.
    pub fn ask(&mut self, door: Door, ask: Ask, fault: Fault) -> Result<RequestId, Violation> {
        let id = RequestId(self.next_id);
        self.next_id += 1;
        let request = self.request(id, door, ask);
        let asked = Asked::new(door, ask, &request, self.now, self.disk.record.as_ref());
        self.oracle.asked(id, asked);
        self.perform(Action::Asked { id, door, request }, fault)?;
        self.oracle.asked_until_now(id, self.now)?;
        if self.link_is_up && !self.state.notices().is_empty() {
            self.send(true, Fault::None)?;
        }
        Ok(id)
    }

    /// The oldest hash job's outcome comes in. False if none is out.
    pub fn deliver(&mut self, fails: bool, fault: Fault) -> Result<bool, Violation> {
        if self.jobs.is_empty() {
            return Ok(false);
        }
        let (ticket, job) = self.jobs.remove(0);
        if let HashJob::Compare { password, phc } = &job {
            self.oracle.compared(password, is_password_of(password, phc), fails);
        }
        let outcome = match job {
            _ if fails => HashOutcome::Failed,
            HashJob::Make { password, salt } => HashOutcome::Made(phc(&password, &salt)),
            HashJob::Compare { password, phc } => HashOutcome::Compared(is_password_of(&password, &phc)),
            HashJob::SetAtAuthority { .. } | HashJob::AskAuthority { .. } => HashOutcome::Failed,
        };
        self.perform(Action::Hashed { ticket, outcome }, fault)?;
        Ok(true)
    }

    /// Answers since the last call.
    pub fn take_answers(&mut self) -> Vec<(RequestId, Result<Reply, Refusal>)> {
        std::mem::take(&mut self.answers)
    }

    /// After the last event: whatever still runs ends, and nobody may be left without an answer.
    pub fn finish(&mut self) -> Result<(), Violation> {
        while self.deliver(false, Fault::None)? {}
        match self.oracle.unanswered().first() {
            None => Ok(()),
            Some(id) => Err(Violation(format!("{id:?} was never answered"))),
        }
    }

    /// The shell: carries out a step's effects in order, and what follows from it at once.
    fn perform(&mut self, action: Action, fault: Fault) -> Result<(), Violation> {
        let mut actions = vec![action];
        let mut durable = 0;
        while let Some(action) = actions.pop() {
            let Step { state, effects } = self.state.step(action, self.now, &mut self.rng);
            self.oracle.step(&effects)?;
            let first_other = effects.iter().position(|e| !is_durable(e)).unwrap_or(effects.len());
            let mut effects = effects;
            let after = effects.split_off(first_other);
            for effect in effects {
                if let Outcome::Cut = self.carry_out(effect, &mut durable, fault)? {
                    return Ok(());
                }
            }
            self.state = state;
            for effect in after {
                match effect {
                    Effect::Then(action) => actions.insert(0, action),
                    Effect::Hash(ticket, job) => {
                        self.jobs.push((ticket, job));
                        if self.jobs.len() > 1 {
                            return Err(Violation("two hash jobs run at a time".into()));
                        }
                    }
                    Effect::Reply(id, result) => self.answer(id, result)?,
                    // Every second password is taken at once by the recorder's other software, and every
                    // other one not before a sign-in after a restart.
                    Effect::Hooks(HookOrder::Tell { event, basis, .. }) => {
                        let taken = basis.epoch % 2 == 0 || event == HookEvent::SignedIn;
                        actions.push(Action::HooksTried { basis, taken });
                    }
                    Effect::Hooks(HookOrder::Forget) | Effect::Log(_) => {}
                    _ => return Err(Violation("a durable effect after an answer".into())),
                }
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect, durable: &mut u8, fault: Fault) -> Result<Outcome, Violation> {
        let number = *durable;
        *durable += 1;
        let took_hold = match fault {
            Fault::Fails { at, took_hold }
            | Fault::Crash { at, took_hold }
            | Fault::PowerCut { at, took_hold }
                if at == number =>
            {
                took_hold
            }
            _ => {
                self.apply(effect)?;
                return Ok(Outcome::Done);
            }
        };
        if took_hold {
            self.apply(effect)?;
        }
        match fault {
            Fault::Crash { .. } => self.restart(Restart::Daemon)?,
            Fault::PowerCut { .. } => self.restart(Restart::Device)?,
            Fault::Fails { .. } | Fault::None => self.read_back()?,
        }
        Ok(Outcome::Cut)
    }

    fn apply(&mut self, effect: Effect) -> Result<(), Violation> {
        match effect {
            Effect::CommitRecord(record) => {
                if let Some(before) = &self.disk.record {
                    let new = record.notices.iter().filter(|notice| !before.notices.contains(notice));
                    let opened: Result<Vec<_>, _> = new.map(|n| self.keys.open(&n.sealed.0)).collect();
                    self.oracle.notices_written(before, &record, &opened?, &self.taken)?;
                } else if !record.notices.is_empty() {
                    return Err(Violation("a new account has notices".into()));
                }
                self.oracle.record_written(self.disk.record.as_ref(), Some(&record), self.now)?;
                self.disk.record = Some(*record);
                self.flash_commits += 1;
            }
            Effect::EraseRecord => {
                self.oracle.record_written(self.disk.record.as_ref(), None, self.now)?;
                self.disk.record = None;
                self.flash_commits += 1;
            }
            Effect::WritePending(pending) => {
                let place = pending.place();
                if self.disk.pending.get(&place).map(|p| p.id) != Some(pending.id) {
                    let challenge = self.keys.open(&pending.sealed)?;
                    let code = self.keys.code(&pending)?;
                    self.codes.entry(place).or_default().push((pending.id, code));
                    let record = self.disk.record.as_ref();
                    let record = record.ok_or_else(|| Violation("a challenge of no account".into()))?;
                    self.oracle.issued(&pending, &challenge, record, self.now)?;
                }
                self.oracle.pending_written(self.disk.pending.get(&place), &pending)?;
                self.disk.pending.insert(place, *pending);
            }
            Effect::ErasePending(place) => {
                self.oracle.pending_erased(place);
                self.disk.pending.remove(&place);
            }
            _ => {}
        }
        Ok(())
    }

    /// A durable effect failed: what is stored is read back, and everyone who waits is told.
    fn read_back(&mut self) -> Result<(), Violation> {
        self.state = self.state.read_back(self.disk.read(), self.now);
        self.oracle.read_back();
        self.jobs.clear();
        for id in self.oracle.unanswered() {
            self.answer(id, Err(Refusal::StorageFailed))?;
        }
        Ok(())
    }

    fn restart(&mut self, what: Restart) -> Result<(), Violation> {
        let reboot = what != Restart::Daemon;
        if what == Restart::Device {
            self.disk.pending.clear();
        }
        if reboot {
            self.now.boottime_ms = 20_000;
            self.now.boot_id = boot_id(&mut self.rng);
        }
        self.jobs.clear();
        self.state = State::boot(self.context.clone(), self.disk.read(), self.now);
        self.oracle.restarted(reboot, self.now);
        Ok(())
    }

    fn answer(&mut self, id: RequestId, result: Result<Reply, Refusal>) -> Result<(), Violation> {
        let door = self.oracle.answered(id, &result, self.disk.record.as_ref(), self.now)?;
        match &result {
            Ok(Reply::SignedIn { session, .. } | Reply::Activated(session)) => {
                self.sessions.entry(door).or_default().push(session.clone());
            }
            Ok(Reply::CodeAccepted { grant, .. }) => self.grants.entry(door).or_default().push(grant.clone()),
            _ => {}
        }
        self.answers.push((id, result));
        Ok(())
    }
}

fn is_durable(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::CommitRecord(_) | Effect::EraseRecord | Effect::WritePending(_) | Effect::ErasePending(_)
    )
}

fn boot_id(rng: &mut ChaCha12Rng) -> latchkey::recovery::BootId {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    latchkey::recovery::BootId(bytes)
}

/// A cheap stand-in for Argon2id: the heart never looks inside.
fn phc(password: &str, salt: &[u8; 16]) -> String {
    format!("$fake${}${password}", salt[0])
}

fn is_password_of(password: &str, phc: &str) -> bool {
    phc.splitn(4, '$').nth(3) == Some(password)
}

pub fn password_of(phc: &str) -> Password {
    Password::new(phc.splitn(4, '$').nth(3).unwrap_or_default().to_owned())
}
