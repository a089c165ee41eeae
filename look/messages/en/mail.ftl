# Mails. No links, no questions: a mail only tells.
mail-subject-reset = Verification code for your recorder (request { $tag })
mail-subject-confirm-email = Confirm this address for your recorder (request { $tag })
mail-subject-rehearsal = Trial of the password reset for your recorder (request { $tag })
mail-subject-notice-requested = Someone asked to reset the password of your recorder
mail-subject-notice-completed = The password of your recorder was reset
mail-subject-address-changed = The reserved email of your recorder was changed

mail-heading-reset = Your verification code
mail-heading-confirm-email = Confirm this address
mail-heading-rehearsal = A trial of the password reset
mail-heading-notice-requested = A password reset was asked for
mail-heading-notice-completed = The password was reset
mail-heading-address-changed = The reserved email was changed

mail-intro-reset = Someone asked to reset the admin password of a recorder that has this address as its reserved email. Type this code on the recorder:
mail-intro-confirm-email = This address was entered as the reserved email of a recorder. To confirm that it is yours, type this code on the recorder:
mail-intro-rehearsal = Someone is trying out the password reset of a recorder that has this address as its reserved email. Nothing is changed by it. Type this code on the recorder:
mail-intro-notice-requested = Someone asked to reset the admin password of a recorder that has this address as its reserved email. If they go on, the code for it comes in a mail of its own, to the reserved email that they chose.
mail-intro-notice-completed = The admin password of a recorder that has this address as its reserved email was reset with a verification code. Recordings and settings are as they were.
mail-intro-address-changed = The reserved emails of a recorder were changed, and this address was one of them. If it was replaced or removed, verification codes no longer come here.

mail-validity = The code is valid for 48 hours at most. It ends earlier if the recorder restarts or its reserved email is changed.

mail-facts = About this request
mail-fact-recorder = Recorder
mail-fact-recorder-value = { $model }, serial number ending in { $tail }
mail-facts-notice = What is known of it
mail-fact-asked-at = Asked for
mail-fact-done-at = Done
mail-door-console = at the recorder's own screen
mail-door-lan = from its page on the local network
mail-fact-time = Recorder's clock
mail-time-unknown = not set
mail-fact-tag = Request tag
mail-tag-compare = { $tag } (the recorder shows the same four characters)

mail-not-you-code = Not you? Do nothing. Without this code nobody can reset the password. Never read it out or send it to anyone: nobody who is entitled to help you will ask for it.
mail-not-you-confirm = Not you? Do nothing. Without this code the address stays unconfirmed. Never read it out or send it to anyone.
mail-not-you-requested = Not you? Do nothing, and give the code to nobody. Without it nobody can reset the password.
mail-not-you-completed = Not you? Someone who can read a reserved mailbox of the recorder, and who reaches its network or screen, has done it. Change the password of that mailbox, then reset the recorder's password again at its own screen.
mail-not-you-address = Not you? The password is needed for that change, so somebody knows it. Sign in at the recorder, change the password and set the reserved email again.
mail-footer = This mail was sent automatically because the recorder asked for it. It has no links and asks you for nothing. Replies are not read.
