// Lets a generator of any type be passed where an inout generator is asked for.

/// A random number generator of any type.
struct AnyGenerator: RandomNumberGenerator {
    private var base: any RandomNumberGenerator

    init(_ base: any RandomNumberGenerator) { self.base = base }

    mutating func next() -> UInt64 { base.next() }
}
