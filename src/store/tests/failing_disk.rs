//! A disk in memory that fails or loses power at the Nth operation, and tells what the medium may hold
//! afterwards.

use crate::store::disk::Disk;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex, MutexGuard},
};
use zeroize::Zeroizing;

/// What goes wrong, and when. Operations are counted from one, over both folders; reads do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    Nothing,
    /// The Nth operation gives an error, once or with every later one. It may have had its effect.
    Fail {
        at: u64,
        errno: i32,
        for_good: bool,
        lands: bool,
    },
    /// The Nth operation is begun and never comes back: the power is cut or the process killed.
    Stop {
        at: u64,
    },
}

/// What a medium may hold after a power cut, by how it treats what was not made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CrashModel {
    /// A beginning of it, in the order in which it was written: all of it, or nothing, or between.
    InOrder,
    /// Any part of it.
    Reordered,
    /// A beginning of it, with writes cut anywhere: short, or filled up with zeros.
    Torn,
}

pub(crate) const MODELS: [CrashModel; 3] = [CrashModel::InOrder, CrashModel::Reordered, CrashModel::Torn];

type Inode = u64;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Op {
    Create { name: String, inode: Inode },
    Write { inode: Inode, bytes: Vec<u8> },
    Rename { from: String, to: String },
    Unlink { name: String },
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Tree {
    entries: BTreeMap<String, Inode>,
    contents: BTreeMap<Inode, Vec<u8>>,
}

impl Tree {
    fn apply(&mut self, op: &Op) {
        match op {
            Op::Create { name, inode } => _ = self.entries.insert(name.clone(), *inode),
            Op::Write { inode, bytes } => self.contents.entry(*inode).or_default().extend(bytes),
            Op::Rename { from, to } => {
                // Without the entry that was not made durable there is nothing to rename.
                if let Some(inode) = self.entries.remove(from) {
                    self.entries.insert(to.clone(), inode);
                }
            }
            Op::Unlink { name } => _ = self.entries.remove(name),
        }
    }

    fn file(&self, name: &str) -> Option<Vec<u8>> {
        self.entries.get(name).map(|inode| self.contents.get(inode).cloned().unwrap_or_default())
    }
}

/// One folder: what a process sees, what is durable, and what is between the two.
#[derive(Clone, Debug, Default)]
struct Medium {
    live: Tree,
    durable: Tree,
    unsynced: Vec<Op>,
}

impl Medium {
    fn apply(&mut self, op: Op) {
        self.live.apply(&op);
        self.unsynced.push(op);
    }

    fn sync(&mut self, is_synced: impl Fn(&Op) -> bool) {
        let (synced, rest) = self.unsynced.drain(..).partition(is_synced);
        let synced: Vec<Op> = synced;
        self.unsynced = rest;
        synced.iter().for_each(|op| self.durable.apply(op));
    }

    fn after_power_cut(&self, model: CrashModel) -> Vec<Tree> {
        let mut trees = BTreeSet::new();
        let mut add = |ops: &[Op]| {
            let mut tree = self.durable.clone();
            ops.iter().for_each(|op| tree.apply(op));
            trees.insert(tree);
        };
        let ops = &self.unsynced;
        match model {
            CrashModel::InOrder => (0..=ops.len()).for_each(|end| add(&ops[..end])),
            CrashModel::Reordered => {
                for part in 0_u32..1 << ops.len() {
                    let chosen = ops.iter().enumerate().filter(|(i, _)| part >> i & 1 == 1);
                    add(&chosen.map(|(_, op)| op.clone()).collect::<Vec<_>>());
                }
            }
            CrashModel::Torn => {
                for end in 0..=ops.len() {
                    torn(&ops[..end]).iter().for_each(|ops| add(ops));
                }
            }
        }
        trees.into_iter().collect()
    }
}

/// A log with each of its writes, one at a time, cut at many places. Both ends of each are among them.
fn torn(ops: &[Op]) -> Vec<Vec<Op>> {
    let mut logs = vec![ops.to_vec()];
    for (at, op) in ops.iter().enumerate() {
        let Op::Write { inode, bytes } = op else { continue };
        for cut in (0..bytes.len()).step_by(5).chain([1, bytes.len() - 1]) {
            let mut filled = bytes[..cut].to_vec();
            filled.resize(bytes.len(), 0);
            for bytes in [bytes[..cut].to_vec(), filled] {
                let mut log = ops.to_vec();
                log[at] = Op::Write { inode: *inode, bytes };
                logs.push(log);
            }
        }
    }
    logs
}

#[derive(Clone, Debug)]
struct Machine {
    plan: Plan,
    count: u64,
    stopped: bool,
    failing: bool,
    next_inode: Inode,
    flash: Medium,
    runtime: Medium,
}

/// Which folder a [`FailingDisk`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Folder {
    Flash,
    Runtime,
}

/// One folder of a machine; clones share the machine.
#[derive(Clone, Debug)]
pub(crate) struct FailingDisk {
    machine: Arc<Mutex<Machine>>,
    folder: Folder,
}

/// Both folders of a machine: flash, and a tmpfs that a power cut empties.
#[derive(Clone, Debug)]
pub(crate) struct Disks {
    pub(crate) flash: FailingDisk,
    pub(crate) runtime: FailingDisk,
}

impl Disks {
    /// Two empty folders.
    pub(crate) fn new() -> Self {
        Self::of(Machine {
            plan: Plan::Nothing,
            count: 0,
            stopped: false,
            failing: false,
            next_inode: 0,
            flash: Medium::default(),
            runtime: Medium::default(),
        })
    }

    fn of(machine: Machine) -> Self {
        let machine = Arc::new(Mutex::new(machine));
        let disk = |folder| FailingDisk { machine: machine.clone(), folder };
        Self { flash: disk(Folder::Flash), runtime: disk(Folder::Runtime) }
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.flash.lock()
    }

    /// From here on operations are counted anew, and this goes wrong.
    pub(crate) fn plan(&self, plan: Plan) {
        let mut machine = self.machine();
        (machine.plan, machine.count, machine.failing) = (plan, 0, false);
    }

    /// How many operations there were since the plan was made.
    pub(crate) fn count(&self) -> u64 {
        self.machine().count
    }

    /// The machine that comes up after the process was killed: everything that was written is there.
    pub(crate) fn after_kill(&self) -> Self {
        let machine = self.machine().clone();
        Self::of(Machine { plan: Plan::Nothing, count: 0, stopped: false, failing: false, ..machine })
    }

    /// Every machine that may come up after a power cut.
    pub(crate) fn after_power_cut(&self, model: CrashModel) -> Vec<Self> {
        let machine = self.machine().clone();
        let trees = machine.flash.after_power_cut(model);
        trees
            .into_iter()
            .map(|tree| {
                let flash = Medium { live: tree.clone(), durable: tree, unsynced: Vec::new() };
                let runtime = Medium::default();
                let plan = Plan::Nothing;
                Self::of(Machine {
                    plan,
                    count: 0,
                    stopped: false,
                    failing: false,
                    flash,
                    runtime,
                    ..machine
                })
            })
            .collect()
    }

    /// A file of the flash folder, as a process sees it.
    pub(crate) fn flash_file(&self, name: &str) -> Option<Vec<u8>> {
        self.machine().flash.live.file(name)
    }

    /// Puts bytes into a file of the flash folder, as bit rot or a person would.
    pub(crate) fn spoil(&self, name: &str, bytes: &[u8]) {
        spoil(&mut self.machine(), Folder::Flash, name, bytes);
    }

    /// Puts bytes into a file of the runtime folder.
    pub(crate) fn spoil_runtime(&self, name: &str, bytes: &[u8]) {
        spoil(&mut self.machine(), Folder::Runtime, name, bytes);
    }
}

fn spoil(machine: &mut Machine, folder: Folder, name: &str, bytes: &[u8]) {
    machine.next_inode += 1;
    let inode = machine.next_inode;
    let medium = medium(machine, folder);
    medium.apply(Op::Create { name: name.to_owned(), inode });
    medium.apply(Op::Write { inode, bytes: bytes.to_vec() });
    medium.sync(|_| true);
}

fn medium(machine: &mut Machine, folder: Folder) -> &mut Medium {
    match folder {
        Folder::Flash => &mut machine.flash,
        Folder::Runtime => &mut machine.runtime,
    }
}

fn gone() -> io::Error {
    io::Error::other("the power is off")
}

impl FailingDisk {
    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Counts an operation and gives it its fate. `begin` is what it does to the medium; for one that
    /// makes something durable there is nothing to begin.
    fn operate(
        &self,
        begin: impl FnOnce(&mut Machine) -> Vec<Op>,
        end: impl FnOnce(&mut Medium),
    ) -> io::Result<()> {
        let mut machine = self.lock();
        if machine.stopped {
            return Err(gone());
        }
        machine.count += 1;
        let (count, plan) = (machine.count, machine.plan);
        let fails = match plan {
            Plan::Fail { at, errno, for_good, lands } if count == at || (for_good && count > at) => {
                machine.failing = for_good;
                // Once a medium fails for good, what follows has no effect either.
                Some((errno, lands && count == at))
            }
            _ => None,
        };
        if let Some((errno, false)) = fails {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let ops = begin(&mut machine);
        let medium = medium(&mut machine, self.folder);
        ops.into_iter().for_each(|op| medium.apply(op));
        if plan == (Plan::Stop { at: count }) {
            machine.stopped = true;
            return Err(gone());
        }
        end(medium);
        match fails {
            Some((errno, _)) => Err(io::Error::from_raw_os_error(errno)),
            None => Ok(()),
        }
    }
}

impl Disk for FailingDisk {
    type File = Inode;

    fn read(&self, name: &str, max: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let mut machine = self.lock();
        if machine.stopped {
            return Err(gone());
        }
        if let (true, Plan::Fail { errno: nix::libc::EIO, .. }) = (machine.failing, machine.plan) {
            return Err(io::Error::from_raw_os_error(nix::libc::EIO));
        }
        let file = medium(&mut machine, self.folder).live.file(name);
        if file.as_ref().is_some_and(|bytes| bytes.len() > max) {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "too large"));
        }
        Ok(file.map(Zeroizing::new))
    }

    fn create(&self, name: &str) -> io::Result<Inode> {
        let mut created = 0;
        self.operate(
            |machine| {
                machine.next_inode += 1;
                created = machine.next_inode;
                vec![
                    Op::Unlink { name: name.to_owned() },
                    Op::Create { name: name.to_owned(), inode: created },
                ]
            },
            |_| {},
        )?;
        Ok(created)
    }

    fn write(&self, file: &mut Inode, bytes: &[u8]) -> io::Result<()> {
        let op = Op::Write { inode: *file, bytes: bytes.to_vec() };
        self.operate(|_| vec![op], |_| {})
    }

    fn fsync(&self, file: &Inode) -> io::Result<()> {
        let file = *file;
        let of_file = move |op: &Op| matches!(op, Op::Write { inode, .. } if *inode == file);
        self.operate(|_| Vec::new(), |medium| medium.sync(of_file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let op = Op::Rename { from: from.to_owned(), to: to.to_owned() };
        self.operate(|_| vec![op], |_| {})
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        let op = Op::Unlink { name: name.to_owned() };
        self.operate(|_| vec![op], |_| {})
    }

    fn fsync_dir(&self) -> io::Result<()> {
        self.operate(|_| Vec::new(), |medium| medium.sync(|op| !matches!(op, Op::Write { .. })))
    }
}
