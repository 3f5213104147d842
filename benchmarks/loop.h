/* What both loops share: arguments, the mail, one blocking thread a connection, and the measurement. A loop defines
 * send_all, which sends mails while it can take one. */
#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static const char *url;
/* Its end, CR LF dot CR LF, follows after these octets. */
static char *content;
static size_t octets;
static atomic_long left;
static atomic_long failed;

static void *send_all(void *unused);

static bool take_one(void) { return atomic_fetch_sub(&left, 1) > 0; }

static double seconds(struct timeval time) { return time.tv_sec + time.tv_usec / 1e6; }

int main(int count, char **arguments) {
    if (count != 5) {
        fprintf(stderr, "usage: %s URL CONNECTIONS MESSAGES OCTETS\n", arguments[0]);
        return 64;
    }
    url = arguments[1];
    int connections = atoi(arguments[2]);
    left = atol(arguments[3]);
    octets = strtoul(arguments[4], NULL, 10);
    content = malloc(octets + 80);
    pthread_t *threads = calloc(connections, sizeof *threads);
    if (!content || !threads || curl_global_init(CURL_GLOBAL_DEFAULT)) abort();
    size_t at = (size_t)sprintf(content, "From: <no-reply@example.com>\r\nSubject: Bench\r\n\r\n");
    while (at < octets) {
        size_t line = octets - at < 74 ? octets - at : 74;
        memset(content + at, 'x', line);
        if (line >= 2) memcpy(content + at + line - 2, "\r\n", 2);
        at += line;
    }
    memcpy(content + octets, "\r\n.\r\n", 5);
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int index = 0; index < connections; index++) pthread_create(&threads[index], NULL, send_all, NULL);
    for (int index = 0; index < connections; index++) pthread_join(threads[index], NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%.6f %.6f %.6f\n", (end.tv_sec - start.tv_sec) + (end.tv_nsec - start.tv_nsec) / 1e9,
           seconds(usage.ru_utime), seconds(usage.ru_stime));
    if (failed) fprintf(stderr, "%s: %ld messages failed\n", arguments[0], (long)failed);
    return failed ? 1 : 0;
}
