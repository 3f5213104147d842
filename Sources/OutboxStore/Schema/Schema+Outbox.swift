// The table that applications insert into. Never holds state, outboxd's own times, or a token after the insert.

extension Schema {
    /// Every column may be inserted, none is generated, and all except `kind` and `recipient` may be NULL. So a model
    /// that an ORM derives from the table can insert and save whole rows.
    static let outbox = """
        CREATE TABLE outbox (
            -- AUTOINCREMENT: an id that support has quoted is never given to another message.
            id INTEGER PRIMARY KEY AUTOINCREMENT
                CONSTRAINT id_is_positive CHECK (id > 0),
            kind TEXT NOT NULL
                CONSTRAINT kind_is_lower_case_letters_digits_and_hyphens CHECK (
                    kind GLOB '[a-z]*' AND kind NOT GLOB '*[^a-z0-9-]*'
                    AND length(kind) <= 64 AND \(octets("kind")) = length(kind)),
            recipient TEXT NOT NULL
                CONSTRAINT recipient_is_not_empty CHECK (recipient <> '')
                \(hasNoControlCharacters("recipient"))
                CONSTRAINT recipient_has_no_invisible_characters CHECK (
                    recipient NOT GLOB '*[^ -~]*' OR (
                        recipient NOT GLOB '*[' || \(invisibleCharacters) || ']*'
                        AND recipient NOT GLOB '*[' || \(charactersOfDomainsOnly) || ']*@*'
                        AND recipient NOT GLOB '*[ -~][' || \(joiners) || ']*'))
                CONSTRAINT recipient_is_one_bare_address_with_one_at_sign CHECK (
                    length(recipient) - length(replace(recipient, '@', '')) = 1
                    AND recipient NOT GLOB '*[]<>()[\\,;:" ]*')
                CONSTRAINT recipient_local_part_is_1_to_64_octets CHECK (
                    instr(CAST(recipient AS BLOB), x'40') BETWEEN 2 AND 65)
                CONSTRAINT recipient_is_at_most_254_octets CHECK (\(octets("recipient")) <= 254)
                CONSTRAINT recipient_domain_is_a_host_name CHECK (
                    recipient NOT GLOB '*@' AND recipient NOT GLOB '*@[.-]*' AND recipient NOT GLOB '*@*.[.-]*'
                    AND recipient NOT GLOB '*@*-.*' AND recipient NOT GLOB '*[.-]'
                    AND recipient NOT GLOB '*@*[!-,/:-?[-`{-~]*'
                    -- The last label is not a number, and labels have at most 63 characters.
                    AND rtrim(recipient, '0123456789') NOT GLOB '*[@.]'
                    AND (length(recipient) < 66 OR recipient NOT GLOB '*@*\(String(repeating: "[^.]", count: 64))*')),
            -- Only passes through: the insert trigger moves it into outbox_secret, so a reader sees NULL. A row without
            -- a token gets one when it is sent.
            token TEXT
                CONSTRAINT token_is_not_empty CHECK (token <> '')
                \(hasNoControlCharacters("token"))
                CONSTRAINT token_is_at_most_4096_octets CHECK (\(octets("token")) <= 4096),
            locale TEXT
                CONSTRAINT locale_is_a_language_tag CHECK (
                    length(locale) BETWEEN 1 AND 35 AND locale NOT GLOB '*[^A-Za-z0-9_-]*'
                    AND \(octets("locale")) = length(locale)),
            -- The name of a time zone (IANA); outboxd knows which exist, and writes UTC for any other.
            time_zone TEXT
                CONSTRAINT time_zone_is_a_name_such_as_europe_berlin CHECK (
                    length(time_zone) BETWEEN 1 AND 64 AND time_zone GLOB '[A-Za-z]*'
                    AND time_zone NOT GLOB '*[^A-Za-z0-9_+/-]*' AND \(octets("time_zone")) = length(time_zone)),
            account TEXT
                CONSTRAINT account_is_1_to_255_octets CHECK (\(octets("account")) BETWEEN 1 AND 255)
                \(hasNoControlCharacters("account"))
                -- A language bound the number as floating point, so it no longer identifies the account.
                CONSTRAINT account_is_not_a_number_with_point_zero CHECK (
                    NOT (account GLOB '[0-9]*.0' AND substr(account, 1, length(account) - 2) NOT GLOB '*[^0-9]*')),
            -- Triggers check that it is a JSON object: json_valid() in a CHECK would make the whole file unreadable for
            -- a connection with trusted_schema=OFF.
            variables TEXT DEFAULT '{}'
                CONSTRAINT variables_is_at_most_65536_octets CHECK (\(octets("variables")) <= 65536),
            idempotency_key TEXT UNIQUE
                CONSTRAINT idempotency_key_is_1_to_255_octets CHECK (\(octets("idempotency_key")) BETWEEN 1 AND 255),
            not_before INTEGER \(isInMilliseconds("not_before")),
            expires_at INTEGER \(isInMilliseconds("expires_at")),
            -- In place of expires_at: how long the token works from the attempt on that hands the mail over.
            valid_for INTEGER
                CONSTRAINT valid_for_is_1_minute_to_366_days_in_milliseconds CHECK (
                    valid_for BETWEEN 60000 AND 31622400000),
            priority INTEGER DEFAULT 0
                CONSTRAINT priority_is_from_minus_9_to_9 CHECK (priority BETWEEN -9 AND 9),
            -- The application sets it to 1 to cancel the message.
            cancelled INTEGER DEFAULT 0
                CONSTRAINT cancelled_is_0_or_1 CHECK (cancelled IN (0, 1)),
            CONSTRAINT expires_at_and_valid_for_are_not_both_given CHECK (expires_at IS NULL OR valid_for IS NULL)
        ) STRICT;

        -- For a status by address and by account.
        CREATE INDEX outbox_recipient ON outbox (recipient COLLATE NOCASE);
        CREATE INDEX outbox_account ON outbox (account) WHERE account IS NOT NULL;
        """

    /// Accepts times in milliseconds: between 1973 and 5138. A time in seconds or microseconds is outside that range.
    static func isInMilliseconds(_ column: String) -> String {
        "CONSTRAINT \(column)_is_in_milliseconds_since_1970 CHECK (\(column) BETWEEN 100000000000 AND 100000000000000)"
    }

    /// No C0 or C1 control character and no DEL. GLOB ends at a NUL, so NUL is searched for in the octets.
    private static func hasNoControlCharacters(_ column: String) -> String {
        """
        CONSTRAINT \(column)_has_no_control_characters CHECK (
                instr(CAST(\(column) AS BLOB), x'00') = 0
                AND \(column) NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || '-' || char(159) || ']*')
        """
    }

    /// Characters that no address may contain: the Unicode categories Cf, Zs, Zl, Zp, Co and Cn (as far as it is fixed
    /// for ever), default-ignorable characters and U+2800, all of which are invisible, so that two different addresses
    /// would look the same; and U+FFFC and U+FFFD, which stand for lost text. A test compares the list with Swift's
    /// Unicode data.
    static let invisibleCharacters = characters([
        0xA0...0xA0, 0xAD...0xAD, 0x34F...0x34F, 0x600...0x605, 0x61C...0x61C, 0x6DD...0x6DD, 0x70F...0x70F,
        0x890...0x891, 0x8E2...0x8E2, 0x115F...0x1160, 0x1680...0x1680, 0x17B4...0x17B5, 0x180B...0x180F,
        0x2000...0x200B, 0x200E...0x200F, 0x2028...0x202F, 0x205F...0x206F, 0x2800...0x2800, 0x3000...0x3000,
        0x3164...0x3164, 0xE000...0xF8FF, 0xFDD0...0xFDEF, 0xFEFF...0xFEFF, 0xFFA0...0xFFA0, 0xFFF0...0xFFFF,
        0x110BD...0x110BD, 0x110CD...0x110CD, 0x13430...0x1343F, 0x1BCA0...0x1BCA3, 0x1D173...0x1D17A,
        0x1FFFE...0x1FFFF, 0x2FFFE...0x2FFFF, 0x3FFFE...0x10FFFF,
    ])

    /// Joiners, which some scripts need within a word, and variation selectors, which come with emoji. IDNA allows them
    /// where they matter and ignores them elsewhere, so in a domain they never make two addresses look the same.
    static let charactersOfDomainsOnly = characters([0x200C...0x200D, 0xFE00...0xFE0F])

    /// Zero-width joiner and non-joiner: never after an ASCII character. outboxd checks IDNA's rule for other
    /// characters.
    private static let joiners = characters([0x200C...0x200D])

    /// The ranges in the form that GLOB expects between brackets.
    private static func characters(_ ranges: [ClosedRange<Int>]) -> String {
        ranges.map { range in
            range.count == 1 ? "char(\(range.lowerBound))" : "char(\(range.lowerBound), 45, \(range.upperBound))"
        }.joined(separator: " || ")
    }
}
