/* For `make soak`: an LD_PRELOAD library that adds the milliseconds in $CLOCK_STEP_FILE (8 octets, little-endian) to the
   clock that is set. The machine's own clock is never touched, and clocks that nobody sets stay as they are. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *step;

static int64_t milliseconds(void) {
    if (!step) {
        const char *path = getenv("CLOCK_STEP_FILE");
        int descriptor = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        void *map = descriptor < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, descriptor, 0);
        if (descriptor >= 0) close(descriptor);
        if (map == MAP_FAILED) return 0;
        step = map;
    }
    return *step;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t nanoseconds = time->tv_sec * 1000000000LL + time->tv_nsec + milliseconds() * 1000000LL;
        time->tv_sec = nanoseconds / 1000000000LL;
        time->tv_nsec = nanoseconds % 1000000000LL;
    }
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    struct timespec now;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return result;
}
