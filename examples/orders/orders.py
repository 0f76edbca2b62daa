#!/usr/bin/env python3
"""A small orders service, as a team would have one: it knows nothing of tokens.

GET    /v1/orders                 all orders
POST   /v1/orders                 a new order: {"customer": "...", "items": [...]}
GET    /v1/orders/ID              one order
PATCH  /v1/orders/ID              change customer or status
DELETE /v1/orders/ID              delete it
GET    /v1/orders/ID/items        its items
POST   /v1/orders/ID/items        one more item: {"sku": "...", "quantity": 1}
GET    /v1/orders/ID/payment      how it was paid
GET    /v1/events                 a stream of events (SSE)
"""
import json
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ORDERS = {
    41: {"id": 41, "customer": "Adaeze", "status": "shipped",
         "items": [{"sku": "lamp-3", "quantity": 1}], "payment": {"method": "card", "last4": "4242"}},
    42: {"id": 42, "customer": "Bruno", "status": "open",
         "items": [{"sku": "desk-1", "quantity": 1}, {"sku": "chair-7", "quantity": 4}],
         "payment": {"method": "invoice", "iban": "DE02120300000000202051"}},
}
LOCK = threading.Lock()


def public(order):
    return {key: value for key, value in order.items() if key != "payment"}


class Orders(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "orders"

    def answer(self, status, value):
        body = b"" if value is None else json.dumps(value).encode() + b"\n"
        self.send_response(status)
        if value is not None:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")

    def events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(1000):
            self.wfile.write(f"id: {number}\ndata: {{\"open\": {len(ORDERS)}}}\n\n".encode())
            self.wfile.flush()
            time.sleep(1)

    def route(self):
        path = self.path.split("?")[0].rstrip("/")
        if path == "/v1/events" and self.command == "GET":
            return self.events()
        if path == "/v1/orders":
            return self.collection()
        match = re.fullmatch(r"/v1/orders/(\d+)(?:/(items|payment))?", path)
        order = ORDERS.get(int(match[1])) if match else None
        if order is None:
            return self.answer(404, {"error": "no such thing"})
        return self.part(order, match[2]) if match[2] else self.one(order)

    def collection(self):
        if self.command in ("GET", "HEAD"):
            return self.answer(200, [public(order) for order in ORDERS.values()])
        if self.command != "POST":
            return self.answer(405, {"error": "GET or POST"})
        sent = self.body()
        order = {"id": max(ORDERS, default=0) + 1, "customer": sent.get("customer"), "status": "open",
                 "items": sent.get("items", []), "payment": None}
        ORDERS[order["id"]] = order
        return self.answer(201, public(order))

    def one(self, order):
        if self.command in ("GET", "HEAD"):
            return self.answer(200, public(order))
        if self.command == "PATCH":
            sent = self.body()
            order.update({key: sent[key] for key in ("customer", "status") if key in sent})
            return self.answer(200, public(order))
        if self.command == "DELETE":
            del ORDERS[order["id"]]
            return self.answer(204, None)
        return self.answer(405, {"error": "GET, PATCH or DELETE"})

    def part(self, order, name):
        if self.command in ("GET", "HEAD"):
            return self.answer(200, order[name])
        if self.command == "POST" and name == "items":
            order["items"].append(self.body())
            return self.answer(201, order["items"])
        return self.answer(405, {"error": "not here"})

    def handle_request(self):
        try:
            if self.path.startswith("/v1/events"):
                self.route()
            else:
                with LOCK:
                    self.route()
        except (ValueError, TypeError):
            self.answer(400, {"error": "the body is not the JSON that was expected"})
        except BrokenPipeError:
            pass

    do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = do_PUT = handle_request

    def log_message(self, format, *args):
        print(f"{self.command} {self.path} {args[1]} subject={self.headers.get('X-Writ-Subject')}", flush=True)


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
    host = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
    ThreadingHTTPServer((host, port), Orders).serve_forever()
