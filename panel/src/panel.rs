//! The session, the daemon and what is to be done outside, wired together.

use crate::{
    client::Client,
    clock::Moment,
    export,
    raster::Damage,
    settings::Settings,
    state::{Effect, Event, Link, Notice, State, Tone},
    view::{Frame, Input, Session},
};
use std::{io, process::Command};

/// A running panel, whatever it is shown on.
pub struct Panel {
    /// The person in front of it.
    pub session: Session,
    /// Where answers come from.
    pub client: Client,
    settings: Settings,
    started: Moment,
}

impl Panel {
    /// For a display of this many pixels.
    pub fn start(settings: Settings, width: usize, height: usize) -> io::Result<Self> {
        let client = Client::start(settings.socket.clone())?;
        let mut state = State::new(settings.preferences(), settings.restart.is_some());
        if crate::input::LAYOUTS.iter().all(|layout| layout.name != state.preferences.layout) {
            tracing::warn!(
                layout = state.preferences.layout,
                "the keyboard's layout is not known: us is taken"
            );
            state.notice = Some(Notice::Said {
                tone: Tone::Warn,
                title: "panel-layout-unknown",
                text: "panel-layout-unknown-text",
            });
        }
        let mut session = Session::new(width, height, state);
        session.set_addresses(settings.addresses());
        Ok(Self { session, client, settings, started: Moment::now() })
    }

    /// Milliseconds since it started.
    pub fn now_ms(&self) -> u64 {
        let passed = Moment::now().since(self.started).unwrap_or_default();
        u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)
    }

    /// What a person does. A key that moves about, and a button's way down and up, must each be seen by
    /// itself, however fast they come: what was typed before belongs to the field before.
    pub fn input(&mut self, input: Input) -> Damage {
        if !matches!(input, Input::Go(_) | Input::Press { .. }) {
            self.session.input(input);
            return Damage::none();
        }
        let mut damage = self.turn().damage;
        self.session.input(input);
        damage.add_all(&self.turn().damage);
        damage
    }

    /// Takes what has come, draws what is new, and does what is to be done.
    pub fn turn(&mut self) -> Frame {
        let mut effects = Vec::new();
        while let Some(answered) = self.client.next() {
            let before = self.session.state.link.clone();
            let (name, failure) = (answered.0.name(), answered.1.as_ref().err().map(ToString::to_string));
            effects.extend(self.session.event(self.now_ms(), Event::Answered(Box::new(answered))));
            let link = &self.session.state.link;
            // A daemon that does not answer is asked every second: that is told once.
            match failure {
                Some(failure) if *link == Link::Up || *link != before => {
                    tracing::info!(request = name, failure, "the daemon was asked");
                }
                None if *link != before => tracing::info!("the daemon answers"),
                _ => {}
            }
        }
        self.carry_out(effects);
        let mut frame = self.session.frame(self.now_ms());
        let follow_up = self.carry_out(std::mem::take(&mut frame.effects));
        if follow_up {
            let more = self.session.frame(self.now_ms());
            frame.damage.add_all(&more.damage);
            frame.quiet_until_ms = more.quiet_until_ms;
            self.carry_out(more.effects);
        }
        frame
    }

    /// Whether something happened by it at once.
    fn carry_out(&mut self, effects: Vec<Effect>) -> bool {
        let mut happened = false;
        for effect in effects {
            let event = match effect {
                Effect::None => None,
                Effect::Ask(request) => {
                    self.client.ask(request).map(|answered| Event::Answered(Box::new(answered)))
                }
                Effect::Keep(preferences) => {
                    if let Err(error) = self.settings.keep(&preferences) {
                        tracing::warn!(%error, "the display's settings are not kept over a restart");
                    }
                    None
                }
                Effect::Export { name, picture } => {
                    self.session.set_addresses(self.settings.addresses());
                    Some(Event::Exported(export::save(&self.settings.sticks, &name, &picture)))
                }
                Effect::Power(power) => self.power(power).map(|()| Event::PowerFailed),
            };
            if let Some(event) = event {
                happened = true;
                let more = self.session.event(self.now_ms(), event);
                self.carry_out(more);
            }
        }
        happened
    }

    /// Gives the order; `Some` if nobody took it.
    fn power(&self, power: crate::state::Power) -> Option<()> {
        let command = match power {
            crate::state::Power::Restart => &self.settings.restart,
            crate::state::Power::ShutDown => &self.settings.shut_down,
        };
        let (program, arguments) = command.as_ref()?.split_first()?;
        match Command::new(program).args(arguments).status() {
            Ok(status) if status.success() => None,
            Ok(status) => {
                tracing::warn!(program, %status, "the machine was told to go off");
                Some(())
            }
            Err(error) => {
                tracing::warn!(program, %error, "the machine was told to go off");
                Some(())
            }
        }
    }
}
