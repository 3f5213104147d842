// What a program does before anything else, so that nothing from outside ends or misleads it by accident. Never waits
// for anything.

import Glibc
import Synchronization

/// How a process behaves towards whoever started it.
package enum ProcessManners {
    /// Call it first thing in `main`, before there is a second thread.
    ///
    /// - A closed standard stream is opened to /dev/null: else the database or a relay's connection could get number 2,
    ///   and the log would be written into it.
    /// - SIGPIPE is ignored: whoever reads our output may go.
    /// - libdispatch keeps to itself that it may not raise its threads' priority, which is so under every user but root
    ///   and needs nobody's attention; `LIBDISPATCH_LOG` overrides it.
    package static func settle() {
        for stream in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(stream, F_GETFD) < 0 {
            // open(2) takes the lowest free number, which is this one.
            _ = open("/dev/null", stream == STDIN_FILENO ? O_RDONLY : O_WRONLY)
        }
        _ = signal(SIGPIPE, SIG_IGN)
        setenv("LIBDISPATCH_LOG", "NO", 0)
    }

    /// Takes SIGHUP in from now on, where it would end the process; whoever traps the signal later replaces this.
    ///
    /// Blocking the signal is not enough: libdispatch unblocks every signal in the first thread. Ignoring it would lose
    /// a reload that is asked for while the configuration is already being read.
    package static func rememberHangUp() {
        hungUp.store(false, ordering: .relaxed)
        _ = signal(SIGHUP) { _ in hungUp.store(true, ordering: .relaxed) }
    }

    /// Whether SIGHUP came since `rememberHangUp()` and before somebody else trapped it.
    package static var hasHungUp: Bool { hungUp.load(ordering: .relaxed) }
}

/// A handler may touch nothing but an atomic value that exists already.
private let hungUp = Atomic(false)
