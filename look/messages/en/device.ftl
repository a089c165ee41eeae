# The recorder's own pages.

title-error = Error:
crumbs-label = Where you are
device-serial-short = Serial number { $serial }
device-version-short = Latchkey { $version }
sign-out = Sign out
back-to-sign-in = Back to sign-in
wait-left = Time to wait:
check-heading = Please check what you typed
user-name = User name
password = Password
password-repeat = The same password again
current-password = The admin password until now
new-password = New password
new-password-repeat = The new password again
email-label = Reserved email
and = { $first } and { $second }

# Activation
activation-title = Set up this recorder
activation-lead = Choose a password for the user admin. The recorder starts to work once it is set.
activation-password = Password for admin
activation-reserve = Reserved Email Settings
activation-reserve-hint = Recommended. If the password is ever forgotten, this is the way back in that keeps every setting.
email-hint = A code to reset the password is sent here, and nothing else. Choose a mailbox that will still be yours in some years.
activation-submit = Activate
activation-note = There is no default password, and nobody else has a copy of yours.
activation-done = The recorder is set up
activation-done-email = If the password is ever forgotten, a code goes to { $email }.
activation-done-no-email = It has no reserved email yet: add one now, so that a forgotten password can be reset.

# Sign-in
sign-in-title = Sign in
sign-in = Sign in
forgot-link = Forgot password?
help-title = If the password is forgotten
help-lead = A code can be sent to { $emails }. The recordings and the settings stay as they are.
help-step-1 = Choose “Forgot password?” and scan the QR code with any phone.
help-step-2 = Read the code in the reserved mailbox.
help-step-3 = Type the code here and set a new password.
help-more = What can be done
signed-out = You are signed out
sign-in-first = Please sign in first
sign-in-first-text = Nothing was changed. After some minutes without a click you are signed out.

# Overview
overview-title = Overview
recovery-title = Can you still be recovered?
recovery-yes = Yes. If the password is forgotten, a code goes to the reserved email.
recovery-doubt = Probably. A reserved email is stored, but nobody has shown yet that its mail arrives.
recovery-no-email = No. Without a reserved email a forgotten password means a factory reset.
recovery-no-identity = Not yet. A reserved email is of use only once this recorder is registered with a recovery service: ask whoever installed it.
recovery-switched-off = Only at the recorder’s own screen. Resetting the password from this page is switched off.
recovery-email = Reserved email
recovery-email-none = None
email-confirmed = confirmed
email-unconfirmed = not confirmed
recovery-pending = Codes under way
recovery-pending-none = None
recovery-pending-lan = One, asked for on a computer or phone in this network
recovery-pending-console = One, asked for at the recorder’s own screen
recovery-pending-both = Two, asked for at the recorder’s own screen and in this network
device-title = This recorder
device-model = Model
device-serial = Serial number
device-version = Latchkey version
device-state = State
device-state-active = Active
overview-more = Settings
warn-no-email = There is no reserved email
warn-no-email-text = If the password is forgotten, nothing but a factory reset is left. Adding an address takes a minute.
warn-no-email-link = Add a reserved email
warn-unconfirmed = The reserved email is not confirmed
warn-unconfirmed-text = Please check that { $emails } is written correctly and that you can still read its mail.
warn-unconfirmed-link = Check the reserved email
warn-pending = A code to reset the password is under way
warn-pending-text = It stops working when the recorder is restarted. If you did not ask for it, change nothing: without the code nobody gets in.
told-reset = The password was reset
told-reset-lan = It was done from a computer or phone in this network, with a code from the reserved mailbox. The recorder’s clock said { $when }.
told-reset-console = It was done at the recorder’s own screen, with a code from the reserved mailbox. The recorder’s clock said { $when }.
told-reset-not-you = If that was not you, change the password now and look who can read the reserved mailbox.

# Configuration
configuration-title = Configuration
configuration-hint = Users and their passwords
users-title = User Management
users-hint = The users of this recorder
admin-name = admin
admin-hint = Modify the password and the way back in
modify-title = Modify admin
change-title = Change the password
change-hint = You know the password and want another one
security-title = Account Security Settings
security-hint = The reserved email, for a forgotten password

# Account Security Settings
security-lead = If the password is forgotten, a code is sent to the reserved email.
security-email-hint = Changing it makes every code that is still under way worthless.
security-password-hint = It confirms that it is you.
security-save = Save
security-remove = Remove the reserved email
security-saved = The reserved email is saved
security-saved-text = From now on codes go to { $email }. Codes that were under way no longer work.
security-removed = The reserved email is removed
security-removed-text = A forgotten password now means a factory reset. Codes that were under way no longer work.

# Change the password
change-lead = Everyone else who is signed in as admin is signed out by it.
change-submit = Change the password
change-done = The password is changed
change-done-text = Everyone else is signed out, and codes that were under way no longer work.

# Forgot password
forgot-title = Reset the password
wizard-1 = Verify Identification
wizard-2 = Set New Password
wizard-3 = Complete
forgot-live-title = A QR code was already made
forgot-live = Its code still works. Going on below shows the same QR code again.
forgot-live-link = Show the QR code, or type the code
mode-legend = Verification Mode
mode-email = E-mail Verification
mode-email-hint = A code of eight digits is sent to { $emails }.
mode-questions = Security Question Verification
mode-file = GUID File Verification
mode-off = Not set up on this recorder.
privacy-title = Privacy Policy
privacy-what = The reserved email, the serial number’s last characters and the code are locked into a QR code that only the recovery service of this recorder can open. Its name is shown beside the code.
privacy-how = The service opens it only to send the code to the reserved email.
privacy-not = It stores neither the address nor the code. No picture of a camera and no password leaves this recorder.
privacy-accept = I have read the Privacy Policy and accept it
privacy-missing = Please accept the Privacy Policy to go on. Nothing has been sent.
mode-unknown = Please choose a verification mode that is set up on this recorder.
forgot-submit = Show the QR code

# The QR code and the code
qr-alt = QR code with the locked request for a code. Scan it with a phone, or use the link in step 1.
qr-caption = Scan with the camera of any phone
qr-tag = Request tag
qr-host = Leads to
qr-export = Export
qr-export-hint = Saves the QR code as a picture, to be scanned somewhere else.
next-title = What to do next
next-scan = Scan the QR code with the camera of any phone and open the link. No app and no account are needed.
next-phone = Reading this on the phone itself?
next-phone-link = Open the link here (new tab)
next-check = Check that the page is at { $host } and shows the tag { $tag }, and tap to have the code sent.
next-mail = Wait for the mail to { $emails }. It comes within 5 minutes and bears the tag { $tag }. If it does not come, look in the spam folder.
code-label = Type the eight digits from the mail
code-tries = { $count ->
    [one] { $count } try is left.
   *[other] { $count } tries are left.
}
code-submit = Next
code-missing = Type the eight digits from the mail. Spaces and hyphens do no harm. No try was used.
code-wrong = { $count ->
    [one] This is not the code. { $count } try is left. Copy the newest mail’s digits, and compare its tag with the one here.
   *[other] This is not the code. { $count } tries are left. Copy the newest mail’s digits, and compare its tag with the one here.
}
good-title = How long it works
good-left = Time left:
good-over = none. Ask for a new QR code.
good-rules = The code also stops working when the recorder restarts, or when the reserved email or the password is changed. Leave the recorder switched on.
renew = New QR code
renew-wait = possible in
renew-hint = A new QR code makes this one and its mailed code worthless.
renewed = This is a new QR code
renewed-text = The one before it and its mailed code no longer work. Scan this one.

# New password
new-lead = The code was right. You have ten minutes to choose a new password.
new-submit = Set the password
complete-done = The password is reset successfully.
complete-safe = Recordings and settings are as they were. Everyone who was signed in is signed out.
complete-sign-in = Sign in with the new password

# Fields
error-email-empty = Type an address, or untick Reserved Email Settings.
error-email-empty-save = Type the new address, or use “Remove the reserved email”.
error-email-long = This address is too long. An address has at most 190 characters.
error-email-at = An address needs exactly one @ sign, as in name@example.com.
error-email-local = The part before the @ sign has a character that is not allowed, or a full stop in the wrong place.
error-email-domain = The part after the @ sign is not a domain, such as example.com.
error-repeat = The two passwords are not the same. Please type both again.
error-password-empty = Type the password.
error-password-short = { $count ->
    [one] The password is too short. It needs at least { $count } character.
   *[other] The password is too short. It needs at least { $count } characters.
}
error-password-long = The password is too long. It can have at most 128 characters.
error-password-common = This password is one of the first that a burglar tries. Please choose another one.
error-password-control = The password has a character that cannot be typed on every keyboard. Please leave it out.
error-password-wrong = This is not the admin password. Nothing was changed.

# Refusals
told-next = What to do next
wrong-password = The password is not right
wrong-password-text = Nothing was changed. Check the Caps Lock key, and show the password to read what you typed.
wrong-password-forgot = If it is forgotten, choose “Forgot password?”.
throttled = Please wait a little
throttled-text = There were too many failed attempts. The recorder goes on recording, and waiting is all that is needed. Restarting it does not shorten the time.
lan-closed = Resetting from the network is closed
lan-closed-text = There were too many wrong codes in a row from this network. The recorder goes on recording, and the password is unchanged.
lan-closed-next = Reset the password at the recorder’s own screen, or sign in with the password: either opens this way again.
no-email-title = There is no reserved email
no-email-text = This recorder has no reserved email, so there is nowhere to send a code. Recordings are safe.
no-email-why-not = An address cannot be added now: whoever stands here could have the code sent to themselves.
no-email-next-1 = Ask everyone who uses this recorder, and the installer, whether they know the password.
no-email-next-2 = If nobody does, do a factory reset at the recorder itself. Its manual says where the button or the jumper is.
no-email-next-3 = When you set the recorder up again, add a reserved email.
no-identity-title = Resetting by email is not set up
no-identity-text = This recorder was never registered with a recovery service, so no code can be sent. Recordings are safe.
no-identity-next-1 = Ask the installer or the shop to register it; its own screen and the settings need the password for that.
no-identity-next-2 = If nobody knows the password, do a factory reset at the recorder itself. Its manual says where the button or the jumper is.
switched-off-title = Resetting from this page is switched off
switched-off-text = The owner or the installer switched it off for the network. The password is unchanged.
switched-off-next = Go to the recorder’s own screen and choose Forgot Password there.
damaged-title = The account record is damaged
damaged-text = This recorder keeps its password in two places, and neither can be read any more. It does not pretend to be new, so nobody gets in.
damaged-safe = Recordings are not touched. The damaged copies are kept aside for whoever repairs the recorder.
damaged-next-1 = Switch the recorder off and on once. If a passing fault was the reason, it comes back as it was.
damaged-next-2 = If this page is still here, do a factory reset at the recorder itself. Its manual says where the button or the jumper is.
damaged-next-3 = Set the recorder up again, with a reserved email. If it happens again, its memory is worn out: have it repaired.
never-asked-title = There is no QR code yet
never-asked-text = Nobody has asked for one here, or its code has been used to set a new password.
ended-title = This QR code no longer works
ended-expired = Its time is over, so its code is no longer accepted.
ended-rebooted = The recorder was restarted since then. Every code stops working at a restart.
ended-email = The reserved email was changed since then. Codes for the old address no longer work.
ended-password = The password was changed since then, so this code has nothing left to do.
ended-tries = All its tries were used. That keeps strangers from guessing.
ended-renewed = A newer QR code has taken its place. Only the newest mail’s code works.
ended-lost = The recorder could not keep it, because of a fault in its memory.
ended-safe = The password is unchanged, and nobody got in with it.
ended-safe-password = Sign in with the new password. If you do not know it, ask for a new QR code.
ended-again = Ask for a new QR code
grant-over-title = The ten minutes are over
grant-over-text = The new password was not set in time, or somewhere else. The old password still holds.
grant-over-next = The mailed code works until a new password is set: type it once more.
grant-over-again = Type the code again
busy-title = The recorder is busy
busy-text = Others are signing in at this moment. Nothing was changed. Please try again in a few seconds.
superseded-title = Something changed in between
superseded-text = The account was changed elsewhere while this was under way, so nothing was done here. Look at the page again and try once more.
storage-title = The recorder could not store it
storage-text = Writing to its memory failed, so nothing may have changed. The password until now still works. Try again; if it fails again, have the recorder checked.
unavailable-title = The recorder cannot do this now
unavailable-text = It is still starting, or something it needs for making secrets is missing. Nothing was changed. Try again in a minute.
already-active-title = This recorder is already set up
already-active-text = It has an admin password. Nothing was changed.
not-active-title = This recorder is not set up yet
not-active-text = Choose a password for admin first.
console-only-title = Only at the recorder’s own screen
console-only-text = This can be done only at the recorder itself. Nothing was changed.
try-again = Try again
to-overview = To the start page

# Refused before anything is looked at
off-link-title = Only in the recorder’s own network
off-link-text = Setting up and resetting the password work only for a computer or phone in the same network as the recorder. This one is somewhere else, or behind another router.
off-link-safe = The password is unchanged.
off-link-next-1 = Connect to the same network as the recorder, by its Wi-Fi or its cable, and not through a guest network or a VPN.
off-link-next-2 = Open this page again, by the recorder’s own address.
off-link-next-3 = Or go to the recorder’s own screen and choose Forgot Password there.
csrf-title = This page was open for too long
csrf-text = To be sure that it was really you, the recorder did nothing. Open the page again and repeat it.
not-found-title = There is no such page
not-found-text = The address may be mistyped. Everything is reached from the start page.
too-many-title = Too many requests
too-many-text = This computer or phone has asked too often in a short time. Wait a moment and try again.
bad-request-title = The recorder did not understand this
bad-request-text = What was sent is not a form of this recorder. Nothing was changed.

# The page on the plain HTTP port, before the certificate warning
plain-http-title = Before you go on
plain-http-why = Your browser will warn you on the next page. That is expected: this recorder made its own certificate, because it works without the internet and nobody else can vouch for it.
plain-http-compare = To be sure that you reach this recorder and nobody else, compare the SHA-256 fingerprint in the browser’s warning with this one, or with the one on the recorder’s own screen:
plain-http-safe = Nothing that you type is sent before the connection is encrypted.
plain-http-continue = Go on to the recorder
