//! What the recorder's other software is told of a new password. That it is owed stands in the record, in
//! the same commit as the password; the password itself is in memory alone.

use super::{
    Context, Effect, HookEvent, HookOrder, Password, PasswordId,
    account::Active,
    effect::Event,
    reply::HookView,
    state::{Hooks, Turn},
};

impl Active {
    fn password_id(&self) -> PasswordId {
        PasswordId { life: self.record.life, epoch: self.record.password_epoch }
    }

    /// The password is about to be stored: with it, that the other software does not know it.
    pub(super) fn owe_hooks(&mut self, context: &Context) {
        self.record.hooks_owed = context.hooks == Hooks::Told;
    }

    /// The password is stored: has it told, if that is owed.
    pub(super) fn tell_hooks(&mut self, event: HookEvent, password: &Password, turn: &mut Turn<'_>) {
        self.hooks = HookView::Settled;
        if self.record.hooks_owed {
            self.hooks = HookView::Telling;
            let basis = self.password_id();
            turn.push(Effect::Hooks(HookOrder::Tell { event, password: password.clone(), basis }));
        }
    }

    /// The password was typed and is right: what a restart kept from being told is told now.
    pub(super) fn tell_hooks_if_owed(&mut self, password: &Password, turn: &mut Turn<'_>) {
        if self.hooks == HookView::AtNextSignIn {
            self.tell_hooks(HookEvent::SignedIn, password, turn);
        }
    }

    /// The other software was told a password. Of one that is not the present one it does not matter.
    pub(super) fn hooks_tried(&mut self, basis: PasswordId, taken: bool, turn: &mut Turn<'_>) {
        if basis != self.password_id() || !self.record.hooks_owed {
            return;
        }
        self.hooks = if taken { HookView::Settled } else { HookView::Failing };
        if taken {
            self.record.hooks_owed = false;
            self.commit(turn);
            turn.push(Effect::Log(Event::HooksTaken));
        }
    }
}
