# The recorder's own screen, where its words are not those of the pages.

# The daemon behind the screen
panel-connecting = Starting
panel-connecting-text = The recorder is getting ready.
panel-lost = The recorder’s service does not answer
panel-lost-text = This screen tries again every second, and goes on by itself. A code that was mailed still works as long as the recorder is not restarted.
panel-garbage = The recorder’s service answers what this screen does not understand
panel-garbage-text = They may be of two different versions. This screen keeps trying. If it stays like this for some minutes, have the recorder checked.
panel-unsure = It is not certain whether that was done
panel-unsure-text = The recorder’s service stopped in between. Once it answers again, look whether it was done, and try again if it was not.
panel-busy = One moment…
panel-session-over = The recorder’s service was started again, which signs everybody out. Nothing was changed.
panel-idle = You were signed out
panel-idle-text = Nothing was pressed for ten minutes.

# Activation
panel-activated-email = If the password is ever forgotten, a code goes to the reserved email.

# Live view
live-camera = Camera { $number }
live-none = No picture
live-menu = Menu
menu-configuration = Users, platform access, this recorder, display
back-to-live = Back to the live view
back = Back
cancel = Cancel

# Power
power-restart = Restart
power-shut-down = Shut down
power-restart-ask = Restart the recorder?
power-off-ask = Shut the recorder down?
power-safe = Recordings and settings stay as they are.
power-pending = A code to reset the password is under way
power-pending-text = It stops working when the recorder goes off, also if its mail to { $emails } has come already. Then a new QR code is needed. If nobody asked for it, nothing is lost.
panel-power-failed = The recorder did not go off
panel-power-failed-text = Its own software did not take the order. Try again, or use the recorder’s power button.

# Configuration
screen-users = User
screen-edit = Edit
screen-edit-admin = Edit admin
screen-edit-hint = Needed for the reserved email.
email-now = Now
email-new = New reserved email
email-change = Change
second-change = Change the second one
second-add = Add a second reserved email
second-confirm = Confirm the second one
second-new = New second reserved email
panel-email-empty = Type an address.
panel-email-saved = From now on codes go to the new address. Codes that were under way no longer work.
panel-second-saved = From now on a code can be sent there, too. Codes that were under way no longer work.
panel-first-removed = The second one has taken its place. Codes that were under way no longer work.
panel-second-removed = Codes go to the first one alone. Codes that were under way no longer work.
remove-ask = Remove the reserved email?
remove-first-text = The second one takes its place. Codes that are under way stop working.
second-remove-ask = Remove the second reserved email?
second-remove-text = Codes go to the first one alone from then on. Those that are under way stop working.
keep-email = Keep it
confirm-later = Not now
panel-confirm-lead = A code of eight digits is mailed to { $email }. Type it here, and the address is confirmed.

# This recorder
device-screen-title = This recorder
device-screen-hint = Web address, serial number, fingerprint of the certificate
device-address = Web address
address-none = None: the recorder is not connected to a network.
fingerprint-title = Fingerprint of the certificate
fingerprint-text = A browser warns about the recorder’s own certificate. You reach this recorder and nobody else if the SHA-256 fingerprint in that warning is this one:

# Platform access
panel-platform-trying = Trying now
panel-platform-next-in = in { $time }
panel-mail = The mail

# Display
display-title = Display
display-hint = Size of text, contrast, keyboard
large-text = Large text
large-text-hint = Text and buttons are a third larger.
high-contrast = High contrast
high-contrast-hint = White and yellow on black, with strong lines.
keyboard-title = Keyboard
keyboard-hint = What is printed on the keys of the keyboard that is plugged in.
panel-layout-unknown = The keyboard in the settings is not known
panel-layout-unknown-text = The keys are taken for those of a US keyboard. Choose another one under Display.

# Keyboard on the screen
keys-space = Space
keys-backspace = Delete
keys-shift = Shift
keys-hide = Hide
keys-left = Caret to the left
keys-right = Caret to the right

# Forgot password
forgot-password = Forgot Password
forgot-screen-title = Forgot Password
way-by-email = Verify by Reserved Email
choose-live = Its code still works. The address that it went to shows the same QR code again; the other one makes a new one.
disclaimer-title = Legal Disclaimer
disclaimer-ok = OK
next-code = Type the eight digits of the mail here.
to-code = Type the code
to-qr = Back to the QR code
qr-email = Mail goes to
qr-enlarge = Enlarge
qr-usb = Export to USB
good-left-short = Valid for
renew-ask = Make a new QR code?
keep-qr = Keep this one
code-title = Type the code
code-lead = It is in the mail to { $emails } that bears the tag { $tag }.
export-saved = The QR code is on the stick
export-saved-text = The file is { $name }. It can be scanned from any screen.
export-saved-mailbox = The file is { $name }. It can be scanned from any screen, or mailed as an attachment to { $mailbox }, from any address: the code still goes to the reserved email alone.
export-no-stick = There is no USB stick
export-no-stick-text = Plug one in, wait a few seconds, and try again.
export-failed = The stick could not be written
export-failed-text = It may be full or write-protected. Try another one.
