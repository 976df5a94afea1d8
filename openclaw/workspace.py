"""What a new workspace holds. The files are for people and agents; nothing that is there is ever overwritten."""

from __future__ import annotations

import os

from openclaw.errors import BadInput

FILES = {
    "AGENTS.md": """# Rules for every agent here
- Stay inside the scope you were given; what you may write is claimed for you alone.
- Check your work before you say that it is done, and say what you did not check.
- Keep what must outlive this conversation in active-tasks.md or MEMORY.md.
""",
    "MEMORY.md": "# Long-term memory\nDecisions, preferences and facts that outlive a session, newest first.\n",
    "HEARTBEAT.md": "# Heartbeat\nReply HEARTBEAT_OK unless a task below needs attention.\n",
    "active-tasks.md": "# Active tasks\n",
}
FOLDERS = ("memory", "skills", "roles")


def init(folder: str) -> tuple[str, list[str]]:
    """Make the workspace complete; returns its path and what was created."""
    where, made = os.path.abspath(os.path.expanduser(folder)), []
    try:
        os.makedirs(where, exist_ok=True)
        for name in FOLDERS:
            if not os.path.isdir(os.path.join(where, name)):
                os.mkdir(os.path.join(where, name))
                made.append(name + "/")
        for name, text in FILES.items():
            try:
                with open(os.path.join(where, name), "x", encoding="utf-8") as file:
                    file.write(text)
                made.append(name)
            except FileExistsError:
                continue
    except OSError as error:
        raise BadInput(
            f"{error.filename or where}: {error.strerror}", "choose a folder that you can write to"
        ) from error
    return where, made
