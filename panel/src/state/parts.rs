//! The words of the panel's state.

use crate::{
    api::{Answer, Challenge, Failure, Matrix, Platform, Problem, Request, ToldReset, Which},
    text::{Edit, Text},
};

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Screen {
    /// The daemon has not answered yet.
    Connecting,
    /// The account record cannot be read.
    Damaged,
    /// The first password.
    Activate,
    /// Sign in.
    SignIn,
    /// The live view, which is the recorder's own matter: a placeholder.
    Live,
    /// Configuration.
    Configuration,
    /// Configuration > User.
    Users,
    /// Configuration > User > admin > Edit.
    Admin,
    /// The settings icon there: Reserved Email.
    ReservedEmail,
    /// One of the reserved emails, set, changed or removed.
    EditEmail,
    /// Before a reserved email is confirmed: what will happen, to which address.
    ConfirmEmail,
    /// A new password in the place of a known one.
    ChangePassword,
    /// Address and fingerprint of this device.
    Device,
    /// Size of text, contrast, keyboard.
    Display,
    /// Configuration > Platform access.
    Platform,
    /// The QR code that adds this recorder to an account.
    PlatformQr,
    /// Forgot Password: the ways back in.
    Ways,
    /// Which of two reserved emails gets the code.
    ChooseEmail,
    /// Legal Disclaimer.
    Disclaimer,
    /// The QR code.
    Qr,
    /// The QR code alone, as large as it can be.
    QrLarge,
    /// Where the mailed code is typed.
    Code,
    /// The new password after the code.
    NewPassword,
    /// It is reset.
    Complete,
}

impl Screen {
    /// Every screen.
    pub const ALL: [Self; 24] = [
        Self::Connecting,
        Self::Damaged,
        Self::Activate,
        Self::SignIn,
        Self::Live,
        Self::Configuration,
        Self::Users,
        Self::Admin,
        Self::ReservedEmail,
        Self::EditEmail,
        Self::ConfirmEmail,
        Self::ChangePassword,
        Self::Device,
        Self::Display,
        Self::Platform,
        Self::PlatformQr,
        Self::Ways,
        Self::ChooseEmail,
        Self::Disclaimer,
        Self::Qr,
        Self::QrLarge,
        Self::Code,
        Self::NewPassword,
        Self::Complete,
    ];

    /// A stable name, for scripts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Damaged => "damaged",
            Self::Activate => "activate",
            Self::SignIn => "sign-in",
            Self::Live => "live",
            Self::Configuration => "configuration",
            Self::Users => "users",
            Self::Admin => "admin",
            Self::ReservedEmail => "reserved-email",
            Self::EditEmail => "edit-email",
            Self::ConfirmEmail => "confirm-email",
            Self::ChangePassword => "change-password",
            Self::Device => "device",
            Self::Display => "display",
            Self::Platform => "platform",
            Self::PlatformQr => "platform-qr",
            Self::Ways => "ways",
            Self::ChooseEmail => "choose-email",
            Self::Disclaimer => "disclaimer",
            Self::Qr => "qr",
            Self::QrLarge => "qr-large",
            Self::Code => "code",
            Self::NewPassword => "new-password",
            Self::Complete => "complete",
        }
    }
}

/// Where something is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// A password, or a new one.
    Password,
    /// The new one again.
    Repeat,
    /// The password until now.
    Current,
    /// An address.
    Email,
    /// The mailed code.
    Code,
    /// The platform's address.
    Server,
    /// The device verification code.
    DeviceCode,
}

impl Field {
    const COUNT: usize = 7;

    /// Whether what is typed is hidden unless the person asks to see it.
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Password | Self::Repeat | Self::Current | Self::DeviceCode)
    }
}

/// What was typed.
#[derive(Default)]
pub struct Fields([Text; Field::COUNT]);

impl Fields {
    /// A field's text.
    pub fn get(&self, field: Field) -> &Text {
        &self.0[field as usize]
    }

    pub(super) fn get_mut(&mut self, field: Field) -> &mut Text {
        &mut self.0[field as usize]
    }

    /// Empties all fields but one.
    pub(super) fn wipe(&mut self, except: Option<Field>) {
        for (index, text) in self.0.iter_mut().enumerate() {
            if except.is_none_or(|field| field as usize != index) {
                text.edit(Edit::Clear);
            }
        }
    }

    /// Whether nothing was typed.
    pub fn are_empty(&self) -> bool {
        self.0.iter().all(Text::is_empty)
    }
}

/// Whether the daemon answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// It was not asked yet.
    Unknown,
    /// It does.
    Up,
    /// It does not.
    Lost,
    /// It answers what cannot be understood.
    Garbage,
}

/// How something is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// A note.
    Info,
    /// Mind this.
    Warn,
    /// It did not work.
    Danger,
    /// It is done.
    Success,
}

/// What is told above a screen's content.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A sentence of the catalogue.
    Said {
        /// How it is meant.
        tone: Tone,
        /// The title's key.
        title: &'static str,
        /// The text's key.
        text: &'static str,
    },
    /// The daemon's refusal.
    Refused {
        /// What it said.
        problem: Box<Problem>,
        /// When.
        at_ms: u64,
    },
    /// A reset that the owner was not told of yet.
    Told(ToldReset),
    /// What came of the export, and where the picture can be mailed.
    Exported(Exported, Option<String>),
}

impl Notice {
    pub(super) const fn said(tone: Tone, title: &'static str, text: &'static str) -> Self {
        Self::Said { tone, title, text }
    }
}

/// What came of the export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exported {
    /// The file's name.
    Saved(String),
    /// There is no stick.
    NoStick,
    /// It could not be written.
    Failed,
}

/// A question over everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialog {
    /// The menu of the live view.
    Menu,
    /// Restart or shut down?
    Power(Power),
    /// A new QR code?
    Renew,
    /// Remove the reserved email?
    RemoveEmail,
}

/// A reserved email that is being confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirming {
    /// Which one.
    pub which: Which,
    /// Where that was asked for, and where its end leads back to.
    pub from: Screen,
    /// The recorder is to ask for the mail by itself, once there is a code.
    pub sends: bool,
}

/// Off, or off and on again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Off and on again.
    Restart,
    /// Off.
    ShutDown,
}

/// The live challenge with its QR code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenged {
    /// What the daemon said of it.
    pub challenge: Challenge,
    /// When it said so.
    pub at_ms: u64,
    /// Its QR code's modules; `true` is dark.
    pub rows: Vec<Vec<bool>>,
}

impl Challenged {
    /// The modules without the light ones around them.
    pub(super) fn rows_of(matrix: &Matrix) -> Vec<Vec<bool>> {
        let rows: Vec<Vec<bool>> =
            matrix.rows.iter().map(|row| row.bytes().map(|module| module == b'1').collect()).collect();
        let dark = |row: &&Vec<bool>| row.contains(&true);
        let top = rows.iter().take_while(|row| !dark(row)).count();
        let bottom = rows.iter().rev().take_while(|row| !dark(row)).count();
        // A QR code is square, and its finders reach its edges.
        let side = rows.len().saturating_sub(top + bottom);
        rows.iter()
            .skip(top)
            .take(side)
            .map(|row| row.iter().skip(top).take(side).copied().collect())
            .collect()
    }
}

/// Platform access, as the daemon told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformSeen {
    /// What it said.
    pub platform: Platform,
    /// When it said so.
    pub at_ms: u64,
    /// The QR code that adds this recorder to an account; `true` is dark. Empty without one.
    pub rows: Vec<Vec<bool>>,
}

impl PlatformSeen {
    /// As told at a moment.
    pub(super) fn new(platform: Platform, at_ms: u64) -> Self {
        let code = platform
            .add_text
            .as_ref()
            .and_then(|text| qrcodegen::QrCode::encode_text(&text.0, qrcodegen::QrCodeEcc::Medium).ok());
        let rows = code.map_or_else(Vec::new, |code| {
            let side = 0..code.size();
            side.clone().map(|y| side.clone().map(|x| code.get_module(x, y)).collect()).collect()
        });
        Self { platform, at_ms, rows }
    }
}

/// The on-screen keyboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Whether it is there.
    pub open: bool,
    /// Which keys it has.
    pub page: Page,
}

/// Which keys the on-screen keyboard has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// Small letters.
    #[default]
    Small,
    /// Capital letters.
    Capital,
    /// Digits and signs.
    Signs,
}

/// What the person chose for this screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferences {
    /// Text and controls a third larger.
    pub large_text: bool,
    /// Black, white and strong lines.
    pub high_contrast: bool,
    /// The keyboard's layout, one of [`crate::input::LAYOUTS`].
    pub layout: String,
}

/// What can be pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named after its control")]
pub enum Action {
    Activate,
    ToggleReserve,
    ToggleShown,
    SignIn,
    SignOut,
    Forgot,
    ByEmail,
    /// The code of a reset goes there.
    SendTo(Which),
    Accept,
    ToCode,
    Enlarge,
    Renew,
    ConfirmRenew,
    Export,
    SendCode,
    SetPassword,
    Back,
    Home,
    Menu,
    Configuration,
    Users,
    Admin,
    ReservedEmail,
    EditEmail(Which),
    ConfirmEmail(Which),
    /// The warning about an address that is not confirmed goes until the next sign-in.
    ConfirmLater,
    /// A code to confirm it: the recorder asks for its mail.
    ConfirmBySending,
    /// A code to confirm it: a phone asks for its mail.
    ConfirmByQr,
    ChangePassword,
    SaveEmail,
    RemoveEmail,
    ConfirmRemoveEmail,
    SavePassword,
    Device,
    Display,
    Platform,
    TogglePlatform,
    SavePlatform,
    TryPlatform,
    ShowAddCode,
    SendNow,
    LargeText,
    HighContrast,
    Layout(usize),
    Ask(Power),
    Confirm(Power),
    Cancel,
    /// The keyboard comes.
    OpenKeys,
    /// The keyboard goes.
    CloseKeys,
    /// It shows other keys.
    Page(Page),
}

/// What happens.
#[derive(Debug)]
pub enum Event {
    /// Time goes by.
    Tick,
    /// Somebody is here.
    Input,
    /// Something was pressed.
    Press(Action),
    /// Something was typed.
    Edit(Field, Edit),
    /// The daemon answered, or did not.
    Answered(Box<(Request, Result<Answer, Failure>)>),
    /// The export is over.
    Exported(Exported),
    /// The machine did not go off.
    PowerFailed,
}

/// What is to be done outside.
#[derive(Debug)]
pub enum Effect {
    /// Nothing.
    None,
    /// Ask the daemon.
    Ask(Request),
    /// Keep the preferences.
    Keep(Preferences),
    /// Write the QR code's picture to a stick.
    Export {
        /// The file's name.
        name: String,
        /// PNG.
        picture: Vec<u8>,
    },
    /// Restart or shut down.
    Power(Power),
}
