"""llama.cpp's own server, `serve.py MODEL WINDOW PORT`, until its stdin ends; its address is its first line."""

from __future__ import annotations

import sys

import xllamacpp  # type: ignore[import-not-found]


def main(model: str, window: str, port: str) -> None:
    wanted = xllamacpp.CommonParams()
    wanted.model.path = model
    wanted.n_ctx, wanted.port = int(window), int(port)
    wanted.n_parallel, wanted.use_jinja, wanted.warmup = 1, True, False
    server = xllamacpp.Server(wanted)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
