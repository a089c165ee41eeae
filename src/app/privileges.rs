//! Root's rights are given up once everything that takes root is done: for good, and before anything
//! that a stranger sent is read.

use crate::config::{Config, Privileges};
use nix::{
    errno::Errno,
    sys::{
        prctl,
        resource::{Resource, setrlimit},
        socket::{AddressFamily, SockFlag, SockType, setsockopt, socket, sockopt},
        stat::{Mode, umask},
    },
    unistd::{Gid, Uid, getresgid, getresuid, setgroups, setresgid, setresuid},
};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
use std::io;

/// Why the daemon cannot become who it should be.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    /// A step was refused.
    #[error("failed to {what}")]
    Refused {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Root's rights could be had again.
    #[error("root's rights can be had back after they were given up: this kernel's user ids do not hold")]
    WayBack,
}

/// The lowest port that anyone may bind (`net.ipv4.ip_unprivileged_port_start`, by default).
const FREE_PORT_MIN: u16 = 1024;

/// Files are for the owner alone, and no core dump holds a code or a password. Nobody but root may look
/// into the process either.
pub(super) fn keep_secrets_in() -> Result<(), PrivilegeError> {
    umask(Mode::from_bits_truncate(0o077));
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(refused("switch core dumps off"))?;
    prctl::set_dumpable(false).map_err(refused("switch core dumps off"))
}

/// Who this process is to become: nobody, if it was not started as root or the board wants it to stay.
pub(super) fn to_become(config: &Config) -> Option<&Privileges> {
    config.privileges.as_ref().filter(|_| Uid::effective().is_root())
}

/// What the daemon must still be able to do later on: interfaces come late and are replaced, and then
/// their ports are bound anew.
pub(super) fn needed_later(config: &Config) -> CapabilitySet {
    let ports = [config.lan.https_port, config.lan.http_port];
    let mut needed = CapabilitySet::empty();
    if ports.iter().any(|port| (1..FREE_PORT_MIN).contains(port)) {
        needed |= CapabilitySet::NET_BIND_SERVICE;
    }
    if binding_to_an_interface_takes_root() {
        needed |= CapabilitySet::NET_RAW;
    }
    needed
}

/// Kernels before 5.7 want CAP_NET_RAW for SO_BINDTODEVICE. Found out by trying it without: vendors
/// carry changes back into kernels whose number says nothing.
fn binding_to_an_interface_takes_root() -> bool {
    let Ok(before) = capabilities(None) else { return false };
    if !before.effective.contains(CapabilitySet::NET_RAW) {
        return false;
    }
    let without = CapabilitySets { effective: before.effective - CapabilitySet::NET_RAW, ..before };
    if set_capabilities(None, without).is_err() {
        return true;
    }
    let tried = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
        .and_then(|socket| setsockopt(&socket, sockopt::BindToDevice, &"lo".into()));
    // Root again has what root had a moment ago.
    set_capabilities(None, before).is_err() || tried == Err(Errno::EPERM)
}

/// Becomes this user, keeping `kept` of root's rights at most. The process must have one thread: some
/// of it is each thread's own.
pub(super) fn become_user(to: &Privileges, kept: CapabilitySet) -> Result<(), PrivilegeError> {
    let (uid, gid) = (Uid::from_raw(to.uid), Gid::from_raw(to.gid));
    let groups: Vec<Gid> = to.groups.iter().copied().map(Gid::from_raw).collect();
    setgroups(&groups).map_err(refused("leave root's groups"))?;
    prctl::set_keepcaps(true).map_err(refused("keep the rights that are needed"))?;
    setresgid(gid, gid, gid).map_err(refused("change the group"))?;
    setresuid(uid, uid, uid).map_err(refused("change the user"))?;
    let had = capabilities(None).map_err(refused("read the rights"))?.permitted;
    let left =
        CapabilitySets { effective: kept & had, permitted: kept & had, inheritable: CapabilitySet::empty() };
    set_capabilities(None, left).map_err(refused("give up root's rights"))?;
    prctl::set_keepcaps(false).map_err(refused("give up root's rights"))?;
    // The change of user made the process readable again, as /proc/sys/fs/suid_dumpable says.
    prctl::set_dumpable(false).map_err(refused("switch core dumps off"))?;
    no_way_back(to)
}

/// No program that this process starts has more rights than the process, whatever the file's mode says.
pub(super) fn gain_nothing_more() -> Result<(), PrivilegeError> {
    prctl::set_no_new_privs().map_err(refused("rule out new privileges"))
}

/// Looks whether it is so, rather than believing it.
fn no_way_back(to: &Privileges) -> Result<(), PrivilegeError> {
    let users = getresuid().map_err(refused("read the user"))?;
    let groups = getresgid().map_err(refused("read the group"))?;
    let is_user = [users.real, users.effective, users.saved].iter().all(|uid| uid.as_raw() == to.uid);
    let is_group = [groups.real, groups.effective, groups.saved].iter().all(|gid| gid.as_raw() == to.gid);
    let root = (Uid::from_raw(0), Gid::from_raw(0));
    let may_return = setresuid(root.0, root.0, root.0).is_ok() || setresgid(root.1, root.1, root.1).is_ok();
    if is_user && is_group && !may_return { Ok(()) } else { Err(PrivilegeError::WayBack) }
}

fn refused<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> PrivilegeError {
    move |error| PrivilegeError::Refused { what, source: error.into() }
}
