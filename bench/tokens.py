"""bench/tokens.py - many tokens from a running Writ, over its local socket."""
import json
import socket

CONNECTIONS = 8


def request_for(number, subjects):
    body = json.dumps({"subject": f"service-{number % subjects}", "ttl": "7d"})
    return (f"POST /v1/tokens HTTP/1.1\r\nHost: writ\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def read_answer(stream):
    status = stream.readline()
    length = 0
    while (line := stream.readline().strip()):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    body = stream.read(length)
    if b" 201 " not in status:
        raise RuntimeError(f"a token was not issued: {status.decode().strip()} {body.decode()}")
    return json.loads(body)["token"]


def issue(path, count, subjects):
    """Several connections in turn, so that Writ never waits for this program."""
    streams = []
    for _ in range(CONNECTIONS):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(str(path))
        streams.append(connection.makefile("rwb"))
    tokens = []
    asked = 0
    while len(tokens) < count:
        turn = streams[:min(CONNECTIONS, count - asked)]
        for stream in turn:
            stream.write(request_for(asked, subjects))
            stream.flush()
            asked += 1
        tokens += [read_answer(stream) for stream in turn]
    for stream in streams:
        stream.close()
    return tokens
