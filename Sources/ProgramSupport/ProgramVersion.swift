// The one place that states the version.

/// The version of the programs, as CHANGELOG.md counts them.
package let programVersion = "0.1.0"
