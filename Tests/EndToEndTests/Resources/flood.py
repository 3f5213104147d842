"""A mail server that is not ours: floods its client once with 100 MB, and is a plain relay before and after.

usage: flood.py PORT-FILE STAGE SHAPE RESULT-FILE

STAGE: greeting, ehlo, mail, dot (in place of the answer), or idle (after the answer to a mail, unasked). SHAPE: line (one
line) or lines (one reply). Writes to RESULT-FILE how many octets the client or its system took.
"""

import os
import socket
import sys
import threading

SIZE = 100_000_000
CODES = {"greeting": 220, "ehlo": 250, "mail": 250, "dot": 250, "idle": 250}
port_file, stage, shape, result_file = sys.argv[1:]
once = threading.Lock()


def publish(path, text):
    with open(path + ".new", "w") as file:
        file.write(text)
    os.rename(path + ".new", path)


def flood(connection):
    code, sent = CODES[stage], 0
    filler = "x" * 998 + "\r\n"
    piece = (f"{code}-{filler}" * 60).encode() if shape == "lines" else b"x" * 60_000
    try:
        if shape == "line":
            connection.sendall(f"{code} ".encode())
        while sent < SIZE:
            sent += connection.send(piece[sent % len(piece):])
        connection.sendall(f"\r\n{code} that was all\r\n".encode() if shape == "lines" else b"\r\n")
    finally:
        publish(result_file, str(sent))


def answer(connection, here, reply):
    if here == stage and once.acquire(blocking=False):
        flood(connection)
    else:
        connection.sendall(reply + b"\r\n")


def serve(connection):
    try:
        with connection, connection.makefile("rb") as lines:
            answer(connection, "greeting", b"220 ready")
            for line in lines:
                match line[:4].upper():
                    case b"EHLO": answer(connection, "ehlo", b"250 PIPELINING")
                    case b"MAIL": answer(connection, "mail", b"250 ok")
                    case b"DATA":
                        connection.sendall(b"354 go\r\n")
                        while lines.readline() not in (b".\r\n", b""):
                            pass
                        answer(connection, "dot", b"250 ok")
                        if stage == "idle" and once.acquire(blocking=False):
                            flood(connection)
                    case b"QUIT":
                        connection.sendall(b"221 bye\r\n")
                        return
                    case _: connection.sendall(b"250 ok\r\n")
    except OSError:
        pass  # The client has had enough.


with socket.create_server(("127.0.0.1", 0)) as listener:
    publish(port_file, str(listener.getsockname()[1]))
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
