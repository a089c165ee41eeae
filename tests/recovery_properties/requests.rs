//! What is asked, as the heart is asked it: with the passwords, tokens and codes that people hold.

use crate::{
    events::{Ask, Held, Typed, other},
    world::{World, password_of},
};
use latchkey::recovery::{
    Aim, GrantToken, Password, Place, PlatformSettings, Request, RequestId, SessionToken, Which,
};
use latchkey_protocol::{Address, Code, Door};
use std::collections::HashMap;

impl World<'_> {
    /// A request for what is asked.
    pub fn request(&mut self, id: RequestId, door: Door, ask: Ask) -> Request {
        let typed = |right: bool, world: &Self| match (&world.disk.record, right) {
            (Some(record), true) => password_of(&record.password_phc),
            _ => Password::new(format!("wrong-guess-{}", id.0)),
        };
        let email = |number: u8| {
            (number > 0).then(|| Address::parse(&format!("owner{number}@mail.example")).unwrap())
        };
        let new = |weak: bool, world: &mut Self| {
            world.passwords += 1;
            Password::new(if weak { "short".into() } else { format!("New pass phrase {}", world.passwords) })
        };
        match ask {
            Ask::Activate { email: number } => {
                Request::Activate { password: new(false, self), email: email(number) }
            }
            Ask::SignIn { right } => Request::SignIn { password: typed(right, self) },
            Ask::VerifyPassword { right } => Request::VerifyPassword { password: typed(right, self) },
            Ask::SignOut { session } => Request::SignOut { session: self.session(door, session) },
            Ask::ChangePassword { session, right, weak } => Request::ChangePassword {
                session: self.session(door, session),
                current: typed(right, self),
                new: new(weak, self),
            },
            Ask::SetEmail { session, right, email: number, second } => Request::SetReservedEmail {
                session: self.session(door, session),
                current: typed(right, self),
                which: which(second),
                email: email(number),
            },
            Ask::Confirm { session, second, renew } => Request::BeginConfirmation {
                session: self.session(door, session),
                which: which(second),
                renew,
            },
            Ask::ViewConfirm { session } => {
                Request::ViewConfirmation { session: self.session(door, session) }
            }
            Ask::TypeConfirm { session, typed } => Request::ConfirmEmail {
                session: self.session(door, session),
                code: self.code(Place { door, aim: Aim::Confirm }, typed),
            },
            Ask::Platform { session, on } => Request::SetPlatform {
                session: self.session(door, session),
                settings: PlatformSettings { enabled: on, ..PlatformSettings::default() },
            },
            Ask::ReservedEmails { session } => {
                Request::ReservedEmails { session: self.session(door, session) }
            }
            Ask::Begin { renew, to } => Request::BeginReset { renew, to: (to > 0).then(|| which(to == 2)) },
            Ask::View => Request::ViewChallenge,
            Ask::Verify { typed } => {
                Request::VerifyCode { code: self.code(Place { door, aim: Aim::Reset }, typed) }
            }
            Ask::SetPassword { grant, weak } => {
                let grant = pick(&self.grants, door, grant).cloned().unwrap_or(GrantToken([1; 32]));
                Request::SetPassword { grant, password: new(weak, self) }
            }
            Ask::FactoryReset => Request::FactoryReset,
            Ask::Describe => Request::Describe { session: None },
        }
    }

    fn session(&self, door: Door, held: Held) -> SessionToken {
        pick(&self.sessions, door, held).cloned().unwrap_or(SessionToken([1; 32]))
    }

    fn code(&self, place: Place, typed: Typed) -> Code {
        let known = |place| self.codes.get(&place).map(Vec::as_slice).unwrap_or_default();
        let code = match typed {
            Typed::Right | Typed::Wrong => known(place).last(),
            Typed::Earlier => known(place).iter().rev().nth(1),
            Typed::OtherDoor => known(Place { door: other(place.door), ..place }).last(),
            Typed::OtherAim => {
                known(Place { aim: if place.aim == Aim::Reset { Aim::Confirm } else { Aim::Reset }, ..place })
                    .last()
            }
        };
        let number = code.map_or(0, |(_, code)| code.number());
        let off = u32::from(typed == Typed::Wrong);
        Code::from_number((number + off) % 100_000_000).unwrap()
    }
}

fn which(second: bool) -> Which {
    if second { Which::Second } else { Which::Primary }
}

fn pick<T>(held: &HashMap<Door, Vec<T>>, door: Door, which: Held) -> Option<&T> {
    let of = |door| held.get(&door);
    match which {
        Held::Newest => of(door)?.last(),
        Held::Older => of(door)?.iter().rev().nth(1),
        Held::OtherDoor => of(other(door))?.last(),
        Held::Forged => None,
    }
}
