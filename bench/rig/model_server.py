#!/usr/bin/python3
"""A model server that can fail: it serves requests over HTTP, a limited number at once, and fails as the lines on its standard input say.

Usage: model_server.py NAME PORT SERVICE_S CONCURRENCY

Each line of standard input sets how it behaves from then on:

  ok           serves, and answers /health at once
  slow S       as ok, but each request takes S seconds
  reset        resets each connection when the request has come
  close        closes each connection when the request has come
  hang         reads requests and never answers; /health neither
  loading      answers 503, also on /health
  busy S       answers a request with one byte every 50 ms for S seconds; does not answer /health
  queue        as ok, but /health waits in the same queue as the requests
"""
import asyncio
import socket
import struct
import sys

NAME, PORT, SERVICE_S, CONCURRENCY = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
mode, argument = "ok", 0.0


def answer(status, text):
    body = f"{NAME} {text}\n"
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


async def serve_busy(writer):
    steps = max(1, round(argument / 0.05))
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {steps + len(NAME) + 1}\r\nConnection: close\r\n\r\n{NAME} ".encode())
    for _ in range(steps):
        await asyncio.sleep(0.05)
        writer.write(b".")
        await writer.drain()


async def serve(places, path, writer):
    health = path == "/health"
    if mode == "hang" or (mode == "busy" and health):
        await asyncio.sleep(3600)
    elif mode == "loading":
        writer.write(answer("503 Service Unavailable", "loads its model"))
    elif mode == "busy":
        await serve_busy(writer)
    elif health and mode != "queue":
        writer.write(answer("200 OK", "ready"))
    else:
        async with places:
            await asyncio.sleep(0.001 if health else argument if mode == "slow" else SERVICE_S)
        writer.write(answer("200 OK", "served"))


async def on_client(places, reader, writer):
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        if mode == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        elif mode != "close":
            await serve(places, head.split(b" ")[1].decode(), writer)
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass
    finally:
        writer.close()


async def main():
    global mode, argument
    places = asyncio.Semaphore(CONCURRENCY)
    server = await asyncio.start_server(lambda reader, writer: on_client(places, reader, writer), "127.0.0.1", PORT, backlog=1024)
    print("listening", flush=True)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with server:
        while line := (await lines.readline()).split():
            mode, argument = line[0].decode(), float(line[1]) if len(line) > 1 else 0.0


asyncio.run(main())
