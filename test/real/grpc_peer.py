#!/usr/bin/python3
"""A gRPC server and a client of bytes, without generated code.

    grpc_peer.py serve PORT NAME
    grpc_peer.py call PORT CHANNELS     works on every channel until a line comes in, two seconds more, then prints a summary as JSON

Every answer names its server in the initial metadata."""
import json
import sys
import threading
import time
from concurrent import futures

import grpc

SERVICE = "test.Bytes"


def serve(port, name):
    def told(context):
        context.send_initial_metadata((("backend", name),))

    def unary(request, context):
        told(context)
        return request[::-1]

    def server_stream(request, context):
        told(context)
        for part in range(20):
            yield bytes([part]) * len(request)

    def client_stream(requests, context):
        told(context)
        return sum(len(request) for request in requests).to_bytes(8, "big")

    def both(requests, context):
        told(context)
        for request in requests:
            yield request[::-1]
    handlers = grpc.method_handlers_generic_handler(SERVICE, {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream),
        "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream),
        "Both": grpc.stream_stream_rpc_method_handler(both)})
    server = grpc.server(futures.ThreadPoolExecutor(32), handlers=(handlers,), options=(("grpc.so_reuseport", 0),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


class Caller:
    """One channel with a connection of its own, and what happened on it."""

    def __init__(self, port):
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=(
            ("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 200), ("grpc.enable_retries", 0)))
        self.summary = {"calls": 0, "errors": [], "first": None, "last": None, "wrong": 0}

    def method(self, kind, name):
        return getattr(self.channel, kind)(f"/{SERVICE}/{name}")

    def heard(self, call):
        name = dict(call.initial_metadata())["backend"]
        self.summary["first"] = self.summary["first"] or name
        self.summary["last"] = name

    def round(self, number):
        data = bytes([number % 251]) + bytes(range(250)) * (1 + number % 40)
        answer, call = self.method("unary_unary", "Unary").with_call(data, timeout=10)
        self.heard(call)
        right = answer == data[::-1]
        parts = self.method("unary_stream", "ServerStream")(data[:3000], timeout=10)
        right &= [part[:1] for part in parts] == [bytes([part]) for part in range(20)]
        total = self.method("stream_unary", "ClientStream")((data for _ in range(10)), timeout=10)
        right &= int.from_bytes(total, "big") == 10 * len(data)
        answers = self.method("stream_stream", "Both")((data[at:at + 100] for at in range(0, 2000, 100)), timeout=10)
        right &= b"".join(answer[::-1] for answer in answers) == data[:2000]
        self.summary["wrong"] += not right
        self.summary["calls"] += 4

    def work(self, stop):
        number = 0
        while not stop.is_set():
            number += 1
            try:
                self.round(number)
            except grpc.RpcError as error:
                self.summary["errors"].append(f"{error.code().name}: {error.details()}")
                time.sleep(0.05)


def call(port, count):
    callers, stop = [], threading.Event()
    for _ in range(count):
        callers.append(Caller(port))
        callers[-1].round(0)  # connects, and is counted before the next one is balanced
    threads = [threading.Thread(target=caller.work, args=(stop,)) for caller in callers]
    for thread in threads:
        thread.start()
    print(json.dumps([caller.summary["first"] for caller in callers]), flush=True)
    sys.stdin.readline()
    late = Caller(port)
    for number in range(20):
        try:
            late.round(number)
        except grpc.RpcError as error:
            late.summary["errors"].append(f"{error.code().name}: {error.details()}")
    time.sleep(2)
    stop.set()
    for thread in threads:
        thread.join()
    print(json.dumps({"callers": [caller.summary for caller in callers], "late": late.summary}), flush=True)
    for caller in callers + [late]:
        caller.channel.close()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]), sys.argv[3])
    else:
        call(int(sys.argv[2]), int(sys.argv[3]))
