#!/usr/bin/python3
"""A gRPC server with the services that probes call, without generated code.

    grpc_health_peer.py PORT health|inference|aborting|other [CERTIFICATE KEY]

Reads lines: SERVING, NOT_SERVING, unknown (the service), hang. It answers so from then on; at first SERVING. "aborting" rejects every call."""
import sys
import threading
from concurrent import futures

import grpc

state = "SERVING"


def check(request, context):
    now = state
    while state == now == "hang":
        threading.Event().wait(0.05)
    if now == "unknown":
        context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    return b"\x08\x01" if now == "SERVING" else b"\x08\x02"


def abort(request, context):
    context.abort(grpc.StatusCode.UNAVAILABLE, "model is loading, 50%")


def ready(request, context):
    return b"\x08\x01" if state == "SERVING" else b""


def handler(service, method, function):
    return grpc.method_handlers_generic_handler(service, {method: grpc.unary_unary_rpc_method_handler(function)})


HANDLERS = {"health": handler("grpc.health.v1.Health", "Check", check), "aborting": handler("grpc.health.v1.Health", "Check", abort),
            "inference": handler("inference.GRPCInferenceService", "ServerReady", ready), "other": handler("test.Other", "Call", check)}


def main():
    global state
    port, kind = sys.argv[1:3]
    server = grpc.server(futures.ThreadPoolExecutor(32), handlers=(HANDLERS[kind],), options=(("grpc.so_reuseport", 0),))
    if len(sys.argv) > 3:
        certificate, key = (open(path, "rb").read() for path in sys.argv[3:5])
        server.add_secure_port(f"127.0.0.1:{port}", grpc.ssl_server_credentials([(key, certificate)]))
    else:
        server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    for line in sys.stdin:
        state = line.strip()
    server.stop(0)


if __name__ == "__main__":
    main()
