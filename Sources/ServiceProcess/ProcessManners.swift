// Prepares a process before anything else, so that its environment can't end or mislead it by accident. Never waits for
// anything.

import Glibc
import Synchronization

/// The behaviour of a process towards its parent.
package enum ProcessManners {
    /// Call this first in `main`, before there is a second thread.
    ///
    /// - A closed standard stream is opened to /dev/null. Otherwise the database or a relay's connection could get
    ///   number 2, and the log would be written into it.
    /// - SIGPIPE is ignored, because the reader of our output may exit.
    /// - libdispatch doesn't log that it may not raise its threads' priority. This is so for every user except root,
    ///   and harmless; `LIBDISPATCH_LOG` overrides the setting.
    package static func settle() {
        for stream in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(stream, F_GETFD) < 0 {
            // open(2) uses the lowest free number, which is this stream's.
            _ = open("/dev/null", stream == STDIN_FILENO ? O_RDONLY : O_WRONLY)
        }
        _ = signal(SIGPIPE, SIG_IGN)
        setenv("LIBDISPATCH_LOG", "NO", 0)
    }

    /// Records SIGHUP from now on instead of ending the process. A later trap of the signal replaces this handler.
    ///
    /// Blocking the signal is not enough, because libdispatch unblocks every signal in the first thread. Ignoring it
    /// would lose a reload that is requested while the configuration is already being read.
    package static func rememberHangUp() {
        hungUp.store(false, ordering: .relaxed)
        _ = signal(SIGHUP) { _ in hungUp.store(true, ordering: .relaxed) }
    }

    /// Whether SIGHUP arrived after `rememberHangUp()` and before another trap was set.
    package static var hasHungUp: Bool { hungUp.load(ordering: .relaxed) }
}

/// A signal handler may only touch an atomic value that exists already.
private let hungUp = Atomic(false)
