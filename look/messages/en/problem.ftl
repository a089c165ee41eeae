# Every refusal of the recorder, the same on its pages, on its screen and in its API: a title, and
# what happened, what is still safe, what to do next.

problem-not-active-title = This recorder is not set up yet
problem-not-active = It has no admin password. Choose one first; until then it does nothing else.
problem-already-active-title = This recorder is already set up
problem-already-active = It has an admin password, and nothing was changed. Sign in with it.
problem-record-damaged-title = The account record is damaged
problem-record-damaged = This recorder keeps its password in two places, and neither can be read any more. It does not pretend to be new, so nobody gets in. Recordings are not touched, and the damaged copies are kept aside for whoever repairs it. A factory reset at the recorder itself is the way out.
problem-not-signed-in-title = Please sign in first
problem-not-signed-in = Nothing was changed. After some minutes without a click you are signed out.
problem-wrong-password-title = The password is not right
problem-wrong-password = { $wait_s ->
    [0] Nothing was changed. Check the Caps Lock key, and show the password to read what you typed.
   *[other] Nothing was changed. The next try is possible in { $wait }. Check the Caps Lock key, and show the password to read what you typed.
}
problem-throttled-title = Please wait { $wait }
problem-throttled = There were too many failed attempts. Nothing was changed, and waiting is all that is needed. Restarting the recorder does not shorten the time.
problem-lan-closed-title = Resetting from the network is closed
problem-lan-closed = There were too many wrong codes in a row from this network. The password is unchanged. Reset it at the recorder’s own screen, or sign in with it: either opens this way again.
problem-weak-password-title = Please choose another password
problem-weak-password = { $reason ->
    [too-short] It is too short: it needs at least { $chars_min } characters.
    [too-long] It is too long: it can have at most 128 characters.
    [common] It is one of the first that a burglar tries.
   *[control-character] It has a character that cannot be typed on every keyboard. Leave it out.
}
problem-no-email-title = There is no reserved email
problem-no-email = This recorder has no reserved email, so there is nowhere to send a code. One cannot be added now: whoever stands here could have the code sent to themselves.
problem-no-such-email-title = There is no such reserved email
problem-no-such-email = Nothing was changed. Reserve the first email before the second one, and look at Account Security Settings for those that there are.
problem-same-email-title = Both reserved emails would be the same
problem-same-email = Nothing was changed. A second address helps only if it leads to another mailbox: type another one.
problem-no-identity-title = Resetting by email is not set up
problem-no-identity = This recorder was never registered with a recovery service, so no code can be sent. The password is unchanged.
problem-switched-off-title = Resetting from this page is switched off
problem-switched-off = The owner or the installer switched it off for the network. The password is unchanged. Go to the recorder’s own screen and choose Forgot Password there.
problem-no-challenge-title = { $reason ->
    [never-asked] There is no QR code yet
    [confirmed] The reserved email is confirmed already
   *[other] This QR code no longer works
}
problem-no-challenge = { $reason ->
    [never-asked] Nobody has asked for one here, or its code has been used to set a new password.
    [expired] Its time is over, so its code is no longer accepted. The password is unchanged. Ask for a new QR code.
    [rebooted] The recorder was restarted since then, and every code stops working at a restart. The password is unchanged. Ask for a new QR code.
    [email-changed] The reserved email was changed since then, and codes for the address before it no longer work. The password is unchanged. Ask for a new QR code.
    [password-changed] The password was changed since then, so this code has nothing left to do. Sign in with the new password. If nobody knows it, ask for a new QR code.
    [too-many-tries] All its tries were used: that keeps strangers from guessing. The password is unchanged. Ask for a new QR code.
    [confirmed] The address is confirmed already. There is nothing left to do.
    [renewed] A newer QR code has taken its place, and only the newest mail’s code works. The password is unchanged.
   *[lost] The recorder could not keep it, because of a fault in its memory. The password is unchanged. Ask for a new QR code.
}
problem-wrong-code-title = This is not the code
problem-wrong-code = { $tries_left ->
    [0] That was the last try, and its code no longer works. The password is unchanged. Ask for a new QR code.
    [one] One try is left. Copy the eight digits of the newest mail, and compare its tag with the one here.
   *[other] { $tries_left } tries are left. Copy the eight digits of the newest mail, and compare its tag with the one here.
}
problem-grant-over-title = The ten minutes are over
problem-grant-over = The new password was not set in time, or somewhere else. The mailed code works until a new password is set: type it once more.
problem-console-only-title = Only at the recorder’s own screen
problem-console-only = This can be done only at the recorder itself. Nothing was changed.
problem-busy-title = The recorder is busy
problem-busy = Others are signing in at this moment. Nothing was changed. Try again in a few seconds.
problem-superseded-title = Something changed in between
problem-superseded = The account was changed elsewhere while this was under way, so nothing was done here. Look at it again and try once more.
problem-storage-failed-title = The recorder could not store it
problem-storage-failed = Writing to its memory failed, so this was not done. Nothing that it confirmed before is lost. If it was a new password, try to sign in with the new one first. Otherwise try again; if it fails again, have the recorder checked.
problem-unavailable-title = The recorder cannot do this now
problem-unavailable = It is still starting, or something that it needs for making secrets is missing. Nothing was changed. Try again in a minute.

problem-not-on-this-network-title = Only in the recorder’s own network
problem-not-on-this-network = Setting up and resetting the password work only for a computer or phone in the same network as the recorder. This one is somewhere else, or behind another router. The password is unchanged.
problem-wrong-host-title = This is not the recorder’s address
problem-wrong-host = The page was asked for under a name that is not this recorder’s, so nothing was done. Open it by the recorder’s own address, such as https://192.168.1.10.
problem-wrong-origin-title = Another site sent this
problem-wrong-origin = The recorder did nothing, because this did not come from one of its own pages. If you clicked on something elsewhere, do not do it again; open the recorder’s own page.
problem-stale-form-title = This page was open for too long
problem-stale-form = To be sure that it was really you, the recorder did nothing. Open the page again and repeat it.
problem-not-found-title = There is no such page
problem-not-found = The address may be mistyped. Everything is reached from the start page.
problem-method-not-allowed-title = This cannot be asked for in this way
problem-method-not-allowed = The address is right, but what was to be done there is not. Nothing was changed. Begin again from the start page.
problem-too-large-title = That is too much
problem-too-large = More was sent than any form of this recorder holds. Nothing was changed.
problem-target-too-long-title = The address is too long
problem-target-too-long = No page of this recorder has such a long address. Nothing was changed. Begin again from the start page.
problem-too-slow-title = It took too long to arrive
problem-too-slow = The recorder stopped waiting for the rest of the request. Nothing was changed. Try again, nearer to the Wi-Fi if there is one.
problem-wrong-media-type-title = The recorder does not take this kind of content
problem-wrong-media-type = It takes { $expected } here. Nothing was changed.
problem-malformed-title = The recorder did not understand this
problem-malformed = { $kind ->
    [not-json] Nothing was changed. What was sent is not valid JSON.
    [wrong-fields] Nothing was changed. A field is missing, unknown or of the wrong kind; the service’s description at /api/v1/openapi.json says what is expected.
    [body-cut] Nothing was changed. The request broke off before its end. Try again.
    [too-many-fields] Nothing was changed. The form has more fields than any form of this recorder.
    [field-twice] Nothing was changed. A field of the form came twice.
    [broken-escape] Nothing was changed. The form has a broken % sign.
   *[other] Nothing was changed. The form is not UTF-8 text.
}
problem-invalid-field-title = A field cannot be used as it is
problem-invalid-field = { $reason ->
    [not-accepted] Nothing was changed. This needs your agreement first.
    [not-eight-digits] No try was used up. The code in the mail has eight digits.
    [not-a-token] Nothing was changed. Type the mailed code once more, and use what the recorder then answers.
    [address-empty] Nothing was changed. Type an email address.
    [address-too-long] Nothing was changed. The email address is too long for this recorder.
    [address-at-sign] Nothing was changed. An email address has exactly one @ sign.
    [address-local-part] Nothing was changed. The part before the @ has a character or a full stop that does not belong there.
   *[other] Nothing was changed. The part after the @ is not complete; it looks like example.com.
}
problem-too-many-requests-title = Too many requests
problem-too-many-requests = This computer or phone has asked too often in a short time. Nothing was changed. Wait { $wait } and try again.
problem-timed-out-title = It took too long
problem-timed-out = The recorder stopped working on it, to stay ready for others. Look whether it was done, and try again.
problem-platform-offline-title = Not connected to the recovery service
problem-platform-offline = The code was not sent. Nothing was lost: the QR code works without this connection, and the recorder tries to connect again by itself.
problem-platform-refused-title = The recovery service did not take it
problem-platform-refused = { $reason ->
    [resend-too-early] A mail is sent again a minute after the first one at the earliest. Nothing was lost: try again in a moment.
    [resend-used] The mail of one QR code is sent again once, and that was done. Ask for a new QR code, and see that the reserved mailbox takes mail.
   *[other] It refused to send this code ({ $reason }). Nothing was lost: the QR code stays as it is. Wait, or scan it with a phone, whose page says why.
}
problem-not-enrolled-title = Not registered with that service
problem-not-enrolled = The service gave this recorder no identity ({ $reason }). Nothing was changed: what the recorder had still counts. Check address and claim code, or ask for a new code.
