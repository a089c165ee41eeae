//! A fleet of recorders over the policy, and its bounds.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use std::{cmp::Reverse, collections::BinaryHeap};

const FLEET: usize = 100_000;

/// What a fleet did after its cloud was gone for a while.
struct Storm {
    /// The most attempts in one second, as a part of the fleet.
    worst: f64,
    /// When the last device was back, counted from the cloud's return.
    all_back_s: u64,
}

/// Every device loses its connection at the same moment, and the cloud answers again after a while.
fn storm(outage_s: u64, held_s: u64) -> Storm {
    let mut rng = ChaCha20Rng::seed_from_u64(0x5708);
    let lost_ms = held_s * 1000;
    let back_ms = lost_ms + outage_s * 1000;
    let mut fleet = vec![Policy::new(Bounds::default()); FLEET];
    let mut attempts = BinaryHeap::with_capacity(FLEET);
    for (device, policy) in fleet.iter_mut().enumerate() {
        policy.registered(0, 240, 120);
        attempts.push(Reverse((lost_ms + policy.ended(lost_ms, Ended::Lost, &mut rng), device)));
    }
    let (mut second, mut in_second, mut worst, mut last_ms) = (0, 0_usize, 0, 0);
    while let Some(Reverse((at_ms, device))) = attempts.pop() {
        if at_ms / 1000 != second {
            (second, in_second) = (at_ms / 1000, 0);
        }
        in_second += 1;
        worst = worst.max(in_second);
        if at_ms >= back_ms {
            last_ms = at_ms;
            continue;
        }
        let wait_ms = fleet[device].ended(at_ms, Ended::Failed { retry_after_s: None }, &mut rng);
        attempts.push(Reverse((at_ms + wait_ms, device)));
    }
    Storm { worst: worst as f64 / FLEET as f64, all_back_s: last_ms.saturating_sub(back_ms).div_ceil(1000) }
}

#[test]
fn a_fleet_of_100000_comes_back_from_an_hour_without_a_storm() {
    let storm = storm(3600, 86_400);
    println!("worst second {:.2} % of the fleet, all back in {} s", storm.worst * 100.0, storm.all_back_s);
    assert!(storm.worst <= 0.035, "worst second: {} % of the fleet", storm.worst * 100.0);
    assert!(storm.all_back_s <= 601, "all back after {} s", storm.all_back_s);
}

#[test]
fn a_fleet_of_100000_comes_back_from_a_blip_spread_over_the_window() {
    let storm = storm(10, 86_400);
    println!("worst second {:.2} % of the fleet, all back in {} s", storm.worst * 100.0, storm.all_back_s);
    assert!(storm.worst <= 0.015, "worst second: {} % of the fleet", storm.worst * 100.0);
    assert!(storm.all_back_s <= 120, "all back after {} s", storm.all_back_s);
}

fn draws(mut draw: impl FnMut(&mut ChaCha20Rng) -> u64) -> (u64, u64) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let all: Vec<u64> = (0..2000).map(|_| draw(&mut rng)).collect();
    (*all.iter().min().unwrap(), *all.iter().max().unwrap())
}

#[track_caller]
fn expect(range: (u64, u64), low_s: u64, high_s: u64) {
    let (min, max) = range;
    let slack = (high_s - low_s) * 10 + 1; // one part in a hundred, in milliseconds
    assert!(min >= low_s * 1000 && min <= low_s * 1000 + slack, "{range:?} against {low_s}");
    assert!(max <= high_s * 1000 && max + slack >= high_s * 1000, "{range:?} against {high_s}");
}

#[test]
fn waits_grow_from_half_a_minute_to_ten_and_start_anew_only_after_a_connection_that_held() {
    let failed = Ended::Failed { retry_after_s: None };
    for (n, high_s) in [30, 60, 120, 240, 480, 600, 600].into_iter().enumerate() {
        expect(
            draws(|rng| {
                let mut policy = Policy::new(Bounds::default());
                (0..n).for_each(|_| _ = policy.ended(0, failed, rng));
                policy.ended(0, failed, rng)
            }),
            1,
            1 + high_s,
        );
    }
    for (held_ms, high_s) in [(239_999, 600), (240_000, 30)] {
        expect(
            draws(|rng| {
                let mut policy = Policy::new(Bounds::default());
                (0..9).for_each(|_| _ = policy.ended(0, failed, rng));
                policy.registered(5, 240, 120);
                policy.ended(5 + held_ms, Ended::Lost, rng);
                policy.ended(5 + held_ms, failed, rng)
            }),
            1,
            1 + high_s,
        );
    }
    let mut policy = Policy::new(Bounds::default());
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for _ in 0..100 {
        assert!(policy.ended(0, failed, &mut rng) <= 601_000, "no overflow");
    }
}

#[test]
fn what_a_cloud_says_is_bounded() {
    for (said, taken) in [(0, 60), (59, 60), (60, 60), (240, 240), (3600, 3600), (u32::MAX, 3600)] {
        let mut policy = Policy::new(Bounds::default());
        policy.registered(0, said, 0);
        expect(draws(|rng| policy.ping_in(rng)), taken * 8 / 10, taken * 12 / 10);
    }
    for (said, taken) in [(120, 120), (3600, 3600), (u32::MAX, 3600)] {
        let mut policy = Policy::new(Bounds::default());
        policy.registered(0, 240, said);
        expect(draws(|rng| policy.ended(0, Ended::Lost, rng)), 0, taken);
        expect(draws(|rng| policy.ended(0, Ended::Reconnect { window_s: said }, rng)), 0, taken);
    }
    let refused = |reason, retry_after_s| {
        draws(move |rng| {
            Policy::new(Bounds::default()).ended(0, Ended::Refused { reason, retry_after_s }, rng)
        })
    };
    for reason in [Refusal::Revoked, Refusal::Unknown, Refusal::Version] {
        expect(refused(reason, None), 3600, 7200);
    }
    expect(refused(Refusal::Duplicate, None), 600, 1200);
    expect(refused(Refusal::Busy, None), 1, 31);
    // Sent away for longer than it would have waited: not before, and not all at once.
    expect(refused(Refusal::Busy, Some(300)), 301, 331);
    expect(refused(Refusal::Busy, Some(u32::MAX)), 3601, 3631);
}

#[test]
fn the_first_attempt_after_a_start_is_drawn_from_the_window_too() {
    expect(draws(|rng| Policy::new(Bounds::default()).first(rng)), 0, 120);
}
