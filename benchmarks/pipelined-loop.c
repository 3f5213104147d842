/* The second ceiling: outboxd's conversation and nothing else. libcurl opens the connection (CURLOPT_CONNECT_ONLY); then
 * MAIL, RCPT and DATA go out in one write (RFC 2920), and the content after their replies: two round trips a mail.
 * Nothing is composed, judged or recorded.
 * usage: pipelined-loop URL CONNECTIONS MESSAGES OCTETS
 * Prints the seconds it took, and the CPU seconds (user, system). */
#include "loop.h"
#include <poll.h>

static const char group[] = "MAIL FROM:<no-reply@example.com>\r\nRCPT TO:<person@example.com>\r\nDATA\r\n";

struct connection {
    CURL *handle;
    struct pollfd socket;
    char input[4096];
    size_t length;
};

static bool await(struct connection *connection, short events) {
    connection->socket.events = events;
    return poll(&connection->socket, 1, 60000) == 1;
}

static bool send_octets(struct connection *connection, const char *data, size_t length) {
    while (length > 0) {
        size_t sent = 0;
        CURLcode code = curl_easy_send(connection->handle, data, length, &sent);
        if (code == CURLE_AGAIN) {
            if (!await(connection, POLLOUT)) return false;
        } else if (code != CURLE_OK) {
            return false;
        }
        data += sent;
        length -= sent;
    }
    return true;
}

/* The code of the next complete reply; 0 if there is none. */
static int next_code(struct connection *connection) {
    while (true) {
        char *end;
        while ((end = memchr(connection->input, '\n', connection->length))) {
            int code = atoi(connection->input);
            bool is_last = connection->input[3] != '-';
            size_t line = end + 1 - connection->input;
            connection->length -= line;
            memmove(connection->input, end + 1, connection->length);
            if (is_last) return code;
        }
        size_t received = 0, room = sizeof connection->input - connection->length;
        CURLcode code = curl_easy_recv(connection->handle, connection->input + connection->length, room, &received);
        if (code == CURLE_AGAIN) {
            if (!await(connection, POLLIN)) return 0;
        } else if (code != CURLE_OK || received == 0) {
            return 0;
        }
        connection->length += received;
    }
}

static bool send_mail(struct connection *connection) {
    return send_octets(connection, group, sizeof group - 1) && next_code(connection) / 100 == 2
        && next_code(connection) / 100 == 2 && next_code(connection) == 354
        && send_octets(connection, content, octets + 5) && next_code(connection) / 100 == 2;
}

static void *send_all(void *unused) {
    (void)unused;
    struct connection connection = {.handle = curl_easy_init()};
    curl_socket_t socket = CURL_SOCKET_BAD;
    if (!connection.handle) abort();
    curl_easy_setopt(connection.handle, CURLOPT_URL, url);
    curl_easy_setopt(connection.handle, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(connection.handle, CURLOPT_NOSIGNAL, 1L);
    bool is_open = curl_easy_perform(connection.handle) == CURLE_OK
        && curl_easy_getinfo(connection.handle, CURLINFO_ACTIVESOCKET, &socket) == CURLE_OK;
    connection.socket.fd = socket;
    while (take_one()) {
        is_open = is_open && send_mail(&connection);
        if (!is_open) atomic_fetch_add(&failed, 1);
    }
    if (is_open && send_octets(&connection, "QUIT\r\n", 6)) next_code(&connection);
    curl_easy_cleanup(connection.handle);
    return NULL;
}
