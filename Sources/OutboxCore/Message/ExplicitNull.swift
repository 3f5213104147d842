// Encodes missing values as JSON null. Never leaves a key out.

/// The compiler calls these functions for the optional properties of every record and answer in a file that imports
/// OutboxCore, and they encode a missing value as `null`. The standard library has one for each basic type, and each
/// must be replaced.
extension KeyedEncodingContainer {
    package mutating func encodeIfPresent<Value: Encodable>(_ value: Value?, forKey key: Key) throws {
        try encode(value, forKey: key)
    }

    package mutating func encodeIfPresent(_ value: String?, forKey key: Key) throws { try encode(value, forKey: key) }
    package mutating func encodeIfPresent(_ value: Int?, forKey key: Key) throws { try encode(value, forKey: key) }
    package mutating func encodeIfPresent(_ value: Int64?, forKey key: Key) throws { try encode(value, forKey: key) }
    package mutating func encodeIfPresent(_ value: Double?, forKey key: Key) throws { try encode(value, forKey: key) }
    package mutating func encodeIfPresent(_ value: Bool?, forKey key: Key) throws { try encode(value, forKey: key) }
}
