"""What agents report, without the agents: the hook as a process, what each event means, which witness is right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from openclaw.agents import calls, claude, reported
from openclaw.agents.reporters import Signal
from openclaw.sessions import reports
from openclaw.store import db, sessions
from openclaw.store.sessions import Session
from openclaw.units import utc
from tests.conftest import Box

HOOK = str(Path(sys.executable).parent / "openclaw-hook")
BASH: dict[str, Any] = {"tool_name": "Bash", "tool_input": {"command": "make"}}
CONVERSATION = "11111111-2222-4333-8444-555555555555"


def session(**columns: Any) -> Session:
    known = {"id": "abc234", "name": "n", "task": "t", "type": "test", "agent": "claude", "status": "working"}
    places = {"cwd": "/", "socket": "s", "created_at": utc(0), "updated_at": utc(0)}
    return Session(**(known | places | columns))


def stored(box: Box, **columns: Any) -> None:
    store = db.connect(str(box.state / "openclaw.db"))
    with db.transaction(store):
        sessions.insert(store, session(**columns), [])
    store.close()


def row(box: Box) -> Session:
    store = db.connect(str(box.state / "openclaw.db"))
    found = sessions.by_ids(store, ["abc234"])[0]
    store.close()
    return found


def call(box: Box, stdin: str | bytes, *args: str, **environ: str) -> None:
    """The hook as an agent calls it: whatever it gets, it ends with 0 and says nothing."""
    env = box.env | {"OPENCLAW_SESSION_ID": "abc234"} | environ
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run([HOOK, *args], input=data, env=env, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def said(box: Box, name: str, **data: Any) -> Session:
    transcript = str(box.root / "config/projects/-w" / f"{CONVERSATION}.jsonl")
    call(
        box,
        json.dumps({"hook_event_name": name, "session_id": CONVERSATION, "transcript_path": transcript, **data}),
    )
    return row(box)


def log(box: Box) -> str:
    path = box.state / "hook.log"
    return path.read_text() if path.exists() else ""


# --- the process


def test_a_turn_as_the_hooks_tell_it(box: Box) -> None:
    stored(box)
    assert said(box, "SessionStart", source="startup").reported_state == "starting"
    assert said(box, "UserPromptSubmit", prompt="ünï $(x)").reported_state == "working"
    found = said(box, "PermissionRequest", **BASH)
    assert (found.reported_state, found.asks) == ("waiting", "Bash: make")
    assert said(box, "PostToolUse", tool_name="Bash", tool_input={"command": "other"}).reported_state == "waiting"
    assert said(box, "PostToolUse", **BASH).reported_state == "working"
    failed = said(box, "StopFailure", error="unknown", last_assistant_message="API Error: 400 x")
    assert (failed.reported_state, failed.last_error) == ("idle", "API Error: 400 x")
    assert said(box, "UserPromptSubmit", prompt="again").last_error == ""
    stopped = said(box, "Stop")
    assert (stopped.reported_state, stopped.reporter, stopped.conversation_id) == ("idle", "claude-hooks", CONVERSATION)
    store = db.connect(str(box.state / "openclaw.db"))
    events = store.execute("SELECT name, data FROM events ORDER BY number").fetchall()
    assert [e["name"] for e in events][:3] == ["SessionStart", "UserPromptSubmit", "PermissionRequest"]
    assert json.loads(events[1]["data"]) == {"prompt": "ünï $(x)"}
    assert len(store.execute("SELECT * FROM transcripts").fetchall()) == 1
    assert log(box) == ""


def test_its_own_file_is_found_by_its_conversation(box: Box) -> None:
    stored(box)
    folder = box.root / "config/sessions"
    folder.mkdir(parents=True)
    (folder / "1.json").write_text(json.dumps({"sessionId": "another", "status": "idle"}))
    (folder / "2.json").write_text(json.dumps({"pid": 2, "sessionId": CONVERSATION, "status": "busy"}))
    assert said(box, "SessionStart", source="startup").status_file == str(folder / "2.json")


def test_reports_of_nobody_are_dropped(box: Box) -> None:
    stored(box, ended_at=utc(1), status="killed")
    assert said(box, "Stop").reported_state == ""
    call(box, '{"hook_event_name": "Stop", "session_id": "x"}', OPENCLAW_SESSION_ID="zzz999")
    assert log(box) == ""


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe", b"[]", b"null", b'{"a": 1}', b"{" * 100_000, b'{"hook_event_name": 7}']
)
def test_whatever_it_gets_is_no_fault_for_the_agent(box: Box, data: bytes) -> None:
    stored(box)
    call(box, data)
    assert row(box).reported_state == ""


def test_doctor_tells_of_lost_reports(box: Box) -> None:
    stored(box)
    assert "none has failed" in box.cli("doctor", exit=None).stdout
    call(box, b"{")
    assert "1 times one failed" in box.cli("doctor", exit=None).stdout


def test_a_fault_stands_in_the_log(box: Box) -> None:
    box.state.mkdir()
    call(box, "{}")  # no database: none is made
    assert "abc234" in log(box) and not (box.state / "openclaw.db").exists()
    (box.state / "openclaw.db").write_text("this is no database, but it is long enough to be taken for one" * 20)
    call(box, '{"hook_event_name": "Stop", "session_id": "x"}')
    assert len(log(box).splitlines()) == 2
    call(box, "{}", OPENCLAW_STATE_DIR="/nonexistent")
    call(box, "{}", OPENCLAW_SESSION_ID="")


def test_many_at_once_lose_nothing(box: Box) -> None:
    stored(box)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: said(box, "UserPromptSubmit", prompt=str(n)), range(40)))
    store = db.connect(str(box.state / "openclaw.db"))
    prompts = [json.loads(e["data"])["prompt"] for e in store.execute("SELECT data FROM events")]
    assert sorted(prompts, key=int) == [str(n) for n in range(40)] and log(box) == ""


def test_it_imports_little() -> None:
    code = "import sys; from openclaw import hook, hook_main, hook_statusline; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {
        "typing",
        "contextlib",
        "dataclasses",
        "pathlib",
        "subprocess",
        "argparse",
        "logging",
        "psutil",
    }


# --- what events mean


@pytest.mark.parametrize(
    ("name", "data", "before", "after"),
    [
        ("SessionStart", {"source": "startup"}, "", "starting"),
        ("SessionStart", {"source": "resume"}, "", "starting"),
        ("SessionStart", {"source": "resume"}, "idle", "idle"),
        ("SessionStart", {"source": "clear"}, "working", "idle"),
        ("SessionStart", {"source": "compact"}, "working", None),
        ("PreCompact", {"trigger": "manual"}, "idle", "working"),
        ("PostCompact", {"trigger": "manual"}, "working", "idle"),
        ("PreCompact", {"trigger": "auto"}, "working", None),
        ("PostCompact", {"trigger": "auto"}, "working", None),
        ("SessionEnd", {"reason": "clear"}, "working", None),
        ("PostToolUse", BASH, "working", None),
        ("Whatever", {}, "idle", None),
    ],
)
def test_events_mean(name: str, data: dict[str, Any], before: str, after: str | None) -> None:
    assert reported.change(name, data, before, "").get("reported_state") == after


def test_what_is_asked_is_one_short_line() -> None:
    assert calls.asked("Edit", {"file_path": "/a", "old_string": "x"}) == "Edit: /a"
    assert calls.asked("Other", {"a": 1}) == 'Other: {"a": 1}'
    assert len(calls.asked("Bash", {"command": "x" * 9999})) <= calls.SHOWN


# --- which witness is right


@pytest.mark.parametrize(
    ("hooks", "file", "right"),
    [
        (("working", 10), None, "working"),
        (("working", 10), ("idle", 20), "idle"),  # Esc
        (("working", 10), ("idle", 99.8), "working"),  # Stop, or StopFailure with the error, is on its way
        (("idle", 20), ("working", 10), "idle"),  # Stop comes before the file changes
        (("idle", 20), ("working", 30), "working"),
        (("waiting", 20), ("working", 30), "working"),  # answered
        (("working", 20), ("waiting", 30), "waiting"),  # a dialog without a hook
        (("starting", 20), ("idle", 95), "starting"),  # the first prompt is on its way
        (("starting", 20), ("idle", 80), "idle"),
        (("starting", 20), ("working", 10), "working"),
    ],
)
def test_the_later_witness_is_right(hooks: tuple[str, float], file: tuple[str, float] | None, right: str) -> None:
    told = Signal(file[0], utc(file[1])) if file else None
    assert reports.latest(Signal(hooks[0], utc(hooks[1])), told, utc(100)).state == right


def test_its_own_file_unreadable_or_strange_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "1.json"
    assert claude.look(str(path)) is None
    for text in ("", "{", "[]", '{"status": "new word", "statusUpdatedAt": 1}', '{"status": "idle"}', '{"status": []}'):
        path.write_text(text)
        assert claude.look(str(path)) is None
    path.write_text('{"status": "waiting", "statusUpdatedAt": 1795228471250, "waitingFor": "permission prompt"}')
    assert claude.look(str(path)) == Signal("waiting", "2026-11-21T02:34:31.250Z", "permission prompt")
    path.write_text(path.read_text().replace("{", '{"sessionId": "mine", ', 1))
    own = claude.look(str(path), "mine")
    assert own and own == claude.look(str(path))
    assert claude.look(str(path), "another's, with the same pid in its own sandbox") is None


def test_peers_06_the_prompt_itself_is_no_dialog() -> None:
    assert claude.dialog("> Task for a sub-agent.\nDo you want to proceed? Select a login, trust, API key\n❯ ") == ""


@pytest.mark.parametrize(
    ("known", "asks"),
    [
        (None, "first start"),
        ({}, "first start"),
        ({"hasCompletedOnboarding": True}, "trust"),
        ({"hasCompletedOnboarding": True, "projects": {"/a/b": {"hasTrustDialogAccepted": True}}}, "API key"),
        ({"hasCompletedOnboarding": True, "projects": {"/a/bc": {"hasTrustDialogAccepted": True}}}, "trust"),
        (
            {
                "hasCompletedOnboarding": True,
                "projects": {"/a/b": {"hasTrustDialogAccepted": True}},
                "customApiKeyResponses": {"approved": ["y" * 20]},
            },
            "",
        ),
        ([], ""),
        ({"hasCompletedOnboarding": True, "projects": []}, "trust"),
    ],
)
def test_its_first_dialog_is_known_beforehand(tmp_path: Path, known: Any, asks: str) -> None:
    if known is not None:
        (tmp_path / ".claude.json").write_text(json.dumps(known))
    environ = {"HOME": str(tmp_path), "ANTHROPIC_API_KEY": "x" * 9 + "y" * 20}
    said = claude.first_dialog(environ, "/a/b/c")
    assert asks in said and bool(asks) == bool(said)


def test_the_settings_call_our_hook_by_its_path_whatever_is_in_it() -> None:
    made = json.loads(claude.settings("/a b/it's/openclaw-hook"))["hooks"]
    assert {"SessionStart", "UserPromptSubmit", "Stop", "StopFailure", "PermissionRequest", "SessionEnd"} <= set(made)
    [entry] = made["Stop"][0]["hooks"]
    assert entry["type"] == "command" and os.path.isabs("/a b/it's/openclaw-hook")
    printed = subprocess.run(["sh", "-c", f"printf %s {entry['command']}"], capture_output=True, text=True, check=True)
    assert printed.stdout == "/a b/it's/openclaw-hook"
