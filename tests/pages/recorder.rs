//! A recorder in memory and a browser in front of its pages: the real heart, its effects carried out
//! at once, a clock that the test sets, and a cloud that opens challenges.

use chacha20::{ChaCha12Rng, rand_core::SeedableRng};
use http_body_util::BodyExt;
use hyper::{Method, StatusCode, header};
use latchkey::{
    clock::{Entropy, KernelEntropy, SystemClock},
    hash::{self, HashCost},
    platform, qr,
    recovery::{
        Action, Aim, BootId, Context as HeartContext, Effect, GrantToken, Limits, Now, Pending, Place,
        Record, Reply, Request, RequestId, SessionToken, State, Stored, StoredPending, StoredRecord,
    },
    web::{
        Ask, Caller, Context, Device, Drawing, Entry, Form, Heart, Rules, pages, routes::Page,
        same_link::OffLink,
    },
};
use latchkey_look::Catalogue;
use latchkey_protocol::{
    Address, CloudSecretKey, DeviceIdentity, Door, Handle, Host, Message, Mode, ParsedChallenge,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use zeroize::Zeroizing;

/// The cheapest hash that Argon2 has: what is tested here is pages.
const COST: HashCost = HashCost { memory_kib: 8, passes: 1 };

/// The way to a platform link that nobody runs: it is off.
fn no_link() -> platform::Handle {
    let parts = platform::Parts {
        identity: tokio::sync::watch::channel(None).1,
        keeper: None,
        clock: std::sync::Arc::new(SystemClock::start(0, &KernelEntropy).unwrap().0),
        rng: KernelEntropy.generator().unwrap(),
        bounds: platform::policy::Bounds::default(),
        floor_unix_s: 0,
        save_floor: Box::new(|_| ()),
    };
    platform::new(parts, tokio::sync::watch::channel(Default::default()).1).0
}

/// What the factory made of it.
#[derive(Clone, Copy)]
pub struct Made {
    pub registered: bool,
    pub damaged: bool,
    pub lan_reset: bool,
    pub model: &'static str,
    pub serial: &'static str,
    pub base: &'static str,
}

impl Default for Made {
    fn default() -> Self {
        Self {
            registered: true,
            damaged: false,
            lan_reset: true,
            model: "NVR-1608",
            serial: "LK-00421907",
            base: "",
        }
    }
}

struct World {
    state: State,
    context: HeartContext,
    record: Option<Record>,
    pending: HashMap<Place, Pending>,
    now: Now,
    rng: ChaCha12Rng,
    next_id: u64,
    /// Flash that refuses to be written.
    broken: bool,
}

pub struct Recorder {
    pub ctx: Context,
    caller: Caller,
    world: Arc<Mutex<World>>,
    cloud: CloudSecretKey,
    identity: Arc<DeviceIdentity>,
}

/// What the browser shows.
pub struct Shown {
    pub status: StatusCode,
    pub location: String,
    pub headers: hyper::HeaderMap,
    pub body: Vec<u8>,
}

impl Shown {
    pub fn html(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Recorder {
    /// Must be called inside a Tokio runtime: the heart is a task.
    pub fn new(made: Made) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(11);
        let cloud = CloudSecretKey::draw(&mut rng);
        let identity = Arc::new(DeviceIdentity {
            handle: Handle([3; 8]),
            signing_key: ed25519_dalek::SigningKey::from_bytes(&[5; 32]),
            mode: Mode::Psk([9; 32]),
            cloud_key: cloud.public(),
            host: Host::parse("recover.example.com").unwrap(),
            mailbox: Address::parse("recovery@recover.example.com").ok(),
        });
        let context = HeartContext {
            identity: made.registered.then(|| Arc::clone(&identity)),
            serial: made.serial.to_owned(),
            label_code: None,
            limits: Limits { lan_reset: made.lan_reset, ..Limits::default() },
            hooks: latchkey::recovery::Hooks::None,
        };
        let now = Now {
            boottime_ms: 60_000,
            boot_id: BootId([1; 16]),
            wall_unix_s: 1_795_366_800,
            tz_offset_min: 0,
        };
        let record = if made.damaged { StoredRecord::Damaged } else { StoredRecord::Absent };
        let stored = Stored::of(record);
        let world = Arc::new(Mutex::new(World {
            state: State::boot(context.clone(), stored, now),
            context,
            record: None,
            pending: HashMap::new(),
            now,
            rng,
            next_id: 0,
            broken: false,
        }));
        let (heart, mut asks) = Heart::new(8);
        let served = Arc::clone(&world);
        tokio::spawn(async move {
            while let Some(Ask { door, request, answer }) = asks.recv().await {
                let _ = answer.send(served.lock().unwrap().ask(door, request));
            }
        });
        let rules = Rules {
            lan_interfaces: vec!["eth0".into()],
            not_peers: vec![],
            names: vec![],
            https_port: 443,
            http_port: 80,
            console_uids: vec![0],
            proxied_uids: vec![],
            base_path: made.base.into(),
            proxied_tls: true,
            password_chars_min: 8,
            validity_s: 48 * 3600,
        };
        Self {
            ctx: Context {
                heart,
                link: no_link(),
                drawing: Drawing { svg: qr::svg, png: qr::png, matrix: qr::matrix, text_svg: qr::text_svg },
                device: Device { serial: made.serial.into(), model: made.model.into(), version: "0.1.0" },
                rules,
                uptime_ms: latchkey::clock::uptime_ms,
                catalogue: Catalogue::english(),
                certificate_sha256: [0xa7; 32],
                form_key: Zeroizing::new([2; 32]),
            },
            caller: Caller {
                door: Door::Lan,
                entry: if made.base.is_empty() { Entry::Tls } else { Entry::Proxied },
                peer: None,
                local: None,
                link: Ok(()),
                base: made.base.into(),
                base_tls: true,
                session: None,
                grant: None,
                form_secret: [4; 32],
                form_secret_is_new: false,
            },
            world,
            cloud,
            identity,
        }
    }

    /// From now on the browser is behind a router.
    pub fn leave_the_link(&mut self) {
        self.caller.link = Err(OffLink::OtherNetwork);
    }

    /// Looks at a page.
    pub async fn get(&mut self, page: Page, query: &str) -> Shown {
        self.send(page, Method::GET, query).await
    }

    /// Sends a form.
    pub async fn post(&mut self, page: Page, form: &str) -> Shown {
        self.send(page, Method::POST, form).await
    }

    async fn send(&mut self, page: Page, method: Method, form: &str) -> Shown {
        let form = Form::parse(form.as_bytes()).unwrap();
        let response = pages::handle(&self.ctx, &self.caller, page, &method, form).await;
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            self.keep(cookie.to_str().unwrap());
        }
        self.shown(response).await
    }

    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    pub async fn shown(&self, response: latchkey::web::Response) -> Shown {
        let (parts, body) = response.into_parts();
        let location = parts.headers.get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned());
        Shown {
            status: parts.status,
            location: location.unwrap_or_default(),
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes().to_vec(),
        }
    }

    fn keep(&mut self, cookie: &str) {
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        let (name, rest) = cookie.split_once('=').unwrap();
        let value = rest.split(';').next().unwrap();
        let secret = latchkey::web::caller::unhex(value);
        assert_eq!(secret.is_none(), cookie.contains("Max-Age=0"), "a cookie is set or taken away: {name}");
        if name.ends_with("session") {
            self.caller.session = secret.map(SessionToken);
        } else if name.ends_with("grant") {
            self.caller.grant = secret.map(GrantToken);
        }
    }

    pub fn has_grant(&self) -> bool {
        self.caller.grant.is_some()
    }

    pub fn has_session(&self) -> bool {
        self.caller.session.is_some()
    }

    /// Someone at the other door, not by a page.
    pub async fn at_the_console(&self, request: Request) -> Reply {
        self.ctx.heart.ask(Door::Console, request).await.unwrap()
    }

    /// Sets the recorder up and leaves the browser signed in.
    pub async fn activate(&mut self, email: &str) -> Shown {
        let reserve = if email.is_empty() { String::new() } else { format!("&reserve=yes&email={email}") };
        self.post(Page::Activate, &format!("password=first+Pass-1&repeat=first+Pass-1{reserve}")).await
    }

    /// Asks for a QR code.
    pub async fn begin(&mut self) -> Shown {
        self.post(Page::Forgot, "mode=email&accept=yes").await
    }

    /// The code, as the cloud would mail it to the owner.
    pub fn mailed_code(&self) -> String {
        self.mailed_code_for(Aim::Reset)
    }

    /// The code of a challenge of the LAN door.
    pub fn mailed_code_for(&self, aim: Aim) -> String {
        let world = self.world.lock().unwrap();
        let pending = world.pending.get(&Place { door: Door::Lan, aim }).unwrap();
        let parsed = ParsedChallenge::parse(&pending.sealed).unwrap();
        let verified = parsed.verify(&self.identity.signing_key.verifying_key()).unwrap();
        let opened = verified.open(&self.cloud, &self.identity.mode).unwrap();
        match &opened.challenge().message {
            Message::Reset(code) | Message::ConfirmEmail(code) => code.digits(),
            other => panic!("no code: {other:?}"),
        }
    }

    pub fn wait(&self, s: u64) {
        self.world.lock().unwrap().now.boottime_ms += s * 1000;
    }

    pub fn reboot(&self) {
        self.world.lock().unwrap().restart(true);
    }

    pub fn break_the_flash(&self) {
        self.world.lock().unwrap().broken = true;
    }
}

impl World {
    fn stored(&self) -> Stored {
        let pending = |place| match self.pending.get(&place) {
            Some(pending) => StoredPending::Whole(Box::new(pending.clone())),
            None => StoredPending::Absent,
        };
        let record = match &self.record {
            Some(record) => StoredRecord::Whole(Box::new(record.clone())),
            None => StoredRecord::Absent,
        };
        Stored { record, pending: Place::ALL.map(pending) }
    }

    fn restart(&mut self, reboot: bool) {
        if reboot {
            self.pending.clear();
            self.now = Now { boottime_ms: 20_000, boot_id: BootId([2; 16]), ..self.now };
        }
        self.state = State::boot(self.context.clone(), self.stored(), self.now);
    }

    fn ask(&mut self, door: Door, request: Request) -> Result<Reply, latchkey::recovery::Refusal> {
        self.next_id += 1;
        let mut actions = vec![Action::Asked { id: RequestId(self.next_id), door, request }];
        let mut answer = None;
        while let Some(action) = actions.pop() {
            let step = self.state.step(action, self.now, &mut self.rng);
            let durable = |effect: &Effect| {
                matches!(effect, Effect::CommitRecord(_) | Effect::WritePending(_) | Effect::EraseRecord)
            };
            if self.broken && step.effects.iter().any(durable) {
                self.state = self.state.read_back(self.stored(), self.now);
                return Err(latchkey::recovery::Refusal::StorageFailed);
            }
            self.state = step.state;
            for effect in step.effects {
                match effect {
                    Effect::CommitRecord(record) => self.record = Some(*record),
                    Effect::EraseRecord => self.record = None,
                    Effect::WritePending(pending) => {
                        self.pending.insert(pending.place(), *pending);
                    }
                    Effect::ErasePending(place) => {
                        self.pending.remove(&place);
                    }
                    Effect::Hash(ticket, job) => {
                        actions.push(Action::Hashed { ticket, outcome: hash::run(COST, &job) });
                    }
                    Effect::Then(action) => actions.push(action),
                    Effect::Reply(_, result) => answer = Some(result),
                    Effect::Log(_) | Effect::Hooks(_) => {}
                }
            }
        }
        answer.expect("every request is answered")
    }
}
