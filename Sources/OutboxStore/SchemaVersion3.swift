// Version 3 of the schema: the same rules and rows, at less than half the price of a claim and an outcome.

extension Schema {
    /// - SQLite makes a temporary index for every IN of three texts or more, each time that it checks a row; comparisons
    ///   joined by OR need none.
    /// - Ids that begin with the time of the insert lie side by side in the index on them, where random ones make every
    ///   message of a claim write to a page of its own.
    ///
    /// Neither changes what is stored, so the tables' texts are edited in place, as
    /// https://sqlite.org/lang_altertable.html#making_other_kinds_of_table_schema_changes has it, instead of copying
    /// what may be a million rows. Envelope ids of rows that exist stay as they are.
    static let version3 = """
        PRAGMA writable_schema = ON;
        \(replacing(defaultEnvelopeID, with: timeOrderedEnvelopeID, in: "outbox"))
        \(replacingList(stateIsKnown, in: "outbox"))
        \(replacingList("state IN \(openStates)", in: "outbox"))
        \(replacingList(outcomeIsKnown, in: "outbox_attempt"))
        \(replacingList(stageIsKnown, in: "outbox_attempt"))
        \(replacingList(scopeIsKnown, in: "outbox_attempt"))
        -- Makes this connection, and every other one, read the schema again.
        PRAGMA writable_schema = RESET;

        DROP TRIGGER outbox_final_is_final;
        CREATE TRIGGER outbox_final_is_final BEFORE UPDATE OF state ON outbox
        WHEN OLD.state <> 'queued' AND OLD.state <> 'sending' AND OLD.state <> 'deferred'
            AND NOT (OLD.state = 'accepted' AND NEW.state = 'bounced')
        BEGIN
            SELECT RAISE(ABORT, 'outbox: a message in a final state stays in it; insert a new row instead');
        END;
        """

    /// 12 hexadecimal digits of milliseconds, and 80 random bits, which nobody guesses.
    private static let timeOrderedEnvelopeID = "printf('%012x', \(now)) || lower(hex(randomblob(10)))"

    /// The list of an IN as comparisons.
    private static func replacingList(_ condition: String, in table: String) -> String {
        guard let parts = condition.firstRange(of: " IN (") else { preconditionFailure("no IN in \(condition)") }
        let column = condition[..<parts.lowerBound]
        let values = condition[parts.upperBound...].split { "(), \n".contains($0) }
        let comparisons = values.map { "\(column) = \($0)" }.joined(separator: " OR ")
        return replacing(condition, with: "(\(comparisons))", in: table)
    }

    private static func replacing(_ old: String, with new: String, in table: String) -> String {
        func literal(_ text: String) -> String { "'\(text.replacing("'", with: "''"))'" }
        return """
            UPDATE sqlite_schema SET sql = replace(sql, \(literal(old)), \(literal(new)))
                WHERE type = 'table' AND name = '\(table)';
            """
    }
}
