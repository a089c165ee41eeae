//! Argon2id, a few at a time and off the threads that answer.

use super::Fault;
use crate::{clock::draw, worker::chain};
use argon2::{
    Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::phc::PasswordHash,
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::timeout};
use zeroize::Zeroizing;

/// Argon2id (RFC 9106): 19 MiB and 2 passes, as on the recorders.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// Hashes at a time, and how long one waits for its turn.
const HASHES: usize = 2;
const WAIT: Duration = Duration::from_secs(8);
/// A hash that no password has, compared with when there is no account: it takes as long.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bGF0Y2hrZXktbm9ib2R5$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Those who hash.
pub struct Hashers(Arc<Semaphore>);

impl Hashers {
    /// Two of them.
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(HASHES)))
    }

    /// The hash of a new password, in PHC form.
    pub async fn hash(&self, password: &str) -> Result<String, Fault> {
        let password = Zeroizing::new(password.to_owned());
        self.in_turn(move || hash(&password)).await?.ok_or(Fault::Busy)
    }

    /// Whether it is the password of a hash; without a hash it is not.
    pub async fn compare(&self, password: &str, phc: Option<&str>) -> Result<bool, Fault> {
        let (password, phc) = (Zeroizing::new(password.to_owned()), phc.unwrap_or(NOBODY).to_owned());
        self.in_turn(move || {
            let parsed = PasswordHash::new(&phc);
            parsed.is_ok_and(|phc| argon2().verify_password(password.as_bytes(), &phc).is_ok())
        })
        .await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let turn = timeout(WAIT, self.0.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(Fault::Busy) };
        let work = move || {
            let done = work();
            drop(turn);
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| {
            tracing::error!(error = %chain(&error), "a password could not be hashed");
            Fault::Busy
        })
    }
}

impl Default for Hashers {
    fn default() -> Self {
        Self::new()
    }
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(password: &str) -> Option<String> {
    let made: Result<PasswordHash, _> = argon2().hash_password_with_salt(password.as_bytes(), &draw::<16>());
    made.ok().map(|phc| phc.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nobody_costs_as_much_as_somebody() {
        let somebody = hash("a password").unwrap();
        let start = |phc: &str| phc.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(start(&somebody), start(NOBODY));
        assert!(PasswordHash::new(NOBODY).unwrap().hash.is_some());
    }
}
