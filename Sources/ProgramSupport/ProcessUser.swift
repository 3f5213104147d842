// Switches this process to another user. Never switches back.

import Glibc

/// The user of this process.
package enum ProcessUser {
    /// Whether the user is root.
    package static var isRoot: Bool { geteuid() == 0 }

    /// Gives up root's rights for those of a user and of the groups that the user belongs to.
    ///
    /// - Throws: `ProgramFailure` if there is no such user.
    package static func become(_ name: String) throws {
        guard let entry = getpwnam(name) else {
            throw ProgramFailure.configuration(
                "the unit says User=\(name), and there is no such user; run systemd-sysusers, or create it"
            )
        }
        let (user, group) = (entry.pointee.pw_uid, entry.pointee.pw_gid)
        guard initgroups(name, group) == 0, setgid(group) == 0, setuid(user) == 0 else {
            throw ProgramFailure.configuration(
                "this process can't become user \(name): \(String(cString: strerror(errno)))"
            )
        }
    }
}
