//! What a service manager such as systemd tells the daemon: by its protocol (sd_notify(3)) that is in
//! the environment, which nothing else is read from.

use std::{ffi::OsString, time::Duration};

/// Where the service manager wants to be told what becomes of the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceManager {
    /// A Unix datagram socket: a path, or `@` and an abstract name.
    pub notify_socket: Option<OsString>,
    /// It ends the daemon when it hears nothing for so long.
    pub watchdog: Option<Duration>,
}

impl ServiceManager {
    /// Reads what this process was told.
    pub fn read() -> Self {
        Self::from_variables(std::process::id(), |name| {
            #[expect(
                clippy::disallowed_methods,
                reason = "the service manager's protocol is the environment"
            )]
            std::env::var_os(name)
        })
    }

    fn from_variables(pid: u32, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let number = |name| variable(name).and_then(|text| text.to_str()?.parse::<u64>().ok());
        // A child of the service inherits the variables; WATCHDOG_PID says whom they are meant for.
        let is_for_us = variable("WATCHDOG_PID").is_none() || number("WATCHDOG_PID") == Some(pid.into());
        Self {
            notify_socket: variable("NOTIFY_SOCKET").filter(|text| !text.is_empty()),
            watchdog: number("WATCHDOG_USEC").filter(|us| *us > 0 && is_for_us).map(Duration::from_micros),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(variables: &[(&str, &str)]) -> ServiceManager {
        ServiceManager::from_variables(7, |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn the_watchdog_counts_only_for_the_process_it_names() {
        assert_eq!(told(&[]), ServiceManager::default());
        let watchdog = Some(Duration::from_secs(30));
        assert_eq!(told(&[("WATCHDOG_USEC", "30000000")]).watchdog, watchdog);
        assert_eq!(told(&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "7")]).watchdog, watchdog);
        assert_eq!(told(&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "8")]).watchdog, None);
        assert_eq!(told(&[("WATCHDOG_USEC", "0")]).watchdog, None);
        assert_eq!(told(&[("WATCHDOG_USEC", "soon")]).watchdog, None);
        assert_eq!(told(&[("NOTIFY_SOCKET", "@x")]).notify_socket, Some("@x".into()));
    }
}
