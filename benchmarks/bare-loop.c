/* The ceiling: what libcurl itself can send, one easy handle and one blocking thread a connection, nothing recorded.
 * usage: bare-loop URL CONNECTIONS MESSAGES OCTETS
 * Prints the seconds it took, and the CPU seconds (user, system). */
#include "loop.h"

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
    while (take_one()) {
        position.at = 0;
        if (curl_easy_perform(handle) != CURLE_OK) atomic_fetch_add(&failed, 1);
    }
    curl_easy_cleanup(handle);
    curl_slist_free_all(recipients);
    return NULL;
}
