// Turns this process into another user's. Never comes back from it.

import Glibc

/// The user that this process is.
package enum ProcessUser {
    /// Whether it is root.
    package static var isRoot: Bool { geteuid() == 0 }

    /// Gives root's rights up for those of a user and the groups that it is a member of.
    ///
    /// - Throws: `ProgramFailure` where there is no such user.
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
