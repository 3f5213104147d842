/* The ceiling: what libcurl itself can send, one easy handle and one blocking thread a connection, nothing recorded.
 * usage: bare-loop URL CONNECTIONS MESSAGES OCTETS
 * Prints the seconds it took, and the CPU seconds (user, system). */
#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static const char *url;
static char *content;
static size_t octets;
static atomic_long left;
static atomic_long failed;

struct position { size_t at; };

static size_t read_content(char *buffer, size_t size, size_t count, void *context) {
    struct position *position = context;
    size_t length = size * count, rest = octets - position->at;
    if (length > rest) length = rest;
    memcpy(buffer, content + position->at, length);
    position->at += length;
    return length;
}

static size_t ignore(char *data, size_t size, size_t count, void *context) {
    (void)data; (void)context;
    return size * count;
}

static void *send_all(void *unused) {
    (void)unused;
    struct position position;
    CURL *handle = curl_easy_init();
    struct curl_slist *recipients = curl_slist_append(NULL, "<person@example.com>");
    if (!handle || !recipients) abort();
    curl_easy_setopt(handle, CURLOPT_URL, url);
    curl_easy_setopt(handle, CURLOPT_MAIL_FROM, "<no-reply@example.com>");
    curl_easy_setopt(handle, CURLOPT_MAIL_RCPT, recipients);
    curl_easy_setopt(handle, CURLOPT_READFUNCTION, read_content);
    curl_easy_setopt(handle, CURLOPT_READDATA, &position);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, ignore);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, (curl_off_t)octets);
    while (atomic_fetch_sub(&left, 1) > 0) {
        position.at = 0;
        if (curl_easy_perform(handle) != CURLE_OK) atomic_fetch_add(&failed, 1);
    }
    curl_easy_cleanup(handle);
    curl_slist_free_all(recipients);
    return NULL;
}

static double seconds(struct timeval time) { return time.tv_sec + time.tv_usec / 1e6; }

int main(int count, char **arguments) {
    if (count != 5) {
        fprintf(stderr, "usage: bare-loop URL CONNECTIONS MESSAGES OCTETS\n");
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
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int index = 0; index < connections; index++) pthread_create(&threads[index], NULL, send_all, NULL);
    for (int index = 0; index < connections; index++) pthread_join(threads[index], NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%.6f %.6f %.6f\n", (end.tv_sec - start.tv_sec) + (end.tv_nsec - start.tv_nsec) / 1e9,
           seconds(usage.ru_utime), seconds(usage.ru_stime));
    if (failed) fprintf(stderr, "bare-loop: %ld messages failed\n", (long)failed);
    return failed ? 1 : 0;
}
