# The recorder's own pages.

title-error = Error:
crumbs-label = Where you are
device-serial-short = Serial number { $serial }
device-version-short = Latchkey { $version }
sign-out = Sign out
back-to-sign-in = Back to sign-in
wait-left = Time to wait:
error-to-field = To the field
check-heading = Please check what you typed
user-name = User name
password = Password
password-repeat = The same password again
current-password = Current admin password
new-password = New password
new-password-repeat = The new password again
email-label = Reserved email
and = { $first } and { $second }
or = { $first } or { $second }

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
activation-done-stored = The reserved email is { $email }.
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

# Overview
overview-title = Overview
recovery-title = Can you still get back in?
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
warn-unconfirmed-text = Nobody has shown yet that mail to { $emails } arrives. If it is mistyped, a code that is sent there is lost. Confirming it takes a minute.
warn-unconfirmed-link = Confirm it with a code
warn-pending = A code to reset the password is under way
warn-pending-text = It stops working when the recorder is restarted. If you did not ask for it, change nothing: without the code nobody gets in.
told-reset = The password was reset
told-reset-lan = It was done from a computer or phone in this network, with a code from the reserved mailbox. The recorder’s clock said { $when }.
told-reset-console = It was done at the recorder’s own screen, with a code from the reserved mailbox. The recorder’s clock said { $when }.
told-reset-not-you = If that was not you, change the password now and look who can read the reserved mailbox.

# Configuration
configuration-title = Configuration
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
email-state = At present:
second-title = A second reserved email
second-lead = Optional, for a code when the first mailbox is out of reach. Whoever can read it can reset the password, too.
second-label = Second reserved email
second-remove = Remove the second one
security-remove = Remove the reserved email
security-saved = The reserved email is saved
security-saved-text = From now on codes can go to { $email }. Codes that were under way no longer work. The addresses until now are told of the change when the recorder is connected to its recovery service.
security-saved-confirm = Confirm the new address now, so that a typing mistake does not show only when the password is forgotten.
security-removed = The reserved email is removed
security-removed-first-text = The second one has taken its place: codes go to { $email }. Codes that were under way no longer work.
security-removed-second = The second reserved email is removed
security-removed-text = A forgotten password now means a factory reset. Codes that were under way no longer work.

# Confirm a reserved email
confirm-title = Confirm the reserved email
confirm-crumb = Confirm
confirm-lead = A code of eight digits is mailed to { $email }. Type it on the next page, and the address is confirmed.
confirm-why = Nothing else is changed, and this code opens nothing: it only shows that mail to this address arrives.
confirm-online = This recorder is connected to its recovery service and can have the mail sent by itself. The QR code does the same with a phone.
confirm-offline = Scan the QR code with the camera of any phone to have the mail sent. No app and no account are needed.
confirm-submit = Confirm the address
confirm-done = The reserved email is confirmed
confirm-done-text = Mail to it arrives. If the password is ever forgotten, a code can be sent there.

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
forgot-to = Send the code to
mode-questions = Security Question Verification
mode-file = GUID File Verification
mode-off = Not set up on this recorder.
privacy-title = Privacy Policy
privacy-what = The reserved email, the code and the time of the recorder’s clock are locked into a QR code that only the recovery service of this recorder can open. Its name is shown beside the code.
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
qr-export-mailbox = Saves the QR code as a picture. Scan it somewhere else, or mail it as an attachment to { $mailbox }, from any address: the code still goes to the reserved email alone.
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

# The recorder's other software
other-software = The recorder’s other software has not taken the new password yet
other-software-telling = It is being told at this moment. Load this page again in a minute. The new password is stored and works here.
other-software-failing = The new password is stored and works here. Until the other software has taken it too, it may still want the one before. The recorder tells it again and again; if this is still here in an hour, restart the recorder and sign in.
other-software-sign-in = The recorder was restarted before its other software was told. Sign in here with the new password once, and it is told.

# Fields
error-email-empty = Type an address, or untick Reserved Email Settings.
error-email-empty-save = Type the new address, or use “Remove the reserved email”.
error-email-long = This address is too long. An address has at most 190 characters.
error-email-at = An address needs exactly one @ sign, as in name@example.com.
error-email-local = The part before the @ sign has a character that is not allowed, or a full stop in the wrong place.
error-email-domain = The part after the @ sign is not a domain, such as example.com.
error-repeat = The two passwords are not the same. Please type both again.
error-password-empty = Type the password.

# What to do after a refusal (problem.ftl says what it was)
told-next = What to do next
ended-again = Ask for a new QR code
grant-over-again = Type the code again
to-start = To the start page
no-email-next-1 = Ask everyone who uses this recorder, and the installer, whether they know the password.
no-email-next-2 = If nobody does, do a factory reset at the recorder itself. Its manual says where the button or the jumper is.
no-email-next-3 = When you set the recorder up again, add a reserved email.
no-identity-next-1 = Ask the installer or the shop to register it. That needs the password, or a factory reset.
no-identity-next-2 = If nobody knows the password, do a factory reset at the recorder itself. Its manual says where the button or the jumper is.
damaged-next-1 = Switch the recorder off and on once. If a passing fault was the reason, it comes back as it was.
damaged-next-2 = If this page is still here, do a factory reset at the recorder itself. Its manual says where the button or the jumper is.
damaged-next-3 = Set the recorder up again, with a reserved email. If it happens again, its memory is worn out: have it repaired.
off-link-next-1 = Connect to the same network as the recorder, by its Wi-Fi or its cable, and not through a guest network or a VPN.
off-link-next-2 = Open this page again, by the recorder’s own address.
off-link-next-3 = Or go to the recorder’s own screen and choose Forgot Password there.

# Help
help-page-title = Help
help-link = Help
help-forgotten = The password is forgotten
help-forgotten-link = Reset it with a code from the reserved mailbox
help-warning = Why does the browser warn about this page?
help-warning-text = The recorder made its certificate itself, because it has no name on the internet that anyone could vouch for. The connection is encrypted all the same.
help-fingerprint = To be sure that you are talking to your own recorder, compare the certificate’s fingerprint in the browser with the one on the recorder’s own screen:
help-factory = There is no other way in
help-factory-text = Nobody has a master password. If neither the password nor the reserved mailbox is left, only a factory reset at the recorder itself helps; its manual says where the button or the jumper is.

# The page on the plain HTTP port, before the certificate warning
plain-http-title = Before you go on
plain-http-why = Your browser will warn you on the next page. That is expected: this recorder made its own certificate, because it works without the internet and nobody else can vouch for it.
plain-http-compare = To be sure that you reach this recorder and nobody else, compare the SHA-256 fingerprint in the browser’s warning with the one on the recorder’s own screen. It should read:
plain-http-safe = Nothing that you type is sent before the connection is encrypted.
plain-http-continue = Go on to the recorder

# Platform access
platform-title = Platform access
platform-hint = Whether this recorder connects to its recovery service
platform-lead = Connected, the recorder can send a code by itself, without a phone. Not connected, everything works as before: the QR code needs no internet.
platform-status = State
platform-register = Register status
platform-state-off = Off: no connection is made
platform-state-no-identity = Not possible yet: this recorder is not registered with a recovery service. Ask whoever installed it.
platform-state-offline = Offline
platform-state-connecting = Connecting
platform-state-online = Online
platform-why = Why
platform-heard = Last sign of the service
platform-heard-ago = { $time } ago
platform-next = Next try
platform-try = Try now
platform-trying = Trying now: load this page again in a moment
platform-enable = Enable platform access
platform-enable-hint = The recorder keeps one encrypted connection to its recovery service. Neither picture nor password goes over it.
platform-server = Server address
platform-server-hint = Leave it empty unless your installer gave you another one.
platform-server-hint-usual = Now: { $server }. Leave it empty for the address that this recorder came with. Another address must lead to the same service: nothing else is trusted.
platform-server-wrong = Write it like recovery.example.com or 192.0.2.7:8443
platform-code = Device verification code
platform-code-hint = 6 to 12 letters and digits, for adding this recorder to an account. Leave it empty to keep the one it has.
platform-code-wrong = Use 6 to 12 letters and digits
platform-save = Save
platform-saved = Platform access is saved
platform-add = Add this recorder to an account
platform-add-text = Scan the code with the app. Whoever has it can ask for this recorder: show it to nobody else.
platform-add-show = Show the QR code
platform-add-alt = QR code with serial number and verification code
platform-reason-dns = The server’s name is not found. Check the server address, and the name server in the network settings.
platform-reason-tcp = Nothing answers at the server’s address. Check the network cable, the gateway and any firewall.
platform-reason-tls = What answers broke off before a secure connection. A firewall or proxy may be in between.
platform-reason-certificate = What answers is not this recorder’s recovery service. A login page of the network, a proxy or a wrong server address can cause it. Nothing was sent.
platform-reason-clock = The recorder’s clock is wrong and the service did not tell the time. Set the clock.
platform-reason-not-the-platform = A server answers, but it offers no platform. Check the server address.
platform-reason-silent = The service did not answer in time. The recorder tries again by itself.
platform-reason-lost = The connection broke. The recorder tries again by itself.
platform-reason-protocol = The service said something that this recorder does not understand. An update of either may be needed.
platform-reason-revoked = The service has revoked this recorder’s identity. Ask whoever installed it.
platform-reason-unknown = The service does not know this recorder. Ask whoever installed it.
platform-reason-duplicate = Another device is connected with this recorder’s identity. If it was copied, have this one signed again.
platform-reason-version = The service no longer speaks with this version. Update the recorder.
platform-reason-busy = The service is too busy now. The recorder tries again by itself.

# Another recovery service
enrol-title = Use a recovery service of your own
enrol-text = From then on that service mails the codes, and the present one does not. QR codes shown before no longer count. Only do this with a claim code from somebody whom you trust.
enrol-show = Register with another service
enrol-server = Address of the service
enrol-server-hint = Such as recovery.example.com, or 192.0.2.7:8443
enrol-claim = Claim code
enrol-claim-hint = 32 letters and digits, from whoever runs the service. Hyphens may be left out.
enrol-claim-wrong = A claim code has 32 letters and digits: type it again as it was given out
enrol-password = Admin password
enrol-save = Register
enrolled = Registered with the new service
enrol-failed = Not registered. What the recorder had still counts.
enrol-reason-busy = Another registration is under way. Wait for it.
enrol-reason-no-claim = The service does not know this code, or it is over, used up, or for another recorder. Ask for a new one.
enrol-reason-signed-before = The service has an identity for this serial number already. Whoever runs it must withdraw that one first.
enrol-reason-too-many = Too many tries. Wait a few minutes.
enrol-reason-unexpected = What answers is not such a service. Check the address.
enrol-reason-not-kept = The recorder could not store it. Try again; if it stays so, restart the recorder.
enrol-reason-certificate = What answers is not the service that the code is from. Check address and code. Nothing was sent.
enrol-reason-clock = The recorder’s clock is wrong, so the service’s certificate cannot be checked. Set the clock.

# Send the code now
send-title = Without a phone
send-text = This recorder is connected to its recovery service and can ask for the mail by itself.
send-now = Send the code now
sent-queued = The code is with the recovery service, and its mail is about to leave.
sent-accepted = The mail with the code was taken by the mail server of the reserved email. If it is not there in five minutes, look for it in spam.
sent-bounced = The mail came back: the reserved mailbox did not take it. The QR code is still good: once the mailbox takes mail, send it again.
sent-failed = The mail could not be sent. The QR code is still good: try again, or scan it with a phone.
sent-look-again = Look again
send-offline = The code was not sent
send-offline-text = The connection to the recovery service is not up. Nothing was lost: scan the QR code with a phone, or try again in a minute.
send-refused = The recovery service did not take it
send-refused-text = It may have sent too many mails for this recorder lately. Nothing was lost: wait an hour, or scan the QR code, whose page says why.
send-early = Not sent again yet
send-early-text = A mail is sent again a minute after the first one at the earliest. Nothing was lost: try again in a moment.
send-used = Not sent a third time
send-used-text = The mail of one QR code is sent again once. Ask for a new QR code, and check with whoever looks after the reserved mailbox that it takes mail.
