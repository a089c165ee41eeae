//! The store on SQLite: one thread writes, and what arrives while it commits shares the next commit.

mod accounts;
mod devices;
mod fleet;
mod queue;
mod recorders;

use super::{
    Accepted, AccountId, AddDevice, Answer, Claim, CodeId, Device, Limit, MailToken, NewRequest, Outcome,
    Reason, RecorderId, Request, RequestId, Resend, Store, StoreError, Use,
    accounts::{Account, AccountStore, By, Code, Post, PostClaim, Purpose, Registered, Tried},
    fleet::{Enrolled, Fleet, FleetStore, NodeId, Presence, Transition},
    recorders::{Acceptance, EndOffer, Found, Kept, NewOffer, NewRecorder, Offered, Recorder, RecorderStore},
};
use latchkey_protocol::Handle;
use rusqlite::{Connection, OpenFlags};
use std::{
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    thread,
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// `LKcl`.
const APPLICATION_ID: i64 = 0x4c4b_636c;
/// Each step leads from its place in the list to the next version.
const MIGRATIONS: &[&str] = &[
    include_str!("schema-1.sql"),
    include_str!("schema-2.sql"),
    include_str!("schema-3.sql"),
    include_str!("schema-4.sql"),
];
/// Jobs that may wait.
const QUEUE: usize = 4096;
/// Another process may hold the database this long, as a command of the factory does.
const BUSY: Duration = Duration::from_secs(5);
/// Jobs that share one commit.
const BATCH: usize = 128;

type Reply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
type Job = Box<dyn FnOnce(&Connection) -> Reply + Send>;

/// The database in one file.
pub struct Sqlite {
    jobs: mpsc::Sender<Job>,
}

impl Sqlite {
    /// Opens or makes the file, checks it, brings it to this build's version and starts its thread.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        // SQLite gives its side files the mode of this one.
        let file = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        closed_to_others(path, &file.metadata()?)?;
        let mut connection = Connection::open(path)?;
        prepare(&mut connection)?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        thread::Builder::new().name("database".into()).spawn(move || write_all(&connection, queue))?;
        Ok(Self { jobs })
    }

    /// Whether the file, if it is there, is one that [`Sqlite::open`] takes. Changes nothing.
    pub fn check(path: &Path) -> Result<(), StoreError> {
        match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            found => closed_to_others(path, &found?)?,
        }
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(BUSY)?;
        version(&connection).map(drop)
    }

    fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        let (sender, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = in_savepoint(connection, work);
            // Told only once the commit has ended.
            Box::new(move |commit| drop(sender.send(commit.and(result))))
        });
        let sent = self.jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        });
        Box::pin(async move {
            sent?;
            answer.await.unwrap_or(Err(StoreError::Closed))
        })
    }
}

fn closed_to_others(path: &Path, found: &std::fs::Metadata) -> Result<(), StoreError> {
    if found.permissions().mode() & 0o077 == 0 { Ok(()) } else { Err(StoreError::Open(path.to_owned())) }
}

/// The version of a database that is ours, and whole enough to be read; 0 if it is empty.
fn version(connection: &Connection) -> Result<i64, StoreError> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, found) = match (pragma("application_id"), pragma("user_version")) {
        (Ok(application), Ok(found)) => (application, found),
        (Err(error), _) | (_, Err(error)) => return Err(as_damage(error)),
    };
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    match (application, found) {
        (0, 0) if tables == 0 => {}
        (APPLICATION_ID, found) if found > known => return Err(StoreError::Newer { found, known }),
        (APPLICATION_ID, _) => {}
        _ => return Err(StoreError::Foreign),
    }
    let told: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(as_damage)?;
    if told != "ok" {
        return Err(StoreError::Damaged(told));
    }
    Ok(found)
}

fn prepare(connection: &mut Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY)?;
    let found = version(connection)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
         PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF;",
    )?;
    let done = usize::try_from(found).unwrap_or_default();
    for (version, sql) in (1_i64..).zip(MIGRATIONS).skip(done) {
        let change = connection.transaction()?;
        change.execute_batch(sql)?;
        change.pragma_update(None, "application_id", APPLICATION_ID)?;
        change.pragma_update(None, "user_version", version)?;
        change.commit()?;
    }
    Ok(())
}

fn as_damage(error: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    match error.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => StoreError::Damaged(error.to_string()),
        _ => StoreError::Database(error),
    }
}

/// A job that fails takes back its own changes and nobody else's.
fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.execute_batch("SAVEPOINT job")?;
    let result = work(connection);
    let end = if result.is_ok() { "RELEASE job" } else { "ROLLBACK TO job; RELEASE job" };
    connection.execute_batch(end)?;
    result
}

fn write_all(connection: &Connection, mut queue: mpsc::Receiver<Job>) {
    while let Some(first) = queue.blocking_recv() {
        let begun = connection.execute_batch("BEGIN IMMEDIATE");
        let mut replies = vec![first(connection)];
        while replies.len() < BATCH
            && let Ok(job) = queue.try_recv()
        {
            replies.push(job(connection));
        }
        let committed = begun.and_then(|()| connection.execute_batch("COMMIT"));
        if let Err(error) = &committed {
            tracing::error!(%error, "the database could not commit");
            if !connection.is_autocommit() {
                let _ = connection.execute_batch("ROLLBACK"); // the commit's own error is what is told
            }
        }
        for reply in replies {
            reply(if committed.is_ok() { Ok(()) } else { Err(StoreError::Commit) });
        }
    }
}

impl Store for Sqlite {
    fn add_device(&self, device: Device, replace: bool) -> Answer<'_, AddDevice> {
        self.call(move |c| devices::add(c, &device, replace))
    }

    fn revoke(&self, which: String, now_s: i64) -> Answer<'_, Option<Handle>> {
        self.call(move |c| devices::revoke(c, &which, now_s))
    }

    fn devices(&self) -> Answer<'_, Vec<Device>> {
        self.call(devices::all)
    }

    fn device(&self, handle: Handle) -> Answer<'_, Option<Device>> {
        self.call(move |c| devices::find(c, handle))
    }

    fn find(&self, digest: [u8; 32]) -> Answer<'_, Option<RequestId>> {
        self.call(move |c| queue::find(c, &digest))
    }

    fn accept(&self, request: NewRequest) -> Answer<'_, Accepted> {
        self.call(move |c| queue::accept(c, &request))
    }

    fn request(&self, id: RequestId) -> Answer<'_, Option<Request>> {
        self.call(move |c| queue::request(c, id))
    }

    fn resend(&self, id: RequestId, uses: Vec<Use>, now_s: i64) -> Answer<'_, Resend> {
        self.call(move |c| queue::resend(c, id, &uses, now_s))
    }

    fn claim(&self, now_s: i64, lease_s: i64, at_most: u32) -> Answer<'_, Vec<Claim>> {
        self.call(move |c| queue::claim(c, now_s, lease_s, at_most))
    }

    fn settle(&self, mail: i64, attempt: u32, outcome: Outcome) -> Answer<'_, bool> {
        self.call(move |c| queue::settle(c, mail, attempt, outcome))
    }

    fn next_due(&self) -> Answer<'_, Option<i64>> {
        self.call(queue::next_due)
    }

    fn bounce(&self, token: MailToken, reason: Reason) -> Answer<'_, Option<RequestId>> {
        self.call(move |c| queue::bounce(c, token, reason))
    }

    fn tidy(&self, now_s: i64) -> Answer<'_, ()> {
        self.call(move |c| {
            fleet::tidy(c, now_s)?;
            accounts::tidy(c, now_s)?;
            recorders::tidy(c, now_s)?;
            queue::tidy(c, now_s)
        })
    }
}

impl FleetStore for Sqlite {
    fn keep_node(&self, node: NodeId, now_s: i64, until_s: i64) -> Answer<'_, bool> {
        self.call(move |c| fleet::keep_node(c, node, now_s, until_s))
    }

    fn end_node(&self, node: NodeId, now_s: i64) -> Answer<'_, ()> {
        self.call(move |c| fleet::end_node(c, node, now_s))
    }

    fn move_devices(&self, node: NodeId, moves: Vec<Transition>) -> Answer<'_, ()> {
        self.call(move |c| fleet::move_devices(c, node, &moves))
    }

    fn count_online(&self, node: NodeId, at_s: i64, devices: u64) -> Answer<'_, ()> {
        self.call(move |c| fleet::count_online(c, node, at_s, devices))
    }

    fn online_since(&self, since_s: i64) -> Answer<'_, Vec<(i64, u64)>> {
        self.call(move |c| fleet::online_since(c, since_s))
    }

    fn presence(&self, handle: Handle, now_s: i64) -> Answer<'_, Option<Presence>> {
        self.call(move |c| fleet::presence(c, handle, now_s))
    }

    fn fleet(&self, now_s: i64, lately: u32) -> Answer<'_, Fleet> {
        self.call(move |c| fleet::fleet(c, now_s, lately))
    }

    fn revoked_since(&self, since_s: i64) -> Answer<'_, Vec<Handle>> {
        self.call(move |c| fleet::revoked_since(c, since_s))
    }

    fn add_claim(&self, claim: super::fleet::Claim) -> Answer<'_, ()> {
        self.call(move |c| fleet::add_claim(c, &claim))
    }

    fn enrol(&self, claim: [u8; 32], device: Device) -> Answer<'_, Enrolled> {
        self.call(move |c| fleet::enrol(c, &claim, &device))
    }
}

impl AccountStore for Sqlite {
    fn spend(&self, uses: Vec<Use>, now_s: i64) -> Answer<'_, Option<(Limit, i64)>> {
        self.call(move |c| queue::spend(c, &uses, now_s))
    }

    fn issue(&self, code: Code, post: Option<Post>) -> Answer<'_, ()> {
        self.call(move |c| accounts::issue(c, &code, post.as_ref()))
    }

    fn code(&self, id: CodeId, now_s: i64) -> Answer<'_, Option<Code>> {
        self.call(move |c| accounts::code(c, id, now_s))
    }

    fn try_code(&self, id: CodeId, purpose: Purpose, digest: [u8; 32], now_s: i64) -> Answer<'_, Tried> {
        self.call(move |c| accounts::try_code(c, id, purpose, digest, now_s))
    }

    fn register(&self, code: CodeId, account: Account) -> Answer<'_, Registered> {
        self.call(move |c| accounts::register(c, code, &account))
    }

    fn account(&self, by: By) -> Answer<'_, Option<Account>> {
        self.call(move |c| accounts::account(c, &by))
    }

    fn set_password(&self, id: AccountId, password: String, notice: Post, now_s: i64) -> Answer<'_, ()> {
        self.call(move |c| accounts::set_password(c, id, &password, &notice, now_s))
    }

    fn set_email(&self, id: AccountId, code: CodeId, notice: Post, now_s: i64) -> Answer<'_, Registered> {
        self.call(move |c| accounts::set_email(c, id, code, &notice, now_s))
    }

    fn remove(&self, id: AccountId, notice: Post, now_s: i64) -> Answer<'_, ()> {
        self.call(move |c| accounts::remove(c, id, &notice, now_s))
    }

    fn sign_in(&self, digest: [u8; 32], id: AccountId, expires_at_s: i64) -> Answer<'_, ()> {
        self.call(move |c| accounts::sign_in(c, digest, id, expires_at_s))
    }

    fn session(&self, digest: [u8; 32], now_s: i64) -> Answer<'_, Option<Account>> {
        self.call(move |c| accounts::session(c, digest, now_s))
    }

    fn sign_out(&self, digest: [u8; 32]) -> Answer<'_, ()> {
        self.call(move |c| accounts::sign_out(c, digest))
    }

    fn sign_out_everywhere(&self, id: AccountId) -> Answer<'_, ()> {
        self.call(move |c| accounts::sign_out_everywhere(c, id))
    }

    fn claim_post(&self, now_s: i64, lease_s: i64) -> Answer<'_, Option<PostClaim>> {
        self.call(move |c| accounts::claim_post(c, now_s, lease_s))
    }

    fn settle_post(&self, id: i64, again_at_s: Option<i64>) -> Answer<'_, ()> {
        self.call(move |c| accounts::settle_post(c, id, again_at_s))
    }
}

impl RecorderStore for Sqlite {
    fn recorders(&self, account: AccountId, now_s: i64) -> Answer<'_, Vec<Recorder>> {
        self.call(move |c| recorders::list(c, account, None, now_s))
    }

    fn recorder(&self, account: AccountId, id: RecorderId, now_s: i64) -> Answer<'_, Option<Recorder>> {
        self.call(move |c| Ok(recorders::list(c, account, Some(id), now_s)?.pop()))
    }

    fn offered(&self, email_key: [u8; 32], now_s: i64) -> Answer<'_, Vec<Offered>> {
        self.call(move |c| recorders::offered(c, &email_key, now_s))
    }

    fn find_recorder(&self, serials: Vec<String>) -> Answer<'_, Option<Found>> {
        self.call(move |c| recorders::find(c, &serials))
    }

    fn add_recorder(&self, new: NewRecorder) -> Answer<'_, Kept> {
        self.call(move |c| recorders::add(c, &new))
    }

    fn rename_recorder(&self, account: AccountId, id: RecorderId, name: String) -> Answer<'_, bool> {
        self.call(move |c| recorders::rename(c, account, id, &name))
    }

    fn remove_recorder(&self, account: AccountId, id: RecorderId) -> Answer<'_, bool> {
        self.call(move |c| recorders::remove(c, account, id))
    }

    fn offer_recorder(&self, new: NewOffer) -> Answer<'_, bool> {
        self.call(move |c| recorders::offer(c, &new))
    }

    fn end_offer(&self, which: EndOffer) -> Answer<'_, bool> {
        self.call(move |c| recorders::end_offer(c, which))
    }

    fn accept_offer(&self, acceptance: Acceptance) -> Answer<'_, Kept> {
        self.call(move |c| recorders::accept(c, &acceptance))
    }
}

#[cfg(test)]
mod tests;
