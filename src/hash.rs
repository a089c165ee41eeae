//! Argon2id, as the heart's hash jobs ask for it. Slow and large on purpose: it runs off the task, one
//! at a time.

use crate::recovery::{HashJob, HashOutcome};
use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version, password_hash::phc::PasswordHash,
};

/// What one hash costs, as the board says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashCost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
}

/// The most memory that a stored hash may ask for: a record from a larger board must not take the
/// device down.
pub const MEMORY_KIB_MAX: u32 = 128 * 1024;
/// The most passes that a stored hash may ask for.
pub const PASSES_MAX: u32 = 64;

/// Runs one job. Blocks for as long as the hash takes.
pub fn run(cost: HashCost, job: &HashJob) -> HashOutcome {
    match job {
        HashJob::Make { password, salt } => make(cost, password.as_bytes(), salt),
        HashJob::Compare { password, phc } => compare(password.as_bytes(), phc),
    }
    .unwrap_or(HashOutcome::Failed)
}

fn make(cost: HashCost, password: &[u8], salt: &[u8; 16]) -> Option<HashOutcome> {
    let params = Params::new(cost.memory_kib, cost.passes, 1, None).ok()?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let phc = argon2.hash_password_with_salt(password, salt).ok()?;
    Some(HashOutcome::Made(phc.to_string()))
}

fn compare(password: &[u8], phc: &str) -> Option<HashOutcome> {
    use argon2::password_hash::Error;
    let parsed = PasswordHash::new(phc).ok()?;
    let params = Params::try_from(&parsed).ok()?;
    if params.m_cost() > MEMORY_KIB_MAX || params.t_cost() > PASSES_MAX || params.p_cost() > 4 {
        return None;
    }
    match Argon2::default().verify_password(password, &parsed) {
        Ok(()) => Some(HashOutcome::Compared(true)),
        Err(Error::PasswordInvalid) => Some(HashOutcome::Compared(false)),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::recovery::Password;

    const COST: HashCost = HashCost { memory_kib: 64, passes: 1 };

    fn made(cost: HashCost, password: &str) -> String {
        let job = HashJob::Make { password: Password::new(password.to_owned()), salt: [7; 16] };
        match run(cost, &job) {
            HashOutcome::Made(phc) => phc,
            other => unreachable!("{other:?}"),
        }
    }

    fn compared(password: &str, phc: &str) -> HashOutcome {
        run(COST, &HashJob::Compare { password: Password::new(password.to_owned()), phc: phc.to_owned() })
    }

    #[test]
    fn a_password_is_recognised_with_the_parameters_of_its_own_hash() {
        let phc = made(HashCost { memory_kib: 128, passes: 2 }, "correct horse");
        assert!(phc.starts_with("$argon2id$v=19$m=128,t=2,p=1$"), "{phc}");
        assert!(matches!(compared("correct horse", &phc), HashOutcome::Compared(true)));
        assert!(matches!(compared("correct hors", &phc), HashOutcome::Compared(false)));
    }

    /// RFC 9106 has no vector without secret and associated data; this one is the reference
    /// implementation's own (`argon2 somesalt... -id -t 2 -k 65536 -p 1`, its test suite).
    #[test]
    fn it_is_the_argon2id_of_others() {
        let phc = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(matches!(compared("password", phc), HashOutcome::Compared(true)));
        assert!(matches!(compared("differentpassword", phc), HashOutcome::Compared(false)));
    }

    #[test]
    fn a_hash_that_is_damaged_or_asks_for_too_much_fails_and_compares_nothing() {
        let phc = made(COST, "correct horse");
        let greedy = phc.replace("m=64", "m=4000000");
        let patient = phc.replace("t=1", "t=4000000");
        let cut = &phc[..phc.len() - 30];
        let other = phc.replace("argon2id", "bcrypt");
        for bad in ["", "x", greedy.as_str(), patient.as_str(), cut, other.as_str()] {
            assert!(matches!(compared("correct horse", bad), HashOutcome::Failed), "{bad}");
        }
    }
}
