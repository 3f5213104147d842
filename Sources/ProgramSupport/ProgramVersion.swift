// The only place that states the version.

/// The version of the programs, as in CHANGELOG.md.
package let programVersion = "0.1.0"
