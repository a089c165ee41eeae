//! The device's identity while the daemon runs: what the cloud says of it is checked, put on flash, and
//! then told to the heart and to the link.

use super::{
    folders,
    heart_task::chain,
    keys::{self, KeyError},
};
use crate::{
    clock::KernelEntropy,
    identity,
    platform::{KeepError, Keeper, Learned, LinkIdentity},
    store::disk::RealDisk,
};
use latchkey_protocol::{
    DeviceIdentity, Handle,
    identity::{IdentityFile, IdentityRequest},
};
use std::sync::Arc;
use tokio::sync::watch;

/// The one place that changes the identity's file while the daemon runs.
pub struct Identities {
    state: RealDisk,
    serial: String,
    model: String,
    heart: watch::Sender<Option<Arc<DeviceIdentity>>>,
    link: watch::Sender<Option<LinkIdentity>>,
}

impl Identities {
    /// Reads what there is; the log says what is wrong with it.
    pub fn open(state: RealDisk, serial: &str, model: &str) -> Self {
        let (heart, link) = keys::device_identity(&state, serial).map(both).unzip();
        Self {
            state,
            serial: serial.to_owned(),
            model: model.to_owned(),
            heart: watch::Sender::new(heart),
            link: watch::Sender::new(link.flatten()),
        }
    }

    /// What challenges are sealed with, and every change of it.
    pub fn heart(&self) -> watch::Receiver<Option<Arc<DeviceIdentity>>> {
        self.heart.subscribe()
    }

    /// What the link is made with, and every change of it.
    pub fn link(&self) -> watch::Receiver<Option<LinkIdentity>> {
        self.link.subscribe()
    }

    fn change(
        &self,
        change: impl FnOnce() -> Result<(DeviceIdentity, IdentityFile), KeyError>,
    ) -> Result<(), KeepError> {
        // `latchkeyd identity` may be at work on the same files.
        let _alone = folders::lock_identity(self.state.path()).map_err(|error| KeepError(chain(&error)))?;
        let (heart, link) = both(change().map_err(|error| KeepError(chain(&error)))?);
        self.heart.send_replace(Some(heart));
        self.link.send_replace(link);
        Ok(())
    }
}

/// As the heart and as the link have it.
fn both((identity, file): (DeviceIdentity, IdentityFile)) -> (Arc<DeviceIdentity>, Option<LinkIdentity>) {
    let link = keys::link_identity(&identity, &file, env!("CARGO_PKG_VERSION"));
    (Arc::new(identity), link)
}

impl Keeper for Identities {
    fn learn(&self, of: Handle, learned: Learned) -> Result<(), KeepError> {
        self.change(|| keys::learn(&self.state, &self.serial, of, learned))
    }

    fn request(&self) -> Result<IdentityRequest, KeepError> {
        let _alone = folders::lock_identity(self.state.path()).map_err(|error| KeepError(chain(&error)))?;
        let request = keys::identity_request(&self.state, &self.serial, &self.model, &KernelEntropy);
        request.map_err(|error| KeepError(chain(&error)))
    }

    fn install(&self, file: &[u8]) -> Result<(), KeepError> {
        if file.len() > identity::FILE_BYTES_MAX {
            return Err(KeepError("the identity is too long".to_owned()));
        }
        self.change(|| keys::install_identity(&self.state, &self.serial, file))
    }
}
