//! The queue of hash jobs: one runs at a time, the console goes first, and each door's queue is
//! bounded, so that a flood at one door neither fills the memory nor starves the other.

use super::{
    Effect, GrantToken, HashJob, Password, Refusal, RequestId, SessionToken, Ticket, Which,
    challenge::CodeVerified,
    limits::HASH_QUEUE_MAX,
    sign_in::PasswordVerified,
    state::{DOORS, PerDoor, Turn},
};
use latchkey_protocol::{Address, Door, Life};
use std::{collections::VecDeque, sync::Arc};

/// What a job's outcome is worth something for: a record of this life with these epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Epochs {
    pub(super) life: Life,
    pub(super) password: u32,
    pub(super) email: u32,
}

/// Who asks for a hash, and on what ground: no epochs means an inactive device.
#[derive(Clone, Copy)]
pub(super) struct Ask {
    pub(super) id: RequestId,
    pub(super) door: Door,
    pub(super) basis: Option<Epochs>,
}

/// What the outcome is for.
#[derive(Clone)]
pub(super) enum Purpose {
    Activate { password: Password, email: Option<Address> },
    SignIn { password: Password },
    VerifyPassword,
    ChangePassword { session: SessionToken, new: Password },
    SetEmail { session: SessionToken, which: Which, email: Option<Address> },
    StoreChanged { session: SessionToken, new: Password, proof: PasswordVerified },
    StoreReset { new: Password, proof: CodeVerified },
}

/// A job that waits for its turn.
struct Waiting {
    ask: Ask,
    job: HashJob,
    purpose: Purpose,
}

/// The job that runs.
#[derive(Clone)]
pub(super) struct Running {
    ticket: Ticket,
    pub(super) id: RequestId,
    pub(super) door: Door,
    pub(super) basis: Option<Epochs>,
    pub(super) purpose: Purpose,
}

/// What runs: a request's job, or one whose request was answered without it.
#[derive(Clone)]
enum Runs {
    Request(Box<Running>),
    Abandoned(Ticket),
}

/// The queue.
#[derive(Clone, Default)]
pub(super) struct Hashing {
    next_ticket: u64,
    runs: Option<Runs>,
    waiting: PerDoor<VecDeque<Arc<Waiting>>>,
}

impl Hashing {
    /// Whether a door may add a job. Asked before anything is charged for it.
    pub(super) fn room(&self, door: Door) -> Result<(), Refusal> {
        if self.waiting.of(door).len() < HASH_QUEUE_MAX { Ok(()) } else { Err(Refusal::Busy) }
    }

    /// Adds a job; [`Hashing::start_next`] starts it at the end of the step if nothing runs.
    pub(super) fn add(&mut self, ask: Ask, job: HashJob, purpose: Purpose) {
        self.waiting.of_mut(ask.door).push_back(Arc::new(Waiting { ask, job, purpose }));
    }

    /// Adds the second job of a request whose first one has just ended: it goes to the front.
    pub(super) fn go_on(&mut self, ask: Ask, job: HashJob, purpose: Purpose) {
        self.waiting.of_mut(ask.door).push_front(Arc::new(Waiting { ask, job, purpose }));
    }

    /// Starts a job if none runs, the console's before the LAN's.
    pub(super) fn start_next(&mut self, turn: &mut Turn<'_>) {
        if self.runs.is_some() {
            return;
        }
        let Some(next) = DOORS.iter().find_map(|&door| self.waiting.of_mut(door).pop_front()) else {
            return;
        };
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let Ask { id, door, basis } = next.ask;
        self.runs =
            Some(Runs::Request(Box::new(Running { ticket, id, door, basis, purpose: next.purpose.clone() })));
        turn.push(Effect::Hash(ticket, next.job.clone()));
    }

    /// The running job that this ticket names, which has ended. None for an abandoned or unknown one.
    pub(super) fn take(&mut self, ticket: Ticket) -> Option<Running> {
        match &self.runs {
            Some(Runs::Request(running)) if running.ticket == ticket => {}
            Some(Runs::Abandoned(abandoned)) if *abandoned == ticket => {}
            _ => return None,
        }
        match self.runs.take() {
            Some(Runs::Request(running)) => Some(*running),
            _ => None,
        }
    }

    /// Drops every job; the one that runs still counts as running. Gives the requests to answer.
    pub(super) fn abandon(&mut self) -> Vec<RequestId> {
        let requests = self.requests().collect();
        self.waiting = PerDoor::default();
        if let Some(Runs::Request(running)) = &self.runs {
            self.runs = Some(Runs::Abandoned(running.ticket));
        }
        requests
    }

    /// An empty queue that gives no ticket a second time. Nothing counts as running: the step that
    /// failed may have been the one that took the outcome.
    pub(super) fn emptied(&self) -> Self {
        Self { next_ticket: self.next_ticket + 1, ..Self::default() }
    }

    /// The requests that a job runs or waits for.
    pub(super) fn requests(&self) -> impl Iterator<Item = RequestId> {
        let running = match &self.runs {
            Some(Runs::Request(running)) => Some(running.id),
            _ => None,
        };
        let waiting = DOORS.iter().flat_map(|&door| self.waiting.of(door)).map(|waiting| waiting.ask.id);
        running.into_iter().chain(waiting)
    }
}

/// A grant's or session's secret as it is kept: never the secret itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct TokenHash([u8; 32]);

impl TokenHash {
    fn of(token: &[u8; 32]) -> Self {
        use sha2::{Digest, Sha256};
        Self(Sha256::digest(token).into())
    }

    pub(super) fn of_session(token: &SessionToken) -> Self {
        Self::of(&token.0)
    }

    pub(super) fn of_grant(token: &GrantToken) -> Self {
        Self::of(&token.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recovery::{BootId, Now};
    use chacha20::{ChaCha12Rng, rand_core::SeedableRng};

    fn turn(rng: &mut ChaCha12Rng) -> Turn<'_> {
        let boot_id = BootId([1; 16]);
        let now = Now { boottime_ms: 0, boot_id, wall_unix_s: 0, tz_offset_min: 0 };
        Turn::new(now, rng)
    }

    fn add(queue: &mut Hashing, id: u64, door: Door) -> Result<(), Refusal> {
        queue.room(door)?;
        let job = HashJob::Compare { password: Password::new(String::new()), phc: String::new() };
        let purpose = Purpose::SignIn { password: Password::new(String::new()) };
        queue.add(Ask { id: RequestId(id), door, basis: None }, job, purpose);
        Ok(())
    }

    fn started(turn: &Turn<'_>) -> Vec<Ticket> {
        let tickets = turn.effects.iter().filter_map(|effect| match effect {
            Effect::Hash(ticket, _) => Some(*ticket),
            _ => None,
        });
        tickets.collect()
    }

    #[test]
    fn the_console_goes_first_and_a_flood_at_the_lan_fills_only_its_own_queue() {
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        let mut turn = turn(&mut rng);
        let mut queue = Hashing::default();
        assert_eq!(add(&mut queue, 0, Door::Lan), Ok(()));
        queue.start_next(&mut turn);
        for id in 1..=4 {
            assert_eq!(add(&mut queue, id, Door::Lan), Ok(()));
        }
        assert_eq!(add(&mut queue, 5, Door::Lan), Err(Refusal::Busy));
        assert_eq!(add(&mut queue, 6, Door::Console), Ok(()));
        queue.start_next(&mut turn);
        assert_eq!(started(&turn).len(), 1, "one runs at a time");

        let mut order = Vec::new();
        while let Some(ticket) = started(&turn).last().copied() {
            let Some(running) = queue.take(ticket) else { break };
            order.push(running.id.0);
            queue.start_next(&mut turn);
        }
        assert_eq!(order, [0, 6, 1, 2, 3, 4]);
    }

    #[test]
    fn an_abandoned_job_blocks_until_it_ends_and_answers_nobody() {
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        let mut turn = turn(&mut rng);
        let mut queue = Hashing::default();
        assert_eq!(add(&mut queue, 0, Door::Console), Ok(()));
        assert_eq!(add(&mut queue, 1, Door::Lan), Ok(()));
        queue.start_next(&mut turn);
        assert_eq!(queue.abandon(), [RequestId(0), RequestId(1)]);
        assert_eq!(add(&mut queue, 2, Door::Console), Ok(()));
        queue.start_next(&mut turn);
        assert_eq!(started(&turn), [Ticket(0)]);
        assert!(queue.take(Ticket(9)).is_none());
        assert!(queue.take(Ticket(0)).is_none());
        queue.start_next(&mut turn);
        assert_eq!(started(&turn), [Ticket(0), Ticket(1)]);
        assert_eq!(queue.take(Ticket(1)).map(|running| running.id), Some(RequestId(2)));
    }

    #[test]
    fn after_a_read_back_no_ticket_is_given_twice() {
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        let mut turn = turn(&mut rng);
        let mut queue = Hashing::default();
        assert_eq!(add(&mut queue, 0, Door::Console), Ok(()));
        // The failed step may have started one more job than the state knows of.
        let mut queue = queue.emptied();
        assert_eq!(add(&mut queue, 1, Door::Console), Ok(()));
        queue.start_next(&mut turn);
        assert!(queue.take(Ticket(0)).is_none());
        assert!(queue.take(Ticket(1)).is_some());
    }
}
