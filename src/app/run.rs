//! Serving: everything is prepared, then the doors are opened, and at the end they are closed first.

use super::{
    AppError, failed, folders, handover,
    heart_task::{HeartTask, Parts},
    hooks,
    identities::Identities,
    keys,
    notices::Notices,
    privileges,
    watchdog::{Pulse, Watchdog},
};
use crate::{
    certificate::Certificate,
    clock::{Entropy, KernelEntropy, SystemClock, uptime_ms},
    config::{Config, Privileges, ServiceManager},
    hash::HashCost,
    platform, qr, recovery,
    store::{Files, disk::RealDisk},
    web::{self, listen, listen::Listeners},
};
use latchkey_protocol::DeviceIdentity;
use nix::unistd::Uid;
use rand_core::Rng;
use std::{io, os::unix::fs::MetadataExt, sync::Arc, time::Duration};
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};
use zeroize::Zeroizing;

/// Requests that wait for the heart. Each door's own limits are smaller; this one bounds the memory.
const QUEUE_MAX: usize = 64;
/// Threads for slow work: the store, a hash, and drawing.
const SLOW_THREADS_MAX: usize = 4;
/// What is under way when the daemon is told to stop must end in this time: twice the slowest hash.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// Serves until SIGTERM or SIGINT.
pub(super) fn run(config: &Config) -> Result<(), AppError> {
    // Blocks until the kernel's pool is ready: early boot must wait, not guess. From here on it never
    // blocks, so the task may ask for random numbers at every step.
    let mut form_key = Zeroizing::new([0; 32]);
    let no_random = |error| failed("get random numbers from the kernel", error);
    KernelEntropy.generator().map_err(no_random)?.fill_bytes(form_key.as_mut());

    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(SLOW_THREADS_MAX)
        .build()
        .map_err(|error| failed("start the runtime", error))?;
    // As root, if it was started as root: nothing that a stranger sent has been read yet.
    let to = privileges::to_become(config);
    handover::prepare(&config.paths.state, folders::STATE_MODE, to)?;
    handover::prepare(&config.paths.runtime, folders::RUNTIME_MODE, to)?;
    let _alone = folders::lock(&config.paths.state)?;
    let listeners = {
        let _within = runtime.enter();
        bind(config)?
    };
    let watchdog = Arc::new(Watchdog::open(config.watchdog.as_ref(), &ServiceManager::read()));
    let helper = hooks::start_helper(config);
    give_up_root(config, to)?;

    let state_folder = folders::open_state(&config.paths.state)?;
    let runtime_folder = folders::open_runtime(&config.paths.runtime)?;
    let certificate = keys::certificate(&state_folder, &config.device.serial, &config.lan.names)?;
    let kept = folders::open_state(&config.paths.state)?;
    let identities = Arc::new(Identities::open(kept, &config.device.serial, &config.device.model));
    let (clock, no_boot_id) = SystemClock::start(config.device.utc_offset_min, &KernelEntropy)
        .map_err(|error| failed("read the clocks", error))?;
    if let Some(error) = no_boot_id {
        tracing::error!(%error, "this boot has no id: no reset by email until /proc is mounted");
    }
    let link = link_parts(config, &state_folder, clock.clone(), &identities)?;
    let parts = Parts {
        context: recovery::Context {
            identity: identities.heart().borrow().clone(),
            serial: config.device.serial.clone(),
            label_code: config.device.verification_code.clone(),
            limits: config.limits.clone(),
            hooks: hooks::kind(config.hooks.as_ref()),
        },
        store: Box::new(Files::new(state_folder, runtime_folder)),
        clock: Box::new(clock),
        entropy: Box::new(KernelEntropy),
        hash_cost: HashCost {
            memory_kib: config.password_hash.memory_kib,
            passes: config.password_hash.passes,
        },
    };
    let served = runtime.block_on(serve(
        config,
        parts,
        link,
        identities.heart(),
        &certificate,
        form_key,
        listeners,
        watchdog,
        helper,
    ));
    // A store or hash that never comes back must not keep the process from ending.
    runtime.shutdown_background();
    served
}

/// From here on this process is nobody of importance, and stays so.
fn give_up_root(config: &Config, to: Option<&Privileges>) -> Result<(), AppError> {
    match to {
        Some(to) => {
            privileges::become_user(to, privileges::needed_later(config))?;
            tracing::info!(uid = to.uid, gid = to.gid, "gave up root's rights");
        }
        None if Uid::effective().is_root() => {
            tracing::warn!("runs as root and stays root: privileges.uid names a user for it");
        }
        None => {}
    }
    Ok(privileges::gain_nothing_more()?)
}

/// What the platform link works with, besides the owner's settings.
fn link_parts(
    config: &Config,
    state: &RealDisk,
    clock: SystemClock,
    identities: &Arc<Identities>,
) -> Result<platform::Parts, AppError> {
    let rng = KernelEntropy.generator().map_err(|e| failed("get random numbers from the kernel", e))?;
    let kept = folders::open_state(&config.paths.state)?;
    Ok(platform::Parts {
        identity: identities.link(),
        keeper: Some(identities.clone()),
        clock: Arc::new(clock),
        rng,
        bounds: platform::policy::Bounds::default(),
        floor_unix_s: keys::told_time(state),
        save_floor: Box::new(move |unix_s| keys::keep_told_time(&kept, unix_s)),
    })
}

#[allow(clippy::too_many_arguments, reason = "what was prepared before it, each from a step of its own")]
async fn serve(
    config: &Config,
    parts: Parts,
    link: platform::Parts,
    identities: watch::Receiver<Option<Arc<DeviceIdentity>>>,
    certificate: &Certificate,
    form_key: Zeroizing<[u8; 32]>,
    listeners: Listeners,
    watchdog: Arc<Watchdog>,
    helper: hooks::Shared,
) -> Result<(), AppError> {
    let mut signals = Signals::new().map_err(|error| failed("listen for signals", error))?;
    let (heart, asks) = web::Heart::new(QUEUE_MAX);
    let (pulse, beats) = Pulse::new();
    let (line, hook_task) = hooks::line(helper.clone());
    tokio::spawn(hook_task.run());
    let mut heart_task =
        HeartTask::start(parts, asks)?.watched_by(beats).with_hooks(line, helper).with_identities(identities);
    let (link, link_task) = platform::new(link, heart_task.platform());
    let (waiting, told) = heart_task.notices();
    tokio::spawn(Notices::new(waiting, told, link.clone()).run());
    // Ends by itself once the heart's task has: it waits for nothing of anyone.
    tokio::spawn(link_task.run());
    let task = tokio::spawn(heart_task.run());

    let tls = web::tls::config(certificate.certified.clone())
        .map_err(|error| failed("use the certificate of the web pages", io::Error::other(error)))?;
    let context = Arc::new(context(config, heart, link, certificate.sha256, form_key));
    tracing::info!(
        https = config.lan.https_port,
        fingerprint = context.fingerprint(),
        console = %config.paths.runtime.join(CONSOLE_SOCKET).display(),
        "ready"
    );
    watchdog.ready();
    let feeding = tokio::spawn(watchdog.clone().feed_by(pulse));
    let (stop, stopped) = watch::channel(false);
    let doors =
        tokio::spawn(web::accept::serve(listeners, context, tls, web::context::Bounds::default(), stopped));
    let stopped = until_stopped(&mut signals, &watchdog, task, stop, doors).await;
    feeding.abort();
    let _ = feeding.await; // it was told to end
    if stopped.is_ok() {
        watchdog.close_in_order();
    }
    stopped
}

/// Waits for a signal, closes the doors, and waits for the task: it ends when nobody can ask any more.
async fn until_stopped(
    signals: &mut Signals,
    watchdog: &Watchdog,
    mut task: JoinHandle<Result<(), super::TaskError>>,
    stop: watch::Sender<bool>,
    doors: JoinHandle<()>,
) -> Result<(), AppError> {
    let ended_early = tokio::select! {
        name = signals.next() => {
            tracing::info!(signal = name, "stopping: what is under way is finished first");
            None
        }
        ended = &mut task => Some(ended),
    };
    watchdog.stopping();
    let _ = stop.send(true); // nobody to tell: the doors are closed already
    let drained = timeout(DRAIN_MAX, async {
        let _ = doors.await; // a panic in a door was logged by its own
        match ended_early {
            Some(ended) => ended,
            None => task.await,
        }
    });
    match drained.await {
        Ok(Ok(ended)) => ended.map_err(AppError::from),
        Ok(Err(panicked)) => Err(failed("serve the account", io::Error::other(panicked))),
        Err(_) => {
            tracing::warn!("what was under way took too long: stopped without it");
            Ok(())
        }
    }
}

const CONSOLE_SOCKET: &str = "console.socket";

fn bind(config: &Config) -> Result<Listeners, AppError> {
    // Whoever can change its folder could put a socket of their own in its place.
    if let Some(above) = config.proxied.as_ref().and_then(|proxied| proxied.socket.parent()) {
        let metadata = std::fs::metadata(above)
            .map_err(|error| failed(&format!("look at {}", above.display()), error))?;
        folders::check_mode(above, metadata.mode())?;
    }
    let lan = |port: u16| {
        listen::lan(port, &config.lan.interfaces)
            .map_err(|error| failed(&format!("listen on port {port}"), error))
    };
    let unix = |path: &std::path::Path| {
        listen::unix(path).map_err(|error| failed(&format!("listen on {}", path.display()), error))
    };
    Ok(Listeners {
        https: lan(config.lan.https_port)?,
        http: if config.lan.http_port == 0 { Vec::new() } else { lan(config.lan.http_port)? },
        console: Some(unix(&config.paths.runtime.join(CONSOLE_SOCKET))?),
        proxied: config.proxied.as_ref().map(|proxied| unix(&proxied.socket)).transpose()?,
    })
}

fn context(
    config: &Config,
    heart: web::Heart,
    link: platform::Handle,
    certificate_sha256: [u8; 32],
    form_key: Zeroizing<[u8; 32]>,
) -> web::Context {
    let (proxied_uids, base_path, proxied_tls) = config
        .proxied
        .as_ref()
        .map(|proxied| (proxied.uids.clone(), proxied.base_path.clone(), proxied.tls))
        .unwrap_or_default();
    web::Context {
        heart,
        link,
        drawing: web::Drawing { svg: qr::svg, png: qr::png, matrix: qr::matrix, text_svg: qr::text_svg },
        device: web::Device {
            serial: config.device.serial.clone(),
            model: config.device.model.clone(),
            version: env!("CARGO_PKG_VERSION"),
        },
        uptime_ms,
        rules: web::Rules {
            lan_interfaces: config.lan.interfaces.clone(),
            not_peers: config.lan.not_peers.clone(),
            names: config.lan.names.clone(),
            https_port: config.lan.https_port,
            http_port: config.lan.http_port,
            console_uids: config.console_uids.clone(),
            proxied_uids,
            base_path,
            proxied_tls,
            password_chars_min: config.limits.password_chars_min,
            validity_s: config.limits.validity_s,
        },
        catalogue: latchkey_look::Catalogue::english(),
        certificate_sha256,
        form_key,
    }
}

/// The signals that ask for an orderly stop.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
