//! Handing a recorder over: a code from the owner's own mailbox and the device verification code, then an
//! offer to an address, which its account accepts or declines.

use super::{AT_MOST, Fault, Recorders, label};
use crate::{
    accounts::{
        DAY_S,
        codes::Order,
        post::{Kind, Letter, Transfer},
    },
    clock::draw,
    store::{
        CodeId, OfferId, RecorderId,
        accounts::{Account, Purpose},
        recorders::{Acceptance, EndOffer, Kept, NewOffer, Offer},
    },
};
use latchkey_protocol::Address;
use std::net::IpAddr;

/// An offer holds this long.
pub const OFFER_S: i64 = 7 * DAY_S;
/// Offers a day of one account, and to one address from everybody together.
const OFFERS_PER_ACCOUNT: u32 = 10;
const OFFERS_PER_ADDRESS: u32 = 5;

impl Recorders {
    /// Mails its owner a code to offer a recorder to an address.
    pub async fn ask_transfer(
        &self,
        ip: IpAddr,
        account: &Account,
        id: RecorderId,
        (email, code): (&str, &str),
    ) -> Result<CodeId, Fault> {
        let recorder = self.one(account, id).await?;
        let to = Address::parse(email.trim()).map_err(|_| Fault::Email)?;
        if self.accounts.secrets.address(&to) == account.email_key {
            return Err(Fault::OwnEmail);
        }
        if recorder.revoked_at_s.is_some() {
            return Err(Fault::Withdrawn);
        }
        let (found, typed) = self.look_up(ip, account, &recorder.serial, code).await?;
        if found.handle != recorder.handle || found.adding != typed {
            return Err(Fault::NotFound);
        }
        self.accounts.spend(vec![self.accounts.code_from(ip)]).await?;
        let transfer = Transfer {
            recorder: id.to_string(),
            label: label(&recorder.name, &recorder.serial),
            to: to.as_str().to_owned(),
        };
        let order =
            Order { account: Some(account.id), transfer: Some(transfer), ..Order::new(Purpose::Transfer) };
        let own = self.accounts.address_of(&account.email)?;
        Ok(self.accounts.issue(CodeId(draw()), order, &own).await?)
    }

    /// Offers the recorder that a code was mailed for. Nobody is told whether the address has an account.
    pub async fn offer(&self, account: &Account, id: CodeId, typed: &str) -> Result<RecorderId, Fault> {
        use crate::accounts::Fault::CodeOver;
        let code = self.accounts.try_code(id, Purpose::Transfer, typed).await?;
        if code.account != Some(account.id) {
            return Err(CodeOver.into());
        }
        let transfer = self.accounts.transfer_of(&code).ok_or(CodeOver)?;
        let recorder = RecorderId::parse(&transfer.recorder).ok_or(CodeOver)?;
        let found = self.one(account, recorder).await?;
        let to = Address::parse(&transfer.to).map_err(|_| CodeOver)?;
        let (now_s, email_key) = (self.clock.now_s(), self.accounts.secrets.address(&to));
        let uses = vec![
            self.accounts.one_of("offers", &account.id.0, OFFERS_PER_ACCOUNT, DAY_S),
            self.accounts.one_of("offered", &email_key, OFFERS_PER_ADDRESS, DAY_S),
        ];
        self.accounts.spend(uses).await?;
        // Nothing in this mail is the owner's own words: it goes to whomever they name.
        let mut letter = Letter::new(Kind::Offered, &to);
        letter.recorder = Some(label(&found.model, &found.serial));
        letter.with = Some(account.name.clone());
        let offer = Offer {
            id: OfferId(draw()),
            email: self.accounts.secrets.seal("email", to.as_str().as_bytes()),
            expires_at_s: now_s + OFFER_S,
        };
        let post = self.accounts.post(&letter);
        let new = NewOffer { account: account.id, recorder, code: id, email_key, offer, post, now_s };
        if !self.store.offer_recorder(new).await? {
            return Err(CodeOver.into());
        }
        tracing::info!(account = %account.id, handle = %found.handle, "a recorder is offered");
        self.accounts.ring();
        Ok(recorder)
    }

    /// Takes an offer back.
    pub async fn take_back(&self, account: &Account, id: RecorderId) -> Result<(), Fault> {
        let ended = self.store.end_offer(EndOffer::Of(account.id, id)).await?;
        if ended { Ok(()) } else { Err(Fault::OfferOver) }
    }

    /// Declines an offer.
    pub async fn decline(&self, account: &Account, id: OfferId) -> Result<(), Fault> {
        let ended = self.store.end_offer(EndOffer::To(account.email_key, id)).await?;
        if ended { Ok(()) } else { Err(Fault::OfferOver) }
    }

    /// Accepts an offer; the earlier owner is told.
    pub async fn accept(&self, account: &Account, id: OfferId) -> Result<RecorderId, Fault> {
        let now_s = self.clock.now_s();
        let offered = self.store.offered(account.email_key, now_s).await?;
        let offered = offered.into_iter().find(|offered| offered.id == id).ok_or(Fault::OfferOver)?;
        let mut letter = Letter::new(Kind::Accepted, &self.accounts.address_of(&offered.from.email)?);
        letter.recorder = Some(label(&offered.name, &offered.serial));
        letter.with = Some(account.name.clone());
        let acceptance = Acceptance {
            offer: id,
            email_key: account.email_key,
            account: account.id,
            id: RecorderId(draw()),
            holder: offered.from.account,
            notice: self.accounts.post(&letter),
            now_s,
            at_most: AT_MOST,
        };
        match self.store.accept_offer(acceptance).await? {
            Kept::Done(recorder) => {
                tracing::info!(account = %account.id, %recorder, "an offered recorder was accepted");
                self.accounts.ring();
                Ok(recorder)
            }
            Kept::Full => Err(Fault::Full),
            Kept::Changed => Err(Fault::OfferOver),
        }
    }
}
