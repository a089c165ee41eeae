//! The recorder's own side of the link, with its real files, against the real cloud.

use crate::{link::*, support::*};
use ed25519_dalek::SigningKey;
use latchkey::{
    app::{identities::Identities, keys as device_keys},
    clock::{Clock, Entropy, KernelEntropy, SystemClock},
    platform::{self, Parts, State, Status, policy::Bounds},
    recovery::{Now, record::PlatformSettings},
    store::disk::RealDisk,
};
use latchkey_cloud::{
    clock::Clock as _,
    factory::{self, SignOptions},
    keys,
    store::{MailToken, Reason, Store as _, sqlite::Sqlite},
};
use latchkey_protocol::{
    Host,
    identity::IdentityFile,
    platform::{FromCloud, FromDevice, MailState},
};
use std::{
    fs, io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};
use tokio::sync::watch;

/// Later than any build of the recorder: what the cloud shows is not valid yet at the recorder's own time.
const YEARS_S: i64 = 20 * 365 * 86_400;
const SERIAL: &str = "LK-REAL-1";

/// A recorder whose battery is empty: 1970 at each start.
struct EmptyBattery(SystemClock);

impl Clock for EmptyBattery {
    fn now(&self) -> io::Result<Now> {
        Ok(Now { wall_unix_s: 0, ..self.0.now()? })
    }

    fn knows_boot(&self) -> bool {
        self.0.knows_boot()
    }
}

struct Device {
    folder: Folder,
    identities: Arc<Identities>,
    handle: platform::Handle,
    floor: Arc<AtomicI64>,
    _settings: watch::Sender<PlatformSettings>,
}

fn disk(folder: &Path) -> RealDisk {
    RealDisk::open(folder).unwrap()
}

/// Makes its key, and keeps what the factory signs.
async fn signed(cloud: &Cloud) -> Folder {
    let folder = Folder::new();
    let request =
        device_keys::identity_request(&disk(&folder.0), SERIAL, "Recorder 8", &KernelEntropy).unwrap();
    let request = serde_json::to_vec(&request).unwrap();
    let store = Sqlite::open(&cloud.config().database()).unwrap();
    let now_s = cloud.clock.now_s();
    let file = factory::sign(&cloud.config(), &store, &request, SignOptions::default(), now_s).await.unwrap();
    device_keys::install_identity(&disk(&folder.0), SERIAL, &serde_json::to_vec(&file).unwrap()).unwrap();
    folder
}

impl Device {
    fn start(folder: Folder, cloud: &Cloud) -> Self {
        let identities = Arc::new(Identities::open(disk(&folder.0), SERIAL, "Recorder 8"));
        let server = Some(Host::parse(&door(cloud).to_string()).unwrap());
        let settings = PlatformSettings { enabled: true, server, verification_code: None };
        let (settings, seen) = watch::channel(settings);
        let floor = Arc::new(AtomicI64::default());
        let kept = floor.clone();
        let parts = Parts {
            identity: identities.link(),
            keeper: Some(identities.clone()),
            clock: Arc::new(EmptyBattery(SystemClock::start(0, &KernelEntropy).unwrap().0)),
            rng: KernelEntropy.generator().unwrap(),
            bounds: Bounds { window_s: 0, ..Bounds::default() },
            floor_unix_s: 0,
            save_floor: Box::new(move |unix_s| kept.store(unix_s, Ordering::SeqCst)),
        };
        let (handle, link) = platform::new(parts, seen);
        tokio::spawn(link.run());
        Self { folder, identities, handle, floor, _settings: settings }
    }

    async fn until(&mut self, wanted: impl Fn(&Status) -> bool) -> Status {
        let waiting = async {
            loop {
                let status = self.handle.status();
                if wanted(&status) {
                    return status;
                }
                self.handle.changed().await;
            }
        };
        let limit = std::time::Duration::from_secs(60);
        tokio::time::timeout(limit, waiting)
            .await
            .unwrap_or_else(|_| panic!("still {:?}", self.handle.status()))
    }

    async fn online(&mut self) {
        self.until(|status| status.state == State::Online).await;
    }

    fn text(&self) -> String {
        fs::read_to_string(self.folder.0.join("identity.json")).unwrap()
    }

    fn file(&self) -> IdentityFile {
        serde_json::from_str(&self.text()).unwrap()
    }

    fn key(&self) -> SigningKey {
        let text = fs::read(self.folder.0.join("device.key")).unwrap();
        latchkey::identity::decode_key(&text).unwrap()
    }

    /// Ends it, and starts it anew with what is on its flash.
    fn again(self, cloud: &Cloud) -> Self {
        let Self { folder, .. } = self;
        Self::start(folder, cloud)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_at_1970_goes_by_the_clouds_signed_time_and_keeps_it() {
    let mut cloud = Cloud::new(with_devices);
    cloud.clock.pass(YEARS_S);
    cloud.run().await;
    let mut device = Device::start(signed(&cloud).await, &cloud);
    device.online().await;
    assert_eq!(device.floor.load(Ordering::SeqCst), cloud.clock.now_s());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_renews_its_certificate_before_it_ends_and_keeps_the_new_one() {
    let mut cloud =
        Cloud::new(|text| with_devices(text).replace("# certificate_days = 3650", "certificate_days = 9"));
    cloud.clock.pass(YEARS_S);
    cloud.run().await;
    let mut device = Device::start(signed(&cloud).await, &cloud);
    let (first, text) = (device.file(), device.text());
    device.online().await;
    assert_eq!(device.text(), text, "nothing is due");
    // A third is left: the next connection asks.
    cloud.clock.pass(7 * 86_400);
    let mut device = device.again(&cloud);
    let mut kept = device.identities.link();
    kept.mark_unchanged();
    device.online().await;
    kept.changed().await.unwrap();
    let renewed = device.file();
    assert_ne!(renewed.certificate, first.certificate);
    assert_eq!((renewed.handle, &renewed.server_roots), (first.handle, &first.server_roots));
    let text = device.text();
    // The first one is over by now, the new one is not; it is what the next start finds.
    cloud.clock.pass(3 * 86_400);
    let old = Recorder { file: first, key: device.key(), code: None };
    assert!(old.upgrade(door(&cloud)).await.is_err());
    let mut device = device.again(&cloud);
    device.online().await;
    assert_eq!(device.text(), text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_takes_new_keys_of_its_cloud_and_seals_to_them() {
    let mut cloud = Cloud::new(with_devices);
    cloud.clock.pass(YEARS_S);
    cloud.run().await;
    let mut device = Device::start(signed(&cloud).await, &cloud);
    device.online().await;
    let (first, own) = (device.file(), device.key());
    cloud.stop().await;
    let signing = keys::platform::add_signing_key(&cloud.config().keys()).unwrap();
    let sealing = keys::add_sealing_key(&cloud.config().keys()).unwrap();
    cloud.run().await;
    let mut device = device.again(&cloud);
    let mut kept = device.identities.heart();
    kept.mark_unchanged();
    device.online().await;
    kept.changed().await.unwrap();
    let file = device.file();
    assert_eq!((file.keys_serial, file.cloud_keys[0].id()), (2, sealing));
    assert!(file.signing_keys.contains(&signing) && file.signing_keys.contains(&first.signing_keys[0]));
    assert_eq!((file.handle, &file.certificate), (first.handle, &first.certificate));
    // The heart has it at once, and the cloud opens what it seals.
    let now = kept.borrow_and_update().clone().unwrap();
    assert_eq!(now.cloud_key.id(), sealing);
    let recorder = Recorder { file, key: own, code: None };
    let sealed = recorder.sealed(&recorder.device().challenge(1));
    let sent = device.handle.submit(sealed.0).await.unwrap();
    assert!(matches!(sent.mail.state, MailState::Queued | MailState::Accepted));
    // The same list again is nothing new: the answer to a challenge comes after it.
    let before = device.text();
    let mut device = device.again(&cloud);
    device.online().await;
    let sealed = recorder.sealed(&recorder.device().challenge(2));
    device.handle.submit(sealed.0).await.unwrap();
    assert_eq!(device.text(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_another_node_heard_of_is_told_to_the_device() {
    let cloud = cloud().await;
    let recorder = Recorder::new(&cloud, "LK-1").await;
    let (mut link, _) = recorder.connect(door(&cloud)).await;
    let sealed = recorder.sealed(&recorder.device().challenge(1));
    link.say(&FromDevice::Submit { id: 1, sealed }).await;
    let mut accepted = false;
    let told = |message| match message {
        FromCloud::Submitted { mail, .. } | FromCloud::Mail { mail, .. } => mail.state,
        other => panic!("no mail: {other:?}"),
    };
    while !accepted {
        accepted = told(link.hear().await) == MailState::Accepted;
    }
    // Another node has the same database, and reads the bounces.
    let store = Sqlite::open(&cloud.config().database()).unwrap();
    let mail = cloud.mails().remove(0);
    let id = mail.lines().find(|line| line.starts_with("Message-ID:")).unwrap();
    let token = id.split(|c: char| !c.is_ascii_hexdigit()).find_map(MailToken::parse).unwrap();
    assert!(store.bounce(token, Reason::MailboxUnknown).await.unwrap().is_some());
    assert_eq!(told(link.hear().await), MailState::Bounced);
}
