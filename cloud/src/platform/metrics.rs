//! What the operators' monitoring reads, in Prometheus' text form.

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// Why a connection was not let in, or ended.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Why {
    /// The reason, one of a few fixed words.
    pub reason: &'static str,
}

/// The counts.
pub struct Metrics {
    registry: Registry,
    /// Devices that are registered at this process.
    pub connected: Gauge,
    /// Registrations.
    pub registered: Counter,
    /// Registrations that were refused.
    pub refused: Family<Why, Counter>,
    /// Connections that were registered and ended.
    pub ended: Family<Why, Counter>,
    /// Connections that failed before registration.
    pub failed: Family<Why, Counter>,
    /// Pings of devices.
    pub heartbeats: Counter,
    /// Challenges that devices have submitted.
    pub submitted: Counter,
    /// Challenges or wishes of devices that were not carried out.
    pub rejected: Counter,
    /// Devices that were enrolled by a claim.
    pub enrolled: Counter,
    /// Mails to the recovery mailbox, by what became of them.
    pub mailbox: Family<Why, Counter>,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("latchkey"),
            connected: Gauge::default(),
            registered: Counter::default(),
            refused: Family::default(),
            ended: Family::default(),
            failed: Family::default(),
            heartbeats: Counter::default(),
            submitted: Counter::default(),
            rejected: Counter::default(),
            enrolled: Counter::default(),
            mailbox: Family::default(),
        };
        let registry = &mut metrics.registry;
        registry.register(
            "devices_connected",
            "Devices registered at this process",
            metrics.connected.clone(),
        );
        registry.register("registrations", "Registrations", metrics.registered.clone());
        registry.register("refusals", "Registrations refused, by reason", metrics.refused.clone());
        registry.register("disconnections", "Registered connections ended, by reason", metrics.ended.clone());
        registry.register("failures", "Connections that failed before registration", metrics.failed.clone());
        registry.register("heartbeats", "Heartbeats", metrics.heartbeats.clone());
        registry.register("submissions", "Challenges that devices submitted", metrics.submitted.clone());
        registry.register("rejections", "Requests of devices not carried out", metrics.rejected.clone());
        registry.register("enrolments", "Devices enrolled by a claim", metrics.enrolled.clone());
        registry.register(
            "mailbox_mails",
            "Mails to the recovery mailbox, by what became of them",
            metrics.mailbox.clone(),
        );
        metrics
    }

    /// One more of a reason.
    pub fn count(family: &Family<Why, Counter>, reason: &'static str) {
        family.get_or_create(&Why { reason }).inc();
    }

    /// The text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
