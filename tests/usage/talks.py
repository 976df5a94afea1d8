"""Transcripts of conversations that never were, with the usage that an API would have reported for them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from openclaw.context.tokens import estimate

WORDS = Path(__file__).read_text().split()


def transcript(
    path: Path, calls: int, model: str = "claude-opus-4-6", factor: float = 1.3, call: int = 110, offset: int = 24_000,
    seed: int = 0,
) -> Path:  # fmt: skip
    """A conversation of Claude Code: an API that counts `factor` times our estimate, and `call` for each tool call."""
    rng, text, lines = random.Random(seed), 0, list[str]()

    def say(kind: str, content: Any, **more: Any) -> None:
        at = f"2026-11-20T10:{len(lines) // 60 % 60:02}:{len(lines) % 60:02}.000Z"
        entry = {"type": kind, "uuid": f"{path.stem}-{len(lines)}", "sessionId": path.stem, "timestamp": at}
        message = {"role": kind, "content": content} | more
        lines.append(json.dumps(entry | {"message": message}, separators=(",", ":")))

    def words() -> str:
        return " ".join(rng.choices(WORDS, k=rng.randint(30, 900)))

    asked = words()
    say("user", asked)
    text += estimate(asked)
    for number in range(calls):
        sent = round(offset + factor * text + call * number)
        usage = {"input_tokens": 3, "cache_creation_input_tokens": sent // 2,
                 "cache_read_input_tokens": sent - sent // 2 - 3, "output_tokens": 90}  # fmt: skip
        id, given, result = f"toolu_{path.stem}_{number}", {"command": f"make part-{number}"}, words()
        block = {"type": "tool_use", "id": id, "name": "Bash", "input": given}
        say("assistant", [block], id=f"msg_{path.stem}_{number}", model=model, usage=usage)
        say("user", [{"type": "tool_result", "tool_use_id": id, "content": result}])
        text += estimate("Bash") + estimate(json.dumps(given)) + estimate(result)
    path.write_text("\n".join(lines) + "\n")
    return path
