# Sentences and words that every surface shares.
product-name = Latchkey
skip-to-content = Skip to content
progress-label = Progress

# Passwords
password-show = Show
password-hide = Hide
password-strength = Strength:
password-words = too short|weak|fair|good|strong
password-rule-length = { $count ->
    [one] At least { $count } character
   *[other] At least { $count } characters
}
password-rule-upper = Upper and lower case letters (recommended)
password-rule-digit = Digits (recommended)
password-rule-special = Special characters such as ! or # (recommended)

# Lengths of time
time-days = { $count ->
    [one] { $count } day
   *[other] { $count } days
}
time-hours = { $count ->
    [one] { $count } hour
   *[other] { $count } hours
}
time-minutes = { $count ->
    [one] { $count } minute
   *[other] { $count } minutes
}
time-seconds = { $count ->
    [one] { $count } second
   *[other] { $count } seconds
}
